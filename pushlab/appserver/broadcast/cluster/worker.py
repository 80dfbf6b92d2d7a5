"""A worker of a notify-all: a process of Dask's that sends to the ranges that it is given.

    the scheduler ── send_range(run, range) ──▶ WorkerRun ── one Broadcast ──▶ push services
    the application server ◀── pulse ─────────▶     ╰────── one Recorder ───▶ the database

Dask runs a coroutine in the worker's own event loop, so sender and libcurl run there as they do in the
application server. A worker sends to two ranges at a time in one Broadcast, and so never waits for
the last messages of one before it begins the next.

What it needs comes in messages of their own, and never with a task: a scheduler keeps tasks, and shows
them. A worker that hears nothing from the application server for SILENCE seconds ends what it does.
"""

import asyncio
import pickle
import signal
import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import repeat
from typing import Any, cast
from uuid import uuid4

from distributed import Worker, WorkerPlugin, get_worker

from pushlab.appserver.broadcast.broadcast import NOT_SENT, Broadcast, Queue
from pushlab.appserver.broadcast.cluster.granted_queue import Grant, GrantedQueue
from pushlab.appserver.broadcast.cluster.orders import SILENCE, Equipment, Order, Range
from pushlab.appserver.broadcast.outage import outlast
from pushlab.appserver.broadcast.recorder import MAX_BEHIND, Recorder
from pushlab.appserver.broadcast.runs import RecordedOutcome, Runs, add_to_tally
from pushlab.appserver.delivery.delivery import Delivery
from pushlab.appserver.delivery.sender import Sender
from pushlab.appserver.explain.outcome import Outcome, explain
from pushlab.appserver.store import Batch, StoredSubscription, SubscriptionStore
from pushlab.errors import PushlabError
from pushlab.server.connections import collect_garbage_rarely
from pushlab.settings import patience

GATHER = 0.01
"""Seconds that a worker waits for more to tell when it has something urgent."""


ENDED_KEPT = 1000
"""Notify-alls whose end a worker remembers."""


class Abandoned(Exception):
    """A range that a worker gives up: it hears nothing from the application server, or of the end."""


async def send_range(server: str, run: str, part: tuple) -> None:
    """Send to one range, and return when each outcome in it is recorded. It is a task of Dask's.

    ``server``, ``run``: an application server and a notify-all, of which this worker is told
    otherwise. Raises StoreError, LabStopped, Abandoned.
    """
    plugin = await _plugin_of(get_worker())
    await (await plugin.run(server, run)).send(Range(*part))


async def _plugin_of(worker: Worker) -> "Pushlab":
    """Return a worker's part of ours. Raises Abandoned if it does not come.

    A worker that has come to another scheduler may get a range before it gets the plugin.
    """
    try:
        async with asyncio.timeout(patience(SILENCE)):
            while Pushlab.name not in worker.plugins:  # noqa: ASYNC110 — Dask tells nobody
                await asyncio.sleep(GATHER)
    except TimeoutError:
        raise Abandoned from None
    return cast(Pushlab, worker.plugins[Pushlab.name])


