"""Send one message to every stored subscription from the workers of a Dask cluster.

    ranges of subscribers ──▶ Dask, which gives each to a worker, and to another if that one dies
    a pulse, ten times a second, to each worker ──▶ grants ──▶ and back: what it has seen and recorded

The counts at the end are those of the records, and not the sums of what workers have said: a worker that
died has recorded more than it told.
"""

import asyncio
import pickle
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pushlab.appserver.broadcast.cluster.connection import START_SECONDS, Connection
from pushlab.appserver.broadcast.cluster.granted_queue import Report
from pushlab.appserver.broadcast.cluster.options import check_encrypted
from pushlab.appserver.broadcast.cluster.orders import (
    SILENCE,
    Equipment,
    Order,
    Range,
    Ranges,
    range_size,
)
from pushlab.appserver.broadcast.cluster.pace import Pace
from pushlab.appserver.broadcast.congestion import MAX_IN_FLIGHT
from pushlab.appserver.broadcast.outage import PASSING, outlast
from pushlab.appserver.broadcast.recorder import how_to_resume
from pushlab.appserver.broadcast.runs import Runs, UnderWay
from pushlab.appserver.broadcast.sender import ORIGINS_TOLD, Counts
from pushlab.appserver.delivery.log import DeliveryLog
from pushlab.appserver.delivery.sender import PendingWork
from pushlab.appserver.store import SubscriptionStore
from pushlab.errors import (
    ClusterFailed,
    ClusterLost,
    LabStopped,
    PushlabError,
    UnableToReadDatabase,
)
from pushlab.protocol.delivery import PushOptions
from pushlab.settings import patience

if TYPE_CHECKING:
    from distributed import Client, Future

PULSE = 0.1
"""Seconds between two grants to a worker, unless something is urgent."""

PULSES_A_SECOND = 100
"""Pulses to all workers together at most: each goes through the scheduler."""

LOOK = 0.5
"""Seconds after which new workers are looked for."""

AHEAD = 2
"""Ranges for each thread that Dask is given beforehand: it keeps no more, however many there are."""

END_SECONDS = 10.0
"""Seconds that a worker may take to end a notify-all (times PUSHLAB_PATIENCE)."""


class ClusterSender:
    """Send to all stored subscriptions by the workers of ``connection``.

    ``equipment`` is what each of them needs; ``max_in_flight`` is how many messages may be under way to
    one push service from all of them at most; ``begun(order)`` is awaited before the first is sent. It
    does what a BroadcastSender does, and is used like it.
    """

    def __init__(
        self,
        connection: Connection,
        equipment: Equipment,
        store: SubscriptionStore,
        runs: Runs,
        log: DeliveryLog,
        max_in_flight: int = MAX_IN_FLIGHT,
        begun: Callable[[Order], Awaitable[None]] | None = None,
    ):
        self.runs = runs
        self._connection = connection
        self._equipment, self._store, self._log = equipment, store, log
        self._max_in_flight, self._begun = max_in_flight, begun
        self._name = uuid4().hex
        self._sending: set[asyncio.Task] = set()
        self._work = PendingWork()

    async def send_all(
        self,
        payload: bytes | None,
        options: PushOptions,
        progress: Callable[[Counts], None] | None = None,
        *,
        run: int | None = None,
        number: int = 0,
    ) -> Counts:
        """Send one message to every stored subscription. See ``BroadcastSender.send_all``.

        ``progress`` is called with the counts so far some times a second. Raises ClusterError too.
        """
        with self._work.call(), self.runs.sending(run) as mark:
            sending = asyncio.create_task(self._send_all(payload, options, progress, mark, number))
            self._sending.add(sending)
            try:
                return await sending
            except asyncio.CancelledError:
                self._work.check()  # It may be close() that has cancelled it.
                raise
            finally:
                self._sending.discard(sending)

    async def _send_all(
        self,
        payload: bytes | None,
        options: PushOptions,
        progress: Callable[[Counts], None] | None,
        mark: UnderWay,
        number: int,
    ) -> Counts:
        client = await self._connection.client()
        for worker in (await client.scheduler.identity())["workers"]:
            check_encrypted(worker, "a worker")  # before anything is recorded
        total, run = await outlast(partial(self.runs.start, payload, mark, number))
        self._log.record("send to all", subscriptions=total)
        order = Order(run, payload, options, resumed=mark.resumed)
        one = _Run(self._connection, client, self._name, self._equipment, order, self._max_in_flight)

        def tell(tally: Counter[str]) -> None:
            if progress:
                progress(Counts(**tally, total=total, run=run))

        one.on_written = tell
        try:
            if self._begun:
                await self._begun(order)
            before = await outlast(partial(self.runs.tally, run, final=True))
            await one.send(partial(Ranges, self._store, self.runs, order), total)
            await outlast(partial(self.runs.end, run))
            after = await outlast(partial(self.runs.tally, run))
        except PASSING as fault:
            what = f"notify-all {run} has stopped, for too long without its database"
            hint = how_to_resume(run)
            raise UnableToReadDatabase(f"{what}: {fault.detail}", fault.fault, hint=hint) from None
        after.subtract(before)
        for origin, count in one.not_sent.most_common(ORIGINS_TOLD):
            self._log.record("not sent", push_service=origin, count=count)
        if after["gone"]:
            self._log.record("remove subscription", count=after["gone"])
        return Counts(**after, total=total, run=run)

    @property
    def worker_pids(self) -> list[int]:
        """The process numbers of the workers that were started here."""
        return self._connection.worker_pids

    @property
    def busy(self) -> bool:
        """Whether a notify-all is under way."""
        return bool(self._work)

    async def close(self) -> None:
        """End every notify-all that is under way, and the workers, or let them forget the keys.

        The calls that were under way raise LabStopped, and so does every later one. Calling it twice is
        harmless.
        """
        self._work.refuse_more()
        for sending in self._sending:
            sending.cancel()
        await self._work.ended()
        await self._connection.leave(self._name)
        await self._connection.close()


