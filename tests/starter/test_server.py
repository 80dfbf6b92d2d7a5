"""The starter's server, over HTTP: whose subscription is whose, what it accepts, and its queue."""

import asyncio
import contextlib
import errno
import http.client
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections import deque
from typing import NamedTuple

import http_ece
import pytest
import requests
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from pushlab import base64url, p256
from pushlab.lab.loop import BackgroundLoop
from pushlab.protocol.examples import RFC8291
from pushlab.settings import patience

from .conftest import STARTER

KEYS = RFC8291.subscription.to_json()["keys"]


class PushServiceToOrder:
    """A push service that gives the answers of a list, then that of the path, or else 201."""

    def __init__(self):
        self.answers: deque[tuple[int, dict]] = deque()
        self.by_path: dict[str, tuple[int, dict]] = {}
        self.messages: list[tuple[str, dict]] = []
        self._news = threading.Condition()

    def take(self, handler) -> None:
        usual = self.by_path.get(handler.request.path, (201, {}))
        status, headers = self.answers.popleft() if self.answers else usual
        handler.set_status(status)
        for name, value in headers.items():
            handler.set_header(name, value)
        with self._news:
            self.messages.append((handler.request.path, dict(handler.request.headers)))
            self._news.notify_all()

    def wait(self, count: int) -> list[tuple[str, dict]]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.messages) >= count, patience(60))
            return list(self.messages)


class Take(RequestHandler):
    def initialize(self, service):
        self.service = service

    async def post(self):
        self.service.take(self)
        if self.request.path == "/endless":
            with contextlib.suppress(StreamClosedError):
                while True:  # a body that never ends
                    self.write(b" ")
                    await self.flush()
                    await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def origin_and_service():
    loop, service, port = BackgroundLoop(), PushServiceToOrder(), []

    async def serve():
        sockets = bind_sockets(0, "127.0.0.1")
        port.append(sockets[0].getsockname()[1])
        server = HTTPServer(Application([(".*", Take, {"service": service})]))
        server.add_sockets(sockets)
        return server

    server = loop.run(serve())
    yield f"http://127.0.0.1:{port[0]}", service
    loop.run(stop(server))
    loop.stop()


async def stop(server):
    server.stop()
    await server.close_all_connections()


@pytest.fixture
def service(origin_and_service):
    service = origin_and_service[1]
    service.messages.clear()
    service.by_path.clear()
    return service


@pytest.fixture(scope="module")
def server(make_server, origin_and_service):
    return make_server(TEST_PUSH_ORIGIN=origin_and_service[0])


@pytest.fixture
def device(origin_and_service):
    """Give a function that makes a subscription."""
    return lambda name: {"endpoint": f"{origin_and_service[0]}/{name}", "keys": KEYS}


def test_the_page_and_its_worker_are_served_and_nothing_else(server):
    for name in ("", "index.html", "app.js", "sw.js", "style.css", "manifest.webmanifest"):
        answer = requests.get(server.url + name, timeout=patience(10))
        assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    for name in ("server.py", "data/vapid.pem", "../server.py", "%2e%2e/server.py"):
        assert requests.get(server.url + name, timeout=patience(10)).status_code == 404
    assert (server.folder / "vapid.pem").stat().st_mode & 0o777 == 0o600


def test_who_is_logged_in(server, person):
    alice, stranger = person(server, "alice"), person(server, "alice")
    assert alice.get(server.url + "me").json()["user"] is None
    assert alice.say("login", {"name": "alice", "password": "short"}) == 400
    assert alice.say("login", {"name": "alice"}) == 400
    assert alice.log_in() == 200
    assert stranger.log_in("battery staple") == 403
    me = alice.get(server.url + "me").json()
    assert me["user"] == "alice" and base64url.decode(me["key"])[0] == 4
    cookie = next(iter(alice.cookies))
    assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") == "Lax"
    assert alice.say("logout") == 200
    alice.cookies.set_cookie(cookie)  # a thief has kept it
    assert alice.get(server.url + "me").json()["user"] is None


