"""A signed token: header, payload and signature in base64url, joined by dots, RFC 7515.

VAPID uses one algorithm, ES256 (RFC 7518 §3.4): ECDSA on P-256 with SHA-256. Its signature is two
numbers, r and s. JWS writes them as 32 + 32 bytes. Cryptographic libraries write them in DER, with
a tag and a length before each number: about 71 bytes. The two functions at the end convert.
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from pushlab.errors import BadBase64url, BadSignature, BadToken, MalformedJson
from pushlab.protocol import base64url, strict_json
from pushlab.protocol.strict_json import JsonObject

SIGNATURE = 64
"""Bytes of r ‖ s."""

# RFC 6979: the nonce of a signature is computed from key and message. So no bad random number can
# reveal the private key, and the same key and message always give the same token.
ES256 = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


@dataclass(frozen=True, repr=False)
class Token:
    """The parts of a token that is not verified yet.

    ``signing_input``: the text before the second dot, in ASCII; ``header``, ``payload``: JSON
    objects; ``signature``: r ‖ s. Source: RFC 7515 §3.
    """

    signing_input: bytes
    header: JsonObject
    payload: JsonObject
    signature: bytes

    def __repr__(self) -> str:
        return f"<Token of {len(self.signing_input)} + {len(self.signature)} bytes>"


# https://www.rfc-editor.org/rfc/rfc7515#section-5.1
def sign(header: bytes, payload: bytes, private_key: ec.EllipticCurvePrivateKey) -> str:
    """Sign any header and payload with ES256, without checking them, and return the token.

    ``header``, ``payload``: JSON text, as bytes. Source: RFC 7515 §5.1 and §7.1, RFC 7518 §3.4.

    >>> from pushlab.protocol import p256
    >>> token = sign(b'{"alg":"ES256"}', b'{"exp":1}', p256.load_private((1).to_bytes(32, "big")))
    >>> token.split(".")[:2]
    ['eyJhbGciOiJFUzI1NiJ9', 'eyJleHAiOjF9']
    """
    # signing_input = BASE64URL(header) ‖ '.' ‖ BASE64URL(payload)
    signing_input = f"{base64url.encode(header)}.{base64url.encode(payload)}"
    # token = signing_input ‖ '.' ‖ BASE64URL(r ‖ s)
    der = private_key.sign(signing_input.encode("ascii"), ES256)
    return f"{signing_input}.{base64url.encode(raw_signature(der))}"


# https://www.rfc-editor.org/rfc/rfc7515#section-5.2
def split(token: str) -> Token:
    """Split a token into its parts, without verifying it.

    Raises BadToken. Source: RFC 7515 §5.2, RFC 7519 §7.2.

    >>> split("eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjF9.AAE").payload
    {'exp': 1}
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise BadToken(f"the token has {len(parts)} parts, not 3")
    header, payload, signature = (
        _decode(part, name) for part, name in zip(parts, ("header", "claims", "signature"), strict=True)
    )
    return Token(
        signing_input=f"{parts[0]}.{parts[1]}".encode("ascii"),
        header=_parse(header, "header"),
        payload=_parse(payload, "claims"),
        signature=signature,
    )


def _decode(part: str, name: str) -> bytes:
    try:
        return base64url.decode(part)
    except BadBase64url as reason:
        raise BadToken(f"{name}: not base64url: {reason.detail}") from None


def _parse(part: bytes, name: str) -> JsonObject:
    try:
        value = strict_json.parse(part)
    except MalformedJson:
        raise BadToken(f"{name}: not JSON") from None
    if not isinstance(value, dict):
        raise BadToken(f"{name}: {strict_json.kind(value)}, not an object")
    return value


# https://www.rfc-editor.org/rfc/rfc7515#section-5.2
def verify(token: Token, public_key: ec.EllipticCurvePublicKey) -> None:
    """Check the header and the signature of a token.

    Raises BadToken (another algorithm, or critical extensions) and BadSignature.
    Source: RFC 7515 §5.2 and §4.1.11, RFC 7518 §3.4.

    >>> from pushlab.protocol import p256
    >>> key = p256.load_private((1).to_bytes(32, "big"))
    >>> verify(split(sign(b'{"alg":"ES256"}', b"{}", key)), key.public_key())
    """
    if (alg := token.header.get("alg")) != "ES256":
        raise BadToken(f"alg is {strict_json.shown(alg)}, not ES256")
    # crit lists extensions that a verifier must understand or refuse the token. We implement none.
    if "crit" in token.header:
        raise BadToken("crit asks for extensions that VAPID does not have")
    try:
        public_key.verify(der_signature(token.signature), token.signing_input, ES256)
    except InvalidSignature:
        raise BadSignature from None


# https://www.rfc-editor.org/rfc/rfc7518#section-3.4
def raw_signature(der: bytes) -> bytes:
    """Turn a DER signature into r ‖ s (64 bytes). Raises BadSignature.

    Source: RFC 7518 §3.4, RFC 3279 §2.2.3.

    >>> raw = raw_signature(bytes.fromhex("30 06 02 01 0a 02 01 0b"))
    >>> raw == bytes(31) + b"\\x0a" + bytes(31) + b"\\x0b"
    True
    """
    # DER = SEQUENCE { r INTEGER, s INTEGER }. It drops leading zeros, and r ‖ s keeps them.
    try:
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    except (ValueError, OverflowError):
        raise BadSignature("this is not the DER of two numbers of 32 bytes") from None


# https://www.rfc-editor.org/rfc/rfc7518#section-3.4
def der_signature(raw: bytes) -> bytes:
    """Turn r ‖ s (64 bytes) into DER. Raises BadSignature.

    Source: RFC 7518 §3.4, RFC 3279 §2.2.3.

    >>> der_signature(bytes(31) + b"\\x0a" + bytes(31) + b"\\x0b").hex(" ")
    '30 06 02 01 0a 02 01 0b'
    """
    if len(raw) != SIGNATURE:
        raise BadSignature(f"the signature is {len(raw)} bytes long, not {SIGNATURE}")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    return encode_dss_signature(r, s)
