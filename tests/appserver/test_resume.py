"""A notify-all that is killed half-way is resumed: to nobody twice, and nobody is left out.

The record is in SQLite or in PostgreSQL.
"""

import asyncio
import signal
import sys
import time
from collections import Counter

import pytest
from sqlalchemy import text

from pushlab.appserver.broadcast import sender as sender_module
from pushlab.appserver.broadcast.congestion import MAX_IN_FLIGHT
from pushlab.appserver.broadcast.outage import outlast
from pushlab.appserver.broadcast.runs import RUNS_KEPT, Runs, not_accepted
from pushlab.appserver.broadcast.sender import BroadcastSender, Counts
from pushlab.appserver.delivery.client import LibcurlPushClient
from pushlab.appserver.delivery.egress import EgressPolicy
from pushlab.appserver.delivery.sender import Sender
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.store import SubscriptionStore
from pushlab.errors import BadField, LabStopped, RunUnderWay, UnableToReadDatabase
from pushlab.protocol.delivery import PushOptions
from pushlab.settings import patience

from .sending import fill

# So many are answered before the kill, and more than may be under way then are left.
HALF = 300
PEOPLE = 2 * HALF + MAX_IN_FLIGHT

# A process of its own. It says so when outcomes are in the database, for the test to kill it then.
PROGRAM = """
import asyncio, sys
from pushlab.appserver.delivery.egress import EgressPolicy
from pushlab.appserver.delivery.client import LibcurlPushClient
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.broadcast.runs import Runs
from pushlab.appserver.broadcast.sender import BroadcastSender
from pushlab.appserver.delivery.sender import Sender
from pushlab.appserver.store import SubscriptionStore
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.protocol.delivery import PushOptions

url, origin, run = sys.argv[1], sys.argv[2], int(sys.argv[3]) or None
record = Runs.record

def told(self, *arguments):
    record(self, *arguments)
    print("recorded", flush=True)

Runs.record = told

async def main():
    keys = VapidKeys.from_raw(bytes(31) + b"\\1", subject="mailto:test@example.com")
    store = SubscriptionStore(url, [origin])
    sender = Sender(keys, store, LibcurlPushClient(keys, CurlTransport(egress=EgressPolicy([origin]))))
    counts = await BroadcastSender(sender).send_all(b"Hello", PushOptions(), run=run)
    await sender.close()
    store.close()
    print("accepted", counts.accepted, "of", counts.total, flush=True)

asyncio.run(main())
"""


def accepted_in(database_url, run: int) -> set[str]:
    """Return the paths of the endpoints that a record shows as accepted."""
    store = SubscriptionStore(database_url)
    everybody = {stored.subscription.endpoint for stored in store.all()}
    left = {
        stored.subscription.endpoint
        for batch in store.batches(where=not_accepted(run))
        for stored in batch
    }
    store.close()
    return {"/" + endpoint.split("/", 3)[3] for endpoint in everybody - left}


def last_run(database_url) -> int:
    store = SubscriptionStore(database_url)
    runs = Runs(store).all()
    store.close()
    assert [known.ended_at for known in runs[-1:]] == [None], "it has not come to its end"
    return runs[-1].run


def alone_in(database_url) -> None:
    """Wait until PostgreSQL has done what a killed process has last asked for."""
    if database_url.startswith("sqlite"):
        return
    others = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + patience(60)
    store = SubscriptionStore(database_url)
    while store.run(lambda connection: connection.scalar(others), UnableToReadDatabase):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    store.close()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.usefixtures("programs")
