"""Sending seen through: again, but not for ever; what is gone is removed, and nothing else is."""

import asyncio
import sqlite3

import pytest

from pushlab.appserver import store as store_module
from pushlab.appserver.broadcast.congestion import (
    INITIAL_WINDOW,
    MAX_CONSECUTIVE_DEFERRALS,
    RETRY_DEADLINE,
    OriginQueue,
)
from pushlab.appserver.delivery.client import LibcurlPushClient
from pushlab.appserver.delivery.delivery import ATTEMPTS
from pushlab.appserver.delivery.egress import EgressPolicy, place_of
from pushlab.appserver.delivery.sender import Counts, Sender, send_once
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.store import StoredSubscription, SubscriptionStore
from pushlab.errors import LabStopped, UnableToReadDatabase
from pushlab.journal import Journal
from pushlab.protocol.delivery import PushOptions

KEYS_CHANGED = "made for another application server key"


class World:
    """A sender whose pauses are noted down and not waited for."""

    def __init__(self, keys, service, database="sqlite://", chance=lambda: 0.0, **options):
        self.keys, self.service = keys, service
        self.store = SubscriptionStore(database, [service.origin])
        self.journal = Journal()
        self.pauses: list[float] = []
        self.transport = CurlTransport(egress=EgressPolicy([service.origin]))
        self.sender = Sender(
            keys, self.store, LibcurlPushClient(keys, self.transport), journal=self.journal,
            lab_origins=[service.origin], sleep=self.sleep, chance=chance, **options,
        )  # fmt: skip

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def add(self, someone, key=None) -> StoredSubscription:
        self.store.save(someone.subscription, key or self.keys.application_server_key, "Firefox")
        return self.store.get(someone.endpoint)

    async def close(self) -> None:
        await self.sender.close()
        self.store.close()

    @property
    def told(self) -> list[str]:
        return [event.what for event in self.journal.events()]


@pytest.fixture
def world(run, keys, push_service):
    """Run a scenario with a push service and a sender to it."""

    def running(scenario, **options):
        async def whole():
            async with push_service() as service:
                world = World(options.pop("keys", keys), service, **options)
                try:
                    return await scenario(world, service)
                finally:
                    await world.close()

        return run(whole())

    return running


def always(status: int, **headers: str):
    def answer(handler, number):
        handler.set_status(status)
        for name, value in headers.items():
            handler.set_header(name.replace("_", "-"), value)

    return answer


def test_a_message_is_sent_and_can_be_read(world, subscriber):
    async def scenario(world, service):
        someone = subscriber(service.endpoint())
        outcome = await world.sender.send(world.add(someone), b"Hello", PushOptions())
        assert (outcome.kind, outcome.status, outcome.attempts) == ("accepted", 201, 1)
        assert [someone.read(received.body) for received in service.received] == [b"Hello"]
        assert world.store.count() == 1 and world.pauses == []

    world(scenario)


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_gone_is_removed(world, subscriber, status):
    async def scenario(world, service):
        service.answer = always(status)
        gone, other = subscriber(service.endpoint("one")), subscriber(service.endpoint("two"))
        world.add(other)
        outcome = await world.sender.send(world.add(gone), b"Hello", PushOptions())
        assert outcome.kind == "gone" and "It is removed here." in outcome.text
        assert [stored.subscription for stored in world.store.all()] == [other.subscription]
        assert world.told.count("remove subscription") == 1
        assert len(service.received) == 1

    world(scenario)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 405, 406, 413, 418, 429, 500, 503])
def test_nothing_else_removes_a_subscription(world, subscriber, status):
    async def scenario(world, service):
        service.answer = always(status)
        outcome = await world.sender.send(
            world.add(subscriber(service.endpoint())), b"Hello", PushOptions()
        )
        assert outcome.kind in ("refused", "retry") and outcome.status == status
        assert world.store.count() == 1 and "remove subscription" not in world.told

    world(scenario)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_up_to_an_end(world, subscriber, status):
    async def scenario(world, service):
        service.answer = always(status)
        someone = subscriber(service.endpoint())
        outcome = await world.sender.send(world.add(someone), b"Hello", PushOptions())
        assert (outcome.kind, outcome.attempts) == ("retry", ATTEMPTS)
        assert f"Tried {ATTEMPTS} times" in outcome.text
        assert len(service.received) == ATTEMPTS
        assert world.pauses == [0.5, 1.0, 2.0]
        assert len({received.body for received in service.received}) == 1, "it is the same message"
        assert world.told.count("encrypt") == 1 and world.told.count("try again") == ATTEMPTS - 1

    world(scenario)


