"""How much may be under way to a push service, learned from its answers.

Little's law: what is under way = messages a second × seconds until an answer. A push service that
answers after 1 ms keeps a sender busy with a handful under way; one that takes 100 ms has to be
asked 400 times at once to answer 4000 times a second. Nobody says beforehand which of them it is,
and the time alone does not tell: where more is asked than can be done, answers take longer too. So
a CongestionWindow tries it out, in rounds of as many answers as may be under way:

    a good round    twice as much may be under way, and the next round shows what that is worth:
                    a tenth more messages a second, or the window goes back for some rounds
    429, 5xx, a     half as much, at once, but once only for all that was under way together;
    broken network  from then on a good round adds only a tenth

Growing by adding and shrinking by halving is how TCP shares a line with strangers (RFC 5681). A
OriginQueue is all that a notify-all knows of one push service: its window, who waits for it, whether it
has asked for a rest, and whether there is still hope. The slow hold up nobody but themselves.

Nothing here reads a clock: whoever calls says what time it is.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

INITIAL_WINDOW = 100
"""Messages that may be under way to a push service that nothing is known of. HTTP/2 asks servers to
allow at least as many streams on one connection (RFC 9113 §6.5.2)."""

MAX_IN_FLIGHT = 800
"""Messages under way to one push service at most."""

MIN_GAIN = 1.1
"""How many times more messages a second a larger window has to bring to be kept."""

HOLD_ROUNDS = 3
"""Rounds until a window that could not grow tries again."""

RETRY_DEADLINE = 20.0
"""Seconds after which a message, or a push service that answers nobody, is given up."""

MAX_CONSECUTIVE_DEFERRALS = 3
"""Messages in a row that are asked to wait longer than that, until all others are given up too."""

Message = TypeVar("Message")


class CongestionWindow:
    """Say how many messages may be under way: ``size``, at first ``start`` and never over ``most``.

    Times are seconds of any one clock.

    >>> window = CongestionWindow(start=2, most=400)
    >>> for now in (0.1, 0.1, 0.2, 0.2, 0.2, 0.2):      # as many as there is room for, each 100 ms
    ...     window.answered(now, full=True)
    >>> window.size
    8
    >>> window.refused()
    >>> window.size
    4
    """

    def __init__(self, start: int = INITIAL_WINDOW, most: int = MAX_IN_FLIGHT):
        self.size = min(start, most)
        self._most = most
        self._answers, self._full = 0, False
        self._began: float | None = None
        self._before, self._rate = self.size, 0.0
        self._hold = 0
        self._careful = False
        self._spared = 0

    def answered(self, now: float, full: bool) -> None:
        """Count a good answer. ``full``: another message waits, and only for this window."""
        self._spared = max(0, self._spared - 1)
        self._full |= full
        self._answers += 1
        if self._answers < self.size or now == self._began:
            return
        # Of the first round only the end is known. It cannot be compared, and counts as good.
        rate = 0.0 if self._began is None else self._answers / (now - self._began)
        full = self._full
        self._answers, self._began, self._full = 0, now, False
        # A window that was not used up says nothing about a larger one.
        if full:
            self._grow(rate)

    def refused(self) -> None:
        """Count an answer that asks for less, or none at all."""
        if self._spared:
            # It was under way with the one for which the window has been halved already.
            self._spared -= 1
            return
        self._spared = self.size - 1
        self.size = self._before = max(1, self.size // 2)
        self._careful = True
        self._answers, self._began, self._full = 0, None, False

    def _grow(self, rate: float) -> None:
        if self._careful:
            self.size = min(self._most, self.size + max(1, self.size // 10))
        elif self.size > self._before and rate < MIN_GAIN * self._rate:
            self.size, self._hold = self._before, HOLD_ROUNDS
        elif self._hold:
            self._hold -= 1
        else:
            self._before, self._rate = self.size, rate
            self.size = min(self._most, 2 * self.size)


@dataclass(eq=False)
class OriginQueue(Generic[Message]):
    """One push service in one notify-all.

    ``waiting``: who is next; ``under_way``: how many are between their first request and their
    outcome; ``resting``: how many of them wait because the push service said so (Retry-After, RFC
    9110 §10.2.3), and no new one begins meanwhile; ``closed``: there is no hope left.

    >>> queue = OriginQueue(CongestionWindow(start=2), waiting=deque(["one", "two"]))
    >>> queue.ready
    True
    >>> with queue.backoff():
    ...     queue.ready
    False
    """

    window: CongestionWindow = field(default_factory=CongestionWindow)
    waiting: deque[Message] = field(default_factory=deque)
    under_way: int = 0
    backing_off: int = 0
    closed: bool = False
    _trouble_since: float | None = None
    _deferrals: int = 0

    @property
    def ready(self) -> bool:
        """Say whether a message waits that may be sent now. Who has no hope need not wait."""
        return bool(self.waiting) and (
            self.closed or (not self.backing_off and self.under_way < self.window.size)
        )

    def answered(self, now: float) -> None:
        """Learn from an answer that is no reason to try again."""
        self._trouble_since, self._deferrals = None, 0
        self.window.answered(now, bool(self.waiting) and self.under_way >= self.window.size)

    def refused(self, now: float) -> None:
        """Learn from an answer that is one, or from none."""
        self.window.refused()
        if self._trouble_since is None:
            self._trouble_since = now

    def given_up(self, now: float, asked: float) -> None:
        """Learn that a message was given up. ``asked``: seconds, of its last Retry-After, or 0."""
        self._deferrals = self._deferrals + 1 if asked > RETRY_DEADLINE else 0
        # One alone may be a limit of its own subscription. Several in a row are the push service's.
        lasting = self._trouble_since is not None and now - self._trouble_since > RETRY_DEADLINE
        self.closed |= lasting or self._deferrals >= MAX_CONSECUTIVE_DEFERRALS

    @contextmanager
    def backoff(self) -> Iterator[None]:
        """Begin no new message while this lasts."""
        self.backing_off += 1
        try:
            yield
        finally:
            self.backing_off -= 1
