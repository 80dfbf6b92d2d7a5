"""The application server as one object: its life, and what a notebook asks of it."""

import asyncio
import json
import socket
import sqlite3
import subprocess
import sys
import threading

import pytest

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.broadcast.runs import Runs
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import (
    BadField,
    DatabaseClosed,
    LabStopped,
    NoSubscriptions,
    PlaintextTooLong,
    PortTaken,
    UnableToReadDatabase,
    UnknownSubscription,
)
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.subscription import PushSubscription
from pushlab.pushservice.app import PushService

from ..run.ports import free_port

HTTPS = "https://push.example.net/push/one"


def test_it_can_be_started_and_stopped_again_and_again(run, keys, fetch, tmp_path, subscriber):
    async def scenario():
        server = ApplicationServer(keys=keys, database=f"sqlite:///{tmp_path / 'a.sqlite3'}")
        with pytest.raises(LabStopped):
            assert server.port
        await server.stop()
        await server.start()
        server.subscribe(subscriber(HTTPS).subscription)
        port = server.port
        for _ in range(5):
            await server.stop()
            await server.stop()
            await server.start(port)
            assert server.url == f"http://127.0.0.1:{port}/"
            assert (await fetch(server.url + "vapid")).status == 200
            assert server.store.count() == 1
        await server.stop()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)

    run(scenario())


def test_stop_closes_connections_that_are_kept_open(run, serving):
    async def scenario():
        async with serving() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"}}")
            await server.stop()
            assert await reader.read() == b""
            writer.close()

    run(scenario())


def test_a_port_that_is_taken_is_said_so_and_nothing_is_left(run, keys):
    async def scenario():
        port = free_port()
        with socket.create_server(("127.0.0.1", port)):
            server = ApplicationServer(keys=keys)
            with pytest.raises(PortTaken, match=str(port)):
                await server.start(port)
        await server.start(port)
        await server.stop()

    run(scenario())


def test_a_database_that_cannot_be_opened_leaves_no_port_open(run, keys):
    async def scenario():
        port = free_port()
        server = ApplicationServer(keys=keys, database="sqlite:////nowhere/at/all.sqlite3")
        with pytest.raises(UnableToReadDatabase):
            await server.start(port)
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)

    run(scenario())


def test_a_sender_that_does_not_exist(keys):
    with pytest.raises(ValueError, match="pywebpush"):
        ApplicationServer(keys=keys, sender="pigeon")


def test_the_first_push_origin_is_the_labs(keys):
    def url(*origins):
        return ApplicationServer(keys=keys, push_origins=origins).push_service_url

    assert url("http://127.0.0.1:8030") == "ws://127.0.0.1:8030/"
    assert url("https://push.lab:8030", "http://127.0.0.1:1") == "wss://push.lab:8030/"
    assert url() is None


@pytest.fixture
def people(run, serving, push_service, subscriber):
    """Run a scenario with three subscribers of a push service that takes everything."""

    def running(scenario, **options):
        async def whole():
            async with push_service() as service:
                async with serving(service.origin, **options) as server:
                    three = [subscriber(service.endpoint(name)) for name in ("one", "two", "three")]
                    for someone in three:
                        server.subscribe(someone.subscription, "Firefox")
                    return await scenario(server, service, three)

        return run(whole())

    return running


@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
def test_notify_and_notify_all_as_a_notebook_calls_them(people, sender):
    async def scenario(server, service, three):
        outcome = await server.notify(three[0].endpoint, "Hi", "you", PushOptions(ttl=60))
        assert (outcome.kind, outcome.status) == ("accepted", 201)
        assert json.loads(three[0].read(service.received[0].body)) == {
            "title": "Hi",
            "options": {"body": "you"},
        }
        assert service.received[0].headers["TTL"] == "60"
        counts = await server.notify_all(body="all")
        assert (counts.accepted, counts.gone, counts.retried, counts.failed, counts.id) == (
            3,
            0,
            0,
            0,
            2,
        )
        read = {received.path: received.body for received in service.received[1:]}
        for someone in three:
            path = someone.endpoint.removeprefix(service.origin)
            assert json.loads(someone.read(read[path]))["options"]["body"] == "all"
        shown: list = []
        await server.notify_all(notification={"title": "x"}, progress=shown.append)
        assert [counts.accepted for counts in shown] == [1, 2, 3]

    people(scenario, sender=sender)


