"""What the examination asks, one case at a time, and what it can answer."""

from dataclasses import dataclass, field
from enum import StrEnum

from pushlab.conformance.exchange import Exchange


class Level(StrEnum):
    """How much a case matters. Only a MUST decides the exit status."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    PRACTICE = "practice"


class Verdict(StrEnum):
    """The result of one case.

    ``NA``: not applicable, this sender cannot show it. ``NOT_REACHED``: something else went wrong
    first, and nothing is known.
    """

    PASS = "pass"
    FAIL = "fail"
    WARN = "warn"
    NA = "na"
    NOT_REACHED = "not-reached"


@dataclass(frozen=True)
class Case:
    """One case: ``id`` is its group and its name, such as ``token.aud-port``.

    ``rule``: the RFC and section, or for a practice the reason; ``title``: what is examined;
    ``sends``: what the examination does; ``expects``: what must be seen; ``fix``: what to do if it
    is not.
    """

    id: str
    level: Level
    rule: str
    title: str
    sends: str
    expects: str
    fix: str

    @property
    def group(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]


@dataclass(frozen=True)
class Judgement:
    """What was found in one case. ``exchange`` has the requests that show it, if there are any."""

    verdict: Verdict
    why: str
    exchange: Exchange | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Result:
    """A case and what was found in it. ``seconds``: how long it took."""

    case: Case
    verdict: Verdict
    why: str
    exchange: Exchange | None = field(default=None, repr=False)
    seconds: float = 0.0

    @property
    def breaks_a_must(self) -> bool:
        """Say whether this result alone makes the exit status 1."""
        return self.verdict is Verdict.FAIL and self.case.level is Level.MUST


def passed(why: str, exchange: Exchange | None = None) -> Judgement:
    """Return that all is as it must be."""
    return Judgement(Verdict.PASS, why, exchange)


def failed(why: str, exchange: Exchange | None = None) -> Judgement:
    """Return that something is not as it must be."""
    return Judgement(Verdict.FAIL, why, exchange)


def warned(why: str, exchange: Exchange | None = None) -> Judgement:
    """Return that something works here, and may not work elsewhere."""
    return Judgement(Verdict.WARN, why, exchange)


def not_applicable(why: str, exchange: Exchange | None = None) -> Judgement:
    """Return that this sender cannot show it."""
    return Judgement(Verdict.NA, why, exchange)


def not_reached(why: str, exchange: Exchange | None = None) -> Judgement:
    """Return that something else went wrong first."""
    return Judgement(Verdict.NOT_REACHED, why, exchange)
