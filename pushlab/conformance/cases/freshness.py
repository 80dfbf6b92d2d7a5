"""Group ``bytes``: a salt and a key pair that are new in each message. RFC 8188 §2.1, RFC 8291 §3.1."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from pushlab.conformance.body import is_old
from pushlab.conformance.case import Judgement, failed, not_applicable, not_reached, passed, warned
from pushlab.conformance.cases.registry import poses
from pushlab.conformance.examination import Examination
from pushlab.conformance.exchange import Exchange
from pushlab.errors import EncryptionError
from pushlab.protocol.content_coding import Header


async def send_many(exam: Examination) -> None:
    """Send as many messages as there are to be compared, or as the time allows."""
    end = exam.clock() + exam.timing.fresh
    await exam.ordinary()
    left = iter(range(exam.timing.messages))

    async def keep_sending() -> None:
        while exam.clock() < end and next(left, None) is not None:
            await exam.send()

    await asyncio.gather(*(keep_sending() for _ in range(exam.sender.at_once)))


async def judged_by_many(
    exam: Examination, what: str, judge: Callable[[list[Header]], Judgement | None]
) -> Judgement:
    """Let ``judge`` find a part that is not new in each message. ``what``: its name."""
    if exam.sender.form == "by hand":
        return not_applicable("it takes many messages, and each is made by hand")
    await exam.shared("many messages", lambda: send_many(exam))
    exchange = await exam.ordinary()
    if is_old(exchange.requests[0]):
        return not_reached("the body is in aesgcm: see bytes.coding", exchange)
    headers = list(_headers(exam.sent))
    if (total := len(headers)) < 2:
        came = f"{total or 'no'} message came"
        return not_reached(f"{came}, and two are needed to compare", exchange)
    if (judgement := judge(headers)) is not None:
        return replace(judgement, exchange=exchange)
    fewer = ""
    if total < exam.timing.messages:
        fewer = f"; {exam.timing.messages} would take longer than {exam.timing.fresh:g} s"
    return passed(f"{total} messages, each with a {what} of its own{fewer}", exchange)


def _headers(exchanges: Iterable[Exchange]) -> Iterable[Header]:
    for exchange in exchanges:
        bodies = {arrived.body for arrived in exchange if arrived.body and not is_old(arrived)}
        for body in bodies:  # Another attempt of one message sends the same bytes.
            try:
                yield Header.parse(body)
            except EncryptionError:
                continue


def _repeats(parts: Iterable[object]) -> int:
    """Return how many of them had come before."""
    found = list(parts)
    return len(found) - len(set(found))


def _judge_salts(headers: list[Header]) -> Judgement | None:
    again = _repeats(header.salt for header in headers)
    why = f"of {len(headers)} messages, {again} had a salt that had come before"
    # RFC 8188 §2.1 forbids one salt for two bodies with the same input keying material. Here each
    # message has a subscription of its own, and so its own material. If two have the same key, two to
    # one subscription would have the same material.
    if _repeats((header.salt, header.keyid) for header in headers):
        return failed(f"{why}, some of them with the same key")
    if again:
        return warned(
            f"{why}, each time with another key: RFC 8188 §2.1 allows that, and RFC 8291 §3.4 has "
            "a random salt"
        )
    return None


def _judge_keys(headers: list[Header]) -> Judgement | None:
    if again := _repeats(header.keyid for header in headers):
        return failed(f"of {len(headers)} messages, {again} had a key that had come before")
    return None


@poses("bytes.fresh-salt")
async def fresh_salt(exam: Examination) -> Judgement:
    """Compare the salts of many messages."""
    return await judged_by_many(exam, "salt", _judge_salts)


@poses("bytes.fresh-key")
async def fresh_key(exam: Examination) -> Judgement:
    """Compare the keys of many messages."""
    return await judged_by_many(exam, "key", _judge_keys)
