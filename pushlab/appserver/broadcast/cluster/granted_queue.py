"""A worker's part of what is sent to one push service: it begins what the application server grants.

The queue decides nothing by itself. It keeps what the responses were, in their order, for the
application server, which sees those of all workers and answers with the next grant (``pace.py``).
"""

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from pushlab.appserver.broadcast.origin_queue import OriginQueue, State
from pushlab.appserver.explain.scope import Scope


class Grant(NamedTuple):
    """What a worker may do at one push service until it hears again.

    ``limit``: requests that may be under way; ``trust``: refusals without a success between them,
    after which nothing more may begin; ``probes``: requests that may begin in all, where ``state`` is
    not ``open``.
    """

    origin: str
    state: State
    limit: int
    trust: int
    probes: int


class Seen(NamedTuple):
    """So many responses of one kind, one after the other.

    ``about``: what a refusal claims to concern, or empty: the message needs no other attempt;
    ``asked``: seconds, of its Retry-After, or 0.
    """

    about: Scope | None
    asked: float
    times: int


class Report(NamedTuple):
    """What a worker has seen at one push service since its last report, and what is left to do there.

    ``full``: more waited than were allowed to be under way; ``probes``: those that it did not use.
    """

    origin: str
    waiting: int
    again: int
    under_way: int
    probes: int
    full: bool
    seen: tuple[Seen, ...]

    @property
    def row(self) -> tuple:
        """The same without names, as it goes over the wire."""
        return (*self[:-1], tuple(map(tuple, self.seen)))

    @classmethod
    def read(cls, row: tuple) -> "Report":
        """Read what came over the wire, where each NamedTuple has become a tuple."""
        origin, waiting, again, under_way, probes, full, seen = row
        return cls(origin, waiting, again, under_way, probes, full, tuple(Seen(*one) for one in seen))


class GrantedQueue(OriginQueue[Any, Any]):
    """The messages of one worker to one push service. ``urgent()`` asks for a grant soon."""

    def __init__(
        self, origin: str, urgent: Callable[[], None], chance: Callable[[], float] = random.random
    ):
        super().__init__(chance=chance)
        self.grant = Grant(origin, "open", limit=0, trust=0, probes=0)
        self._urgent = urgent
        self._in_a_row = 0
        self._full = False
        self._seen: list[list[Any]] = []  # Seen, as lists that can count on
        urgent()

    def allow(self, grant: Grant) -> None:
        """Begin no more than this from now on."""
        if grant.state == "probing" and self.state != "probing":
            self._probe()
        self.grant, self.state = grant, grant.state
        self._probes, self._in_a_row = grant.probes, 0

    @property
    def may_begin(self) -> bool:
        """Whether one more request may be under way, as far as it is granted."""
        return super().may_begin and self._in_a_row < self.grant.trust

    @property
    def room(self) -> int:
        """How many may be under way."""
        return self.grant.limit

    def begin(self, now: float) -> bool:
        """Count a request as under way, or return False: the queue is closed, and gives its next up."""
        if self.state == "closed" and not (self._probes and self.under_way < self.grant.limit):
            return False
        if self.state != "open":
            self._probes -= 1
        self.under_way += 1
        return True

    def answered(self, now: float) -> None:
        """Keep a response that is no reason to try again."""
        self._in_a_row = 0
        self._full |= bool(self.waiting) and self.under_way >= self.grant.limit
        self._keep(None, 0.0)

    def refused(self, now: float, about: Scope, asked: float) -> None:
        """Keep a response that is a reason to try again, and tell of it soon."""
        self._in_a_row += 1
        self._keep(about, asked)
        self._urgent()

    def pause(self, now: float) -> float | None:
        """Return None: the application server decides about pauses."""
        return None

    def report(self) -> Report:
        """Return what was seen since the last report."""
        report = Report(
            self.grant.origin, len(self.waiting), len(self.again), self.under_way,
            self._probes, self._full, tuple(Seen(*one) for one in self._seen),
        )  # fmt: skip
        self._seen, self._full, self._probes = [], False, 0
        return report

    def _keep(self, about: Scope | None, asked: float) -> None:
        if self._seen and self._seen[-1][:2] == [about, asked]:
            self._seen[-1][2] += 1
        else:
            self._seen.append([about, asked, 1])
