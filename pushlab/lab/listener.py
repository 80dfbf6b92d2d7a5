"""A thread that calls a learner's function for each event of the journal.

The journal calls its subscribers in the thread that writes, and that is the one in which both servers
run. A function of a notebook may sleep, draw, or ask the lab something. So it runs in a thread of its
own, and however long it takes, the servers and the other functions go on.
"""

import threading
from collections.abc import Callable

from pushlab.journal import Event, IsolatedCallback, Journal

END_SECONDS = 1.0
"""How long ``end`` waits for a call that is under way. The thread is a daemon, and ends after it."""


class Listener:
    """Call ``tell(event)`` for each event of a journal from now on, in order, in a daemon thread.

    Only the journal stores events. A function that is slower than they come gets those that the
    journal still has. Its first error is passed to ``fault``, as ``IsolatedCallback`` says.

    >>> journal, heard = Journal(), threading.Event()
    >>> listener = Listener(journal, lambda event: heard.set(), fault=print)
    >>> event = journal.record("user agent", "push service", "subscribe")
    >>> heard.wait(5)
    True
    >>> listener.end()
    """

    def __init__(
        self, journal: Journal, tell: Callable[[Event], None], fault: Callable[[str], None]
    ) -> None:
        self._journal, self._tell = journal, IsolatedCallback(tell, "an event", fault)
        self._last = journal.last
        self._news, self._ended = threading.Event(), threading.Event()
        self._unsubscribe = journal.subscribe(lambda event: self._news.set())
        self._thread = threading.Thread(target=self._serve, name="pushlab-listener", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Call the function no more. A second call does nothing, and any thread may call it."""
        self._unsubscribe()
        self._ended.set()
        self._news.set()
        if threading.current_thread() is not self._thread:  # A function may end its own listener.
            self._thread.join(END_SECONDS)

    def _serve(self) -> None:
        while self._news.wait() and not self._ended.is_set():
            # Clear before reading: an event that is written in between sets it again.
            self._news.clear()
            for event in self._journal.events(self._last):
                self._last = event.number
                if self._ended.is_set():
                    return
                self._tell(event)


class Listeners:
    """The listeners of one lab, which all end with it."""

    def __init__(self, journal: Journal, fault: Callable[[str], None]) -> None:
        self._journal, self._fault = journal, fault
        self._listening: set[Listener] = set()

    def add(self, tell: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``tell(event)`` for each event from now on; return a function that ends this."""
        listener = Listener(self._journal, tell, self._fault)
        self._listening.add(listener)

        def end() -> None:
            self._listening.discard(listener)
            listener.end()

        return end

    def end(self) -> None:
        """End all of them."""
        for listener in list(self._listening):
            listener.end()
        self._listening.clear()
