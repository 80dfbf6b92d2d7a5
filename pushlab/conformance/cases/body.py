"""Group ``bytes``: the encrypted body, RFC 8291 and RFC 8188."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps

from pushlab.conformance.arrived import Arrived
from pushlab.conformance.case import Judgement, failed, not_applicable, not_reached, passed, warned
from pushlab.conformance.cases.registry import poses
from pushlab.conformance.examination import Examination, Unreached, nothing_came
from pushlab.conformance.exchange import Exchange
from pushlab.conformance.strict import MAX_BODY
from pushlab.errors import (
    BadDelimiter,
    BadKeyid,
    BadPublicKey,
    BadRecordSize,
    DecryptionFailed,
    EncryptionError,
    MalformedJson,
)
from pushlab.protocol import p256, strict_json
from pushlab.protocol.content_coding import MIN_RECORD, Header
from pushlab.protocol.encryption import MAX_PLAINTEXT

HEADER = 86
"""Bytes of the header of a push message: salt 16, rs 4, idlen 1, keyid 65."""

PAYLOADS = {
    "ascii": b"Hello, Notifications! {}[]\"'\\/\r\na second line\n",
    "utf8": "Grüße, été, Привет, γειά, 你好 €".encode(),
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


def header_of(exchange: Exchange) -> Header:
    """Return the header of the first body. Raises Unreached if another case says why there is none."""
    arrived = exchange.requests[0]
    if is_old(arrived):
        raise Unreached("the body is in aesgcm: see bytes.coding", exchange)
    try:
        return Header.parse(arrived.body)
    except EncryptionError as error:
        raise Unreached(f"{error.detail}: see bytes.header-length", exchange) from None


def opened(exchange: Exchange) -> bytes:
    """Decrypt the first body, whose records may be several. Raises EncryptionError, Unreached."""
    arrived, recipient = exchange.requests[0], exchange.message.recipient
    if not arrived.body:
        return b""
    header = header_of(exchange)
    if len(header.keyid) != p256.POINT:
        raise Unreached(f"the keyid has {_count(len(header.keyid))}: see bytes.keyid-length", exchange)
    try:
        return recipient.open(arrived.body)
    except BadKeyid as error:
        raise Unreached(f"{error.detail}: see bytes.keyid-length", exchange) from None
    except DecryptionFailed:
        if record_begins(exchange) not in (None, HEADER):
            raise Unreached("no record at byte 86: see bytes.header-length", exchange) from None
        raise


def record_begins(exchange: Exchange) -> int | None:
    """Return the byte at which the record begins that decrypts; None if there is none near byte 86."""
    body, recipient = exchange.requests[0].body, exchange.message.recipient
    for stray in range(5):
        try:
            recipient.open(body[:HEADER] + body[HEADER + stray :])
        except BadDelimiter:
            return HEADER + stray
        except EncryptionError:
            continue
        return HEADER + stray
    return None


async def sent(exam: Examination, name: str) -> Exchange:
    """Return the exchange with the payload of this name, which is sent once."""
    return await exam.shared(f"payload {name}", lambda: exam.send(PAYLOADS[name]))


async def arrives(exam: Examination, name: str) -> Judgement:
    """Judge whether a payload decrypts to what was given."""
    named = "payload" in exam.sender.sets
    exchange = await sent(exam, name) if named else await exam.ordinary()
    if not exchange.requests:
        return failed(nothing_came(exchange, exam.service), exchange)
    try:
        plaintext = opened(exchange)
    except BadDelimiter:
        return not_reached("the padding is wrong: see bytes.padding", exchange)
    except EncryptionError as error:
        return failed(f"the body does not decrypt: {error.detail}", exchange)
    wanted = PAYLOADS[name]
    if not named:
        return not_applicable(f"{OURS}; its message decrypts", exchange)
    if plaintext == wanted:
        return passed(f"{_count(len(wanted))} arrived, as given", exchange)
    if exam.keeper is not None and has_text(plaintext, wanted.decode()):
        return passed(f"the app's payload holds the {_count(len(wanted))}, as given", exchange)
    return failed(_difference(wanted, plaintext), exchange)


def has_text(plaintext: bytes, text: str) -> bool:
    """Say whether an app's payload, which is JSON as a rule, holds a text as it was given."""
    if text.encode() in plaintext:
        return True
    try:
        return _holds(strict_json.parse(plaintext), text)
    except MalformedJson:
        return False


