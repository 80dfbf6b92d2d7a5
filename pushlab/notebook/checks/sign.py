"""Checks of lesson 04: the claims, DER to r‖s, the whole token, and tokens that must be refused."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from pushlab.errors import BadBase64url, BadSignature, MalformedJson, NotYet
from pushlab.notebook.checks.core import Right, bytes_are, raises, text_is, type_is, value_is
from pushlab.notebook.checks.guard import check
from pushlab.notebook.checks.vapid_claims import HOUR, aud_is, exp_is
from pushlab.protocol import base64url, jws, p256, strict_json, vapid

NOW = 1700000000
KEYS = [p256.load_private(bytes(range(first, first + 32))) for first in (0x40, 0x60)]

# Origin of an endpoint, the rest of it, now, sub.
POSTS = [
    ("https://updates.example.org", "/wpush/v2/gAAA", NOW, "mailto:a@b.example"),
    ("https://push.example.com:8443", "/m/1?x=2", NOW + 7, "https://c.example"),
]


@check
def claims(yours: Callable[[str, int, str], bytes]) -> Right:
    """Check ``write_claims(endpoint: str, now: int, sub: str) -> bytes``. RFC 8292 §2."""
    for origin, path, now, sub in POSTS:
        text = yours(origin + path, now, sub)
        said = _object("the claims", text)
        if missing := {"aud", "exp", "sub"} - set(said):
            raise NotYet(f"the claims have no {min(missing)}")
        aud_is(said["aud"], origin, path)
        exp_is(said["exp"], now)
        text_is("sub", said["sub"], sub, rfc="RFC 8292 §2.1")
        right = vapid.Claims(origin, now + 12 * HOUR, sub).to_json()
        if text != right and sorted(text) == sorted(right):
            raise NotYet("the claims are right, and in another order than aud, exp, sub")
        mistakes = {"JSON can do without its spaces.": json.dumps(said).encode("ascii")}
        bytes_are("the JSON of the claims", text, right, mistakes=mistakes)
    return Right(f"write_claims is right for {len(POSTS)} endpoints, to the byte.")


SIGNATURES = {
    "two plain numbers": bytes(range(0x11, 0x51)),
    "an r and an s whose first bit is set": bytes(range(0x90, 0xD0)),
    "an r with a leading zero byte": bytes(range(0x40)),
    "an r whose first bit is set and a short s": bytes(range(0xA0, 0xC0)) + b"\0\0" + b"\x81" * 30,
}


@check
def to_raw(yours: Callable[[bytes], bytes]) -> Right:
    """Check ``to_raw(der: bytes) -> bytes``, r ‖ s with 64 bytes. RFC 7518 §3.4."""
    for what, raw in SIGNATURES.items():
        der = jws.der_signature(raw)
        end = 4 + der[3]
        bare = [half.lstrip(b"\0") for half in (raw[:32], raw[32:])]
        mistakes = {
            "This is DER still: take r and s out of it.": der,
            "A leading zero byte belongs to the 32 bytes: DER drops it.": b"".join(bare),
            "The 00 before a set first bit is no part of the number.": der[4:end] + der[end + 2 :],
            "r comes first, then s.": raw[32:] + raw[:32],
            "Zero bytes belong in front.": b"".join(half.ljust(32, b"\0") for half in bare),
            "Big-endian: the first byte counts most.": raw[31::-1] + raw[:31:-1],
            "r and s have no fixed place: a length stands before each.": der[4:36] + der[38:70],
        }
        bytes_are(f"r‖s of {what}", yours(der), raw, mistakes=mistakes, rfc="RFC 7518 §3.4")
    return Right(f"to_raw is right for {len(SIGNATURES)} signatures, zeros and all: 64 bytes.")


# Plain base64 has a + or a / for these claims.
PAYLOADS = [
    b'{"aud":"https://updates.example.org","exp":1700043200,"sub":"https://a.example/?~~~>>>"}',
    b'{"aud":"https://push.example.com:8443","exp":1700050000,"sub":"mailto:???@b.example"}',
]


@check
def token(yours: Callable[[bytes, object], str]) -> Right:
    """Check ``sign(claims: bytes, private_key) -> str``, the whole token. RFC 7515 §7.1."""
    for payload, key in zip(PAYLOADS, KEYS, strict=True):
        made = yours(payload, key)
        type_is("the token", made, str)
        if (count := len(parts := made.split("."))) != 3:
            raise NotYet(f"the token should have 3 parts with dots between, and yours has {count}")
        if _object("the header", _decoded("the header", parts[0])).get("alg") != "ES256":
            raise NotYet("the header (RFC 8292 §2) should say that alg is ES256")
        anew = json.dumps(json.loads(payload)).encode("ascii")
        mistakes = {"Sign the bytes just as given: these were written anew.": anew}
        bytes_are("the JSON of the claims", _decoded("the claims", parts[1]), payload, mistakes=mistakes)
        _check_signature(_decoded("the signature", parts[2]), parts, payload, key)
    return Right(f"sign is right for {len(PAYLOADS)} keys: a push service believes both tokens.")


def _check_signature(signature: bytes, parts: list[str], payload: bytes, key) -> None:
    if (count := len(signature)) != jws.SIGNATURE:
        why = ". It is DER: turn it into r‖s" if signature[:1] == b"\x30" else ""
        raise NotYet(f"the signature (RFC 7518 §3.4) should have 64 bytes, not {count}{why}")
    start = f"{parts[0]}.{parts[1]}".encode("ascii")
    mistakes = {
        "": (start, signature),
        "its halves are swapped: r comes first": (start, signature[32:] + signature[:32]),
        "it signs the claims alone, without the header": (parts[1].encode("ascii"), signature),
        "it signs JSON: first base64url, then sign": (payload, signature),
        "it signs a hash: ES256 makes that hash itself": (sha256(start).digest(), signature),
        "it signs the text without its dot": (start.replace(b".", b""), signature),
    }
    holds = (why for why, signed in mistakes.items() if _holds(*signed, key))
    if why := next(holds, "it does not fit header, claims and key"):
        raise NotYet(f"the signature has 64 bytes, and {why} (RFC 7515 §5.1)")


def _holds(text: bytes, signature: bytes, key: Any) -> bool:
    try:
        jws.verify(jws.Token(text, {"alg": "ES256"}, {}, signature), key.public_key())
    except BadSignature:
        return False
    return True


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64url.decode(text)
    except BadBase64url as reason:
        raise NotYet(f"{name}: not base64url: {reason.detail}") from None


def _object(name: str, text: bytes) -> Mapping:
    type_is(name, text, bytes)
    try:
        value = strict_json.parse(text)
    except MalformedJson:
        raise NotYet(f"{name} should be JSON, and these {len(text)} bytes are not") from None
    if not isinstance(value, dict):
        raise NotYet(f"{name} should be a JSON object, and this is {strict_json.kind(value)}")
    return value


ORIGIN = POSTS[0][0]
GOOD: dict[str, Any] = {"aud": ORIGIN, "exp": NOW + 12 * HOUR, "sub": "mailto:a@b.example"}


@check
def verify(yours: Callable[[str, str, int], dict]) -> Right:
    """Check ``verify(authorization: str, endpoint_origin: str, now) -> dict``. RFC 8292 §4.2."""
    elsewhere: dict[str, Any] = {"aud": "https://push.example.com:8443", "exp": NOW + 24 * HOUR}
    # Some senders write no space after the comma, RFC 9110 §5.6.1.
    for said, key, comma in (GOOD, 0, ", "), (elsewhere, 1, ", "), (GOOD, 0, ","):
        header = vapid.authorization(_token(said, KEYS[key]), p256.raw_public(KEYS[key]))
        believed = yours(header.replace(", ", comma), said["aud"], NOW)
        value_is("verify of a good token", believed, said, hint="Return all its claims, as a dict.")
    for what, header in (forged := _forged()).items():
        raises(f"verify of {what}", Exception, yours, header, ORIGIN, NOW)
    return Right(f"verify is right: it believes 3 tokens and refuses {len(forged)}.")


def _forged() -> dict[str, str]:
    """Return headers that a push service refuses, each with the name of its fault."""
    start, _, signature = _token(GOOD).rpartition(".")
    raw, key = base64url.decode(signature), p256.raw_public(KEYS[0])
    flipped = base64url.encode(bytes([raw[0] ^ 1]) + raw[1:])
    header = base64url.encode(b'{"typ":"JWT","alg":"none"}')
    later = _token(GOOD | {"exp": NOW + HOUR}).rpartition(".")[0]
    tokens = {
        "a signature with one bit flipped": f"{start}.{flipped}",
        "claims that were changed after signing": f"{later}.{signature}",
        "a token signed with another key than k": _token(GOOD, KEYS[1]),
        "a signature in DER": f"{start}.{base64url.encode(jws.der_signature(raw))}",
        "an unsigned token (alg none)": f"{header}.{start.partition('.')[2]}.",
        "a token for another push service": _token(GOOD | {"aud": "https://push.example.com"}),
        "an aud with a slash at its end": _token(GOOD | {"aud": f"{ORIGIN}/"}),
        "an aud that only begins alike": _token(GOOD | {"aud": f"{ORIGIN}.evil.example"}),
        "an exp that is text": _token(GOOD | {"exp": str(GOOD["exp"])}),
        "an exp in the past": _token(GOOD | {"exp": NOW - 1}),
        "an exp 25 hours ahead": _token(GOOD | {"exp": NOW + 25 * HOUR}),
        "claims without an exp": _token({"aud": ORIGIN}),
    }
    headers = {"no token at all": f"vapid k={base64url.encode(key)}"}
    return headers | {what: vapid.authorization(text, key) for what, text in tokens.items()}


def _token(said: Mapping[str, object], key: Any = KEYS[0]) -> str:
    return jws.sign(vapid.HEADER, json.dumps(said, separators=(",", ":")).encode("ascii"), key)
