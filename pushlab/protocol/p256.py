"""The curve P-256: its points and its scalars as bytes.

Web push uses one curve. A public key is a point, written as 04 ‖ x ‖ y (65 bytes, SEC 1 §2.3.3); a
private key is a scalar from 1 to n-1, written as 32 bytes (RFC 7518 §6.2.2.1). p256dh, the keyid of
a message and VAPID's k are all points in this form.
"""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pushlab.errors import BadPrivateKey, BadPublicKey

CURVE = ec.SECP256R1()

POINT = 65
"""Bytes of an uncompressed point: 04, then x and y with 32 bytes each."""

SCALAR = 32
"""Bytes of a private key."""

N = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551
"""The order n of the group, which is its number of points, SEC 2 §2.4.2."""


def load_public(raw: bytes) -> ec.EllipticCurvePublicKey:
    """Read an uncompressed point, and check that it lies on the curve.

    ``raw``: 65 bytes, the first of them 04. Raises BadPublicKey. Source: SEC 1 §2.3.4; the check is
    the one that RFC 8291 §7 asks for.

    >>> from pushlab.protocol import base64url
    >>> raw = base64url.decode("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx"
    ...                        "aOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
    >>> load_public(raw).curve.name
    'secp256r1'
    """
    if len(raw) != POINT:
        raise BadPublicKey(f"the public key is {len(raw)} bytes long, not {POINT}")
    if raw[0] != 0x04:
        raise BadPublicKey(f"the public key begins with {raw[0]:02x}, not 04")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(CURVE, raw)
    except ValueError:
        hint = (
            "x and y do not satisfy the curve's equation: a byte is wrong, or they have changed places"
        )
        raise BadPublicKey("the public key is not a point on P-256", hint=hint) from None


def load_private(raw: bytes) -> ec.EllipticCurvePrivateKey:
    """Read a private key: a big-endian number from 1 to n-1.

    ``raw``: 32 bytes, leading zeros kept. Raises BadPrivateKey. Source: RFC 7518 §6.2.2.1.

    >>> raw_public(load_private((1).to_bytes(32, "big")))[:5].hex(" ")
    '04 6b 17 d1 f2'
    """
    if len(raw) != SCALAR:
        raise BadPrivateKey(f"the private key is {len(raw)} bytes long, not {SCALAR}")
    if not 1 <= (scalar := int.from_bytes(raw, "big")) < N:
        raise BadPrivateKey("the private key is not a number from 1 to n-1")
    return ec.derive_private_key(scalar, CURVE)


def raw_public(key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> bytes:
    """Write a public key, or the public half of a private key, as 65 bytes.

    Source: SEC 1 §2.3.3.

    >>> len(raw_public(load_private((2).to_bytes(32, "big"))))
    65
    """
    if isinstance(key, ec.EllipticCurvePrivateKey):
        key = key.public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def raw_private(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Write a private key as 32 bytes.

    Source: RFC 7518 §6.2.2.1.

    >>> raw_private(load_private((2).to_bytes(32, "big"))).lstrip(b"\\0").hex()
    '02'
    """
    return key.private_numbers().private_value.to_bytes(SCALAR, "big")
