"""Each limit has its own answer, no client holds the server up, and the next client is served."""

import asyncio
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import trustme
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect

from pushlab.server import http, limits
from pushlab.server.http import StreamedBody, listen
from pushlab.server.limits import MAX_HEAD, BoundedHTTPServer, ConnectionCounter

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
async def opened(handlers=(), **options):
    """Start a server; yield its port, and how many connections it counts."""
    application = Application([("/", Echo), *handlers], log_function=lambda handler: None)
    server = BoundedHTTPServer(application, **options)
    listener = listen(0, "127.0.0.1")
    server.add_socket(listener)
    counted = lambda: limits.CONNECTIONS._taken.get(server, 0)
    port, clients = listener.getsockname()[1], []
    try:
        yield SimpleNamespace(port=port, counted=counted, server=server, clients=clients)
    finally:
        for client in clients:
            await client.close()
        server.stop()
        await server.close_all_connections()
        assert counted() == 0, "a connection that has ended is still counted"


class Client:
    """A connection, byte by byte."""

    @classmethod
    async def connect(cls, bounded, sent: bytes = b"", **options) -> "Client":
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", bounded.port, **options)
        self.writer.write(sent)
        bounded.clients.append(self)
        return self

    async def close(self) -> None:
        self.writer.transport.abort()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return  # The server had cut the connection before.

    async def response(self) -> tuple[int, dict, dict]:
        """Return status, headers and JSON of the next response."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split(" ")[1]), headers, json.loads(body)

    async def error(self) -> tuple[int, str]:
        """Return status and id of an error, after which the connection must end."""
        status, headers, body = await self.response()
        assert body["error"]["message"] and headers["content-type"].startswith("application/json")
        # A reset would raise an error here: on some systems it takes the response with it.
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


async def assert_serves(bounded, **options) -> None:
    """Assert that a correct request gets a response."""
    client = await Client.connect(bounded, GET, **options)
    assert (await client.response())[0] == 200
    await client.close()


def allow(monkeypatch, count: int) -> None:
    """Let one server have ``count`` connections."""
    monkeypatch.setattr(limits, "CONNECTIONS", ConnectionCounter(lambda: 100))
    monkeypatch.setattr(limits, "MAX_SHARE", count / 100)


def test_one_connection_too_many_is_refused_until_another_ends(run, monkeypatch):
    allow(monkeypatch, 3)

    async def scenario():
        async with opened() as bounded:
            clients = [await Client.connect(bounded, GET) for _ in range(3)]
            assert [(await client.response())[0] for client in clients] == [200] * 3
            late = await Client.connect(bounded, GET)
            status, headers, body = await late.response()
            assert (status, body["error"]["id"]) == (503, "too-many-connections")
            assert headers["retry-after"] == str(limits.RETRY_SECONDS)
            assert headers["connection"] == "close"
            clients[0].writer.write(GET)  # The open connections are served on.
            assert (await clients[0].response())[0] == 200
            await clients.pop().close()
            await until(lambda: bounded.counted() == 2)
            await assert_serves(bounded)

    run(scenario())


def test_a_refused_client_that_does_not_hang_up_is_disconnected(run, monkeypatch):
    allow(monkeypatch, 1)
    monkeypatch.setattr(limits, "REFUSAL_SECONDS", 0.05)
    monkeypatch.setattr(limits, "MAX_REFUSALS", 2)

    async def scenario():
        async with opened() as bounded:
            first = await Client.connect(bounded, GET)
            assert (await first.response())[0] == 200
            refused = [await Client.connect(bounded) for _ in range(3)]
            received = [await client.rest() for client in refused]
            # Two get a reason; the third is over MAX_REFUSALS.
            assert [text.startswith(b"HTTP/1.1 503 ") for text in received] == [True, True, False]
            await until(lambda: not bounded.server._refused)
            assert (await (await Client.connect(bounded)).rest()).startswith(b"HTTP/1.1 503 ")

    run(scenario())


@pytest.fixture
def tls():
    """Return the TLS contexts of a server and of its client."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


def test_every_refusal_goes_through_tls_too(run, monkeypatch, tls):
    allow(monkeypatch, 1)
    served, trusting = tls

    async def scenario():
        async with opened(ssl_options=served) as bounded:
            first = await Client.connect(bounded, GET, ssl=trusting)
            assert (await first.response())[0] == 200
            late = await Client.connect(bounded, GET, ssl=trusting)
            assert (await late.response())[2]["error"]["id"] == "too-many-connections"
            await first.close()
            await until(lambda: bounded.counted() == 0)
            for sent, error in (
                (b"hello\r\n\r\n", (400, "request-error")),
                (b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_HEAD, (431, "head-too-large")),
            ):
                client = await Client.connect(bounded, sent, ssl=trusting)
                assert await client.error() == error
                await until(lambda: bounded.counted() == 0)

    run(scenario())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a reset connection is not accepted")
