"""The other client, pywebpush: the same message, and none of its traps."""

import asyncio
import json
import subprocess
import sys
import threading

import pytest

from pushlab.appserver.delivery import pywebpush_client
from pushlab.appserver.delivery.log import DeliveryLog
from pushlab.appserver.delivery.pywebpush_client import THREADS, PywebpushClient
from pushlab.appserver.delivery.response import NetworkFault
from pushlab.appserver.delivery.transfer import MAX_BODY
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import LabStopped, PlaintextTooLong, VapidError
from pushlab.journal import Journal
from pushlab.protocol import base64url, vapid
from pushlab.protocol.delivery import PushOptions, Urgency
from pushlab.settings import patience

DEFAULT = PushOptions()


@pytest.fixture
def send(run, keys, push_service, subscriber, everywhere):
    """Send with pywebpush to a push service that answers ``answer``."""

    def sending(
        answer=None,
        payload=b"Hello",
        options=DEFAULT,
        journal=None,
        tls=None,
        times=1,
        **more,
    ):
        async def scenario():
            async with push_service(tls) as service:
                if answer:
                    service.answer = answer
                someone = subscriber(service.endpoint())
                stored = StoredSubscription(someone.subscription, "KEY", "Firefox", 0)
                client = PywebpushClient(more.pop("keys", keys), egress=everywhere, **more)
                try:
                    log = DeliveryLog(journal)
                    request = client.prepare(stored, payload, options, log)
                    for _ in range(times):
                        log.request(request)
                        response = await client.send(request)
                        log.response(request, response)
                finally:
                    service.closing.set()
                    await client.close()
                return someone, service, response

        return run(scenario())

    return sending


def test_the_same_message_arrives(send, keys):
    options = PushOptions(ttl=60, urgency=Urgency.LOW, topic="upd")
    someone, service, answer = send(options=options, times=3)
    assert (answer.status, answer.reason) == (201, "Created")
    for received in service.received:
        assert someone.read(received.body) == b"Hello"
        headers = received.headers
        assert (headers["TTL"], headers["Urgency"], headers["Topic"]) == ("60", "low", "upd")
        assert headers["Content-Encoding"] == "aes128gcm"
        claims = vapid.verify(
            headers["Authorization"],
            origin=service.origin,
            now=vapid_now(headers),
            subscribed_key=keys.public,
        )
        assert claims.sub == keys.subject
    assert len({received.connection.context.address for received in service.received}) == 1


def vapid_now(headers) -> float:
    """Return a time at which the token holds: pywebpush takes it from the machine's clock."""
    token = vapid.parse(headers["Authorization"]).t
    return json.loads(base64url.decode(token.split(".")[1]))["exp"] - 1


def test_ttl_zero_and_no_payload(send):
    _, service, answer = send(payload=None, options=PushOptions(ttl=0))
    [received] = service.received
    assert answer.status == 201 and received.body == b""
    assert received.headers["TTL"] == "0" and "Content-Encoding" not in received.headers


@pytest.mark.parametrize("status", [200, 202, 400, 403, 404, 410, 429, 500])
def test_every_status_comes_back(send, status):
    def answer(handler, number):
        handler.set_status(status)
        handler.set_header("Retry-After", "9")
        handler.finish(b"why")

    *_, answer = send(answer)
    assert (answer.status, answer.header("Retry-After"), answer.body) == (status, "9", b"why")


def test_a_redirect_is_not_followed(send):
    _, service, answer = send(lambda handler, number: handler.redirect("/elsewhere", status=302))
    assert answer.status == 302 and len(service.received) == 1


