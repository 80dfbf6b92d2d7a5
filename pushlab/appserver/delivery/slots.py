"""Slots for connections: how many there may be to all push services together, and which request is next.

Strangers choose the origins of endpoints, and an origin that speaks HTTP/1.1 needs a connection for
each request under way. Origins that take a request and never answer would together use up the files
that this process may open; then no database could be opened, and no browser could connect. So a
request needs a slot:

    HTTP/1.1, or not known yet   a slot for each request under way
    HTTP/2                       one slot for all requests to that origin: they share a connection

A request without a slot waits here and not in libcurl, where its time-out would run already. Free
slots go to the origins in turn, so the many requests to one origin do not hold up the few to
another.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

REMEMBERED = 1000
"""Origins that are remembered as speaking HTTP/2 while nothing is sent to them."""

Request = TypeVar("Request")


@dataclass(eq=False, slots=True)
class _Origin(Generic[Request]):
    multiplexes: bool
    under_way: int = 0
    held: int = 0
    waiting: deque[Request] = field(default_factory=deque)


class Slots(Generic[Request]):
    """Give out ``total`` slots, at most ``each`` of them to one origin.

    >>> slots = Slots(total=2, each=1)
    >>> slots.take("https://one.example", "first"), slots.take("https://one.example", "second")
    (True, False)
    >>> slots.take("https://two.example", "third")
    True
    >>> slots.give_back("https://one.example")
    ['second']
    """

    def __init__(self, total: int, each: int):
        self._total, self._each = total, each
        self._held = 0
        self._origins: dict[str, _Origin[Request]] = {}
        # Origins with a request that waits, in the order of their turns.
        self._turns: OrderedDict[_Origin[Request], None] = OrderedDict()
        self._multiplexing: OrderedDict[str, None] = OrderedDict()

    def take(self, origin: str, request: Request) -> bool:
        """Say whether a request may begin now. Otherwise it waits, and give_back() returns it later."""
        known = self._origins.get(origin)
        if known is None:
            known = self._origins[origin] = _Origin(origin in self._multiplexing)
        if self._begin(known):
            return True
        known.waiting.append(request)
        self._turns[known] = None
        return False

    def give_back(self, origin: str, multiplexes: bool | None = None) -> list[Request]:
        """Note that a request has ended, and return those that may begin now.

        ``multiplexes``: whether the origin has answered in HTTP/2, or None if it has not answered.
        """
        known = self._origins[origin]
        known.under_way -= 1
        if multiplexes is not None and multiplexes != known.multiplexes:
            known.multiplexes = multiplexes
            self._remember(origin, multiplexes)
        if known.multiplexes:
            needed = 1 if known.under_way or known.waiting else 0
        else:
            needed = known.under_way
        self._held -= known.held - needed
        known.held = needed
        begun: list[Request] = []
        if self._turns:
            if known.multiplexes and known.waiting:
                self._begin_waiting(known, begun)
            self._give_out(begun)
        self._forget_if_idle(origin, known)
        return begun

    def withdraw(self, origin: str, request: Request) -> None:
        """Forget a request that waits."""
        known = self._origins[origin]
        known.waiting.remove(request)
        if not known.waiting:
            del self._turns[known]
        self._forget_if_idle(origin, known)

    def withdraw_all(self) -> list[Request]:
        """Forget every request that waits, and return them."""
        waiting = [request for known in self._turns for request in known.waiting]
        for known in self._turns:
            known.waiting.clear()
        self._turns.clear()
        return waiting

    def _begin(self, known: _Origin[Request]) -> bool:
        if not (known.multiplexes and known.held):
            if self._held >= self._total or known.held >= self._each:
                return False
            self._held += 1
            known.held += 1
        known.under_way += 1
        return True

    def _give_out(self, begun: list[Request]) -> None:
        """Let requests begin as long as there are slots, one of each origin in turn."""
        passed_over = 0
        while self._held < self._total and passed_over < len(self._turns):
            known = next(iter(self._turns))
            if self._begin_waiting(known, begun):
                passed_over = 0
            else:
                passed_over += 1
            if known.waiting:
                self._turns.move_to_end(known)

    def _begin_waiting(self, known: _Origin[Request], begun: list[Request]) -> bool:
        """Let the first request to an origin begin, and with HTTP/2 all the others too."""
        if not self._begin(known):
            return False
        begun.append(known.waiting.popleft())
        while known.multiplexes and known.waiting:
            known.under_way += 1
            begun.append(known.waiting.popleft())
        if not known.waiting:
            del self._turns[known]
        return True

    def _remember(self, origin: str, multiplexes: bool) -> None:
        if not multiplexes:
            self._multiplexing.pop(origin, None)
            return
        self._multiplexing[origin] = None
        if len(self._multiplexing) > REMEMBERED:
            self._multiplexing.popitem(last=False)

    def _forget_if_idle(self, origin: str, known: _Origin[Request]) -> None:
        if not known.under_way and not known.waiting:
            del self._origins[origin]
