"""PushSubscription: what a user agent hands to the application server, W3C Push API §8.

It says where to send (the endpoint: a URL that is a capability, because anybody who knows it may
send) and for whom to encrypt (p256dh, a point, and auth, a secret of 16 bytes). A server gets all
of it from a page that it does not control, so the constructor checks every member. A
PushSubscription that exists is valid.

Browsers older than RFC 8291 gave an endpoint without keys, and some servers have stored only the
endpoint. Such a subscription can get messages, but none that has a payload.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.errors import (
    BadAuth,
    BadBase64url,
    BadEndpoint,
    BadExpirationTime,
    BadP256dh,
    BadPublicKey,
    MalformedJson,
    NoEndpoint,
    NoKeys,
    NotASubscription,
    NotUtf8,
    SubscriptionError,
)
from pushlab.protocol import base64url, origin, p256, strict_json, utf8
from pushlab.protocol.spelling import Kind, advise_subscription, times, wrapping
from pushlab.protocol.spelling.encodings import ALPHABETS
from pushlab.protocol.spelling.recognize import FROM_THE_BROWSER
from pushlab.protocol.spelling.shapes import LENGTHS
from pushlab.protocol.spelling.subscription_text import Place, find_in_text
from pushlab.protocol.strict_json import JsonObject, is_number, kind

MAX_ENDPOINT = 2048
"""Characters of an endpoint. The longest in the wild have about 500."""

MAX_TIME = 8_640_000_000_000_000
"""The last millisecond that a JavaScript Date can name (ECMAScript, Time Values and Time Range)."""

SENDER = "application server"
"""Who has to change a subscription that is whole, and packed otherwise than the browser had it."""

FIRST_TIME = 1_420_070_400_000
"""The first millisecond of 2015, the year in which the first browser made a PushSubscription."""

MAX_NAME, MAX_LABEL = 253, 63
"""Characters of a host name and of each label between its dots, RFC 1035 §2.3.4."""

AUTH_SECRET = LENGTHS[Kind.AUTH]
"""Bytes of the auth secret, RFC 8291 §3.2."""

# A URL that a browser has serialized consists of visible ASCII. The rule for hosts is narrower than
# the URL Standard's on purpose: where two parsers read two different hosts, a URL can get around an
# allow list.
VISIBLE = re.compile(r"[!-~]+")
AROUND = " \t\r\n\"'`<>"
REFERENCE = re.compile(r"&#x?[0-9A-Fa-f]{1,6};")
START = re.compile(r"[^/?]*(//[^/?]*)?")
AUTHORITY = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?")


@dataclass(frozen=True, repr=False, slots=True)
class PushSubscription:
    """One subscription of one user agent.

    ``endpoint``: http(s) URL of at most 2048 characters; ``p256dh``: 65 bytes, a point; ``auth``:
    16 bytes; both are None in a subscription without keys. ``expiration_time``: milliseconds since
    1970, or None. ``origin`` (the value that ``aud`` must have) and ``ua_public`` (p256dh as a key)
    are computed. Raises NoEndpoint, BadEndpoint, BadP256dh, BadAuth, BadExpirationTime.
    Source: W3C Push API §8, RFC 8291 §3.

    >>> subscription = PushSubscription.from_json('''{
    ... "endpoint": "https://push.example.net:443/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
    ... "expirationTime": null,
    ... "keys": {
    ... "p256dh":
    ... "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    ... "auth": "BTBZMqHH6r4Tts7J_aSIgg"}}''')
    >>> subscription.origin
    'https://push.example.net'
    >>> print(subscription)
    subscription 0d385654 at https://push.example.net
    """

    endpoint: str
    p256dh: bytes | None = None
    auth: bytes | None = None
    expiration_time: int | float | None = None
    # Many messages are sent to one subscription, so these two are computed once.
    ua_public: ec.EllipticCurvePublicKey | None = field(init=False, compare=False)
    origin: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", _origin_of(self.endpoint))
        keyless = self.p256dh is None and self.auth is None
        object.__setattr__(self, "ua_public", None if keyless else _load_p256dh(self.p256dh))
        if not keyless and (not isinstance(self.auth, bytes) or len(self.auth) != AUTH_SECRET):
            raise _refusal(BadAuth, f"auth is {kind(self.auth)}, not {AUTH_SECRET} bytes", self.auth)
        _check_expiration_time(self.expiration_time)

    @property
    def has_keys(self) -> bool:
        """Whether a payload can be encrypted for this subscription."""
        return self.p256dh is not None

    @classmethod
    def from_json(
        cls, source: str | bytes | JsonObject, *, keys_required: bool = True
    ) -> "PushSubscription":
        """Read what ``JSON.stringify(subscription)`` gives, as text or already parsed.

        Unknown members are ignored. Bytes may be those of a file, with a byte order mark. Unless
        ``keys_required``, a subscription may have no keys at all; keys that are incomplete, or are
        in another place, are refused. Raises NotASubscription, NoEndpoint, NoKeys, and every error
        that the constructor raises. Source: W3C Push API §8, ``toJSON()``.

        >>> PushSubscription.from_json('{"success": true}')
        Traceback (most recent call last):
        pushlab.errors.NoEndpoint: there is no member endpoint (W3C Push API §8). ...
        """
        members = _members(source)
        endpoint = members.get("endpoint")
        if endpoint is None:
            place = wrapping.find_instead(members)
            raise _misplaced(NoEndpoint, "there is no member endpoint", place)
        keys = members.get("keys")
        if not keys_required and _is_keyless(members):
            return cls(endpoint, expiration_time=members.get("expirationTime"))
        if not isinstance(keys, Mapping):
            fault = "there is no member keys" if keys is None else "keys is not an object"
            raise _misplaced(NoKeys, fault, wrapping.find_keys(members))
        if missing := [name for name in ("p256dh", "auth") if keys.get(name) is None]:
            fault = f"keys has no {' and no '.join(missing)}"
            raise _misplaced(NoKeys, fault, wrapping.find_keys(members))
        # The endpoint is checked before the keys, so that the first fault is the one reported.
        _origin_of(endpoint)
        return cls(
            endpoint=endpoint,
            p256dh=_decode(keys["p256dh"], "p256dh", BadP256dh),
            auth=_decode(keys["auth"], "auth", BadAuth),
            expiration_time=members.get("expirationTime"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the members that ``toJSON()`` has in a browser, in its order.

        Without keys there is no member ``keys``. Source: W3C Push API §8.
        """
        members: dict[str, Any] = {
            "endpoint": self.endpoint,
            "expirationTime": self.expiration_time,
        }
        if self.p256dh is not None and self.auth is not None:
            members["keys"] = {
                "p256dh": base64url.encode(self.p256dh),
                "auth": base64url.encode(self.auth),
            }
        return members

    @property
    def label(self) -> str:
        """Return a name that reveals nothing: 8 hexadecimal digits of the endpoint's SHA-256."""
        return label_of(self.endpoint)

    def __str__(self) -> str:
        return f"subscription {self.label} at {self.origin}"

    def __repr__(self) -> str:
        return f"<PushSubscription {self.label} at {self.origin}>"