def test_a_killed_process_is_gone_on_with_by_another(run, push_service, subscriber, database_url):
    async def start(service, number):
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, database_url, service.origin, str(number),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def scenario():
        async with push_service() as service:
            killed = asyncio.Event()

            def answer(handler, number):
                # From here on requests arrive, and no answer goes out until the process is dead.
                waits = number > HALF and not killed.is_set()
                handler.set_status(201)
                return killed.wait() if waits else None

            service.answer = answer
            store = SubscriptionStore(database_url, [service.origin])
            fill(store, service, subscriber, (f"{number:05}" for number in range(PEOPLE)))
            store.close()

            first = await start(service, 0)
            assert await first.stdout.readline() == b"recorded\n"
            first.send_signal(signal.SIGKILL)
            assert await first.wait() == -signal.SIGKILL
            killed.set()
            # What it had sent goes on, to the push service and to the database.
            await service.left()
            await asyncio.to_thread(alone_in, database_url)
            number = last_run(database_url)
            recorded = accepted_in(database_url, number)
            before = Counter(received.path for received in service.received)
            assert 0 < len(recorded) <= HALF and recorded <= set(before) and len(before) < PEOPLE

            second = await start(service, number)
            said, _ = await second.communicate()
            assert second.returncode == 0
            left = PEOPLE - len(recorded)
            assert said.splitlines()[-1] == f"accepted {left} of {left}".encode()

            after = Counter(received.path for received in service.received)
            assert len(after) == PEOPLE, "nobody is left out"
            assert {after[path] for path in recorded} == {1}, "nobody with a record gets it twice"
            twice = {path for path, times in after.items() if times > 1}
            assert twice <= set(before) - recorded and max(after.values()) <= 2
            assert len(accepted_in(database_url, number)) == PEOPLE

    run(scenario())


@pytest.fixture
def sending(run, keys, push_service, database_url):
    """Run a scenario with a push service, a store and a sender."""

    def running(scenario):
        async def whole():
            async with push_service() as service:
                store = SubscriptionStore(database_url, [service.origin])
                transport = CurlTransport(egress=EgressPolicy([service.origin]))
                sender = Sender(keys, store, LibcurlPushClient(keys, transport))
                everybody = BroadcastSender(sender)
                try:
                    return await scenario(service, store, everybody)
                finally:
                    await everybody.close()
                    await sender.close()
                    store.close()

        return run(whole())

    return running


def test_each_outcome_is_recorded(sending, subscriber):
    async def scenario(service, store, sender):
        for name in ("201-a", "201-b", "410-c", "403-d"):
            store.save(subscriber(service.endpoint(name)).subscription, "KEY")
        service.answer = lambda handler, _: handler.set_status(int(handler.request.path[6:9]))
        counts = await sender.send_all(b"Hello", PushOptions(), number=5)
        [known] = sender.runs.all()
        assert (known.run, known.number) == (counts.run, 5) and known.ended_at
        assert known.outcomes == {"accepted": 2, "gone": 1, "refused": 1}
        assert (counts.total, counts.done) == (4, 4)

    sending(scenario)


def test_going_on_sends_to_who_was_not_accepted_and_to_who_is_new(sending, subscriber):
    async def scenario(service, store, sender):
        for name in ("a", "b", "c"):
            store.save(subscriber(service.endpoint(name)).subscription, "KEY")
        service.answer = lambda handler, number: handler.set_status(403 if number == 2 else 201)
        first = await sender.send_all(b"Hello", PushOptions())
        store.save(subscriber(service.endpoint("d")).subscription, "KEY")
        refused = service.received[1].path
        service.received.clear()
        service.answer = lambda handler, _: handler.set_status(201)
        again = await sender.send_all(b"Hello", PushOptions(), run=first.run)
        paths = [received.path for received in service.received]
        assert refused in paths and sum("/d-" in path for path in paths) == 1 and len(paths) == 2
        assert again == Counts(accepted=2) and (again.run, again.total) == (first.run, 2)
        assert sender.runs.get(first.run).outcomes == {"accepted": 4}
        once_more = await sender.send_all(b"Hello", PushOptions(), run=first.run)
        assert once_more == Counts() and len(service.received) == 2
        assert (await sender.send_all(b"Hello", PushOptions())).accepted == 4, "a new one is for all"

    sending(scenario)


