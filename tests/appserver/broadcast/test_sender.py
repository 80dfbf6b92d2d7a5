"""One message to all: everybody gets it, each push service at its pace, and the counts add up."""

import asyncio

import pytest

from pushlab.appserver.broadcast.origin_queue import (
    CLOSE_AFTER,
    MANY,
    PROBES_PER_SECOND,
    OriginQueue,
)
from pushlab.appserver.broadcast.sender import Counts
from pushlab.appserver.delivery.egress import place_of
from pushlab.appserver.store import SubscriptionStore
from pushlab.errors import LabStopped, UnableToReadDatabase
from pushlab.protocol.delivery import PushOptions

from ...run import chance
from ..sending import always, fill, in_a_world


@pytest.fixture
def world(run, keys, push_service):
    return in_a_world(run, keys, push_service)


def by_name(handler, number):
    """Response by the endpoint's name: its first word is the status."""
    name = handler.request.path.removeprefix("/push/")
    status = int(name.split("-")[0])
    again = [r for r in handler.service.received if r.path == handler.request.path]
    handler.set_status(201 if status == 503 and len(again) > 1 else status)


def test_everybody_gets_it_and_the_counts_add_up(world, subscriber):
    async def scenario(world, service):
        service.answer = by_name
        people = {name: subscriber(service.endpoint(name)) for name in (
            "201-a", "410-b", "201-c", "500-d", "403-e", "404-f", "503-g", "201-h")}  # fmt: skip
        for someone in people.values():
            world.add(someone)
        seen: list[Counts] = []
        counts = await world.everybody.send_all(b"Hello", PushOptions(), seen.append)
        assert counts == Counts(accepted=4, gone=2, retried=2, failed=2)
        assert len(seen) == 8 and seen[-1] == counts
        left = {stored.subscription.endpoint for stored in world.store.all()}
        assert left == {people[name].endpoint for name in people if name[:3] not in ("404", "410")}
        read = {r.path: people[r.path[6:11]].read(r.body) for r in service.received}
        assert set(read.values()) == {b"Hello"} and len(read) == 8

    world(scenario)


def test_a_row_that_is_no_subscription_is_one_failure_and_the_others_get_it(world, subscriber):
    """An older version stored such endpoints; every notify-all would fail because of one of them."""

    async def scenario(world, service):
        for name in ("one", "two", "three"):
            world.add(subscriber(service.endpoint(name)))
        with world.store._engine.begin() as connection:
            bad = "UPDATE subscriptions SET endpoint = 'https://a..b/x' WHERE number = 2"
            connection.exec_driver_sql(bad)
        seen: list[Counts] = []
        counts = await world.everybody.send_all(b"Hello", PushOptions(), seen.append)
        assert counts == Counts(accepted=2, failed=1) and counts.done == counts.total == 3
        assert len(seen) == 3 and seen[-1] == counts
        assert len(service.received) == 2
        # It has a record, and a resume does not stumble over it either.
        again = await world.everybody.send_all(b"Hello", PushOptions(), run=counts.run)
        assert again == Counts(failed=1) and len(service.received) == 2

    world(scenario)


def test_the_number_under_way_is_fixed_and_reached(world, subscriber):
    async def scenario(world, service):
        seven, go_on = asyncio.Event(), asyncio.Event()

        async def answer(handler, number):
            if number == 7:
                seven.set()
            await go_on.wait()
            handler.set_status(201)

        service.answer = answer
        fill(world.store, service, subscriber, map(str, range(40)))
        sending = asyncio.ensure_future(world.everybody.send_all(b"Hello", PushOptions()))
        await seven.wait()
        # Every worker has begun long before the first request has arrived.
        assert len(world.transport._transfers) == 7
        go_on.set()
        assert (await sending).accepted == 40

    world(scenario, broadcast={"max_in_flight": 7})


def test_more_than_a_batch(world, subscriber, monkeypatch):
    async def scenario(world, service):
        people = [subscriber(service.endpoint(f"{number:04}")) for number in range(23)]
        for someone in people:
            world.add(someone)
        batches = SubscriptionStore.batches
        monkeypatch.setattr(
            SubscriptionStore, "batches", lambda store, **more: batches(store, size=5, **more)
        )
        assert (await world.everybody.send_all(b"Hello", PushOptions())).accepted == 23
        assert len({received.path for received in service.received}) == 23

    world(scenario, broadcast={"max_in_flight": 3})