def label_of(endpoint: str) -> str:
    """Return the label of the subscription with this endpoint, which may be any text."""
    return hashlib.sha256(endpoint.encode("utf-8", "replace")).hexdigest()[:8]


def _members(source: object) -> JsonObject:
    if isinstance(source, str | bytes):
        try:
            text = utf8.decode(source) if isinstance(source, bytes) else source.removeprefix("\ufeff")
            source = strict_json.parse(text)
        except MalformedJson as reason:
            # No browser writes what is no JSON: it was changed, or written, on the way.
            raise _misplaced(NotASubscription, reason.detail, find_in_text(text), SENDER) from None
        except NotUtf8 as reason:
            raise NotASubscription(reason.detail, hint=reason.hint, fault=SENDER) from None
    if not isinstance(source, Mapping):
        fault = f"this is {kind(source)}, not an object"
        raise _misplaced(NotASubscription, fault, wrapping.find_instead(source), SENDER)
    return source


def _is_keyless(members: JsonObject) -> bool:
    """Say whether there are no keys: not in ``keys``, and under no other name or place."""
    keys = members.get("keys")
    if keys is not None and not isinstance(keys, Mapping):
        return False
    given = [value for value in (keys or {}).values() if value is not None]
    beside = {"p256dh", "auth"} & members.keys()
    return not (given or beside or wrapping.find_keys(members))


