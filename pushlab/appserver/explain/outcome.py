"""The outcome of a message, in words: what happened, whose fault it is, which RFC, what to do next.

The status decides what the sender does. There are four cases:

    accepted   2xx                          nothing more to do
    gone       404, 410                     remove the subscription; nothing else removes one
    retry      429, 5xx, network faults     send again later, but not for ever
    refused    any other status             correct the request, and keep the subscription

A fifth, ``failed``, is a message that was never sent. With one wrong key the messages to all
subscribers are refused at once, so a sender that removed refused subscriptions would lose them all.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache

from pushlab.appserver.delivery.response import NetworkFault, PushResponse, Response
from pushlab.appserver.explain import vendors
from pushlab.appserver.explain.curl_errors import CURL_ERRORS, OTHER_ERROR
from pushlab.appserver.explain.html_page import sentence_of
from pushlab.appserver.explain.reserved import reserved_name
from pushlab.appserver.explain.scope import Scope, concern_of
from pushlab.appserver.explain.vendors import (
    APPLICATION_SERVER,
    PUSH_SERVICE,
    USER_AGENT,
    Explanation,
    Kind,
)
from pushlab.errors import PushlabError
from pushlab.text import show

PLAIN = ("Created", "")
"""The reason phrases of a 201: HTTP/1.1's, and HTTP/2's, which is empty."""

UNREADABLE = "\ufffd\0"
"""What stands for bytes that are no UTF-8, and the zero that no text has."""

SILENT_HEADERS = {"date", "content-length", "connection"}
"""Headers that do not help to explain a refusal."""

SECRET_HEADERS = ("location", "link", "content-location", "set-cookie")
"""Headers of a response whose values only the sender may see."""


# A table, with several values in a line.
# fmt: off
STATUS: dict[int, Explanation] = {
    201: Explanation("accepted", "The push service has the message",
        "", "RFC 8030 §5",
        "It is not delivered yet: it waits until the user agent is connected"),
    202: Explanation("accepted", "The push service has the message and will send a receipt",
        "", "RFC 8030 §5.1", "Ask the URL in the Link header for the receipt"),
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
        USER_AGENT, "RFC 8030 §7.3", "Remove the subscription: it will never work again"),
    405: Explanation("refused", "The push service accepts no POST at this URL",
        APPLICATION_SERVER, "RFC 9110 §15.5.6", "Send to the endpoint exactly as the browser gave it"),
    406: Explanation("refused",
        "The push service has dropped the message, as Windows' service does when it gets too many",
        APPLICATION_SERVER, "RFC 8030 §8.4", "Send less often, and look at the headers X-WNS-…"),
    410: Explanation("gone", "The user agent has unsubscribed",
        USER_AGENT, "RFC 8030 §7.3",
        "Nothing is broken. Remove the subscription: it will never work again"),
    407: Explanation("refused", "A proxy on the way wants to know who you are", vendors.NETWORK,
        "RFC 9110 §15.5.8", "No push service answers so: send from a machine with a direct way out"),
    413: Explanation("refused", "The message is too large for the push service",
        APPLICATION_SERVER, "RFC 8030 §7.2",
        "Send a body of at most 4096 bytes, which holds 3993 of plaintext; to phones send at most "
        "about 3000"),
    415: Explanation("refused", "The push service does not know the body's content coding",
        APPLICATION_SERVER, "RFC 8291 §4", "Send Content-Encoding: aes128gcm"),
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
}
CLASSES: dict[int, Explanation] = {
    2: Explanation("accepted", "The push service has accepted the message with a status that RFC 8030 "
    "does not name",
        "", "RFC 8030 §5", "Check whether the message arrives: RFC 8030 expects 201"),
    3: Explanation("refused", "The push service redirects to another URL, and a sender does not follow",
        PUSH_SERVICE, "RFC 8030 §8", "Let the page subscribe again: endpoints do not move"),
    4: Explanation("refused", "The push service refuses the message with a status that RFC 8030 does "
    "not name",
        APPLICATION_SERVER, "RFC 9110 §15.5", "Read the push service's own words"),
    5: Explanation("retry", "The push service itself has failed",
        PUSH_SERVICE, "RFC 9110 §15.6", "Send again later"),
}
STRANGE = Explanation("refused", "The answer has a status that HTTP does not define", PUSH_SERVICE,
              "RFC 9110 §15", "Check that the endpoint belongs to a push service")
# fmt: on


@dataclass(frozen=True, repr=False)
class Outcome:
    """The outcome of one message.

    ``status``: of the push service's last response, or None; ``text``: the whole explanation;
    ``retry_after``: the header, unchanged; ``attempts``: how many requests were made; ``about``: what
    a refusal concerns, or None where there is none, or where the message was not sent; ``source``:
    how the explanation is known, and since when.
    """

    kind: Kind
    status: int | None
    text: str
    fault: str = ""
    rfc: str = ""
    next: str = ""
    retry_after: str | None = None
    attempts: int = 1
    about: Scope | None = None
    source: str = ""

    def __str__(self) -> str:
        return self.text

    def adding(self, more: str) -> "Outcome":
        """Return this outcome with one more sentence. A vendor's own words may lack their full stop."""
        stop = "" if self.text.endswith((".", "?", "!", "…")) else "."
        return replace(self, text=f"{self.text}{stop} {more}")

    @property
    def asks_for_less(self) -> bool:
        """Whether the push service wants fewer messages, whatever becomes of this one.

        Windows' service says so with 406, and drops the message.
        """
        told_to_wait = self.status == 406 or self.retry_after is not None
        return self.kind == "retry" or (self.kind == "refused" and told_to_wait)

    def __repr__(self) -> str:
        return f"<Outcome {self.kind}: {self.text}>"


