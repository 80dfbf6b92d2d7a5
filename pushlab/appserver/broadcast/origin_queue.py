"""What a notify-all knows of one push service: who waits for it, and whether it serves anybody.

One recipient never decides about others. A refusal says what it is about (``explain/scope.py``), and
that is a claim. The answers to others show whether it is true:

    about a recipient or a message      nothing changes for others
    about the sender or push service    as soon as more than MAX_SHARE of the last answers say so, fewer
                                        may be under way; if nobody else was served lately, nothing
                                        new begins for as long as Retry-After says, at most CLOSE_AFTER

    open ── nobody is served ──▶ paused ── the pause is over ──▶ probing ── CLOSE_AFTER is over ─▶ closed
     ▲                             ▲                               │                                 │
     │                             ╰──── all probes are refused ───╯                                 │
     ╰─────────────────── one message is accepted, or judged in any other way ◀─────────────────────╯

"Nobody is served" means that the last answers were all refusals: MANY of any kind, or some for
CLOSE_AFTER seconds, while others wait for their first attempt; or a few that claim to be about the
push service and ask for a pause. A push service that is overloaded, or refuses this sender, then gets
PROBES_PER_SECOND messages at most, to recipients picked at random. So those who are refused for a
reason of their own cannot hide the others behind them, in whatever order they come. One message that
is taken opens the queue again.

A pause is as long as the push service asks for, but no longer than CLOSE_AFTER: a sender that is to
wait for a minute or a year waits for that long, asks once more, and gives up.

If nothing has been taken for CLOSE_AFTER seconds, and MANY recipients picked at random were among
those who were refused, the queue is closed: what waits in it is given up, and the sender tells so. Even
then a message is tried now and then, and opens the queue if it is taken.

Nothing here reads a clock or waits: the caller passes the time, and sleeps. What is random comes from
the caller too.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from pushlab.appserver.broadcast.congestion import INITIAL_WINDOW, CongestionWindow
from pushlab.appserver.explain.scope import Scope, concerns_all

CLOSE_AFTER = 20.0
"""Seconds without any success, from the first refusal on, after which a queue is closed."""

CLOSE_AT_LAST = 60.0
"""Seconds after which it is closed even if fewer were picked at random, because each took so long."""

MANY = INITIAL_WINDOW
"""Refusals of any kind, with nothing else between them, that make a queue pause. As many refused probes
let it close: if one recipient in 20 would be served, a hundred at random miss them one time in 170."""

FEW = 20
"""Answers, all of them refusals, that make a pause believed which a push service asks for."""

MAX_SHARE = 1 / 4
"""The part of the last answers that may claim to be about the push service before it is believed."""

RECENT = 200
"""Answers after which the older ones count half in that part."""

PROBE_PAUSE = 1.0
"""Seconds between probes where no pause is asked for."""

PROBES_PER_SECOND = 5
"""Messages that are tried for each second of a pause, when it is over."""

PROBES_PER_SECOND_SERVED = 50
"""The same where this notify-all has been served before, no pause is asked for, and no refusal is
about the sender: then the push service works, and its refusals are likely to be about those whom it
refuses."""

PROBE_CLOSED = 5.0
"""Seconds between the messages that are tried on a closed queue."""

State = Literal["open", "paused", "probing", "closed"]
Item = TypeVar("Item")
Again = TypeVar("Again")


@dataclass(eq=False)
class OriginQueue(Generic[Item, Again]):
    """The messages of one notify-all to one push service.

    ``waiting``: those that have not begun, in their order; ``again``: those that were refused, and are
    due for another attempt; ``under_way``: how many requests have no response yet; ``held``: all of
    these, and those whose pause before another attempt is not over; ``chance`` gives numbers from 0
    to 1.

    >>> queue = OriginQueue(CongestionWindow(start=2), waiting=deque(["one", "two"]))
    >>> queue.ready
    True
    >>> queue.refused(now=7.0, about="recipient", asked=60)
    >>> queue.pause(now=7.0)
    >>> queue.refused(now=7.0, about="push service", asked=3)
    >>> queue.pause(now=7.0), queue.ready
    (3, False)
    """

    window: CongestionWindow = field(default_factory=CongestionWindow)
    waiting: deque[Item] = field(default_factory=deque)
    again: deque[Again] = field(default_factory=deque)
    under_way: int = 0
    held: int = 0
    state: State = "open"
    pauses: int = 0
    chance: Callable[[], float] = random.random
    _trouble_since: float = 0.0
    # Since the last success: refusals, and the longest pause that was asked for all.
    _refusals: int = 0
    _probed: int = 0  # those of them that came while it was probing
    _asked: float = 0.0
    _throttled: bool = False  # Since the last success, a refusal was about this sender.
    _served: bool = False
    _answers: float = 0.0
    _claims: float = 0.0
    _probes: int = 0
    _next_probe: float = 0.0

    @property
    def ready(self) -> bool:
        """Whether the next message may begin now. A closed queue gives it up, or tries it."""
        if not (self.waiting or self.again):
            return False
        return self.state == "closed" or self.may_begin

    @property
    def may_begin(self) -> bool:
        """Whether one more request may be under way to a push service whose queue is not closed."""
        if self.state == "paused" or (self.state == "probing" and not self._probes):
            return False
        return self.under_way < self.room

    @property
    def room(self) -> int:
        """How many may be under way while the queue is open."""
        if self._refusals and self.waiting:
            return min(self.window.size, self.trust)
        return self.window.size

    @property
    def trust(self) -> int:
        """How many may be asked at one time while nobody is served: no more than it takes to know."""
        return max(1, MANY - self._refusals)

    def begin(self, now: float) -> bool:
        """Count a request as under way, or return False: the queue is closed, and gives its next up.

        Whoever calls this takes one off ``under_way`` when the response has come.
        """
        if self.state == "closed":
            if now < self._next_probe or self.under_way >= self.window.size:
                return False
            self._next_probe = now + PROBE_CLOSED
        elif self.state == "probing":
            self._probes -= 1
        self.under_way += 1
        return True

    def prefers_again(self) -> bool:
        """Say whether the next message is one of ``again``, and not one that waits.

        In doubt it is anybody: those who were refused while nobody was served may be served now.
        """
        again, waiting = len(self.again), len(self.waiting)
        if self.state == "open":
            return again > 0
        return self.chance() * (again + waiting) < again

    def answered(self, now: float) -> None:
        """Learn of a response that is no reason to try again: the push service serves somebody."""
        self._serve(now, bool(self.waiting) and self.under_way >= self.window.size)

    def _serve(self, now: float, full: bool, count: int = 1) -> None:
        self._count(claim=False, answers=count)
        self.state, self._served = "open", True
        self._refusals, self._probed, self._asked, self._throttled = 0, 0, 0.0, False
        self.window.answered(now, full, count)

    def refused(self, now: float, about: Scope, asked: float) -> None:
        """Learn of a response that is a reason to try again, or of no response.

        ``about``: what it claims to concern; ``asked``: seconds, of its Retry-After, or 0.
        """
        if self._refusals == 0:
            self._trouble_since = now
        self._refusals += 1
        self._probed += self.state == "probing"
        self._throttled = self._throttled or about == "sender"
        claim = concerns_all(about)
        self._count(claim)
        if claim:
            self._asked = max(self._asked, asked)
            if self._claims > MAX_SHARE * self._answers:
                self.window.refused()

    def _count(self, claim: bool, answers: int = 1) -> None:
        if self._answers >= RECENT:
            self._answers, self._claims = self._answers / 2, self._claims / 2
        self._answers += answers
        self._claims += claim

    def pause(self, now: float) -> float | None:
        """Return for how many seconds nothing may begin, if a pause begins now; or close the queue.

        After that time ``resume()`` is to be called with the number of ``pauses``.
        """
        if self.state == "probing":
            if self._probes or self.under_way:
                return None
            if not (self.waiting or self._asked):
                self.state = "open"  # Everybody has been asked, and tries again at a time of their own.
                return None
            since = now - self._trouble_since
            if since >= (CLOSE_AFTER if self._probed >= MANY else CLOSE_AT_LAST):
                self.state, self._next_probe = "closed", now + PROBE_CLOSED
                return None
        elif self.state != "open" or not self._serves_nobody(now):
            return None
        slowly = self._asked or self._throttled or not self._served
        rate = PROBES_PER_SECOND if slowly else PROBES_PER_SECOND_SERVED
        seconds = min(self._asked, CLOSE_AFTER) or PROBE_PAUSE
        self.state, self._asked = "paused", 0.0
        self._probes = max(1, int(seconds * rate))
        self.pauses += 1
        return seconds

    def _serves_nobody(self, now: float) -> bool:
        if self._asked and self._refusals >= min(FEW, self._answers):
            return True
        long = self._refusals > 0 and now - self._trouble_since >= CLOSE_AFTER
        return bool(self.waiting) and (long or self._refusals >= MANY)

    def resume(self, number: int) -> None:
        """End the pause of this number, unless the queue has been opened meanwhile."""
        if self.state != "paused" or number != self.pauses:
            return
        self._probe()

    def _probe(self) -> None:
        """Let messages begin one by one, to recipients picked at random.

        Those who are refused for a reason of their own must not hide the others.
        """
        self.state = "probing"
        self.waiting = deque(sorted(self.waiting, key=lambda _: self.chance()))
        self.again = deque(sorted(self.again, key=lambda _: self.chance()))
