"""Which delivery is next: each push service at its own pace, in bounded memory, until the end."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pushlab.appserver.broadcast.broadcast import LOOK_AHEAD, MAX_IDLE_ORIGINS, NOT_SENT, Broadcast
from pushlab.appserver.broadcast.congestion import INITIAL_WINDOW
from pushlab.appserver.explain.outcome import Outcome
from pushlab.errors import LabStopped, UnableToReadDatabase

ACCEPTED = Outcome("accepted", 201, "201")
LATER = Outcome("retry", 503, "503")


def person(number: int, origin: str = "https://one.example"):
    return SimpleNamespace(number=number, subscription=SimpleNamespace(origin=origin))


class World:
    """A broadcast whose messages are answered when the test says so."""

    def __init__(self, people, size=500, **options):
        self.read = 0
        self.begun, self.noted, self.queues = [], [], {}
        self.answers, self.attempts, self.tried_again = {}, {}, []
        self.gates: dict[str, asyncio.Event] = {}
        self.news, self.loop = asyncio.Event(), asyncio.get_running_loop()
        options = {"sleep": self.sleep} | options
        self.broadcast = Broadcast(self.batches(people, size), self.delivery, self.note, **options)

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

    def delivery(self, stored, queue):
        return Scripted(self, stored, queue)

    def note(self, stored, outcome):
        self.noted.append((stored.number, outcome))

    async def sleep(self, seconds):
        self.news.set()
        if gate := self.gates.get("pause"):
            await gate.wait()

    async def until(self, condition):
        while not condition():
            self.news.clear()
            await self.news.wait()

    def shut(self, origin="https://one.example") -> asyncio.Event:
        self.gates[origin] = asyncio.Event()
        return self.gates[origin]


class Scripted:
    """A delivery whose answer comes when its push service's gate is open."""

    def __init__(self, world, stored, queue):
        self.world, self.stored, self.queue = world, stored, queue
        self.agreed, self.prepared, self.attempts = False, False, 0

    def agree(self):
        assert not self.agreed, "it agrees once"
        self.agreed = True

    def prepare(self):
        assert self.agreed and not self.prepared, "it is prepared once, after it has agreed"
        self.prepared = True

    def attempt(self):
        assert self.prepared, "it is prepared before it is sent"
        self.world.begun.append(self.stored.number)
        self.world.queues[self.stored.subscription.origin] = self.queue
        self.world.news.set()
        attempt = self.world.attempts[self.stored.number] = asyncio.ensure_future(self.answer())
        self.attempts += 1
        return attempt

    async def answer(self):
        if gate := self.world.gates.get(self.stored.subscription.origin):
            await gate.wait()
        return self.world.answers.get(self.stored.number, ACCEPTED)

    def classify(self, attempt):
        return attempt.result()

    def next_pause(self, outcome):
        if self.attempts == 2:
            return None
        self.world.tried_again.append(self.stored.number)
        return 1.0

    def give_up(self, outcome):
        return replace(outcome, attempts=self.attempts)


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
        await world.until(lambda: len(world.begun) == INITIAL_WINDOW and world.read >= LOOK_AHEAD)
        held = world.broadcast._held
        assert held <= world.read <= LOOK_AHEAD + 500 and len(world.begun) == INITIAL_WINDOW
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
        assert sum(number < 800 for number in world.begun) == INITIAL_WINDOW
        gate.set()
        await sending
        assert len(world.noted) == 900

    run(scenario())


def pause(queue, seconds=3.0):
    """Let a queue learn that its push service is overloaded."""
    queue.refused(0.0, "push service", seconds)
    assert queue.pause(0.0) == seconds


def test_while_one_pauses_others_go_on(run):
    pausing, other = "https://pausing.example", "https://other.example"

    async def scenario():
        world = World([person(0, pausing)] + [person(n, other) for n in range(1, 50)]
                      + [person(n, pausing) for n in range(50, 60)], size=1)  # fmt: skip
        gate = world.shut(pausing)
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: pausing in world.queues)
        pause(queue := world.queues[pausing])
        await world.until(lambda: len(world.begun) == 50 and world.read == 60)
        assert len(world.begun) == 50
        queue.resume(queue.pauses)
        world.broadcast._look_at(queue)
        gate.set()
        world.broadcast._news.set()
        await sending
        assert world.begun[:50] == list(range(50)) and len(world.noted) == 60

    run(scenario())


def test_a_pause_that_is_asked_for_just_before_is_heeded(run):
    async def scenario():
        world = World([])
        world.broadcast._take(person(1))
        queue = world.broadcast._queues["https://one.example"]
        pause(queue)
        assert not world.broadcast._begin() and world.begun == []
        queue.resume(queue.pauses)
        world.broadcast._look_at(queue)
        assert world.broadcast._begin() and world.begun == [1]
        await asyncio.wait(world.attempts.values())

    run(scenario())


