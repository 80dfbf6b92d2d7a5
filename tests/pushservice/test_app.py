"""The push service as a whole: its routes, its start, its stop, and its return after a kill."""

import asyncio
import json
import signal
import socket
import subprocess
import sys

import pytest
from tornado.httpclient import HTTPRequest
from tornado.ioloop import PeriodicCallback

from pushlab.errors import LabError, LabStopped, PortTaken, UnableToReadDatabase
from pushlab.pushservice import mailbox
from pushlab.pushservice.app import PushService
from pushlab.pushservice.broker import Broker
from pushlab.pushservice.certificates import Certificates
from pushlab.pushservice.chromium.mcs import McsServer
from pushlab.pushservice.presence import MAX_ENDPOINTS, MAX_REQUEST
from pushlab.pushservice.store import Store
from pushlab.server.limits import BoundedHTTPServer

from ..run.ports import free_port

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "aes128gcm"}


def test_the_front_page_is_for_people(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await sender.send(subscription)
        response = await http(bench.service.origin + "/")
        assert response.code == 200 and response.headers["Content-Type"].startswith("text/plain")
        text = response.body.decode()
        assert bench.service.ws_url in text
        assert "1 subscriptions, 1 user agents connected, 1 messages waiting" in text
        assert subscription.endpoint not in text and agent.uaid not in text

    bench(scenario)


TOKEN = "A" * 32
WRONG = [
    ("POST", "/", 405, "method-not-allowed", "GET, HEAD"),
    ("PUT", "/", 405, "method-not-allowed", "GET, HEAD"),
    ("TRACE", "/", 405, "method-not-allowed", "GET, HEAD"),
    ("BREW", "/", 501, "unknown-method", None),
    ("BREW", "/nothing", 501, "unknown-method", None),
    ("post", f"/wpush/v2/{TOKEN}", 501, "unknown-method", None),
    ("GET", f"/wpush/v2/{TOKEN}", 405, "method-not-allowed", "POST"),
    ("DELETE", f"/wpush/v2/{TOKEN}", 405, "method-not-allowed", "POST"),
    ("BREW", f"/wpush/v2/{TOKEN}", 501, "unknown-method", None),
    ("OPTIONS", f"/wpush/v2/{TOKEN}", 405, "method-not-allowed", "POST"),
    ("GET", "/presence", 405, "method-not-allowed", "POST"),
    ("POST", f"/m/{TOKEN}", 405, "method-not-allowed", "GET, HEAD, DELETE"),
    ("GET", f"/m/{TOKEN}", 404, "unknown-path", None),
    ("DELETE", f"/m/{TOKEN}", 404, "unknown-path", None),
    ("POST", f"/wpush/v2/{TOKEN}", 404, "unknown-push-resource", None),
    ("POST", f"/wpush/v2/{TOKEN}/more", 404, "unknown-path", None),
    ("POST", "/wpush/v2/", 404, "unknown-path", None),
    ("POST", "/wpush/v2/%ff", 404, "unknown-path", None),
    ("POST", "/wpush/v1/x", 404, "unknown-path", None),
    ("GET", "/favicon.ico", 404, "unknown-path", None),
    ("PATCH", "/nothing", 404, "unknown-path", None),
    ("OPTIONS", "/nothing", 404, "unknown-path", None),
    ("GET", "/../etc/passwd", 404, "unknown-path", None),
]


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ({}, (401, "missing-authorization")),
        ({"Origin": "http://127.0.0.1"}, (403, "cross-origin")),
        ({"Origin": "https://evil.example"}, (403, "cross-origin")),
        ({"Origin": "null"}, (403, "cross-origin")),
        ({"Sec-Fetch-Site": "cross-site"}, (403, "cross-origin")),
        ({"Sec-Fetch-Site": "same-site"}, (403, "cross-origin")),
        (
            {"Sec-Fetch-Site": "none"},
            (401, "missing-authorization"),
        ),  # as Chromium itself, which acts for no page
        ({"Host": "evil.example"}, (421, "wrong-host")),
        ({"Host": "evil.example", "Sec-Fetch-Site": "none"}, (421, "wrong-host")),
    ],
    ids=str,
)
def test_a_page_sends_no_push_message(bench, http, headers, answer):
    """An application server is no browser, and marks nothing."""

    async def scenario(bench):
        _, _, subscription = await bench.subscribed()
        response = await http(HTTPRequest(subscription.endpoint, "POST", headers, b""))
        assert (response.code, json.loads(response.body)["error"]["id"]) == answer
        for path in ("/presence", "/checkin", "/c2dm/register3"):
            other = (await http(HTTPRequest(bench.service.origin + path, "POST", headers, b""))).code
            assert other == answer[0] if answer[0] in (403, 421) else other not in (403, 421), path

    bench(scenario)


