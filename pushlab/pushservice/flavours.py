"""In whose words the push service refuses: the RFCs', or one of four vendors'.

The RFCs leave a push service much room, and each vendor has furnished it in its own way. One fault
gets another status from each of them, with the reason in JSON, in a sentence, in a header or
nowhere. So that a sender can be tried against all of them, ``TABLE`` says it for each:

    our error's code  ×  flavour   →   status, headers, body

``strict`` is what the RFCs ask, with the leaf's own words as the body. Its one liberty is the end
of a subscription: RFC 8030 §7.3 wants 404 for one that has expired, and vendors say 410. Here 404
is for an endpoint that was never made, and 410 for one whose user agent has unsubscribed, because
a learner who sees both can tell a mistyped endpoint from a reader who has left; a sender does the
same upon either. Only the last MAX_GONE endpoints that were given up are remembered (see
``mailbox``); an older one is answered 404 again.

The vendors' words are the vendors' own: Mozilla's are in the source of its service, the others' in
what people have reported. Where nobody has reported any words, there are none here: the answer has
a status (the RFCs', if even that is not known) and no body. What concerns this program and no
fault of a sender's, such as a database that cannot be written, is told in its own words in every
flavour.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from pushlab.errors import (
    BadSubject,
    BadTopic,
    BadTtl,
    DeliveryError,
    PushlabError,
    UnknownFlavour,
    VapidError,
)
from pushlab.protocol import vapid
from pushlab.protocol.delivery import PushOptions

RETRY_AFTER = 60
"""Seconds that a sender is asked to wait when too many messages wait for its user agent."""


class VendorResponse(NamedTuple):
    """One answer. ``body`` is None where the error's own JSON is the body."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes | None = b""


class Flavour(StrEnum):
    """Whose push service this one plays.

    >>> Flavour.named("apple").answer(BadTopic("topic is 33 characters long")).body
    b'{"reason":"BadWebPushTopic"}'
    """

    STRICT = "strict"
    MOZILLA = "mozilla"
    FCM = "fcm"
    APPLE = "apple"
    WNS = "wns"

    @classmethod
    def named(cls, name: str) -> "Flavour":
        """Return the flavour of this name. Raise UnknownFlavour.

        >>> Flavour.named("mozilla") is Flavour.MOZILLA
        True
        """
        if name not in tuple(cls):
            raise UnknownFlavour(f"there is no flavour {str(name)[:40]!r}, only {', '.join(cls)}")
        return cls(name)

    @property
    def takes_aesgcm(self) -> bool:
        """Say whether bodies in the older coding are taken too, as they were before RFC 8291."""
        return self is Flavour.MOZILLA

    def overlooks(self, error: PushlabError) -> bool:
        """Say whether this vendor takes the message all the same, because it does not look."""
        return TABLE.get(error.code, {}).get(self) is OVERLOOKED

    def answer(self, error: PushlabError) -> VendorResponse:
        """Return what this vendor says upon a fault."""
        known = TABLE.get(error.code, {}).get(self)
        if known is not None:
            return known
        ours = self is Flavour.STRICT or not isinstance(error, VapidError | DeliveryError)
        return VendorResponse(error.status, body=None if ours else b"")

    def check_claims(self, claims: vapid.Claims) -> None:
        """Refuse claims that the RFC allows and this vendor does not. Raise BadSubject.

        RFC 8292 §2.1 makes ``sub`` optional. Apple wants one that leads to somebody, and so none
        at this machine.
        """
        if self is not Flavour.APPLE:
            return
        sub = claims.sub or ""
        if not vapid.CONTACT.fullmatch(sub) or sub.lower().endswith("@localhost"):
            raise BadSubject("sub is missing, or leads to nobody")

    def check_options(self, options: PushOptions) -> None:
        """Refuse options that the RFC allows and this vendor does not. Raise BadTopic, BadTtl."""
        # Apple decodes a Topic, and no number of bytes has 1, 5, 9, … characters in base64url.
        if self is Flavour.APPLE and len(options.topic or "") % 4 == 1:
            raise BadTopic(f"topic is {len(options.topic)} characters long: not base64url")
        # To Windows a TTL of 0 says "do not keep", and the cache policy, if none is sent, "keep".
        if self is Flavour.WNS and options.ttl == 0:
            raise BadTtl("ttl is 0")


OVERLOOKED = VendorResponse(201)
"""Stands in the table where a vendor does not look, and takes the message."""

REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    410: "Gone",
    413: "Payload Too Large",
}
MORE_INFO = "http://autopush.readthedocs.io/en/latest/http.html#error-codes"
DROPPED = {"X-WNS-Status": "dropped", "X-WNS-NotificationStatus": "dropped"}


