"""Two threads of a participant's kernel: one reports attempts, the other fetches nudges.

A check only appends to a queue. While the instructor's machine cannot be reached, nothing is said, and
what waits is sent later: at most MAX_WAITING attempts, the newest. Both threads end by themselves when
the instructor's server says that this is no participant any more.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from pushlab.classroom.attempt import AT_ONCE, Attempt
from pushlab.classroom.client import Refused
from pushlab.classroom.records import Nudge
from pushlab.errors import FetchFailed

MAX_WAITING = 500
"""Attempts that wait while the instructor's machine is away. One more, and the oldest is dropped."""

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between two tries to reach the instructor's machine. The last one is repeated."""

TOO_SOON = 10.0
"""Seconds. The instructor's machine waits longer than that before it says that there is no nudge."""

UNAUTHORIZED, NOT_AS_WE_SEND, SERVER_ERROR = 401, (400, 413), 500
"""HTTP statuses: who sends this has left the class; it will never be taken; from here on, it may be
taken later."""


class Client(Protocol):
    """What the threads ask for: ``ClassClient`` does it over HTTP."""

    def send(self, attempts: list[dict]) -> None:
        """Report attempts. Raises FetchFailed, Refused."""

    def next_nudge(self, after: int) -> Nudge | None:
        """Wait for the next nudge. Raises FetchFailed, Refused."""

    def tell_outcome(self, nudge: Nudge, outcome: str) -> None:
        """Say what became of a nudge. Raises FetchFailed, Refused."""


class _Waiting(NamedTuple):
    """An attempt that is to be sent. ``at``: seconds of a clock that never jumps."""

    number: int
    attempt: Attempt
    at: float


class _Thread:
    """A daemon thread that works until it is closed, or until this is no participant any more."""

    def __init__(self, client: Client, name: str, expelled: Callable[[], None]):
        self._client, self._expelled = client, expelled
        self._changed = threading.Condition()
        self._closed = False
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def close(self) -> None:
        """End the thread soon. What waits is not sent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while not self._closed:
            try:
                self._work()
                self._failures = 0
            except Refused as refusal:
                if refusal.status == UNAUTHORIZED:
                    if not self._closed:
                        self._expelled()
                    return
                self._refused(refusal.status)
            except FetchFailed:
                self._pause()

    def _work(self) -> None:
        """Wait for something to do, and do it. Raises FetchFailed, Refused."""
        raise NotImplementedError

    def _refused(self, status: int) -> None:
        self._pause()

    def _pause(self) -> None:
        seconds = PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)


class Reporter(_Thread):
    """Report attempts in the background. ``expelled`` is called if this is no participant any more.

    ``clock`` gives seconds and never jumps; ``wall`` seconds since 1970, from which ids ascend.
    """

    def __init__(
        self,
        client: Client,
        expelled: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ):
        super().__init__(client, "pushlab-class-reports", expelled)
        self._clock, self._wall = clock, wall
        self._last = self._sent = self._singly_until = 0
        self._several = False
        self._waiting: deque[_Waiting] = deque(maxlen=MAX_WAITING)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many attempts have not been sent yet."""
        return len(self._waiting)

    def add(self, attempt: Attempt) -> None:
        """Put an attempt at the end of the queue, and return at once."""
        with self._changed:
            # Another kernel of this participant counts from the same clock.
            self._last = max(self._last + 1, int(self._wall() * 1_000_000))
            self._waiting.append(_Waiting(self._last, attempt, self._clock()))
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until nothing waits, and return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, seconds)

    def _work(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return
            singly = self._waiting[0].number <= self._singly_until
            some = list(itertools.islice(self._waiting, 1 if singly else AT_ONCE))
        now, self._sent, self._several = self._clock(), some[-1].number, len(some) > 1
        self._client.send([one.attempt.to_json(one.number, now - one.at) for one in some])
        self._drop(self._sent)

    def _refused(self, status: int) -> None:
        if status not in NOT_AS_WE_SEND:
            self._pause()
            return
        # An older version there does not know an exercise. The same would be refused each time, and one
        # that is not known has all of them refused.
        if self._several:
            self._singly_until = self._sent
        else:
            self._drop(self._sent)

    def _drop(self, last: int) -> None:
        with self._changed:
            while self._waiting and self._waiting[0].number <= last:
                self._waiting.popleft()
            self._changed.notify_all()


class NudgeListener(_Thread):
    """Fetch nudges. ``deliver(nudge)`` sends the push message, and returns what became of it.

    ``clock`` gives seconds and never jumps.
    """

    def __init__(
        self,
        client: Client,
        deliver: Callable[[Nudge], str],
        expelled: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__(client, "pushlab-class-nudges", expelled)
        self._deliver, self._clock, self._last = deliver, clock, 0
        self._untold: tuple[Nudge, str] | None = None
        self._thread.start()

    def _work(self) -> None:
        self._tell()
        asked = self._clock()
        nudge = self._client.next_nudge(self._last)
        if nudge is None and self._clock() - asked < TOO_SOON:
            # Another request of this participant has ended this one: a copy of the data folder listens
            # too. If each asked again at once, each would end the other's request without a pause.
            raise FetchFailed("another lab of this participant fetches nudges")
        if nudge is None or self._closed or nudge.number <= self._last:
            return
        self._last = nudge.number
        self._untold = nudge, self._deliver(nudge)
        self._tell()

    def _tell(self) -> None:
        """Say what became of the last nudge, if nobody has heard it yet. Raises FetchFailed, Refused."""
        if self._untold is not None:
            self._client.tell_outcome(*self._untold)
            self._untold = None

    def _refused(self, status: int) -> None:
        if status < SERVER_ERROR:
            self._untold = None  # The same would be refused each time, and no further nudge would come.
        self._pause()