def test_a_client_that_resets_before_tls_begins_is_not_counted(run, tls):
    served, trusting = tls

    async def scenario():
        async with opened(ssl_options=served) as bounded:
            client = socket.create_connection(("127.0.0.1", bounded.port))
            # Closing without lingering sends a reset. The server has not accepted yet: it needs
            # the event loop, which runs this.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            await assert_serves(bounded, ssl=trusting)
            await until(lambda: bounded.counted() == 0)

    run(scenario())


def test_a_client_context_is_an_error_in_the_log(run, tls, caplog):
    _, trusting = tls

    async def scenario():
        async with opened(ssl_options=trusting) as bounded:
            assert await (await Client.connect(bounded, GET)).rest() == b""
            assert bounded.counted() == 0

    run(scenario())
    assert "server_hostname" in caplog.text, caplog.text


class Channel(WebSocketHandler):
    """Tornado's serving loop ends at the upgrade, and the connection goes on."""


def test_a_web_socket_is_counted_until_it_closes(run):
    async def scenario():
        async with opened(handlers=[("/channel", Channel)]) as bounded:
            channel = await websocket_connect(f"ws://127.0.0.1:{bounded.port}/channel")
            await assert_serves(bounded)
            await until(lambda: bounded.counted() == 1)
            channel.close()
            await until(lambda: bounded.counted() == 0)

    run(scenario())


def test_a_flood_at_one_server_leaves_room_at_the_other():
    counter = ConnectionCounter(lambda: 100)
    assert sum(counter.acquire("page") for _ in range(200)) == 75
    assert sum(counter.acquire("push service") for _ in range(200)) == 25
    counter.release("page")
    assert counter.acquire("push service") and not counter.acquire("push service")


@pytest.mark.parametrize("size", [MAX_HEAD + 1, 300_000], ids=["one byte", "many packets"])
def test_a_head_that_is_too_long(run, size):
    async def scenario():
        async with opened() as bounded:
            name = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
            fits = name + b"x" * (MAX_HEAD - len(name) - 4) + b"\r\n\r\n"
            client = await Client.connect(bounded, fits)
            assert (await client.response())[0] == 200
            long = await Client.connect(bounded, name + b"x" * (size - len(name) - 4) + b"\r\n\r\n")
            assert await long.error() == (431, "head-too-large")
            await assert_serves(bounded)

    run(scenario())


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 100,
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nxx",
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
    ],
)
def test_a_message_that_is_not_http_gets_an_error_in_json(run, sent):
    async def scenario():
        async with opened() as bounded:
            assert await (await Client.connect(bounded, sent)).error() == (400, "request-error")
            head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            good = head + b"3\r\nabc\r\n0\r\n\r\n"
            assert (await (await Client.connect(bounded, good)).response())[2] == {"length": 3}

    run(scenario())


def test_a_missing_head_ends_the_connection(run, monkeypatch):
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.1)

    async def scenario():
        async with opened() as bounded:
            for sent in (b"", b"GET / HT", GET[:-2]):
                assert await (await Client.connect(bounded, sent)).rest() == b""
            await assert_serves(bounded)

    run(scenario())


def test_a_missing_body_is_answered_and_a_slow_handler_is_waited_for(run, monkeypatch):
    monkeypatch.setattr(http, "BODY_SECONDS", 0.1)
    monkeypatch.setattr(Echo, "pause", 0.3)

    async def scenario():
        async with opened() as bounded:
            post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
            cut = await Client.connect(bounded, post + b"abc")
            assert await cut.error() == (408, "request-timeout")
            whole = await Client.connect(bounded, post + b"abcd")
            assert (await whole.response())[2] == {"length": 4}

    run(scenario())


def test_who_sends_without_a_pause_takes_turns_with_others(run, monkeypatch):
    """Tornado reads what has arrived at once, and the event loop would have no part in that."""
    monkeypatch.setattr(limits, "TURN_SECONDS", 0)

    async def turns() -> None:
        while True:
            turned.append(None)
            await asyncio.sleep(0)

    turned: list[None] = []

    async def scenario():
        async with opened() as bounded:
            head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            counting = asyncio.create_task(turns())
            client = await Client.connect(bounded, head + b"1\r\nx\r\n" * 500 + b"0\r\n\r\n")
            assert (await client.response())[2] == {"length": 500}
            counting.cancel()
            assert len(turned) > 500

    run(scenario())


