"""What Mozilla's push service takes beyond the RFCs, and what it refuses within them.

Read in the source code of autopush-rs and its manual, up to July 2026: ``headers/vapid.rs``, and
``subscription.rs`` and ``notification_headers.rs`` in ``extractors/``. It still takes the drafts before
RFC 8292, and bodies in aesgcm:

    Authorization: WebPush TOKEN      (or Bearer)
    Crypto-Key: p256ecdsa=KEY

A key may be padded, or in plain base64. In a token, ``exp`` is read as an unsigned whole number and
``aud`` as one text. That text must be the origin letter by letter since pull request 709 (June 2024);
before, it was compared as a URL. ``sub`` may be missing since pull request 831 (January 2025). A
message without a body is not asked for its coding.

Where one code of ours stands for several of its sentences, the errors that are raised here have
Mozilla's ``Sentence`` as their detail. One thing is not imitated: its library takes a token for
60 seconds after ``exp``.
"""

import re
from collections.abc import Mapping

from tornado.httputil import HTTPHeaders

from pushlab.errors import (
    BadAudience,
    BadAuthorization,
    BadBase64url,
    BadContentEncoding,
    BadExpiry,
    BadTopic,
    BadTtl,
    MissingAuthorization,
    MissingTtl,
)
from pushlab.protocol import base64url, jws, vapid
from pushlab.pushservice.mailbox import OldCoding

NO_AUDIENCE = "aud is missing"
NOT_ONE_AUDIENCE = "aud is not one text: the RFC allows an array, and Mozilla does not"

LONGEST_TOPIC = 32
"""Characters of a topic, with the padding that it may have."""

TOPIC = re.compile(r"[A-Za-z0-9_-]+=*")
TTL = re.compile(r"[+-]?[0-9]{1,18}")
VALUE = re.compile(r"[A-Za-z0-9_-]+=*")
PADDING = re.compile(r"(?<=[0-9A-Za-z_-])=+(?=[,;]|$)")

MAX_HEADER = 1024
"""Characters of a header of the older coding. A salt has 22 of them, and a key 87."""


class Sentence(str):
    """The detail of an error, in Mozilla's own words. Any other detail is in ours."""

    __slots__ = ()


# --- who sends this --------------------------------------------------------------------------------


def credentials(headers: Mapping[str, str]) -> vapid.Credentials:
    """Read the token and the public key of a request, of RFC 8292 or of the drafts before it.

    Raises MissingAuthorization, BadAuthorization and BadContentEncoding.

    >>> key = "BA" + 84 * "A" + "A"
    >>> print(credentials({"Authorization": "WebPush e30.e30.AA", "Crypto-Key": f"p256ecdsa={key}="}))
    vapid t=e30.e30.… (10 characters), k=BAAAAAAA… (87 characters)
    """
    if (header := headers.get("Authorization")) is None:
        raise MissingAuthorization("the request has no Authorization header")
    scheme, space, rest = header.strip(" \t").partition(" ")
    if not space or len(header) > vapid.MAX_AUTHORIZATION:
        raise BadAuthorization(Sentence("Missing VAPID token"))
    if scheme.lower() in ("webpush", "bearer"):
        key = _parameter("Crypto-Key", headers.get("Crypto-Key"), "p256ecdsa", "Missing {} in {} header")
        return vapid.Credentials(rest.replace(" ", ""), _key(key))
    if scheme.lower() != "vapid":
        raise BadAuthorization(Sentence("Unknown auth scheme"))
    parts = (part.partition("=") for part in rest.replace(" ", "").split(","))
    values = {name: value for name, _, value in parts}
    for name, what in (("k", "public key"), ("t", "token")):
        if name not in values:
            raise BadAuthorization(Sentence(f"Missing VAPID {what}"))
    return vapid.Credentials(values["t"], _key(values["k"].strip('"')))


def check_types(credentials: vapid.Credentials) -> None:
    """Refuse claims that Mozilla cannot read. Raises BadToken, BadExpiry, BadAudience."""
    claims = jws.split(credentials.t).payload
    exp, aud = claims.get("exp"), claims.get("aud")
    if type(exp) is not int or exp < 0:  # True is an int in Python, and no number in JSON.
        raise BadExpiry("exp is not a whole number")
    if aud is None:
        raise BadAudience(NO_AUDIENCE)
    if not isinstance(aud, str):
        raise BadAudience(NOT_ONE_AUDIENCE)


