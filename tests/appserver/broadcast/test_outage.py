"""PostgreSQL goes away in the middle of a notify-all: it is waited for, and nobody is lost."""

import asyncio
from collections import Counter

import pytest

from pushlab.appserver.broadcast import broadcast as broadcast_module
from pushlab.appserver.broadcast import outage as outage_module
from pushlab.appserver.broadcast import recorder as recorder_module
from pushlab.appserver.broadcast.outage import Outage, outlast
from pushlab.appserver.store import SubscriptionStore
from pushlab.errors import DatabaseUnreachable, LabStopped, StoreError, UnableToWriteDatabase
from pushlab.protocol.delivery import PushOptions
from pushlab.settings import patience

from .. import virtual_time
from ..sending import fill, in_a_world

PEOPLE = 300
AT = 100
"""So many requests have come when the server is stopped."""


# --- when to wait, and how long -----------------------------------------------------------------


def failing(times: int, error: StoreError):
    left = iter([error] * times)

    def call():
        if fault := next(left, None):
            raise fault
        return "there"

    return call


def test_a_database_that_is_away_for_ten_seconds_is_waited_for():
    async def scenario():
        loop = asyncio.get_running_loop()
        assert await outlast(failing(20, DatabaseUnreachable("away"))) == "there"
        assert loop.time() == 10

    virtual_time.run(scenario())


def test_after_half_a_minute_it_is_given_up_and_a_full_disk_at_once():
    async def scenario():
        loop = asyncio.get_running_loop()
        with pytest.raises(UnableToWriteDatabase, match="full"):
            await outlast(failing(1, UnableToWriteDatabase("full")))
        assert loop.time() == 0
        with pytest.raises(DatabaseUnreachable):
            await outlast(failing(1000, DatabaseUnreachable("away")))
        assert loop.time() == outage_module.LONGEST

    virtual_time.run(scenario())


# --- a real server that is stopped and started ----------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """Read a few subscribers at a time, and look often."""
    monkeypatch.setattr(broadcast_module, "LOOK_AHEAD", 40)
    batches = SubscriptionStore.batches
    monkeypatch.setattr(SubscriptionStore, "batches", lambda s, **more: batches(s, size=10, **more))
    for module in (outage_module, recorder_module):
        monkeypatch.setattr(module, "PAUSE", 0.02)
    monkeypatch.setattr(recorder_module, "INTERVAL", 0.02)


@pytest.fixture
def sending(run, keys, push_service, subscriber, postgres_url, small):
    """Run a scenario with PEOPLE subscribers."""
    running = in_a_world(run, keys, push_service)

    def of(scenario):
        async def whole(world, service):
            fill(world.store, service, subscriber, (f"{number:03}" for number in range(PEOPLE)))
            await scenario(world, service)

        running(whole, database=postgres_url, broadcast={"max_in_flight": 20})

    return of


@pytest.fixture
def noticed(monkeypatch):
    """Give an event: the notify-all has met a database that is away, twice."""
    event, faults = asyncio.Event(), []
    goes_on = Outage.goes_on

    def noting(outage, fault):
        faults.append(fault)
        if len(faults) >= 2:
            event.set()
        goes_on(outage, fault)

    monkeypatch.setattr(Outage, "goes_on", noting)
    return event


def stopping(service, server) -> asyncio.Event:
    """Stop the server as soon as AT requests have come; return the event that it has stopped."""
    stopped = asyncio.Event()

    async def answer(handler, number):
        handler.set_status(201)
        if number == AT:
            try:
                await asyncio.to_thread(server.stop)
            finally:
                stopped.set()
        elif number > AT:
            await stopped.wait()

    service.answer = answer
    return stopped


def test_away_for_a_while_nobody_is_lost_and_nobody_gets_it_twice(sending, postgres_server, noticed):
    async def scenario(world, service):
        stopped = stopping(service, postgres_server)
        task = asyncio.ensure_future(world.everybody.send_all(b"Hello", PushOptions()))
        await stopped.wait()
        try:
            await noticed.wait()
        finally:
            await asyncio.to_thread(postgres_server.start)
        counts = await task
        assert counts.accepted == PEOPLE
        paths = Counter(received.path for received in service.received)
        assert len(paths) == PEOPLE and set(paths.values()) == {1}
        known = world.everybody.runs.get(counts.run)
        assert known.outcomes == {"accepted": PEOPLE} and known.ended_at

    sending(scenario)


def test_away_for_longer_it_stops_and_is_resumed(sending, postgres_server, monkeypatch):
    monkeypatch.setattr(outage_module, "LONGEST", 0.3)

    async def scenario(world, service):
        stopped = stopping(service, postgres_server)
        try:
            with pytest.raises(StoreError, match=r"notify_all\(.*, resume=1\)") as caught:
                await world.everybody.send_all(b"Hello", PushOptions())
        finally:
            # The notify-all is over as soon as it is refused, and the database may still be stopping.
            await asyncio.wait_for(stopped.wait(), patience(60))
            await asyncio.to_thread(postgres_server.start)
        assert caught.value.status == 500, "not 503: whoever asks again would send to all again"
        # The database may have gone before it has taken the first of them.
        recorded = world.everybody.runs.get(1).outcomes.get("accepted", 0)
        before = len(service.received)
        assert AT <= before < PEOPLE and recorded < before, "it sends no further than it has read"
        service.answer = lambda handler, _: handler.set_status(201)
        counts = await world.everybody.send_all(b"Hello", PushOptions(), run=1)
        assert counts.accepted == counts.total == PEOPLE - recorded
        paths = Counter(received.path for received in service.received)
        assert len(paths) == PEOPLE and max(paths.values()) == 2
        assert sum(times == 2 for times in paths.values()) == before - recorded
        assert world.everybody.runs.get(1).outcomes == {"accepted": PEOPLE}

    sending(scenario)


def test_a_server_that_stops_does_not_wait_for_its_database(sending, postgres_server, noticed):
    async def scenario(world, service):
        stopped = stopping(service, postgres_server)
        task = asyncio.ensure_future(world.everybody.send_all(b"Hello", PushOptions()))
        await stopped.wait()
        try:
            await noticed.wait()
            before = asyncio.get_running_loop().time()
            await world.everybody.close()
            assert asyncio.get_running_loop().time() - before < outage_module.LONGEST / 2
            with pytest.raises((LabStopped, StoreError)):
                await task
        finally:
            await asyncio.to_thread(postgres_server.start)

    sending(scenario)
