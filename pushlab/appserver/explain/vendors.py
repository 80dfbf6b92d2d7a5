"""What the errors of the vendors' push services mean: they say more than the status.

Mozilla numbers its reasons (``errno``), Google writes sentences, Apple writes words without spaces,
and Windows uses headers. A response is recognized by its status and by a few words in its body or
headers. The first entry that matches is its explanation. If none matches, the status explains it.

Each entry has its source, and the month of the newest report of it that was found (in November 2026):
vendors publish little, and change their words.

Nothing here changes what a sender does: the status decides that. Windows answers 406 to too many
messages, where RFC 8030 §8.4 has 429. Such a message counts as refused and is not tried again: the
service says that it has dropped the message, and more of them would not help. The notify-all that it
belongs to slows down all the same.
"""

import re
from typing import Literal, NamedTuple

from pushlab.appserver.delivery.response import PushResponse
from pushlab.protocol.sources import (
    APPLE_MANUAL,
    APPLE_REPORTS,
    APPLE_TOKEN,
    APPLE_TOPIC,
    AUTOPUSH,
    FCM_REPORTS,
    NTFY_REPORTS,
    WNS_MANUAL,
    WNS_REPORTS,
    WNS_TTL,
    Source,
)

Kind = Literal["accepted", "gone", "retry", "refused", "failed"]

APPLICATION_SERVER, PUSH_SERVICE, USER_AGENT = "application server", "push service", "user agent"
NETWORK, MACHINE = "network", "this machine"


class Explanation(NamedTuple):
    """What an answer means.

    ``kind``: what the sender does; ``what``: what happened, in words; ``fault``: which party has to
    act, "" if none has; ``rfc``: where that is specified; ``next``: what to do.
    """

    kind: Kind
    what: str
    fault: str
    rfc: str
    next: str


class Known(NamedTuple):
    """One answer of one vendor: ``words``, in small letters, are in its body or in its headers.

    ``source``: how this answer is known, and since when.
    """

    vendor: str
    source: Source
    status: int
    words: str
    explanation: Explanation


def known_answer(response: PushResponse) -> Known | None:
    """Return the entry that a response matches, with its source, or None.

    >>> known = known_answer(PushResponse(403, body=b'{"reason":"BadJwtToken"}'))
    >>> print(known.source)
    reported by senders to Apple, September 2026
    >>> known_answer(PushResponse(400, body=b'{"reason":"VapidPkHashMismatch"}')).explanation.what
    'The key that signed is not the key that the subscription was made for'
    """
    said = searchable(response)
    fits = (known for known in VENDORS if known.status == response.status and known.words in said)
    return next(fits, None)


def searchable(response: PushResponse) -> str:
    """Return errno, headers and body as one text in small letters, to search for words."""
    value = response.json()
    errno = value.get("errno") if isinstance(value, dict) else None
    headers = [f"{name}: {value}" for name, value in response.headers]
    return "\n".join([f"errno {_whole(errno)};", *headers, response.text()]).lower()


def _whole(number: object) -> object:
    """Return a number as it is compared: some services, and proxies in between, send 109.0 or "109"."""
    text = str(number).strip()
    return text.removesuffix(".0") if re.fullmatch(r"[0-9]{1,6}(\.0)?", text) else number


def _mine(what: str, rfc: str, next: str) -> Explanation:
    return Explanation("refused", what, APPLICATION_SERVER, rfc, next)


ANOTHER_KEY = _mine("The key that signed is not the key that the subscription was made for",
    "RFC 8292 §4.2", "Sign with the key that was applicationServerKey in subscribe(), or let the "
    "page unsubscribe and subscribe again; keep the subscription meanwhile")  # fmt: skip
AUDIENCE = _mine("The aud of the token is not the origin of the endpoint", "RFC 8292 §2",
    "Set aud to the endpoint's scheme, host and port, with no path and no slash at the end, and "
    "make new claims for each vendor")  # fmt: skip
UNSIGNED = _mine("The request does not say who sends it", "RFC 8292 §3",
    "Send Authorization: vapid t=…, k=…; a library that gets no claims leaves this header "
    "out")  # fmt: skip
TOO_FAR = _mine("The exp of the token is more than 24 hours ahead", "RFC 8292 §2",
    "Set exp to now plus 12 hours, in seconds and not milliseconds")  # fmt: skip
NO_TTL = _mine("TTL is missing, or is not a whole number", "RFC 8030 §5.2",
    "Send the header TTL: how many seconds the message may wait, in digits")  # fmt: skip
