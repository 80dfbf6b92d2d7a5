"""VAPID: an application server says who it is, RFC 8292.

It signs a small JSON object with its private key. The object says for which push service the token
is (``aud``), until when it is valid (``exp``), and whom to contact (``sub``). The server sends this
token and its public key with every push message. The push service compares the key with the one
for which the subscription was made.
"""

import hmac
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.errors import (
    BadAudience,
    BadAuthorization,
    BadBase64url,
    BadExpiry,
    BadPublicKey,
    BadSubject,
    BadToken,
    ExpiryTooFar,
    MissingAuthorization,
    TokenExpired,
    WrongKey,
)
from pushlab.protocol import base64url, jws, p256
from pushlab.protocol.reserved_names import SPECIAL_USE
from pushlab.protocol.spelling import Kind, recognize, times
from pushlab.protocol.strict_json import JsonObject, is_number, kind, shown

HEADER = b'{"typ":"JWT","alg":"ES256"}'
"""The header of a VAPID token, as RFC 8292 §2.4 writes it."""

MAX_LIFETIME = 24 * 60 * 60
"""Seconds that exp may be ahead of the request, RFC 8292 §2."""

MAX_AUTHORIZATION = 8192
"""Characters of the longest Authorization header that is read. One for VAPID has about 330."""

MAX_VERIFIED = 256
"""Tokens that are remembered as verified."""

