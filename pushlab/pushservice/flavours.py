"""How the push service refuses a request: as the RFCs say, or as one of four vendors does.

The RFCs leave much open, and each vendor has decided it differently. For the same fault, each of
them responds with another status, and gives the reason in JSON, in a sentence, in a header or not
at all. So that a sender can be tested against all of them, ``TABLE`` holds the response of each:

    our error's code  ×  flavour   →   status, headers, body

``strict`` follows the RFCs, and its body is our error as JSON. It deviates in one point, the end of
a subscription: RFC 8030 §7.3 requires 404 for one that has expired, and vendors respond with 410.
Here 404 means that the endpoint was never made, and 410 that its user agent has unsubscribed. A
learner who sees both can tell a mistyped endpoint from a user agent that has unsubscribed; a sender
reacts to both in the same way. The mailbox remembers only the last MAX_GONE endpoints that were
given up (see ``mailbox``); older ones are answered 404 again.

The texts are the vendors' own. Mozilla's are from the source of its service; the others' are from
what people have reported. Each response has its source, and the month of the newest report of it.
Where nobody has reported a text, the response has a status (the RFCs', if not even the status is
known) and no body. An error of this program, such as a database that cannot be written, is no fault
of the sender, and its body is our JSON in every flavour.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from tornado.httputil import HTTPHeaders

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
from pushlab.protocol.sources import (
    APPLE_MANUAL,
    APPLE_REPORTS,
    APPLE_TOKEN,
    APPLE_TOPIC,
    AUTOPUSH,
    FCM_REPORTS,
    WNS_REPORTS,
    WNS_TTL,
    Source,
)
from pushlab.pushservice import mozilla

BY_RFC = Source("RFC", "the RFC's status; the vendor's own is not known")
"""For what no vendor has published and nobody has reported: see the error's own RFC."""

RETRY_AFTER = 60
"""Seconds that a sender is asked to wait when too many messages wait for the user agent."""


class VendorResponse(NamedTuple):
    """A vendor's response to a fault, and how it is known that the vendor gives it.

    ``body`` is None where our error as JSON is the body.
    """

    status: int
    headers: Mapping[str, str] = {}
    body: bytes | None = b""
    source: Source = BY_RFC


class Flavour(StrEnum):
    """The vendor whose responses the push service gives, or ``strict`` for the RFCs'.

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
        """Return the flavour of this name. Raises UnknownFlavour.

        >>> Flavour.named("mozilla") is Flavour.MOZILLA
        True
        """
        if name not in tuple(cls):
            raise UnknownFlavour(f"there is no flavour {str(name)[:40]!r}, only {', '.join(cls)}")
        return cls(name)

    @property
    def takes_aesgcm(self) -> bool:
        """Whether this vendor also accepts bodies in aesgcm, the coding before RFC 8291."""
        return self is Flavour.MOZILLA

    def option_headers(self, headers: HTTPHeaders) -> HTTPHeaders:
        """Return the headers of a request as this vendor reads TTL, Urgency and Topic.

        Raises MissingTtl, BadTtl, BadTopic.
        """
        return mozilla.options(headers) if self is Flavour.MOZILLA else headers

    def overlooks(self, error: PushlabError) -> bool:
        """Return whether this vendor does not check for a fault, and accepts the message."""
        return TABLE.get(error.code, {}).get(self) is OVERLOOKED

    def answer(self, error: PushlabError) -> VendorResponse:
        """Return this vendor's response to a fault."""
        known = TABLE.get(error.code, {}).get(self)
        if self is Flavour.MOZILLA and error.code in MOZILLA_SENTENCES:
            sentence = error.detail if isinstance(error.detail, mozilla.Sentence) else ""
            known = _mozilla(*MOZILLA_SENTENCES[error.code], sentence)
        if self is Flavour.MOZILLA:
            known = MOZILLA_REASONS.get(error.detail, known)
        if known is not None:
            return known
        ours = self is Flavour.STRICT or not isinstance(error, VapidError | DeliveryError)
        return VendorResponse(error.status, {}, None if ours else b"", BY_RFC)

    def credentials(self, headers: Mapping[str, str]) -> vapid.Credentials:
        """Read a request's Authorization, in the forms that this vendor takes.

        Raises VapidError, BadContentEncoding.
        """
        if self is not Flavour.MOZILLA:
            return vapid.parse(headers.get("Authorization"))
        credentials = mozilla.credentials(headers)
        mozilla.check_types(credentials)
        return credentials

    def check_claims(self, claims: vapid.Claims) -> None:
        """Refuse claims that the RFC allows and this vendor does not. Raises BadSubject.

        RFC 8292 §2.1 makes ``sub`` optional. Apple requires a ``sub`` that leads to somebody, and
        an address at this machine does not.
        """
        sub = claims.sub or ""
        if self is Flavour.APPLE and (not vapid.CONTACT.fullmatch(sub) or vapid.unreachable(sub)):
            raise BadSubject("sub is missing, or leads to nobody")

    def check_options(self, options: PushOptions) -> None:
        """Refuse options that the RFC allows and this vendor does not. Raises BadTopic, BadTtl."""
        # Apple decodes a Topic, and no number of bytes has 1, 5, 9, … characters in base64url.
        length = len(options.topic or "")
        if self is Flavour.APPLE and length % 4 == 1:
            raise BadTopic(f"topic is {length} characters long: not base64url")
        # For Windows a TTL of 0 means "do not store", and a missing cache policy means "store".
        if self is Flavour.WNS and options.ttl == 0:
            raise BadTtl("ttl is 0")


