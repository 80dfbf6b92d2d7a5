"""What is right passes, what is known to be wrong is found, and nothing is left when it ends."""

import asyncio
import errno
import random
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from pywebpush import WebPushException, webpush

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.delivery.client import LibcurlPushClient
from pushlab.appserver.delivery.egress import EgressPolicy
from pushlab.appserver.delivery.sender import Sender
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription, SubscriptionStore
from pushlab.conformance.answer import Answer, always
from pushlab.conformance.case import Judgement, Result, Verdict
from pushlab.conformance.cases.registry import POSES
from pushlab.conformance.examination import Examination, Timing
from pushlab.conformance.examiner import chosen, examine, exit_status
from pushlab.conformance.exchange import Message, SenderReport
from pushlab.conformance.senders.app import AppSender, Routes
from pushlab.conformance.service import ExaminationService
from pushlab.conformance.table import CASES
from pushlab.protocol import base64url, p256
from pushlab.protocol.delivery import PushOptions

from .conftest import QUICK, examined, of

FAIL, WARN, NA, NOT_REACHED = Verdict.FAIL, Verdict.WARN, Verdict.NA, Verdict.NOT_REACHED
TIMEOUT = 5.0
"""Seconds for a request of a sender: below QUICK's patience."""


class InProcess:
    """A sender without a process for each message."""

    form = "in process"
    sets = frozenset({"payload", "ttl", "urgency", "topic"})
    at_once = 50
    ends = reports = True

    def __init__(self) -> None:
        self.keys = VapidKeys.generate()

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Ours(InProcess):
    """The sender that the lab's application server has."""

    async def open(self) -> None:
        self.store = SubscriptionStore()
        self.senders: dict[str, Sender] = {}

    def sender(self, origin: str) -> Sender:
        """Return the sender that may reach one push service of the examination."""
        if origin not in self.senders:
            transport = CurlTransport(egress=EgressPolicy([origin]), timeout=TIMEOUT)
            client = LibcurlPushClient(self.keys, transport)
            self.senders[origin] = Sender(self.keys, self.store, client)
        return self.senders[origin]

    async def send(self, message: Message) -> SenderReport:
        subscription = message.recipient.subscription
        stored = StoredSubscription(subscription, self.keys.application_server_key, "", 0.0)
        options = PushOptions(message.ttl, message.urgency, message.topic or None)
        sender = self.sender(subscription.origin)
        outcome = await sender.send(stored, message.payload or None, options)
        return SenderReport(outcome.kind == "accepted", str(outcome), outcome.kind)

    async def close(self) -> None:
        for sender in self.senders.values():
            await sender.close()
        self.store.close()


class Pywebpush(InProcess):
    """``webpush()`` as its README has it, and with a time limit."""

    def call(self, message: Message) -> SenderReport:
        headers = {"urgency": message.urgency} | ({"topic": message.topic} if message.topic else {})
        try:
            webpush(
                message.recipient.subscription.to_json(),
                message.payload or None,
                base64url.encode(p256.raw_private(self.keys.private_key)),
                {"sub": self.keys.subject},
                ttl=message.ttl,
                headers=headers,
                timeout=TIMEOUT,
            )
        except (WebPushException, OSError) as error:
            return SenderReport(accepted=False, text=str(error), status=type(error).__name__)
        return SenderReport(accepted=True)

    async def send(self, message: Message) -> SenderReport:
        return await asyncio.to_thread(self.call, message)


def test_our_own_sender_passes_everything(run):
    results = run(examined(Ours()))
    assert of(results, FAIL, WARN, NOT_REACHED) == {}
    assert {id.partition(".")[0] for id in of(results, NA)} == {"many", "safety"}
    assert exit_status([*results.values()]) == 0
    assert "sent again after" in results["answers.429-seconds"].why


class NoBody(Ours):
    """A sender whose messages have no payload."""

    sets = frozenset({"ttl", "urgency", "topic"})

    async def send(self, message: Message) -> SenderReport:
        return await super().send(replace(message, payload=b""))


def test_where_the_message_has_no_body_no_case_names_another_that_does_not_apply(run):
    results = run(examined(NoBody(), "bytes"))
    assert results["bytes.one-record"].why == "the message has no body"
    named = {why.rpartition("see ")[2] for why in of(results, NOT_REACHED).values() if "see " in why}
    assert not named & set(of(results, NA)), of(results, NOT_REACHED)


async def examined_app(
    routes: Callable[[str], Routes], *ids: str
) -> tuple[AppSender, dict[str, Result]]:
    """Examine the lab's application server by the routes that ``routes`` makes of its address."""
    service = ExaminationService(None)
    await service.start()  # Its ports are free ones, and the app has to be told of them before.
    server = ApplicationServer(keys=VapidKeys.generate(), allowed_origins=service.origins)
    await server.start()
    app = AppSender(routes(server.url.rstrip("/")))
    exam = Examination(app, service, timing=QUICK)
    try:
        await app.open()
        return app, {one.case.id: one async for one in examine(exam, chosen(ids, LookupError))}
    finally:
        await exam.close()
        await app.close()
        await server.stop()
        await service.stop()


@pytest.mark.usefixtures("programs")  # It takes long.
def test_our_own_app_passes_everything(run):
    # Its own time limit is half a minute, and the sender alone has shown what it does then.
    ids = [case.id for case in CASES if case.id not in ("answers.time-out", "answers.slow-drip")]
    _, results = run(examined_app(Routes.of, *ids))
    assert of(results, FAIL, WARN, NOT_REACHED) == {}
    whole = {"bytes.empty", "bytes.largest", "bytes.too-large"}
    far = {"safety.endpoint-private", "safety.endpoint-link-local"}
    assert set(of(results, NA)) == whole | far


