"""The protocol made visible: every intermediate value as a step, every byte of a message as a span.

Lessons, panels and pictures are drawn from these lists, so they show what was really sent. A step
holds its value in the clear, even when it is a key: that is its purpose. ``str`` and ``repr`` of a
step show only the length.
"""

from dataclasses import dataclass

from pushlab.protocol import base64url, encryption, jws
from pushlab.protocol.content_coding import LAST, TAG, Header
from pushlab.protocol.encryption import Derivation


@dataclass(frozen=True, repr=False)
class Step:
    """One value of the computation: name, bytes, the formula that gave it, and its source."""

    name: str
    value: bytes
    formula: str
    rfc: str

    def __str__(self) -> str:
        return f"{self.name} = {self.formula} ({len(self.value)} bytes, {self.rfc})"

    def __repr__(self) -> str:
        return f"<Step {self}>"


@dataclass(frozen=True)
class Span:
    """Part of a message: ``start`` up to ``end``, in bytes of a body or characters of a token."""

    start: int
    end: int
    name: str
    meaning: str
    rfc: str

    def __len__(self) -> int:
        return self.end - self.start

    def __str__(self) -> str:
        return f"{self.start:>4}-{self.end:<4} {self.name}: {self.meaning} ({self.rfc})"


# Attribute of Derivation, the RFC's name of it, formula, section.
DERIVATION = (
    ("ecdh_secret", "ecdh_secret", "ECDH(as_private, ua_public)", "RFC 8291 §3.1"),
    ("auth_secret", "auth_secret", "auth of the subscription", "RFC 8291 §3.2"),
    ("prk_key", "PRK_key", "HMAC-SHA-256(auth_secret, ecdh_secret)", "RFC 8291 §3.3"),
    ("key_info", "key_info", '"WebPush: info" ‖ 0x00 ‖ ua_public ‖ as_public', "RFC 8291 §3.3"),
    ("ikm", "IKM", "HMAC-SHA-256(PRK_key, key_info ‖ 0x01)", "RFC 8291 §3.3"),
    ("salt", "salt", "16 random bytes", "RFC 8188 §2.1"),
    ("prk", "PRK", "HMAC-SHA-256(salt, IKM)", "RFC 8188 §2.2"),
    ("cek_info", "cek_info", '"Content-Encoding: aes128gcm" ‖ 0x00', "RFC 8188 §2.2"),
    ("cek", "CEK", "HMAC-SHA-256(PRK, cek_info ‖ 0x01)[0..15]", "RFC 8188 §2.2"),
    ("nonce_info", "nonce_info", '"Content-Encoding: nonce" ‖ 0x00', "RFC 8188 §2.3"),
    ("nonce", "NONCE", "HMAC-SHA-256(PRK, nonce_info ‖ 0x01)[0..11]", "RFC 8188 §2.3"),
)


# https://www.rfc-editor.org/rfc/rfc8291#section-3.4
def trace(derivation: Derivation, plaintext: bytes | None = None) -> list[Step]:
    """List the values of one message in the RFC's order; with a plaintext, down to the body.

    Raises PlaintextTooLong. Source: RFC 8291 §3.4 and Appendix A.

    >>> steps = trace(encryption.derive(bytes(32), bytes(16), bytes(65), bytes(65), bytes(16)))
    >>> print(steps[2])
    PRK_key = HMAC-SHA-256(auth_secret, ecdh_secret) (32 bytes, RFC 8291 §3.3)
    """
    steps = [Step(name, getattr(derivation, key), how, rfc) for key, name, how, rfc in DERIVATION]
    if plaintext is None:
        return steps
    body = encryption.seal(
        plaintext, ikm=derivation.ikm, salt=derivation.salt, as_public=derivation.as_public
    )
    header = body[: len(Header.parse(body))]
    return steps + [
        Step("header", header, "salt ‖ rs ‖ idlen ‖ keyid, keyid = as_public", "RFC 8188 §2.1"),
        Step("padded_plaintext", plaintext + LAST, "plaintext ‖ 0x02", "RFC 8188 §2"),
        Step(
            "ciphertext",
            body[len(header) :],
            "AEAD_AES_128_GCM(CEK, NONCE, padded_plaintext)",
            "RFC 8188 §2",
        ),
        Step("body", body, "header ‖ ciphertext", "RFC 8291 §4"),
    ]


# https://www.rfc-editor.org/rfc/rfc8291#section-4
def spans(body: bytes) -> list[Span]:
    """Name every byte of the body of a push message, without any key.

    Raises TruncatedHeader, BadRecordSize, BadKeyid, TooManyRecords, TruncatedRecord.
    Source: RFC 8188 §2.1, RFC 8291 §4.

    >>> from pushlab.protocol import p256
    >>> keyid = p256.raw_public(p256.load_private((1).to_bytes(32, "big")))
    >>> print(spans(bytes(Header(bytes(16), 4096, keyid)) + bytes(17))[1])
      16-20   rs: record size 4096 (RFC 8188 §2.1)
    """
    header, _ = encryption.read_header(body)
    tag = len(body) - TAG
    return [
        Span(0, 16, "salt", "random, new for each message", "RFC 8188 §2.1"),
        Span(16, 20, "rs", f"record size {header.rs}", "RFC 8188 §2.1"),
        Span(20, 21, "idlen", f"{len(header.keyid)} bytes of keyid follow", "RFC 8188 §2.1"),
        Span(21, 22, "04", "the point is uncompressed", "RFC 8291 §4"),
        Span(22, 54, "x", "of as_public, new for each message", "RFC 8291 §4"),
        Span(54, 86, "y", "of as_public", "RFC 8291 §4"),
        Span(86, tag, "sealed", "plaintext, delimiter 02, any zeros", "RFC 8188 §2"),
        Span(tag, tag + TAG, "tag", "of AES-128-GCM: changed bytes show", "RFC 8188 §2"),
    ]


# https://www.rfc-editor.org/rfc/rfc7515#section-7.1
def token_spans(token: str) -> list[Span]:
    """Name every character of a token. Header and claims are readable by anyone.

    Raises BadToken. Source: RFC 7515 §7.1, RFC 8292 §2.

    >>> from pushlab.protocol import p256, vapid
    >>> token = jws.sign(vapid.HEADER, b'{"exp":1}', p256.load_private((1).to_bytes(32, "big")))
    >>> print(token_spans(token)[2])
      37-49   claims: {"exp":1} (RFC 8292 §2)
    """
    jws.split(token)
    header, claims, signature = token.split(".")
    parts = [
        ("header", header, base64url.decode(header).decode("utf-8"), "RFC 7515 §4"),
        (".", ".", "joins the parts", "RFC 7515 §7.1"),
        ("claims", claims, base64url.decode(claims).decode("utf-8"), "RFC 8292 §2"),
        (".", ".", "what is before it is signed", "RFC 7515 §7.1"),
        ("signature", signature, "r ‖ s, 32 bytes each", "RFC 7518 §3.4"),
    ]
    found: list[Span] = []
    start = 0
    for name, text, meaning, rfc in parts:
        found.append(Span(start, start + len(text), name, meaning, rfc))
        start += len(text)
    return found
