"""Who is next: each push service at its own pace, in bounded memory, to the end or to a stop."""

import asyncio
from types import SimpleNamespace

import pytest

from pushlab.appserver.broadcast import LOOK_AHEAD, MANY, NO_HOPE, Broadcast
from pushlab.appserver.flow import START
from pushlab.appserver.outcome import Outcome
from pushlab.errors import LabStopped, UnableToReadDatabase

ACCEPTED = Outcome("accepted", 201, "201")


def person(number: int, origin: str = "https://one.example"):
    return SimpleNamespace(number=number, subscription=SimpleNamespace(origin=origin))


class World:
    """A broadcast whose messages are answered when the test says so."""

    def __init__(self, people, size=500, **options):
        self.read = 0
        self.begun, self.noted, self.lanes = [], [], {}
        self.gates: dict[str, asyncio.Event] = {}
        self.news, self.loop = asyncio.Event(), asyncio.get_running_loop()
        self.broadcast = Broadcast(self.batches(people, size), self.send, self.note, **options)

    def batches(self, people, size):
        batch = []
        for one in people:
            batch.append(one)
            if len(batch) == size:
                yield self.told(batch)
                batch = []
        if batch:
            yield self.told(batch)

    def told(self, batch):
        """Note in the loop's thread that a batch was read in another."""

        def note():
            self.read += len(batch)
            self.news.set()

        self.loop.call_soon_threadsafe(note)
        return batch

    async def send(self, stored, lane):
        self.begun.append(stored.number)
        self.lanes[stored.subscription.origin] = lane
        self.news.set()
        if gate := self.gates.get(stored.subscription.origin):
            await gate.wait()
        return ACCEPTED

    def note(self, stored, outcome):
        self.noted.append((stored.number, outcome))

    async def until(self, condition):
        while not condition():
            self.news.clear()
            await self.news.wait()

    def shut(self, origin="https://one.example") -> asyncio.Event:
        self.gates[origin] = asyncio.Event()
        return self.gates[origin]


def test_everybody_is_sent_to_once(run):
    async def scenario():
        world = World(map(person, range(2345)))
        await world.broadcast.run()
        assert sorted(world.begun) == list(range(2345))
        assert dict(world.noted) == dict.fromkeys(range(2345), ACCEPTED)
        assert len(world.noted) == 2345

    run(scenario())


def test_nobody_is_nothing(run):
    async def scenario():
        world = World([])
        await world.broadcast.run()
        assert world.noted == []

    run(scenario())


def test_no_more_than_the_window_begin_and_no_more_than_the_look_ahead_are_read(run):
    async def scenario():
        world = World(map(person, range(20_000)))
        gate = world.shut()
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: len(world.begun) == START and world.read >= LOOK_AHEAD)
        held = world.broadcast._held
        assert held <= world.read <= LOOK_AHEAD + 500 and len(world.begun) == START
        gate.set()
        await sending
        assert len(world.noted) == 20_000

    run(scenario())


def test_a_push_service_that_does_not_answer_holds_up_nobody_else(run):
    slow, quick = "https://slow.example", "https://quick.example"

    async def scenario():
        people = [person(n, quick if n >= 800 else slow) for n in range(900)]
        world = World(people)
        gate = world.shut(slow)
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: sum(number >= 800 for number in world.begun) == 100)
        assert sum(number < 800 for number in world.begun) == START
        gate.set()
        await sending
        assert len(world.noted) == 900

    run(scenario())


def test_while_one_rests_others_go_on(run):
    resting, other = "https://resting.example", "https://other.example"

    async def scenario():
        world = World([person(0, resting)] + [person(n, other) for n in range(1, 50)]
                      + [person(n, resting) for n in range(50, 60)], size=1)  # fmt: skip
        gate = world.shut(resting)
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: resting in world.lanes)
        with world.lanes[resting].rest():
            await world.until(lambda: len(world.begun) == 50)
            gate.set()
            await world.until(lambda: len(world.begun) == 50)
        await sending
        assert world.begun[:50] == list(range(50)) and len(world.noted) == 60

    run(scenario())


def test_who_has_no_hope_is_not_sent_to_and_said_so(run):
    async def scenario():
        world = World(map(person, range(1000)))
        gate = world.shut()
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: len(world.begun) == START)
        world.lanes["https://one.example"].closed = True
        gate.set()
        await sending
        outcomes = [outcome for _, outcome in world.noted]
        assert len(world.begun) == START and outcomes.count(ACCEPTED) == START
        assert outcomes.count(NO_HOPE) == 1000 - START
        assert (NO_HOPE.kind, NO_HOPE.attempts) == ("retry", 0)

    run(scenario())


def test_any_number_of_push_services_is_remembered_in_bounded_memory(run):
    async def scenario():
        world = World((person(n, f"https://{n}.example") for n in range(5000)), size=50)
        await world.broadcast.run()
        assert len(world.noted) == 5000
        assert len(world.broadcast._lanes) <= LOOK_AHEAD + MANY

    run(scenario())


def test_a_stop_ends_it_and_leaves_no_task(run):
    async def scenario():
        world = World(map(person, range(1000)))
        world.shut()
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: len(world.begun) == START)
        world.broadcast.stop()
        with pytest.raises(LabStopped):
            await sending
        assert asyncio.all_tasks() == {asyncio.current_task()} and world.noted == []

    run(scenario())


def test_cancelled_it_leaves_no_task(run):
    async def scenario():
        world = World(map(person, range(1000)))
        world.shut()
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: len(world.begun) == START)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario())


def test_a_database_that_fails_half_way_ends_it(run):
    def broken():
        yield [person(n) for n in range(10)]
        raise UnableToReadDatabase("the disk is on fire")

    async def scenario():
        world = World([])
        world.broadcast._batches = broken()
        world.shut()
        with pytest.raises(UnableToReadDatabase, match="on fire"):
            await world.broadcast.run()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario())
