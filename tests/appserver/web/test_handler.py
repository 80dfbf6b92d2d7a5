"""Bad input: every path, every fault, always JSON with the right status, and nothing lost."""

import asyncio
import gzip
import json
import logging
import sqlite3
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from pushlab.appserver import store as store_module
from pushlab.appserver.web import routes
from pushlab.appserver.web.handler import MAX_REQUEST
from pushlab.server.http import DRAIN_LIMIT

POSTS = ["add-subscription", "remove-subscription", "notify-me", "notify-all", "report"]
GETS = ["", "vapid", "health", "events", "page.js"]

MALFORMED = {
    "nothing": b"",
    "words": b"hello",
    "cut short": b'{"endpoint": "https://',
    "two values": b"{} {}",
    "a comment": b"{} // yes",
    "single quotes": b"{'a': 1}",
    "a comma too many": b'{"a": 1,}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a float out of range": b'{"a": 1e999}',
    "an int of 101 digits": b'{"a": ' + b"9" * 101 + b"}",
    "an int of 5000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "a name twice": b'{"endpoint": "a", "endpoint": "b"}',
    "a name twice, deep": b'{"a": [{"b": 1, "b": 2}]}',
    "half a surrogate pair": b'{"event": "\\ud800"}',
    "half a surrogate pair as a name": b'{"\\udfff": 1}',
    "not utf-8": b'{"event": "\xff"}',
    "utf-16": '{"event": "x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"event": "x"}',
    "a raw line break in a text": b'{"event": "a\nb"}',
    "lists nested deeply": b"[" * 30_000 + b"]" * 30_000,
    "objects nested deeply": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "a form": b"event=x&detail=y",
    "gzip": gzip.compress(b"{}"),
}
NO_OBJECT = [b"[]", b"null", b"7", b'"text"', b"true", b'[{"endpoint": "a"}]']


@pytest.fixture(scope="module")
def kept(run_in_one_loop, serving, subscriber):
    """Run a scenario on a server with one subscription, and see that it stays, unchanged.

    All scenarios share a server, but for those that ask for options.
    """

    @asynccontextmanager
    async def with_one(**options):
        async with serving(**options) as server:
            server.subscribe(subscriber("https://push.example.net/one").subscription, "Firefox")
            yield server

    async def unchanged(server, scenario):
        before = list(server.store.all())
        result = await scenario(server)
        assert list(server.store.all()) == before
        return result

    async def alone(scenario, options):
        async with with_one(**options) as server:
            return await unchanged(server, scenario)

    stack = AsyncExitStack()
    shared = run_in_one_loop(stack.enter_async_context(with_one()))
    yield lambda scenario, **options: run_in_one_loop(
        alone(scenario, options) if options else unchanged(shared, scenario)
    )
    run_in_one_loop(stack.aclose())


@pytest.mark.parametrize("route", POSTS)
def test_malformed_json(kept, fetch, route):
    async def scenario(server):
        return {case: (await fetch(server.url + route, body)).error for case, body in MALFORMED.items()}

    assert kept(scenario) == dict.fromkeys(MALFORMED, (400, "malformed-json"))


@pytest.mark.parametrize("route", POSTS)
def test_json_that_is_no_object(kept, fetch, route):
    async def scenario(server):
        return [(await fetch(server.url + route, body)).error for body in NO_OBJECT]

    assert kept(scenario) == [(400, "bad-field")] * len(NO_OBJECT)


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize("size", [MAX_REQUEST + 1, 1_000_000, DRAIN_LIMIT])
def test_a_body_that_is_too_long_is_read_to_its_end_and_answered(kept, fetch, route, size):
    async def scenario(server):
        return (await fetch(server.url + route, b'{"a": "' + b"x" * (size - 9) + b'"}')).error

    assert kept(scenario) == (413, "request-too-large")


def test_a_body_of_just_the_right_size_is_read(kept, fetch):
    async def scenario(server):
        body = json.dumps({"event": "x", "detail": {"a": ""}}).encode()
        return await fetch(
            server.url + "report", body[:-3] + b"x" * (MAX_REQUEST - len(body)) + body[-3:]
        )

    assert kept(scenario).status == 204


