"""Group ``bytes``: the coding aes128gcm, with one record for each message. RFC 8188, RFC 8291 §4."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import wraps

from pushlab.conformance.body import HEADER, header_of, is_old, opened, record_begins
from pushlab.conformance.case import Judgement, failed, not_applicable, not_reached, passed, warned
from pushlab.conformance.cases.payload import is_exact, sent
from pushlab.conformance.cases.registry import poses
from pushlab.conformance.examination import Examination
from pushlab.conformance.exchange import Exchange
from pushlab.errors import BadDelimiter, BadPublicKey, BadRecordSize, EncryptionError
from pushlab.protocol import p256
from pushlab.protocol.content_coding import MIN_RECORD, Header
from pushlab.text import counted

OF_DRAFTS = ("Encryption", "Crypto-Key")
"""Headers that only drafts have: those of aesgcm, and those of VAPID."""

VAPID_KEY = re.compile(r"\s*p256ecdsa\s*=[^,;]*")
"""A Crypto-Key without dh, which the drafts of VAPID have beside any coding."""


@poses("bytes.one-record")
async def one_record(exam: Examination) -> Judgement:
    """Pose a short payload, and one that http_ece and others cut in two."""
    if not await is_exact(exam):
        return await of_body(_judge_records)(exam)
    short, long = await asyncio.gather(sent(exam, "80"), sent(exam, "4080"))
    judgement = _judge_records(exam.require(short))
    return _judge_records(long) if long.requests and judgement.verdict == "pass" else judgement


def _judge_records(exchange: Exchange) -> Judgement:
    header = header_of(exchange)
    length = len(exchange.requests[0].body) - len(header)
    records = -(-length // header.rs)
    if records > 1:
        given = counted(len(exchange.message.payload))
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
            f"the rest has {counted(record)}, and rs is {header.rs}: see bytes.one-record", exchange
        )
    return passed(f"rs is {header.rs}, and the record has {counted(record)}", exchange)


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
        return failed(f"{counted(len(arrived.body) - HEADER)} after the header: no record", exchange)
    if (begins := record_begins(exchange)) not in (None, HEADER):
        return failed(f"the record begins at byte {begins}, not at {HEADER}", exchange)
    return passed(f"{HEADER} bytes", exchange)


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
    return passed(f"{counted(zeros)} of zeros" if zeros > 0 else "no padding", exchange)


@poses("bytes.coding")
async def coding(exam: Examination) -> Judgement:
    """Judge which coding the body is in."""
    exchange = await exam.ordinary()
    arrived = exchange.requests[0]
    old = {name: ",".join(found) for name in OF_DRAFTS if (found := arrived.request.values(name))}
    if is_old(arrived):
        return failed("aesgcm, the coding of a draft: salt and key are in headers", exchange)
    if old.keys() == {"Crypto-Key"} and VAPID_KEY.fullmatch(old["Crypto-Key"]):
        return warned("Crypto-Key has p256ecdsa, of the drafts of VAPID: k has the key now", exchange)
    if old:
        return warned(f"{' and '.join(old)} belong to aesgcm, and stand beside aes128gcm", exchange)
    if not arrived.body:
        return not_applicable("the message has no body", exchange)
    return passed("aes128gcm", exchange)