def test_the_journal_tells_one_message_for_all(world, subscriber):
    async def scenario(world, service):
        service.answer = by_name
        for number in range(20):
            world.add(subscriber(service.endpoint(f"201-{number}")))
        world.add(subscriber(service.endpoint("410-a")))
        world.add(subscriber(service.endpoint("410-b")))
        await world.everybody.send_all(b"Hello", PushOptions())
        assert world.recorded == ["send to all", "encrypt", "sign", "remove subscription"]
        assert world.journal.events()[0].detail == {"subscriptions": 22}
        assert world.journal.events()[-1].detail == {"count": 2}

    world(scenario)


def test_nobody_is_no_error_here(world):
    async def scenario(world, service):
        assert await world.everybody.send_all(b"Hello", PushOptions()) == Counts()

    world(scenario)


def test_a_database_that_cannot_be_read_is_said_so(world, subscriber, monkeypatch):
    async def scenario(world, service):
        world.add(subscriber(service.endpoint()))

        def broken(store, **more):
            raise UnableToReadDatabase("the disk is on fire")
            yield

        monkeypatch.setattr(SubscriptionStore, "batches", broken)
        with pytest.raises(UnableToReadDatabase, match="on fire"):
            await world.everybody.send_all(b"Hello", PushOptions())

    world(scenario)


def test_a_server_that_stops_ends_what_is_under_way(world, subscriber):
    async def scenario(world, service):
        arrived = asyncio.Event()

        def answer(handler, number):
            arrived.set()
            return service.closing.wait()

        service.answer = answer
        stored = world.add(subscriber(service.endpoint()))
        one = asyncio.ensure_future(world.sender.send(stored, b"Hello", PushOptions()))
        everybody = asyncio.ensure_future(world.everybody.send_all(b"Hello", PushOptions()))
        await arrived.wait()
        while len(service.received) < 2:
            arrived.clear()
            await arrived.wait()
        await world.close()
        for sending in (one, everybody):
            with pytest.raises(LabStopped):
                await sending

    world(scenario)


def test_while_a_push_service_asks_for_a_pause_nobody_new_is_sent_to(world, subscriber, push_service):
    async def scenario(world, service):
        asked, pause, other = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def sleep(seconds):
            world.pauses.append(seconds)
            asked.set()
            await pause.wait()

        world.sender.context.sleep = sleep

        def answer(handler, number):
            handler.set_status(503 if number == 1 else 201)
            handler.set_header("Retry-After", "3")
            return pause.wait() if number == 2 else None

        service.answer = answer
        async with push_service() as second:
            second.answer = lambda handler, number: other.set()
            for number in range(6):
                world.add(subscriber(service.endpoint(str(number))))
            everybody = asyncio.ensure_future(world.everybody.send_all(b"Hello", PushOptions()))
            await asked.wait()
            # A push service of another origin is not held up, and this one gets nothing new.
            world.store._allowed_origins |= {second.origin}
            world.transport._egress._places |= {place_of(second.origin)}
            late = world.add(subscriber(second.endpoint()))
            await world.sender.send(late, b"Hello", PushOptions())
            await other.wait()
            assert len(service.received) == 2 and not everybody.done()
            pause.set()
            assert (await everybody).accepted >= 6
        # The message waits, and the push service is left alone, for as long as it asks.
        assert world.pauses == [3.0, 3.0] and len(service.received) == 7

    world(scenario, broadcast={"max_in_flight": 2})


def test_while_one_recipient_is_to_wait_all_others_are_sent_to(world, subscriber):
    async def scenario(world, service):
        pause, served = asyncio.Event(), asyncio.Event()

        async def sleep(seconds):
            world.pauses.append(seconds)
            await pause.wait()

        world.sender.context.sleep = sleep

        def answer(handler, number):
            handler.set_status(429 if number == 1 else 201)
            handler.set_header("Retry-After", "3")

        service.answer = answer
        for number in range(6):
            world.add(subscriber(service.endpoint(str(number))))
        everybody = asyncio.ensure_future(world.everybody.send_all(
            b"Hello", PushOptions(), lambda counts: counts.accepted == 5 and served.set()
        ))  # fmt: skip
        await served.wait()
        assert world.pauses == [3.0] and len(service.received) == 6 and not everybody.done()
        pause.set()
        assert await everybody == Counts(accepted=6, retried=1)
        assert service.received[-1].path == service.received[0].path

    world(scenario, broadcast={"max_in_flight": 1})


ODD = ["waits", "drips", "413", "500", "302", "503-year", "429-year", "401", "410"]