@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
def test_one_without_keys_gets_each_message_without_its_payload(people, sender):
    async def scenario(server, service, three):
        keyless = PushSubscription(service.endpoint("keyless"))
        server.subscribe(keyless, "Firefox")
        outcome = await server.notify(keyless.endpoint, "Hi", "you")
        assert outcome.kind == "accepted"
        assert "The message went without its payload: this subscription has no keys" in outcome.text
        assert (await server.notify_all(body="all")).accepted == 4
        bodies = {received.path: received.body for received in service.received}
        assert bodies.pop("/push/keyless-0123456789abcdef") == b""
        assert len(bodies) == 3 and all(bodies.values()), "the others got theirs"
        lines = [event.what for event in server.journal.events()]
        assert lines.count("leave out payload") == 1, "of the single message"

    people(scenario, sender=sender)


def test_what_cannot_be_notified(people):
    async def scenario(server, service, three):
        with pytest.raises(UnknownSubscription):
            await server.notify(HTTPS)
        with pytest.raises(PlaintextTooLong):
            await server.notify(three[0].endpoint, "x" * 4000)
        with pytest.raises(PlaintextTooLong):
            await server.notify_all("x" * 4000)
        with pytest.raises(BadField):
            await server.notify_all(notification={"body": "x"})
        for someone in three:
            server.store.remove(someone.endpoint)
        with pytest.raises(NoSubscriptions):
            await server.notify_all()
        assert service.received == []

    people(scenario)


def test_one_that_is_gone_does_not_keep_the_others_from_theirs(people):
    async def scenario(server, service, three):
        def answer(handler, number):
            handler.set_status(410 if "/two" in handler.request.path else 201)

        service.answer = answer
        counts = await server.notify_all()
        assert (counts.accepted, counts.gone) == (2, 1)
        assert server.store.count() == 2

    people(scenario)


def test_the_loop_goes_on_while_the_database_waits_for_a_lock(
    run, serving, fetch, subscriber, tmp_path, monkeypatch
):
    monkeypatch.setattr("pushlab.appserver.store.BUSY_TIMEOUT", 60)
    path = tmp_path / "a.sqlite3"

    async def scenario():
        async with serving(database=f"sqlite:///{path}") as server:
            other = sqlite3.connect(path)
            other.execute("BEGIN IMMEDIATE")
            someone = subscriber(HTTPS).subscription.to_json()
            adding = asyncio.ensure_future(fetch(server.url + "add-subscription", someone))
            answered = 0
            while not adding.done() and answered < 50:
                assert (await fetch(server.url + "vapid")).status == 200
                answered += 1
            assert answered == 50 and not adding.done(), "other requests do not wait"
            other.rollback()
            other.close()
            assert (await adding).status == 201

    run(scenario())


# --- with the lab's own push service: both parties, over HTTP ------------------------------------


def test_our_messages_pass_the_labs_push_service(run, serving, subscriber, fetch):
    async def scenario():
        service = PushService()
        await service.start()
        async with serving(service.origin) as server:
            unknown = subscriber(f"{service.origin}/wpush/v2/{'A' * 43}")
            assert server.subscribe(unknown.subscription)
            reply = await fetch(server.url + "notify-me", {"endpoint": unknown.endpoint})
            assert reply.error == (502, "subscription-gone")
            assert server.store.count() == 0
            assert "A" * 43 not in reply.body.decode()
        await service.stop()

    run(scenario())


def test_a_notify_all_is_gone_on_with_under_its_number(run, serving, push_service, subscriber):
    async def scenario():
        async with push_service() as service, serving(service.origin) as server:
            one, two = subscriber(service.endpoint("one")), subscriber(service.endpoint("two"))
            server.subscribe(one.subscription)
            await server.notify(one.endpoint)  # takes a number of its own
            first = await server.notify_all()
            server.subscribe(two.subscription)
            await server.notify(two.endpoint)
            again = await server.notify_all(resume=first.run)
            assert (first.id, again.id, again.accepted) == (2, 2, 1)
            assert json.loads(two.read(service.received[-1].body))["options"]["body"] == "ID: 2"
            [known] = server.runs()
            assert (known.run, known.number, known.outcomes) == (first.run, 2, {"accepted": 2})
            with pytest.raises(BadField):
                await server.notify_all("another", resume=first.run)
            with pytest.raises(BadField):
                await server.notify_all(resume=99)

    run(scenario())


