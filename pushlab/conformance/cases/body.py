"""Group ``bytes``: the encrypted body, RFC 8291 and RFC 8188."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from pushlab.conformance.case import (
    Judgement,
    failed,
    not_applicable,
    not_reached,
    passed,
    warned,
)
from pushlab.conformance.cases.registry import poses
from pushlab.conformance.examination import Examination, nothing_came
from pushlab.conformance.exchange import Arrived, Exchange
from pushlab.errors import BadPublicKey, EncryptionError
from pushlab.protocol import p256
from pushlab.protocol.content_coding import MIN_RECORD, Header
from pushlab.protocol.encryption import MAX_PLAINTEXT

HEADER = 86
"""Bytes of the header of a push message: salt 16, rs 4, idlen 1, keyid 65."""

PAYLOADS = {
    "ascii": b"Hello, Notifications! 0123456789 {}[]\"'\\/",
    "utf8": "Grüße, été, Привет, γειά".encode(),
    "emoji": "🔔 Push 👩‍💻 🇪🇺 𝄞".encode(),
    "empty": b"",
    "one-byte": b"!",
    "largest": (b"0123456789abcdef" * 250)[:MAX_PLAINTEXT],
    "too-large": (b"0123456789abcdef" * 250)[: MAX_PLAINTEXT + 1],
    "80": b"eighty bytes " * 6 + b"..",
    "4080": b"0123456789abcdef" * 255,
    "padding": b"a thousand" * 100,
}
"""What is sent, by the name of its case."""

OURS = "the payload is the app's own, and not the examination's"


def is_old(arrived: Arrived) -> bool:
    """Say whether a request is in aesgcm, the coding of a draft."""
    coding = (arrived.header("Content-Encoding") or "").strip().lower()
    return coding == "aesgcm" or (coding != "aes128gcm" and arrived.header("Encryption") is not None)


def unreadable(arrived: Arrived, exchange: Exchange) -> Judgement | None:
    """Return why a body cannot be judged at all; None if it can."""
    if is_old(arrived):
        return not_reached("the body is in aesgcm: see bytes.coding", exchange)
    return None


async def sent(exam: Examination, name: str) -> Exchange:
    """Return the exchange with the payload of this name, which is sent once."""
    return await exam.shared(f"payload {name}", lambda: exam.send(PAYLOADS[name]))


async def arrives(exam: Examination, name: str) -> Judgement:
    """Judge whether a payload decrypts to what was given."""
    if "payload" not in exam.sender.sets:
        return await _arrives_somehow(exam)
    exchange = await sent(exam, name)
    if not exchange.requests:
        return failed(nothing_came(exchange, exam.service), exchange)
    arrived = exchange.requests[0]
    if old := unreadable(arrived, exchange):
        return old
    try:
        plaintext = exchange.message.recipient.open(arrived.body)
    except EncryptionError as error:
        return failed(f"the body does not decrypt: {error.detail}", exchange)
    wanted = PAYLOADS[name]
    if plaintext == wanted:
        return passed(f"{_count(len(wanted))} arrived as they were given", exchange)
    if exam.sender.form == "app" and wanted in plaintext:
        return passed(f"the payload has the {_count(len(wanted))} that were given", exchange)
    return failed(_difference(wanted, plaintext), exchange)


async def _arrives_somehow(exam: Examination) -> Judgement:
    exchange = await exam.ordinary()
    arrived = exchange.requests[0]
    if old := unreadable(arrived, exchange):
        return old
    try:
        if arrived.body:
            exchange.message.recipient.open(arrived.body)
    except EncryptionError as error:
        return failed(f"the body does not decrypt: {error.detail}", exchange)
    return not_applicable(f"{OURS}; its message decrypts", exchange)


def _difference(wanted: bytes, came: bytes) -> str:
    if came == wanted.decode("utf-8").encode("utf-8", "replace").decode("utf-8").encode("utf-16"):
        return "the payload was encoded as UTF-16"
    if came.rstrip(b"\r\n\0") == wanted:
        return f"{_count(len(came) - len(wanted))} follow the payload: {came[len(wanted) :][:8]!r}"
    at = next((at for at, (a, b) in enumerate(zip(wanted, came, strict=False)) if a != b), None)
    if at is None:
        return f"{_count(len(came))} arrived, of the {len(wanted)} that were given"
    return f"another payload arrived: {_count(len(came))}, which differ from byte {at} on"


def _count(number: int) -> str:
    return f"{number} byte{'s' * (number != 1)}"


for _name in ("ascii", "utf8", "emoji", "one-byte"):

    @poses(f"bytes.{_name}")
    async def _arrives(exam: Examination, name: str = _name) -> Judgement:
        return await arrives(exam, name)


@poses("bytes.empty")
async def empty(exam: Examination) -> Judgement:
    """Pose an empty payload."""
    if "payload" not in exam.sender.sets:
        return not_applicable(OURS)
    exchange = await sent(exam, "empty")
    if not exchange.requests:
        return warned(
            f"the sender sends no empty message: {nothing_came(exchange, exam.service)}", exchange
        )
    arrived = exchange.requests[0]
    if not arrived.body:
        return passed("a request without a body", exchange)
    if old := unreadable(arrived, exchange):
        return old
    try:
        plaintext = exchange.message.recipient.open(arrived.body)
    except EncryptionError as error:
        return failed(f"the body does not decrypt: {error.detail}", exchange)
    if plaintext and exam.sender.form != "app":
        return failed(f"{_count(len(plaintext))} arrived, and none was given", exchange)
    return passed("a body that decrypts to nothing", exchange)


@poses("bytes.largest")
async def largest(exam: Examination) -> Judgement:
    """Pose the longest payload."""
    judgement = await arrives(exam, "largest")
    exchange = judgement.exchange
    if exchange and exchange.requests and "payload" in exam.sender.sets:
        length = len(exchange.requests[0].body)
        if length > HEADER + MAX_PLAINTEXT + MIN_RECORD:
            return failed(f"the body has {length} bytes, over 4096", exchange)
    return judgement


@poses("bytes.too-large")
async def too_large(exam: Examination) -> Judgement:
    """Pose a payload that is a byte too long."""
    if "payload" not in exam.sender.sets:
        return not_applicable(OURS)
    exchange = await sent(exam, "too-large")
    if not exchange.requests:
        if exchange.said.accepted:
            return failed(
                "nothing was sent, and the sender says that the message was accepted", exchange
            )
        return passed("the sender refuses it", exchange)
    status = exchange.requests[-1].status
    if exchange.said.accepted:
        return failed(f"the answer was {status}, and the sender says that it was accepted", exchange)
    if exchange.said.accepted is None:
        return warned(f"the sender sent it, and the answer was {status}", exchange)
    return passed(f"the sender sent it, and reports the answer {status}", exchange)


@poses("bytes.one-record")
async def one_record(exam: Examination) -> Judgement:
    """Pose a short payload, and one that http_ece and others cut in two."""
    if "payload" not in exam.sender.sets:
        return _judge_records(await exam.ordinary())
    short, long = await asyncio.gather(sent(exam, "80"), sent(exam, "4080"))
    if not short.requests:
        return not_reached(nothing_came(short, exam.service), short)
    judgement = _judge_records(short)
    return _judge_records(long) if long.requests and judgement.verdict == "pass" else judgement


def _judge_records(exchange: Exchange) -> Judgement:
    arrived = exchange.requests[0]
    if old := unreadable(arrived, exchange):
        return old
    try:
        header = Header.parse(arrived.body)
    except EncryptionError as error:
        return not_reached(f"the header cannot be read: {error.detail}", exchange)
    length = len(arrived.body) - len(header)
    records = -(-length // header.rs)
    given = f"of {_count(len(exchange.message.payload))}"
    if records > 1:
        return failed(
            f"a payload {given} comes in {records} records of at most {header.rs} bytes", exchange
        )
    return passed("one record", exchange)


async def judged_by_header(
    exam: Examination, judge: Callable[[Header, bytes, Exchange], Judgement]
) -> Judgement:
    """Judge the header of the ordinary message."""
    exchange = await exam.ordinary()
    arrived = exchange.requests[0]
    if old := unreadable(arrived, exchange):
        return old
    if not arrived.body:
        return not_applicable("the message has no body", exchange)
    try:
        return judge(Header.parse(arrived.body), arrived.body, exchange)
    except EncryptionError as error:
        return failed(f"the header cannot be read: {error.detail}", exchange)


@poses("bytes.record-size")
async def record_size(exam: Examination) -> Judgement:
    """Judge rs. RFC 8291 §4: it is greater than plaintext, delimiter, padding and tag together."""

    def judge(header: Header, body: bytes, exchange: Exchange) -> Judgement:
        record = len(body) - len(header)
        if record >= header.rs:
            return failed(f"rs is {header.rs}, and the record has {_count(record)}", exchange)
        return passed(f"rs is {header.rs}, and the record has {_count(record)}", exchange)

    return await judged_by_header(exam, judge)


@poses("bytes.keyid-length")
async def keyid_length(exam: Examination) -> Judgement:
    """Judge the sender's key in the header."""

    def judge(header: Header, body: bytes, exchange: Exchange) -> Judgement:
        try:
            p256.load_public(header.keyid)
        except BadPublicKey as error:
            return failed(f"keyid: {error.detail}", exchange)
        return passed("65 bytes, an uncompressed point", exchange)

    return await judged_by_header(exam, judge)


