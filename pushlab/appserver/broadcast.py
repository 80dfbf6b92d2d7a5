"""One message on its way to many: the next of them begins when its push service has room.

    the store ── 500 at a time, in a thread ──▶ lanes, one a push service ──▶ a task a message
                                                 ▲                                     │
                                                 ╰── room again, and what was learned ─╯

Everything runs in one event loop, where encrypting takes most of the time. So only a few messages
are made ready before the loop looks at its sockets again: while some are encrypted, others are on
the wire, and the answers of others are read.

However many subscribers there are, only some hundred are in memory. The same number is how far this
looks ahead: while one push service rests, subscribers of others are found behind its own.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator

from pushlab.appserver.flow import MOST, Lane, Window
from pushlab.appserver.outcome import Outcome
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import LabStopped

LOOK_AHEAD = 1000
"""Subscribers in memory, those under way included, from which on no more are read."""

BURST = 32
"""Messages that are made ready before the event loop looks at its sockets."""

MANY = 100
"""Push services of which something is remembered while nothing is to be sent to them."""

NO_HOPE = Outcome(
    "retry",
    None,
    "This was not sent: the push service asked for a longer pause, or has not answered for long. "
    "Go on with this notify-all later.",
    attempts=0,
)
"""What comes of a message to a push service that has been given up."""


class Broadcast:
    """Send to everyone in ``batches``, each push service at its own pace.

    ``send(stored, lane)`` sends one message and tells the lane what it learns; ``note(stored,
    outcome)`` is called as each ends; ``most`` is how many may be under way to one push service.
    """

    def __init__(
        self,
        batches: Iterator[Iterable[StoredSubscription]],
        send: Callable[[StoredSubscription, Lane], Awaitable[Outcome]],
        note: Callable[[StoredSubscription, Outcome], None],
        most: int = MOST,
    ):
        self._batches = batches
        self._send = send
        self._note = note
        self._most = most
        self._lanes: dict[str, Lane[StoredSubscription]] = {}
        self._ready: OrderedDict[Lane[StoredSubscription], None] = OrderedDict()
        self._held = 0
        self._news = asyncio.Event()
        self._stopped = False

    def stop(self) -> None:
        """Let run() end at once."""
        self._stopped = True
        self._news.set()

    async def run(self) -> None:
        """Send to everyone. Raises UnableToReadDatabase, and LabStopped after stop().

        However it ends, no task and no request of it is left.
        """
        try:
            async with asyncio.TaskGroup() as group:
                await self._pump(group)
        except ExceptionGroup as reasons:
            raise reasons.exceptions[0] from None

    async def _pump(self, group: asyncio.TaskGroup) -> None:
        reading, at_end = self._read(group), False
        while True:
            self._news.clear()
            if self._stopped:
                raise LabStopped("the application server stops")
            if reading and reading.done():
                batch, reading = reading.result(), None
                at_end = batch is None
                for stored in batch or ():
                    self._take(stored)
            if not (reading or at_end) and self._held < LOOK_AHEAD:
                reading = self._read(group)
            if self._begin(group):
                await asyncio.sleep(0)
            elif at_end and not self._held:
                return
            else:
                await self._news.wait()

    def _read(self, group: asyncio.TaskGroup) -> asyncio.Task[Iterable[StoredSubscription] | None]:
        # In a thread, for the loop must not wait for a disk or a lock. To check what was read is
        # work for the loop: two threads that compute take turns, and lose more by that than they
        # gain.
        reading = group.create_task(asyncio.to_thread(next, self._batches, None))
        reading.add_done_callback(lambda _: self._news.set())
        return reading

    def _take(self, stored: StoredSubscription) -> None:
        origin = stored.subscription.origin
        if origin not in self._lanes:
            self._forget_some()
            self._lanes[origin] = Lane(Window(most=self._most))
        lane = self._lanes[origin]
        lane.waiting.append(stored)
        self._held += 1
        self._look_at(lane)

    def _forget_some(self) -> None:
        # Origins come from strangers, and there may be as many as there are subscribers.
        if len(self._lanes) > MANY:
            kept = {o: lane for o, lane in self._lanes.items() if lane.waiting or lane.under_way}
            self._lanes = kept

    def _look_at(self, lane: Lane[StoredSubscription]) -> None:
        if lane.ready:
            self._ready[lane] = None

    def _begin(self, group: asyncio.TaskGroup) -> int:
        """Begin some messages, of each push service in turn, and return how many."""
        for begun in range(BURST):
            if not self._ready:
                return begun
            lane, _ = self._ready.popitem(last=False)
            lane.under_way += 1
            group.create_task(self._see_to(lane.waiting.popleft(), lane))
            self._look_at(lane)
        return BURST

    async def _see_to(self, stored: StoredSubscription, lane: Lane[StoredSubscription]) -> None:
        try:
            self._note(stored, NO_HOPE if lane.closed else await self._send(stored, lane))
        finally:
            lane.under_way -= 1
            self._held -= 1
            self._look_at(lane)
            self._news.set()
