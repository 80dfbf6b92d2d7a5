"""For each case there is a sender that fails in this case, and in no other: see ``broken/faults.py``."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from pushlab.appserver.keys import VapidKeys
from pushlab.conformance.case import Result, Verdict
from pushlab.conformance.examination import Examination, Timing
from pushlab.conformance.examiner import examine
from pushlab.conformance.senders.app import AppSender, Routes
from pushlab.conformance.service import ExaminationService
from pushlab.conformance.table import CASES
from pushlab.protocol.delivery import PushOptions
from pushlab.settings import patience

from ..run.ports import free_port
from ..run.programs import started
from .broken.delivery import BACKOFF, Sender
from .broken.faults import FAULTS, SameKeyPair, SameSalt
from .broken.in_process import InProcess
from .broken.message import Headers, Key, Message
from .broken.sender import make, make_app
from .conftest import examined

ROOT = Path(__file__).parents[2]
SEND = (
    '{"endpoint": "{endpoint}", "payload": "{payload}", '
    '"ttl": "{ttl}", "urgency": "{urgency}", "topic": "{topic}"}'
)
SUBJECT = "mailto:push@example.com"
SHORT = Timing(
    arrival=patience(3), pause=3, retry=patience(2), hasty=0.4, quiet=0.3, patience=10,
    messages=20, subscribers=64, case=patience(60), total=patience(240),
)  # fmt: skip
"""Seconds that a right sender does not wait, since it waits for what comes.

``pause`` is long: on a busy machine an attempt that is made at once may come a second later.
So many examinations delay it by more than the usual ``hasty``, and the right sender waits longer.
"""

PAUSED = {"answers.429-bare", "answers.503-bare"}
"""Faults that are an attempt at once where the push service names no time."""

LONG_PAUSES = replace(SHORT, hasty=4.0, retry=15)
"""For these: an attempt that is made at once is told from one after the right sender's pause."""

CROWDED = "many.two-thousand"

PATIENT = replace(SHORT, patience=35)
"""For who reads 50 MB: on a busy machine that takes long, and its own time limit must not end it."""

TO_MANY = replace(SHORT, arrival=15, patience=40)
"""For who sends in turn: on a busy machine the few answers that it waits for take seconds, too."""

TIMINGS = dict.fromkeys(PAUSED, LONG_PAUSES) | {"answers.body-50mb": PATIENT}

AT_ONCE = 8
"""Examinations at a time. Most of it is waiting."""


def key() -> Key:
    return Key(VapidKeys.generate().private_key)


async def of_a_sender(fault: str, groups: tuple[str, ...], timing: Timing) -> list[Result]:
    """Examine the sender that has a fault, "" for none, in this process."""
    service = ExaminationService(None, patience=timing.patience)
    await service.start()
    sender = InProcess(make(key(), SUBJECT, fault, timeout=15))
    try:
        return await results(Examination(sender, service, timing=timing), groups)
    finally:
        await sender.close()
        await service.stop()


async def of_an_app(fault: str, groups: tuple[str, ...], timing: Timing) -> list[Result]:
    """Examine the app that has a fault, "" for none, over HTTP in this process."""
    service = ExaminationService(None, patience=timing.patience)
    await service.start()
    # Whoever sends in turn is found out if an attempt lasts longer than a message may take to arrive.
    seconds = timing.patience - 5 if "answers" in groups else 4 * timing.arrival
    # A pause is never shorter than it is meant to be, however busy the machine is.
    backoff = tuple(max(pause, 1.25 * timing.hasty) for pause in BACKOFF)
    app = make_app(key(), SUBJECT, fault, allowed=service.origins, timeout=seconds, backoff=backoff)
    sender = AppSender(Routes.of(await app.start()), send_body=SEND)
    sender.at_once = 40
    await sender.open()
    try:
        return await results(Examination(sender, service, timing=timing), groups)
    finally:
        await sender.close()
        await app.stop()
        await service.stop()


async def results(exam: Examination, groups: tuple[str, ...]) -> list[Result]:
    try:
        return [one async for one in examine(exam, [case for case in CASES if case.group in groups])]
    finally:
        await exam.close()


def noticed(found: list[Result]) -> dict[str, str]:
    """Return the cases that fail or warn, and why."""
    return {
        one.case.id: f"{one.verdict}: {one.why}"
        for one in found
        if one.verdict in (Verdict.FAIL, Verdict.WARN)
    }


def test_each_case_has_a_fault_that_it_is_to_notice():
    assert set(FAULTS) == {case.id for case in CASES}
    assert all(fault.__doc__ for fault in FAULTS.values())


def test_each_fault_of_a_message_is_noticed_by_its_case_alone(run):
    each_is_noticed_alone(run, ("bytes", "token", "headers"), of_a_sender)