def _misplaced(
    error: type[SubscriptionError], detail: str, place: Place | None, fault: str = ""
) -> SubscriptionError:
    """Make an error that says where the subscription, or its keys, are instead.

    ``fault``: whose fault it is if nothing was found.
    """
    if place is None:
        return error(detail, fault=fault)
    return error(f"{detail}: {place.what}", hint=place.turn, fault=SENDER)


def _refusal(
    error: type[SubscriptionError], detail: str, value: object, wanted: Kind = Kind.AUTH
) -> SubscriptionError:
    """Make an error that says what the value is instead of a key, if that is recognized."""
    found = advise_subscription(value, wanted)
    if found is None or found.name == "is-the-auth-secret":
        return error(detail)  # The number of bytes, and the error's own hint, say it better.
    if found.name == "length":  # The strict reader could only guess which character is missing.
        return error(f"{detail.partition(' ')[0].rstrip(':')} is {found.what}", hint=found.turn)
    # The strict reader has named what is wrong with an alphabet.
    what = "" if found.name in ALPHABETS else f": it is {found.what}"
    fault = SENDER if found.turn == FROM_THE_BROWSER else ""
    return error(f"{detail}{what}", hint=found.turn, fault=fault)


def _decode(text: object, name: str, error: type[BadP256dh] | type[BadAuth]) -> bytes:
    wanted = Kind.PUBLIC if error is BadP256dh else Kind.AUTH
    try:
        raw = base64url.decode(text)
    except BadBase64url as reason:
        raise _refusal(error, f"{name} is not base64url: {reason.detail}", text, wanted) from None
    if len(raw) != LENGTHS[wanted]:  # The text says more than its bytes: it may be hexadecimal.
        what = f"{len(raw)} bytes long, not {LENGTHS[wanted]}"
        seen = f"p256dh: the public key is {what}" if name == "p256dh" else f"auth is {what} bytes"
        raise _refusal(error, seen, text, wanted)
    return raw


def _load_p256dh(raw: bytes | None) -> ec.EllipticCurvePublicKey:
    if not isinstance(raw, bytes):
        raise BadP256dh(f"p256dh is {kind(raw)}, not {p256.POINT} bytes")
    try:
        return p256.load_public(raw)
    except BadPublicKey as reason:
        raise _refusal(BadP256dh, f"p256dh: {reason.detail}", raw, Kind.PUBLIC) from None


NULL_AS_TEXT = re.compile(
    r"(?i)(?:null|undefined|none|nil|0|-1"
    r"|(?:0001|19[67]\d)-\d\d-\d\d.*|\d\d?[/.]\d\d?[/.](?:0001|19[67]\d)\b.*)?"
)
MAX_TIME_TEXT = 40
"""Characters of a time that is written as text, at most."""

STORE_NULL = "Write null as the browser gave it, or leave the member out, and keep the subscription"


def stands_for_null(time: object) -> bool:
    """Say whether an expirationTime is what a program has made of the browser's null: 0, the year 1.

    >>> [stands_for_null(time) for time in (0, "", "0001-01-01T00:00:00Z", 1_700_000_000_000, "soon")]
    [True, True, True, False, False]
    """
    if isinstance(time, str):
        return len(time) <= MAX_TIME_TEXT and NULL_AS_TEXT.fullmatch(time.strip()) is not None
    return time is False or (is_number(time) and time < FIRST_TIME)


def _check_expiration_time(time: object) -> None:
    if time is None:
        return
    hint, fault = (STORE_NULL, SENDER) if stands_for_null(time) else ("", "")
    if not is_number(time):
        if not hint and times.is_number_as_text(time):
            hint = "Write the number without quotes"
        raise BadExpirationTime(f"expirationTime is {kind(time)}, not a number", hint=hint, fault=fault)
    if time < 0:
        raise BadExpirationTime("expirationTime is a time before 1970", hint=hint, fault=fault)
    if not time <= MAX_TIME:
        raise BadExpirationTime("expirationTime is not a time that a Date can name")


