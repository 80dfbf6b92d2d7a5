"""One message: classified after its first attempt, and tried again as long as that may help."""

import asyncio
from typing import NamedTuple

import pytest

from pushlab.appserver.broadcast.origin_queue import OriginQueue
from pushlab.appserver.delivery.delivery import (
    ATTEMPTS,
    FIRST_PAUSE,
    RETRY_DEADLINE,
    Delivery,
    DeliveryContext,
    NoQueue,
    Secrets,
)
from pushlab.appserver.delivery.log import DeliveryLog
from pushlab.appserver.delivery.response import NetworkFault, PushResponse
from pushlab.appserver.participants import Participants
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import LabStopped, PlaintextTooLong
from pushlab.journal import Journal
from pushlab.protocol.delivery import PushOptions

CREATED, BUSY, GONE = PushResponse(201), PushResponse(503), PushResponse(410)


def asked(seconds: int) -> PushResponse:
    return PushResponse(429, (("Retry-After", str(seconds)),))


class Request(NamedTuple):
    """What the client below has prepared."""

    stored: StoredSubscription
    options: PushOptions
    size: int = 5
    override: None = None


class World:
    """A client that has its answers written down, and pauses that are noted and not waited for."""

    def __init__(self, someone, *answers):
        self.answers, self.pauses = list(answers), []
        self.ready = 0
        self.queue, self.journal = OriginQueue(), Journal()
        self.stored = StoredSubscription(someone.subscription, "", "Firefox", 0.0)
        self.participants = Participants()
        self.context = DeliveryContext(
            self, self.participants, clock=lambda: 0.0, sleep=self.sleep, chance=lambda: 0.0
        )

    async def sleep(self, seconds):
        self.pauses.append(seconds)

    def agree(self, subscription): ...

    def prepare(self, stored, payload, options, log, agreed):
        self.ready += 1
        if isinstance(self.answers[0], PlaintextTooLong):
            raise self.answers[0]
        return Request(stored, options)

    def send(self, request):
        return asyncio.ensure_future(self.answer())

    async def answer(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return await answer.wait() if isinstance(answer, asyncio.Event) else answer

    @property
    def recorded(self):
        return [event.what for event in self.journal.events()]

    @property
    def delivery(self):
        log = DeliveryLog(self.journal)
        return Delivery(self.context, self.stored, b"Hello", PushOptions(), log, self.queue)


@pytest.fixture
def world(subscriber):
    someone = subscriber("https://push.example.net/wpush/v2/abcdefgh")
    return lambda *answers: World(someone, *answers)


@pytest.mark.parametrize("answer, kind", [(CREATED, "accepted"), (GONE, "gone")])
def test_most_need_one_attempt(run, world, answer, kind):
    async def scenario():
        here = world(answer)
        outcome = await here.delivery.deliver()
        assert (outcome.kind, outcome.attempts, here.pauses) == (kind, 1, [])
        assert here.queue.window._answers == 1

    run(scenario())


def test_it_is_prepared_once_and_sent_again_as_it_is(run, world):
    async def scenario():
        here = world(BUSY, NetworkFault(7), CREATED)
        outcome = await here.delivery.deliver()
        assert (outcome.kind, outcome.attempts, here.ready) == ("accepted", 3, 1)
        assert here.pauses == [FIRST_PAUSE, 2 * FIRST_PAUSE]
        assert here.queue.window._careful, "the queue has not learned that there was trouble"

    run(scenario())


def test_trying_has_an_end(run, world):
    async def scenario():
        here = world(*[BUSY] * 9)
        outcome = await here.delivery.deliver()
        assert (outcome.kind, outcome.attempts) == ("retry", ATTEMPTS) and len(here.answers) == 5
        assert outcome.text.endswith(f"The sender tried {ATTEMPTS} times, then gave up.")

    run(scenario())


@pytest.mark.parametrize(
    "answer, learned",
    [
        (asked(3), ("recipient", 3.0)),
        (BUSY, ("push service", 0.0)),
        (PushResponse(503, (("Retry-After", "3"),)), ("push service", 3.0)),
        (NetworkFault(28), ("push service", 0.0)),
    ],
)
def test_the_queue_learns_what_a_refusal_is_about_and_the_message_waits(run, world, answer, learned):
    async def scenario():
        here, heard = world(answer, CREATED), []
        here.queue.refused = lambda now, *what: heard.append(what)
        assert (await here.delivery.deliver()).kind == "accepted"
        assert heard == [learned] and here.pauses == [learned[1] or FIRST_PAUSE]

    run(scenario())


def test_a_pause_that_is_too_long_is_not_waited_for(run, world):
    async def scenario():
        here = world(asked(int(RETRY_DEADLINE) + 1))
        outcome = await here.delivery.deliver()
        assert (outcome.kind, here.pauses) == ("retry", [])
        assert "tried once, then gave up: it waits for 20 seconds at most" in outcome.text

    run(scenario())


def test_what_cannot_be_prepared_is_an_outcome_of_which_the_queue_learns_nothing(run, world):
    async def scenario():
        here = world(PlaintextTooLong("the plaintext is 4000 bytes long, over 3993"))
        outcome = await here.delivery.deliver()
        assert outcome.kind == "failed" and "over 3993" in outcome.text
        assert outcome.attempts == 0
        assert (here.queue.window._answers, here.queue.window._careful) == (0, False)

    run(scenario())


@pytest.mark.parametrize(("step", "attempts"), [("prepare", 0), ("answer", 1)])
def test_whatever_a_client_raises_is_the_outcome_of_this_message(run, world, step, attempts):
    def broken(*_):
        raise UnicodeError("https://push.example.net/wpush/v2/abcdefgh")

    async def scenario():
        here = world(CREATED)
        setattr(here, step, broken if step == "prepare" else lambda: asyncio.to_thread(broken))
        outcome = await here.delivery.deliver()
        assert outcome.kind == "failed" and "UnicodeError in test_delivery.py, line" in outcome.text
        assert "abcdefgh" not in outcome.text and outcome.attempts == attempts

    run(scenario())


@pytest.mark.parametrize("before", [(), (BUSY,)])
def test_a_lab_that_stops_is_no_outcome(run, world, before):
    async def scenario():
        with pytest.raises(LabStopped):
            await world(*before, LabStopped("the application server stops")).delivery.deliver()

    run(scenario())


@pytest.mark.parametrize("before", [(), (BUSY,)])
def test_cancelled_it_leaves_no_attempt(run, world, before):
    async def scenario():
        here = world(*before, asyncio.Event())
        sending = asyncio.ensure_future(here.delivery.deliver())
        while here.answers:
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 3
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario())


