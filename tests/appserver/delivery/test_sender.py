"""One message: tried again, but not for ever; a subscription that is gone is removed, and no other."""

import asyncio
import sqlite3

import pytest

from pushlab.appserver import store as store_module
from pushlab.appserver.delivery.delivery import ATTEMPTS, RETRY_DEADLINE
from pushlab.appserver.delivery.sender import send_once
from pushlab.errors import DatabaseLocked, LabStopped
from pushlab.protocol.delivery import PushOptions

from ..sending import World, always, in_a_world

KEYS_CHANGED = "made for another application server key"


@pytest.fixture
def world(run, keys, push_service):
    return in_a_world(run, keys, push_service)


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
        assert outcome.kind == "gone" and "The application server has removed it." in outcome.text
        assert [stored.subscription for stored in world.store.all()] == [other.subscription]
        assert world.recorded.count("remove subscription") == 1
        assert len(service.received) == 1

    world(scenario)


def test_the_log_says_removed_only_if_a_row_was_removed(world, subscriber, monkeypatch):
    async def scenario(world, service):
        service.answer = always(410)
        someone = world.add(subscriber(service.endpoint()))

        def locked(endpoint):
            raise DatabaseLocked

        with monkeypatch.context() as patch:
            patch.setattr(world.store, "remove", locked)
            outcome = await world.sender.send(someone, b"Hello", PushOptions())
        assert outcome.kind == "gone" and "It is not removed yet" in outcome.text
        world.store.remove(someone.subscription.endpoint)
        outcome = await world.sender.send(someone, b"Hello", PushOptions())
        assert outcome.kind == "gone" and "removed" not in outcome.text
        assert "remove subscription" not in world.recorded and len(service.received) == 2

    world(scenario)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 405, 406, 413, 418, 429, 500, 503])
def test_nothing_else_removes_a_subscription(world, subscriber, status):
    async def scenario(world, service):
        service.answer = always(status)
        outcome = await world.sender.send(
            world.add(subscriber(service.endpoint())), b"Hello", PushOptions()
        )
        assert outcome.kind in ("refused", "retry") and outcome.status == status
        assert world.store.count() == 1 and "remove subscription" not in world.recorded

    world(scenario)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_up_to_an_end(world, subscriber, status):
    async def scenario(world, service):
        service.answer = always(status)
        someone = subscriber(service.endpoint())
        outcome = await world.sender.send(world.add(someone), b"Hello", PushOptions())
        assert (outcome.kind, outcome.attempts) == ("retry", ATTEMPTS)
        assert f"The sender tried {ATTEMPTS} times" in outcome.text
        assert len(service.received) == ATTEMPTS
        assert world.pauses == [0.5, 1.0, 2.0]
        assert len({received.body for received in service.received}) == 1, "it is the same message"
        assert world.recorded.count("encrypt") == 1 and world.recorded.count("try again") == ATTEMPTS - 1

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
def test_retry_after_is_honoured_or_the_message_given_up(world, subscriber, header, pauses, attempts):
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
        assert "No server listens" in outcome.text and "one-0123456789abcdef" not in outcome.text
        assert world.store.count() == 1
        assert world.recorded.count("no answer") == ATTEMPTS
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


def test_a_server_that_stops_ends_what_is_under_way(world, subscriber):
    async def scenario(world, service):
        arrived = asyncio.Event()

        def answer(handler, number):
            arrived.set()
            return service.closing.wait()

        service.answer = answer
        stored = world.add(subscriber(service.endpoint()))
        sending = asyncio.ensure_future(world.sender.send(stored, b"Hello", PushOptions()))
        await arrived.wait()
        await world.sender.close()
        for late in (sending, world.sender.send(stored, b"Hello", PushOptions())):
            with pytest.raises(LabStopped):
                await late
        assert len(service.received) == 1

    world(scenario)


def test_send_once_needs_no_store(run, keys, push_service, subscriber):
    async def scenario():
        async with push_service() as service:
            someone = subscriber(service.endpoint())
            message = (keys, someone.subscription, b"Hello", PushOptions(), [service.origin])
            outcome = await send_once(*message)
            service.answer = always(410)
            gone = await send_once(*message)
            return someone.read(service.received[0].body), outcome, gone

    plaintext, outcome, gone = run(scenario())
    assert plaintext == b"Hello" and str(outcome).startswith("201 Created: ")
    assert gone.kind == "gone" and "has removed it" not in gone.text