@poses("bytes.header-length")
async def header_length(exam: Examination) -> Judgement:
    """Judge the length of the header."""

    def judge(header: Header, body: bytes, exchange: Exchange) -> Judgement:
        if len(header) != HEADER:
            return failed(f"the header has {_count(len(header))}, not {HEADER}", exchange)
        if len(body) < HEADER + MIN_RECORD:
            return failed(f"{_count(len(body) - HEADER)} follow the header: no record", exchange)
        return passed(f"{HEADER} bytes", exchange)

    return await judged_by_header(exam, judge)


async def many_messages(exam: Examination) -> list[Exchange]:
    """Send as many messages as there are to be compared, or as the time allows."""
    timing = exam.timing
    end = exam.clock() + timing.fresh
    found: list[Exchange] = []

    async def keep_sending() -> None:
        while len(found) + pending[0] < timing.messages and exam.clock() < end:
            pending[0] += 1
            try:
                found.append(await exam.send())
            finally:
                pending[0] -= 1

    pending = [0]
    await exam.ordinary()
    await asyncio.gather(*(keep_sending() for _ in range(exam.sender.at_once)))
    return found


async def judged_by_many(exam: Examination, part: Callable[[Header], bytes], what: str) -> Judgement:
    """Judge that a part of the header is new in each message."""
    if exam.sender.form == "by hand":
        return not_applicable("it takes many messages, and each is made by hand")
    await exam.shared("many messages", lambda: many_messages(exam))
    exchange = await exam.ordinary()
    if old := unreadable(exchange.requests[0], exchange):
        return old
    seen = Counter(part(header) for header in _headers(exam.sent))
    again = sum(times - 1 for times in seen.values())
    total = sum(seen.values())
    if total < 2:
        return not_reached(f"{total} message came, and two are needed to compare", exchange)
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