def test_every_route_wants_a_session_and_this_site(server, person, device):
    carol = person(server, "carol")
    routes = ("add-subscription", "remove-subscription", "notify-me")
    assert [carol.say(route, device("c")) for route in routes] == [401, 401, 401]
    carol.log_in()
    for origin in ("https://evil.example", "null", "", server.url.rstrip("/") + ".evil.example"):
        assert [carol.say(route, device("c"), Origin=origin) for route in routes] == [403, 403, 403]
    assert carol.say("add-subscription", [1]) == 400
    answer = carol.post(server.url + "add-subscription", data=b"\xff{")
    assert (answer.status_code, answer.json()) == (400, {"error": "The body is not a JSON object."})
    assert carol.say("notify-me") == 409
    assert carol.say("add-subscription", device("c")) == 201


def test_a_body_or_an_origin_of_a_stranger_makes_no_fault_of_the_server(server, person):
    mallory = person(server, "mallory")
    half = "\ud800"  # of a surrogate pair
    assert mallory.say("login", {"name": half, "password": "correct horse"}) == 400
    assert mallory.say("login", {"name": "mallory", "password": half * 8}) == 400
    assert mallory.log_in() == 200
    for body in ({"endpoint": half}, {half: 1}, {"endpoint": [{"x": half}]}):
        assert mallory.say("remove-subscription", body) == 400
    for depth in (200, 900, 980, 1000, 7000):
        body = b'{"endpoint": %s%s}' % (b"[" * depth, b"]" * depth)
        answer = mallory.post(server.url + "remove-subscription", data=body)
        assert answer.status_code in (200, 400), depth
    assert mallory.post(server.url + "login", data=b"[" * 16_000).status_code == 400
    for origin in ("http://[", "http://[::1", "https://[x]"):
        assert mallory.say("notify-me", Origin=origin) == 403


def test_what_is_no_subscription_is_refused(server, person, device):
    dave = person(server, "dave")
    dave.log_in()
    endpoints = [None, 7, "", "/push", "http://push.example/1", "https://push.example:8443/1"]
    endpoints += ["https://a@push.example/1", "https://push.example:x/1", "https://push.example/ 1"]
    endpoints += ["https:///1", "http://127.0.0.1:1/1", "https://push.example/" + "a" * 2048]
    for endpoint in endpoints:
        assert dave.say("add-subscription", {"endpoint": endpoint, "keys": KEYS}) == 400, endpoint
    broken = [None, [], {}, {"p256dh": KEYS["p256dh"]}, {"p256dh": KEYS["auth"], "auth": KEYS["p256dh"]}]
    broken += [KEYS | {"auth": KEYS["auth"][:-2]}, KEYS | {"auth": 7}, KEYS | {"p256dh": "ü"}]
    broken += [KEYS | {"p256dh": base64url.encode(b"\4" + bytes(64))}]
    for keys in broken:
        assert dave.say("add-subscription", device("d") | {"keys": keys}) == 400, keys
    assert dave.say("add-subscription", device("d")) == 201
    assert dave.say("add-subscription", device("d")) == 200


def test_a_message_goes_to_each_of_a_person_s_devices_and_to_nobody_else(
    server, person, device, service
):
    devices = {}
    for name, browser in (("erin", "laptop"), ("erin", "phone"), ("frank", "desk")):
        devices[browser] = someone = person(server, name)
        assert someone.log_in() == 200
        assert someone.say("add-subscription", device(browser)) == 201
    laptop = devices["laptop"]
    answer = laptop.post(server.url + "notify-me", json={})
    assert (answer.status_code, answer.json()) == (202, {"queued": 2})
    told = service.wait(2)
    assert {path for path, _ in told} == {"/laptop", "/phone"}
    headers = told[0][1]
    assert headers["Content-Encoding"] == "aes128gcm" and 86390 <= int(headers["Ttl"]) <= 86400
    assert headers["Authorization"].startswith("vapid t=")
    # Nobody takes away what is another's, and an endpoint alone is not enough to take it over.
    assert devices["desk"].say("remove-subscription", device("laptop")) == 200
    other = base64url.encode(p256.raw_public(p256.load_private(bytes(range(32)))))
    thief = device("laptop") | {"keys": KEYS | {"p256dh": other}}
    assert devices["desk"].say("add-subscription", thief) == 409
    assert laptop.post(server.url + "notify-me", json={}).json() == {"queued": 2}
    service.wait(4)
    # A device that has a new endpoint loses the old one, and what still waits for that.
    assert laptop.say("add-subscription", device("laptop-2")) == 201
    assert laptop.post(server.url + "notify-me", json={}).json() == {"queued": 2}
    assert {path for path, _ in service.wait(6)[4:]} == {"/laptop-2", "/phone"}


