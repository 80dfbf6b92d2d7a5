"""Which requests are accepted: each fault alone, on every route, and a request that passes."""

import asyncio
import socket

import pytest

from pushlab.appserver.web.guard import Guard, check_json
from pushlab.appserver.web.guesses import BURST
from pushlab.errors import CrossOrigin, InstructorOnly, NotJson, PushlabError, WrongHost
from pushlab.settings import patience

from ...run.ports import free_port

TOKEN = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
POSTS = ["add-subscription", "remove-subscription", "notify-me", "notify-all", "report"]
GETS = ["", "vapid", "health", "events", "page.js", "sw.js"]
ELSEWHERE = ["nothing", "a/b/c"]


def verdict(host="127.0.0.1", method="POST", **headers: str) -> type[PushlabError] | None:
    """Return the error with which a request is refused, or None. Header names have _ for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        Guard(host).check(method, {"Host": "127.0.0.1:8292"} | named)
    except PushlabError as error:
        return type(error)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8292", "127.0.0.1", "localhost:8292", "LOCALHOST:8292", "[::1]:8292",
        "10.77.0.1:8292",  # where it listens
        "127.0.0.1:8888", "localhost:8888",  # JupyterLab's, passed on by jupyter-server-proxy
    ],
)  # fmt: skip
def test_hosts_of_ours(host):
    assert verdict("10.77.0.1", "GET", Host=host) is None


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "evil.example:8292", "127.0.0.1.evil.example:8292", "localhost.evil:8292",
        "127.0.0.1@evil.example", "localhost:8292.evil", "localhost:8292:1", "localhost:", "evil\u00e9",
        "10.77.0.2:8292", "0.0.0.0:8292", "169.254.169.254", "[::]:8292", "[::1", "::1", "127.1", " ",
        "localhost/evil", "2130706433", "x" * 5000,
    ],
)  # fmt: skip
def test_hosts_of_others(host):
    assert verdict("10.77.0.1", "GET", Host=host) is WrongHost
    assert verdict("10.77.0.1", "POST", Host=host, Origin=f"http://{host}") is WrongHost
    # Only over TLS would a browser send this with such a name, and TLS has checked the name.
    assert verdict("10.77.0.1", "GET", Host=host, Sec_Fetch_Site="none") is None


@pytest.mark.parametrize(
    "headers",
    [
        {},  # no browser
        {"Origin": "http://127.0.0.1:8292"},
        {"Origin": "http://127.0.0.1", "Host": "127.0.0.1:80"},
        {"Origin": "https://127.0.0.1:443", "Host": "127.0.0.1"},
        {"Origin": "http://LOCALHOST:8292", "Host": "localhost:8292"},
        {"Origin": "http://[::1]:8292", "Host": "[::1]:8292"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "http://127.0.0.1:8292"},
        {"Sec_Fetch_Site": "none"},
        # A JupyterHub's proxy passes on the public names, or the Origin alone.
        {"Sec_Fetch_Site": "same-origin", "Origin": "https://hub.example", "Host": "hub.example"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "https://hub.example"},
    ],
)
def test_posts_of_our_own_page_and_of_programs(headers):
    assert verdict(**headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "127.0.0.1:8292"},
        {"Origin": "http://127.0.0.1:8888"},  # another server of this machine
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://localhost:8292"},
        {"Origin": "http://127.0.0.1:8292.evil.example"},
        {"Origin": "http://127.0.0.1:8292/"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "something new"},
        {"Sec_Fetch_Site": ""},
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://127.0.0.1:8292"},
    ],
)
def test_posts_of_other_pages(headers):
    assert verdict(**headers) is CrossOrigin
    assert verdict(method="PUT", **headers) is verdict(method="BREW", **headers) is CrossOrigin
    assert verdict(method="GET", **headers) is verdict(method="OPTIONS", **headers) is None


@pytest.mark.parametrize(
    "good",
    [
        "application/json", "Application/JSON", "application/json; charset=utf-8", " application/json ",
        'application/json;charset="UTF-8"', "application/json ; charset=utf-8 ",
    ],
)  # fmt: skip
def test_types_that_are_json(good):
    check_json(good)


@pytest.mark.parametrize(
    "bad",
    [
        "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "text/plain; application/json", "text/plain, application/json", "application/json, text/plain",
        "application/json; charset=utf-16", "application/json; boundary=x", "application/jsonp",
        "application/ld+json", "xapplication/json", "text/plain;application/json", "json",
    ],
)  # fmt: skip
def test_types_that_are_not_json(bad):
    with pytest.raises(NotJson):
        check_json(bad)


@pytest.mark.parametrize(
    "given, passes",
    [
        ((f"Bearer {TOKEN}",), True),
        ((f"bearer  {TOKEN} ",), True),
        (("", TOKEN), True),
        (("",), False),
        ((TOKEN,), False),
        ((f"Basic {TOKEN}",), False),
        ((f"Bearer {TOKEN[:-1]}",), False),
        ((f"Bearer {TOKEN}x",), False),
        ((f"Bearer {TOKEN.lower()}",), False),
        (("Bearer ",), False),
        (("", "ü"), False),
        ((f"Bearer x, Bearer {TOKEN}",), False),
    ],
)
def test_the_instructors_token(given, passes):
    guard = Guard("10.77.0.1", TOKEN)
    Guard("127.0.0.1").check_instructor(*given)
    if passes:
        guard.check_instructor(*given)
    else:
        with pytest.raises(InstructorOnly) as caught:
            guard.check_instructor(*given)
        assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(guard)


def test_an_empty_token_is_a_token():
    with pytest.raises(InstructorOnly):
        Guard("10.77.0.1", "x").check_instructor("", "")


def test_what_a_refusal_shows_is_short_and_printable():
    with pytest.raises(WrongHost) as caught:
        Guard("127.0.0.1").check("GET", {"Host": "\x1b[31m\u202e" + "x" * 5000})
    assert caught.value.detail.isprintable() and len(caught.value.detail) < 120


# --- the guard stands before every route --------------------------------------------------------


@pytest.fixture
def answers(run, serving, subscriber, fetch):
    """Ask a server with one subscription, and see that it stays; return the answers by route."""

    def asking(routes, body=None, method=None, options=None, **headers):
        async def whole():
            async with serving(**(options or {})) as server:
                someone = subscriber("https://push.example.net/one").subscription
                server.subscribe(someone, "Firefox")
                before = len(server.journal.events())
                got = {r: await fetch(server.url + r, body, method, **headers) for r in routes}
                assert server.store.count() == 1
                assert not any("evil" in str(e.to_json()) for e in server.journal.events()[before:])
                return got

        return run(whole())

    return asking


def test_every_route_refuses_a_host_of_others(answers):
    for routes, body in ((GETS + ELSEWHERE, None), (POSTS + ELSEWHERE, {"endpoint": "x"})):
        got = answers(routes, body, Host="evil.example")
        assert {reply.error for reply in got.values()} == {(421, "wrong-host")}
        assert all("default-src" in reply.headers["Content-Security-Policy"] for reply in got.values())
        for origin in (None, "http://localhost:1"):
            headers = {"Host": "localhost:1"} | ({"Origin": origin} if origin else {})
            there = answers([r for r in routes if r != "events"], body, **headers)
            assert not {reply.status for reply in there.values()} & {403, 421}


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://{own}/vapid", "evil.example", 200),  # RFC 9112 §3.2.2: the header is ignored
        ("http://evil.example/vapid", "{own}", 421),
        ("http://me@{own}/vapid", "{own}", 400),  # RFC 9110 §4.2.4
        ("https://{own}/vapid", "{own}", 404),
        ("/vapid", "{own}", 200),
    ],
)
def test_the_host_of_a_target_that_is_a_url_counts(run, serving, target, host, status):
    async def scenario():
        async with serving() as server:
            own = f"127.0.0.1:{server.port}"
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            writer.write(head.format(own=own).encode())
            answer = await reader.read()
            writer.close()
            return int(answer.split()[1])

    assert run(scenario()) == status


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_host_of_others_is_refused_whatever_the_method(answers, method):
    body = {} if method in ("POST", "PUT", "PATCH") else None
    got = answers(GETS + POSTS + ELSEWHERE, body, method, Host="evil.example")
    assert {reply.status for reply in got.values()} == {421}
    too_long = answers(["notify-all"], b"{}", "POST", Host="evil.example", Content_Length="9" * 12)
    assert too_long["notify-all"].error == (421, "wrong-host"), "and whatever the body"


@pytest.mark.parametrize("route", POSTS)
def test_every_post_refuses_other_pages_and_other_types(answers, route):
    body = {"endpoint": "https://push.example.net/one", "event": "x", "notification": {"title": 1}}
    body |= {"keys": 1} if route == "add-subscription" else {}

    def error(**headers):
        reply = answers([route], body, **headers)[route]
        return reply.error if reply.status >= 400 else reply.status

    assert error(Origin="https://evil.example") == (403, "cross-origin")
    assert error(Sec_Fetch_Site="cross-site") == (403, "cross-origin")
    assert error(Sec_Fetch_Site="same-site") == (403, "cross-origin")
    assert error(Content_Type="text/plain") == (415, "not-json")
    assert error(Content_Type="application/x-www-form-urlencoded") == (415, "not-json")
    # Beside each of them: the same body, and the route itself has its say.
    if route != "remove-subscription":
        own = error(Sec_Fetch_Site="same-origin", Origin="https://hub.example")
        assert own == 204 or own[1] in ("no-keys", "bad-field", "unknown-subscription")


def test_a_preflight_is_given_no_permission(answers):
    asked = {
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "content-type",
    }
    got = answers(POSTS, method="OPTIONS", Origin="https://evil.example", **asked)
    for reply in got.values():
        assert reply.error == (405, "method-not-allowed")
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]
    [read] = answers(["vapid"], Origin="https://evil.example").values()
    assert not [name for name in read.headers if name.lower().startswith("access-control")]


def test_which_routes_need_the_instructors_token(answers):
    room = {"instructor_token": TOKEN}
    closed = answers(["notify-all"], {}, options=room) | answers(["events"], options=room)
    for reply in closed.values():
        assert reply.error == (401, "instructor-only")
        assert reply.headers["WWW-Authenticate"] == 'Bearer realm="pushlab"'
        assert TOKEN.encode() not in reply.body
    assert answers([f"notify-all?access_token={TOKEN}"], {}, options=room).popitem()[1].status == 401
    wrong = answers(["notify-all"], {}, options=room, Authorization="Bearer wrong")["notify-all"]
    assert wrong.error == (401, "instructor-only")
    assert wrong.headers["WWW-Authenticate"].endswith(', error="invalid_token"')  # RFC 6750 §3.1
    bad = answers(["notify-all"], {"notification": 1}, options=room, Authorization=f"Bearer {TOKEN}")
    assert bad["notify-all"].error == (400, "bad-field")
    free = answers(["", "vapid", "health", "page.js"], options=room)
    assert {reply.status for reply in free.values()} == {200}
    me = answers(["notify-me"], {"endpoint": "https://push.example.net/two"}, options=room)
    assert me["notify-me"].error == (404, "unknown-subscription")
    without = answers(["notify-all"], {"notification": 1})["notify-all"]
    assert without.error == (400, "bad-field")


@pytest.mark.usefixtures("clock_of_guesses_stands")
def test_a_token_is_not_guessed(run, serving, fetch, caplog):
    async def scenario():
        async with serving(instructor_token=TOKEN) as server:
            events = server.url + "events"

            async def statuses(count, **headers):
                return [(await fetch(events, **headers)).status for _ in range(count)]

            assert await statuses(BURST) == [401] * BURST, "without a token nobody guesses"
            assert await statuses(BURST, Authorization="Bearer wrong") == [401] * BURST
            late = await fetch(events + f"?access_token={TOKEN}")
            assert late.error == (429, "too-many-guesses")
            assert late.headers["Retry-After"] == "1"
            assert await statuses(3, Authorization="Bearer wrong") == [429] * 3
            assert (await fetch(server.url + "vapid")).status == 200
            assert (await fetch(events)).status == 401, "this is no guess, and is told so"
            told = [event.to_json() for event in server.journal.events()]
            return [one["detail"] for one in told if one["what"].startswith("guesses")]

    assert run(scenario()) == [{"address": "127.0.0.1", "wrong": BURST}]
    assert caplog.text.count("wrong instructor's tokens from 127.0.0.1") == 1
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("form", ["header", "query"])
def test_the_instructor_reads_the_events(run, serving, form):
    async def scenario():
        async with serving(instructor_token=TOKEN) as server:
            path = f"/events?access_token={TOKEN}" if form == "query" else "/events"
            given = f"Authorization: Bearer {TOKEN}\r\n" if form == "header" else ""
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{given}\r\n".encode())
            assert b"200 OK" in await reader.readline()
            writer.close()
            assert not any(TOKEN in str(e.to_json()) for e in server.journal.events())

    run(scenario())


def test_a_body_is_read_to_its_end_before_a_refusal_is_lost(run, serving, fetch):
    async def scenario():
        async with serving() as server:
            long = b'{"a": "' + b"x" * 5_000_000 + b'"}'
            reply = await fetch(server.url + "notify-all", long, Origin="https://evil.example")
            return reply.error

    assert run(scenario()) == (403, "cross-origin")


def test_the_address_that_the_server_listens_at_is_an_accepted_host(run, serving, fetch, keys):
    """A room's server listens at one address of its machine; 127.0.0.2 stands for it here."""
    from pushlab.appserver.app import ApplicationServer

    async def scenario():
        server = ApplicationServer(keys=keys)
        await server.start(free_port(), host="127.0.0.2")
        try:
            assert server.url == f"http://127.0.0.2:{server.port}/"
            own = await fetch(server.url + "health")
            other = await fetch(server.url + "health", Host=f"127.0.0.3:{server.port}")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", server.port), timeout=patience(60))
            return own.status, other.error
        finally:
            await server.stop()

    assert run(scenario()) == (200, (421, "wrong-host"))