def test_the_journal_has_each_attempt_and_the_pause_between_them(run, world):
    async def scenario():
        here = world(BUSY, NetworkFault(7), CREATED)
        await here.delivery.deliver()
        assert here.recorded == [
            "POST message", "503", "try again", "POST message", "no answer", "try again",
            "POST message", "201",
        ]  # fmt: skip

    run(scenario())


@pytest.mark.parametrize("answer", [CREATED, PlaintextTooLong("too long")])
def test_participants_know_when_the_last_message_was_sent(run, world, answer):
    async def scenario():
        here = world(answer)
        (before,) = here.participants.rows([here.stored])
        await here.delivery.deliver()
        (after,) = here.participants.rows([here.stored])
        assert before.sent_at is None and after.sent_at is not None and after.reached is False

    run(scenario())


def test_the_steps_of_one_attempt_need_no_task(run, world):
    """A notify-all calls them from callbacks."""

    async def scenario():
        here, response = world(CREATED), asyncio.get_running_loop().create_future()
        here.send = lambda request: response
        delivery = here.delivery
        delivery.prepare()
        assert delivery.attempt() is response
        response.set_result(CREATED)
        assert delivery.classify(response).kind == "accepted"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario())


def test_a_message_alone_has_no_queue_and_is_tried_again_too(run, world):
    async def scenario():
        here = world(asked(3), CREATED)
        here.queue, noted = NoQueue(), here.pauses

        async def sleep(seconds):
            noted.append(seconds)

        here.context.sleep = sleep
        assert (await here.delivery.deliver()).attempts == 2 and noted == [3.0]

    run(scenario())


def test_an_endpoint_s_query_is_a_secret_too():
    parts = set(Secrets("https://push.example.net/v2/short?id=JzLQ3raZJf"))
    assert {"/v2/short?id=JzLQ3raZJf", "short?id=JzLQ3raZJf", "/v2/short"} <= parts
    assert "short" not in parts, "a word would be found in any sentence"


