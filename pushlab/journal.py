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

import inspect
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

log = logging.getLogger("pushlab")


class Party(StrEnum):
    """The three parties, named as in RFC 8030 §1.1."""

    USER_AGENT = "user agent"
    PUSH_SERVICE = "push service"
    APPLICATION_SERVER = "application server"


@dataclass(frozen=True, slots=True)
class Event:
    """One message from one party to another, or a step of a single party.

    ``number`` counts from 1; ``at`` is seconds since 1970; ``who`` names the user agent concerned
    (``"Firefox"``), because a lab may have several; ``detail`` holds plain JSON values. ``label``
    is that of the subscription concerned, where the server knows it: two browsers of one kind have
    one name, and two labels.
    """

    number: int
    at: float
    source: Party
    target: Party
    what: str
    who: str = ""
    detail: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    label: str = ""

    def __str__(self) -> str:
        to = "" if self.source == self.target else f" → {self.target}"
        name = f" [{self.who}]" if self.who else ""
        return f"{self.number:>3} {self.source}{to}{name}: {self.what}"

    @property
    def named(self) -> str:
        """The name of the user agent and the label of the subscription, as far as they are known."""
        names = " ".join(filter(None, (self.who, self.label)))
        return f"[{names}]" if names else ""

    def to_json(self) -> dict:
        """Return the event as ``GET /events`` sends it."""
        members = asdict(self) | {"source": str(self.source), "target": str(self.target)}
        if not self.label:
            del members["label"]
        return members


def describe(detail: Mapping[str, object]) -> str:
    """Write the details of an event in one line, without those that are unknown.

    >>> describe({"bytes": 144, "ttl": 60, "topic": None})
    '144 bytes · ttl 60'
    """
    said = [
        f"{value} bytes" if name == "bytes" else f"{name} {value}"
        for name, value in detail.items()
        if value is not None and value != ""
    ]
    return " · ".join(said)


class Journal:
    """The last ``size`` events. Each new event is passed to every subscriber.

    Any thread may write. A subscriber is called in the thread that wrote, which usually serves
    requests, so it must return at once: it passes the event on with ``loop.call_soon_threadsafe`` or
    a queue. A function that may be slow belongs into a thread of its own, as ``Lab.on_event`` calls it.

    A subscriber that raises is still called for the next event. Its error reaches neither the server
    that wrote nor the other subscribers. The first error is logged with its traceback, and passed to
    ``fault`` in a sentence for people.

    >>> journal = Journal(fault=print)
    >>> end = journal.subscribe(lambda event: event.no_such_attribute)
    >>> event = journal.record(Party.PUSH_SERVICE, Party.USER_AGENT, "push message")
    Your function <lambda> raised AttributeError in line 1, at an event. The lab calls it again ...
    """

    def __init__(
        self,
        size: int = 1000,
        clock: Callable[[], float] = time.time,
        *,
        fault: Callable[[str], None] | None = None,
    ):
        self._events: deque[Event] = deque(maxlen=size)
        self._numbers = itertools.count(1)
        self._subscribers: list[IsolatedCallback] = []
        self._lock = threading.Condition()
        self._clock, self._fault = clock, fault

    def record(
        self, source: Party, target: Party, what: str, who: str = "", label: str = "", **detail
    ) -> Event:
        """Add one event and return it. ``label``: of the subscription concerned."""
        with self._lock:
            at = self._clock()
            event = Event(next(self._numbers), at, source, target, what, who, detail, label)
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
        """Call ``tell(event)`` for every event from now on; return a function that ends this.

        Raises TypeError if ``tell`` is not a function, or an ``async`` one, which nobody would await.
        """
        subscriber = IsolatedCallback(tell, "an event", self._fault)
        with self._lock:
            self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            with self._lock:
                # By identity: the same function may be subscribed twice.
                self._subscribers = [other for other in self._subscribers if other is not subscriber]

        return unsubscribe


class IsolatedCallback:
    """Somebody else's function, called so that its errors stay its own.

    ``occasion`` says when it is called. The first error is logged with its traceback, and passed to
    ``fault`` in a sentence for people. The sentence names the function and the kind of the error;
    what the error says may be secret. Raises TypeError if ``function`` cannot be called, or is
    ``async``.

    >>> IsolatedCallback(len, "an event", fault=print)(7)
    Your function len raised TypeError, at an event. The lab calls it again at ...
    """

    def __init__(
        self,
        function: Callable[..., object],
        occasion: str,
        fault: Callable[[str], None] | None = None,
    ):
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise TypeError(f"{name_of(function)} must be a function that is called without await")
        self._function, self._occasion, self._fault = function, occasion, fault
        self._has_failed = False

    def __call__(self, *arguments: object) -> None:
        try:
            self._function(*arguments)
        # SystemExit and CancelledError, too, would end the loop or the request that is being served.
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and _is_main_thread():
                raise  # It is the person's, and not the function's.
            self._tell(error)

    def _tell(self, error: BaseException) -> None:
        if self._has_failed:
            return
        self._has_failed = True
        name, kind = name_of(self._function), type(error).__name__
        log.error("%s failed, at %s", name, self._occasion, exc_info=error)
        # The first frame is the call in this class, and the one below it is the function's own.
        below = error.__traceback__ and error.__traceback__.tb_next
        where = f" in line {below.tb_lineno}" if below else ""
        if self._fault:
            self._fault(
                f"Your function {name} raised {kind}{where}, at {self._occasion}. The lab calls it "
                "again at the next one, and shows only this first error."
            )


def name_of(function: object) -> str:
    """Return the name of a function for people. A method has the name of its class before it.

    >>> name_of(len), name_of(Journal.record), name_of(7)
    ('len', 'Journal.record', 'int')
    """
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return str(name).rpartition("<locals>.")[2]


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
