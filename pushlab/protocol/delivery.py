"""The request to the push service, RFC 8030: how long, how urgent, in place of what.

Three headers control the delivery of a message. TTL says how many seconds it may wait for the user
agent, Urgency whether it may wake a sleeping phone, and Topic which waiting message it replaces.
The application server writes them, the push service reads them, and the user agent never sees them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pushlab.errors import BadField, BadTopic, BadTtl, BadUrgency, DeliveryError, MissingTtl
from pushlab.protocol.origin import origin_of
from pushlab.protocol.spelling import times
from pushlab.protocol.strict_json import JsonObject, kind, shown
from pushlab.protocol.subscription import PushSubscription

MAX_TTL = 2**31
"""Seconds. A larger number counts as this one, RFC 8030 §5.2."""

DEFAULT_TTL = 10000
"""Seconds: a little under three hours."""

TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")

LONG = re.compile(r"([A-Za-z0-9_-]{8})[A-Za-z0-9._-]{4,}")
"""Text that is long enough to be a token or a key. The group is all of it that may be shown."""


# https://www.rfc-editor.org/rfc/rfc8030#section-5.3
class Urgency(StrEnum):
    """How important it is to deliver the message now, RFC 8030 §5.3.

    The comments name the device's state in which such a message is still delivered, and the RFC's
    examples.
    """

    VERY_LOW = "very-low"  # on power and Wi-Fi: advertisements
    LOW = "low"  # on power or Wi-Fi: topic updates
    NORMAL = "normal"  # on neither: a chat message
    HIGH = "high"  # low battery: an incoming call


@dataclass(frozen=True)
class PushOptions:
    """The three headers of a message.

    ``ttl``: seconds from 0 to 2^31; ``urgency``: one of four; ``topic``: 1 to 32 base64url
    characters, or None. Raises BadTtl, BadUrgency, BadTopic. Source: RFC 8030 §5.2 to §5.4.

    >>> PushOptions(ttl=60, topic="upd").to_headers()
    {'TTL': '60', 'Urgency': 'normal', 'Topic': 'upd'}
    """

    ttl: int = DEFAULT_TTL
    urgency: Urgency = Urgency.NORMAL
    topic: str | None = None

    def __post_init__(self) -> None:
        # True is an int in Python and a boolean in JSON.
        if isinstance(self.ttl, bool) or not isinstance(self.ttl, int):
            hint = "Write the number without quotes" if times.is_number_as_text(self.ttl) else ""
            raise BadTtl(f"ttl is {kind(self.ttl)}, not a whole number", hint=hint)
        if not 0 <= self.ttl <= MAX_TTL:
            raise BadTtl("ttl is negative" if self.ttl < 0 else "ttl is over 2^31 seconds")
        object.__setattr__(self, "urgency", _urgency(self.urgency))
        if self.topic is None:
            return
        if not isinstance(self.topic, str) or not TOPIC.fullmatch(self.topic):
            raise BadTopic(f"topic is {shown(self.topic)}")

    # https://www.rfc-editor.org/rfc/rfc8030#section-5.2
    def to_headers(self) -> dict[str, str]:
        """Return the headers that an application server sends."""
        headers = {"TTL": str(self.ttl), "Urgency": str(self.urgency)}
        if self.topic is not None:
            headers["Topic"] = self.topic
        return headers

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> "PushOptions":
        """Read the headers as a push service does.

        ``headers``: a mapping, or Tornado's HTTPHeaders with every repeated header in it. A TTL
        over 2^31 counts as 2^31. Raises MissingTtl, BadTtl, BadUrgency, BadTopic.
        Source: RFC 8030 §5.2 to §5.4.

        >>> print(PushOptions.from_headers({"ttl": "99999999999", "Urgency": "high"}))
        TTL 2147483648 s, urgency high
        """
        ttl = _values(headers, "TTL")
        urgency = _values(headers, "Urgency")
        topic = _values(headers, "Topic")
        if not ttl:
            raise MissingTtl
        if len(ttl) > 1:
            raise BadTtl(f"the request has {len(ttl)} TTL headers")
        if len(urgency) > 1:
            raise BadUrgency(f"the request has {len(urgency)} Urgency headers")
        if len(topic) > 1:
            raise BadTopic(f"the request has {len(topic)} Topic headers")
        # The ABNF of Urgency consists of quoted strings, which match in any case (RFC 5234 §2.3).
        return cls(
            ttl=_seconds(ttl[0]),
            urgency=_urgency(urgency[0].lower()) if urgency else Urgency.NORMAL,
            topic=topic[0] if topic else None,
        )

    @classmethod
    def from_json(cls, options: JsonObject) -> "PushOptions":
        """Read ``{"ttl"?, "urgency"?, "topic"?}``, as a page posts it.

        Other members are ignored. Raises BadField (not an object), BadTtl, BadUrgency, BadTopic.

        >>> print(PushOptions.from_json({"ttl": 0, "topic": "upd"}))
        TTL 0 s, urgency normal, topic upd
        """
        if not isinstance(options, Mapping):
            raise BadField("options is not an object")
        known = ("ttl", "urgency", "topic")
        return cls(**{name: options[name] for name in known if name in options})

    def __str__(self) -> str:
        topic = "" if self.topic is None else f", topic {self.topic}"
        return f"TTL {self.ttl} s, urgency {self.urgency}{topic}"


def _urgency(value: object) -> Urgency:
    if not isinstance(value, str) or value not in tuple(Urgency):
        raise BadUrgency(f"urgency is {shown(value)}")
    return Urgency(value)


def _values(headers: Mapping[str, str], name: str) -> list[str]:
    # A header that is sent twice has two values, and a plain mapping can hold only one of them.
    if hasattr(headers, "get_list"):
        values: list[str] = headers.get_list(name)
    else:
        values = [value for key, value in headers.items() if str(key).lower() == name.lower()]
    for value in values:
        if not isinstance(value, str):
            fault = f"{name} is {kind(value)}, and a header is text"
            raise NOT_TEXT[name](fault, hint="Write it in quotes, or with str()")
    return [value.strip(" \t") for value in values]


NOT_TEXT: dict[str, type[DeliveryError]] = {"TTL": BadTtl, "Urgency": BadUrgency, "Topic": BadTopic}
"""The error about each header."""


# https://www.rfc-editor.org/rfc/rfc8030#section-5.2
def _seconds(text: str) -> int:
    # TTL = 1*DIGIT, and DIGIT is ASCII. int() would also read a sign, "1_0" and Arabic digits.
    if not re.fullmatch(r"[0-9]+", text):
        raise BadTtl(f"TTL is {shown(text)}")
    digits = text.lstrip("0") or "0"
    # A number with more digits is over 2^31, and Python refuses to read thousands of digits.
    return MAX_TTL if len(digits) > 10 else min(int(digits), MAX_TTL)


# https://www.rfc-editor.org/rfc/rfc8030#section-5
@dataclass(frozen=True, repr=False, slots=True)
class PushRequest:
    """One POST to a push resource, described before anything is sent.

    ``url``: the endpoint; ``headers``: name to value; ``body``: encrypted bytes, or none. Printing
    it shows neither the path of the endpoint, which is a capability, nor the token.
    Source: RFC 8030 §5.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes

    method = "POST"

    @property
    def origin(self) -> str:
        """Return scheme, host and port of the URL, the only part of it that may be shown."""
        try:
            return origin_of(self.url)
        except ValueError:
            return ""

    def __str__(self) -> str:
        lines = [f"{self.method} {self.origin}/…"]
        for name, value in self.headers.items():
            if name.lower() == "authorization":
                value = LONG.sub(r"\1…", value)
            lines.append(f"{name}: {value}")
        return "\n".join([*lines, "", f"({len(self.body)} bytes)"])

    def __repr__(self) -> str:
        return f"<PushRequest {self.method} {self.origin}/… {len(self.body)} bytes>"