def test_head_has_the_headers_of_get(bench, http):
    async def scenario(bench):
        _, sender, subscription = await bench.subscribed()
        sent = await sender.send(subscription)
        for url in (bench.service.origin + "/", sent.headers["Location"]):
            head, get = await http(HTTPRequest(url, "HEAD")), await http(url)
            assert (head.code, head.body) == (get.code, b"") == (200, b"")
            assert head.headers["Content-Length"] == str(len(get.body))

    bench(scenario)


@pytest.mark.parametrize("body", [None, b"x" * 100_000], ids=["no body", "a body"])
@pytest.mark.parametrize("method, path, status, code, allow", WRONG)
def test_wrong_methods_and_paths(shared_bench, http, method, path, status, code, allow, body):
    async def scenario(bench):
        request = HTTPRequest(
            bench.service.origin + path, method, FORM, body, allow_nonstandard_methods=True
        )
        response = await http(request)
        assert response.code == status
        assert response.headers["Content-Type"].startswith("application/json")
        error = json.loads(response.body)["error"]
        assert error["id"] == code and error["message"]
        assert response.headers.get("Allow") == allow
        assert TOKEN not in error["message"]

    shared_bench(scenario)


def test_head_of_an_unknown_path(bench, http):
    async def scenario(bench):
        response = await http(bench.service.origin + "/nothing", method="HEAD")
        assert (response.code, response.body) == (404, b"")

    bench(scenario)


def test_what_is_no_http_is_cut_off_and_the_next_is_served(bench, http, raw):
    async def scenario(bench):
        for garbage in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"GET\r\n\r\n",
            b"POST /wpush/v2/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
            b"POST /wpush/v2/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        ):
            answer = await raw(bench.service.port, garbage)
            assert not answer.startswith(b"HTTP/1.1 2")
        assert (await http(bench.service.origin + "/")).code == 200

    bench(scenario)


def test_no_log_line_holds_an_endpoint(bench, http, caplog):
    async def scenario(bench):
        caplog.set_level(0)
        _, sender, subscription = await bench.subscribed()
        await sender.send(subscription)
        await http(HTTPRequest(subscription.endpoint, "POST", body=b""))
        await http(HTTPRequest(subscription.endpoint, "GET"))
        token = subscription.endpoint.rsplit("/", 1)[1]
        said_by_the_service = [r for r in caplog.records if "hypothesis" not in r.name]
        assert not [r for r in said_by_the_service if token in r.getMessage()]

    bench(scenario)


def test_before_the_start_there_is_no_port():
    with pytest.raises(LabStopped):
        _ = PushService().port
    with pytest.raises(LabStopped):
        _ = PushService().chromium


def test_the_listeners_for_chromium(bench):
    async def scenario(bench):
        listeners, origin = bench.service.chromium, bench.service.origin
        assert listeners.checkin_url == f"{origin}/checkin"
        assert listeners.registration_url == f"{origin}/c2dm/register3"
        assert listeners.mcs_url.startswith("https://127.0.0.1:")
        assert listeners.hosts == ("jmt17.google.com", "fcm.googleapis.com")
        ports = {bench.service.port, listeners.tls_port, int(listeners.mcs_url.rsplit(":", 1)[1])}
        assert len(ports) == 3
        assert b"BEGIN CERTIFICATE" in listeners.ca_pem and "BEGIN" not in repr(listeners)

    bench(scenario)


