"""One message on its way to many: the next of them begins when its push service has room.

    the store ── 500 at a time, in a thread ──▶ queues, one a push service ──▶ messages under way
                                                 ▲                                     │
                                                 ╰── room again, and what was learned ─╯

Everything runs in one event loop, where encrypting takes most of the time. So only a few messages
are made ready before the loop looks at its sockets again: while some are encrypted, others are on
the wire, and the answers of others are read.

However many subscribers there are, some thousand at most are in memory. The same number is how far
this looks ahead: while one push service rests, subscribers of others are found behind its own.
"""

import asyncio
from asyncio import Future
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from pushlab.appserver.broadcast.congestion import MAX_IN_FLIGHT, CongestionWindow, OriginQueue
from pushlab.appserver.delivery.delivery import Message
from pushlab.appserver.delivery.response import STOPPED, Response
from pushlab.appserver.explain.outcome import Outcome
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import LabStopped

LOOK_AHEAD = 2000
"""Subscribers in memory, those under way included, from which on no more are read."""

BURST = 32
"""Messages that are made ready before the event loop looks at its sockets."""

MANY = 100
"""Push services of which something is remembered while nothing is to be sent to them."""

GIVEN_UP = Outcome(
    "retry",
    None,
    "This was not sent: the push service asked for a longer pause, or has not answered for long. "
    "Go on with this notify-all later.",
    attempts=0,
)
"""What comes of a message to a push service that has been given up."""


class Broadcast:
    """Send to everyone in ``batches``, each push service at its own pace.

    ``message(stored, queue)`` makes the message for one of them; ``note(stored, outcome)`` is called
    as each ends; ``most`` is how many may be under way to one push service.
    """

    def __init__(
        self,
        batches: Iterator[Iterable[StoredSubscription]],
        message: Callable[[StoredSubscription, OriginQueue], Message],
        note: Callable[[StoredSubscription, Outcome], None],
        most: int = MAX_IN_FLIGHT,
    ):
        self._batches = batches
        self._message = message
        self._note = note
        self._most = most
        self._queues: dict[str, OriginQueue[StoredSubscription]] = {}
        self._ready: OrderedDict[OriginQueue[StoredSubscription], None] = OrderedDict()
        self._held = 0
        self._reading = self._at_end = False
        # What is waited for: attempts, what is tried again, the next batch.
        self._under_way: set[Future] = set()
        self._news = asyncio.Event()
        self._fault: Exception | None = None
        self._over = False

    def stop(self) -> None:
        """Let run() end at once."""
        self._end_with(LabStopped(STOPPED))

    def _end_with(self, fault: Exception) -> None:
        self._fault = self._fault or fault
        self._news.set()

    async def run(self) -> None:
        """Send to everyone. Raises UnableToReadDatabase, and LabStopped after stop().

        However it ends, no task and no request of it is left.
        """
        try:
            await self._pump()
        finally:
            self._over = True
            for future in list(self._under_way):
                future.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _pump(self) -> None:
        while True:
            self._news.clear()
            if self._fault:
                raise self._fault
            if not (self._reading or self._at_end) and self._held < LOOK_AHEAD:
                self._read()
            if self._begin():
                await asyncio.sleep(0)
            elif self._at_end and not self._held:
                return
            else:
                await self._news.wait()

    def _follow(self, future: Future, then: Callable[[Future], None]) -> None:
        """Call ``then(future)`` when a future has ended by itself."""
        self._under_way.add(future)
        future.add_done_callback(partial(self._ended, then))

    def _ended(self, then: Callable[[Future], None], future: Future) -> None:
        self._under_way.discard(future)
        if future.cancelled():
            return
        try:
            then(future)
        except Exception as fault:
            # A callback has nobody above it who would hear of this.
            self._end_with(fault)

    def _read(self) -> None:
        # In a thread, for the loop must not wait for a disk or a lock. To check what was read is
        # work for the loop: two threads that compute take turns, and lose more by that than they
        # gain.
        self._reading = True
        reading = asyncio.ensure_future(asyncio.to_thread(next, self._batches, None))
        self._follow(reading, self._take_all)

    def _take_all(self, reading: Future[Iterable[StoredSubscription] | None]) -> None:
        batch = reading.result()
        self._reading, self._at_end = False, batch is None
        for stored in batch or ():
            self._take(stored)
        self._news.set()

    def _take(self, stored: StoredSubscription) -> None:
        origin = stored.subscription.origin
        if origin not in self._queues:
            self._forget_some()
            self._queues[origin] = OriginQueue(CongestionWindow(most=self._most))
        queue = self._queues[origin]
        queue.waiting.append(stored)
        self._held += 1
        self._look_at(queue)

    def _forget_some(self) -> None:
        # Origins come from strangers, and there may be as many as there are subscribers.
        if len(self._queues) > MANY:
            kept = {o: queue for o, queue in self._queues.items() if queue.waiting or queue.under_way}
            self._queues = kept

    def _look_at(self, queue: OriginQueue[StoredSubscription]) -> None:
        if queue.ready:
            self._ready[queue] = None

    def _begin(self) -> bool:
        """Begin some messages, of each push service in turn; return whether there were any."""
        burst = []
        while self._ready and len(burst) < BURST:
            queue, _ = self._ready.popitem(last=False)
            if not queue.ready:
                continue  # It was, when it was looked at, and has been asked for a rest since.
            queue.under_way += 1
            stored = queue.waiting.popleft()
            if queue.closed:
                self._conclude(stored, queue, GIVEN_UP)
            else:
                burst.append(self._message(stored, queue))
            self._look_at(queue)
        # All are made ready before the first is sent: a processor that does one thing many times is
        # quicker than one that goes from this to that, since its caches keep what it needs.
        for message in burst:
            self._follow(message.begin(), partial(self._answered, message))
        return bool(burst)

    def _answered(self, message: Message, first: Future[Response]) -> None:
        """Conclude what one attempt was enough for; the rest gets a task to wait in."""
        outcome = message.judge(first)
        if outcome.kind == "retry" and not self._over:
            again = asyncio.ensure_future(message.see_through(outcome))
            self._follow(again, partial(self._seen_through, message))
        else:
            self._conclude(message.stored, message.queue, outcome)

    def _seen_through(self, message: Message, last: Future[Outcome]) -> None:
        self._conclude(message.stored, message.queue, last.result())

    def _conclude(
        self, stored: StoredSubscription, queue: OriginQueue[StoredSubscription], outcome: Outcome
    ) -> None:
        queue.under_way -= 1
        self._held -= 1
        self._look_at(queue)
        self._news.set()
        self._note(stored, outcome)