def _key(text: str) -> bytes:
    key = text.rstrip("=")
    if set(key) & set("+/"):
        # Plain base64 has no - and no _.
        key = "?" if set(key) & set("-_") else key.replace("+", "-").replace("/", "_")
    try:
        return base64url.decode(key)
    except BadBase64url:
        raise BadAuthorization(Sentence("Invalid VAPID public key")) from None


# --- how the message is to be treated -------------------------------------------------------------


def options(headers: HTTPHeaders) -> HTTPHeaders:
    """Return the headers of a request with TTL and Topic as RFC 8030 writes them.

    A TTL may have a sign and a Topic padding. Raises MissingTtl, BadTtl, BadTopic.

    >>> options(HTTPHeaders({"TTL": "+60", "Topic": "abc="}))["Topic"]
    'abc'
    """
    ttl, topic = headers.get("TTL"), headers.get("Topic")
    if ttl is None or not TTL.fullmatch(ttl):
        raise MissingTtl("TTL is not a number")  # It is read as if it were not there.
    if int(ttl) < 0:
        raise BadTtl(Sentence("ttl: TTL must be greater than 0"))
    headers = headers.copy()
    headers["TTL"] = str(int(ttl))
    if topic is None:
        return headers
    faults = ["Topic must be no greater than 32 characters"] if len(topic) > LONGEST_TOPIC else []
    if not TOPIC.fullmatch(topic):
        faults.append("Topic must be URL and Filename safe Base64 alphabet")
    if faults:
        raise BadTopic(Sentence(f"topic: {', '.join(faults)}"))
    headers["Topic"] = topic.rstrip("=")
    return headers


# --- how the body is encrypted --------------------------------------------------------------------


def coding(headers: Mapping[str, str]) -> OldCoding | None:
    """Return the headers of a body in aesgcm, or None for a body in aes128gcm.

    A body in aesgcm may come without Crypto-Key: it is accepted, and no user agent can decrypt it.
    Raises BadContentEncoding.
    """
    encryption, crypto_key = (_stripped(headers.get(name)) for name in ("Encryption", "Crypto-Key"))
    match headers.get("Content-Encoding"):
        case None:
            raise BadContentEncoding(Sentence("Missing Content-Encoding header"))
        case "aesgcm":
            _check_parameter("Encryption", encryption, "salt")
            if "Encryption-Key" in headers:
                raise BadContentEncoding(
                    Sentence("Encryption-Key header is not valid for webpush draft 02 or later")
                )
            if crypto_key is not None:
                _check_parameter("Crypto-Key", crypto_key, "dh")
            return OldCoding(encryption or "", crypto_key or "")
        case "aes128gcm":
            _refuse_parameter("aes128gcm Encryption", encryption, "salt")
            _refuse_parameter("aes128gcm Crypto-Key", crypto_key, "dh")
            return None
        case _:
            raise BadContentEncoding(Sentence("Unknown Content-Encoding header"))


def _stripped(value: str | None) -> str | None:
    """Return a header without quotes and padding, as user agents expect it."""
    return None if value is None else PADDING.sub("", value.replace('"', ""))


def _check_parameter(header: str, text: str | None, name: str) -> None:
    value = _parameter(header, text, name, "Missing {} value in {} header")
    if not VALUE.fullmatch(value):
        raise BadContentEncoding(Sentence(f"Invalid {name} value in {header} header"))


def _refuse_parameter(header: str, text: str | None, name: str) -> None:
    if text is not None and name in _parameters(header, text):
        raise BadContentEncoding(Sentence(f"Do not include '{name}' header in {header} header"))


def _parameter(header: str, text: str | None, name: str, missing: str) -> str:
    if text is None:
        raise BadContentEncoding(Sentence(f"Missing {header} header"))
    values = _parameters(header, text)
    if name not in values:
        raise BadContentEncoding(Sentence(missing.format(name, header)))
    return values[name]


def _parameters(header: str, text: str) -> dict[str, str]:
    """Read ``name=value`` of all sections of a header: the first value of each name counts."""
    parts = [part.partition("=") for part in re.split("[,;]", text[: MAX_HEADER + 1])]
    if len(text) > MAX_HEADER or not all(equals for _, equals, _ in parts):
        raise BadContentEncoding(Sentence(f"Invalid {header} header"))
    return {name.strip(): value.strip(' "') for name, _, value in reversed(parts)}