def test_a_chromium_started_elsewhere_gets_its_switches_from_the_service(bench, http):
    async def scenario(bench):
        listeners = bench.service.chromium
        response = await http(bench.service.origin + "/chromium")
        assert json.loads(response.body)["data"] == {
            "checkin_url": listeners.checkin_url,
            "registration_url": listeners.registration_url,
            "mcs_url": listeners.mcs_url,
            "spki": listeners.spki,
        }

    bench(scenario)


def test_a_taken_port_is_reported_and_no_database_is_opened(run, tmp_path):
    async def scenario():
        port = free_port()
        with socket.create_server(("127.0.0.1", port)):
            service = PushService(database=f"sqlite:///{tmp_path}/push.sqlite3")
            with pytest.raises(PortTaken, match=str(port)):
                await service.start(port)
            await service.stop()
        assert not list(tmp_path.iterdir())
        await service.start(port)
        assert service.port == port
        await service.stop()
        await service.stop()

    run(scenario())


def test_a_broken_database_frees_the_port(run, tmp_path):
    (tmp_path / "push.sqlite3").write_bytes(b"this is no database" * 100)

    async def scenario():
        port = free_port()
        with pytest.raises(UnableToReadDatabase):
            await PushService(database=f"sqlite:///{tmp_path}/push.sqlite3").start(port)
        good = PushService()
        await good.start(port)
        await good.stop()

    run(scenario())


class Broken(Exception):
    """The error that a test makes a step of a start raise."""


def broken(*_, **__):
    raise Broken


# The steps of a start, in their order. Few of them fail by themselves on a healthy machine.
STEPS = [
    (Store, "__init__"),
    (Broker, "__init__"),
    (Store, "kept"),
    (Certificates, "make"),
    (McsServer, "__init__"),
    (BoundedHTTPServer, "add_socket"),
    (McsServer, "add_socket"),
    (PushService, "_application"),
    (PeriodicCallback, "start"),
]


@pytest.mark.parametrize(("owner", "step"), STEPS, ids=lambda value: getattr(value, "__name__", value))
def test_a_start_that_fails_at_any_step_leaves_nothing_and_can_be_repeated(
    run, tmp_path, monkeypatch, leaves_nothing, owner, step
):
    async def scenario():
        service = PushService(database=f"sqlite:///{tmp_path}/push.sqlite3")
        with leaves_nothing():
            with monkeypatch.context() as patch, pytest.raises(Broken):
                patch.setattr(owner, step, broken)
                await service.start()
            await service.stop()
            assert not list(tmp_path.glob("*-wal")), "the database is closed"
            await service.start()
            await service.stop()

    run(scenario())


@pytest.mark.parametrize("port", [70000, -1, "8030", 80.5, None])
def test_an_invalid_port_is_refused(run, leaves_nothing, port):
    with leaves_nothing(), pytest.raises(LabError, match="0 to 65535"):
        run(PushService().start(port))


@pytest.mark.parametrize("limit", [0, -1, "x", 1.5, None, True])
def test_an_invalid_message_limit_is_refused(limit):
    with pytest.raises(LabError, match="message_limit"):
        PushService(message_limit=limit)


def test_a_step_that_fails_while_it_stops_keeps_no_other_from_stopping(run, monkeypatch, leaves_nothing):
    async def scenario():
        with leaves_nothing():
            service = PushService()
            await service.start()
            with monkeypatch.context() as patch, pytest.raises(Broken):
                patch.setattr(Broker, "forget_connections", broken)
                await service.stop()
            await service.stop()

    run(scenario())


def test_it_listens_to_this_machine_alone(bench):
    async def scenario(bench):
        chromium = bench.service._chromium
        servers = (bench.service._server, chromium._web, chromium._mcs, bench.service._https._server)
        sockets = [s for server in servers for s in server._sockets.values()]
        assert {s.getsockname()[0] for s in sockets} <= {"127.0.0.1", "::1"}

    bench(scenario)


