"""One message: judged after its first attempt, and tried again as long as that may help."""

import asyncio

import pytest

from pushlab.appserver.broadcast.congestion import RETRY_DEADLINE, OriginQueue
from pushlab.appserver.delivery.client import Story
from pushlab.appserver.delivery.delivery import ATTEMPTS, FIRST_PAUSE, Means, Message, Secrets
from pushlab.appserver.delivery.response import NetworkFault, PushResponse
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import LabStopped, PlaintextTooLong
from pushlab.protocol.delivery import PushOptions

CREATED, BUSY, GONE = PushResponse(201), PushResponse(503), PushResponse(410)


def asked(seconds: int) -> PushResponse:
    return PushResponse(429, (("Retry-After", str(seconds)),))


class World:
    """A client that has its answers written down, and pauses that are noted and not waited for."""

    def __init__(self, someone, *answers):
        self.answers, self.pauses = list(answers), []
        self.ready = 0
        self.queue = OriginQueue()
        self.stored = StoredSubscription(someone.subscription, "", "Firefox", 0.0)
        self.means = Means(self, clock=lambda: 0.0, sleep=self.sleep, chance=lambda: 0.0)

    async def sleep(self, seconds):
        self.pauses.append((seconds, self.queue.backing_off))

    def prepare(self, stored, payload, options, story):
        self.ready += 1
        if isinstance(self.answers[0], PlaintextTooLong):
            raise self.answers[0]
        return self.attempt

    async def attempt(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return await answer.wait() if isinstance(answer, asyncio.Event) else answer

    @property
    def message(self):
        return Message(self.means, self.stored, b"Hello", PushOptions(), Story(None), self.queue)


@pytest.fixture
def world(subscriber):
    someone = subscriber("https://push.example.net/wpush/v2/abcdefgh")
    return lambda *answers: World(someone, *answers)


@pytest.mark.parametrize("answer, kind", [(CREATED, "accepted"), (GONE, "gone")])
def test_most_need_one_attempt(run, world, answer, kind):
    async def scenario():
        here = world(answer)
        outcome = await here.message.send()
        assert (outcome.kind, outcome.attempts, here.pauses) == (kind, 1, [])
        assert here.queue.window._answers == 1

    run(scenario())


def test_it_is_made_ready_once_and_sent_again_as_it_is(run, world):
    async def scenario():
        here = world(BUSY, NetworkFault(7), CREATED)
        outcome = await here.message.send()
        assert (outcome.kind, outcome.attempts, here.ready) == ("accepted", 3, 1)
        assert here.pauses == [(FIRST_PAUSE, 0), (2 * FIRST_PAUSE, 0)]
        assert here.queue.window._careful, "the queue has not learned that there was trouble"

    run(scenario())


def test_trying_has_an_end(run, world):
    async def scenario():
        here = world(*[BUSY] * 9)
        outcome = await here.message.send()
        assert (outcome.kind, outcome.attempts) == ("retry", ATTEMPTS) and len(here.answers) == 5
        assert outcome.text.endswith(f"Tried {ATTEMPTS} times, then given up.")

    run(scenario())


def test_the_lane_rests_while_the_push_service_asks_for_it(run, world):
    async def scenario():
        here = world(asked(3), CREATED)
        assert (await here.message.send()).kind == "accepted"
        assert here.pauses == [(3.0, 1)] and here.queue.backing_off == 0

    run(scenario())


def test_a_pause_that_is_too_long_is_not_waited_for(run, world):
    async def scenario():
        here = world(asked(int(RETRY_DEADLINE) + 1))
        outcome = await here.message.send()
        assert (outcome.kind, here.pauses) == ("retry", [])
        assert outcome.text.endswith("Tried once, then given up.")

    run(scenario())


def test_what_cannot_be_made_ready_is_an_outcome_and_no_fault_of_the_lane_s(run, world):
    async def scenario():
        here = world(PlaintextTooLong("the plaintext is 4000 bytes long, over 3993"))
        outcome = await here.message.send()
        assert outcome.kind == "failed" and "over 3993" in outcome.text
        assert (here.queue.window._answers, here.queue.window._careful) == (0, False)

    run(scenario())


@pytest.mark.parametrize("before", [(), (BUSY,)])
def test_a_lab_that_stops_is_no_outcome(run, world, before):
    async def scenario():
        with pytest.raises(LabStopped):
            await world(*before, LabStopped("the application server stops")).message.send()

    run(scenario())


@pytest.mark.parametrize("before", [(), (BUSY,)])
def test_cancelled_it_leaves_no_attempt(run, world, before):
    async def scenario():
        here = world(*before, asyncio.Event())
        sending = asyncio.ensure_future(here.message.send())
        while here.answers:
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 3
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario())


def test_an_endpoint_s_query_is_a_secret_too():
    parts = set(Secrets("https://push.example.net/v2/short?id=JzLQ3raZJf"))
    assert {"/v2/short?id=JzLQ3raZJf", "short?id=JzLQ3raZJf", "/v2/short"} <= parts
    assert "short" not in parts, "a word would be found in any sentence"