def test_going_on_with_another_message_or_an_unknown_run_sends_nothing(sending, subscriber):
    async def scenario(service, store, sender):
        store.save(subscriber(service.endpoint()).subscription, "KEY")
        counts = await sender.send_all(b"Hello", PushOptions())
        for payload, number in ((b"Good-bye", counts.run), (None, counts.run), (b"Hello", 99)):
            with pytest.raises(BadField):
                await sender.send_all(payload, PushOptions(), run=number)
        assert len(service.received) == 1

    sending(scenario)


def test_a_run_under_way_is_neither_resumed_nor_forgotten(sending, subscriber):
    """Two senders of one run would both send to everybody who has no record yet."""

    async def scenario(service, store, sender):
        async def under_way(run: int | None) -> Counts:
            store.save(subscriber(service.endpoint(f"for-{run}")).subscription, "KEY")
            arrived, held = asyncio.Event(), asyncio.Event()

            def answer(handler, _):
                handler.set_status(201)
                if not arrived.is_set():
                    arrived.set()
                    return held.wait()
                return None

            service.answer = answer
            task = asyncio.ensure_future(sender.send_all(b"Hello", PushOptions(), run=run))
            await arrived.wait()
            number = run or last_run_of(sender)
            with pytest.raises(RunUnderWay, match=f"notify-all {number} is being sent"):
                await sender.send_all(b"Hello", PushOptions(), run=number)
            for _ in range(RUNS_KEPT + 1):
                await sender.send_all(b"Other", PushOptions())
            held.set()
            counts = await task
            known = sender.runs.get(number)
            assert known.ended_at and sum(known.outcomes.values()) == len(list(store.all()))
            assert len(sender.runs.all()) == RUNS_KEPT + 1 and not sender.runs._under_way
            return counts

        first = await under_way(None)
        again = await under_way(first.run)
        assert (first.accepted, again.accepted, again.run) == (1, 1, first.run)
        await sender.send_all(b"Other", PushOptions())
        with pytest.raises(BadField):
            sender.runs.get(first.run)  # It has ended, and is one of the oldest.

    sending(scenario)


def test_one_whose_end_comes_while_it_reads_who_is_left_sends_nothing(sending, subscriber, monkeypatch):
    async def scenario(service, store, sender):
        store.save(subscriber(service.endpoint()).subscription, "KEY")
        service.answer = lambda handler, _: handler.set_status(403)
        first = await sender.send_all(b"Hello", PushOptions())
        closing = []

        async def read_while_it_is_closed(ask):
            closing.append(asyncio.ensure_future(sender.close()))
            while not sender._work._closed:
                await asyncio.sleep(0)
            return await outlast(ask)

        monkeypatch.setattr(sender_module, "outlast", read_while_it_is_closed)
        with pytest.raises(LabStopped):
            await sender.send_all(b"Hello", PushOptions(), run=first.run)
        await closing[0]
        assert len(service.received) == 1

    sending(scenario)


def last_run_of(sender: BroadcastSender) -> int:
    return sender.runs.all()[-1].run


@pytest.mark.parametrize("how", ["cancelled", "stopped"])
def test_what_had_come_before_an_end_is_recorded(sending, subscriber, how):
    async def scenario(service, store, sender):
        arrived = asyncio.Event()

        def answer(handler, number):
            handler.set_status(201)
            if number > 5:
                arrived.set()
                return service.closing.wait()
            return None

        service.answer = answer
        for number in range(10):
            store.save(subscriber(service.endpoint(str(number))).subscription, "KEY")
        five = asyncio.Event()
        task = asyncio.ensure_future(sender.send_all(
            b"Hello", PushOptions(), lambda counts: counts.done == 5 and five.set()
        ))  # fmt: skip
        await arrived.wait()
        await five.wait()
        if how == "cancelled":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert sender._context.client._transport._transfers == {}
        else:
            await sender.close()
            [known] = sender.runs.all()
            assert known.outcomes == {"accepted": 5}, "close() waits for the record"
            with pytest.raises(LabStopped):
                await task
        [known] = sender.runs.all()
        assert known.outcomes == {"accepted": 5} and known.ended_at is None
        assert not sender._broadcasts and not len(sender._work) and not sender.runs._under_way

    sending(scenario)
