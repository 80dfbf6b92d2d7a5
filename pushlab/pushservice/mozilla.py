"""What Mozilla's push service takes beyond the RFCs, and what it refuses within them.

Read in the source code of autopush-rs in July 2026. It still takes the drafts before RFC 8292:

    Authorization: WebPush TOKEN      (or Bearer)
    Crypto-Key: p256ecdsa=KEY

A key may be padded, or in plain base64. In a token, ``exp`` is read as an unsigned whole number and
``aud`` as one text, which is compared as a URL: a slash at its end, or the usual port, changes
nothing. A message without a body is not asked for its coding.
"""

import re
from collections.abc import Mapping

from pushlab.errors import (
    BadAudience,
    BadAuthorization,
    BadBase64url,
    BadExpiry,
    MissingAuthorization,
)
from pushlab.protocol import base64url, jws, vapid
from pushlab.protocol.origin import origin_of

UNKNOWN_SCHEME = "the scheme is none of vapid, WebPush and Bearer"
BAD_KEY = "the public key is neither base64url nor plain base64"
NO_CRYPTO_KEY = "the token of a draft needs its key in Crypto-Key, which is missing"
NO_P256ECDSA = "the token of a draft needs its key in Crypto-Key, which has no p256ecdsa"
NOT_ONE_AUDIENCE = "aud is an array of audiences, which the RFC allows and Mozilla does not"

TOPIC = re.compile(r"(?=.{1,32}$)([A-Za-z0-9_-]+)=*")
"""A topic may be padded, and then has at most 32 characters with its padding."""


def credentials(headers: Mapping[str, str]) -> vapid.Credentials:
    """Read the token and the public key of a request, of RFC 8292 or of the drafts before it.

    Raises MissingAuthorization and BadAuthorization.

    >>> key = "BA" + 84 * "A" + "A"
    >>> print(credentials({"Authorization": "WebPush e30.e30.AA", "Crypto-Key": f"p256ecdsa={key}="}))
    vapid t=e30.e30.… (10 characters), k=BAAAAAAA… (87 characters)
    """
    header = headers.get("Authorization", "").strip(" \t")
    if len(header) > vapid.MAX_AUTHORIZATION:
        raise BadAuthorization(f"the header has {len(header)} characters")
    if not header:
        raise MissingAuthorization("the request has no Authorization header")
    scheme, _, rest = header.partition(" ")
    if scheme.lower() in ("webpush", "bearer"):
        return vapid.Credentials(rest.replace(" ", ""), _key(_p256ecdsa(headers)))
    if scheme.lower() != "vapid":
        raise MissingAuthorization(UNKNOWN_SCHEME)
    values = dict(_pairs(rest, ","))
    for name in ("k", "t"):
        if name not in values:
            raise BadAuthorization(f"{name} is missing")
    return vapid.Credentials(values["t"], _key(values["k"]))


def audience(credentials: vapid.Credentials, origin: str) -> str:
    """Return the token's own ``aud`` if it is this origin, written as any URL, or else the origin.

    Raises BadToken.
    """
    aud = jws.split(credentials.t).payload.get("aud")
    if not isinstance(aud, str) or not re.fullmatch(r"[^/?#]+//[^/?#@]+/?", aud):
        return origin
    try:
        return aud if origin_of(aud) == origin else origin
    except ValueError:
        return origin


def check_types(credentials: vapid.Credentials) -> None:
    """Refuse claims that are valid and that Mozilla cannot read. Raises BadExpiry, BadAudience."""
    claims = jws.split(credentials.t).payload
    if not isinstance(claims.get("exp"), int):
        raise BadExpiry("exp is not a whole number")
    if not isinstance(claims.get("aud"), str):
        raise BadAudience(NOT_ONE_AUDIENCE)


def topic_of(text: str) -> str:
    """Return a topic without its padding. Any other text is returned as it is.

    >>> topic_of("abc="), topic_of("a b")
    ('abc', 'a b')
    """
    found = TOPIC.fullmatch(text)
    return found[1] if found else text


def _p256ecdsa(headers: Mapping[str, str]) -> str:
    header = headers.get("Crypto-Key")
    if header is None:
        raise BadAuthorization(NO_CRYPTO_KEY)
    for section in header[: vapid.MAX_AUTHORIZATION].split(","):
        for name, value in _pairs(section, ";"):
            if name == "p256ecdsa":
                return value
    raise BadAuthorization(NO_P256ECDSA)


def _pairs(text: str, separator: str) -> list[tuple[str, str]]:
    pairs = (part.partition("=") for part in text.split(separator))
    return [(name.strip(), value.strip(' "')) for name, _, value in pairs]


def _key(text: str) -> bytes:
    key = text.rstrip("=")
    if set(key) & set("+/"):
        if set(key) & set("-_"):
            raise BadAuthorization(BAD_KEY)
        key = key.replace("+", "-").replace("/", "_")
    try:
        return base64url.decode(key)
    except BadBase64url:
        raise BadAuthorization(BAD_KEY) from None