class TwoUrgencies(Message):
    """Sends another TTL than it is asked for, and Urgency two times."""

    wrong_ttl = "60"

    def ttl(self, options: PushOptions) -> Headers:
        return [("TTL", self.wrong_ttl)]

    def urgency(self, options: PushOptions) -> Headers:
        return super().urgency(options) * 2


class TopicWithPadding(TwoUrgencies):
    """Sends another TTL than it is asked for, and a topic with two signs that it may not have."""

    def urgency(self, options: PushOptions) -> Headers:
        return Message.urgency(self, options)

    def topic(self, options: PushOptions) -> Headers:
        return [("Topic", f"{options.topic}==")] if options.topic else []


class NoNumber(TwoUrgencies):
    """Sends a TTL that is no number, and Urgency two times."""

    wrong_ttl = "soon"


@pytest.mark.parametrize(
    ("wrong", "beside", "sets", "why"),
    [
        (TwoUrgencies, "urgency", InProcess.sets, "TTL is 60, and 2419 was asked for"),
        (TopicWithPadding, "topic", InProcess.sets, "TTL is 60, and 2419 was asked for"),
        (NoNumber, "urgency", frozenset(), "TTL is 'soon'"),
    ],
)
def test_a_wrong_ttl_is_noticed_beside_another_wrong_option(run, wrong, beside, sets, why):
    async def scenario() -> dict[str, Result]:
        sender = InProcess(Sender(wrong(key(), SUBJECT), timeout=15))
        sender.sets = sets
        return await examined(sender, "headers", timing=SHORT)

    found = noticed([*run(scenario()).values()])
    assert found["headers.ttl-value"] == f"fail: {why}"
    assert f"headers.{beside}" in found, found


class Brackets(Message):
    """Puts each host that is no name into brackets, as only that of IPv6 has to be."""

    def claims(self, origin: str) -> dict[str, Any]:
        return super().claims(origin) | {"aud": origin.replace("127.0.0.1", "[127.0.0.1]")}


class SameSaltAndKey(SameSalt, SameKeyPair):
    """Makes salt and key pair once, when the program starts."""

    def ephemeral(self) -> tuple[EllipticCurvePrivateKey, bytes]:
        return self.as_private, self.salt


def with_headers(*more: tuple[str, str]) -> type[Message]:
    class More(Message):
        def headers(self, *given: Any) -> Headers:
            return [*super().headers(*given), *more]

    return More


def with_contact(contact: str) -> type[Message]:
    class Contact(Message):
        def claims(self, origin: str) -> dict[str, Any]:
            return super().claims(origin) | {"sub": contact}

    return Contact


@pytest.mark.parametrize(
    ("wrong", "case", "verdict", "why"),
    [
        (Brackets, "token.aud-two-services", "fail", "the second push service is at 127.0.0.1, and its"),
        (with_headers(("Prefer", "respond-async"), ("Prefer", "wait=10")), "headers.duplicates", "pass",
         "headers, each once, but for lists: prefer"),
        (with_headers(("tracestate", "a=1"), ("tracestate", "b=1")), "headers.duplicates", "pass", ""),
        (with_headers(("X-Mine", "1"), ("X-Mine", "2")), "headers.duplicates", "warn", "twice: x-mine:"),
        (with_headers(("TTL", "60"), ("X-Mine", "1"), ("X-Mine", "2")), "headers.duplicates", "fail",
         "twice: ttl"),
        (with_headers(("Content-Encoding", "aes128gcm")), "headers.duplicates", "fail",
         "twice: content-encoding"),
        (SameSalt, "bytes.fresh-salt", "warn", "salt that had come before, each time with another"),
        (SameSaltAndKey, "bytes.fresh-salt", "fail", "with the same key"),
        (SameSaltAndKey, "bytes.fresh-key", "fail", "had a key that had come before"),
        (with_headers(("Crypto-Key", "p256ecdsa=BAAA")), "bytes.coding", "warn", "the drafts of VAPID"),
        (with_headers(("Crypto-Key", "dh=BA;p256ecdsa=BA")), "bytes.coding", "warn", "belong to aesgcm"),
        (with_contact("mailto:a@example.com,b@example.com"), "token.sub", "warn", "sub has 2 addresses"),
        (with_contact("mailto:a@example.com,b@example.com?subject=push"), "token.sub", "warn", "has 2"),
        (with_contact("mailto:a@example.com"), "token.sub", "pass", ""),
        (with_contact("mailto:a@example.com, b@example.com"), "token.sub", "fail", "neither mailto:"),
        (with_contact("mailto:a@example.com,"), "token.sub", "fail", "neither mailto:"),
        (with_contact("mailto:"), "token.sub", "fail", "neither mailto:"),
        (with_contact("a@example.com,b@example.com"), "token.sub", "fail", "neither mailto:"),
    ],
)  # fmt: skip
def test_what_an_rfc_allows_does_not_fail_and_what_is_like_it_does(run, wrong, case, verdict, why):
    async def scenario() -> dict[str, Result]:
        sender = InProcess(Sender(wrong(key(), SUBJECT), timeout=15))
        return await examined(sender, case, timing=SHORT)

    judged = run(scenario())[case]
    assert judged.verdict == verdict and why in judged.why, judged