# https://www.rfc-editor.org/rfc/rfc8291#section-4
def build_request(
    subscription: PushSubscription,
    body: bytes | None,
    authorization: str,
    options: PushOptions,
) -> PushRequest:
    """Describe the request that sends a message.

    ``body``: what encryption.encrypt() gave, or None for a message without payload;
    ``authorization``: what vapid.authorization() gave. Source: RFC 8030 §5, RFC 8291 §4.

    >>> subscription = PushSubscription("https://push.example.net/push/secret", bytes.fromhex(
    ...     "04 6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    ...     "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"), bytes(16))
    >>> authorization = "vapid t=eyJ0eXAiOiJKV1Qi, k=BA1Hxzyi1RUM"
    >>> print(build_request(subscription, bytes(144), authorization, PushOptions()))
    POST https://push.example.net/…
    Authorization: vapid t=eyJ0eXAi…, k=BA1Hxzyi…
    TTL: 10000
    Urgency: normal
    Content-Encoding: aes128gcm
    Content-Type: application/octet-stream
    <BLANKLINE>
    (144 bytes)
    """
    headers = {"Authorization": authorization} | options.to_headers()
    if body:
        headers["Content-Encoding"] = "aes128gcm"
        headers["Content-Type"] = "application/octet-stream"
    return PushRequest(subscription.endpoint, headers, body or b"")