TOPIC = _mine("This vendor does not accept the Topic", "RFC 8030 §5.4",
    "Use at most 32 characters of A-Z a-z 0-9 - _, and hash a longer name; for Apple not 1, 5, 9, … "
    "characters, because it decodes them as base64url")  # fmt: skip
TOO_LARGE = _mine("The message is too large for the push service", "RFC 8030 §7.2",
    "Send a body of at most 4096 bytes, which holds 3993 of plaintext; to Firefox on Android send at "
    "most about 3000")  # fmt: skip
GONE = Explanation("gone", "The subscription has ended", "", "RFC 9110 §15.5.11",
    "Nothing is broken. Remove the subscription: it will never work again")  # fmt: skip
NEVER_WAS = Explanation("gone", "This URL is not an endpoint of this vendor", APPLICATION_SERVER,
    "RFC 8030 §4", "Remove the subscription, and check that endpoints are stored whole and "
    "unchanged")  # fmt: skip
EXPIRED = Explanation("gone", "Google does not know this subscription any more: such subscriptions end "
    "when a browser is away for months, and Opera's were reported to end at once", "", "RFC 8030 §7.3",
    "Remove it, and let the page subscribe again at its next visit; if it is a new one, check that "
    "the endpoint is stored whole and unchanged")  # fmt: skip
NO_LOGIN = Explanation("refused", "This ntfy lets nobody write to the topic without a login, and does "
    "not look at the token", PUSH_SERVICE, "RFC 9110 §15.5.4", "On the machine of ntfy, allow it for "
    "UnifiedPush's topics: ntfy access '*' 'up*' write-only")  # fmt: skip
OVERLOADED = Explanation("retry", "Mozilla's service could not store the message", PUSH_SERVICE,
    "RFC 9110 §15.6.4", "Wait as long as Retry-After says, and send again")  # fmt: skip

