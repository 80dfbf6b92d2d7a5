"""What bytes are: a point, a private key, an auth secret, or a structure that holds one of them.

Each row of ``SHAPES`` reads one form in which programs keep a key, and returns the bytes that web
push wants: 65 for a public key, 32 for a private one, 16 for an auth secret. A point must lie on the
curve, and a pair must belong together, so these are recognized with certainty. A row that is a guess
says so.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from pushlab.errors import BadPrivateKey, BadPublicKey
from pushlab.protocol import p256


class Kind(StrEnum):
    """What a key, or what holds it, is for."""

    PUBLIC = "public key"
    PRIVATE = "private key"
    AUTH = "auth secret"


LENGTHS = {Kind.PUBLIC: p256.POINT, Kind.PRIVATE: p256.SCALAR, Kind.AUTH: 16}
"""Bytes of each kind."""

TEXT_LENGTHS = {kind: -(-length * 4 // 3) for kind, length in LENGTHS.items()}
"""Characters of each kind in base64url, which has no padding."""


class Form(NamedTuple):
    """One form of a key in bytes.

    ``name``: for programs; ``what``: for people; ``turn``: how to get at the bytes that are wanted,
    or nothing if they are these bytes; ``certain``: whether a check has shown that it is this form.
    """

    name: str
    kind: Kind | None
    what: str
    turn: str
    certain: bool
    read: Callable[[bytes], bytes | None]


class Shape(NamedTuple):
    """What bytes were recognized as: the form, and the bytes that web push wants."""

    form: Form
    raw: bytes

    def __repr__(self) -> str:
        return f"<Shape {self.form.name}>"  # The bytes may be a private key.


def shape_of(data: bytes) -> Shape | None:
    """Return what bytes are, or None if they are not a key in any form.

    >>> shape_of(bytes(15)), shape_of(bytes(16))
    (None, <Shape auth-secret>)
    """
    found = ((form, form.read(data)) for form in SHAPES)
    return next((Shape(form, raw) for form, raw in found if raw is not None), None)


def scalar_of(data: bytes) -> Shape | None:
    """Return 32 bytes as a private key, even if all of them are printable characters.

    >>> shape_of(b"0123456789abcdefghijklmnopqrstuv"), scalar_of(b"0123456789abcdefghijklmnopqrstuv")
    (None, <Shape scalar>)
    """
    form = next(form for form in SHAPES if form.read is _scalar)
    try:
        p256.load_private(data)
    except BadPrivateKey:
        return None
    return Shape(form, data)


# --- points --------------------------------------------------------------------------------------


def _point(data: bytes) -> bytes | None:
    try:
        p256.load_public(data)
    except BadPublicKey:
        return None
    return data


def _bare_point(data: bytes) -> bytes | None:
    return _point(b"\x04" + data)


def _compressed(data: bytes) -> bytes | None:
    if len(data) != 33 or data[0] not in (2, 3):
        return None
    try:
        return p256.raw_public(ec.EllipticCurvePublicKey.from_encoded_point(p256.CURVE, data))
    except ValueError:  # No point has this x.
        return None


def _hybrid(data: bytes) -> bytes | None:
    return _point(b"\x04" + data[1:]) if data[:1] in (b"\x06", b"\x07") else None


def _y_before_x(data: bytes) -> bytes | None:
    return _point(data[:1] + data[33:] + data[1:33])


def _little_endian(data: bytes) -> bytes | None:
    return _point(data[:1] + data[32:0:-1] + data[:32:-1])


def _bit_string(data: bytes) -> bytes | None:
    return _point(data[1:]) if data[:1] == b"\0" else None


# --- private keys --------------------------------------------------------------------------------


def _scalar(data: bytes) -> bytes | None:
    # 32 printable characters are a text: random bytes look like that once in 10^14 times.
    if is_printable(data):
        return None
    try:
        p256.load_private(data)
    except BadPrivateKey:
        return None
    return data


def _signed_scalar(data: bytes) -> bytes | None:
    return _scalar(data[1:]) if data[:1] == b"\0" and data[1:2] >= b"\x80" else None


def _short_scalar(data: bytes) -> bytes | None:
    return _scalar(b"\0" + data) if len(data) == p256.SCALAR - 1 else None


def _pair(data: bytes) -> bytes | None:
    """Read both halves of a pair, one after the other, in either order, with or without the 04."""
    halves = ((data[:32], data[32:]), (data[-32:], data[:-32]))
    for private, public in halves:
        point = _point(public) or _bare_point(public)
        scalar = _scalar(private) if point else None
        if scalar and p256.raw_public(p256.load_private(scalar)) == point:
            return scalar
    return None


# --- DER -----------------------------------------------------------------------------------------


def _private_in_der(data: bytes) -> bytes | None:
    keys = (key for key in _keys_in_der(data) if isinstance(key, ec.EllipticCurvePrivateKey))
    return next((p256.raw_private(key) for key in keys if _is_p256(key)), None)


def _public_in_der(data: bytes) -> bytes | None:
    keys = (key for key in _keys_in_der(data) if isinstance(key, ec.EllipticCurvePublicKey))
    return next((p256.raw_public(key) for key in keys if _is_p256(key)), None)


def _is_p256(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> bool:
    return key.curve.name == p256.CURVE.name


def _another_key(data: bytes) -> bytes | None:
    return next((b"" for _ in _keys_in_der(data)), None)


def _keys_in_der(data: bytes) -> Iterator[object]:
    """Yield the key in a DER structure. A certificate has its public key."""
    if data[:1] != b"\x30":
        return
    for load in (_load_private, load_der_public_key, _load_certificate):
        try:
            yield load(data)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue


def _load_private(data: bytes) -> object:
    # An RSA key's primes are not looked at: it is not a key for web push in any case.
    return load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True)


def _load_certificate(data: bytes) -> object:
    # Imported here: it takes a fifth of this module's import, and certificates are rarely pasted.
    from cryptography import x509

    return x509.load_der_x509_certificate(data).public_key()


def _locked(data: bytes) -> bytes | None:
    if data[:1] != b"\x30":
        return None
    try:
        _load_private(data)
    except TypeError:  # cryptography's word for "a password is missing".
        return b""
    except (ValueError, UnsupportedAlgorithm):
        return None
    return None


def is_printable(data: bytes) -> bool:
    """Say whether bytes are visible ASCII, with spaces and line breaks: a text and not a key.

    >>> is_printable(b"VAPID_SUBJECT="), is_printable(bytes(16)), is_printable(b"")
    (True, False, False)
    """
    return bool(data) and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data)


def raw_private(content: bytes) -> bytes:
    """Return the 32 bytes of a file that has no other, but for a line break; b"" for any other file.

    Editors and shells add the line break. 33 bytes that begin with 02 or 03 may be a compressed point,
    and 32 printable ones are a text: random bytes look like that once in 10^14 times.

    >>> len(raw_private(bytes(31) + b"\\1\\n")), raw_private(b"0123456789abcdefghijklmnopqrstuv")
    (32, b'')
    """
    for end in (b"", b"\n", b"\r\n"):
        raw = content.removesuffix(end)
        is_key = len(raw) == p256.SCALAR and len(content) == p256.SCALAR + len(end)
        if is_key and not is_printable(raw) and not (end and raw[0] in (2, 3)):
            return raw
    return b""


# A table: what is more certain stands before what is a guess.
# fmt: off
_P, _S, _A = Kind.PUBLIC, Kind.PRIVATE, Kind.AUTH
_COMPUTE = ("It is not a P-256 key, and a VAPID key must be one. Find the right key, or make a new "
"pair.")
SHAPES: tuple[Form, ...] = (
    Form("point", _P, "a public key: 65 bytes that begin with 04", "", True, _point),
    Form("auth-secret", _A, "16 bytes", "",
        True, lambda data: data if len(data) == 16 else None),
    Form("is-der", _S, "a private key in DER",
        "Take the number out of it: 32 bytes.", True, _private_in_der),
    Form("is-der", _P, "a public key in DER",
        "Keep its last 65 bytes, which begin with 04: the browser wants nothing else.",
        True, _public_in_der),
    Form("without-04", _P, "a public key without its first byte: 64 bytes, x and y",
        "Put the byte 04 in front.", True, _bare_point),
    Form("compressed", _P, "a public key in the compressed form: 33 bytes",
        "Compute y, and write 04, x and y: web push wants both.", True, _compressed),
    Form("hybrid", _P, "a public key in the hybrid form: it begins with 06 or 07",
        "Write 04 for its first byte.", True, _hybrid),
    Form("y-before-x", _P, "a public key with y before x",
        "Exchange the two halves after the 04.", True, _y_before_x),
    Form("little-endian", _P, "a public key with x and y in little-endian order",
        "Reverse the 32 bytes of each.", True, _little_endian),
    Form("with-00", _P, "a public key with DER's byte 00 in front: 66 bytes",
        "Leave out the first byte: a public key begins with 04.", True, _bit_string),
    Form("pair", _S, "a private and a public key, one after the other",
        "Separate them: the private key has 32 bytes.", True, _pair),
    Form("scalar", _S, "as long as a private key: 32 bytes", "", True, _scalar),
    Form("with-sign", _S, "a private key with the byte 00 in front, as Java's BigInteger has it",
        "Leave out the first byte.", True, _signed_scalar),
    Form("31-bytes", _S, "31 bytes long, not 32",
        "Copy it again, with its first and last character. If it is as short there, the tool that wrote "
        "it dropped a leading zero: put a zero byte in front.",
        False, _short_scalar),
    Form("locked", None, "a private key in DER that a password protects",
        "Take the password off first: openssl pkey -in FILE -out NEW.", True, _locked),
    Form("another-key", None, "a key in DER of another kind, or on another curve",
        _COMPUTE, True, _another_key),
)
# fmt: on