def test_what_waits_for_a_queue_that_is_closed_is_not_sent(run):
    async def scenario():
        world = World(map(person, range(1000)))
        gate = world.shut()
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: len(world.begun) == INITIAL_WINDOW)
        queue = world.queues["https://one.example"]
        queue.state, queue._next_probe = "closed", float("inf")
        gate.set()
        await sending
        outcomes = [outcome for _, outcome in world.noted]
        assert len(world.begun) == INITIAL_WINDOW and outcomes.count(ACCEPTED) == INITIAL_WINDOW
        assert outcomes.count(NOT_SENT) == 1000 - INITIAL_WINDOW
        assert (NOT_SENT.kind, NOT_SENT.attempts) == ("retry", 0)

    run(scenario())


def test_who_is_due_again_on_a_closed_queue_has_the_last_outcome(run):
    async def scenario():
        world = World(map(person, range(3)))
        world.answers = dict.fromkeys(range(3), LATER)
        gate = world.shut("pause")
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: len(world.tried_again) == 3)
        queue = world.queues["https://one.example"]
        queue.state, queue._next_probe = "closed", float("inf")
        gate.set()
        await sending
        assert sorted(world.noted) == [(n, replace(LATER, attempts=1)) for n in range(3)]

    run(scenario())


def test_who_waits_before_another_attempt_takes_no_room(run):
    async def scenario():
        world = World(map(person, range(30)), max_in_flight=2)
        world.answers = dict.fromkeys(range(0, 30, 3), LATER)
        gate = world.shut("pause")
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: len(world.begun) == 30)
        while len(world.noted) < 20:
            await asyncio.sleep(0)
        assert world.queues["https://one.example"].under_way == 0 and not sending.done()
        gate.set()
        await sending
        assert len(world.begun) == 40 and len(world.noted) == 30

    run(scenario())


def test_any_number_of_push_services_is_remembered_in_bounded_memory(run):
    async def scenario():
        world = World((person(n, f"https://{n}.example") for n in range(5000)), size=50)
        await world.broadcast.run()
        assert len(world.noted) == 5000
        assert len(world.broadcast._queues) <= LOOK_AHEAD + MAX_IDLE_ORIGINS

    run(scenario())


def test_a_stop_ends_it_and_leaves_no_task(run):
    async def scenario():
        world = World(map(person, range(1000)))
        world.shut()
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: len(world.begun) == INITIAL_WINDOW)
        world.broadcast.stop()
        with pytest.raises(LabStopped):
            await sending
        assert asyncio.all_tasks() == {asyncio.current_task()} and world.noted == []

    run(scenario())


def test_what_is_tried_again_keeps_nobody_waiting(run):
    async def scenario():
        world = World(map(person, range(300)))
        world.answers = dict.fromkeys(range(0, 300, 100), LATER)
        gate = world.shut("pause")
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: len(world.begun) == 300)
        while len(world.noted) < 297:
            await asyncio.sleep(0)
        assert world.tried_again == [0, 100, 200] and not sending.done()
        gate.set()
        await sending
        assert {number for number, outcome in world.noted if outcome.attempts == 2} == {0, 100, 200}
        assert len(world.noted) == 300

    run(scenario())


@pytest.mark.parametrize("begun_again", [False, True])
def test_what_goes_wrong_while_an_outcome_is_noted_ends_it(run, begun_again):
    def note(stored, outcome):
        raise ZeroDivisionError("a progress bar of somebody else's")

    async def scenario():
        world = World(map(person, range(300)))
        world.answers = dict.fromkeys(range(300), LATER) if begun_again else {}
        world.broadcast._note = note
        with pytest.raises(ZeroDivisionError):
            await world.broadcast.run()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert len(world.begun) < 300

    run(scenario())


def test_an_answer_that_comes_with_a_stop_is_noted_and_nobody_is_tried_again(run, monkeypatch):
    monkeypatch.setattr(Scripted, "answer", lambda delivery: delivery.world.loop.create_future())

    async def scenario():
        world = World(map(person, range(3)))
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: len(world.attempts) == 3)
        world.broadcast.stop()
        for number, outcome in enumerate([ACCEPTED, ACCEPTED, LATER]):
            world.attempts[number].set_result(outcome)
        with pytest.raises(LabStopped):
            await sending
        assert world.noted == [(0, ACCEPTED), (1, ACCEPTED), (2, LATER)] and not world.tried_again
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario())


def test_cancelled_it_leaves_no_task(run):
    async def scenario():
        world = World(map(person, range(1000)))
        world.shut()
        sending = asyncio.ensure_future(world.broadcast.run())
        await world.until(lambda: len(world.begun) == INITIAL_WINDOW)
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