def test_stop_closes_everything_at_once(open_bench, run):
    async def scenario():
        async with open_bench() as bench:
            agent, stranger = await bench.user_agent(), await bench.stranger()
            idle = await asyncio.open_connection("127.0.0.1", bench.service.port)
            port = bench.service.port
            await bench.service.stop()
            assert await agent.hear() is None and await stranger.hear() is None
            assert agent.connection.close_code == 1001
            assert bench.events() == ["connect"]  # no user agent has disconnected
            assert await idle[0].read() == b""
            idle[1].close()
            await idle[1].wait_closed()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)

    run(scenario())


def test_stop_closes_the_database(run, tmp_path):
    async def scenario():
        service = PushService(database=f"sqlite:///{tmp_path}/push.sqlite3")
        await service.start()
        assert (tmp_path / "push.sqlite3-wal").exists()
        await service.stop()
        # SQLite takes its write-ahead log away when the last connection closes.
        assert [path.name for path in tmp_path.iterdir()] == ["push.sqlite3"]

    run(scenario())


def test_many_starts_and_stops_on_one_port(run):
    async def scenario():
        service, port = PushService(), free_port()
        for _ in range(11):
            await service.start(port)
            await service.stop()

    run(scenario())


def test_a_restart_serves_the_same_user_agents_on(open_bench, run, tmp_path, http):
    database = f"sqlite:///{tmp_path}/push.sqlite3"

    async def scenario():
        async with open_bench(database=database) as bench:
            agent, sender, subscription = await bench.subscribed()
            gone = await agent.subscribe(sender.key, channel="gone")
            await agent.say({"messageType": "unregister", "channelID": "gone"})
            await agent.hear()
            await sender.send(subscription, b"delivered, not acknowledged")
            seen = await agent.notification()
            await sender.send(subscription, b"acknowledged")
            await agent.ack(await agent.notification())
            await bench.away(agent)
            await sender.send(subscription, b"old", topic="x")
            await sender.send(subscription, b"new", topic="x")
            await sender.send(subscription, b"expires", ttl=10)
            clock, port = bench.clock, bench.service.port
        clock.now += 10
        async with open_bench(database=database, clock=clock, port=port) as bench:
            assert (await sender.send(subscription, b"after", topic="y")).code == 201
            again = await bench.user_agent(agent.uaid)
            assert again.uaid == agent.uaid
            notifications = [await again.notification() for _ in range(3)]
            assert notifications[0] == seen
            texts = [agent.read(n) for n in notifications]
            assert texts == [b"delivered, not acknowledged", b"new", b"after"]
            await again.ack(*notifications)
            await again.hears_nothing()
            assert (await sender.send(gone)).code == 410
            assert (await again.register(key=sender.key))["pushEndpoint"] == subscription.endpoint
            assert bench.queue() == 0

    run(scenario())