OVERLOOKED = VendorResponse(201, source=AUTOPUSH)
"""Marks, in the table, a fault that a vendor does not check for: it accepts the message."""

REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    410: "Gone",
    413: "Payload Too Large",
}
MORE_INFO = "http://autopush.readthedocs.io/en/latest/http.html#error-codes"
TOO_MANY = Source("RFC", "RFC 8030 §8.4")
DROPPED = {"X-WNS-Status": "dropped", "X-WNS-NotificationStatus": "dropped"}


def _json(value: dict) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _mozilla(status: int, errno: int, message: str = "", **headers: str) -> VendorResponse:
    """Make a response in JSON. It has no message where several belong to one code of ours."""
    body = {"code": status, "errno": errno, "error": REASONS[status]}
    body |= ({"message": message} if message else {}) | {"more_info": MORE_INFO}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    headers = {"Content-Type": "application/json"} | named
    return VendorResponse(status, headers, _json(body), AUTOPUSH)


def _fcm(status: int, sentence: str, reported: str) -> VendorResponse:
    headers = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return VendorResponse(status, headers, f"{sentence}\n".encode("ascii"), FCM_REPORTS.of(reported))


def _apple(status: int, reason: str, source: Source) -> VendorResponse:
    headers = {"Content-Type": "application/json"}
    return VendorResponse(status, headers, _json({"reason": reason}), source)


_FCM_JWT = _fcm(403, "invalid JWT provided", "2024-03")
_FCM_KEY = (
    "the VAPID credentials in the authorization header do not correspond to the credentials used "
    "to create the subscriptions."
)
_FCM_ENDPOINT = (
    "A valid push subscription endpoint should be specified in the URL as such: "
    "https://fcm.googleapis.com/wp/dHIoDxE7Hdg:APA91bH1Zj0kNa..."
)
_MOZILLA_CLAIM = _mozilla(401, 109,
    'Invalid VAPID token: A value in the vapid claims is either missing or incorrectly specified '
    '(e.g. "exp":"12345" or "sub":null). Please correct and retry.')  # fmt: skip
_APPLE_JWT = _apple(403, "BadJwtToken", APPLE_TOKEN)
MOZILLA_SENTENCES = {
    "bad-authorization": (401, 109),
    "bad-ttl": (400, 114),
    "bad-topic": (400, 113),
    "bad-content-encoding": (400, 110),
}
"""Status and errno of the errors whose detail may be Mozilla's own sentence: see ``mozilla``."""