@poses("bytes.padding")
async def padding(exam: Examination) -> Judgement:
    """Judge what follows the plaintext."""
    named = "payload" in exam.sender.sets
    exchange = await sent(exam, "padding") if named else await exam.ordinary()
    if not exchange.requests:
        return not_reached(nothing_came(exchange, exam.service), exchange)
    arrived = exchange.requests[0]
    if old := unreadable(arrived, exchange):
        return old
    try:
        plaintext = exchange.message.recipient.open(arrived.body)
        record = len(arrived.body) - len(Header.parse(arrived.body))
    except EncryptionError as error:
        if error.code != "bad-delimiter":
            return not_reached(f"the body does not decrypt: {error.detail}", exchange)
        return failed(error.detail, exchange)
    zeros = record - MIN_RECORD - len(plaintext)
    return passed(f"{_count(zeros)} of zeros" if zeros else "no padding", exchange)


@poses("bytes.coding")
async def coding(exam: Examination) -> Judgement:
    """Judge which coding the body is in."""
    exchange = await exam.ordinary()
    arrived = exchange.requests[0]
    old = [name for name in ("Encryption", "Crypto-Key") if arrived.header(name) is not None]
    if is_old(arrived):
        return failed("aesgcm, the coding of a draft: salt and key are in headers", exchange)
    if old:
        return warned(f"{' and '.join(old)} belong to aesgcm, and stand beside aes128gcm", exchange)
    if not arrived.body:
        return not_applicable("the message has no body", exchange)
    return passed("aes128gcm", exchange)