def test_no_key_is_looked_for_in_a_body_of_the_older_coding(run):
    """There its bytes are ciphertext from the first on, and often look like a header with a key."""

    async def scenario() -> dict[str, Result]:
        sender = InProcess(make(key(), SUBJECT, "bytes.coding", timeout=15))
        return await examined(sender, "token.key-apart", "bytes.coding", timing=SHORT)

    found = run(scenario())
    assert found["bytes.coding"].verdict == Verdict.FAIL
    judged = found["token.key-apart"]
    assert (judged.verdict, judged.why) == (
        Verdict.NOT_REACHED, "the body is in aesgcm: see bytes.coding",
    )  # fmt: skip


@pytest.mark.usefixtures("programs")  # It takes long.
@pytest.mark.parametrize("group", ["answers", "many", "safety"])
def test_each_fault_of_an_app_is_noticed_by_its_case_alone(run, group):
    each_is_noticed_alone(run, (group,), of_an_app, but=CROWDED)


@pytest.mark.usefixtures("programs")
def test_too_many_connections_are_noticed_by_their_case_alone(run):
    """A thousand subscribers keep the loop busy: other examinations would wait for their answers."""
    # More than 500 connections have to be wanted before they can be too many.
    found = run(of_an_app(CROWDED, ("many",), replace(TO_MANY, subscribers=1000)))
    assert set(noticed(found)) == {CROWDED}, noticed(found)


def each_is_noticed_alone(run, groups, examined, but=""):
    faults = ["", *(case.id for case in CASES if case.group in groups and case.id != but)]
    faults.sort(key=lambda fault: fault not in TIMINGS)  # These last longest.
    usual = TO_MANY if "many" in groups else SHORT

    async def scenario() -> dict[str, list[Result]]:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(fault: str) -> list[Result]:
            async with slots:
                return await examined(fault, groups, TIMINGS.get(fault, usual))

        return dict(zip(faults, await asyncio.gather(*map(one, faults)), strict=True))

    found = run(scenario())
    assert {one.verdict for one in found.pop("")} <= {Verdict.PASS, Verdict.NA}
    missed = {fault: noticed(one) for fault, one in found.items() if set(noticed(one)) != {fault}}
    assert missed == {}


def conformance(*arguments: str) -> dict[str, str]:
    """Run the command, and return the verdicts."""
    done = subprocess.run(
        [sys.executable, "-m", "pushlab", "conformance", "--json", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=patience(60),
    )
    found = map(json.loads, done.stdout.splitlines())
    return {one["case"]: one["verdict"] for one in found if "case" in one}


@pytest.mark.usefixtures("programs")
def test_the_command_notices_the_faults_of_a_program():
    names = ("subscription", "payload", "ttl", "urgency", "topic", "vapid-private")
    values = [f"--{name}={{{name.replace('-', '_')}}}" for name in names]
    cases = ("token.k", "headers.topic", "answers.flavour-wns")
    asked = [part for case in cases for part in ("--case", case)]
    for fault in ("", *cases):
        wrong = ["--fault", fault] if fault else []
        program = [sys.executable, "-m", "tests.conformance.broken.sender", *wrong, *values]
        found = conformance(*asked, "--", *program)
        assert set(found) == set(cases)
        assert {case for case, verdict in found.items() if verdict in ("fail", "warn")} == {fault} - {""}


@contextmanager
def serving(fault: str, port: int) -> Iterator[str]:
    """Run the app as a program of its own, and yield its origin."""
    origins = [f"http://{host}:{port + n}" for n, host in enumerate(("localhost", "127.0.0.1"))]
    allow = [part for origin in origins for part in ("--allow", origin)]
    program = [sys.executable, "-m", "tests.conformance.broken.app", *allow]
    program += ["--fault", fault] if fault else []
    with started(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as app:
        try:
            yield app.stdout.readline().strip()
        finally:
            app.terminate()


def two_ports() -> int:
    """Return a free port whose next one is free, too. The system gives neither to anybody else."""
    one = free_port()
    while (two := free_port()) != one + 1:
        one = two
    return one


@pytest.mark.usefixtures("programs")
def test_the_command_notices_the_faults_of_an_app():
    case = "safety.same-endpoint-twice"
    for fault, verdict in (("", "pass"), (case, "fail")):
        port = two_ports()
        with serving(fault, port) as origin:
            options = ("--http", "--port", str(port), "--subscribe", origin, "--send-body", SEND)
            assert conformance("--case", case, *options) == {case: verdict}