def test_enable_keepalive():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            assert limits.enable_keepalive(client)
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                timeout = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert timeout == 1000 * limits.KEEPALIVE_SECONDS
        assert not limits.enable_keepalive(client), "it is closed"


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
def test_the_limit_of_open_files_is_raised_to_the_hard_limit():
    code = (
        "import resource\n"
        "from pushlab.server import limits\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, min(hard, 900) if hard > 0 else 900))\n"
        "print(limits.open_files())\n"
        "limits.raise_file_limit()\n"
        "print(limits.open_files())\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.stdout.split() == ["256", "900"], finished.stderr


# --- what each of TLS, HTTP and TCP allows, and Tornado does not --------------------------------


def test_tls_at_a_plain_port_is_answered_at_once(run, tls, caplog):
    _, trusting = tls

    async def scenario():
        async with opened() as bounded:
            with pytest.raises(ssl.SSLError, match="(?i)wrong.version.number"):
                await Client.connect(bounded, ssl=trusting)
            await until(lambda: bounded.counted() == 0)
            raw = await Client.connect(bounded, bytes.fromhex("16030100050100000100") + b"\n" * 5000)
            assert await raw.error() == (400, "request-error")
            await assert_serves(bounded)

    run(scenario())
    assert not caplog.records, "it is no fault of this server"


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT"])
def test_plain_http_at_a_tls_port_is_answered_at_once(run, tls, method):
    served, trusting = tls

    async def scenario():
        async with opened(ssl_options=served) as bounded:
            plain = await Client.connect(bounded, f"{method} / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            status, _, body = await plain.response()
            assert status == 400 and "https://" in body["error"]["message"]
            assert await plain.reader.read() == b""
            await until(lambda: bounded.counted() == 0)
            await assert_serves(bounded, ssl=trusting)

    run(scenario())


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_client_that_sends_no_more_gets_its_answer(run, monkeypatch, tls, method, secure):
    """A client may end its half of the connection after its request, as ``nc -N`` does."""
    monkeypatch.setattr(Echo, "pause", 0.1)
    served, trusting = tls if secure else (None, None)

    async def scenario():
        async with opened(ssl_options=served) as bounded:
            request = f"{method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc".encode()
            client = await Client.connect(bounded, request, ssl=trusting)
            if not secure:  # asyncio knows no end of one half of TLS.
                client.writer.write_eof()
            assert (await client.response())[2] == {"length": 3}
            assert secure or await client.reader.read() == b""
            if not secure:
                await until(lambda: bounded.counted() == 0)
            half = await Client.connect(bounded, request[:-1], ssl=trusting)
            if not secure:
                half.writer.write_eof()
                assert await half.rest() == b"", "without the whole body there is no request"

    run(scenario())


def test_the_end_of_the_input_is_not_looked_at_again_and_again(run, monkeypatch):
    monkeypatch.setattr(Echo, "pause", 0.2)
    reads = []
    read_from_fd = limits.IOStream.read_from_fd

    def counted(self, buf):
        reads.append(self)
        return read_from_fd(self, buf)

    monkeypatch.setattr(limits.IOStream, "read_from_fd", counted)

    async def scenario():
        async with opened() as bounded:
            client = await Client.connect(bounded, b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
            client.writer.write_eof()
            assert (await client.response())[0] == 200
            assert await client.reader.read() == b""

    run(scenario())
    assert len(reads) < 10


class Named(Echo):
    """Answer with the host and the path of the request."""

    def get(self) -> None:
        self.finish({"host": self.request.host, "path": self.request.path, "query": self.request.query})


@pytest.mark.parametrize(
    ("target", "host", "path", "query"),
    [
        ("/named?a=b", "x", "/named", "a=b"),
        ("http://127.0.0.1:8292/named?a=b", "127.0.0.1:8292", "/named", "a=b"),
        ("HTTP://Y/named", "Y", "/named", ""),
        ("http://y", "y", "/", ""),
        ("http://y?a=/b", "y", "/", "a=/b"),
        ("https://y/named", None, None, None),
        ("ftp://y/named", None, None, None),
        ("y:80", None, None, None),
        ("*", None, None, None),
    ],
)
def test_a_target_that_is_a_url(run, target, host, path, query):
    """RFC 9112 §3.2.2: accepted, and its host counts in place of the header's."""

    async def scenario():
        async with opened(handlers=[("/named|/", Named)]) as bounded:
            bounded.server.request_callback.wildcard_router.rules.pop(0)  # Echo, at the root
            head = f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            client = await Client.connect(bounded, head)
            first = (await client.reader.readuntil(b"\r\n")).split()[1]
            if host is None:
                assert first == b"404"
                return
            rest = (await client.reader.readuntil(b"}")).partition(b"\r\n\r\n")[2]
            assert json.loads(rest) == {"host": host, "path": path, "query": query}

    run(scenario())


@pytest.mark.parametrize("target", ["http://[::1", "http://a b/", "http:// /", "http://me@[/"])
def test_a_target_that_cannot_be_read(run, target):
    async def scenario():
        async with opened() as bounded:
            client = await Client.connect(bounded, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert await client.error() == (400, "request-error")

    run(scenario())


class Refusing(Echo):
    def prepare(self) -> None:
        super().prepare()
        raise http.CrossOrigin


@pytest.mark.parametrize("body", [b"", b"x" * 200_000], ids=["no body", "a body"])
@pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
def test_an_answer_before_the_body_says_that_the_connection_ends(run, method, body):
    """RFC 9112 §9.6: a server that closes SHOULD say so."""

    async def scenario():
        async with opened(handlers=[("/refusing", Refusing)]) as bounded:
            head = f"{method} /refusing HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            client = await Client.connect(bounded, head.encode() + body)
            status, headers, _ = await client.response()
            assert status == (501 if method == "BREW" else 403)
            assert headers["connection"] == "close" and await client.reader.read() == b""
            served = await Client.connect(bounded, GET)
            assert "connection" not in (await served.response())[1]

    run(scenario())
