"""The gate: every bound has its own answer, nobody holds the server up, and who comes next is served."""

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import trustme
from tornado.web import Application

from pushlab.server import limits
from pushlab.server import http as http
from pushlab.server.limits import MAX_HEAD, BoundedHTTPServer, ConnectionCounter
from pushlab.server.http import StreamedBody, listen

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Echo(StreamedBody):
    """Answer with the length of the body, after ``pause`` seconds."""

    pause = 0.0

    def get(self) -> None:
        self.finish({"length": self.length})

    async def post(self) -> None:
        await asyncio.sleep(self.pause)
        self.get()


@asynccontextmanager
async def opened(**options):
    """Open a gate; give its port, and how many connections it counts."""
    server = BoundedHTTPServer(Application([("/", Echo)], log_function=lambda handler: None), **options)
    door = listen(0, "127.0.0.1")
    server.add_socket(door)
    counted = lambda: limits.CONNECTIONS._taken.get(server, 0)  # noqa: E731
    port, clients = door.getsockname()[1], []
    try:
        yield SimpleNamespace(port=port, counted=counted, server=server, clients=clients)
    finally:
        for client in clients:
            await client.leave()
        server.stop()
        await server.close_all_connections()
        assert counted() == 0, "every connection is counted off when it ends"


class Client:
    """A connection, byte by byte."""

    @classmethod
    async def to(cls, door, said: bytes = b"", **options) -> "Client":
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", door.port, **options)
        self.writer.write(said)
        door.clients.append(self)
        return self

    async def leave(self) -> None:
        self.writer.transport.abort()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return  # The server had cut the connection before.

    async def answer(self) -> tuple[int, dict, dict]:
        """Return status, headers and JSON of the next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split(" ")[1]), headers, json.loads(body)

    async def error(self) -> tuple[int, str]:
        """Return status and id of an error, after which the connection must end."""
        status, headers, body = await self.answer()
        assert body["error"]["message"] and headers["content-type"].startswith("application/json")
        # A reset would be an error here: on some systems it takes the answer with it.
        assert await self.reader.read() == b""
        return status, body["error"]["id"]

    async def rest(self) -> bytes:
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def served(door, **options) -> None:
    """Assert that somebody who asks properly gets an answer."""
    client = await Client.to(door, GET, **options)
    assert (await client.answer())[0] == 200
    await client.leave()


def few(monkeypatch, count: int) -> None:
    """Let the gate have ``count`` connections."""
    monkeypatch.setattr(limits, "CONNECTIONS", ConnectionCounter(lambda: 100))
    monkeypatch.setattr(limits, "MAX_SHARE", count / 100)


def test_one_connection_too_many_is_told_so_and_has_room_when_another_leaves(run, monkeypatch):
    few(monkeypatch, 3)

    async def scenario():
        async with opened() as door:
            clients = [await Client.to(door, GET) for _ in range(3)]
            assert [(await client.answer())[0] for client in clients] == [200] * 3
            late = await Client.to(door, GET)
            status, headers, body = await late.answer()
            assert (status, body["error"]["id"]) == (503, "too-many-connections")
            assert headers["retry-after"] == str(limits.RETRY_SECONDS)
            assert headers["connection"] == "close"
            clients[0].writer.write(GET)  # Those who are in are served on.
            assert (await clients[0].answer())[0] == 200
            await clients.pop().leave()
            await until(lambda: door.counted() == 2)
            await served(door)

    run(scenario())


def test_who_is_refused_and_stays_is_shown_out(run, monkeypatch):
    few(monkeypatch, 1)
    monkeypatch.setattr(limits, "REFUSAL_SECONDS", 0.05)
    monkeypatch.setattr(limits, "MAX_REFUSALS", 2)

    async def scenario():
        async with opened() as door:
            inside = await Client.to(door, GET)
            assert (await inside.answer())[0] == 200
            refused = [await Client.to(door) for _ in range(3)]
            heard = [await client.rest() for client in refused]
            # Two are told why; for the third there is not even time for that.
            assert [text.startswith(b"HTTP/1.1 503 ") for text in heard] == [True, True, False]
            await until(lambda: not door.server._leaving)
            assert (await (await Client.to(door)).rest()).startswith(b"HTTP/1.1 503 ")

    run(scenario())


def test_a_refusal_goes_through_tls_too(run, monkeypatch):
    few(monkeypatch, 1)
    authority = trustme.CA()
    served_by, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(served_by)
    authority.configure_trust(trusting)

    async def scenario():
        async with opened(ssl_options=served_by) as door:
            inside = await Client.to(door, GET, ssl=trusting)
            assert (await inside.answer())[0] == 200
            late = await Client.to(door, GET, ssl=trusting)
            assert (await late.answer())[2]["error"]["id"] == "too-many-connections"
            await inside.leave()
            await until(lambda: door.counted() == 0)

    run(scenario())


def test_a_flood_at_one_server_leaves_room_at_the_other():
    sockets = ConnectionCounter(lambda: 100)
    assert sum(sockets.acquire("page") for _ in range(200)) == 75
    assert sum(sockets.acquire("push service") for _ in range(200)) == 25
    sockets.release("page")
    assert sockets.acquire("push service") and not sockets.acquire("push service")


@pytest.mark.parametrize("size", [MAX_HEAD + 1, 300_000], ids=["one byte", "many packets"])
def test_a_head_that_is_too_long(run, size):
    async def scenario():
        async with opened() as door:
            name = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
            fits = name + b"x" * (MAX_HEAD - len(name) - 4) + b"\r\n\r\n"
            client = await Client.to(door, fits)
            assert (await client.answer())[0] == 200
            long = await Client.to(door, name + b"x" * (size - len(name) - 4) + b"\r\n\r\n")
            assert await long.error() == (431, "head-too-large")
            await served(door)

    run(scenario())


@pytest.mark.parametrize(
    "said",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nxx",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_an_error_of_ours(run, said):
    async def scenario():
        async with opened() as door:
            assert await (await Client.to(door, said)).error() == (400, "request-error")
            good = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            assert (await (await Client.to(door, good)).answer())[2] == {"length": 3}

    run(scenario())


def test_a_head_that_does_not_come_ends_the_connection(run, monkeypatch):
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.1)

    async def scenario():
        async with opened() as door:
            for said in (b"", b"GET / HT", GET[:-2]):
                assert await (await Client.to(door, said)).rest() == b""
            await served(door)

    run(scenario())


def test_a_body_that_does_not_come_is_answered_and_a_slow_answer_is_waited_for(run, monkeypatch):
    monkeypatch.setattr(http, "BODY_SECONDS", 0.1)
    monkeypatch.setattr(Echo, "pause", 0.3)

    async def scenario():
        async with opened() as door:
            post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
            assert await (await Client.to(door, post + b"abc")).error() == (408, "request-timeout")
            whole = await Client.to(door, post + b"abcd")
            assert (await whole.answer())[2] == {"length": 4}

    run(scenario())


def test_the_system_looks_after_peers_that_are_gone():
    with socket.create_server(("127.0.0.1", 0)) as door:
        with socket.create_connection(door.getsockname()) as client:
            limits.enable_keepalive(client)
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                timeout = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert timeout == 1000 * limits.KEEPALIVE_SECONDS


@pytest.mark.parametrize(
    ("files", "connections", "outgoing"),
    [(2, 1, 1), (256, 128, 64), (1024, 568, 256), (10**6, limits.MAX_INCOMING, limits.MAX_OUTGOING)],
)
def test_the_number_of_connections_follows_from_the_open_files(
    monkeypatch, files, connections, outgoing
):
    monkeypatch.setattr(limits, "open_files", lambda: files)
    assert (limits.max_incoming(), limits.max_outgoing()) == (connections, outgoing)
    assert limits.max_incoming() + limits.max_outgoing() <= files, "each part has files of its own"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such limit")
def test_the_limit_is_raised_as_far_as_everybody_may():
    code = (
        "import resource\n"
        "from pushlab.server import limits\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, min(hard, 900) if hard > 0 else 900))\n"
        "print(limits.open_files())\n"
        "limits.raise_file_limit()\n"
        "print(limits.open_files())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["256", "900"], done.stderr
