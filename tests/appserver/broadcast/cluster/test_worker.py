"""What a worker does with its ranges, without Dask: the test is the application server."""

import asyncio
import pickle
import threading
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from pushlab.appserver.broadcast import outage
from pushlab.appserver.broadcast.cluster import worker as worker_module
from pushlab.appserver.broadcast.cluster.granted_queue import Report
from pushlab.appserver.broadcast.cluster.orders import (
    Equipment,
    Order,
    Range,
    Ranges,
    range_size,
)
from pushlab.appserver.broadcast.cluster.pace import Pace
from pushlab.appserver.broadcast.cluster.worker import Abandoned, Pushlab, WorkerRun
from pushlab.appserver.broadcast.runs import RecordedOutcome, Runs
from pushlab.errors import DatabaseLocked, LabStopped, UnableToReadDatabase
from pushlab.protocol.delivery import PushOptions
from pushlab.settings import patience

from ...sending import World, always, fill


class Bench:
    """One worker with subscribers 1 to ``count``; the test grants, and hears what it has seen."""

    def __init__(self, world: World, service, subscriber, count: int):
        fill(world.store, service, subscriber, [f"201-{n:03}" for n in range(1, count + 1)])
        self.world, self.service, self.runs = world, service, Runs(world.store)
        self.abandoned = asyncio.Event()
        number = self.runs.begin(bytes(32))
        self.order = Order(number, b"Hello", PushOptions())
        self.worker = WorkerRun(world.store, self.runs, world.sender, self.order, self._abandon)
        self.pace = Pace(asyncio.get_running_loop().call_later)
        self.written: dict[str, int] = {}

    async def _abandon(self) -> None:
        self.abandoned.set()

    async def pulses(self) -> None:
        """Grant and listen, until it is cancelled."""
        now = asyncio.get_running_loop().time
        while True:
            said = await self.worker.pulse(self.pace.grants("one", now()), 0.05)
            self.pace.learn("one", map(Report.read, said["seen"]), now())
            self.written = said["written"]

    @property
    def outcomes(self) -> dict[str, int]:
        return self.runs.get(self.order.run).outcomes


@pytest.fixture
def bench(keys, push_service, subscriber):
    @asynccontextmanager
    async def running(count):
        async with push_service() as service:
            world = World(keys, service)
            one = Bench(world, service, subscriber, count)
            pulses = asyncio.ensure_future(one.pulses())
            one.stop_pulses = pulses.cancel
            try:
                yield one
            finally:
                pulses.cancel()
                await one.worker.end()
                await world.close()

    return running


def test_two_ranges_at_a_time_end_when_they_are_recorded(run, bench):
    async def scenario():
        async with bench(60) as one:
            await asyncio.gather(one.worker.send(Range(1, 40)), one.worker.send(Range(41, 60)))
            assert one.outcomes == {"accepted": 60}
            while one.written.get("accepted") != 60:
                await asyncio.sleep(0)
            # Begun again after a death, it finds nobody who is left.
            await one.worker.send(Range(1, 60))
            assert len(one.service.received) == 60

    run(scenario())


def test_a_range_of_a_list_within_another_range(run, bench):
    async def scenario():
        async with bench(30) as one:
            refused = [RecordedOutcome(number, "refused", 403, 1) for number in (3, 20)]
            one.runs.record(one.order.run, refused)
            again = Range(3, 20, (3, 20))
            await asyncio.gather(one.worker.send(Range(1, 30)), one.worker.send(again))
            assert one.outcomes == {"accepted": 30} and len(one.service.received) == 30

    run(scenario())


def test_a_worker_that_hears_nothing_ends_and_records(run, bench, monkeypatch):
    monkeypatch.setattr(worker_module, "SILENCE", 0.3)

    async def scenario():
        async with bench(40) as one:
            half, end = asyncio.Event(), asyncio.Event()

            def answer(handler, number):
                handler.set_status(201)
                if number == 20:
                    half.set()
                return end.wait() if number >= 20 else None

            one.service.answer = answer
            sending = asyncio.ensure_future(one.worker.send(Range(1, 40)))
            await half.wait()
            one.stop_pulses()
            with pytest.raises(Abandoned):
                await sending
            await one.abandoned.wait()
            assert one.outcomes == {"accepted": 19}
            end.set()

    run(scenario())


def test_a_notify_all_that_nobody_asks_for_ends_and_the_others_go_on(run, keys, tmp_path, monkeypatch):
    """One may begin here after it has ended everywhere else: its worker was late."""
    monkeypatch.setattr(worker_module, "SILENCE", 0.3)

    async def scenario():
        plugin, equipment = Pushlab(), Equipment.of(keys, f"sqlite:///{tmp_path}/a.sqlite3")
        plugin.setup(SimpleNamespace(handlers={}))
        for name in ("late", "asked for"):
            assert await plugin.begin("server", name, equipment, Order(1, None, PushOptions())) is None
        runs = plugin._servers["server"].runs
        while "late" in runs:
            assert await plugin.pulse("server", "asked for", [], 0.05)
        assert await plugin.pulse("server", "asked for", [], 0.05)
        while plugin._servers:  # The last one takes the keys with it.
            await asyncio.sleep(0.05)

    run(scenario())