MOZILLA_REASONS = {
    mozilla.NO_AUDIENCE: _mozilla(401, 109, "Invalid VAPID token: Missing required claim: aud"),
    mozilla.NOT_ONE_AUDIENCE: _MOZILLA_CLAIM,
}
"""What Mozilla tells apart where the RFC has one error: by what was seen."""

_WNS_TTL = VendorResponse(
    400,
    {"X-WNS-Error-Description": "Ttl value conflicts with X-WNS-Cache-Policy."} | DROPPED,
    source=WNS_TTL,
)

# A fault that is not in the table has the RFCs' status and no body. Windows' service gives its
# reasons in headers, and their content is known for two faults only.
# fmt: off
_S, _M, _F, _A, _W = Flavour
TABLE: dict[str, dict[Flavour, VendorResponse]] = {
    "missing-authorization": {
        _M: _mozilla(401, 109, "Missing VAPID public key"),
        _F: _fcm(401, "authorization header must be specified", "2021-04"),
        _A: _APPLE_JWT,
    },
    "bad-authorization": {_A: _APPLE_JWT},
    "bad-token":         {_M: _mozilla(401, 109), _F: _FCM_JWT, _A: _APPLE_JWT},
    "bad-signature":     {_M: _mozilla(401, 109, "InvalidSignature"), _F: _FCM_JWT, _A: _APPLE_JWT},
    "bad-audience": {
        _M: _mozilla(401, 109, "InvalidAudience"),
        _F: _fcm(
            403, "aud claim in the token MUST include the origin of the push resource URL", "2019-11"),
        _A: _APPLE_JWT,
    },
    "bad-expiry":    {_M: _MOZILLA_CLAIM, _F: _FCM_JWT, _A: _APPLE_JWT},
    "token-expired": {_M: _mozilla(401, 109, "ExpiredSignature"), _F: _FCM_JWT, _A: _APPLE_JWT},
    "expiry-too-far": {
        _M: _mozilla(401, 109, "The VAPID token expiration is too long"),
        _F: _FCM_JWT,
        _A: _APPLE_JWT,
    },
    "bad-subject":   {_M: _MOZILLA_CLAIM, _A: _APPLE_JWT},
    "wrong-key": {
        _M: _mozilla(401, 109, "VAPID public key mismatch"),
        _F: _fcm(403, _FCM_KEY, "2025-07"),
        _A: _apple(400, "VapidPkHashMismatch", APPLE_REPORTS),
    },
    "key-reused":  {_M: OVERLOOKED},
    "missing-ttl": {_M: _mozilla(400, 111, "Missing TTL value"), _W: _WNS_TTL},
    "bad-ttl":     {_W: _WNS_TTL},
    "bad-urgency": {_M: OVERLOOKED, _A: _apple(400, "BadUrgency", APPLE_MANUAL)},
    "bad-topic":   {_A: _apple(400, "BadWebPushTopic", APPLE_TOPIC)},
    "body-too-large":        {_M: _mozilla(413, 104)},
    "unknown-push-resource": {
        _M: _mozilla(404, 102, "Invalid token"),
        _F: _fcm(404, _FCM_ENDPOINT, "2025-09"),
        _A: VendorResponse(400, source=APPLE_REPORTS),
    },
    "subscription-gone": {
        _M: _mozilla(410, 106, "No such subscription", Cache_Control="max-age=86400"),
        _F: _fcm(410, "push subscription has unsubscribed or expired.", "2026-06"),
    },
    "queue-full": {
        _S: VendorResponse(429, {"Retry-After": str(RETRY_AFTER)}, None, TOO_MANY),
        _M: VendorResponse(503, {"Retry-After": "120"}, source=AUTOPUSH),
        _W: VendorResponse(406, {"X-WNS-NotificationStatus": "dropped"}, source=WNS_REPORTS),
    },
}
# fmt: on
