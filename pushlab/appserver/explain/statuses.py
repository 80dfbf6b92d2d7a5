"""What a response means by its status alone, whatever else is in it."""

from pushlab.appserver.explain.vendors import (
    APPLICATION_SERVER,
    GONE,
    NETWORK,
    PUSH_SERVICE,
    TOO_LARGE,
    Explanation,
)

# A table, with several values in a line.
# fmt: off
STATUS: dict[int, Explanation] = {
    201: Explanation("accepted", "The push service has the message",
        "", "RFC 8030 §5",
        "It is not delivered yet: it waits until the user agent is connected"),
    202: Explanation("accepted", "The push service has the message, and answers as if a receipt had "
        "been asked for",
        "", "RFC 8030 §5.1", "It is not delivered yet; without Prefer: respond-async expect 201"),
    400: Explanation("refused", "The push service cannot read the request",
        APPLICATION_SERVER, "RFC 8030 §5",
        "Check TTL, Urgency, Topic and Content-Encoding: aes128gcm; Apple also answers 400 when the "
        "key is not that of the subscription"),
    401: Explanation("refused", "The push service does not accept the sender",
        APPLICATION_SERVER, "RFC 8292 §4.2",
        "Send Authorization: vapid t=…, k=…; Mozilla also answers 401 for a wrong aud, exp or key"),
    403: Explanation("refused", "The push service does not accept the token",
        APPLICATION_SERVER, "RFC 8292 §4.2",
        "Check that k is the applicationServerKey of the subscription, that aud is the "
        "endpoint's origin, that exp is at most 24 hours ahead, and that this machine's clock is right"),
    404: Explanation("gone", "The push service does not know this subscription, or it has expired",
        "", "RFC 8030 §7.3", "Remove the subscription: it will never work again"),
    405: Explanation("refused", "The push service accepts no POST at this URL",
        APPLICATION_SERVER, "RFC 9110 §15.5.6", "Send to the endpoint exactly as the browser gave it"),
    406: Explanation("refused",
        "The push service has dropped the message, as Windows' service does when it gets too many",
        APPLICATION_SERVER, "RFC 8030 §8.4", "Send less often, and look at the headers X-WNS-…"),
    408: Explanation("retry", "The push service did not get the whole request in time",
        NETWORK, "RFC 9110 §15.5.9", "Send again on a new connection"),
    410: GONE,
    407: Explanation("refused", "A proxy on the way wants to know who you are", NETWORK,
        "RFC 9110 §15.5.8", "This answer is not the push service's: send from a machine "
        "without a proxy"),
    413: TOO_LARGE,
    415: Explanation("refused", "The push service does not know the body's content coding",
        APPLICATION_SERVER, "RFC 8291 §4", "Send Content-Encoding: aes128gcm"),
    421: Explanation("refused", "What answered does not serve the host of this endpoint", NETWORK,
        "RFC 9110 §15.5.20",
        "Send to the endpoint exactly as the browser gave it, on a connection of its own; if a proxy is "
        "in between, look where it leads"),
    425: Explanation("retry", "The push service takes no request that may be a replay of TLS early data",
        PUSH_SERVICE, "RFC 8470 §5.2", "Send again, and without early data (0-RTT)"),
    429: Explanation("retry", "The push service has got too many messages",
        APPLICATION_SERVER, "RFC 8030 §8.4",
        "Wait as long as Retry-After says, and use Topic to replace what is outdated"),
    500: Explanation("retry", "The push service itself has failed",
        PUSH_SERVICE, "RFC 9110 §15.6.1", "Send again later"),
    502: Explanation("retry", "A gateway of the push service got no valid answer",
        PUSH_SERVICE, "RFC 9110 §15.6.3", "Send again later"),
    503: Explanation("retry", "The push service is overloaded or under repair",
        PUSH_SERVICE, "RFC 9110 §15.6.4", "Wait as long as Retry-After says, and send again"),
    504: Explanation("retry", "A gateway of the push service got no answer in time",
        PUSH_SERVICE, "RFC 9110 §15.6.5", "Send again later"),
    # Not given up at once: it ends when somebody logs in, and nothing has to be changed in the message.
    511: Explanation("retry", "A network on the way, such as a hotel's, wants somebody to log in first",
        NETWORK, "RFC 6585 §6",
        "This answer is not the push service's: log in with a browser, or send from another network"),
}
CLASSES: dict[int, Explanation] = {
    2: Explanation("accepted", "The push service has accepted the message with a status that RFC 8030 "
    "does not name",
        "", "RFC 8030 §5", "Check whether the message arrives: RFC 8030 expects 201"),
    3: Explanation("refused", "The push service redirects to another URL, and a sender does not follow",
        PUSH_SERVICE, "RFC 9110 §15.4", "Let the page subscribe again: endpoints do not move"),
    4: Explanation("refused", "The push service refuses the message with a status that RFC 8030 does "
    "not name",
        APPLICATION_SERVER, "RFC 9110 §15.5", "Read the push service's own words"),
    5: Explanation("retry", "The push service itself has failed",
        PUSH_SERVICE, "RFC 9110 §15.6", "Send again later"),
}
STRANGE = Explanation("refused", "The answer has a status that HTTP does not define", PUSH_SERVICE,
              "RFC 9110 §15", "Check that the endpoint belongs to a push service")
# fmt: on


def meaning_of(status: int) -> Explanation:
    """Return what a status means; RFC 9110 §15 lets an unknown one mean what its class does.

    >>> meaning_of(418).kind, meaning_of(999) is STRANGE
    ('refused', True)
    """
    return STATUS.get(status) or CLASSES.get(status // 100, STRANGE)
