"""One message on its way to many: the next delivery begins when its push service has room.

    the store ── 500 at a time, in a thread ──▶ a queue for each push service ──▶ requests under way
                                                 ▲                                    │
                                                 ├── room again, and what was learned ┤
                                                 ╰── another attempt, after a pause ──╯

A message that waits before another attempt takes no room from others meanwhile.

Everything runs in one event loop, where encrypting takes most of the time. So only a few requests
are prepared before the loop looks at its sockets again: while some messages are encrypted, others
are on the wire, and the responses to others are read.

However many subscribers there are, some thousand at most are in memory. That number is also how far
a broadcast looks ahead: while one push service has asked for a pause, it finds the subscribers of
others behind those that wait.
"""

import asyncio
import random
from asyncio import Future
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from pushlab.appserver.broadcast.congestion import MAX_IN_FLIGHT, CongestionWindow
from pushlab.appserver.broadcast.origin_queue import OriginQueue
from pushlab.appserver.broadcast.outage import outlast
from pushlab.appserver.delivery.delivery import Delivery
from pushlab.appserver.delivery.response import STOPPED, Response
from pushlab.appserver.explain.outcome import Outcome
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import LabStopped

LOOK_AHEAD = 2000
"""Subscribers in memory, those under way included, from which on no more are read."""

BURST = 32
"""Requests that are prepared before the event loop looks at its sockets."""

MAX_IDLE_ORIGINS = 100
"""Push services whose queues are kept while nothing is to be sent to them."""

NOT_SENT = Outcome(
    "retry",
    None,
    "This message was not sent, because the push service has refused every message for a while. Resume "
    "this notify-all later.",
    attempts=0,
    about="push service",
)
"""The outcome of each message that waits for a push service whose queue is closed."""


class Refused(NamedTuple):
    """A delivery that is to be attempted again, and the outcome of its last attempt."""

    delivery: Delivery
    outcome: Outcome


Queue: TypeAlias = OriginQueue[StoredSubscription, Refused]


