"""Each limit has its own answer, no client holds the server up, and the next client is served."""

import socket
import struct
import sys

import pytest
from tornado.websocket import WebSocketHandler, websocket_connect

from pushlab.server import http, limits, stream
from pushlab.server.stream import MAX_HEAD, RETRY_SECONDS
from pushlab.settings import patience

from .bounded import GET, Client, Echo, allow, assert_serves, opened, until


def test_one_connection_too_many_is_refused_until_another_ends(run, monkeypatch):
    allow(monkeypatch, 3)

    async def scenario():
        async with opened() as bounded:
            clients = [await Client.connect(bounded, GET) for _ in range(3)]
            assert [(await client.response())[0] for client in clients] == [200] * 3
            late = await Client.connect(bounded, GET)
            status, headers, body = await late.response()
            assert (status, body["error"]["id"]) == (503, "too-many-connections")
            assert headers["retry-after"] == str(RETRY_SECONDS)
            assert headers["connection"] == "close"
            clients[0].writer.write(GET)  # The open connections are served on.
            assert (await clients[0].response())[0] == 200
            await clients.pop().close()
            await until(lambda: bounded.counted() == 2)
            await assert_serves(bounded)

    run(scenario())


def test_a_refused_client_that_does_not_hang_up_is_disconnected(run, monkeypatch):
    allow(monkeypatch, 1)
    monkeypatch.setattr(limits, "REFUSAL_SECONDS", patience(2))  # The third comes sooner.
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
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n"])
def test_a_client_that_resets_before_tls_begins_is_not_counted(run, tls, sent, caplog):
    served, trusting = tls

    async def scenario():
        async with opened(ssl_options=served) as bounded:
            client = socket.create_connection(("127.0.0.1", bounded.port))
            client.sendall(sent)
            # The server has not accepted yet: it needs the event loop, which runs this.
            reset(client)
            await assert_serves(bounded, ssl=trusting)
            await until(lambda: bounded.counted() == 0)

    run(scenario())
    assert "Traceback" not in caplog.text


def reset(client: socket.socket) -> None:
    """Close a connection without lingering: that sends a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere what was sent before a reset is lost")
def test_a_client_that_speaks_http_to_tls_and_resets_is_nobody_s_fault(run, tls, caplog, monkeypatch):
    served, trusting = tls

    async def scenario():
        async with opened(ssl_options=served) as bounded:
            client = socket.create_connection(("127.0.0.1", bounded.port))
            await until(lambda: bounded.counted() == 1)
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            # The refusal is written after the reset has come.
            write = stream.raw_response
            monkeypatch.setattr(stream, "raw_response", lambda error: [reset(client), write(error)][1])
            await until(lambda: bounded.counted() == 0)
            await assert_serves(bounded, ssl=trusting)

    run(scenario())
    assert "Traceback" not in caplog.text


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


def test_a_missing_head_ends_the_connection(run, monkeypatch):
    monkeypatch.setattr(limits, "HEAD_SECONDS", 1)

    async def scenario():
        async with opened() as bounded:
            clients = [await Client.connect(bounded, sent) for sent in (b"", b"GET / HT", GET[:-2])]
            assert [await client.rest() for client in clients] == [b""] * 3
            await assert_serves(bounded)

    run(scenario())


def test_a_missing_body_is_answered_and_a_slow_handler_is_waited_for(run, monkeypatch):
    monkeypatch.setattr(http, "BODY_SECONDS", 1)
    monkeypatch.setattr(Echo, "pause", 1.5)

    async def scenario():
        async with opened() as bounded:
            post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
            cut = await Client.connect(bounded, post + b"abc")
            assert await cut.error() == (408, "request-timeout")
            whole = await Client.connect(bounded, post + b"abcd")
            assert (await whole.response())[2] == {"length": 4}

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