class _Run:
    """One notify-all: its ranges at the scheduler, and a pulse to each worker."""

    def __init__(
        self,
        connection: Connection,
        client: "Client",
        server: str,
        equipment: Equipment,
        order: Order,
        max_in_flight: int,
    ):
        self._connection, self._client = connection, client
        self._equipment, self._order = equipment, order
        self._name = server, uuid4().hex
        self._loop = asyncio.get_running_loop()
        self._useful_at, self._fault = self._loop.time(), ""
        self._pace = Pace(self._loop.call_later, max_in_flight)
        self._pulses: dict[str, asyncio.Task[None]] = {}
        self._ending = False
        self._threads, self._found = 1, asyncio.Event()
        # What each WorkerRun has recorded until now, by its name, and what all have.
        self._written: dict[str, Counter[str]] = {}
        self._tally: Counter[str] = Counter()
        self.not_sent: Counter[str] = Counter()
        self.on_written: Callable[[Counter[str]], None] = lambda tally: None

    async def send(self, cut: Callable[[int], Ranges], total: int) -> None:
        """Send to every range of ``cut(size)``, ``total`` subscribers in all.

        Raises ClusterError, StoreError; what is known then is recorded.
        """
        looking = asyncio.create_task(self._keep_looking())
        under_way = {asyncio.create_task(self._until_found())}
        try:
            under_way -= await _first_of({*under_way, looking})
            parts = await outlast(partial(cut, range_size(total, self._threads)))
            while part := await outlast(parts.next):
                under_way.add(asyncio.create_task(self._send_range(part)))
                while len(under_way) >= AHEAD * self._threads:
                    under_way -= await _first_of({*under_way, looking})
            while under_way:
                under_way -= await _first_of({*under_way, looking})
        finally:
            await _cancel({*under_way, looking})
            await self._end_on_workers()
            await _cancel(self._pulses.values())

    async def _send_range(self, part: Range) -> None:
        """Give a range to Dask, and wait until it is sent to. Raises ClusterError, StoreError."""
        from distributed import KilledWorker

        from pushlab.appserver.broadcast.cluster.worker import Abandoned, send_range

        while True:
            key = f"pushlab-{self._order.run}-{part.first}-{part.last}-{uuid4().hex[:8]}"
            future = self._client.submit(send_range, *self._name, tuple(part), key=key, pure=False)
            try:
                error = await error_of(future)
                if future.status == "finished":
                    return
            finally:
                future.release()
            if error is None:
                run = self._order.run
                raise ClusterLost(f"the scheduler went away in the middle of notify-all {run}")
            if isinstance(error, KilledWorker):
                raise ClusterFailed(f"several workers ended while they sent to {part}")
            if isinstance(error, Abandoned | LabStopped):
                continue  # It heard nothing of this program, whose machine may have slept; or it ends.
            if isinstance(error, PushlabError):
                raise error
            raise ClusterFailed(f"a worker that sent to {part} says: {error!r}")

    # --- the workers -----------------------------------------------------------------------------

    async def _until_found(self) -> None:
        await self._found.wait()

    async def _keep_looking(self) -> None:
        while True:
            await self._look_for_workers()
            await asyncio.sleep(LOOK)

    async def _look_for_workers(self) -> None:
        """Begin a pulse to each new worker, and do without those that have gone. Raises ClusterError."""
        try:
            workers = (await self._client.scheduler.identity())["workers"]
        except OSError:
            return  # The ranges tell if the scheduler has gone.
        for worker in workers.keys() - self._pulses.keys():
            check_encrypted(worker, "a worker")
            self._pulses[worker] = asyncio.create_task(self._pulse(worker))
        self._do_without_gone(workers)
        for worker, pulse in list(self._pulses.items()):
            if pulse.done():  # It may have requests under way, and is asked again.
                self._pulses.pop(worker)
                self._note_fault(worker, pulse)
        if workers:
            self._threads = sum(one["nthreads"] for one in workers.values())
            self._found.set()
        if self._pulses and not self._useless():
            self._useful_at = self._loop.time()
        elif self._loop.time() - self._useful_at > patience(START_SECONDS):
            raise ClusterFailed(self._fault or "there is no worker")

    def _do_without_gone(self, workers: Collection[str]) -> None:
        """Ask no worker any more that is not among these, which the scheduler has."""
        for worker in self._pulses.keys() - workers:
            self._pulses.pop(worker).cancel()
            self._pace.forget(worker, self._loop.time())

    def _useless(self) -> bool:
        return all(pulse.done() for pulse in self._pulses.values())

    def _note_fault(self, worker: str, pulse: asyncio.Task[None]) -> None:
        """Remember why a worker is of no use. Raises StoreError: the database is that of all."""
        error = None if pulse.cancelled() else pulse.exception()
        if isinstance(error, PushlabError):
            raise error
        self._fault = f"the worker at {worker} says: {type(error).__name__}: {error}"

    async def _pulse(self, worker: str) -> None:
        """Exchange grants and reports with a worker. Raises StoreError, and whatever it raises."""
        said = None
        while not self._ending:
            if said is None:  # It does not know of this notify-all, or does not know any more.
                await self._begin(worker)
                self._pace.expect(worker)
            grants = [tuple(grant) for grant in self._pace.grants(worker, self._loop.time())]
            seconds = max(PULSE, len(self._pulses) / PULSES_A_SECOND)
            async with asyncio.timeout(patience(SILENCE) + seconds):
                said = await self._ask(worker, "pulse", grants=grants, seconds=seconds)
            if said is not None:
                self._learn(worker, said)

    async def _begin(self, worker: str) -> None:
        from distributed.protocol import to_serialize

        # Wrapped like this, the scheduler passes them on as they are, and no log shows their content.
        what = {"equipment": to_serialize(self._equipment), "order": to_serialize(self._order)}
        async with asyncio.timeout(patience(START_SECONDS)):
            if failed := await self._ask(worker, "begin", **what):
                raise pickle.loads(failed)  # noqa: S301 — a worker may run code here: Dask trusts them

    def _learn(self, worker: str, said: dict[str, Any]) -> None:
        self._pace.learn(worker, map(Report.read, said["seen"]), self._loop.time())
        self._written[said["name"]] = Counter(said["written"])
        tally = sum(self._written.values(), Counter())
        if tally != self._tally:
            self._tally = tally
            self.on_written(tally)

    async def _end_on_workers(self) -> None:
        """Let each worker end and record. A worker that does not answer has done so, or will soon."""
        self._ending = True
        if self._client.status != "running":
            return
        with suppress(Exception):  # Dask raises what its parts raise. Then all are asked.
            async with asyncio.timeout(patience(END_SECONDS)):
                # One that has died since the last look would be waited for until the time is over.
                self._do_without_gone((await self._client.scheduler.identity())["workers"])

        async def end(worker: str, pulse: asyncio.Task[None]) -> None:
            async with asyncio.timeout(patience(END_SECONDS)):
                if said := await self._ask(worker, "end"):
                    self._learn(worker, said)
                    self.not_sent.update(said["not_sent"])
                # It returns now. To cancel it would close a connection that the next notify-all needs.
                await pulse

        ends = [end(*one) for one in self._pulses.items()]
        await asyncio.gather(*ends, return_exceptions=True)

    async def _ask(self, worker: str, what: str, **more: Any) -> Any:
        server, run = self._name
        message = {"op": f"pushlab_{what}", "server": server, "run": run, **more}
        return await self._connection.ask(worker, message)


async def error_of(future: "Future") -> Exception | None:
    """Wait until a task of Dask's has ended, and return what it has raised, or None.

    A worker may die in the moment in which it has told of its task's end. Then Dask calls the result
    lost, and gives the task to another worker.
    """
    while True:
        # Not ``await future``: several share one request for their results, and end with it.
        error = await future.exception()
        if future.status in ("finished", "error", "cancelled"):
            return error


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel some tasks, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _first_of(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Wait for the first of some tasks, and return those that have ended. Raises what one has raised."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return done