class Broadcast:
    """Send to everyone in ``batches``, each push service at its own pace.

    ``delivery(stored, queue)`` makes the delivery to one of them; ``note(stored, outcome)`` is called
    as each ends; ``max_in_flight`` is how many may be under way to one push service; ``sleep`` waits
    for seconds; ``may_read()`` is awaited before each batch; ``chance`` gives numbers from 0 to 1. If
    reading a batch fails, its iterator must be able to try again.
    """

    def __init__(
        self,
        batches: Iterator[Iterable[StoredSubscription]],
        delivery: Callable[[StoredSubscription, Queue], Delivery],
        note: Callable[[StoredSubscription, Outcome], None],
        max_in_flight: int = MAX_IN_FLIGHT,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        may_read: Callable[[], Awaitable[None]] | None = None,
        chance: Callable[[], float] = random.random,
    ):
        self._batches, self._may_read, self._chance = batches, may_read, chance
        self._delivery = delivery
        self._note = note
        self._max_in_flight, self._sleep = max_in_flight, sleep
        self._queues: dict[str, Queue] = {}
        self._ready: OrderedDict[Queue, None] = OrderedDict()
        self._held = 0
        self._reading = self._at_end = False
        # What run() waits for: attempts, pauses, the next batch.
        self._under_way: set[Future[Any]] = set()
        self._news = asyncio.Event()
        self._fault: Exception | None = None
        self._ended = False

    def stop(self) -> None:
        """Let run() end at once."""
        self._end_with(LabStopped(STOPPED))

    def _end_with(self, fault: Exception) -> None:
        self._fault = self._fault or fault
        self._news.set()

    def look_again(self, queue: Queue) -> None:
        """Begin what a queue has room for, because it has got more of it."""
        self._look_at(queue)
        self._news.set()

    async def run(self) -> None:
        """Send to everyone. Raises UnableToReadDatabase, and LabStopped after stop().

        However it ends, no task and no request of it is left.
        """
        try:
            await self._pump()
        finally:
            self._ended = True
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

    def _follow(self, future: Future[Any], then: Callable[[Any], None]) -> None:
        """Call ``then(future)`` when a future has ended and was not cancelled."""
        self._under_way.add(future)
        future.add_done_callback(partial(self._on_end, then))

    def _on_end(self, then: Callable[[Any], None], future: Future[Any]) -> None:
        self._under_way.discard(future)
        if future.cancelled():
            return
        try:
            then(future)
        except Exception as fault:  # noqa: BLE001 — a callback has no caller; run() raises it
            self._end_with(fault)

    def _read(self) -> None:
        self._reading = True
        self._follow(asyncio.ensure_future(self._next_batch()), self._take_all)

    async def _next_batch(self) -> Iterable[StoredSubscription] | None:
        """Return the next of those to send to, or None at the end."""
        if self._may_read:
            await self._may_read()
        # In a thread, because the loop must not wait for a disk or a lock. The loop itself checks the
        # rows: two threads that compute take turns, and lose more by that than they gain.
        return await outlast(partial(next, self._batches, None))

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
            self._queues[origin] = self._new_queue(origin)
        queue = self._queues[origin]
        queue.waiting.append(stored)
        queue.held += 1
        self._held += 1
        self._look_at(queue)

    def _new_queue(self, origin: str) -> Queue:
        return OriginQueue(CongestionWindow(most=self._max_in_flight), chance=self._chance)

    def _forget_some(self) -> None:
        # Strangers choose the origins, and there may be as many as there are subscribers.
        if len(self._queues) > MAX_IDLE_ORIGINS:
            self._queues = {origin: queue for origin, queue in self._queues.items() if queue.held}

    def _look_at(self, queue: Queue) -> None:
        if queue.ready:
            self._ready[queue] = None

    def _begin(self) -> bool:
        """Begin some requests, to each push service in turn; return whether there were any."""
        new: list[Delivery] = []
        burst: list[tuple[Delivery, Queue]] = []
        now = asyncio.get_running_loop().time()
        while self._ready and len(burst) < BURST:
            queue, _ = self._ready.popitem(last=False)
            if not queue.ready:
                continue  # Since it was found ready, its push service has asked for a pause.
            if queue.begin(now):
                if queue.prefers_again():
                    delivery = queue.again.popleft().delivery
                else:
                    delivery = self._delivery(queue.waiting.popleft(), queue)
                    new.append(delivery)
                burst.append((delivery, queue))
            else:
                self._give_up_next(queue)
            self._look_at(queue)
        # All agree on their secrets, then all are encrypted, then all are sent: a processor that does
        # one thing many times is quicker than one that changes, since its caches keep what it needs.
        for delivery in new:
            delivery.agree()
        for delivery in new:
            delivery.prepare()
        for delivery, queue in burst:
            self._follow(delivery.attempt(), partial(self._attempted, delivery, queue))
        return bool(burst)

    def _give_up_next(self, queue: Queue) -> None:
        if queue.again:
            delivery, outcome = queue.again.popleft()
            self._conclude(delivery.stored, queue, delivery.give_up(outcome))
        else:
            self._conclude(queue.waiting.popleft(), queue, NOT_SENT)

    def _attempted(self, delivery: Delivery, queue: Queue, attempt: Future[Response]) -> None:
        """Conclude the delivery, or let it pause before another attempt."""
        outcome = delivery.classify(attempt)
        queue.under_way -= 1
        if outcome.kind == "retry" and not self._ended:
            self._try_again(delivery, queue, outcome)
        else:
            self._conclude(delivery.stored, queue, outcome)
        if outcome.kind != "accepted":
            self._let_pause(queue)
        self._look_at(queue)
        self._news.set()

    def _try_again(self, delivery: Delivery, queue: Queue, outcome: Outcome) -> None:
        seconds = delivery.next_pause(outcome)
        if seconds is None:
            self._conclude(delivery.stored, queue, delivery.give_up(outcome))
        else:
            refused = Refused(delivery, outcome)
            self._follow(self._pause(seconds), partial(self._due, queue, refused))

    def _let_pause(self, queue: Queue) -> None:
        seconds = queue.pause(asyncio.get_running_loop().time())
        if seconds is not None:
            self._follow(self._pause(seconds), partial(self._resume, queue, queue.pauses))

    def _pause(self, seconds: float) -> Future[None]:
        return asyncio.ensure_future(self._sleep(seconds))

    def _due(self, queue: Queue, refused: Refused, pause: Future[None]) -> None:
        pause.result()
        queue.again.append(refused)
        self._look_at(queue)
        self._news.set()

    def _resume(self, queue: Queue, number: int, pause: Future[None]) -> None:
        pause.result()
        queue.resume(number)
        self._look_at(queue)
        self._news.set()

    def _conclude(self, stored: StoredSubscription, queue: Queue, outcome: Outcome) -> None:
        queue.held -= 1
        self._held -= 1
        self._news.set()
        self._note(stored, outcome)