def _origin_of(endpoint: object) -> str:
    if endpoint == "":
        raise NoEndpoint("endpoint is empty")
    if not isinstance(endpoint, str):
        raise BadEndpoint(f"endpoint is {kind(endpoint)}, not text")
    if len(endpoint) > MAX_ENDPOINT:
        raise BadEndpoint(f"endpoint has {len(endpoint)} characters, over {MAX_ENDPOINT}")
    if endpoint != endpoint.strip(AROUND):
        raise BadEndpoint("endpoint has spaces or quotes around it", hint="Leave them out", fault=SENDER)
    if endpoint[:4].lower() != "http" or not endpoint[4:8].lstrip("sS").startswith("://"):
        _explain_beginning(endpoint)
    if not VISIBLE.fullmatch(endpoint):
        raise BadEndpoint("endpoint has a character that no serialized URL has")
    if REFERENCE.search(endpoint):
        hint = "Store the endpoint as the browser gave it, and escape it where it is shown"
        raise BadEndpoint("endpoint has a character as HTML writes it: &#…;", hint=hint, fault=SENDER)
    if "#" in endpoint:
        raise BadEndpoint("endpoint has a fragment, which is never sent")
    start = START.match(endpoint)
    assert start is not None  # START matches the empty text too.
    # All endpoints of one push service begin alike, so the origin is computed once for all of them.
    return _origin(start.group())


def _explain_beginning(endpoint: str) -> None:
    """Raise BadEndpoint for a URL that was packed into something else, if that is recognized."""
    for what, hint, pattern in BEGINNINGS:
        if pattern.match(endpoint):
            raise BadEndpoint(f"endpoint {what}", hint=hint, fault=SENDER)


# A table: what is around a URL, or has happened to its beginning.
# fmt: off
BEGINNINGS = (
    ("is a link of Markdown", "Keep the URL alone, without the brackets",
        re.compile(r"!?\[[^\]]*\]\(")),
    ("has %3A for the colon after https: it was encoded as a part of another URL", "Decode it once",
        re.compile(r"(?i)https?%3A")),
    ("has a backslash before a slash, as JSON may have", "Parse the text around it as JSON",
        re.compile(r"(?i)https?:\\")),
    ("lacks the https:// in front of its host", "Store the endpoint as the browser gave it",
        re.compile(r"(?i)(?:[a-z0-9-]{1,63}\.){1,8}(?:com|net|org)/")),
)
# fmt: on


# https://www.rfc-editor.org/rfc/rfc6454#section-6.2
@lru_cache(maxsize=64)
def _origin(start: str) -> str:
    """Return the origin of a URL that ends where its path or query would begin."""
    try:
        url = urlsplit(start)
    except ValueError:
        raise BadEndpoint("endpoint is not a URL") from None
    if url.scheme not in ("https", "http"):
        raise BadEndpoint("endpoint begins with neither https:// nor http://")
    if "@" in url.netloc:
        raise BadEndpoint("endpoint has a user name or a password")
    if not AUTHORITY.fullmatch(url.netloc):
        raise BadEndpoint("endpoint has no host, or something that is neither host nor port")
    try:
        if url.port == 0:
            raise BadEndpoint("endpoint has port 0, at which nobody can listen")
        _check_name(url.hostname or "")
        return origin.serialize(url.scheme, url.hostname or "", url.port)
    except ValueError:
        raise BadEndpoint("endpoint has an impossible address or port") from None


def _check_name(host: str) -> None:
    """Raise BadEndpoint for a name that cannot be looked up. One dot at its end is allowed.

    Python's resolver raises UnicodeError for such a name, other resolvers answer that it is unknown.
    """
    name = host.removesuffix(".")
    if ":" in name:
        return  # an address of IPv6
    if len(name) > MAX_NAME:
        raise BadEndpoint(f"endpoint has a host name of {len(name)} characters, over {MAX_NAME}")
    for label in name.split("."):
        if not label:
            raise BadEndpoint("endpoint has a host name with two dots in a row")
        if len(label) > MAX_LABEL:
            raise BadEndpoint(
                f"endpoint has a host name with {len(label)} characters between dots, over {MAX_LABEL}"
            )
