"""Both clients against push services that do what none should: each request ends, and on time."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from pushlab.appserver.delivery.client import LibcurlPushClient
from pushlab.appserver.delivery.log import DeliveryLog
from pushlab.appserver.delivery.pywebpush_client import THREADS, PywebpushClient
from pushlab.appserver.delivery.response import NetworkFault
from pushlab.appserver.delivery.transfer import MAX_BODY
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.explain.outcome import explain
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import BadResponse
from pushlab.protocol.delivery import PushOptions
from pushlab.settings import patience

from ..hostile import LATE, LATE_WITH_TLS, NONE, STATUS, TIMEOUT, peer


@pytest.fixture(params=["pushlab", "pywebpush"])
def make_client(request, keys, everywhere):
    """Make the client of either sender, with a time limit in seconds."""

    def make(timeout):
        if request.param == "pywebpush":
            return PywebpushClient(keys, egress=everywhere, timeout=timeout)
        return LibcurlPushClient(keys, CurlTransport(egress=everywhere, timeout=timeout))

    return make


def begin(client, someone):
    stored = StoredSubscription(someone.subscription, "KEY", "Firefox", 0)
    return client.send(client.prepare(stored, b"Hello", PushOptions(), DeliveryLog()))


@pytest.fixture
def answers_of(run, make_client, subscriber):
    """Send to all of these push services at once; return their answers, and the seconds of each."""

    def sending(talks, timeout, scheme="http"):
        async def one(stack, client, talk):
            endpoint = await stack.enter_async_context(peer(talk, scheme))
            began = time.monotonic()
            [answer] = await asyncio.gather(begin(client, subscriber(endpoint)), return_exceptions=True)
            return answer, time.monotonic() - began

        async def scenario():
            async with AsyncExitStack() as stack:
                client = make_client(timeout)
                ended = await asyncio.gather(*(one(stack, client, talk) for talk in talks.values()))
                await client.close()
                return dict(zip(talks, ended, strict=True))

        return run(scenario(), timeout=20)

    return sending


@pytest.mark.parametrize("scheme, talks", [("http", LATE), ("https", LATE_WITH_TLS)])
def test_a_request_has_one_time_for_everything(answers_of, scheme, talks):
    ended = answers_of(talks, TIMEOUT, scheme)
    assert {name: answer.code for name, (answer, _) in ended.items()} == dict.fromkeys(talks, 28)
    assert min(seconds for _, seconds in ended.values()) >= TIMEOUT


def test_a_status_counts_whatever_comes_after_it(answers_of):
    talks = {name: talk for name, (talk, _) in STATUS.items()}
    ended = answers_of(talks, patience(2))
    expected = {name: status for name, (_, status) in STATUS.items()}
    assert {name: getattr(answer, "status", answer) for name, (answer, _) in ended.items()} == expected
    assert max(len(answer.body) for answer, _ in ended.values()) == MAX_BODY


def test_what_is_no_answer(answers_of):
    ended = answers_of(NONE, patience(60))
    kinds = {name: isinstance(answer, NetworkFault | BadResponse) for name, (answer, _) in ended.items()}
    assert kinds == dict.fromkeys(NONE, True)
    assert 28 not in [getattr(answer, "code", None) for answer, _ in ended.values()], "at once"


def test_more_that_drip_than_there_are_threads_do_not_keep_the_others_from_being_sent(
    run, make_client, subscriber, push_service
):
    async def scenario():
        async with AsyncExitStack() as stack:
            dripping = await stack.enter_async_context(peer(LATE["drips a head"]))
            honest = await stack.enter_async_context(push_service())
            client = make_client(patience(2))
            sends = [begin(client, subscriber(dripping)) for _ in range(THREADS + 4)]
            last = begin(client, subscriber(honest.endpoint()))
            assert (await last).status == 201
            assert {answer.code for answer in await asyncio.gather(*sends)} == {28}
            await client.close()

    run(scenario(), timeout=120)


def test_another_attempt_sends_the_same_bytes_or_the_message_encrypted_anew(
    run, make_client, subscriber, push_service
):
    async def scenario():
        async with push_service() as service:
            client, someone = make_client(patience(5)), subscriber(service.endpoint())
            stored = StoredSubscription(someone.subscription, "KEY", "Firefox", 0)
            prepared = client.prepare(stored, b"Hello", PushOptions(), DeliveryLog())
            assert [(await client.send(prepared)).status for _ in range(2)] == [201, 201]
            assert [someone.read(received.body) for received in service.received] == [b"Hello"] * 2
            bodies = {received.body for received in service.received}
            assert len(bodies) == (2 if isinstance(client, PywebpushClient) else 1)
            await client.close()

    run(scenario())


def test_a_machine_that_opens_no_more_sockets_is_at_fault_itself(
    run, make_client, subscriber, push_service
):
    resource = pytest.importorskip("resource", reason="Windows has no such limit")

    async def scenario():
        async with push_service() as first, push_service() as second:
            client = make_client(patience(5))
            assert (await begin(client, subscriber(first.endpoint()))).status == 201
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))  # What is open stays so.
            try:
                outcome = explain(await begin(client, subscriber(second.endpoint())))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert (outcome.kind, outcome.fault) == ("retry", "this machine")
            assert (await begin(client, subscriber(second.endpoint()))).status == 201
            await client.close()

    run(scenario())