SERVER = """
import asyncio, sys
from pushlab.pushservice.app import PushService

async def serve():
    service = PushService(database=sys.argv[1], clock=lambda: 1_700_000_000.0)
    await service.start(int(sys.argv[2]))
    print(service.port, flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""


@pytest.mark.usefixtures("programs")
def test_a_kill_loses_nothing_that_was_answered_201(open_bench, run, tmp_path):
    database = f"sqlite:///{tmp_path}/push.sqlite3"

    async def scenario():
        port = free_port()
        async with open_bench(database=database, port=port) as bench:
            agent, sender, subscription = await bench.subscribed()
        command = [sys.executable, "-c", SERVER, database, str(port)]
        server = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE, text=True)
        with server:
            assert int(await asyncio.to_thread(server.stdout.readline)) == port
            accepted = []
            for number in range(30):
                text = f"message {number}".encode()
                if (await sender.send(subscription, text)).code == 201:
                    accepted.append(text)
            server.send_signal(signal.SIGKILL)
        assert len(accepted) == 30
        async with open_bench(database=database, port=port) as bench:
            again = await bench.user_agent(agent.uaid)
            for text in accepted:
                notification = await again.notification()
                assert agent.read(notification) == text
                await again.ack(notification)
            await again.hears_nothing()

    run(scenario())


def test_the_sweep_drops_expired_messages_of_absent_user_agents(bench, caplog):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await bench.away(agent)
        await sender.send(subscription, ttl=10)
        await sender.send(subscription, ttl=10)
        await sender.send(subscription, ttl=99)
        bench.clock.now += 10
        bench.service._sweep()
        assert bench.queue() == 1
        last = bench.journal.events()[-1]
        assert (last.what, last.who, dict(last.detail)) == ("drop message", "Virtual", {"messages": 2})
        # A database that fails is a warning, and the next sweep tries again.
        bench.clock.now += 99
        with bench.service._store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = 1")
            bench.service._sweep()
            assert bench.queue() == 1 and "expired messages stay" in caplog.text
            connection.exec_driver_sql("PRAGMA query_only = 0")
        bench.service._sweep()
        assert bench.queue() == 0

    bench(scenario)


def test_an_endpoint_given_up_long_ago_is_forgotten_and_is_404_and_not_410(
    open_bench, run, tmp_path, monkeypatch
):
    database = f"sqlite:///{tmp_path}/push.sqlite3"

    async def scenario():
        async with open_bench(database=database) as bench:
            agent, sender, kept = await bench.subscribed()
            ended = []
            for number in range(4):
                ended.append(await agent.subscribe(sender.key, channel=f"ended-{number}"))
                await agent.say({"messageType": "unregister", "channelID": f"ended-{number}"})
                await agent.hear()
            clock, port = bench.clock, bench.service.port
            assert [(await sender.send(one)).code for one in ended] == [410] * 4
        # A database of an earlier version may hold more than is remembered now.
        monkeypatch.setattr(mailbox, "MAX_GONE", 2)
        again = {"database": database, "clock": clock, "port": port}
        async with open_bench(**again) as bench:
            assert [(await sender.send(one)).code for one in ended] == [404, 404, 410, 410]
            agent = await bench.user_agent(agent.uaid)
            await agent.say({"messageType": "unregister", "channelID": "ended-1"})
            await agent.hear()  # It has ended already, which is fine.
            ended.append(await agent.subscribe(sender.key, channel="another"))
            await agent.say({"messageType": "unregister", "channelID": "another"})
            await agent.hear()
            assert [(await sender.send(one)).code for one in ended] == [404, 404, 404, 410, 410]
            assert (await sender.send(kept)).code == 201
        async with open_bench(**again) as bench:
            assert [(await sender.send(one)).code for one in ended] == [404, 404, 404, 410, 410]

    run(scenario())


def test_presence_holds_whether_each_user_agent_is_connected_and_what_waits(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        presence, endpoint = bench.service.presence, subscription.endpoint
        assert presence(endpoint) == (True, 0)
        await bench.away(agent)
        await sender.send(subscription)
        await sender.send(subscription)
        assert presence(endpoint) == (False, 2)
        assert presence(endpoint[:-1]) is None
        strangers = ["https://push.example.net", f"{bench.service.origin}0", "http://127.0.0.1"]
        elsewhere = [endpoint.replace(bench.service.origin, stranger) for stranger in strangers]
        assert [presence(one) for one in elsewhere] == [None] * 3

        told = len(bench.journal.events())
        url = f"{bench.service.origin}/presence"
        body = json.dumps({"endpoints": [*elsewhere, endpoint, "", "?"]})
        answer = json.loads((await http(HTTPRequest(url, "POST", body=body))).body)
        row = {"connected": False, "waiting": 2}
        assert answer == {"data": {"presence": [None, None, None, row, None, None]}}
        assert len(bench.journal.events()) == told, "no message of web push has passed"

    bench(scenario)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "malformed-json"),
        (b"[]", 400, "bad-field"),
        (b"{}", 400, "bad-field"),
        (b'{"endpoints": "x"}', 400, "bad-field"),
        (b'{"endpoints": [7]}', 400, "bad-field"),
        (json.dumps({"endpoints": ["x"] * (MAX_ENDPOINTS + 1)}).encode(), 400, "bad-field"),
        (b" " * (MAX_REQUEST + 1), 413, "request-too-large"),
    ],
)
def test_a_question_about_presence_that_is_none(bench, http, body, status, error):
    async def scenario(bench):
        answer = await http(HTTPRequest(f"{bench.service.origin}/presence", "POST", body=body))
        assert (answer.code, json.loads(answer.body)["error"]["id"]) == (status, error)

    bench(scenario)
