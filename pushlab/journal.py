"""What happened, and from which party to which: the journal that diagrams, logs and tests read.

The three parties meet over HTTP and WebSocket, and each gets the same journal. One rule keeps an event
from appearing twice: **a message is recorded once, by the server that saw it.**

- The push service records what it receives and sends: a POST to an endpoint, a message pushed to a
  user agent, its acknowledgement.
- The application server records the page's requests, the page's own reports, and the answers to its
  sends.
- The application server also records a send to a vendor's push service, because that push service
  does not write into this journal.

An event never holds an endpoint, a key or a payload, because a whole class may see it.
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
    """One message from one party to another, or a step of a single party.

    ``number`` counts from 1; ``at`` is seconds since 1970; ``who`` names the user agent concerned
    (``"Firefox"``), because a lab may have several; ``detail`` holds plain JSON values.
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
    """The last ``size`` events. Each new event is passed to every subscriber.

    Any thread may write. A subscriber is called in the thread that wrote, so it must return at once:
    it passes the event on with ``loop.call_soon_threadsafe`` or a queue.
    """

    def __init__(self, size: int = 1000, clock: Callable[[], float] = time.time):
        self._events: deque[Event] = deque(maxlen=size)
        self._numbers = itertools.count(1)
        self._subscribers: list[Callable[[Event], None]] = []
        self._lock = threading.Condition()
        self._clock = clock

    def record(self, source: Party, target: Party, what: str, who: str = "", **detail) -> Event:
        """Add one event and return it."""
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
        """The number of the last event, or 0 before the first. ``events(last)`` returns the later ones.

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

        Raises TimeoutError after ``timeout`` seconds. It must not be called on a server's event loop.
        """

        def found() -> Event | None:
            later = (event for event in self._events if event.number > after)
            return next((event for event in later if event.what.startswith(what)), None)

        with self._lock:
            if event := self._lock.wait_for(found, timeout):
                return event
        raise TimeoutError(f"no event {what!r} within {timeout:g} s")

    def subscribe(self, tell: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``tell(event)`` for every event from now on; return a function that ends this."""
        with self._lock:
            self._subscribers.append(tell)

        def unsubscribe() -> None:
            with self._lock:
                if tell in self._subscribers:
                    self._subscribers.remove(tell)

        return unsubscribe