_URI = r"[A-Za-z0-9!#$%&'()*+,./:;=?@\[\]_~-]"
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""What stands between the dots of a host name, RFC 1123 §2.1."""

CONTACT = re.compile(
    rf"mailto:[A-Za-z0-9!$%&'*+,.=_~-]+@[A-Za-z0-9._\[\]-]+(?:\?{_URI}*)?|https://{_URI}+"
)
"""A contact URI with one address and no space, < or >, RFC 3986 §2 and RFC 6068 §2."""


@dataclass(frozen=True)
class Claims:
    """What a token says.

    ``aud``: origin of the push service; ``exp``: seconds since 1970; ``sub``: a ``mailto:`` or
    ``https:`` URI, or None. Source: RFC 8292 §2.

    >>> print(Claims("https://push.example.net", 1453523768, "mailto:push@example.com"))
    {"aud":"https://push.example.net","exp":1453523768,"sub":"mailto:push@example.com"}
    """

    aud: str
    exp: int | float
    sub: str | None = None

    def to_json(self) -> bytes:
        """Return the claims as compact JSON: the bytes that are signed.

        >>> Claims("https://push.example.net", 1453523768).to_json()
        b'{"aud":"https://push.example.net","exp":1453523768}'
        """
        claims: dict[str, str | int | float] = {"aud": self.aud, "exp": self.exp}
        if self.sub is not None:
            claims["sub"] = self.sub
        return json.dumps(claims, separators=(",", ":")).encode("ascii")

    def __str__(self) -> str:
        return self.to_json().decode("ascii")


@dataclass(frozen=True, repr=False)
class Credentials:
    """What an Authorization header carries: ``t``, the token, and ``k``, the public key (65 bytes).

    Anybody who holds a token can send as the application server until it expires. Therefore only
    its first characters are printed. Source: RFC 8292 §3.

    >>> print(parse(authorization("eyJ0eXAiOiJKV1QifQ.e30.AAAA", bytes(65))))
    vapid t=eyJ0eXAi… (27 characters), k=AAAAAAAA… (87 characters)
    """

    t: str
    k: bytes

    def __str__(self) -> str:
        k = base64url.encode(self.k)
        return f"vapid t={self.t[:8]}… ({len(self.t)} characters), k={k[:8]}… ({len(k)} characters)"

    def __repr__(self) -> str:
        return f"<Credentials {self}>"


# https://www.rfc-editor.org/rfc/rfc8292#section-2
def sign(claims: Claims, private_key: ec.EllipticCurvePrivateKey) -> str:
    """Sign claims and return the token. The same claims and key give the same token.

    Raises BadSubject when ``sub`` is no contact URI: some push services refuse such a token, and do
    not say why. Source: RFC 8292 §2.

    >>> key = p256.load_private((1).to_bytes(32, "big"))
    >>> token = sign(Claims("https://push.example.net", 1453523768), key)
    >>> token.split(".")[1]
    'eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3Njh9'
    """
    check_subject(claims.sub)
    return jws.sign(HEADER, claims.to_json(), private_key)


# https://www.rfc-editor.org/rfc/rfc8292#section-2.1
def check_subject(sub: str | None) -> None:
    """Check that ``sub`` is None, a ``mailto:`` URI with one address, or an ``https:`` URI.

    Raises BadSubject. Source: RFC 8292 §2.1.

    >>> check_subject("mailto:push@example.com")
    """
    if sub is not None and not (isinstance(sub, str) and CONTACT.fullmatch(sub)):
        raise BadSubject(f"sub {_what_is(sub)}")


def _what_is(sub: object) -> str:
    """Say what stands where a contact belongs. It may be a private key on the wrong line."""
    if not isinstance(sub, str):
        return f"is {kind(sub)}"
    if recognize(sub).certain_kind is Kind.PRIVATE:
        return "is the private key, where a contact belongs"
    if len(sub) > 1 and sub[0] == sub[-1] and sub[0] in "\"'`":
        return "has quotes around it, which are no part of a contact"
    return f"is {shown(sub) if re.search('[@.:]', sub) else kind(sub)}"


# https://www.rfc-editor.org/rfc/rfc6761#section-6
def unreachable(sub: str) -> str:
    """Return why nobody on the internet can write to a contact: what its host is. "" if one can.

    Apple refuses such a contact, and for everybody else it is of no use. The names of RFC 2606 that
    examples have, such as example.com, exist, and are let pass. Source: RFC 6761 §6.

    >>> unreachable("mailto:me@raspberrypi.local"), unreachable("https://192.168.1.2/")
    ('raspberrypi.local: a name for special use', '192.168.1.2: an address, not a name')
    >>> unreachable("mailto:me@myhost"), unreachable("mailto:me@example.com")
    ('myhost: a name without a dot', '')
    """
    if sub.startswith("mailto:"):
        host = sub.partition("?")[0].rpartition("@")[2]
    else:
        try:
            host = urlsplit(sub).hostname or ""
        except ValueError:
            return ""
    host = host.strip("[].").lower()
    try:
        ip_address(host)
        return f"{host}: an address, not a name"
    except ValueError:
        pass
    labels = host.split(".")
    if {labels[-1], ".".join(labels[-2:])} & SPECIAL_USE:
        return f"{host}: a name for special use"
    if len(labels) == 1:
        return f"{host}: a name without a dot"
    return "" if all(map(LABEL.fullmatch, labels)) else f"{host}: no name that a host can have"


# https://www.rfc-editor.org/rfc/rfc8292#section-3
def authorization(token: str, public: bytes) -> str:
    """Write the Authorization header. ``public``: 65 bytes.

    Raises BadToken if the token is not text, BadPublicKey if the key is. Source: RFC 8292 §3.

    >>> authorization("e30.e30.AA", bytes([4, 0, 0]))
    'vapid t=e30.e30.AA, k=BAAA'
    """
    if not isinstance(token, str):
        hint = "Call .decode() on it" if isinstance(token, bytes) else ""
        what = "bytes" if hint else kind(token)
        raise BadToken(f"the token is {what}, and not text", hint=hint)
    if not isinstance(public, bytes | bytearray):
        hint = "Call base64url.decode() on it" if isinstance(public, str) else ""
        raise BadPublicKey(f"the public key is {kind(public)}, not bytes", hint=hint)
    # credentials = "vapid" SP "t=" token "," SP "k=" BASE64URL(public)
    return f"vapid t={token}, k={base64url.encode(public)}"


# https://www.rfc-editor.org/rfc/rfc9110#section-11.2
# auth-param = token BWS "=" BWS ( token / quoted-string ), in a comma-separated list
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
BEGUN = re.compile(rf"({TOKEN})[ \t]*=[ \t]*({TOKEN}=*|\"(?:[^\"\\]|\\.)*\")?[ \t]*")
PLAIN_BASE64 = "Write it as base64url: - for +, _ for /, and no = at the end"
AUTH_PARAM = re.compile(rf"({TOKEN})[ \t]*=[ \t]*({TOKEN}=*|\"(?:[^\"\\]|\\.)*\")[ \t]*(?:,[ \t,]*|\Z)")


# https://www.rfc-editor.org/rfc/rfc8292#section-3
def parse(authorization: str | None) -> Credentials:
    """Read an Authorization header.

    ``authorization``: the header's value, or None if the request has none. The scheme and the names
    match in any case, and unknown parameters are ignored. Raises MissingAuthorization (no header,
    or another scheme) and BadAuthorization (t or k is missing, given twice, or malformed).
    Source: RFC 8292 §3, RFC 9110 §11.

    >>> parse("vapid k=BA")
    Traceback (most recent call last):
    pushlab.errors.BadAuthorization: t is missing (RFC 8292 §3). Fault: application server. Send ...
    """
    if isinstance(authorization, bytes):
        raise BadAuthorization("the header is bytes, and not text", hint="Call .decode() on it")
    if authorization is not None and not isinstance(authorization, str):
        raise BadAuthorization(f"the header is {kind(authorization)}, and not text")
    if authorization is None or not authorization.strip(" \t"):
        raise MissingAuthorization("the request has no Authorization header")
    if len(authorization) > MAX_AUTHORIZATION:
        raise BadAuthorization(f"the header has {len(authorization)} characters")
    scheme, _, text = authorization.strip(" \t").partition(" ")
    if scheme.lower() != "vapid":
        raise _other_scheme(authorization)
    parameters = _auth_params(text.strip(" \t,"))
    for name in ("t", "k"):
        if name not in parameters:
            raise BadAuthorization(f"{name} is missing")
    try:
        k = base64url.decode(parameters["k"])
    except BadBase64url as reason:
        raise BadAuthorization(f"k is not base64url: {reason.detail}") from None
    if len(k) != p256.POINT:
        raise BadAuthorization(f"k is {len(k)} bytes long, not {p256.POINT}")
    return Credentials(parameters["t"], k)


def _other_scheme(authorization: str) -> MissingAuthorization:
    """Make the error about a header that does not begin with vapid: a name or a quote may precede it."""
    if re.match(r"(?i)\s*[\"']?authorization[\"']?\s*:", authorization):
        fault, hint = "the value begins with the name of the header", "Leave out 'Authorization:'"
    elif re.match(r"(?i)\s*[\"'`]vapid\s", authorization):
        fault, hint = "the value has a quote in front of vapid", "Leave the quotes out"
    else:
        fault, hint = "the scheme of the Authorization header is not vapid", ""
    return MissingAuthorization(fault, hint=hint)


def _why_unreadable(text: str, position: int) -> tuple[str, str]:
    """Say what ends a parameter of the header before its comma, and what to do. Nothing is repeated."""
    begun = BEGUN.match(text, position)
    if not begun:
        if not text.startswith("eyJ", position):
            return "", ""
        return ": the token has no name", "Write t= in front of it, and after it: , k=<public key>"
    name = begun[1].lower() if begun[1].lower() in ("t", "k") else "a parameter"
    end = text[begun.end() : begun.end() + 1]
    if not begun[2]:
        return f": {name} has no value, or one quote alone", ""
    if end == "/":
        return f": {name} ends at a /, which plain base64 has", PLAIN_BASE64
    if end == ";":
        return f": a ; follows {name}, and not a comma", "Separate t and k with a comma"
    if end.isascii() and end.isalnum():
        return f": no comma follows {name}", "Separate t and k with a comma"
    return f": {name} ends at a character that no parameter has", ""


def _auth_params(text: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    position = 0
    while position < len(text):
        found = AUTH_PARAM.match(text, position)
        if not found:
            why, hint = _why_unreadable(text, position)
            fault = f"no name=value at character {position + 1} after the scheme{why}"
            raise BadAuthorization(fault, hint=hint)
        name, value = found[1].lower(), found[2]
        # With two tokens, two readers could use different ones. Ignored parameters may repeat.
        if name in ("t", "k") and name in parameters:
            raise BadAuthorization(f"{name} appears twice")
        parameters[name] = value[1:-1] if value.startswith('"') else value
        position = found.end()
    return parameters


# https://www.rfc-editor.org/rfc/rfc8292#section-4.2
def verify(
    credentials: Credentials | str | None,
    *,
    origin: str,
    now: float,
    subscribed_key: bytes | None = None,
) -> Claims:
    """Check a token as a push service does, and return its claims.

    ``credentials``: the Authorization header, or what parse() returned for it; ``origin``: of this
    push service; ``now``: seconds since 1970; ``subscribed_key``: 65 bytes, when the subscription
    is restricted to a key. Raises a VapidError for a token that is not valid.
    Source: RFC 8292 §4.2.

    >>> key = p256.load_private((1).to_bytes(32, "big"))
    >>> token = sign(Claims("https://push.example.net", 1453523768), key)
    >>> header = authorization(token, p256.raw_public(key))
    >>> verify(header, origin="https://push.example.net", now=1453523700).exp
    1453523768
    """
    if not isinstance(credentials, Credentials):
        credentials = parse(credentials)
    return _check_claims(_signed_claims(credentials, subscribed_key), origin, now)


# https://www.rfc-editor.org/rfc/rfc8292#section-5
@lru_cache(maxsize=MAX_VERIFIED)
def _signed_claims(credentials: Credentials, subscribed_key: bytes | None) -> JsonObject:
    """Return the claims that a token signs, and remember those of a token that is valid.

    A sender uses its token for many messages. The signature takes most of the time of a check, and
    stays right; what the claims say is checked for each message. Source: RFC 8292 §5.
    """
    token = jws.split(credentials.t)
    if subscribed_key is not None and not hmac.compare_digest(credentials.k, subscribed_key):
        raise WrongKey
    try:
        public_key = p256.load_public(credentials.k)
    except BadPublicKey as reason:
        raise BadAuthorization(f"k: {reason.detail}") from None
    # No claim is used, or shown in an error, before the signature is verified.
    jws.verify(token, public_key)
    return token.payload


# https://www.rfc-editor.org/rfc/rfc8292#section-2
def _check_claims(claims: JsonObject, origin: str, now: float) -> Claims:
    aud, exp, sub = claims.get("aud"), claims.get("exp"), claims.get("sub")
    # RFC 7519 §4.1.3: aud is one string, or an array of them.
    if aud != origin and not (isinstance(aud, list) and origin in aud):
        hint = ""
        if isinstance(aud, str) and re.fullmatch(re.escape(aud) + ":[0-9]+", origin):
            hint = f"Set aud to {origin}: its port is missing, which many libraries leave out"
        fault = f"aud is {shown(aud) if 'aud' in claims else 'missing'}, not {origin!r}"
        raise BadAudience(fault, hint=hint)
    if not is_number(exp):
        raise BadExpiry(f"exp is {shown(exp) if 'exp' in claims else 'missing'}")
    # exp may have hundreds of digits, or be negative. The errors show no more than a sensible number.
    if exp <= now:
        if times.is_duration(exp, now):
            raise TokenExpired("exp is a duration, not a point in time", hint=times.SINCE_1970)
        raise TokenExpired(f"exp is {now - max(exp, 0):.0f} s ago")
    if exp > now + MAX_LIFETIME:
        if (unit := times.unit_of(exp, now)) and unit is not times.SECONDS:
            raise ExpiryTooFar(f"exp counts {unit.what}", hint=times.SINCE_1970)
        raise ExpiryTooFar(f"exp is {min(exp, 10**15) - now:.0f} s ahead, over {MAX_LIFETIME}")
    # RFC 8292 §2.1 only recommends a form for sub, so any text is accepted.
    if sub is not None and not isinstance(sub, str):
        raise BadSubject(f"sub is {shown(sub)}, not text")
    return Claims(origin, exp, sub)