def explain(
    answer: Response | PushlabError,
    hidden: Iterable[str] = (),
    attempts: int = 1,
    *,
    origin: str = "",
    clock: Callable[[], float] | None = None,
) -> Outcome:
    """Explain an answer, or what kept it from coming.

    ``hidden`` are texts that must not be shown, such as the endpoint: a push service may repeat
    them. ``attempts``: how many requests were made; ``origin``: of the endpoint, for which some
    network faults mean more; ``clock``: seconds since 1970, to say which explanations are old.

    >>> print(explain(PushResponse(410, reason="Gone")))
    410 Gone: The user agent has unsubscribed (RFC 8030 §7.3). ...
    >>> explain(NetworkFault(7)).kind
    'retry'
    """
    if isinstance(answer, PushlabError):
        meaning = Explanation("failed", answer.detail.rstrip("."), answer.fault, answer.rfc, answer.hint)
        return _outcome(meaning, None, _sentence(meaning))
    if isinstance(answer, NetworkFault):
        meaning = reserved_name(origin, answer) or CURL_ERRORS.get(answer.code, OTHER_ERROR)
        shown = show(answer.message, hidden)
        said = f" libcurl says: {shown} (error {answer.code})." if shown else ""
        text = f"{_sentence(meaning)}{said}"
        return _outcome(meaning, None, text, attempts=attempts, about=concern_of(answer).scope)
    if answer.status == 201 and answer.reason in PLAIN:
        return _created(answer.reason, attempts)
    meaning = STATUS.get(answer.status) or CLASSES.get(answer.status // 100, STRANGE)
    head = f"{answer.status} {show(answer.reason, hidden)}".strip()
    said = words_of(answer, hidden)
    source = meaning.rfc
    # The lab's push service explains its errors, and more exactly than a status can.
    if " Fault: " not in said:
        known = None if meaning.kind == "accepted" else vendors.known_answer(answer)
        meaning = known.explanation if known else meaning
        words = f" It says: {said}" if said else _page_in_success(answer)
        rest = "" if known or meaning.kind == "accepted" else _rest_of(answer, said, hidden)
        old = ""
        if known:
            now = clock() if clock else None
            source = known.source.told(now)
            old = f" This is {source}." if now and known.source.is_old(now) else ""
        said = f"{_sentence(meaning)}{old}{words}{rest}"
    about = None if meaning.kind == "accepted" else concern_of(answer).scope
    retry_after = answer.header("Retry-After")
    return _outcome(meaning, answer.status, f"{head}: {said}", retry_after, attempts, about, source)


@cache
def _created(reason: str, attempts: int) -> Outcome:
    # Nearly every response to a notify-all is this one, so its text is made once.
    text = f"{f'201 {reason}'.strip()}: {_sentence(STATUS[201])}"
    return _outcome(STATUS[201], 201, text, attempts=attempts)


def _outcome(
    meaning: Explanation,
    status: int | None,
    text: str,
    retry_after: str | None = None,
    attempts: int = 1,
    about: Scope | None = None,
    source: str = "",
) -> Outcome:
    return Outcome(
        meaning.kind,
        status,
        text,
        meaning.fault,
        meaning.rfc,
        meaning.next,
        retry_after,
        attempts,
        about,
        source or meaning.rfc,
    )


@cache
def _sentence(meaning: Explanation) -> str:
    where = f" ({meaning.rfc})" if meaning.rfc else ""
    whose = f" Fault: {meaning.fault}." if meaning.fault else ""
    what_next = f" {meaning.next}{'' if meaning.next.endswith('?') else '.'}" if meaning.next else ""
    return f"{meaning.what}{where}.{whose}{what_next}"


def words_of(response: PushResponse, hidden: Iterable[str] = ()) -> str:
    """Return the message in a push service's response: from its headers for people, and its body.

    Mozilla and FCM write it into the body's ``message``, Apple into ``reason``, Windows into
    headers. Of an HTML page, its title and its text are the message.

    >>> words_of(PushResponse(403, body=b'{"reason":"BadJwtToken"}'))
    'BadJwtToken'
    """
    if 200 <= response.status < 300:
        return ""
    names = ("X-WNS-Error-Description", "X-WNS-NotificationStatus", "Retry-After")
    said = [f"{name}: {value}" for name in names for value in response.header_list(name)]
    text = response.body.decode("utf-8", "replace")
    message = sentence_of(text) or _message_in(text)
    if _is_unreadable(text):
        message = f"{len(response.body)} bytes that are no text"
    return show("; ".join([*said, message]).strip("; "), hidden)


def _rest_of(response: PushResponse, shown: str, hidden: Iterable[str]) -> str:
    """Return the part of an unknown response that ``shown`` leaves out: it may help a reader."""
    headers = [
        f"{name}: {'…' if name.lower() in SECRET_HEADERS else value}"
        for name, value in response.headers
        # HTTP/2 sends names in small letters, and HTTP/1.1 in any: they are the same (RFC 9110 §5.1).
        if f"{name}: {value}".lower() not in shown.lower() and name.lower() not in SILENT_HEADERS
    ]
    text = response.body.decode("utf-8", "replace")
    told = sentence_of(text) or _is_unreadable(text)
    body = "" if told else show(text, hidden)
    parts = [("Its headers", show("; ".join(headers), hidden)), ("Its body", body)]
    return "".join(f" {name}: {text}" for name, text in parts if text and text not in shown)


def _message_in(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        value = value["error"]
    names = ("message", "reason", "detail", "error")
    found = [value.get(name) for name in names] if isinstance(value, dict) else []
    return next((text for text in found if isinstance(text, str) and text), text)


def _is_unreadable(text: str) -> bool:
    """Say whether a third of a text stands for bytes that are no text."""
    return sum(letter in UNREADABLE for letter in text) * 3 > len(text)


def _page_in_success(response: PushResponse) -> str:
    """Doubt a success with a page in it: what answered is a login page, or a proxy's."""
    page = sentence_of(response.body.decode("utf-8", "replace"))
    return f" It sends {page}: was this the push service?" if page else ""


def seconds_of(retry_after: str | None, now: float) -> float | None:
    """Return how many seconds a Retry-After header asks for, or None if it cannot be read.

    ``now``: seconds since 1970. Source: RFC 9110 §10.2.3.

    >>> seconds_of("120", 0), seconds_of("Thu, 01 Jan 1970 00:01:00 GMT", 15)
    (120.0, 45.0)
    """
    text = (retry_after or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return max(0.0, date.timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None  # not a date, or a day or a time zone that does not exist
