"""A notify-all from two processes of this machine: the same promises as from one.

All tests share one application server, whose workers are started by the first of them.
"""

import asyncio
import contextlib
import signal
from collections import Counter
from urllib.parse import urlsplit

import psutil
import pytest

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.broadcast.cluster import options, orders
from pushlab.appserver.broadcast.cluster import sender as sender_module
from pushlab.appserver.broadcast.cluster.connection import Connection
from pushlab.appserver.broadcast.congestion import INITIAL_WINDOW
from pushlab.appserver.broadcast.origin_queue import FEW
from pushlab.appserver.participants import digest_of
from pushlab.errors import BadField, ClusterFailed, RunUnderWay, ScaleMissing
from pushlab.journal import Journal
from pushlab.protocol.subscription import PushSubscription
from pushlab.settings import patience

from ....run.programs import spawned
from ...conftest import Scripted, scripted
from ...sending import always, fill, reached

pytestmark = pytest.mark.usefixtures("programs")


class World:
    """An application server with two workers, and the push service that it sends to."""

    def __init__(self, server: ApplicationServer, service: Scripted, subscriber):
        self.server, self.service = server, service
        self._subscriber = subscriber
        self.people: dict[str, object] = {}

    def people_are(self, *names: str) -> None:
        """Let these be the subscribers, and nobody else. A name begins with the status of the answer."""
        self.service.received.clear()
        self.people = fill(self.server.store, self.service, self._subscriber, names)

    def times(self) -> Counter[str]:
        """How often a message came to each name."""
        return Counter(r.path.removeprefix("/push/").rpartition("-")[0] for r in self.service.received)

    def busiest_worker(self) -> psutil.Process:
        """Return the worker that has most connections to the push service."""
        port = int(self.service.origin.rpartition(":")[2])

        def connections(worker):
            return sum(bool(one.raddr) and one.raddr.port == port for one in worker.net_connections())

        return max(self.workers(), key=connections)

    def workers(self) -> list[psutil.Process]:
        return spawned(psutil.Process())


@pytest.fixture(scope="module")
def world(run_in_one_loop, keys, subscriber, tmp_path_factory):
    stack = contextlib.AsyncExitStack()

    async def start():
        service = await stack.enter_async_context(scripted())
        database = tmp_path_factory.mktemp("processes") / "a.sqlite3"
        server = ApplicationServer(
            keys=keys, database=f"sqlite:///{database}", journal=Journal(),
            push_origins=[service.origin], processes=2,
        )  # fmt: skip
        await server.start()
        stack.push_async_callback(server.stop)
        return World(server, service, subscriber)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orders, "RANGE", 40)  # So that there are many, though the people are few.
        yield run_in_one_loop(start())
        run_in_one_loop(stack.aclose())
    assert not spawned(psutil.Process())


@pytest.fixture
def run(run_in_one_loop):
    return run_in_one_loop


def test_everybody_gets_it_and_the_counts_are_those_of_one_process(run, world):
    def answer(handler, number):
        name = handler.request.path.removeprefix("/push/")
        before = world.times()[name.rpartition("-")[0]]
        handler.set_status(201 if name.startswith("503") and before > 1 else int(name[:3]))

    async def scenario():
        world.service.answer = answer
        world.people_are(*(f"201-{n:03}" for n in range(300)), "410-a", "404-b", "403-c", "503-d")
        seen, before = [], world.server.journal.last
        counts = await world.server.notify_all(progress=seen.append)
        assert (counts.accepted, counts.gone, counts.failed) == (301, 2, 1)
        assert (counts.retried, counts.not_sent, counts.total) == (1, 0, 304)
        assert world.times() == Counter(world.people.keys()) + Counter(["503-d"])
        assert seen and seen[-1].done == 304 and seen[-1].run == counts.run
        left = {one.subscription.endpoint for one in world.server.store.all()}
        gone = {world.service.endpoint(name) for name in ("410-a", "404-b")}
        assert left == {one.endpoint for one in world.people.values()} - gone
        read = {world.people["201-000"].read(received.body) for received in world.service.received}
        assert read == {world.people["201-000"].read(world.service.received[0].body)}
        [record] = [one for one in world.server.runs() if one.run == counts.run]
        assert record.ended_at and record.outcomes == {"accepted": 301, "gone": 2, "refused": 1}
        told = [event.what for event in world.server.journal.events(before)]
        assert told == ["send to all", "remove subscription"]

    run(scenario())