@pytest.mark.parametrize("order", ["first", "last", "mixed"])
@pytest.mark.parametrize("max_in_flight", [len(ODD), 100])
def test_whoever_is_odd_has_an_outcome_of_their_own(world, subscriber, order, max_in_flight):
    async def scenario(world, service):
        go_on, served = asyncio.Event(), asyncio.Event()

        async def drip(handler):
            handler.set_header("Content-Length", "1000000")
            while not go_on.is_set():
                handler.write(b"x")
                await handler.flush()
                await asyncio.sleep(0.01)
            handler.request.connection.stream.close()

        def answer(handler, number):
            first, _, rest = handler.request.path.removeprefix("/push/").partition("-")
            if first == "waits":
                return go_on.wait()
            if first == "drips":
                return drip(handler)
            handler.set_status(int(first))
            handler.set_header("Location", service.endpoint("201-else"))
            if rest.startswith("year"):
                handler.set_header("Retry-After", "31536000")
            return None

        service.answer = answer
        names = [f"201-{number}" for number in range(60)]
        names = names + ODD if order == "last" else ODD + names
        if order == "mixed":
            chance.source().shuffle(names)
        fill(world.store, service, subscriber, names)
        sending = asyncio.ensure_future(world.everybody.send_all(
            b"Hello", PushOptions(), lambda counts: counts.accepted == 60 and served.set()
        ))  # fmt: skip
        await served.wait()
        assert not sending.done(), "two of them still keep the sender waiting"
        go_on.set()
        counts = await sending
        assert (counts.accepted - 60, counts.gone, counts.not_sent) in [(1, 1, 0), (2, 1, 0)]
        paths = [received.path for received in service.received if "/201-" in received.path]
        assert len(paths) == len(set(paths)) == 60, "nobody twice, and no redirect is followed"

    world(scenario, broadcast={"max_in_flight": max_in_flight})


@pytest.mark.parametrize("status", [429, 503])
def test_a_push_service_that_refuses_everybody_is_left_alone(world, subscriber, monkeypatch, status):
    async def scenario(world, service):
        # Nobody waits here for the seconds of a pause, but all have passed after it.
        loop = asyncio.get_running_loop()
        time = loop.time
        pauses = world.pauses
        monkeypatch.setattr(loop, "time", lambda: time() + sum(pauses))
        service.answer = always(status, Retry_After="86400")
        fill(world.store, service, subscriber, map(str, range(300)))
        began = loop.time()
        counts = await world.everybody.send_all(b"Hello", PushOptions())
        assert counts == Counts(failed=300)
        asked = len(service.received)
        assert MANY <= asked <= MANY + (CLOSE_AFTER + 1) * PROBES_PER_SECOND, "it does not go on asking"
        assert len({received.path for received in service.received}) == asked, "nor anybody twice"
        assert sum(pauses) <= CLOSE_AFTER + 1 and loop.time() - began >= CLOSE_AFTER
        # Who waited behind them is told, recorded, and reached later.
        assert counts.not_sent == 300 - asked
        told = world.journal.events()[-1]
        assert (told.what, told.detail) == (
            "not sent", {"push_service": service.origin, "count": counts.not_sent},
        )  # fmt: skip
        assert world.everybody.runs.get(counts.run).outcomes == {"retried": 300}
        service.answer = always(201)
        before = {received.path for received in service.received}
        service.received.clear()
        again = await world.everybody.send_all(b"Hello", PushOptions(), run=counts.run)
        assert again == Counts(accepted=300), "and later all of them get it"
        assert len(service.received) == 300
        first = {received.path for received in service.received[: counts.not_sent // 2]}
        assert not first & before, "those first who have waited in vain"

    world(scenario)


def test_trouble_halves_what_is_under_way(world, subscriber, monkeypatch):
    async def scenario(world, service):
        def answer(handler, number):
            handler.set_status(503 if number <= 8 else 201)

        service.answer = answer
        sizes = []
        refused = OriginQueue.refused

        def note(queue, *what):
            refused(queue, *what)
            sizes.append(queue.window.size)

        monkeypatch.setattr(OriginQueue, "refused", note)
        fill(world.store, service, subscriber, map(str, range(100)))
        counts = await world.everybody.send_all(b"Hello", PushOptions())
        assert counts.accepted == 100 and counts.retried
        assert sizes[0] == 4 and min(sizes) >= 1

    world(scenario, broadcast={"max_in_flight": 8})


def test_counts_say_how_many_there_are(world, subscriber):
    async def scenario(world, service):
        for number in range(3):
            world.add(subscriber(service.endpoint(str(number))))
        seen = []
        counts = await world.everybody.send_all(b"Hello", PushOptions(), seen.append)
        assert [(one.done, one.total, one.run) for one in seen] == [(n, 3, 1) for n in (1, 2, 3)]
        assert (counts.total, counts.run) == (3, 1)

    world(scenario)