def _holds(value: object, text: str) -> bool:
    if isinstance(value, dict):
        return any(_holds(one, text) for one in value.values())
    if isinstance(value, list):
        return any(_holds(one, text) for one in value)
    return value == text


def _difference(wanted: bytes, came: bytes) -> str:
    if came in (wanted.decode().encode(form) for form in ("utf-16", "utf-16-le", "utf-16-be")):
        return "the payload arrived as UTF-16"
    if came == wanted.replace(b"\r\n", b"\n"):
        return "the ends of lines were changed"
    if came.rstrip(b"\r\n\0") == wanted.rstrip(b"\r\n"):
        return f"{_count(len(came))} arrived in place of {len(wanted)}: the end is another"
    at = next((at for at, (a, b) in enumerate(zip(wanted, came, strict=False)) if a != b), None)
    if at is None:
        return f"{_count(len(came))} arrived in place of {len(wanted)}"
    return f"another payload arrived: {_count(len(came))}, and byte {at} differs"


def _count(number: int) -> str:
    return f"{number} byte{'s' * (number != 1)}"


for _name in ("ascii", "utf8", "emoji", "one-byte"):

    @poses(f"bytes.{_name}")
    async def _arrives(exam: Examination, name: str = _name) -> Judgement:
        return await arrives(exam, name)


@poses("bytes.empty")
async def empty(exam: Examination) -> Judgement:
    """Pose an empty payload."""
    if "payload" not in exam.sender.sets or exam.keeper is not None:
        return not_applicable(OURS)
    exchange = await sent(exam, "empty")
    if not exchange.requests:
        return warned(
            f"the sender sends no empty message: {nothing_came(exchange, exam.service)}", exchange
        )
    if not exchange.requests[0].body:
        return passed("a request without a body", exchange)
    try:
        plaintext = opened(exchange)
    except BadDelimiter:
        return not_reached("the padding is wrong: see bytes.padding", exchange)
    except EncryptionError as error:
        return failed(f"the body does not decrypt: {error.detail}", exchange)
    if plaintext:
        return failed(f"{_count(len(plaintext))} arrived, and none was given", exchange)
    return passed("a body that decrypts to nothing", exchange)


async def is_exact(exam: Examination) -> bool:
    """Say whether the sender sends a payload as it is given: many apps put it into JSON."""
    if "payload" not in exam.sender.sets:
        return False
    if exam.keeper is None:
        return True
    exchange = exam.require(await sent(exam, "one-byte"))
    try:
        return opened(exchange) == PAYLOADS["one-byte"]
    except EncryptionError:
        return True


@poses("bytes.largest")
async def largest(exam: Examination) -> Judgement:
    """Pose the longest payload."""
    if not await is_exact(exam):
        return not_applicable(OURS)
    exchange = await sent(exam, "largest")
    if exchange.requests and (length := len(exchange.requests[0].body)) > MAX_BODY:
        return failed(f"the body has {length} bytes, over {MAX_BODY}", exchange)
    return await arrives(exam, "largest")


@poses("bytes.too-large")
async def too_large(exam: Examination) -> Judgement:
    """Pose a payload that is a byte too long."""
    if not await is_exact(exam):
        return not_applicable(OURS)
    exchange = await sent(exam, "too-large")
    said = exchange.said
    if not exchange.requests:
        if said.accepted:
            return failed("nothing was sent, and the sender says that it was accepted", exchange)
        return passed("the sender refuses it", exchange)
    status = exchange.requests[-1].status
    if status < 400:
        return failed(
            f"a body of {len(exchange.requests[-1].body)} bytes: not all of it was sent", exchange
        )
    if said.accepted:
        return failed(f"the answer was {status}, and the sender says that it was accepted", exchange)
    if said.accepted is None:
        return warned(f"the sender sent it, and the answer was {status}", exchange)
    return passed(f"the sender sent it, and reports the answer {status}", exchange)