def test_a_later_attempt_may_succeed(world, subscriber):
    def answer(handler, number):
        handler.set_status(503 if number < 3 else 201)

    async def scenario(world, service):
        service.answer = answer
        outcome = await world.sender.send(
            world.add(subscriber(service.endpoint())), b"Hello", PushOptions()
        )
        assert (outcome.kind, outcome.attempts) == ("accepted", 3)

    world(scenario)


def test_chance_shortens_a_pause_by_half_at_most(world, subscriber):
    async def scenario(world, service):
        service.answer = always(503)
        await world.sender.send(world.add(subscriber(service.endpoint())), b"Hello", PushOptions())
        assert world.pauses == [0.25, 0.5, 1.0]

    world(scenario, chance=lambda: 1.0)


@pytest.mark.parametrize(
    ("header", "pauses", "attempts"),
    [
        ("7", [7.0, 7.0, 7.0], 4),
        ("0", [0.5, 1.0, 2.0], 4),
        ("Thu, 01 Jan 1970 00:16:49 GMT", [9.0, 9.0, 9.0], 4),
        ("nonsense", [0.5, 1.0, 2.0], 4),
        (str(int(RETRY_DEADLINE) + 1), [], 1),
        ("86400", [], 1),
    ],
)
def test_retry_after_is_honoured_or_the_message_given_up(
    world, subscriber, header, pauses, attempts
):
    async def scenario(world, service):
        service.answer = always(429, Retry_After=header)
        outcome = await world.sender.send(
            world.add(subscriber(service.endpoint())), b"Hello", PushOptions()
        )
        assert world.pauses == pauses and len(service.received) == attempts
        assert outcome.kind == "retry" and f"Retry-After: {header}" in outcome.text

    world(scenario, clock=lambda: 1000.0)


def test_a_network_fault_is_tried_again_and_its_words_hold_no_endpoint(
    run, keys, subscriber, push_service
):
    async def scenario():
        async with push_service() as service:
            pass  # it is gone now, and its port closed
        world = World(keys, service)
        someone = subscriber(service.endpoint())
        outcome = await world.sender.send(world.add(someone), b"Hello", PushOptions())
        assert (outcome.kind, outcome.status, outcome.attempts) == ("retry", None, ATTEMPTS)
        assert "Nobody listens" in outcome.text and "one-0123456789abcdef" not in outcome.text
        assert world.store.count() == 1
        assert world.told.count("no answer") == ATTEMPTS
        await world.close()

    run(scenario())


def test_what_a_push_service_repeats_of_the_endpoint_is_not_shown(world, subscriber):
    def answer(handler, number):
        handler.set_status(404)
        handler.finish(f"nobody at {handler.request.full_url()}, {handler.request.path}")

    async def scenario(world, service):
        service.answer = answer
        someone = subscriber(service.endpoint("tiny"))
        outcome = await world.sender.send(world.add(someone), b"Hello", PushOptions())
        assert "nobody at …, …" in outcome.text and "tiny" not in outcome.text

    world(scenario)


def test_what_cannot_be_sent_is_an_outcome_too(world, subscriber):
    async def scenario(world, service):
        outcome = await world.sender.send(
            world.add(subscriber(service.endpoint())), bytes(3994), PushOptions()
        )
        assert (outcome.kind, outcome.status) == ("failed", None) and "3994" in outcome.text
        assert service.received == []

    world(scenario)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_subscription_of_other_keys_is_explained(world, subscriber, status):
    async def scenario(world, service):
        service.answer = always(status)
        old = world.add(subscriber(service.endpoint("old")), key="BOtherKeyOfBefore")
        new = world.add(subscriber(service.endpoint("new")))
        outcome = await world.sender.send(old, b"Hello", PushOptions())
        assert KEYS_CHANGED in outcome.text and "BOtherKe…" in outcome.text
        outcome = await world.sender.send(new, b"Hello", PushOptions())
        assert KEYS_CHANGED not in outcome.text
        service.answer = always(201)
        assert KEYS_CHANGED not in (await world.sender.send(old, b"Hello", PushOptions())).text

    world(scenario)