# --- it stops while it sends ---------------------------------------------------------------------

STOPPED_WHILE_IT_SENDS = """
import asyncio, sys
from cryptography.hazmat.primitives.asymmetric import ec
from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.errors import PushlabError
from pushlab.protocol import p256
from pushlab.protocol.subscription import PushSubscription

ORIGIN = "http://127.0.0.1:9"
KEY = p256.raw_public(ec.generate_private_key(ec.SECP256R1()))

async def main():
    server = ApplicationServer(keys=VapidKeys.generate(), push_origins=[ORIGIN])
    for turns in range(1, 30):
        await server.start()
        for number in range(20):
            server.subscribe(PushSubscription(f"{ORIGIN}/{number}", KEY, bytes(16)))
        everybody = asyncio.create_task(server.notify_all())
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.stop()
        try:
            await everybody
        except PushlabError as error:
            print(error.code)

asyncio.run(main())
"""


@pytest.mark.usefixtures("programs")
def test_stop_during_a_notify_all_on_a_database_in_memory_is_survived():
    """In a process of its own, since a fault here is a segmentation fault."""
    command = [sys.executable, "-W", "error", "-c", STOPPED_WHILE_IT_SENDS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) <= {"lab-stopped", "database-closed"}
    assert len(done.stdout.split()) == 29, "each of them was broken off"


@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
def test_stop_ends_a_message_that_is_being_tried_again(people, sender):
    async def scenario(server, service, three):
        asked = asyncio.Event()

        async def sleep(seconds: float) -> None:
            asked.set()
            await asyncio.get_running_loop().create_future()  # until it is cancelled

        server.sender.context.sleep = sleep
        service.answer = lambda handler, number: handler.set_status(503)
        sending = asyncio.create_task(server.notify(three[0].endpoint))
        await asked.wait()
        await server.stop()
        assert len(service.received) == 1
        with pytest.raises(LabStopped):
            await sending
        # The means that it sent with send nothing any more either.
        with pytest.raises(LabStopped):
            await server.sender.send(server_stored(server, three[0]), b"x", PushOptions())
        assert len(service.received) == 1

    people(scenario, sender=sender)


def server_stored(server, someone) -> StoredSubscription:
    key = server.keys.application_server_key
    return StoredSubscription(someone.subscription, key, "Firefox", 0)


@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
@pytest.mark.parametrize("stops", [True, False])
def test_stop_ends_a_notify_all_that_was_just_beginning(people, monkeypatch, sender, stops):
    async def scenario(server, service, three):
        loop, beginning, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
        begin = Runs.begin

        def slowly(runs, digest, number):
            loop.call_soon_threadsafe(beginning.set)
            assert go_on.wait(20)
            return begin(runs, digest, number)

        monkeypatch.setattr(Runs, "begin", slowly)
        sending = asyncio.create_task(server.notify_all())
        await beginning.wait()
        stopping = asyncio.create_task(server.stop()) if stops else None
        await asyncio.sleep(0)  # stop() has begun, and waits
        go_on.set()
        if stops:
            await stopping
            with pytest.raises(LabStopped):
                await sending
            assert service.received == []
        else:
            assert (await sending).accepted == len(service.received) == 3

    people(scenario, sender=sender)


def test_what_is_asked_of_a_stopped_server_is_refused_and_opens_no_database(people, tmp_path):
    path = tmp_path / "a.sqlite3"

    async def scenario(server, service, three):
        assert server.store.count() == 3
        await server.stop()
        path.unlink()
        for ask in (server.notify(three[0].endpoint), server.notify_all(), server.participants()):
            with pytest.raises(DatabaseClosed):
                await ask
        with pytest.raises(DatabaseClosed):
            server.subscribe(three[0].subscription)
        assert not path.exists() and service.received == []

    people(scenario, database=f"sqlite:///{path}")
