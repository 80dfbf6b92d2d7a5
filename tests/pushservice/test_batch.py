"""Group commit: what one turn of the loop decides is written together, and is right all the same."""

import asyncio

import pytest

from pushlab.errors import DatabaseLocked, QueueFull
from pushlab.journal import Journal
from pushlab.protocol.delivery import PushOptions
from pushlab.pushservice import mailbox as rules
from pushlab.pushservice.broker import Broker, Receipt
from pushlab.pushservice.mailbox import Mailbox
from pushlab.pushservice.store import Store

OPTIONS = PushOptions(ttl=60)


class Agent:
    """A user agent that is connected, and notes what it is sent."""

    window = 100

    def __init__(self, number: int):
        self.user_agent, self.display_name = f"agent {number}", f"Agent {number}"
        self.got: list[bytes] = []

    def deliver(self, subscription, message) -> None:
        self.got.append(message.body)

    def close(self) -> None:
        pass


class CountingStore(Store):
    """A store that counts its transactions, and refuses them while ``locked``."""

    transactions, locked = 0, False

    def write(self, change) -> None:
        if self.locked:
            raise DatabaseLocked
        self.transactions += 1
        super().write(change)


@pytest.fixture
def broker():
    store = CountingStore("sqlite://")
    yield Broker(Mailbox(message_limit=2), store, Journal(), lambda: 1000.0)
    store.close()


def subscribed(broker, count: int) -> list:
    """Return connected user agents and their subscriptions."""
    agents = [Agent(number) for number in range(count)]
    made = [(agent, broker.subscribe(agent, "channel", None)) for agent in agents]
    for agent in agents:
        broker.connect(agent)
    broker._store.transactions = 0
    return made


async def post(broker, subscription, body: bytes, **options):
    """Accept a message and dispatch it, as a request does."""
    message = await broker.accept(subscription, body, PushOptions(**{"ttl": 60} | options))
    broker.dispatch(subscription, message)
    return message


async def together(*operations) -> list:
    """Run operations in one turn of the loop; return their results or errors."""
    return await asyncio.gather(*operations, return_exceptions=True)


def test_what_many_user_agents_get_and_acknowledge_in_one_turn_is_written_twice(broker, run):
    async def scenario():
        room = subscribed(broker, 50)
        messages = await together(*(post(broker, made, b"one") for _, made in room))
        assert broker._store.transactions == 1 and all(agent.got == [b"one"] for agent, _ in room)
        receipts = [Receipt(message.id) for message in messages]
        pairs = zip(room, receipts, strict=True)
        await together(*(broker.acknowledge(agent, [receipt]) for (agent, _), receipt in pairs))
        assert broker._store.transactions == 2 and broker.mailbox.counts() == (50, 0)
        assert not broker._store.read().stored

    run(scenario())


def test_nobody_goes_on_before_the_transaction_and_each_gets_its_error(broker, run):
    async def scenario():
        room = subscribed(broker, 3)
        broker._store.locked = True
        refused = await together(*(post(broker, made, b"lost") for _, made in room))
        assert [type(error) for error in refused] == [DatabaseLocked] * 3
        assert broker.mailbox.counts() == (3, 0) and not any(agent.got for agent, _ in room)
        broker._store.locked = False
        kept = await together(*(post(broker, made, b"kept") for _, made in room))
        assert sorted(m.id for m in broker._store.read().stored) == sorted(m.id for m in kept)

    run(scenario())


def test_whatever_a_write_fails_with_is_told_to_each_who_waits(broker, run, monkeypatch):
    def write(change):
        raise OverflowError("Python int too large to convert to SQLite INTEGER")

    async def scenario():
        (first, made), (second, again) = subscribed(broker, 2)
        message = await post(broker, made, b"before")
        with monkeypatch.context() as broken:
            broken.setattr(broker._store, "write", write)
            refused = await together(
                broker.acknowledge(first, [Receipt(message.id)]), post(broker, again, b"lost")
            )
        assert [type(error) for error in refused] == [OverflowError] * 2
        assert broker.mailbox.counts() == (2, 1) and not second.got
        await together(broker.acknowledge(first, [Receipt(message.id)]), post(broker, again, b"kept"))
        assert broker.mailbox.counts() == (2, 1) and second.got == [b"kept"]

    run(scenario())