# A table, with several values in a line.
# fmt: off
VENDORS: list[Known] = [
    # --- Mozilla: errno, and under 109 the message ---
    Known("Mozilla", AUTOPUSH, 404, "errno 102;", NEVER_WAS),
    Known("Mozilla", AUTOPUSH, 410, "errno 103;", GONE),
    Known("Mozilla", AUTOPUSH, 410, "errno 105;", GONE),
    Known("Mozilla", AUTOPUSH, 410, "errno 106;", GONE),
    Known("Mozilla", AUTOPUSH, 413, "errno 104;", TOO_LARGE),
    Known("Mozilla", AUTOPUSH, 401, "public key mismatch", ANOTHER_KEY),
    Known("Mozilla", AUTOPUSH, 401, "invalid vapid audience", AUDIENCE),
    Known("Mozilla", AUTOPUSH, 401, "invalidaudience", AUDIENCE),
    Known("Mozilla", AUTOPUSH, 401, "missing required claim: aud", AUDIENCE),
    Known("Mozilla", AUTOPUSH, 401, "expiredsignature", _mine(
        "The token has expired", "RFC 8292 §2", "Sign a new token, with exp 12 hours ahead; if its exp "
        "is ahead, look at this machine's clock")),
    Known("Mozilla", AUTOPUSH, 401, "invalidsignature", _mine(
        "The signature of the token is wrong", "RFC 8292 §2",
        "Sign with the private half of k, by ES256, as 64 bytes r‖s and not as DER")),
    Known("Mozilla", AUTOPUSH, 401, "expiration is too long", TOO_FAR),
    Known("Mozilla", AUTOPUSH, 401, "missing vapid public key", UNSIGNED),
    Known("Mozilla", AUTOPUSH, 401, "missing vapid token", UNSIGNED),
    Known("Mozilla", AUTOPUSH, 401, "missing authorization header", UNSIGNED),
    Known("Mozilla", AUTOPUSH, 401, "unknown auth scheme", _mine(
        "The scheme of the Authorization header is none that Mozilla takes", "RFC 8292 §3",
        "Write Authorization: vapid t=…, k=…; Mozilla also takes the WebPush and Bearer of old drafts")),
    Known("Mozilla", AUTOPUSH, 401, "invalid vapid public key", _mine(
        "The key k of the Authorization header is not base64", "RFC 8292 §3.2",
        "Set k to the 65 bytes of the public key, as base64url without padding")),
    Known("Mozilla", AUTOPUSH, 401, "a value in the vapid claims", _mine(
        "A claim is missing or of the wrong type", "RFC 8292 §2",
        "Set exp to a number without quotes, aud and sub to text, and leave out what you do not "
        "have")),
    Known("Mozilla", AUTOPUSH, 401, "errno 109;", _mine(
        "Mozilla does not accept the token, and gives this one status for every reason",
        "RFC 8292 §4.2", "Check your own copy of the claims: exp must be in the future and this "
        "machine's clock right, the signature must be r‖s, and the header needs both t and k")),
    Known("Mozilla", AUTOPUSH, 400, "errno 101;", _mine(
        "A header that the body's content coding needs is missing", "RFC 8291 §4",
        "Use Content-Encoding: aes128gcm, which needs no other header")),
    Known("Mozilla", AUTOPUSH, 400, "missing content-encoding", _mine(
        "The body's content coding is missing", "RFC 8291 §4",
        "Send Content-Encoding: aes128gcm, or no body at all")),
    Known("Mozilla", AUTOPUSH, 400, "unknown content-encoding", _mine(
        "Mozilla does not accept the body's content coding", "RFC 8291 §4",
        "Write Content-Encoding: aes128gcm, in lower case")),
    Known("Mozilla", AUTOPUSH, 400, "do not include", _mine(
        "The body is aes128gcm, and a header has a salt or a key for aesgcm", "RFC 8291 §4",
        "Leave out Encryption, and dh in Crypto-Key: in aes128gcm both are in the body")),
    Known("Mozilla", AUTOPUSH, 400, "p256ecdsa", _mine(
        "The token is in the form of a draft, and its key is missing", "RFC 8292 §3",
        "Write Authorization: vapid t=…, k=…; with WebPush or Bearer, the key belongs in "
        "Crypto-Key: p256ecdsa=…")),
    Known("Mozilla", AUTOPUSH, 400, "errno 110;", _mine(
        "A header that belongs to aesgcm, or to a token of a draft, is missing or malformed",
        "RFC 8291 §4", "Use Content-Encoding: aes128gcm and Authorization: vapid, which need no other "
        "header; aesgcm needs salt in Encryption and dh in Crypto-Key")),
    Known("Mozilla", AUTOPUSH, 400, "errno 111;", NO_TTL),
    Known("Mozilla", AUTOPUSH, 400, "errno 112;", NO_TTL),
    Known("Mozilla", AUTOPUSH, 400, "errno 114;", _mine(
        "TTL is negative", "RFC 8030 §5.2", "Send how many seconds the message may wait, from 0 on; a "
        "negative number often comes from a clock that is ahead")),
    Known("Mozilla", AUTOPUSH, 400, "errno 113;", TOPIC),
    Known("Mozilla", AUTOPUSH, 503, "errno 201;", OVERLOADED),
    Known("Mozilla", AUTOPUSH, 503, "errno 202;", OVERLOADED),

    # --- Google: sentences ---
    Known("FCM", FCM_REPORTS.of("2025-07"), 403, "do not correspond to the credentials", ANOTHER_KEY),
    Known("FCM", FCM_REPORTS.of("2021-08"), 403, "correspond to the sender id", ANOTHER_KEY),
    Known("FCM", FCM_REPORTS.of("2019-11"), 403, "aud claim in the token must include", AUDIENCE),
    Known("FCM", FCM_REPORTS.of("2024-03"), 403, "invalid jwt provided", _mine(
        "Google cannot verify the token, or its exp is in the past or more than 24 hours ahead",
        "RFC 8292 §4.2", "Set exp to now plus 12 hours, as a number, and check this machine's clock; "
        "sign with the private half of k, whose 32 bytes keep their leading zeros")),
    Known("FCM", FCM_REPORTS.of("2019-08"), 403, "exp claim", TOO_FAR),
    Known("FCM", FCM_REPORTS.of("2019-01"), 403, "mismatchsenderid", ANOTHER_KEY),
    Known("FCM", FCM_REPORTS.of("2022-11"), 403, "invalid push subscription endpoint", Explanation(
        "refused", "Google does not accept this endpoint at the moment", PUSH_SERVICE, "RFC 8030 §5",
        "Keep the subscription and send again another day, because such endpoints have worked again; "
        "if this one never does, let the page subscribe again")),
    Known("FCM", FCM_REPORTS.of("2025-04"), 403, "crypto-key header had invalid format", _mine(
        "The header Crypto-Key, of the drafts of VAPID, is malformed", "RFC 8292 §3",
        "Write Authorization: vapid t=…, k=…, and leave Crypto-Key out; if your library adds it, its "
        "p256ecdsa is the public key in base64url without padding")),
    Known("FCM", FCM_REPORTS.of("2021-04"), 401, "authorization header must be specified", UNSIGNED),
    Known("FCM", FCM_REPORTS.of("2016-12"), 400, "unauthorizedregistration", UNSIGNED),
    Known("FCM", FCM_REPORTS.of("2016-11"), 400, "invalidttlparameter", NO_TTL),
    Known("FCM", FCM_REPORTS.of("2025-09"), 404, "valid push subscription endpoint", EXPIRED),
    Known("FCM", FCM_REPORTS.of("2026-06"), 410, "unsubscribed or expired", GONE),

    # --- Apple: words ---
    Known("Apple", APPLE_REPORTS, 400, "vapidpkhashmismatch", ANOTHER_KEY),
    Known("Apple", APPLE_TOKEN, 403, "badjwttoken", _mine(
        "Apple does not accept the token, and gives this one word for every reason", "RFC 8292 §2",
        "Check sub first, because only Apple insists on it: mailto: with one real address, or https:, "
        "without a space and without < >, and not at localhost, .local, an IP address or a name "
        "without a dot. Then check aud, the signature, and that exp is at most 24 hours ahead")),
    Known("Apple", APPLE_MANUAL, 403, "vapidpkhashmismatch", ANOTHER_KEY),
    Known("Apple", APPLE_MANUAL, 403, "badvapidpublickey", _mine(
        "The key k of the Authorization header is not a public key", "RFC 8292 §3.2",
        "Set k to the 65 bytes of the public key, as base64url without padding")),
    Known("Apple", APPLE_MANUAL, 400, "badttl", NO_TTL),
    Known("Apple", APPLE_TOPIC, 400, "badwebpushtopic", TOPIC),
    Known("Apple", APPLE_MANUAL, 400, "badurgency", _mine(
        "Urgency is not one of the four values", "RFC 8030 §5.3",
        "Send very-low, low, normal or high, once")),

    # --- Windows: headers ---
    Known("WNS", WNS_TTL, 400, "ttl value conflicts", _mine(
        "TTL is 0 or missing, and Windows' service keeps messages unless the request says otherwise",
        "RFC 8030 §5.2", "Send a TTL above 0, which every vendor accepts; the answer's body is empty, "
        "and a header has the reason")),
    Known("WNS", WNS_REPORTS, 406, "x-wns-notificationstatus: dropped", _mine(
        "Windows' service has got too many messages and dropped this one; other services answer 429",
        "RFC 8030 §8.4", "Send less often, and send this message again later if it still matters")),
    Known("WNS", WNS_MANUAL, 406, "channelthrottled", _mine(
        "Windows' service has got too many messages for this subscription; other services answer 429",
        "RFC 8030 §8.4", "Send less often to this subscription, and wait as long as Retry-After says")),
    Known("WNS", WNS_REPORTS.of("2022-07"), 406, "appthrottled", _mine(
        "Windows' service has got too many messages from this sender; other services answer 429",
        "RFC 8030 §8.4", "Stop sending to Windows for as long as Retry-After says, then send more "
        "slowly: a sender that does not stop is locked out for hours")),
    Known("WNS", WNS_REPORTS.of("2026-06"), 429, "appthrottled", Explanation(
        "retry", "Windows' service has got too many messages from this sender", APPLICATION_SERVER,
        "RFC 8030 §8.4", "Stop sending to Windows for as long as Retry-After says, then send more "
        "slowly: a sender that does not stop is locked out for hours")),
    # Windows' reason is in X-WNS-Error-Description or in WWW-Authenticate, if it gives one.
    Known("WNS", WNS_MANUAL, 401, "x-wns-", _mine(
        "Windows' service does not accept the sender", "RFC 8292 §4.2",
        "Sign a new token: aud is the endpoint's origin, exp is at most 24 hours ahead, and this "
        "machine's clock is right. Send to the endpoint as it was given, with its %2b and %2f; if only "
        "older subscriptions are refused, let the page subscribe again")),
    Known("WNS", WNS_MANUAL, 403, "x-wns-", _mine(
        "Windows' service does not let this sender send to this subscription", "RFC 8292 §4.2",
        "Sign with the key that was applicationServerKey in subscribe()")),

    # --- ntfy: numbers, for push services that people run themselves ---
    Known("ntfy", NTFY_REPORTS.of("2026-05"), 401, '"code":40101', NO_LOGIN),
    Known("ntfy", NTFY_REPORTS.of("2026-05"), 403, '"code":40301', NO_LOGIN),
    Known("ntfy", NTFY_REPORTS, 507, "without previously active subscriber", Explanation(
        "retry", "No user agent has listened to this topic yet, so ntfy keeps no message for it",
        USER_AGENT, "RFC 4918 §11.5", "Let the user agent connect once, then send again")),
]
# fmt: on
