"""What each of TLS, HTTP and TCP allows, and Tornado does not."""

import asyncio
import ssl

import pytest

from pushlab.server import stream
from pushlab.server.stream import MAX_HEAD

from .bounded import Client, Echo, assert_serves, opened, until


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


def test_who_sends_without_a_pause_takes_turns_with_others(run, monkeypatch):
    """Tornado reads what has arrived at once, and the event loop would have no part in that."""
    monkeypatch.setattr(stream, "TURN_READS", 1)
    monkeypatch.setattr(stream, "TURN_SECONDS", 0)

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


def test_one_request_is_no_turn_however_long_others_are_served_meanwhile(run, monkeypatch):
    monkeypatch.setattr(stream, "TURN_SECONDS", 0)
    rests = []
    after = stream._after

    def noted(seconds, read):
        rests.append(seconds)
        return after(seconds, read)

    monkeypatch.setattr(stream, "_after", noted)

    async def scenario():
        async with opened() as bounded:
            head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            client = await Client.connect(bounded, head + b"1\r\nx\r\n0\r\n\r\n")
            assert (await client.response())[2] == {"length": 1} and not rests
            client = await Client.connect(bounded, head + b"1\r\nx\r\n" * 50 + b"0\r\n\r\n")
            assert (await client.response())[2] == {"length": 50} and rests

    run(scenario())


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
    read_from_fd = stream.IOStream.read_from_fd

    def counted(self, buf):
        reads.append(self)
        return read_from_fd(self, buf)

    monkeypatch.setattr(stream.IOStream, "read_from_fd", counted)

    async def scenario():
        async with opened() as bounded:
            client = await Client.connect(bounded, b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
            client.writer.write_eof()
            assert (await client.response())[0] == 200
            assert await client.reader.read() == b""

    run(scenario())
    assert len(reads) < 10