class Pushlab(WorkerPlugin):
    """Makes a worker of Dask's one of pushlab's. It holds no secret: those come by the handlers.

    ``local``: the worker is a process of the application server's own.
    """

    name = "pushlab"

    def __init__(self, local: bool = False):
        self._local = local

    def setup(self, worker: Worker) -> None:
        """Take the application servers' messages.

        Ctrl-C in a terminal, and the interrupt of a kernel, reach each process that was started there.
        Only the application server is meant, which ends its workers itself.
        """
        if self._local:
            # It tells everybody on this machine of tasks and logs, without a password.
            worker.http_server.stop()
            collect_garbage_rarely()
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._servers: dict[str, _Server] = {}
        self._opening = asyncio.Lock()
        self._changed = asyncio.Condition()
        # Dask cannot take back a range that a worker has begun, and it must not keep its place.
        self._ended: deque[tuple[str, str]] = deque(maxlen=ENDED_KEPT)
        worker.handlers |= {
            "pushlab_begin": self.begin,
            "pushlab_pulse": self.pulse,
            "pushlab_end": self.end,
            "pushlab_leave": self.leave,
        }

    async def teardown(self, worker: Worker) -> None:
        """End everything, and forget the keys."""
        for server in list(self._servers):
            await self.leave(server)

    async def run(self, server: str, run: str) -> "WorkerRun":
        """Return a notify-all, once this worker has been told of it.

        Raises Abandoned if it has ended, or if nothing is heard of it.
        """

        def is_known() -> bool:
            return server in self._servers and run in self._servers[server].runs

        async with self._changed:
            try:
                async with asyncio.timeout(patience(SILENCE)):
                    await self._changed.wait_for(lambda: is_known() or (server, run) in self._ended)
            except TimeoutError:
                raise Abandoned from None
            if not is_known():
                raise Abandoned
            return self._servers[server].runs[run]

    async def begin(self, server: str, run: str, equipment: Equipment, order: Order) -> bytes | None:
        """Get ready for a notify-all. Return None, or what has failed: a StoreError that is pickled."""
        async with self._opening:
            if server not in self._servers:
                try:
                    self._servers[server] = await _Server.open(equipment)
                except PushlabError as error:
                    return pickle.dumps(error)
            if (server, run) not in self._ended:  # It may have ended while the database was opened.
                self._servers[server].begin(run, order, partial(self._abandon, server, run))
        await self._tell_ranges()
        return None

    async def _tell_ranges(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def pulse(
        self, server: str, run: str, grants: Iterable[tuple], seconds: float
    ) -> dict[str, Any] | None:
        """Take grants, and return what was seen: after ``seconds``, or sooner if it is urgent.

        Return None if this worker does not know of the notify-all any more.
        """
        known = self._servers.get(server)
        if known is None or run not in known.runs:
            return None
        return await known.runs[run].pulse([Grant(*grant) for grant in grants], seconds)

    async def end(self, server: str, run: str) -> dict[str, Any] | None:
        """End a notify-all: nothing more is sent, and what is known is recorded."""
        self._ended.append((server, run))
        await self._tell_ranges()
        known = self._servers.get(server)
        if known is None or (ended := known.runs.pop(run, None)) is None:
            return None
        await ended.end()
        return ended.report() | {"not_sent": dict(ended.not_sent)}

    async def _abandon(self, server: str, run: str) -> None:
        """Do without a notify-all that nobody asks for, and without its keys if it was the last one."""
        if known := self._servers.get(server):
            known.runs.pop(run, None)
            if not known.runs:
                await self.leave(server)

    async def leave(self, server: str) -> None:
        """End every notify-all of an application server, close its database, and forget its keys."""
        if known := self._servers.pop(server, None):
            await known.close()


class _Server:
    """What a worker has of one application server: its database, its keys, its notify-alls."""

    def __init__(self, store: SubscriptionStore, runs: Runs, sender: Sender):
        self._store, self._runs, self._sender = store, runs, sender
        self.runs: dict[str, WorkerRun] = {}

    @classmethod
    async def open(cls, equipment: Equipment) -> "_Server":
        """Open the database, and make a sender. Raises StoreError."""
        store, sender = await outlast(equipment.open)
        try:
            return cls(store, await outlast(partial(Runs, store)), sender)  # It may make tables.
        except BaseException:
            await sender.close()
            await asyncio.to_thread(store.close)
            raise

    def begin(self, run: str, order: Order, abandon: Callable[[], Awaitable[None]]) -> None:
        """Begin a notify-all, unless it has begun. ``abandon()`` is called if nobody asks for it."""
        if run not in self.runs:
            self.runs[run] = WorkerRun(self._store, self._runs, self._sender, order, abandon)

    async def close(self) -> None:
        """End every notify-all, close the connections and the database."""
        while self.runs:
            await self.runs.popitem()[1].end()
        await self._sender.close()
        await asyncio.to_thread(self._store.close)


class _Part:
    """A range that is being sent to. ``left``: messages that were read, and have no outcome yet."""

    def __init__(self, part: Range, batches: Iterator[Batch]):
        self.range, self.batches = part, batches
        self.left, self.is_read = 0, False
        self._numbers = frozenset(part.numbers)
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def has(self, number: int) -> bool:
        """Say whether a subscription is one of the range, by its number."""
        if self.range.numbers:
            return number in self._numbers
        return self.range.first <= number <= self.range.last

    def check(self) -> None:
        """Note that it has ended, if it has."""
        if self.is_read and not self.left and not self.ended.done():
            self.ended.set_result(None)


class WorkerRun:
    """One notify-all on this worker: a Broadcast that is fed with ranges, until it is ended.

    ``abandon()`` is called when it has ended because nothing was heard of the application server.
    """

    def __init__(
        self,
        store: SubscriptionStore,
        runs: Runs,
        sender: Sender,
        order: Order,
        abandon: Callable[[], Awaitable[None]],
    ):
        self._name, self._abandon = uuid4().hex, abandon
        # Nobody looks at a worker's table of participants.
        self._store, self._context = store, replace(sender.context, participants=None)
        self._order = order
        self._logs = repeat(sender.log.quiet())
        self._recorder = Recorder(runs, order.run, written=self._count)
        self._parts: list[_Part] = []
        self._unread: asyncio.Queue[_Part] = asyncio.Queue()
        self._written: Counter[str] = Counter()
        self.not_sent: Counter[str] = Counter()
        self._urgent = asyncio.Event()
        self._heard = asyncio.get_running_loop().time()
        self._broadcast = _RangesBroadcast(self)
        self._sending = asyncio.create_task(self._send())
        self._watching = asyncio.create_task(self._watch())

    async def send(self, part: Range) -> None:
        """Send to a range, and return when its outcomes are recorded. Raises StoreError, LabStopped."""
        where = part.condition(self._order)
        one = _Part(part, self._store.batches(where=where, unreadable=self._unreadable))
        # Numbers of a list may lie within another range, to which they do not belong.
        self._parts.insert(0 if part.numbers else len(self._parts), one)
        try:
            if not self._sending.done():
                self._unread.put_nowait(one)
                await asyncio.wait([one.ended, self._sending], return_when=asyncio.FIRST_COMPLETED)
            if not one.ended.done():
                await asyncio.shield(self._sending)  # It raises why it has ended before its time.
            await self._recorder.catch_up()
        finally:
            self._parts.remove(one)

    async def pulse(self, grants: list[Grant], seconds: float) -> dict[str, Any]:
        """Take grants, and return what was seen: after ``seconds``, or sooner if it is urgent."""
        self._heard = asyncio.get_running_loop().time()
        self._broadcast.allow(grants)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._urgent.wait()
            await asyncio.sleep(0 if self._sending.done() else GATHER)
        self._urgent.clear()
        return self.report()

    def report(self) -> dict[str, Any]:
        """Return what was seen since the last report, and how much has been recorded in all.

        A report may get lost, with the request for it. What was recorded is not lost with it.
        """
        return {"seen": self._broadcast.reports(), "name": self._name, "written": dict(self._written)}

    async def end(self) -> None:
        """End what is under way, and record what is known. Ranges that are not done raise LabStopped."""
        self._broadcast.stop()
        self._recorder.stop()
        await asyncio.gather(self._sending, return_exceptions=True)  # The ranges raise it.
        self._urgent.set()
        if self._watching is not asyncio.current_task():
            self._watching.cancel()
            await asyncio.wait([self._watching])

    async def next_batch(self) -> Iterable[StoredSubscription]:
        """Read the next batch of the ranges that are there, or wait for one. Raises StoreError."""
        while True:
            one = await self._unread.get()
            await self._recorder.catch_up(MAX_BEHIND)
            batch = await outlast(partial(next, one.batches, None))
            if batch is not None:
                one.left += len(batch)
                self._unread.put_nowait(one)
                return batch
            one.is_read = True
            one.check()

    def new_queue(self, origin: str) -> GrantedQueue:
        """Return a queue that will be told what it may do."""
        return GrantedQueue(origin, self._urgent.set, self._context.chance)

    def delivery(self, stored: StoredSubscription, queue: Queue) -> Delivery:
        """Return the delivery to one subscriber."""
        order = self._order
        return Delivery(self._context, stored, order.payload, order.options, next(self._logs), queue)

    def note(self, stored: StoredSubscription, outcome: Outcome) -> None:
        """Record an outcome soon."""
        if outcome is NOT_SENT:
            self.not_sent[stored.subscription.origin] += 1
        self._conclude(stored.number, outcome)

    async def sleep(self, seconds: float) -> None:
        """Wait before another attempt."""
        await self._context.sleep(seconds)

    def _unreadable(self, number: int, error: PushlabError) -> None:
        self._conclude(number, explain(error))

    def _conclude(self, number: int, outcome: Outcome) -> None:
        self._recorder.note(number, outcome)
        for one in self._parts:
            if one.has(number):
                one.left -= 1
                one.check()
                return

    def _count(self, outcomes: Sequence[RecordedOutcome]) -> None:
        for outcome in outcomes:
            add_to_tally(self._written, outcome.outcome, outcome.attempts)

    async def _send(self) -> None:
        try:
            await self._broadcast.run()
        finally:
            await self._recorder.close()

    async def _watch(self) -> None:
        """End everything when nothing was heard from the application server for too long."""
        loop = asyncio.get_running_loop()
        while (left := self._heard + patience(SILENCE) - loop.time()) > 0:  # noqa: ASYNC110 — it is put off
            await asyncio.sleep(left)
        self._broadcast.abandon()
        await asyncio.gather(self._sending, return_exceptions=True)
        await self._abandon()


class _RangesBroadcast(Broadcast):
    """A Broadcast to the ranges of a WorkerRun, at the pace that is granted. It ends when it is told."""

    def __init__(self, run: WorkerRun):
        super().__init__(iter(()), run.delivery, run.note, sleep=run.sleep)
        self._run = run

    def allow(self, grants: Iterable[Grant]) -> None:
        """Begin no more than this from now on, and as much."""
        for grant in grants:
            if queue := self._queues.get(grant.origin):
                cast(GrantedQueue, queue).allow(grant)
                self.look_again(queue)

    def reports(self) -> list[tuple]:
        """Return what was seen at each push service, and do without the queues that are empty."""
        reports = [cast(GrantedQueue, queue).report().row for queue in self._queues.values()]
        self._queues = {origin: queue for origin, queue in self._queues.items() if queue.held}
        return reports

    def abandon(self) -> None:
        """Let run() end at once, because nobody listens any more."""
        self._end_with(Abandoned())

    async def _next_batch(self) -> Iterable[StoredSubscription]:
        return await self._run.next_batch()

    def _new_queue(self, origin: str) -> Queue:
        return self._run.new_queue(origin)