def test_a_database_that_is_locked_keeps_what_is_gone_and_says_so(
    world, subscriber, tmp_path, monkeypatch
):
    monkeypatch.setattr(store_module, "BUSY_TIMEOUT", 0.05)
    path = tmp_path / "a.sqlite3"

    async def scenario(world, service):
        service.answer = always(410)
        stored = world.add(subscriber(service.endpoint()))
        other = sqlite3.connect(path)
        other.execute("BEGIN IMMEDIATE")
        outcome = await world.sender.send(stored, b"Hello", PushOptions())
        other.close()
        assert outcome.kind == "gone" and "It is not removed yet" in outcome.text
        assert world.store.count() == 1

    world(scenario, database=f"sqlite:///{path}")


# --- to everybody ------------------------------------------------------------------------------


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
        counts = await world.sender.send_all(b"Hello", PushOptions(), seen.append)
        assert counts == Counts(accepted=4, gone=2, retried=2, failed=2)
        assert len(seen) == 8 and seen[-1] == counts
        left = {stored.subscription.endpoint for stored in world.store.all()}
        assert left == {people[name].endpoint for name in people if name[:3] not in ("404", "410")}
        read = {r.path: people[r.path[6:11]].read(r.body) for r in service.received}
        assert set(read.values()) == {b"Hello"} and len(read) == 8

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
        for number in range(40):
            world.add(subscriber(service.endpoint(str(number))))
        sending = asyncio.ensure_future(world.sender.send_all(b"Hello", PushOptions()))
        await seven.wait()
        # Every worker has begun long before the first request has arrived.
        assert len(world.transport._transfers) == 7
        go_on.set()
        assert (await sending).accepted == 40

    world(scenario, workers=7)


def test_more_than_a_batch(world, subscriber, monkeypatch):
    async def scenario(world, service):
        people = [subscriber(service.endpoint(f"{number:04}")) for number in range(23)]
        for someone in people:
            world.add(someone)
        batches = SubscriptionStore.batches
        monkeypatch.setattr(SubscriptionStore, "batches", lambda store: batches(store, size=5))
        assert (await world.sender.send_all(b"Hello", PushOptions())).accepted == 23
        assert len({received.path for received in service.received}) == 23

    world(scenario, workers=3)


def test_the_journal_tells_one_message_for_all(world, subscriber):
    async def scenario(world, service):
        service.answer = by_name
        for number in range(20):
            world.add(subscriber(service.endpoint(f"201-{number}")))
        world.add(subscriber(service.endpoint("410-a")))
        world.add(subscriber(service.endpoint("410-b")))
        await world.sender.send_all(b"Hello", PushOptions())
        assert world.told == ["send to all", "encrypt", "sign", "remove subscription"]
        assert world.journal.events()[0].detail == {"subscriptions": 22}
        assert world.journal.events()[-1].detail == {"count": 2}

    world(scenario)


def test_nobody_is_no_error_here(world):
    async def scenario(world, service):
        assert await world.sender.send_all(b"Hello", PushOptions()) == Counts()

    world(scenario)


def test_a_database_that_cannot_be_read_is_said_so(world, subscriber, monkeypatch):
    async def scenario(world, service):
        world.add(subscriber(service.endpoint()))

        def broken(store):
            raise UnableToReadDatabase("the disk is on fire")
            yield

        monkeypatch.setattr(SubscriptionStore, "batches", broken)
        with pytest.raises(UnableToReadDatabase, match="on fire"):
            await world.sender.send_all(b"Hello", PushOptions())

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
        everybody = asyncio.ensure_future(world.sender.send_all(b"Hello", PushOptions()))
        await arrived.wait()
        while len(service.received) < 2:
            arrived.clear()
            await arrived.wait()
        await world.sender.close()
        for sending in (one, everybody):
            with pytest.raises(LabStopped):
                await sending

    world(scenario)


