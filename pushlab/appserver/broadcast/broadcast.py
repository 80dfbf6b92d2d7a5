"""One message on its way to many: the next delivery begins when its push service has room.

    the store ── 500 at a time, in a thread ──▶ a queue for each push service ──▶ deliveries under way
                                                 ▲                                     │
                                                 ╰── room again, and what was learned ─╯

Everything runs in one event loop, where encrypting takes most of the time. So only a few requests
are prepared before the loop looks at its sockets again: while some messages are encrypted, others
are on the wire, and the responses to others are read.

However many subscribers there are, some thousand at most are in memory. That number is also how far
a broadcast looks ahead: while one push service has asked for a pause, it finds the subscribers of
others behind those that wait.
"""

import asyncio
from asyncio import Future
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from pushlab.appserver.broadcast.congestion import (
    MAX_IN_FLIGHT,
    CongestionWindow,
    OriginQueue,
)
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

GIVEN_UP = Outcome(
    "retry",
    None,
    "This was not sent: the push service asked for a longer pause, or has not answered for long. "
    "Go on with this notify-all later.",
    attempts=0,
)
"""The outcome of each message that waits for a push service that has been given up."""


class Broadcast:
    """Send to everyone in ``batches``, each push service at its own pace.

    ``delivery(stored, queue)`` makes the delivery to one of them; ``note(stored, outcome)`` is called
    as each ends; ``max_in_flight`` is how many may be under way to one push service.
    """

    def __init__(
        self,
        batches: Iterator[Iterable[StoredSubscription]],
        delivery: Callable[[StoredSubscription, OriginQueue], Delivery],
        note: Callable[[StoredSubscription, Outcome], None],
        max_in_flight: int = MAX_IN_FLIGHT,
    ):
        self._batches = batches
        self._delivery = delivery
        self._note = note
        self._max_in_flight = max_in_flight
        self._queues: dict[str, OriginQueue[StoredSubscription]] = {}
        self._ready: OrderedDict[OriginQueue[StoredSubscription], None] = OrderedDict()
        self._held = 0
        self._reading = self._at_end = False
        # What run() waits for: attempts, retries, the next batch.
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
        # In a thread, because the loop must not wait for a disk or a lock. The loop itself checks the
        # rows: two threads that compute take turns, and lose more by that than they gain.
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
            self._queues[origin] = OriginQueue(CongestionWindow(most=self._max_in_flight))
        queue = self._queues[origin]
        queue.waiting.append(stored)
        self._held += 1
        self._look_at(queue)

    def _forget_some(self) -> None:
        # Strangers choose the origins, and there may be as many as there are subscribers.
        if len(self._queues) > MAX_IDLE_ORIGINS:
            kept = {o: queue for o, queue in self._queues.items() if queue.waiting or queue.under_way}
            self._queues = kept

    def _look_at(self, queue: OriginQueue[StoredSubscription]) -> None:
        if queue.ready:
            self._ready[queue] = None

    def _begin(self) -> bool:
        """Begin some deliveries, to each push service in turn; return whether there were any."""
        burst: list[tuple[Delivery, OriginQueue]] = []
        while self._ready and len(burst) < BURST:
            queue, _ = self._ready.popitem(last=False)
            if not queue.ready:
                continue  # Since it was found ready, its push service has asked for a pause.
            queue.under_way += 1
            stored = queue.waiting.popleft()
            if queue.closed:
                self._conclude(stored, queue, GIVEN_UP)
            else:
                burst.append((self._delivery(stored, queue), queue))
            self._look_at(queue)
        # All are prepared before the first is sent: a processor that does one thing many times is
        # quicker than one that changes between two, since its caches keep what it needs.
        for delivery, _ in burst:
            delivery.prepare()
        for delivery, queue in burst:
            self._follow(delivery.attempt(), partial(self._attempted, delivery, queue))
        return bool(burst)

    def _attempted(self, delivery: Delivery, queue: OriginQueue, attempt: Future[Response]) -> None:
        """Conclude the delivery, or give it a task that tries again."""
        outcome = delivery.classify(attempt)
        if outcome.kind == "retry" and not self._ended:
            retrying = asyncio.ensure_future(delivery.retry(outcome))
            self._follow(retrying, partial(self._retried, delivery, queue))
        else:
            self._conclude(delivery.stored, queue, outcome)

    def _retried(self, delivery: Delivery, queue: OriginQueue, last: Future[Outcome]) -> None:
        self._conclude(delivery.stored, queue, last.result())

    def _conclude(
        self, stored: StoredSubscription, queue: OriginQueue[StoredSubscription], outcome: Outcome
    ) -> None:
        queue.under_way -= 1
        self._held -= 1
        self._look_at(queue)
        self._news.set()
        self._note(stored, outcome)