def test_an_app_that_sends_to_all_alone_is_found_out_and_examined_one_case_at_a_time(run):
    def everybody(url: str) -> Routes:
        return Routes(f"{url}/add-subscription", f"{url}/notify-all", "", f"{url}/remove-subscription")

    ids = ["bytes", "token", "headers", "answers.410", "answers.401", "many.each-once", "safety"]
    app, results = run(examined_app(everybody, *ids))
    assert (app.sends_to_all, app.at_once) == (True, 1)
    assert of(results, FAIL, WARN, NOT_REACHED) == {}


# What is known of pywebpush 2: facts that its users can look up.
PYWEBPUSH: Mapping[str, tuple[Verdict, str]] = {
    "bytes.one-record": (FAIL, "a payload of 4080 bytes comes in 2 records"),
    "answers.301": (FAIL, "followed, with GET"),
    "answers.307": (FAIL, "followed, with POST"),
    "answers.slow-drip": (FAIL, "it was still reading after 10 s"),
    "answers.flavour-wns": (WARN, "it says 400, and not why"),
    "token.reused": (WARN, "each message has a token of its own"),
}


@pytest.mark.usefixtures("programs")  # It takes long.
def test_pywebpush_has_the_faults_that_are_known_of_it(run):
    # It looks for the alphabet of 50 MB, which takes a minute of the processor: no need to show that.
    ids = [case.id for case in CASES if case.id != "answers.body-50mb"]
    results = run(examined(Pywebpush(), *ids))
    found = of(results, FAIL, WARN)
    assert set(found) == set(PYWEBPUSH), found
    for id, (verdict, words) in PYWEBPUSH.items():
        assert results[id].verdict == verdict and words in results[id].why, results[id]
    assert exit_status([*results.values()]) == 1, "one record is a MUST"


class Silent(InProcess):
    """A sender that says much and sends nothing."""

    async def send(self, message: Message) -> SenderReport:
        return SenderReport(
            accepted=True, text="all is well\nconnect: no route to host", status="exit status 0"
        )


def test_a_sender_that_sends_nothing_is_told_why_in_each_case(run):
    results = run(examined(Silent(), timing=Timing(arrival=0.1)))
    words = {result.why for result in results.values()}
    assert words == {"no request came (exit status 0): connect: no route to host"}
    assert set(of(results, NOT_REACHED)) == {case.id for case in CASES}
    assert exit_status([*results.values()]) == 2


class Stuck(InProcess):
    """A sender that sends one message, and then never comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.ours, self.number = Ours(), 0

    async def open(self) -> None:
        await self.ours.open()

    async def send(self, message: Message) -> SenderReport:
        self.number += 1
        return await (self.ours.send(message) if self.number == 1 else asyncio.Event().wait())

    async def close(self) -> None:
        await self.ours.close()


def test_the_examination_ends_by_itself_though_the_sender_does_not(run, leaves_nothing):
    with leaves_nothing():
        timing = Timing(case=1.0)
        results = run(examined(Stuck(), "bytes.ascii", "token.scheme", timing=timing))
    assert results["token.scheme"].verdict == "pass"
    assert results["bytes.ascii"].why == "the case took longer than 1 s"


def test_a_fault_of_ours_in_one_case_is_told_as_ours_and_the_others_are_judged(run, monkeypatch):
    async def wrong(exam: Examination) -> Judgement:
        raise ValueError(exam.sent[0].message.recipient.subscription.endpoint)

    together, alone = "token.scheme", "many.one-dead"
    monkeypatch.setitem(POSES, together, wrong)
    monkeypatch.setitem(POSES, alone, wrong)
    asked = (together, "token.k", alone, "many.one-slow")
    results = run(examined(Ours(), *asked))
    assert list(results) == list(asked)
    assert results["token.k"].verdict == "pass" and results["many.one-slow"].verdict == NA
    for case in (together, alone):
        assert results[case].verdict == NOT_REACHED
        words = "the examination itself failed, and your sender is not to blame: ValueError in pushlab/"
        assert results[case].why.startswith(words)
        assert "/wpush/" not in results[case].why, "an endpoint is a secret"
    assert exit_status([*results.values()]) == 0


def test_a_fault_of_ours_in_the_first_message_is_told_as_ours(run, monkeypatch):
    async def learn(exam: Examination) -> None:
        raise OSError(errno.ENOSPC, "the disk is full", "/a/path/with/a/secret")

    monkeypatch.setattr(Examination, "learn", learn)
    results = run(examined(Ours(), "token"))
    assert len(of(results, NOT_REACHED)) == len(results) > 10
    [why] = {result.why for result in results.values()}
    words = (
        "the examination itself failed, and your sender is not to blame: OSError (the disk is full) in"
    )
    assert why.startswith(words) and "secret" not in why
    assert exit_status([*results.values()]) == 2


def test_a_group_and_a_case_are_chosen_in_the_order_of_the_table(run):
    assert [case.id for case in chosen(["token.k", "headers", "bytes.coding"], LookupError)][:3] == [
        "bytes.coding", "token.k", "headers.ttl-present",
    ]  # fmt: skip
    assert chosen([], LookupError) == CASES


def test_a_seed_repeats_endpoints_and_keys():
    def made(seed: int) -> str:
        service = ExaminationService(None, seed=seed)
        service.origins = ("http://localhost:1", "http://127.0.0.1:2")
        return service.recipient(plan=always(Answer(201))).subscription.endpoint

    seed = random.randrange(100)
    assert made(seed) == made(seed) != made(seed + 1)
