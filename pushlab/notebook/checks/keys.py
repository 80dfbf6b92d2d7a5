"""Checks of lesson 01: a key's 65 bytes, their base64url, the faults of a key, and its JWK."""

import base64
from collections.abc import Callable

from pushlab.errors import NotYet
from pushlab.notebook.checks.core import Right, bytes_are, raises, text_is, type_is, words_are
from pushlab.notebook.checks.guard import check
from pushlab.protocol import base64url, p256

ORDINARY = bytes(range(0x20, 0x40))

SMALL_X = (379).to_bytes(32, "big")
"""A private key whose public x begins with a zero byte; so does this key itself."""

SMALL_Y = (444).to_bytes(32, "big")
"""The same for y. One public key in 128 is like these two."""

DATA = [b"", b"\xfb", b"\xff\xfe", b"push", bytes(range(256))]


@check
def raw_public(yours: Callable) -> Right:
    """Check ``raw_public(key: EllipticCurvePublicKey) -> bytes``, 65 of them. SEC 1 §2.3.3."""
    keys = {"": ORDINARY, " with a small x": SMALL_X, " with a small y": SMALL_Y}
    for which, scalar in keys.items():
        key = p256.load_private(scalar).public_key()
        right = p256.raw_public(key)
        x, y = right[1:33], right[33:]
        mistakes = {
            "The first byte is missing, which says that x and y follow in full.": x + y,
            "This is little-endian: turn x and y round.": b"\4" + x[::-1] + y[::-1],
            "x comes before y.": b"\4" + y + x,
            "This is the compressed form: browsers want x and y.": bytes([2 + y[-1] % 2]) + x,
            "x and y have 32 bytes each, zeros in front as well.": b"\4" + _short(x) + _short(y),
            "This is DER: the point is only its end.": DER_PREFIX + right,
        }
        name = f"raw_public of a key{which}"
        bytes_are(name, yours(key), right, mistakes=mistakes, rfc="SEC 1 §2.3.3")
    return Right("raw_public is right for three keys: 65 bytes each, zeros in front as well.")


@check
def b64url(encode: Callable[[bytes], str], decode: Callable[[str], bytes]) -> Right:
    """Check ``b64url(data: bytes) -> str``, ``b64url_decode(text: str) -> bytes``. RFC 4648 §5."""
    for data in DATA:
        padded, plain = base64.urlsafe_b64encode(data).decode(), base64.b64encode(data).decode()
        mistakes = {
            "The padding has to go.": padded,
            "+ and / are plain base64: two others stand for them here.": plain.rstrip("="),
            "This is plain base64: two characters differ, and the padding has to go.": plain,
            "This is hexadecimal.": data.hex(),
        }
        name, right = f"b64url of data of length {len(data)}", base64url.encode(data)
        text_is(name, encode(data), right, mistakes=mistakes, rfc="RFC 4648 §5")
    for data in DATA:
        text = base64url.encode(data)
        bytes_are(f"b64url_decode of {len(text)} characters", decode(text), data, rfc="RFC 4648 §5")
    for why, text in REFUSED.items():
        raises(f"b64url_decode of {len(text)} characters", ValueError, decode, text, why=why)
    refused = f"and {len(REFUSED)} other spellings are refused"
    return Right(f"both are right for {len(DATA)} byte strings, {refused}.")


@check
def what_is(yours: Callable[[str], str]) -> Right:
    """Check ``what_is(text: str) -> str``, the diagnosis of a public key. RFC 8292 §3.2."""
    name = f"what_is of text {{}} of {len(PATIENTS)} ({{}} characters) (RFC 8292 §3.2)".format
    cases = [(name(i, len(text)), (text,), right) for i, (right, text) in enumerate(PATIENTS, 1)]
    order = "Look at it in the order in which the names are listed."
    words_are(yours, cases, NAMES, lambda i, word: CONFUSED.get((PATIENTS[i][0], word), order))
    return Right(f"what_is is right for {len(PATIENTS)} texts: every name was needed.")


