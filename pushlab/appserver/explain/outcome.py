"""The outcome of a message, in words: what happened, whose fault it is, which RFC, what to do next.

The status decides what the sender does. There are four cases:

    accepted   2xx                          nothing more to do
    gone       404, 410                     remove the subscription; nothing else removes one
    retry      408, 425, 429, 5xx,          send again later, but not for ever
               network faults
    refused    any other status             correct the request, and keep the subscription

A fifth, ``failed``, is a message that was never sent. With one wrong key the messages to all
subscribers are refused at once, so a sender that removed refused subscriptions would lose them all.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from pushlab.appserver.delivery.response import NetworkFault, PushResponse, Response
from pushlab.appserver.explain.curl_errors import CURL_ERRORS, OTHER_ERROR
from pushlab.appserver.explain.html_page import title_of
from pushlab.appserver.explain.intermediary import intermediary
from pushlab.appserver.explain.ours import explained
from pushlab.appserver.explain.reserved import reserved_name
from pushlab.appserver.explain.scope import Scope, concern_of
from pushlab.appserver.explain.statuses import STATUS, meaning_of
from pushlab.appserver.explain.vendors import Explanation, Kind, known_answer
from pushlab.appserver.explain.words import doubts_of, rest_of, words_of
from pushlab.errors import PushlabError
from pushlab.text import show

PLAIN = ("Created", "")
"""The reason phrases of a 201: HTTP/1.1's, and HTTP/2's, which is empty."""

MAX_RETRY_AFTER = 999_999_999.0
"""Seconds, some thirty years. Who asks for more, in however many digits, asks for the longest wait."""


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
    attempts: int | None = None,
    *,
    origin: str = "",
    clock: Callable[[], float] | None = None,
) -> Outcome:
    """Explain an answer, or what kept it from coming.

    ``hidden`` are texts that must not be shown, such as the endpoint: a push service may repeat
    them. ``attempts``: how many requests were made, by default 1, or 0 before an error of ours;
    ``origin``: of the endpoint, for which some network faults mean more; ``clock``: seconds since
    1970, to say which explanations are old.

    >>> print(explain(PushResponse(410, reason="Gone")))
    410 Gone: The subscription has ended (RFC 9110 §15.5.11). Nothing is broken. ...
    >>> explain(NetworkFault(7)).kind
    'retry'
    """
    if isinstance(answer, PushlabError):
        meaning = Explanation("failed", answer.detail.rstrip("."), answer.fault, answer.rfc, answer.hint)
        return _outcome(meaning, _sentence(meaning), attempts=attempts or 0)
    attempts = 1 if attempts is None else attempts
    if isinstance(answer, NetworkFault):
        meaning = reserved_name(origin, answer) or CURL_ERRORS.get(answer.code, OTHER_ERROR)
        shown = show(answer.message, hidden)
        said = f" libcurl says: {shown} (error {answer.code})." if shown else ""
        text = f"{_sentence(meaning)}{said}"
        return _outcome(meaning, text, attempts=attempts, about=concern_of(answer).scope)
    if answer.status == 201 and answer.reason in PLAIN and not doubts_of(answer):
        return _created(answer.reason, attempts)
    outcome = _of_response(answer, hidden, clock)
    return replace(outcome, retry_after=answer.header("Retry-After"), attempts=attempts)


@cache
def _created(reason: str, attempts: int) -> Outcome:
    # Nearly every response to a notify-all is this one, so its text is made once.
    text = f"{f'201 {reason}'.strip()}: {_sentence(STATUS[201])}"
    return _outcome(STATUS[201], text, 201, attempts=attempts)


def _of_response(
    response: PushResponse, hidden: Iterable[str], clock: Callable[[], float] | None
) -> Outcome:
    status, meaning = response.status, meaning_of(response.status)
    head = f"{status} {show(response.reason, hidden)}".strip()
    if meaning.kind == "accepted":
        return _outcome(meaning, f"{head}: {_sentence(meaning)}{doubts_of(response, hidden)}", status)
    source, said, about = meaning.rfc, words_of(response, hidden), concern_of(response).scope
    doubted = False
    quoted = f" It says: {said}" if said else ""
    if ours := explained(response, said, meaning.kind):  # more exactly than by a status
        meaning, source, text = ours, ours.rfc, said
    elif known := known_answer(response):
        now = clock() if clock else None
        meaning, source = known.explanation, known.source.told(now)
        old = f" This is {source}." if now and known.source.is_old(now) else ""
        text = f"{_sentence(meaning)}{old}{quoted}"
    else:
        if other := intermediary(response):
            # The push service, which alone could say so, has not said that the subscription has ended.
            kind: Kind = "refused" if meaning.kind == "gone" else meaning.kind
            meaning, source, about = other._replace(kind=kind), other.rfc, "push service"
        doubted = meaning.kind == "gone" and title_of(response.text()) is not None
        text = f"{_sentence(meaning)}{quoted}{rest_of(response, said, hidden)}"
    outcome = _outcome(meaning, f"{head}: {text}", status, about=about, source=source)
    return outcome.adding("Was this the push service?") if doubted else outcome


def _outcome(meaning: Explanation, text: str, status: int | None = None, **more: Any) -> Outcome:
    """Return the outcome that has this meaning. ``more``: further members of Outcome."""
    said = {"fault": meaning.fault, "rfc": meaning.rfc, "next": meaning.next, "source": meaning.rfc}
    return Outcome(meaning.kind, status, text, **said | more)


@cache
def _sentence(meaning: Explanation) -> str:
    where = f" ({meaning.rfc})" if meaning.rfc else ""
    whose = f" Fault: {meaning.fault}." if meaning.fault else ""
    what_next = f" {meaning.next}{'' if meaning.next.endswith('?') else '.'}" if meaning.next else ""
    return f"{meaning.what}{where}.{whose}{what_next}"


def seconds_of(retry_after: str | None, now: float) -> float | None:
    """Return how many seconds a Retry-After header asks for, or None if it cannot be read.

    ``now``: seconds since 1970. More than MAX_RETRY_AFTER is read as that. Source: RFC 9110 §10.2.3.

    >>> seconds_of("120", 0), seconds_of("Thu, 01 Jan 1970 00:01:00 GMT", 15)
    (120.0, 45.0)
    """
    text = (retry_after or "").strip()
    if re.fullmatch(r"[0-9]+", text):
        return min(float(text), MAX_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return min(max(0.0, date.timestamp() - now), MAX_RETRY_AFTER)
    except (ValueError, TypeError, OverflowError):
        return None  # not a date, or a day or a time zone that does not exist
