"""The encrypted body of a message that came: its header, its plaintext, and where its record begins."""

from pushlab.conformance.arrived import Arrived
from pushlab.conformance.examination import Unreached
from pushlab.conformance.exchange import Exchange
from pushlab.errors import BadDelimiter, BadKeyid, DecryptionFailed, EncryptionError
from pushlab.protocol import p256
from pushlab.protocol.content_coding import Header
from pushlab.text import counted

HEADER = 86
"""Bytes of the header of a push message: salt 16, rs 4, idlen 1, keyid 65."""


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
        raise Unreached(f"the keyid has {counted(len(header.keyid))}: see bytes.keyid-length", exchange)
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