def _json(value: dict) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _mozilla(status: int, errno: int, message: str = "", **headers: str) -> VendorResponse:
    """Say it in JSON. No message: there are several, by details that one code of ours holds."""
    body = {"code": status, "errno": errno, "error": REASONS[status]}
    body |= ({"message": message} if message else {}) | {"more_info": MORE_INFO}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return VendorResponse(status, {"Content-Type": "application/json"} | named, _json(body))


def _fcm(status: int, sentence: str) -> VendorResponse:
    headers = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return VendorResponse(status, headers, f"{sentence}\n".encode("ascii"))


def _apple(status: int, reason: str) -> VendorResponse:
    return VendorResponse(status, {"Content-Type": "application/json"}, _json({"reason": reason}))


_FCM_JWT = _fcm(403, "invalid JWT provided")
_FCM_KEY = (
    "the VAPID credentials in the authorization header do not correspond to the credentials used "
    "to create the subscriptions."
)
_FCM_ENDPOINT = (
    "A valid push subscription endpoint should be specified in the URL as such: "
    "https://fcm.googleapis.com/wp/dHIoDxE7Hdg:APA91bH1Zj0kNa..."
)
_MOZILLA_AUTH = _mozilla(401, 109)
_MOZILLA_CLAIM = _mozilla(401, 109,
    'Invalid VAPID token: A value in the vapid claims is either missing or incorrectly specified '
    '(e.g. "exp":"12345" or "sub":null). Please correct and retry.')  # fmt: skip
_APPLE_JWT = _apple(403, "BadJwtToken")
_WNS_TTL = VendorResponse(
    400, {"X-WNS-Error-Description": "Ttl value conflicts with X-WNS-Cache-Policy."} | DROPPED
)

# What is not in the table has the RFCs' status and no words. Windows' service names its reasons in
# headers, and what it puts there is known for two faults alone.
# fmt: off
_S, _M, _F, _A, _W = Flavour
TABLE: dict[str, dict[Flavour, VendorResponse]] = {
    "missing-authorization": {
        _M: _mozilla(401, 109, "Missing VAPID public key"),
        _F: _fcm(401, "authorization header must be specified"),
        _A: _APPLE_JWT,
    },
    "bad-authorization": {_M: _MOZILLA_AUTH, _A: _APPLE_JWT},
    "bad-token":         {_M: _MOZILLA_AUTH, _F: _FCM_JWT, _A: _APPLE_JWT},
    "bad-signature":     {_M: _MOZILLA_AUTH, _F: _FCM_JWT, _A: _APPLE_JWT},
    "bad-audience": {
        _M: _mozilla(401, 109, "Invalid VAPID audience"),
        _F: _fcm(403, "aud claim in the token MUST include the origin of the push resource URL"),
        _A: _APPLE_JWT,
    },
    "bad-expiry":    {_M: _MOZILLA_CLAIM, _F: _FCM_JWT, _A: _APPLE_JWT},
    "token-expired": {_M: _MOZILLA_AUTH, _F: _FCM_JWT, _A: _APPLE_JWT},
    "expiry-too-far": {
        _M: _mozilla(401, 109, "The VAPID token expiration is too long"),
        _F: _FCM_JWT,
        _A: _APPLE_JWT,
    },
    "bad-subject":   {_M: _MOZILLA_CLAIM, _A: _APPLE_JWT},
    "wrong-key": {
        _M: _mozilla(401, 109, "VAPID public key mismatch"),
        _F: _fcm(403, _FCM_KEY),
        _A: _apple(400, "VapidPkHashMismatch"),
    },
    "key-reused":  {_M: OVERLOOKED},
    "missing-ttl": {_M: _mozilla(400, 111, "Missing TTL value"), _W: _WNS_TTL},
    # Mozilla does not tell a TTL that it cannot read from none; a negative one would be errno 114.
    "bad-ttl":     {_M: _mozilla(400, 111, "Missing TTL value"), _W: _WNS_TTL},
    "bad-urgency": {_M: OVERLOOKED, _A: _apple(400, "BadUrgency")},
    "bad-topic":   {_M: _mozilla(400, 113), _A: _apple(400, "BadWebPushTopic")},
    "bad-content-encoding":  {_M: _mozilla(400, 110)},
    "body-too-large":        {_M: _mozilla(413, 104)},
    "unknown-push-resource": {
        _M: _mozilla(404, 102, "Invalid token"),
        _F: _fcm(404, _FCM_ENDPOINT),
        _A: VendorResponse(400),
    },
    "subscription-gone": {
        _M: _mozilla(410, 106, "No such subscription", Cache_Control="max-age=86400"),
        _F: _fcm(410, "push subscription has unsubscribed or expired."),
    },
    "queue-full": {
        _S: VendorResponse(429, {"Retry-After": str(RETRY_AFTER)}, None),
        _M: VendorResponse(503, {"Retry-After": "120"}),
        _W: VendorResponse(406, {"X-WNS-NotificationStatus": "dropped"}),
    },
}
# fmt: on