@pytest.mark.parametrize(
    ("endpoint", "hidden"),
    [
        ("https://push.example.net/UP?token=AxYz0123456789b", ["AxYz0123456789b"]),
        ("https://push.example.net/w/?token=BQYA%2fcpad%2b4MZ", ["BQYA%2fcpad%2b4MZ", "BQYA/cpad+4MZ"]),
        ("https://push.example.net/s3cr3ttopic/", ["s3cr3ttopic"]),
        ("https://push.example.net/JzLQ3raZJf/messages/new", ["JzLQ3raZJf"]),
    ],
)
def test_what_only_this_endpoint_has_is_a_secret_wherever_it_stands(endpoint, hidden):
    assert set(hidden) <= set(Secrets(endpoint))
    assert "messages" not in set(Secrets(endpoint))


# --- what no waiting mends -----------------------------------------------------------------------


def at(subscriber, endpoint: str, *answers) -> World:
    return World(subscriber(endpoint), *answers)


@pytest.mark.parametrize("fault", [NetworkFault(6), NetworkFault(7), NetworkFault(60)])
@pytest.mark.parametrize("host", ["permanently-removed.invalid", "gone.a.INVALID"])
def test_a_name_that_never_resolves_is_gone_at_the_first_attempt(run, subscriber, host, fault):
    async def scenario():
        here = at(subscriber, f"https://{host}/fcm/send/abcdefgh", fault)
        outcome = await here.delivery.deliver()
        assert (outcome.kind, outcome.attempts, outcome.rfc) == ("gone", 1, "RFC 6761 §6.4")
        assert here.pauses == [] and "internet connection" not in outcome.text

    run(scenario())


@pytest.mark.parametrize("host", ["push.test", "push.example", "push.example.org", "a.onion"])
def test_a_reserved_name_that_does_not_resolve_is_not_tried_again_and_is_kept(run, subscriber, host):
    async def scenario():
        here = at(subscriber, f"https://{host}/abcdefgh", NetworkFault(6))
        outcome = await here.delivery.deliver()
        assert (outcome.kind, outcome.attempts, here.pauses) == ("failed", 1, [])
        assert outcome.fault == "user agent"

    run(scenario())


def test_any_other_name_is_tried_again(run, subscriber):
    async def scenario():
        here = at(subscriber, "https://push.services.lan/abcdefgh", *4 * [NetworkFault(6)])
        outcome = await here.delivery.deliver()
        assert (outcome.kind, outcome.attempts) == ("retry", ATTEMPTS)

    run(scenario())


@pytest.mark.parametrize(("fault", "told"), [(NetworkFault(28), True), (BUSY, False)])
def test_a_proxy_that_is_not_used_is_told_where_no_response_came(run, world, monkeypatch, fault, told):
    monkeypatch.setenv("ALL_PROXY", "socks5://me:pa55word@proxy.corp.example")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    async def scenario():
        outcome = await world(*4 * [fault]).delivery.deliver()
        assert ("ALL_PROXY is set" in outcome.text) is told and "pa55word" not in outcome.text
        assert outcome.text.endswith(f"The sender tried {ATTEMPTS} times, then gave up.")

    run(scenario())


def wns(word: str, **headers: str) -> PushResponse:
    named = {"X-WNS-NotificationStatus": word} | {k.replace("_", "-"): v for k, v in headers.items()}
    return PushResponse(406, tuple(named.items()))


@pytest.mark.parametrize(
    ("answer", "learned"),
    [
        (wns("appthrottled", Retry_After="30"), ("sender", 30.0)),
        (wns("dropped"), ("sender", 0.0)),
        (wns("channelthrottled", retry_after="7"), ("recipient", 7.0)),
        (PushResponse(403, (("RETRY-AFTER", "9"),)), ("sender", 9.0)),
        (PushResponse(403), None),
        (PushResponse(410, (("Retry-After", "9"),)), None),
    ],
)
def test_the_queue_learns_of_a_pause_that_comes_with_a_message_that_is_not_tried_again(
    run, world, answer, learned
):
    async def scenario():
        here, told = world(answer), []
        here.queue.refused = lambda now, about, asked: told.append((about, asked))
        outcome = await here.delivery.deliver()
        assert (outcome.kind, outcome.attempts) == ("gone" if answer.status == 410 else "refused", 1)
        assert told == ([learned] if learned else [])

    run(scenario())