@check
def to_jwk(yours: Callable) -> Right:
    """Check ``to_jwk(key: EllipticCurvePrivateKey) -> dict``, with d. RFC 7518 §6.2."""
    for number, scalar in enumerate((ORDINARY, SMALL_X, SMALL_Y), 1):
        key = p256.load_private(scalar)
        public = p256.raw_public(key)
        values = {"x": public[1:33], "y": public[33:], "d": scalar}
        jwk, which = yours(key), f"of key {number}"
        type_is(f"to_jwk {which}", jwk, dict)
        for name in ("kty", "crv", *values):
            if name not in jwk:
                raise NotYet(f"to_jwk {which}: a member is missing, {name}")
        if others := len(jwk.keys() - {"kty", "crv", *values}):
            raise NotYet(f"to_jwk {which}: {others} of its members do not belong there")
        text_is(f"kty {which}", jwk["kty"], "EC", rfc="RFC 7518 §6.1")
        names = {"A JWK has another name for this curve.": "secp256r1"}
        text_is(f"crv {which}", jwk["crv"], "P-256", mistakes=names, rfc="RFC 7518 §6.2.1.1")
        for name, value in values.items():
            _member_is(f"{name} {which}", jwk[name], value, public)
    return Right("to_jwk is right for three keys: five members each, the numbers with 32 bytes.")


def _member_is(name: str, yours: object, value: bytes, public: bytes) -> None:
    right, plain = base64url.encode(value), base64.b64encode(value).decode()
    mistakes = {
        "Give it 32 bytes, zeros in front as well.": base64url.encode(_short(value)),
        "The padding has to go.": base64.urlsafe_b64encode(value).decode(),
        "This is plain base64.": plain.rstrip("="),
        "This is plain base64, with padding.": plain,
        "This is little-endian: turn the bytes round.": base64url.encode(value[::-1]),
        "This is hexadecimal.": value.hex(),
        "This is the whole point: x and y stand apart, without 04.": base64url.encode(public),
        "This is x.": base64url.encode(public[1:33]),
        "This is y.": base64url.encode(public[33:]),
    }
    text_is(name, yours, right, mistakes=mistakes, rfc="RFC 7518 §6.2")


def _short(number: bytes) -> bytes:
    """Return a number as a program writes it that drops leading zeros."""
    return number.lstrip(b"\0")


DER_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""The bytes of a P-256 SubjectPublicKeyInfo before the point: lengths, and the curve's name."""

NAMES = ("pem", "not-base64url", "not-65-bytes", "not-04", "off-curve", "ok")

_KEY = p256.raw_public(p256.load_private((0x1234).to_bytes(32, "big")))
_TEXT = base64url.encode(_KEY)
_DER = base64.b64encode(DER_PREFIX + _KEY).decode("ascii")

REFUSED = {
    "Padding is no part of base64url here.": _TEXT + "=",
    "+ and / belong to plain base64.": "+/8",
    "A line break is no character of base64url.": _TEXT[:40] + "\n" + _TEXT[40:],
    "No byte string has such a length: 6 bits are left over.": "AAAAA",
    "The last character has a bit set that belongs to no byte.": "-_9",
}

PATIENTS = [
    ("ok", _TEXT),
    ("pem", f"-----BEGIN PUBLIC KEY-----\n{_DER[:64]}\n{_DER[64:]}\n-----END PUBLIC KEY-----\n"),
    ("not-base64url", _TEXT + "="),
    ("not-base64url", base64.b64encode(b"\x04" + 64 * b"\xfb").decode("ascii").rstrip("=")),
    ("not-65-bytes", base64url.encode(DER_PREFIX + _KEY)),
    ("not-65-bytes", base64url.encode(_KEY[1:])),
    ("not-65-bytes", base64url.encode(bytes([2 + _KEY[-1] % 2]) + _KEY[1:33])),
    ("not-04", base64url.encode(_KEY[1:] + b"\x04")),
    ("off-curve", base64url.encode(_KEY[:-1] + bytes([_KEY[-1] ^ 1]))),
    ("off-curve", base64url.encode(_KEY[:1] + _KEY[33:] + _KEY[1:33])),
    ("ok", base64url.encode(p256.raw_public(p256.load_private(SMALL_X)))),
]

CONFUSED = {
    ("pem", "not-base64url"): "True as well, and there is an older sign: how does the text begin?",
    ("not-base64url", "ok"): "A lenient decoder reads it, and browsers do not: be strict.",
    ("not-base64url", "not-65-bytes"): "A lenient decoder drops what it does not know.",
    ("not-65-bytes", "not-04"): "Count before you look at the first byte.",
    ("not-65-bytes", "ok"): "Count the bytes after decoding.",
    ("not-04", "ok"): "The number of bytes is right: look at the first one.",
    ("not-04", "off-curve"): "True, perhaps, and an earlier look would have told.",
    ("off-curve", "ok"): "Number and first byte are right: put x and y into the equation.",
    ("ok", "off-curve"): "x begins at byte 1 and y at byte 33, big-endian; does your equation hold?",
}