def test_two_people_share_one_browser(server, person, device, service):
    shared, phone = person(server, "grace"), person(server, "grace")
    for someone, name in ((shared, "shared"), (phone, "grace-phone")):
        someone.log_in()
        someone.say("add-subscription", device(name))
    shared.name = "heidi"  # logs in without a log-out before it
    assert shared.log_in() == 200
    assert phone.post(server.url + "notify-me", json={}).json() == {"queued": 1}
    assert shared.say("notify-me") == 409
    assert shared.say("add-subscription", device("shared")) == 201
    assert shared.say("logout") == 200
    assert [path for path, _ in service.wait(1)] == ["/grace-phone"]
    # The session's cookie is lost, and the browser's subscription comes with the next person.
    shared.log_in()
    shared.say("add-subscription", device("shared"))
    shared.cookies.clear()
    shared.name = "ivan"
    shared.log_in()
    assert shared.say("add-subscription", device("shared")) == 200
    heidi = person(server, "heidi")
    heidi.log_in()
    assert heidi.say("notify-me") == 409


def test_the_queue_retries_prunes_and_survives_a_restart(server, person, device, service):
    judy = person(server, "judy")
    judy.log_in()
    judy.say("add-subscription", device("judy"))
    service.answers.extend([(429, {"Retry-After": "2"}), (503, {}), (201, {})])
    judy.say("notify-me")
    ttls = [int(headers["Ttl"]) for _, headers in service.wait(3)]
    assert ttls[0] > ttls[1] >= ttls[2], "what is left of the time to live"
    server.wait_for(r"push 127\.0\.0\.1: 429, again in [012] s")
    service.answers.append((403, {}))
    judy.say("notify-me")
    server.wait_for(r"127\.0\.0\.1: 403: look at our key")
    assert judy.say("notify-me") == 202, "a 403 removes nothing"
    service.wait(5)
    service.answers.append((503, {"Retry-After": "3"}))
    judy.say("notify-me")
    server.wait_for("503, again in 2 s|503, again in 3 s")
    server.restart()
    assert judy.get(server.url + "me").json()["user"] == "judy"
    service.wait(7)
    service.answers.append((410, {}))
    judy.say("notify-me")
    server.wait_for("410, subscription removed")
    assert judy.say("notify-me") == 409
    assert judy.say("add-subscription", device("judy")) == 410, "the browser may not know, and we do"
    assert judy.say("add-subscription", device("judy-2")) == 201
    assert not [line for line in server.lines if "/judy" in line], "an endpoint is a secret"


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """server.py, imported."""
    spec = importlib.util.spec_from_file_location("starter_server", STARTER / "server.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def push(module, tmp_path, monkeypatch):
    """The queue of a server, in this process."""
    monkeypatch.setattr(module, "DATA", tmp_path)
    push = module.Push()
    push.requests.trust_env = False
    yield push
    push.threads.shutdown()
    push.requests.close()
    push.database.close()


def queue(push, *endpoints: str) -> None:
    """Queue a message to each. What is new is the subscription of a user of the same name."""
    for endpoint in endpoints:
        session = endpoint.encode()
        for insert in (
            ("INSERT OR IGNORE INTO users VALUES (?, '', '')", (endpoint,)),
            ("INSERT OR IGNORE INTO sessions VALUES (?, ?, 1e12)", (session, endpoint)),
            ("INSERT OR IGNORE INTO subscriptions VALUES (?, ?, ?, ?, 0)",
             (endpoint, KEYS["p256dh"], KEYS["auth"], session)),
        ):  # fmt: skip
            push.database.execute(*insert)
        assert push.notify(endpoint, "Hello", "This is a test.") == 1


def sent(push, service) -> list[str]:
    """Send until nothing is left that may be sent now. Return the paths that were asked."""

    async def rounds():
        while messages := push.next_messages():
            push.sending |= {message["id"]: message["host"] for message in messages}
            await asyncio.gather(*map(push.attempt, messages))

    service.messages.clear()
    asyncio.run(rounds())
    return sorted(path for path, _ in service.messages)


@pytest.mark.parametrize("host", ["[2606:4700::1111]", "push.example:"])
def test_what_cannot_be_signed_ends_and_the_others_are_sent_to(
    push, caplog, origin_and_service, service, host
):
    """py_vapid signs for no host of this form, and says so with an exception of its own."""
    queue(push, f"https://{host}/secret", f"{origin_and_service[0]}/other")
    assert sent(push, service) == ["/other"]
    assert push.database.execute("SELECT * FROM messages").fetchall() == [], "not tried again"
    assert "it cannot be encrypted or signed" in caplog.text and "secret" not in caplog.text


@pytest.mark.parametrize("error", [RuntimeError, RecursionError, http_ece.ECEException, MemoryError])
def test_whatever_one_message_raises_the_others_are_sent(
    module, push, monkeypatch, origin_and_service, service, error
):
    webpush = module.webpush

    def raising(subscription, *values, **options):
        if subscription["endpoint"].endswith("/bad"):
            raise error("a secret")
        return webpush(subscription, *values, **options)

    monkeypatch.setattr(module, "webpush", raising)
    queue(push, *(f"{origin_and_service[0]}/{name}" for name in ("bad", "other")))
    assert sent(push, service) == ["/other"]
    [bad] = push.database.execute("SELECT * FROM messages").fetchall()
    assert bad["attempts"] == 1 and bad["due"] > bad["expires"] - module.TTL, "later, for its TTL"


def test_a_stranger_s_subscription_does_not_end_the_server(server, person, device, service):
    mallory, ada = person(server, "mallory"), person(server, "ada")
    for someone in (mallory, ada):
        someone.log_in()
    endpoint = {"endpoint": "https://[2606:4700::1111]/x"}
    assert mallory.say("add-subscription", device("m") | endpoint) == 201
    assert ada.say("add-subscription", device("ada")) == 201
    server.lines.clear()
    assert mallory.say("notify-me") == 202
    server.wait_for("cannot be encrypted or signed|VapidException")
    assert ada.say("notify-me") == 202
    assert [path for path, _ in service.wait(1)] == ["/ada"]


@pytest.mark.parametrize("subject", ["", "you@your.site", "https://your.site/contact"])
def test_a_contact_that_cannot_be_signed_is_refused_at_the_start(tmp_path, programs, subject):
    program = subprocess.run(
        [sys.executable, "server.py"],
        cwd=STARTER,
        env=os.environ | {"DATA": str(tmp_path), "PORT": "0", "VAPID_SUBJECT": subject},
        capture_output=True,
        text=True,
        timeout=patience(60),
    )
    assert program.returncode == 1 and program.stderr.count("\n") == 1, program.stderr
    assert repr(subject) in program.stderr
    assert "Write mailto:you@your.site, or https://your.site with" in program.stderr


@pytest.mark.parametrize(
    "subject", ["mailto:push@example.com", "mailto:you@your.site", "https://your.site"]
)
def test_the_contacts_that_its_sentence_names_can_be_signed(
    module, push, monkeypatch, origin_and_service, service, subject
):
    monkeypatch.setattr(module, "SUBJECT", subject)
    module.check_subject(push.vapid)
    queue(push, f"{origin_and_service[0]}/contact")
    assert sent(push, service) == ["/contact"]


YEAR = {"Retry-After": "31536000"}


def test_429_holds_back_its_own_subscription(module, push, origin_and_service, service):
    first, second = (f"{origin_and_service[0]}/{name}" for name in ("first", "second"))
    service.by_path["/first"] = (429, {"Retry-After": "80000"})
    queue(push, first, second)
    assert sent(push, service) == ["/first", "/second"]
    queue(push, first, second)
    assert sent(push, service) == ["/second"]
    push.database.execute("UPDATE pauses SET until = until - ?", (module.LONGEST_PAUSE,))
    assert sent(push, service) == ["/first"], "the later message, which the pause has held back"


def test_the_number_of_a_removed_message_is_not_given_to_the_next(push, origin_and_service):
    """The late answer about the removed one would delete the next one, unsent."""
    endpoint = f"{origin_and_service[0]}/slow"
    queue(push, endpoint)
    [under_way] = push.next_messages()
    push.database.execute("DELETE FROM subscriptions")
    queue(push, endpoint)
    push.finish(under_way, 201)
    assert len(push.next_messages()) == 1


def test_what_windows_has_dropped_is_sent_again(push, module, origin_and_service, service, monkeypatch):
    """Its 406 says that there were too many messages."""
    monkeypatch.setattr(module.random, "uniform", lambda low, high: 3600.0)  # not due by itself here
    service.answers.append((406, {}))
    queue(push, f"{origin_and_service[0]}/windows")
    assert sent(push, service) == ["/windows"]
    push.database.execute("UPDATE messages SET due = 0")
    assert sent(push, service) == ["/windows"]
    assert sent(push, service) == [], "the second attempt was accepted"


def test_503_holds_back_all_of_its_push_service_but_not_for_a_year(
    module, push, origin_and_service, service
):
    first, second = (f"{origin_and_service[0]}/{name}" for name in ("first", "second"))
    service.answers.append((503, YEAR))
    queue(push, first)
    assert sent(push, service) == ["/first"]
    queue(push, second)
    assert sent(push, service) == []
    push.database.execute("UPDATE pauses SET until = until - ?", (module.LONGEST_PAUSE,))
    assert sent(push, service) == ["/second"]


def test_429_to_many_and_nothing_accepted_holds_back_all(module, push, origin_and_service, service):
    many = [f"{origin_and_service[0]}/{number}" for number in range(module.CONFIRMED)]
    other = f"{origin_and_service[0]}/other"
    service.by_path = {f"/{number}": (429, YEAR) for number in range(module.CONFIRMED)}
    queue(push, *many[:-1])
    assert len(sent(push, service)) == module.CONFIRMED - 1
    queue(push, other)
    assert sent(push, service) == ["/other"], "too few, so it is about each of them"
    queue(push, many[-1], other)
    assert sent(push, service) == [f"/{module.CONFIRMED - 1}", "/other"], (
        "the success has ended the count"
    )
    push.database.execute("DELETE FROM pauses")
    queue(push, *many)
    assert len(sent(push, service)) == module.CONFIRMED
    queue(push, other)
    assert sent(push, service) == []


def test_a_push_service_that_never_answers_leaves_places_for_the_others(
    module, push, monkeypatch, origin_and_service, service
):
    monkeypatch.setattr(module, "ANSWER_SECONDS", patience(600))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = f"http://localhost:{silent.getsockname()[1]}"
        queue(push, *(f"{slow}/{number}" for number in range(module.AT_ONCE)))
        queue(push, f"{origin_and_service[0]}/other")

        async def scenario():
            sending = asyncio.create_task(push.run())
            # It waits in a thread of the loop's own, as a log-in does.
            told = await asyncio.to_thread(service.wait, 1)
            assert [path for path, _ in told] == ["/other"]
            assert list(push.sending.values()).count("localhost") == module.AT_ONE_HOST
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending

        asyncio.run(scenario())


def test_sending_ends_when_it_is_told_to_even_as_news_arrive(push):
    async def is_cancelled(steps: int) -> bool:
        sending = asyncio.create_task(push.run())
        for _ in range(5):
            await asyncio.sleep(0)  # it waits for news
        push.news.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        sending.cancel()
        await asyncio.wait([sending], timeout=patience(5))
        return sending.cancelled()

    async def scenario():
        return [await is_cancelled(steps) for steps in range(5)]

    assert asyncio.run(scenario()) == [True] * 5


def test_no_connection_leads_into_this_network_and_none_is_redirected(
    module, origin_and_service, service
):
    with module.open_session() as session, socket.socket() as inside:
        session.trust_env = False
        inside.bind(("127.0.0.1", 0))
        inside.listen()
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            with pytest.raises(requests.ConnectionError, match="no public address"):
                session.post(f"https://{host}:{inside.getsockname()[1]}/", timeout=patience(10))
        service.answers.append((307, {"Location": "http://127.0.0.1:9/"}))
        assert session.post(origin_and_service[0] + "/away", timeout=patience(10)).status_code == 307


class Connected(NamedTuple):
    """A connection, as far as its peer's address is asked for."""

    address: str

    def getpeername(self):
        return self.address, 443

    def close(self):
        pass


def test_no_address_leads_into_this_network(module, monkeypatch):
    """An IPv4 address may stand in an IPv6 address, and a translator or a tunnel leads there."""
    connection = module.PublicConnection("push.example")

    def connect(address: str) -> Connected:
        monkeypatch.setattr(module.HTTPSConnection, "_new_conn", lambda self: Connected(address))
        return connection._new_conn()

    for address in (
        "8.8.8.8", "2a00:1450:4001:82a::1", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8",
    ):  # fmt: skip
        assert connect(address) == Connected(address)
    for address in (
        "10.0.0.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "::", "fe80::1", "fe80::1%1",
        "fd00::1", "fec0::1", "ff02::1", "64:ff9b::a00:1", "64:ff9b::169.254.169.254",
        "64:ff9b:1::10.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1", "2002:a00:1::", "2001:0:a00:1::",
    ):  # fmt: skip
        with pytest.raises(OSError, match="no public address"):
            connect(address)


def test_a_password_of_netrc_does_not_take_the_token_s_place(
    module, monkeypatch, tmp_path, origin_and_service, service, push
):
    (tmp_path / "netrc").write_text("default login ada password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in [name for name in os.environ if "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    push.requests.trust_env = True
    queue(push, f"{origin_and_service[0]}/mine")
    assert sent(push, service) == ["/mine"]
    assert service.messages[0][1]["Authorization"].startswith("vapid t=")


def test_a_body_that_never_ends_keeps_nobody_waiting(server, person, device, service):
    mallory = person(server, "mallory")
    mallory.log_in()
    mallory.say("add-subscription", device("endless"))
    server.lines.clear()
    for status in (201, 403):  # of a refusal, the library reads the body
        service.answers.append((status, {}))
        assert mallory.say("notify-me") == 202
        server.wait_for(f": {status}")


def test_headers_that_never_end_end_the_connection(module, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = module.PublicConnection("127.0.0.1", timeout=patience(10))
        connection.sock = socket.create_connection(listener.getsockname())
        with listener.accept()[0] as peer, contextlib.closing(connection):
            stop = threading.Event()
            drip = threading.Thread(target=drip_headers, args=(peer, stop))
            drip.start()
            connection.request("POST", "/")
            # What has come until then counts: a status, if it is whole.
            with contextlib.suppress(http.client.HTTPException, OSError):
                assert connection.getresponse().status == 201
            drip.join(patience(10))
            still_read = drip.is_alive()
            stop.set()
            assert not still_read


def drip_headers(peer: socket.socket, stop: threading.Event) -> None:
    """Write a header that has no end, as long as somebody reads it."""
    with contextlib.suppress(OSError):
        peer.sendall(b"HTTP/1.1 201 Created\r\nX: ")
        while not stop.wait(0.02):
            peer.sendall(b"x")


def test_retry_after_is_seconds_or_a_date(module):
    assert module.retry_after("120") == module.retry_after(" 120 ") == 120
    assert module.retry_after("Fri, 01 Jan 2100 00:00:00 GMT") > 1e9
    assert module.retry_after("") == module.retry_after("soon") == module.retry_after("²") == 0
    assert module.retry_after("Fri, 01 Jan 0001 00:00:00 +2359") <= 0


def test_a_date_that_windows_cannot_count_asks_for_no_pause(module, monkeypatch):
    class Before1970:
        def timestamp(self):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(module.email.utils, "parsedate_to_datetime", lambda text: Before1970())
    assert module.retry_after("Fri, 01 Jan 1960 00:00:00 -0000") == 0


def test_the_starter_needs_nothing_of_the_lab():
    text = "".join(path.read_text("utf-8") for path in STARTER.iterdir() if path.is_file())
    assert not re.search(r"pushlab", text)
    assert json.loads((STARTER / "manifest.webmanifest").read_text("utf-8"))["display"] == "standalone"
