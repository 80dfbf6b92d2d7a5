"""Group ``bytes``: a salt and a key pair that are new in each message. RFC 8188 §2.1, RFC 8291 §3.1."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from pushlab.conformance.body import is_old
from pushlab.conformance.case import Judgement, failed, not_applicable, not_reached, passed
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


async def judged_by_many(exam: Examination, part: Callable[[Header], bytes], what: str) -> Judgement:
    """Judge that a part of the header is new in each message."""
    if exam.sender.form == "by hand":
        return not_applicable("it takes many messages, and each is made by hand")
    await exam.shared("many messages", lambda: send_many(exam))
    exchange = await exam.ordinary()
    if is_old(exchange.requests[0]):
        return not_reached("the body is in aesgcm: see bytes.coding", exchange)
    seen = Counter(part(header) for header in _headers(exam.sent))
    again = sum(times - 1 for times in seen.values())
    total = sum(seen.values())
    if total < 2:
        came = f"{total or 'no'} message came"
        return not_reached(f"{came}, and two are needed to compare", exchange)
    if again:
        return failed(f"of {total} messages, {again} had a {what} that had come before", exchange)
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


@poses("bytes.fresh-salt")
async def fresh_salt(exam: Examination) -> Judgement:
    """Compare the salts of many messages."""
    return await judged_by_many(exam, lambda header: header.salt, "salt")


@poses("bytes.fresh-key")
async def fresh_key(exam: Examination) -> Judgement:
    """Compare the keys of many messages."""
    return await judged_by_many(exam, lambda header: header.keyid, "key")