def test_the_table_of_participants_says_who_was_reached(run, world, monkeypatch):
    async def unavailable(connection):
        raise ClusterFailed("there is no worker")

    def table():
        _, stored = world.server.store.newest(10)
        return {row.name: row.reached for row in world.server.room.rows(stored)}

    async def scenario():
        world.service.answer = lambda handler, number: handler.set_status(
            int(handler.request.path.removeprefix("/push/")[:3])
        )
        world.people_are("201-keys", "403-keys")
        store, room = world.server.store, world.server.room
        none = PushSubscription(world.service.endpoint("201-none"), None, None)
        for subscription in (*(one.subscription for one in world.people.values()), none):
            name = urlsplit(subscription.endpoint).path[6:14]
            store.save(subscription, world.server.keys.application_server_key, name)
        first = await world.server.notify_all("Hello")
        assert table() == {"201-keys": False, "403-keys": False, "201-none": False}

        # What a worker reports of the message that has come to it.
        ada = world.people["201-keys"]
        [body] = [one.body for one in world.service.received if one.path.startswith("/push/201-keys")]
        room.received(ada.endpoint, digest_of(ada.read(body)), "Firefox")
        [body] = [one.body for one in world.service.received if one.path.startswith("/push/201-none")]
        assert body == b""
        room.received(none.endpoint, digest_of(None), "Firefox")
        arrived = {"201-keys": True, "403-keys": False, "201-none": True}
        assert table() == arrived

        with pytest.raises(BadField):
            await world.server.notify_all("Another message", resume=first.run)
        with monkeypatch.context() as without, pytest.raises(ClusterFailed):
            without.setattr(Connection, "client", unavailable)
            await world.server.notify_all("Hello")
        assert table() == arrived
        sent_at = {row.name: row.sent_at for row in room.rows(store.all())}
        again = await world.server.notify_all("Hello", resume=first.run)
        assert again.total == 1 and table() == arrived
        anew = {row.name for row in room.rows(store.all()) if row.sent_at != sent_at[row.name]}
        assert anew == {"403-keys"}

    run(scenario())


def test_the_sum_under_way_is_what_one_process_would_have(run, world):
    async def scenario():
        window, go_on = 100, asyncio.Event()
        full, under_way, most = asyncio.Event(), 0, 0

        async def answer(handler, number):
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            if under_way == window:
                full.set()
            await go_on.wait()
            under_way -= 1
            handler.set_status(201)

        world.service.answer = answer
        world.people_are(*(f"201-{n:03}" for n in range(400)))
        sending = asyncio.ensure_future(world.server.notify_all())
        await reached(full, sending)
        # All of the window is used, and in the time of some pulses nobody begins one more.
        await asyncio.sleep(patience(0.3))
        assert most == window
        go_on.set()
        assert (await sending).accepted == 400
        assert len({received.connection for received in world.service.received}) >= 2

    run(scenario())


def test_a_pause_that_a_push_service_asks_for_holds_for_all_workers(run, world):
    async def scenario(status):
        loop, began, over = asyncio.get_running_loop(), 0.0, 0.0
        meanwhile = 0

        def answer(handler, number):
            nonlocal began, over, meanwhile
            began = began or loop.time()
            over = began + 2.0
            refused = meanwhile < FEW or loop.time() < over
            meanwhile += refused
            handler.set_status(status if refused else 201)
            handler.set_header("Retry-After", "2")

        world.service.answer = answer
        world.people_are(*(f"201-{n:03}" for n in range(600)))
        counts = await world.server.notify_all()
        assert counts.accepted == 600
        assert FEW <= meanwhile <= 2 * INITIAL_WINDOW, "what was under way, and no more"

    for status in (429, 503):
        run(scenario(status))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_worker_is_killed_and_nobody_is_missed(run, world):
    async def scenario():
        killed, half = asyncio.Event(), asyncio.Event()

        def answer(handler, number):
            handler.set_status(201)
            if number >= 150:
                half.set()
            return killed.wait() if number >= 150 and not killed.is_set() else None

        world.service.answer = answer
        world.people_are(*(f"201-{n:03}" for n in range(500)))
        sending = asyncio.ensure_future(world.server.notify_all())
        await reached(half, sending)
        world.busiest_worker().send_signal(signal.SIGKILL)
        killed.set()
        counts = await sending
        times = world.times()
        assert set(times) == set(world.people) and counts.accepted == 500
        [record] = [one for one in world.server.runs() if one.run == counts.run]
        assert record.outcomes == {"accepted": 500}, "counted from the records, each once"
        twice = sum(count > 1 for count in times.values())
        assert max(times.values()) <= 2 and twice <= 250

    run(scenario())


