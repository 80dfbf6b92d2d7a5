"""aes128gcm: an encrypted body is one header and then sealed records, RFC 8188.

    +-----------+--------+-----------+---------------+----------+----------+---
    | salt (16) | rs (4) | idlen (1) | keyid (idlen) | record 0 | record 1 | …
    +-----------+--------+-----------+---------------+----------+----------+---

Every record is rs bytes long; the last one may be shorter. A record seals data, a delimiter (01, or
02 in the last record) and zeros of padding; 16 bytes of tag follow. The header is not sealed: an
intermediary can change rs or keyid, and the receiver notices only if something no longer fits.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pushlab.errors import (
    BadDelimiter,
    BadKeyid,
    BadPlaintext,
    BadRecordSize,
    DecryptionFailed,
    EncryptionError,
    TruncatedHeader,
    TruncatedRecord,
)
from pushlab.protocol import strict_json

SALT = 16
"""Bytes of the salt."""

TAG = 16
"""Bytes of the tag that AES-GCM adds to a record."""

MIN_RECORD = 1 + TAG
"""Bytes of the shortest record, which is one with no data: the delimiter and the tag."""

MIN_RS = 1 + MIN_RECORD
"""The smallest record size: one byte of data, the delimiter and the tag."""

MORE, LAST = b"\x01", b"\x02"
"""The delimiter of every record before the last, and that of the last."""


@dataclass(frozen=True, repr=False)
class LengthsOnly:
    """A dataclass of secret bytes. Its ``repr`` shows their lengths and never their values."""

    def __repr__(self) -> str:
        lengths = (f"{f.name}={len(getattr(self, f.name))} bytes" for f in fields(self))
        return f"<{type(self).__name__} {', '.join(lengths)}>"


# https://www.rfc-editor.org/rfc/rfc8188#section-2.1
@dataclass(frozen=True, slots=True)
class Header:
    """The header of a body.

    ``salt``: 16 bytes; ``rs``: record size, 18 to 2^32 - 1; ``keyid``: 0 to 255 bytes. ``bytes()``
    writes it, ``len()`` counts its bytes. Raises TruncatedHeader, BadRecordSize, BadKeyid.
    Source: RFC 8188 §2.1.

    >>> bytes(Header(salt=bytes(range(16)), rs=25, keyid=b"a1")).hex(" ", -4)
    '00010203 04050607 08090a0b 0c0d0e0f 00000019 026131'
    """

    salt: bytes
    rs: int
    keyid: bytes = b""

    def __post_init__(self) -> None:
        _check_salt(self.salt)
        if not MIN_RS <= self.rs < 2**32:
            raise BadRecordSize(f"rs is not from {MIN_RS} to 2^32 - 1")
        if len(self.keyid) > 255:
            raise BadKeyid(f"the keyid is {len(self.keyid)} bytes long, over 255")

    @classmethod
    def parse(cls, body: bytes) -> "Header":
        """Read the header at the beginning of a body.

        Raises TruncatedHeader, BadRecordSize. Source: RFC 8188 §2.1.

        >>> Header.parse(bytes(19) + b"\\x19\\x02a1 and the records").keyid
        b'a1'
        """
        if len(body) < 21:
            raise TruncatedHeader(f"the body is {len(body)} bytes long, and its header has at least 21")
        salt, rs, idlen = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        if len(body) < 21 + idlen:
            missing = 21 + idlen - len(body)
            raise TruncatedHeader(f"the body ends {missing} bytes before the keyid does")
        return cls(salt, rs, body[21 : 21 + idlen])

    def __bytes__(self) -> bytes:
        return self.salt + self.rs.to_bytes(4, "big") + bytes([len(self.keyid)]) + self.keyid

    def __len__(self) -> int:
        return 21 + len(self.keyid)

    def __str__(self) -> str:
        return f"salt {self.salt.hex()}, rs {self.rs}, keyid {self.keyid.hex() or 'empty'}"


def keyid_of(body: bytes) -> bytes | None:
    """Return the keyid of a body: in a push message the sender's public key. None if there is no header.

    >>> keyid_of(bytes(19) + b"\\x19\\x02a1 and the records"), keyid_of(b"")
    (b'a1', None)
    """
    try:
        return Header.parse(body).keyid
    except EncryptionError:
        return None


# Names of parameters match in any case, RFC 9110 §5.6.6.
_SALT, _DH = (
    re.compile(rf"(?:^|[;,])\s*{name}\s*=\s*\"?[A-Za-z0-9_-]", re.IGNORECASE) for name in ("salt", "dh")
)


# https://www.rfc-editor.org/rfc/rfc8291#section-4
def mixes_codings(encryption: str, crypto_key: str) -> bool:
    """Say whether headers have a salt or a key, which in aes128gcm are in the body.

    ``encryption``, ``crypto_key``: values of these headers, "" for none. They belong to the older
    aesgcm. A user agent could decrypt with either. Source: RFC 8291 §4.

    >>> mixes_codings("salt=AAAA", ""), mixes_codings("", "p256ecdsa=BA; DH = BA")
    (True, True)
    >>> mixes_codings("", "p256ecdsa=BA")
    False
    """
    return bool(_SALT.search(encryption) or _DH.search(crypto_key))


def _check_salt(salt: bytes) -> None:
    if len(salt) != SALT:
        raise TruncatedHeader(f"the salt is {len(salt)} bytes long, not {SALT}")


@dataclass(frozen=True, repr=False, slots=True)
class ContentKeys(LengthsOnly):
    """The keys of a body and the values they are derived from, named as in RFC 8188 §2.2 and §2.3.

    >>> derive(ikm=bytes(16), salt=bytes(16))
    <ContentKeys prk=32 bytes, cek_info=28 bytes, cek=16 bytes, nonce_info=24 bytes, nonce=12 bytes>
    """

    prk: bytes
    cek_info: bytes
    cek: bytes
    nonce_info: bytes
    nonce: bytes


# https://www.rfc-editor.org/rfc/rfc5869#section-2
def hmac_sha_256(key: bytes, message: bytes) -> bytes:
    """Compute HMAC-SHA-256, the one building block of HKDF.

    HKDF-Extract(salt, IKM) is HMAC(salt, IKM). HKDF-Expand(PRK, info, L) for L of at most 32 bytes
    is the first L bytes of HMAC(PRK, info ‖ 0x01). Source: RFC 5869 §2, RFC 2104.

    >>> hmac_sha_256(b"key", b"message")[:4].hex(" ")
    '6e 9e f2 9b'
    """
    return hmac.digest(key, message, "sha256")


# https://www.rfc-editor.org/rfc/rfc8188#section-2.2
def derive(ikm: bytes, salt: bytes) -> ContentKeys:
    """Derive the content-encryption key and the nonce of a body.

    ``ikm``: the shared secret, any length; ``salt``: 16 bytes, never twice with the same ikm.
    Raises TruncatedHeader (a salt of another length). Source: RFC 8188 §2.2 and §2.3.

    >>> from pushlab.protocol import base64url
    >>> ikm = base64url.decode("yqdlZ-tYemfogSmv7Ws5PQ")
    >>> salt = base64url.decode("I1BsxtFttlv3u_Oo94xnmw")
    >>> base64url.encode(derive(ikm, salt).cek)
    '_wniytB-ofscZDh4tbSjHw'
    """
    _check_salt(salt)
    # PRK = HMAC-SHA-256(salt, IKM)
    prk = hmac_sha_256(salt, ikm)
    # cek_info = "Content-Encoding: aes128gcm" ‖ 0x00
    cek_info = b"Content-Encoding: aes128gcm\0"
    # CEK = HMAC-SHA-256(PRK, cek_info ‖ 0x01), first 16 bytes
    cek = hmac_sha_256(prk, cek_info + b"\1")[:16]
    # nonce_info = "Content-Encoding: nonce" ‖ 0x00
    nonce_info = b"Content-Encoding: nonce\0"
    # NONCE = HMAC-SHA-256(PRK, nonce_info ‖ 0x01), first 12 bytes
    nonce = hmac_sha_256(prk, nonce_info + b"\1")[:12]
    return ContentKeys(prk, cek_info, cek, nonce_info, nonce)


# https://www.rfc-editor.org/rfc/rfc8188#section-2.3
def record_nonce(nonce: bytes, seq: int) -> bytes:
    """Return the nonce of a record. ``nonce``: 12 bytes; ``seq``: counts from 0.

    Source: RFC 8188 §2.3.

    >>> record_nonce(bytes(12), 2).hex()
    '000000000000000000000002'
    """
    # NONCE = HMAC-SHA-256(PRK, nonce_info ‖ 0x01) XOR SEQ
    return (int.from_bytes(nonce, "big") ^ seq).to_bytes(12, "big")


# https://www.rfc-editor.org/rfc/rfc5116#section-5.1
def aead(cek: bytes) -> AESGCM:
    """Return the cipher AEAD_AES_128_GCM with its key. ``cek``: 16 bytes.

    Source: RFC 5116 §5.1.

    >>> len(aead(bytes(16)).encrypt(bytes(12), b"", None)) == TAG
    True
    """
    return AESGCM(cek)


# https://www.rfc-editor.org/rfc/rfc8188#section-2
def encrypt(
    plaintext: bytes,
    *,
    ikm: bytes,
    salt: bytes,
    rs: int = 4096,
    keyid: bytes = b"",
    pads: Sequence[int] = (),
) -> bytes:
    """Encrypt a plaintext, and return the body: the header, then as many records as are needed.

    ``rs``: bytes of a record; ``pads``: how many zeros of padding the first record gets, the
    second, and so on. Records after those get none, and numbers that no record needs are ignored.
    Raises BadPlaintext, TruncatedHeader, BadRecordSize, BadKeyid. Source: RFC 8188 §2.

    >>> body = encrypt(b"I am the walrus", ikm=bytes(16), salt=bytes(16), rs=25, pads=[1])
    >>> len(body) - len(Header.parse(body))
    50
    """
    check_plaintext(plaintext)
    header = Header(salt, rs, keyid)
    keys = derive(ikm, salt)
    aes_128_gcm = aead(keys.cek)
    parts = [bytes(header)]
    for seq, (data, delimiter, pad) in enumerate(_cut(plaintext, rs, pads)):
        # record = AEAD_AES_128_GCM(CEK, NONCE, data ‖ delimiter ‖ zeros)
        padded = data + delimiter + bytes(pad)
        parts.append(aes_128_gcm.encrypt(record_nonce(keys.nonce, seq), padded, None))
    return b"".join(parts)


def check_plaintext(plaintext: object) -> None:
    """Check that a plaintext is bytes: text has no bytes before it is encoded. Raises BadPlaintext.

    >>> check_plaintext(b"Hello")
    """
    if not isinstance(plaintext, bytes | bytearray):
        raise BadPlaintext(f"the plaintext is {strict_json.kind(plaintext)}, not bytes")


def _cut(plaintext: bytes, rs: int, pads: Sequence[int]) -> list[tuple[bytes, bytes, int]]:
    """Return what each record seals: its part of the plaintext, the delimiter, how many zeros."""
    records: list[tuple[bytes, bytes, int]] = []
    start = 0
    while not records or start < len(plaintext):
        pad = pads[len(records)] if len(records) < len(pads) else 0
        room = rs - MIN_RECORD - pad
        if pad < 0 or room < 0:
            raise BadRecordSize(f"{pad} bytes of padding do not fit into records of {rs} bytes")
        end = start + room
        records.append((plaintext[start:end], LAST if end >= len(plaintext) else MORE, pad))
        start = end
    return records


# https://www.rfc-editor.org/rfc/rfc8188#section-2
def decrypt(body: bytes, *, ikm: bytes) -> bytes:
    """Decrypt a body, record by record.

    Raises TruncatedHeader, BadRecordSize, TruncatedRecord, DecryptionFailed, BadDelimiter.
    Source: RFC 8188 §2.

    >>> decrypt(encrypt(b"I am the walrus", ikm=bytes(16), salt=bytes(16), rs=18), ikm=bytes(16))
    b'I am the walrus'
    """
    header = Header.parse(body)
    keys = derive(ikm, header.salt)
    aes_128_gcm = aead(keys.cek)
    plaintext = []
    # A body must have a last record. If nothing follows the header, that record is empty.
    starts = range(len(header), len(body), header.rs) or [len(header)]
    for seq, start in enumerate(starts):
        record = body[start : start + header.rs]
        if len(record) < MIN_RECORD:
            raise TruncatedRecord(f"record {seq} is {len(record)} bytes long")
        try:
            padded = aes_128_gcm.decrypt(record_nonce(keys.nonce, seq), record, None)
        except InvalidTag:
            raise DecryptionFailed(f"the tag of record {seq} does not fit") from None
        plaintext.append(_unpad(padded, seq, last=start == starts[-1]))
    return b"".join(plaintext)


def _unpad(padded: bytes, seq: int, *, last: bool) -> bytes:
    unpadded = padded.rstrip(b"\0")
    if not unpadded:
        raise BadDelimiter(f"record {seq} is all zeros")
    if unpadded[-1:] != (LAST if last else MORE):
        place = "the last record" if last else "a record before the last"
        raise BadDelimiter(f"record {seq} ends its data with {unpadded[-1]:02x} and is {place}")
    return unpadded[:-1]