def test_two_messages_for_one_user_agent_keep_their_order_and_its_limit(broker, run):
    async def scenario():
        [(agent, made)] = subscribed(broker, 1)
        first, second, third = await together(*(post(broker, made, body) for body in (b"1", b"2", b"3")))
        assert agent.got == [b"1", b"2"] and isinstance(third, QueueFull)
        assert [m.id for m in broker._store.read().stored] == [first.id, second.id]
        assert first.number < second.number

    run(scenario())


def test_a_topic_is_replaced_in_the_turn_in_which_it_came(broker, run):
    async def scenario():
        [(agent, made)] = subscribed(broker, 1)
        broker.disconnect(agent)
        _, second = await together(*(post(broker, made, body, topic="t") for body in (b"1", b"2")))
        assert [message.id for message in broker._store.read().stored] == [second.id]
        broker.connect(agent)
        assert agent.got == [b"2"]

    run(scenario())


def test_the_room_for_all_messages_is_not_exceeded_by_a_batch(broker, run, monkeypatch):
    monkeypatch.setattr(rules, "MAX_MESSAGES", 3)

    async def scenario():
        room = subscribed(broker, 5)
        answers = await together(*(post(broker, made, b"") for _, made in room))
        assert [type(answer) for answer in answers[3:]] == [QueueFull] * 2
        assert broker.mailbox.counts() == (5, 3)

    run(scenario())


def test_who_unsubscribes_or_connects_meanwhile_gets_it_once_or_never(broker, run):
    async def scenario():
        [(gone, ended), (back, again), (late, expired)] = subscribed(broker, 3)
        posts = [asyncio.ensure_future(post(broker, made, b"x")) for made in (ended, again, expired)]
        await asyncio.sleep(0)  # All three are decided now, and none is written.
        assert broker._store.transactions == 0
        broker.unsubscribe(gone, "channel")
        broker.connect(newer := Agent(1))
        broker._clock = lambda: 1060.0
        broker.expire()
        broker._clock = lambda: 1000.0
        await together(*posts)
        assert newer.got == [b"x"] and back.got == [], "once, at the newer connection"
        assert gone.got == late.got == []
        assert not broker._store.read().without_orphans().stored and broker.mailbox.counts() == (2, 0)

    run(scenario())


def test_who_unsubscribes_meanwhile_gets_no_message_that_is_delivered_now_or_never(broker, run):
    async def scenario():
        [(gone, ended), (stays, kept), (anew, first)] = subscribed(broker, 3)
        await together(*(post(broker, made, b"old", topic="t") for made in (ended, kept, first)))
        new = (post(broker, made, b"new", topic="t", ttl=0) for made in (ended, kept, first))
        posts = [asyncio.ensure_future(one) for one in new]
        await asyncio.sleep(0)  # Each replaces a message, so it waits for the transaction.
        broker.unsubscribe(gone, "channel")
        broker.unsubscribe(anew, "channel")
        broker.subscribe(anew, "channel", None)
        assert not any(isinstance(result, Exception) for result in await together(*posts))
        assert stays.got == [b"old", b"new"] and gone.got == anew.got == [b"old"]

    run(scenario())


def test_what_is_acknowledged_and_withdrawn_in_one_turn_is_dropped_once(broker, run):
    async def scenario():
        [(agent, made)] = subscribed(broker, 1)
        message = await post(broker, made, b"x")
        acknowledging = asyncio.ensure_future(broker.acknowledge(agent, [Receipt(message.id)] * 2))
        await asyncio.sleep(0)
        broker.withdraw(message)
        await acknowledging
        assert broker.mailbox.counts() == (1, 0) and not broker._store.read().stored
        assert [event.what for event in broker.journal.events()].count("acknowledge") == 1

    run(scenario())
