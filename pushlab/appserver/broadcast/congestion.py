"""How many messages may be under way to a push service, learned from its responses.

Little's law: messages under way = messages a second × seconds until a response. A push service that
answers after 1 ms keeps a sender busy with a handful under way; one that takes 100 ms has to be
asked 400 times at once to answer 4000 times a second. A sender cannot know beforehand which of them
it is, and the time alone does not tell: an overloaded push service takes longer too. So a
CongestionWindow tries it out, in rounds of as many responses as may be under way:

    a good round    twice as many may be under way, and the next round shows what that is worth:
                    a tenth more messages a second, or the window goes back for some rounds
    a slow round    the window goes back to what it was before it last grew
    too much        half as many, at once, but once only for all that were under way together;
                    from then on a good round adds only a tenth

Which responses say that it was too much, ``origin_queue.py`` decides. Growing by adding and shrinking
by halving is how TCP shares a line with strangers (RFC 5681).

Nothing here reads a clock: the caller passes the time.
"""

INITIAL_WINDOW = 100
"""Messages that may be under way to a push service at first. HTTP/2 asks servers to allow at least as
many streams on one connection (RFC 9113 §6.5.2)."""

MAX_IN_FLIGHT = 800
"""Messages under way to one push service at most."""

MIN_GAIN = 1.1
"""A larger window is kept if it brings at least so many times the messages a second."""

SLOW_ROUND = 5.0
"""Seconds of a round, which are those of a response, beyond which the window does not grow. The next
larger ones would take so long that a request is given up."""

HOLD_ROUNDS = 3
"""Rounds until a window that could not grow tries again."""


class CongestionWindow:
    """The number of messages that may be under way: ``size``, first ``start``, never over ``most``.

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

    def answered(self, now: float, full: bool, count: int = 1) -> None:
        """Count good responses. ``full``: another message waits, and only for this window."""
        self._spared = max(0, self._spared - count)
        self._full |= full
        self._answers += count
        if self._answers < self.size or now == self._began:
            return
        # The beginning of the first round is not known, so it has no rate, and counts as good.
        rate = 0.0 if self._began is None else self._answers / (now - self._began)
        full = self._full
        self._answers, self._began, self._full = 0, now, False
        # A window that was not used up says nothing about a larger one.
        if full:
            self._grow(rate)

    def refused(self) -> None:
        """Count a response that asks for less, or a missing one."""
        if self._spared:
            # It was under way together with the one for which the window has been halved already.
            self._spared -= 1
            return
        self._spared = self.size - 1
        self.size = self._before = max(1, self.size // 2)
        self._careful = True
        self._answers, self._began, self._full = 0, None, False

    def _grow(self, rate: float) -> None:
        slow = rate > 0 and self.size > SLOW_ROUND * rate
        in_vain = self.size > self._before and rate < MIN_GAIN * self._rate
        if slow or (in_vain and not self._careful):
            self.size, self._hold = self._before, HOLD_ROUNDS
        elif self._careful:
            self.size = min(self._most, self.size + max(1, self.size // 10))
        elif self._hold:
            self._hold -= 1
        else:
            self._before, self._rate = self.size, rate
            self.size = min(self._most, 2 * self.size)
