"""How many attempts a participant may report: a burst, and then some each second.

A check takes a person some seconds, and what waited while the network was down comes at once. A token
bucket lets both through, and bounds what one participant can make the instructor's machine do. Joins
have a bucket together, because whoever joins is nobody yet.
"""

import math
import threading
import time
from collections.abc import Callable

from pushlab.classroom.records import MAX_PARTICIPANTS
from pushlab.errors import TooManyRequests

BURST = 500
"""Attempts that may come at once: as many as wait in a participant's kernel at most."""

PER_SECOND = 2.0
"""Attempts a second, after that."""


class RateLimiter:
    """Count the attempts of each participant. ``clock`` gives seconds, and never jumps.

    >>> rates = RateLimiter(clock=lambda: 0.0)
    >>> rates.take(1, BURST)
    >>> rates.take(1, 1)
    Traceback (most recent call last):
    pushlab.errors.TooManyRequests: more than 500 attempts came at once (RFC 6585 §4). ...
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._until: dict[int, float] = {}  # when each participant may send a burst again
        self._lock = threading.Lock()

    def take(self, participant: int, count: int) -> None:
        """Count attempts, or refuse all of them. Raises TooManyRequests."""
        now = self._clock()
        with self._lock:
            until = max(self._until.pop(participant, 0.0), now) + count / PER_SECOND
            allowed = until - now <= BURST / PER_SECOND
            self._until[participant] = until if allowed else until - count / PER_SECOND
            if len(self._until) > MAX_PARTICIPANTS + 1:
                del self._until[next(iter(self._until))]  # the one that was silent for longest
        if not allowed:
            wait = math.ceil(until - now - BURST / PER_SECOND)
            raise TooManyRequests(f"more than {BURST} attempts came at once", seconds=wait)
