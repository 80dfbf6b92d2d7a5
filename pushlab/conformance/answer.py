"""How the push service of the examination answers: as the RFCs say, or as a case has planned."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from http import HTTPStatus


class Manner(StrEnum):
    """How an answer comes, or does not come."""

    WHOLE = "whole"
    RESET = "a reset connection"
    HANG_UP = "a closed connection and no answer"
    SILENCE = "no answer at all"
    DRIP = "an answer of one byte at a time"
    FLOOD = "an answer of 50 MB"
    GARBAGE = "bytes that are not HTTP"


@dataclass(frozen=True)
class Answer:
    """One planned answer.

    ``pause``: seconds of its Retry-After, which is a date if ``as_date``; 0 for none.

    >>> print(Answer(429, pause=2), "·", Answer(manner=Manner.RESET))
    429 Too Many Requests · a reset connection
    """

    status: int = 201
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    pause: int = 0
    as_date: bool = False
    manner: Manner = Manner.WHOLE

    def header_fields(self, now: float) -> dict[str, str]:
        """Return the header fields of this answer, given at the time ``now``."""
        fields = dict(self.headers)
        if self.pause:
            fields["Retry-After"] = (
                formatdate(self.not_before(now), usegmt=True) if self.as_date else str(self.pause)
            )
        return fields

    def not_before(self, now: float) -> float:
        """Return the time before which nothing may be sent again. A date has whole seconds."""
        return float(math.ceil(now) + self.pause) if self.as_date else now + self.pause

    @property
    def is_success(self) -> bool:
        """Whether it says that the message was accepted."""
        return self.manner is Manner.WHOLE and 200 <= self.status < 300

    def __str__(self) -> str:
        if self.manner not in (Manner.WHOLE, Manner.FLOOD, Manner.DRIP):
            return self.manner.value
        extra = "" if self.manner is Manner.WHOLE else f", {self.manner.value}"
        return f"{self.status} {phrase(self.status)}{extra}"


def phrase(status: int) -> str:
    """Return the reason phrase of a status, RFC 9110 §15."""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:  # Its name before RFC 9110.
        return "Content Too Large"
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


ACCEPTED = Answer(201)


@dataclass(frozen=True)
class Plan:
    """The answers to the requests of one endpoint, in order. ``then``: to all later ones.

    None stands for what the RFCs say: 201, or the refusal of what is wrong in the request.
    """

    answers: tuple[Answer, ...] = ()
    then: Answer | None = None

    def answer(self, number: int) -> Answer | None:
        """Return the answer to request ``number``, which counts from 0."""
        return self.answers[number] if number < len(self.answers) else self.then


STRICT = Plan()


def always(answer: Answer) -> Plan:
    """Return the plan that gives one answer to every request."""
    return Plan(then=answer)


def first(*answers: Answer) -> Plan:
    """Return the plan that gives these answers, and then accepts."""
    return Plan(answers, ACCEPTED)
