"""What a refusal is about: this message, this recipient, this sender, or the whole push service.

A push service refuses one request at a time, and what it says may concern that request alone. One
user agent that is away lets its queue fill, and every message to it is answered 429; this says
nothing of anybody else. 503 says that the push service itself has too much to do, and concerns all
who are sent to there. A notify-all must not mix up the two.

The status says which it is, except where a vendor's words say more. It is what the push service
claims: a broken one may answer 503 to one recipient alone, or 429 to all. So a notify-all
compares the claim with the answers to others (``broadcast/origin_queue.py``).
"""

from typing import Literal, NamedTuple

from pushlab.appserver.delivery.response import NetworkFault, PushResponse
from pushlab.appserver.explain.vendors import searchable
from pushlab.protocol.sources import APNS_MANUAL, FCM_MANUAL, WNS_MANUAL

Scope = Literal["message", "recipient", "sender", "push service"]


class Concern(NamedTuple):
    """What a refusal is about. ``source``: the RFC, or the vendor's own word; ``why``: in words."""

    scope: Scope
    source: str
    why: str


class VendorConcern(NamedTuple):
    """One refusal of one vendor. ``words``, in small letters, are in its body or in its headers."""

    vendor: str
    status: int
    words: str
    concern: Concern


# A table, with several values in a line.
# fmt: off
STATUS_CONCERNS: dict[int, Concern] = {
    400: Concern("message", "RFC 8030 §5", "The push service cannot read this request"),
    401: Concern("sender", "RFC 8292 §4.2", "The request does not say who sends it"),
    403: Concern("sender", "RFC 8292 §4.2", "The token is not accepted"),
    404: Concern("recipient", "RFC 8030 §7.3", "This subscription has expired"),
    405: Concern("recipient", "RFC 9110 §15.5.6", "This URL accepts no POST"),
    406: Concern("sender", "RFC 8030 §8.4", "Windows' service has got too many messages and dropped "
    "this one"),
    407: Concern("push service", "RFC 9110 §15.5.8", "A proxy on the way lets nothing through"),
    408: Concern("message", "RFC 9110 §15.5.9", "This request did not come in time"),
    410: Concern("recipient", "RFC 9110 §15.5.11", "This subscription has ended"),
    413: Concern("message", "RFC 8030 §7.2", "The message is too large"),
    415: Concern("message", "RFC 8291 §4", "The body's content coding is unknown"),
    421: Concern("recipient", "RFC 9110 §15.5.20", "This URL belongs to another server"),
    425: Concern("message", "RFC 8470 §5.2", "This request may be a replay"),
    429: Concern("recipient", "RFC 8030 §8.4",
        "The rate limit for this push resource; Retry-After is for requests to this push resource"),
    500: Concern("push service", "RFC 9110 §15.6.1", "The push service met an unexpected condition"),
    502: Concern("push service", "RFC 9110 §15.6.3", "A server behind the gateway gave no valid answer"),
    503: Concern("push service", "RFC 9110 §15.6.4",
        "The push service is overloaded or under repair; Retry-After says for how long (§10.2.3)"),
    504: Concern("push service", "RFC 9110 §15.6.5", "A server behind the gateway gave no answer in "
    "time"),
    511: Concern("push service", "RFC 6585 §6", "A network on the way lets nothing through"),
}
CLASS_CONCERNS: dict[int, Concern] = {
    3: Concern("recipient", "RFC 9110 §15.4", "This URL points elsewhere"),
    4: Concern("message", "RFC 9110 §15.5", "The fault is in this request"),
    5: Concern("push service", "RFC 9110 §15.6", "The fault is the server's"),
}
NOT_HTTP = Concern("push service", "RFC 9110 §15", "The server that answered does not speak HTTP")
NO_ANSWER = Concern("push service", "RFC 9110 §4.3",
    "No part of the request is known to have been read, so this concerns the whole origin")

OF_A_PROJECT = Concern("sender", str(FCM_MANUAL), "The quota of one sender's project is used up")

# Documented means: for the vendor's own API. Web Push endpoints lead to the same services, and no
# limit of this kind was provoked here.
VENDOR_CONCERNS: list[VendorConcern] = [
    VendorConcern("Apple", 429, "toomanyrequests", Concern("recipient",
        str(APNS_MANUAL), "Too many requests for one device token")),
    VendorConcern("Apple", 429, "toomanyprovidertokenupdates", Concern("sender",
        str(APNS_MANUAL), "The sender makes new tokens too often")),
    VendorConcern("FCM", 429, "device message rate", Concern("recipient",
        str(FCM_MANUAL), "Too many messages to one device")),
    VendorConcern("FCM", 429, "quota exceeded", OF_A_PROJECT),
    VendorConcern("FCM", 429, "quota_exceeded", OF_A_PROJECT),
    VendorConcern("FCM", 403, "invalid push subscription endpoint", Concern("recipient",
        "RFC 8030 §5", "This endpoint is not accepted at the moment, and others are")),
    VendorConcern("Apple", 400, "vapidpkhashmismatch", Concern("sender",
        "RFC 8292 §4.2", "The key is not that of the subscription; other services answer 403")),
    VendorConcern("WNS", 406, "channelthrottled", Concern("recipient",
        str(WNS_MANUAL), "Too many messages for one channel: one subscription")),
    VendorConcern("WNS", 429, "appthrottled", Concern("sender",
        str(WNS_MANUAL), "Too many messages of one sender; other answers say so with 406")),
]
# fmt: on
_VENDORS_DIFFER = {one.status for one in VENDOR_CONCERNS}


def concern_of(answer: PushResponse | NetworkFault) -> Concern:
    """Return what a response that is no success is about, or a missing response.

    >>> concern_of(PushResponse(429)).scope, concern_of(PushResponse(503)).scope
    ('recipient', 'push service')
    >>> concern_of(PushResponse(429, body=b'{"reason":"TooManyProviderTokenUpdates"}')).scope
    'sender'
    """
    if isinstance(answer, NetworkFault):
        return NO_ANSWER
    if answer.status in _VENDORS_DIFFER:
        said = searchable(answer)
        for known in VENDOR_CONCERNS:
            if known.status == answer.status and known.words in said:
                return known.concern
    status = answer.status
    return STATUS_CONCERNS.get(status) or CLASS_CONCERNS.get(status // 100, NOT_HTTP)


def concerns_all(scope: Scope) -> bool:
    """Return whether a refusal claims to concern every message to the same push service."""
    return scope in ("sender", "push service")