async def seen(condition) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(patience(60)):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_worker_that_has_died_is_not_waited_for_at_the_end(run, world, monkeypatch):
    monkeypatch.setattr(sender_module, "END_SECONDS", 600)

    async def scenario():
        killed, begun = asyncio.Event(), asyncio.Event()

        def answer(handler, number):
            handler.set_status(201)
            begun.set()
            return killed.wait()

        world.service.answer = always(201)
        world.people_are("201-a")  # one range, so that one worker is idle
        await world.server.notify_all()
        [sender] = world.server._cluster_senders._senders.values()
        scheduler = sender._connection._processes.scheduler
        await seen(lambda: len(scheduler.workers) == 2)
        # Both are found in the first look, and there is no other one.
        monkeypatch.setattr(sender_module, "LOOK", 600)
        monkeypatch.setattr(sender._connection._client.rpc, "timeout", 600)
        world.service.answer = answer
        sending = asyncio.ensure_future(world.server.notify_all())
        await reached(begun, sending)
        # Not by connections: one of the first message may still be open, at either of them.
        [idle] = [one for one in scheduler.workers.values() if not one.processing]
        before = set(scheduler.workers)
        psutil.Process(idle.pid).send_signal(signal.SIGKILL)
        await seen(lambda: before - set(scheduler.workers))
        killed.set()
        async with asyncio.timeout(patience(60)):
            assert (await sending).accepted == 1

    run(scenario())


def test_a_cancelled_one_is_resumed(run, world):
    async def scenario():
        half = asyncio.Event()

        def answer(handler, number):
            handler.set_status(201)
            if number >= 200:
                half.set()
            return stopped.wait() if number >= 200 else None

        stopped = asyncio.Event()
        world.service.answer = answer
        world.people_are(*(f"201-{n:03}" for n in range(400)))
        sending = asyncio.ensure_future(world.server.notify_all(title="Hello"))
        await reached(half, sending)
        with pytest.raises(RunUnderWay):
            await world.server.notify_all(title="Hello", resume=world.server.runs()[-1].run)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        stopped.set()
        record = world.server.runs()[-1]
        accepted = record.outcomes["accepted"]
        assert record.ended_at is None and 0 < accepted < 400
        before, world.service.answer = world.times(), always(201)
        with pytest.raises(BadField, match="sent another message"):
            await world.server.notify_all(title="Other", resume=record.run)
        counts = await world.server.notify_all(title="Hello", resume=record.run)
        assert (counts.accepted, counts.total) == (400 - accepted, 400 - accepted)
        times = world.times()
        assert set(times) == set(world.people)
        assert sum((times - before).values()) == 400 - accepted, "nobody with a record again"
        assert world.server.runs()[-1].outcomes == {"accepted": 400}

    run(scenario())


def test_whoever_was_refused_is_tried_again_by_a_resume(run, world):
    async def scenario():
        refuses = True

        def answer(handler, number):
            bad = refuses and "odd" in handler.request.path
            handler.set_status(403 if bad else 201)

        world.service.answer = answer
        world.people_are(*(f"201-{n:03}" for n in range(100)), *(f"201-odd{n}" for n in range(30)))
        counts = await world.server.notify_all(title="Hello")
        assert (counts.accepted, counts.failed) == (100, 30)
        refuses = False
        again = await world.server.notify_all(title="Hello", resume=counts.run)
        assert (again.accepted, again.failed, again.total) == (30, 0, 30)
        assert sum(world.times().values()) == 160

    run(scenario())


def test_stop_ends_what_is_under_way(run, world):
    async def scenario():
        under_way, stopped = asyncio.Event(), asyncio.Event()

        def answer(handler, number):
            under_way.set()
            return stopped.wait()

        world.service.answer = answer
        world.people_are(*(f"201-{n:03}" for n in range(50)))
        from pushlab.errors import LabStopped

        sending = asyncio.ensure_future(world.server.notify_all())
        await reached(under_way, sending)
        await world.server.stop()
        with pytest.raises(LabStopped):
            await sending
        stopped.set()
        assert world.workers() == []

    run(scenario())


def test_without_dask_it_says_what_to_install(monkeypatch, tmp_path, keys):
    monkeypatch.setattr(options, "find_spec", lambda name: None)
    with pytest.raises(ScaleMissing, match="setup --scale"):
        ApplicationServer(keys=keys, database=f"sqlite:///{tmp_path}/a.sqlite3", processes=2)