def test_a_proxy_and_a_netrc_are_not_used(send, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    _, service, answer = send()
    assert answer.status == 201
    assert service.received[0].headers["Authorization"].startswith("vapid ")


def test_only_so_much_of_a_body_is_read(send):
    def answer(handler, number):
        handler.set_status(400)
        handler.finish(b"x" * (MAX_BODY * 4))

    *_, answer = send(answer)
    assert answer.status == 400 and answer.body == b"x" * MAX_BODY


def test_a_status_stands_when_the_body_does_not_come(send):
    async def answer(handler, number):
        handler.set_status(201)
        handler.set_header("Content-Length", "99")
        await handler.flush()
        handler.request.connection.stream.close()

    assert send(answer)[2].status == 201


def test_waiting_has_an_end(send):
    _, service, answer = send(lambda handler, number: handler.service.closing.wait(), timeout=2.0)
    assert answer == NetworkFault(28) and len(service.received) <= 1, "it is not sent again"


def test_a_closed_port_and_a_host_that_does_not_exist(run, keys, subscriber, everywhere):
    async def scenario(endpoint):
        client = PywebpushClient(keys, egress=everywhere)
        stored = StoredSubscription(subscriber(endpoint).subscription, "KEY", "", 0)
        answer = await client.send(client.prepare(stored, b"Hello", PushOptions(), DeliveryLog()))
        await client.close()
        return answer.code

    assert run(scenario("http://127.0.0.1:9/push")) == 7
    assert run(scenario("https://push.invalid/push")) == 6


def test_a_certificate_is_checked(send, authority, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    _, service, answer = send(tls=authority[1])
    assert answer == NetworkFault(60) and service.received == []
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))
    assert send(tls=authority[1])[2].status == 201


def test_a_plaintext_that_is_too_long_is_not_split_in_two(send):
    _, service, _ = send(payload=bytes(3993))
    assert len(service.received[0].body) == 4096
    with pytest.raises(PlaintextTooLong, match="3994"):
        send(payload=bytes(3994))


def test_a_subject_that_pywebpush_does_not_like(send, keys):
    odd = VapidKeys(keys.private_key, "https://example.com/contact")
    with pytest.raises(VapidError, match="pywebpush says: Missing 'sub'"):
        send(keys=odd)


def test_the_journal_tells_the_same_story(send):
    journal = Journal()
    send(journal=journal)
    assert [event.what for event in journal.events()] == [
        "encrypt",
        "sign",
        "POST message",
        "201 Created",
    ]
    assert journal.events()[0].detail == {"plaintext": 5, "body": 108}


def test_many_threads_at_a_time(run, keys, push_service, subscriber, everywhere):
    async def scenario():
        async with push_service() as service:
            client = PywebpushClient(keys, egress=everywhere)
            people = [subscriber(service.endpoint(str(number))) for number in range(40)]
            requests = [
                client.prepare(
                    StoredSubscription(someone.subscription, "KEY", "", 0),
                    b"Hello",
                    PushOptions(),
                    DeliveryLog(),
                )
                for someone in people
            ]
            answers = await asyncio.gather(*map(client.send, requests))
            await client.close()
            return [answer.status for answer in answers]

    assert run(scenario()) == [201] * 40


def test_pywebpush_is_imported_by_the_first_message_and_not_before():
    code = (
        "import sys, pushlab.appserver.app\n"
        "print([name for name in ('pywebpush', 'requests', 'aiohttp') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("secure", [False, True])
def test_close_breaks_off_the_calls_under_way_and_nothing_is_sent_after_it(
    run, keys, push_service, subscriber, everywhere, authority, monkeypatch, secure
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))
    monkeypatch.setattr(pywebpush_client, "GRACE", patience(30))

    async def scenario():
        async with push_service(authority[1] if secure else None) as service:
            arrived = asyncio.Event()

            def answer(handler, number):
                if number == THREADS:
                    arrived.set()
                return service.closing.wait()

            service.answer = answer
            someone = subscriber(service.endpoint())
            stored = StoredSubscription(someone.subscription, "KEY", "Firefox", 0)
            client = PywebpushClient(keys, egress=everywhere, timeout=patience(600))
            request = client.prepare(stored, b"Hello", PushOptions(), DeliveryLog())
            # Some have a thread and wait for an answer, and some wait for a thread.
            sending = [client.send(request) for _ in range(THREADS + 4)]
            await arrived.wait()
            sending.pop(0).cancel()  # Its thread goes on; close() waits for that one too.
            # The time-out of a call is many times as long as this test may last.
            workers = list(client._busy)
            await client.close()
            answers = await asyncio.gather(*sending, return_exceptions=True)
            assert {type(answer) for answer in answers} == {LabStopped}
            assert not client._busy and len(workers) == THREADS
            assert not any(len(worker.connections) for worker in workers)
            assert "pywebpush" not in [thread.name for thread in threading.enumerate()]
            with pytest.raises(LabStopped):
                await client.send(request)
            await client.close()
            assert len(service.received) == THREADS

    run(scenario(), timeout=60)