@pytest.mark.parametrize("fault", [DatabaseLocked, UnableToReadDatabase])
def test_the_tables_are_looked_for_once_in_a_thread_and_a_fault_is_outlasted_or_told(
    run, keys, tmp_path, monkeypatch, fault
):
    monkeypatch.setattr(outage, "PAUSE", 0.01)
    threads = []

    def runs(store):
        threads.append(threading.current_thread())
        if len(threads) == 1:
            raise fault("the database is away")
        return Runs(store)

    monkeypatch.setattr(worker_module, "Runs", runs)

    async def scenario():
        plugin, equipment = Pushlab(), Equipment.of(keys, f"sqlite:///{tmp_path}/a.sqlite3")
        plugin.setup(SimpleNamespace(handlers={}))
        try:
            said = await plugin.begin("server", "one", equipment, Order(1, None, PushOptions()))
            if fault is UnableToReadDatabase:  # It does not pass by itself.
                assert type(pickle.loads(said)) is fault and not plugin._servers  # noqa: S301 — made here
            else:
                assert said is None and len(threads) == 2
                await plugin.begin("server", "two", equipment, Order(2, None, PushOptions()))
                assert len(threads) == 2
        finally:
            await plugin.leave("server")
        assert threading.current_thread() not in threads

    run(scenario())


def test_a_range_of_a_notify_all_that_has_ended_keeps_no_place(run, keys, tmp_path, monkeypatch):
    """It may have begun just before: Dask does not take it back."""
    monkeypatch.setattr(worker_module, "SILENCE", 600)

    async def scenario():
        plugin, equipment = Pushlab(), Equipment.of(keys, f"sqlite:///{tmp_path}/a.sqlite3")
        plugin.setup(SimpleNamespace(handlers={}))
        order = Order(1, None, PushOptions())
        try:
            await plugin.begin("server", "one", equipment, order)
            assert await plugin.run("server", "one")
            waiting = asyncio.ensure_future(plugin.run("server", "two"))
            await asyncio.sleep(0)
            assert not waiting.done(), "it may still begin"
            await plugin.end("server", "one")
            await plugin.end("server", "two")
            for late in (waiting, plugin.run("server", "one"), plugin.run("server", "two")):
                with pytest.raises(Abandoned):
                    await asyncio.wait_for(late, patience(60))
            # The application server may have asked for it before it asked for its end.
            await plugin.begin("server", "two", equipment, order)
            assert await plugin.pulse("server", "two", [], 0) is None
        finally:
            await plugin.leave("server")

    run(scenario())


def test_a_range_waits_for_the_plugin_and_is_given_up_without_it(run, monkeypatch):
    worker = SimpleNamespace(plugins={})

    async def scenario():
        waiting = asyncio.ensure_future(worker_module._plugin_of(worker))
        await asyncio.sleep(0)
        assert not waiting.done()
        worker.plugins[Pushlab.name] = plugin = Pushlab()
        assert await asyncio.wait_for(waiting, patience(60)) is plugin
        worker.plugins.clear()
        monkeypatch.setattr(worker_module, "SILENCE", 0.05)
        with pytest.raises(Abandoned):
            await worker_module._plugin_of(worker)

    run(scenario())


def test_a_worker_that_is_ended_records_and_its_ranges_say_so(run, bench):
    async def scenario():
        async with bench(10) as one:
            end = asyncio.Event()
            under_way = asyncio.Event()

            def answer(handler, number):
                under_way.set()
                return end.wait()

            one.service.answer = answer
            sending = asyncio.ensure_future(one.worker.send(Range(1, 10)))
            await under_way.wait()
            await one.worker.end()
            with pytest.raises(LabStopped):
                await sending
            end.set()
            one.service.answer = always(201)

    run(scenario())


def test_ranges_are_of_subscribers_and_those_refused_before_come_last(
    keys, push_service, run, subscriber
):
    async def scenario():
        async with push_service() as service:
            world = World(keys, service)
            fill(world.store, service, subscriber, [f"201-{n:03}" for n in range(1, 21)])
            for number in (2, 3, 4, 19):
                world.store.remove(service.endpoint(f"201-{number:03}"))
            runs = Runs(world.store)
            order = Order(runs.begin(bytes(32)), b"Hello", PushOptions())
            cut = Ranges(world.store, runs, order, 6)
            assert list(iter(cut.next, None)) == [Range(1, 9), Range(10, 15), Range(16, 20)]
            outcomes = [RecordedOutcome(number, "accepted", 201, 1) for number in range(5, 12)]
            runs.record(order.run, [*outcomes, RecordedOutcome(12, "refused", 403, 1)])
            again = Ranges(world.store, runs, Order(order.run, b"Hello", PushOptions(), True), 6)
            assert list(iter(again.next, None)) == [Range(1, 17), Range(18, 20), Range(12, 12, (12,))]
            await world.close()

    run(scenario())
    assert range_size(600, threads=4) == 50
