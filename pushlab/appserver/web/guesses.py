"""How many wrong tokens one address may try: a token that a person chose could be guessed.

A token that the lab makes has 192 random bits, and nobody guesses it (RFC 6749 §10.10). A chosen one
has fewer, so guesses are counted (RFC 6819 §5.1.4.2.3): after BURST wrong ones an address may try one
each INTERVAL. While it has to wait, the right token is refused too, or the limit would limit nothing.
So people behind one address wait for each other, for INTERVAL once the guessing has stopped. A
request without a token is no guess, and those who use the page alone never wait.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

BURST = 10
"""Wrong tokens that an address may send one after the other: a person mistypes a few."""

INTERVAL = 1.0
"""Seconds in which an address that has sent BURST wrong tokens may send one more."""

MAX_ADDRESSES = 1000
"""Addresses that are told apart. All others together are treated as one."""

OTHERS = ""


@dataclass(slots=True)
class _Guesses:
    """The wrong tokens of one address. ``forgotten_at``: seconds of the limiter's clock."""

    forgotten_at: float = 0.0
    told: bool = False


class GuessLimiter:
    """Count wrong tokens, address by address.

    ``tell`` is called once for each address that reaches the limit, until its guesses are forgotten.
    ``clock``: gives seconds, and never jumps.

    >>> limiter = GuessLimiter(print, clock=lambda: 0.0)
    >>> for _ in range(BURST):
    ...     limiter.wrong("192.0.2.7")
    192.0.2.7
    >>> limiter.wait("192.0.2.7"), limiter.wait("192.0.2.8")
    (1, 0)
    """

    def __init__(
        self,
        tell: Callable[[str], None] = lambda address: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._tell, self._clock = tell, clock
        self._known: dict[str, _Guesses] = {}
        self._lock = threading.Lock()

    def wait(self, address: str) -> int:
        """Return how many whole seconds an address must wait before its next token; 0 if none."""
        with self._lock:
            guesses = self._known.get(address) or self._known.get(OTHERS) or _Guesses()
            return max(0, math.ceil(self._over(guesses)))

    def wrong(self, address: str) -> None:
        """Count a wrong token."""
        with self._lock:
            guesses = self._of(address)
            guesses.forgotten_at = max(guesses.forgotten_at, self._clock()) + INTERVAL
            reached = self._over(guesses) > 0 and not guesses.told
            guesses.told = guesses.told or reached
        if reached:
            self._tell(address)

    def _over(self, guesses: _Guesses) -> float:
        """Return for how many seconds there have been too many guesses; it is negative below BURST."""
        return guesses.forgotten_at - self._clock() - (BURST - 1) * INTERVAL

    def _of(self, address: str) -> _Guesses:
        if address not in self._known and len(self._known) >= MAX_ADDRESSES:
            now = self._clock()
            self._known = {one: g for one, g in self._known.items() if g.forgotten_at > now}
            if len(self._known) >= MAX_ADDRESSES:
                address = OTHERS
        guesses = self._known.setdefault(address, _Guesses())
        if guesses.forgotten_at <= self._clock():
            guesses.told = False
        return guesses