@poses("bytes.one-record")
async def one_record(exam: Examination) -> Judgement:
    """Pose a short payload, and one that http_ece and others cut in two."""
    if not await is_exact(exam):
        return _judge_records(await exam.ordinary())
    short, long = await asyncio.gather(sent(exam, "80"), sent(exam, "4080"))
    judgement = _judge_records(exam.require(short))
    return _judge_records(long) if long.requests and judgement.verdict == "pass" else judgement


def _judge_records(exchange: Exchange) -> Judgement:
    header = header_of(exchange)
    length = len(exchange.requests[0].body) - len(header)
    records = -(-length // header.rs)
    if records > 1:
        given = _count(len(exchange.message.payload))
        return failed(f"a payload of {given} comes in {records} records of rs {header.rs}", exchange)
    return passed("one record", exchange)


def of_body(judge: Callable[[Exchange], Judgement]) -> Callable[[Examination], Awaitable[Judgement]]:
    """Judge the ordinary message, if it has a body in aes128gcm."""

    @wraps(judge)
    async def judged(exam: Examination) -> Judgement:
        exchange = await exam.ordinary()
        if not exchange.requests[0].body:
            return not_applicable("the message has no body", exchange)
        if is_old(exchange.requests[0]):
            return not_reached("the body is in aesgcm: see bytes.coding", exchange)
        return judge(exchange)

    return judged


@poses("bytes.record-size")
@of_body
def record_size(exchange: Exchange) -> Judgement:
    """Judge rs. RFC 8291 §4: it is greater than plaintext, delimiter, padding and tag together."""
    arrived = exchange.requests[0]
    try:
        header = Header.parse(arrived.body)
    except BadRecordSize as error:
        return failed(error.detail, exchange)
    except EncryptionError as error:
        return not_reached(f"{error.detail}: see bytes.header-length", exchange)
    record = len(arrived.body) - len(header)
    if record == header.rs:
        return failed(f"rs is {header.rs}, as long as the record: it has to be greater", exchange)
    if record > header.rs:
        return not_reached(
            f"the rest has {_count(record)}, and rs is {header.rs}: see bytes.one-record", exchange
        )
    return passed(f"rs is {header.rs}, and the record has {_count(record)}", exchange)


@poses("bytes.keyid-length")
@of_body
def keyid_length(exchange: Exchange) -> Judgement:
    """Judge the sender's key in the header."""
    keyid = header_of(exchange).keyid
    try:
        p256.load_public(keyid)
    except BadPublicKey as error:
        return failed(f"keyid: {error.detail}", exchange)
    return passed("65 bytes, an uncompressed point", exchange)


@poses("bytes.header-length")
@of_body
def header_length(exchange: Exchange) -> Judgement:
    """Judge where the header ends and the record begins."""
    arrived = exchange.requests[0]
    try:
        length = len(Header.parse(arrived.body))
    except BadRecordSize as error:
        return not_reached(f"{error.detail}: see bytes.record-size", exchange)
    except EncryptionError as error:
        return failed(error.detail, exchange)
    if length != HEADER:
        return not_reached(f"idlen is {length - 21}: see bytes.keyid-length", exchange)
    if len(arrived.body) < HEADER + MIN_RECORD:
        return failed(f"{_count(len(arrived.body) - HEADER)} after the header: no record", exchange)
    if (begins := record_begins(exchange)) not in (None, HEADER):
        return failed(f"the record begins at byte {begins}, not at {HEADER}", exchange)
    return passed(f"{HEADER} bytes", exchange)


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


@poses("bytes.padding")
async def padding(exam: Examination) -> Judgement:
    """Judge what follows the plaintext."""
    named = "payload" in exam.sender.sets
    exchange = exam.require(await sent(exam, "padding")) if named else await exam.ordinary()
    if not exchange.requests[0].body:
        return not_applicable("the message has no body", exchange)
    try:
        plaintext = opened(exchange)
    except BadDelimiter as error:
        return failed(error.detail, exchange)
    except EncryptionError as error:
        return not_reached(f"the body does not decrypt: {error.detail}", exchange)
    record = len(exchange.requests[0].body) - HEADER
    zeros = record - MIN_RECORD - len(plaintext)
    return passed(f"{_count(zeros)} of zeros" if zeros > 0 else "no padding", exchange)


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
