"""What happened, who → whom: the story that every diagram, log and test reads.

Three parties meet over HTTP and WebSocket, and each is handed the same journal. One rule keeps the
story free of doubles: **a message is written down once, by the server that saw it.**

- What passes the push service (a POST to an endpoint, a message pushed to a user agent, its
  acknowledgement) is written down by the push service.
- What passes the application server (the page's requests, the page's own reports, the answers it
  gets to its sends) is written down by the application server.
- A send to a vendor's push service is written down by the application server: that push service
  keeps a journal of its own, and it is not this one.

An event never holds an endpoint, a key or a payload: it may be shown to a whole class.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum


class Party(StrEnum):
    """The three parties, named as in RFC 8030 §1.1."""

    USER_AGENT = "user agent"
    PUSH_SERVICE = "push service"
    APPLICATION_SERVER = "application server"


@dataclass(frozen=True, slots=True)
class Event:
    """One message from one party to another (or a step that a party takes alone).

    ``number`` counts from 1; ``at`` is seconds since 1970; ``who`` names the user agent concerned
    (``"Firefox"``), since a lab may have several; ``detail`` holds plain JSON values.
    """

    number: int
    at: float
    source: Party
    target: Party
    what: str
    who: str = ""
    detail: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)

    def __str__(self) -> str:
        to = "" if self.source == self.target else f" → {self.target}"
        name = f" [{self.who}]" if self.who else ""
        return f"{self.number:>3} {self.source}{to}{name}: {self.what}"

    def to_json(self) -> dict:
        """Return the event as ``GET /events`` sends it."""
        return asdict(self) | {"source": str(self.source), "target": str(self.target)}


class Journal:
    """Keep the last ``size`` events, and tell each subscriber of every new one.

    Any thread may write. A subscriber is called in the thread that wrote, so it hands the event on
    (``loop.call_soon_threadsafe``, a queue) and returns at once.
    """

    def __init__(self, size: int = 1000, clock: Callable[[], float] = time.time):
        self._events: deque[Event] = deque(maxlen=size)
        self._numbers = itertools.count(1)
        self._subscribers: list[Callable[[Event], None]] = []
        self._lock = threading.Condition()
        self._clock = clock

    def record(self, source: Party, target: Party, what: str, who: str = "", **detail) -> Event:
        """Write one event down and return it."""
        with self._lock:
            event = Event(next(self._numbers), self._clock(), source, target, what, who, detail)
            self._events.append(event)
            subscribers = list(self._subscribers)
            self._lock.notify_all()
        for tell in subscribers:
            tell(event)
        return event

    @property
    def last(self) -> int:
        """The number of the last event, or 0 before the first: what comes later is ``events(last)``.

        >>> Journal().last
        0
        """
        with self._lock:
            return self._events[-1].number if self._events else 0

    def events(self, after: int = 0) -> list[Event]:
        """Return the kept events whose number is greater than ``after``, oldest first."""
        with self._lock:
            return [event for event in self._events if event.number > after]

    def wait_for(self, what: str, after: int = 0, timeout: float = 15) -> Event:
        """Block until an event numbered above ``after`` begins with ``what``, and return it.

        Raise TimeoutError after ``timeout`` seconds. Not for the thread of a server's event loop.
        """

        def found() -> Event | None:
            later = (event for event in self._events if event.number > after)
            return next((event for event in later if event.what.startswith(what)), None)

        with self._lock:
            if event := self._lock.wait_for(found, timeout):
                return event
        raise TimeoutError(f"no event {what!r} within {timeout:g} s")

    def subscribe(self, tell: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``tell(event)`` for every event from now on; return what ends that."""
        with self._lock:
            self._subscribers.append(tell)

        def unsubscribe() -> None:
            with self._lock:
                if tell in self._subscribers:
                    self._subscribers.remove(tell)

        return unsubscribe