async def raw(server, *pieces: bytes) -> tuple[int, dict]:
    """Send bytes as they are, and return the status and the JSON of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
    body = json.loads(await reader.readexactly(length))
    writer.close()
    return int(head.split(" ")[1]), body["error"]["id"]


@pytest.mark.parametrize("route", POSTS)
def test_a_length_that_is_absurd_or_no_length(kept, route):
    async def scenario(server):
        head = f"POST /{route} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ".encode()
        too_large = [str(DRAIN_LIMIT + 1).encode(), b"9" * 40]
        strange = [b"many", b"-1", b"1e3", b",", b"2, 2", b"2, 3", b"9" * 5000]
        return [
            {await raw(server, head + length + b"\r\n\r\n") for length in lengths}
            for lengths in (too_large, strange)
        ]

    assert kept(scenario) == [{(413, "request-too-large")}, {(400, "request-error")}]


def test_a_body_without_end_is_cut_off(kept):
    async def scenario(server):
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        head = (
            b"POST /report HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head)
        sent = 0
        try:
            while sent < 4 * DRAIN_LIMIT:
                writer.write(chunk)
                await writer.drain()
                sent += 65536
        except ConnectionError:
            pass
        finally:
            writer.close()
        return sent

    assert DRAIN_LIMIT <= kept(scenario) < 4 * DRAIN_LIMIT


def test_a_chunked_body_is_read(kept):
    async def scenario(server):
        head = (
            b"POST /report HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        return await raw(server, head, b"2\r\n{}\r\n", b"0\r\n\r\n")

    assert kept(scenario) == (400, "bad-field")


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "application/x-www-form-urlencoded", "Content_Encoding": "aes128gcm"},
        {"Content_Type": "multipart/form-data; boundary=x"},
        {"Content_Type": "multipart/form-data"},
        {"Content_Type": "text/plain", "Content_Encoding": "gzip"},
    ],
)
def test_tornado_parses_no_body_before_we_do(kept, fetch, route, headers):
    async def scenario(server):
        return (await fetch(server.url + route, b"a=b", **headers)).error

    assert kept(scenario) == (415, "not-json")


@pytest.mark.parametrize("route", POSTS + GETS)
def test_a_wrong_method(kept, fetch, route):
    allowed = {"": "GET, HEAD", "page.js": "GET, HEAD", "vapid": "GET, HEAD", "health": "GET, HEAD",
               "events": "GET, HEAD"}.get(route, "POST")  # fmt: skip

    async def scenario(server):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "BREW"):
            if method in allowed:
                continue
            reply = await fetch(
                server.url + route, b'{"endpoint": "https://push.example.net/one"}', method
            )
            if method in ("PROPFIND", "BREW"):
                assert reply.error == (501, "unknown-method"), "RFC 9110 §9.1"
                continue
            assert reply.error == (405, "method-not-allowed"), method
            assert reply.headers["Allow"] == allowed
        return True

    assert kept(scenario)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    ["nothing", "vapid/", "a/b/c", "none.js", "..", "../pyproject.toml", "%2e%2e/pyproject.toml",
     "..%2fpyproject.toml", "page.js%00", "page.js/", ".hidden", "notify-me/", "%ff", "a" * 3000],
)  # fmt: skip
def test_an_unknown_path(kept, fetch, method, path):
    async def scenario(server):
        return await fetch(server.url + path, None if method == "GET" else b"{}", method)

    status, code = kept(scenario).error
    # A file's name is a path that is served, if there is such a file, and so takes GET alone.
    known = path == "none.js" and method != "GET"
    assert (status, code) == ((405, "method-not-allowed") if known else (404, "unknown-path"))


def test_head_has_no_body(kept, fetch):
    async def scenario(server):
        paths = {
            "": 200,
            "vapid": 200,
            "health": 200,
            "page.js": 200,
            "events": 200,
            "subscriptions": 200,
            "nothing": 404,
            "notify-me": 405,
        }
        for path, status in paths.items():
            reply = await fetch(server.url + path, method="HEAD")
            assert (reply.status, reply.body) == (status, b""), path
        return True

    assert kept(scenario)


@pytest.mark.parametrize("route", ["", "vapid", "health", "nothing", "notify-me", "page.js"])
def test_every_answer_has_the_headers_that_keep_a_page_safe(kept, fetch, route):
    async def scenario(server):
        return (await fetch(server.url + route)).headers

    headers = kept(scenario)
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Server" not in headers and "Service-Worker-Allowed" not in headers


def test_a_bug_is_a_500_without_details(kept, fetch, monkeypatch, caplog, capfd):
    def broken(event, detail):
        raise RuntimeError("https://push.example.net/secret")

    monkeypatch.setattr(routes, "event_of", broken)

    async def scenario(server):
        return await fetch(server.url + "report", {"event": "x"})

    with caplog.at_level(logging.ERROR):
        reply = kept(scenario)
    assert reply.error == (500, "internal-error") and b"secret" not in reply.body
    assert "ReportHandler failed" in caplog.text
    assert capfd.readouterr() == ("", ""), "nothing is printed from a server's thread"


def test_a_locked_database_loses_nothing(kept, fetch, subscriber, tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "BUSY_TIMEOUT", 0.05)
    path = tmp_path / "a.sqlite3"

    async def scenario(server):
        other = sqlite3.connect(path)
        other.execute("BEGIN IMMEDIATE")
        new = subscriber("https://push.example.net/two").subscription.to_json()
        added = await fetch(server.url + "add-subscription", new)
        removed = await fetch(
            server.url + "remove-subscription", {"endpoint": "https://push.example.net/one"}
        )
        other.close()
        return added.error, removed.error

    assert kept(scenario, database=f"sqlite:///{path}") == (
        (503, "database-locked"),
        (503, "database-locked"),
    )