def test_while_a_push_service_asks_for_a_rest_nobody_new_is_sent_to(
    world, subscriber, push_service
):
    async def scenario(world, service):
        asked, rest, other = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def sleep(seconds):
            world.pauses.append(seconds)
            asked.set()
            await rest.wait()

        world.sender._means.sleep = sleep

        def answer(handler, number):
            handler.set_status(429 if number == 1 else 201)
            handler.set_header("Retry-After", "3")
            return asked.wait() if number == 2 else None

        service.answer = answer
        async with push_service() as second:
            second.answer = lambda handler, number: other.set()
            for number in range(6):
                world.add(subscriber(service.endpoint(str(number))))
            everybody = asyncio.ensure_future(world.sender.send_all(b"Hello", PushOptions()))
            await asked.wait()
            # A push service of another origin is not held up, and this one gets nothing new.
            world.store._allowed_origins |= {second.origin}
            world.transport._egress._places |= {place_of(second.origin)}
            late = world.add(subscriber(second.endpoint()))
            await world.sender.send(late, b"Hello", PushOptions())
            await other.wait()
            assert len(service.received) == 2 and not everybody.done()
            rest.set()
            assert (await everybody).accepted >= 6
        assert world.pauses == [3.0] and len(service.received) == 7

    world(scenario, workers=2)


def test_many_that_are_asked_to_wait_too_long_are_given_up_together(world, subscriber):
    async def scenario(world, service):
        service.answer = always(429, Retry_After="86400")
        for number in range(300):
            world.add(subscriber(service.endpoint(str(number))))
        counts = await world.sender.send_all(b"Hello", PushOptions())
        assert counts == Counts(failed=300) and world.pauses == []
        assert MAX_CONSECUTIVE_DEFERRALS <= len(service.received) <= INITIAL_WINDOW, "it does not go on asking"
        assert world.sender.runs.get(counts.run).outcomes == {"retried": 300}
        service.answer = always(201)
        again = await world.sender.send_all(b"Hello", PushOptions(), run=counts.run)
        assert again == Counts(accepted=300), "and later all of them get it"

    world(scenario)


def test_trouble_halves_what_is_under_way(world, subscriber, monkeypatch):
    async def scenario(world, service):
        def answer(handler, number):
            handler.set_status(503 if number <= 8 else 201)

        service.answer = answer
        sizes = []
        refused = OriginQueue.refused

        def note(queue, now):
            refused(queue, now)
            sizes.append(queue.window.size)

        monkeypatch.setattr(OriginQueue, "refused", note)
        for number in range(100):
            world.add(subscriber(service.endpoint(str(number))))
        counts = await world.sender.send_all(b"Hello", PushOptions())
        assert counts.accepted == 100 and counts.retried
        assert sizes[0] == 4 and min(sizes) >= 1

    world(scenario, workers=8)


def test_counts_say_how_many_there_are(world, subscriber):
    async def scenario(world, service):
        for number in range(3):
            world.add(subscriber(service.endpoint(str(number))))
        seen = []
        counts = await world.sender.send_all(b"Hello", PushOptions(), seen.append)
        assert [(one.done, one.total, one.run) for one in seen] == [(n, 3, 1) for n in (1, 2, 3)]
        assert (counts.total, counts.run) == (3, 1)

    world(scenario)


def test_send_once_needs_no_store(run, keys, push_service, subscriber):
    async def scenario():
        async with push_service() as service:
            someone = subscriber(service.endpoint())
            outcome = await send_once(keys, someone.subscription, b"Hello", PushOptions(), [service.origin])
            service.answer = always(410)
            gone = await send_once(keys, someone.subscription, b"Hello", PushOptions(), [service.origin])
            return someone.read(service.received[0].body), outcome, gone

    plaintext, outcome, gone = run(scenario())
    assert plaintext == b"Hello" and str(outcome).startswith("201 Created: ")
    assert gone.kind == "gone" and "removed here" not in gone.text
