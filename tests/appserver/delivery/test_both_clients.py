"""Both clients against push services that do what none should: each request ends, and on time."""

import asyncio
import gzip
import time
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from pushlab.appserver.delivery.client import LibcurlPushClient
from pushlab.appserver.delivery.log import DeliveryLog
from pushlab.appserver.delivery.pywebpush_client import THREADS, PywebpushClient
from pushlab.appserver.delivery.response import NetworkFault
from pushlab.appserver.delivery.transport import MAX_BODY, CurlTransport
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import BadResponse
from pushlab.protocol.delivery import PushOptions
from pushlab.settings import patience

TIMEOUT = 0.6
"""Seconds for a whole request here: 30 in earnest."""


@pytest.fixture(params=["pushlab", "pywebpush"])
def make_client(request, keys, everywhere):
    """Make the client of either sender, with a time limit in seconds."""

    def make(timeout):
        if request.param == "pywebpush":
            return PywebpushClient(keys, egress=everywhere, timeout=timeout)
        return LibcurlPushClient(keys, CurlTransport(egress=everywhere, timeout=timeout))

    return make


def begin(client, someone):
    stored = StoredSubscription(someone.subscription, "KEY", "Firefox", 0)
    return client.send(client.prepare(stored, b"Hello", PushOptions(), DeliveryLog()))


@asynccontextmanager
async def peer(talk, scheme="http"):
    """Run a push service that says what ``talk`` writes, and give an endpoint of it."""
    tasks = set()

    async def connected(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The client has hung up, or the test is over.
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/push/0123456789abcdef"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await server.wait_closed()


def says(first: bytes, again: bytes = b"", every: float | None = None):
    """Answer a request with ``first``, and then with ``again``: at once, or once in so many seconds."""

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        while again:
            await writer.drain()
            writer.write(again)
            if every:
                await asyncio.sleep(every)
        await reader.read()  # until the client has enough of it

    return talk


def hangs_up(last: bytes):
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await reader.read(1)  # Who closes a connection with unread bytes resets it.
        writer.write(last)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    return talk


async def silence(reader, writer):
    await reader.read()


async def half_a_handshake(reader, writer):
    """Begin a record of TLS, and never come to its end."""
    await reader.read(5)
    writer.write(b"\x16\x03\x03\x0f\xff")
    while True:
        writer.write(b"\x02")
        await writer.drain()
        await asyncio.sleep(TIMEOUT / 10)


OFTEN = TIMEOUT / 10
CREATED, BAD = b"HTTP/1.1 201 Created\r\n", b"HTTP/1.1 400 Bad Request\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"
DIGITS = b"HTTP/1.1 " + b"9" * 5000 + b" x: y\r\n"
EMPTY = b"Content-Length: 0\r\n\r\n"
BOMB = gzip.compress(bytes(10**7))
CHARSET = BAD + b"Content-Length: 3\r\nContent-Type: text/plain; charset=%b\r\n\r\n\xff.."
EARLY = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\na: b\r\n\r\n"
PACKED = BAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(BOMB), BOMB)

LATE = {
    "silent": silence,
    "drips a head": says(CREATED + b"X: ", b"x", OFTEN),
    "drips interim heads": says(b"", b"HTTP/1.1 100 Continue\r\n\r\n", OFTEN),
    "drips a status line": says(b"HTTP/1.1 ", b"2", OFTEN),
}
LATE_WITH_TLS = {"silent": silence, "half a handshake": half_a_handshake}
STATUS = {
    "drips a body": (says(CREATED + b"Content-Length: 9999\r\n\r\n", b"x", OFTEN), 201),
    "drips chunks": (says(CREATED + CHUNKS, b"1\r\nx\r\n", OFTEN), 201),
    "drips trailers": (says(CREATED + CHUNKS + b"0\r\n", b"a: b\r\n", OFTEN), 201),
    "an endless body": (says(BAD + b"\r\n", b"x" * 65536), 400),
    "endless chunks": (says(CREATED + CHUNKS, b"1\r\nx\r\n" * 999), 201),
    "endless trailers": (says(CREATED + CHUNKS + b"0\r\n", b"a: b\r\n" * 999), 201),
    "chunks that are none": (says(CREATED + CHUNKS + b"zz\r\n"), 201),
    "a compressed body": (says(PACKED), 400),
    "interim heads": (says(EARLY + CREATED + EMPTY), 201),
    "a header like a status line": (says(CREATED + DIGITS + EMPTY), 201),
    "the charset idna": (says(CHARSET % b"idna"), 400),
    "the charset punycode": (says(CHARSET % b"punycode"), 400),
    "the charset undefined": (says(CHARSET % b"undefined"), 400),
}  # fmt: skip
NONE = {
    "a status line of digits": says(DIGITS + EMPTY),
    "endless headers": says(CREATED, b"a: b\r\n" * 100),
    "endless interim heads": says(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "an endless line": says(CREATED, b"x" * 65536),
    "half a status line": hangs_up(b"HTTP/1.1 201 Cre"),
    "half a head": hangs_up(CREATED + b"X: y"),
    "a head without its end": hangs_up(CREATED + b"X: y\r\n"),
    "no word": hangs_up(b""),
    "no HTTP": says(b"\x16\x03\x01 what?\r\n\r\n"),
    "a length of digits": says(b"HTTP/1.1 abc\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n"),
}


@pytest.fixture
def answers_of(run, make_client, subscriber):
    """Send to all of these push services at once; return their answers, and the seconds of each."""

    def sending(talks, timeout, scheme="http"):
        async def one(stack, client, talk):
            endpoint = await stack.enter_async_context(peer(talk, scheme))
            began = time.monotonic()
            [answer] = await asyncio.gather(begin(client, subscriber(endpoint)), return_exceptions=True)
            return answer, time.monotonic() - began

        async def scenario():
            async with AsyncExitStack() as stack:
                client = make_client(timeout)
                ended = await asyncio.gather(*(one(stack, client, talk) for talk in talks.values()))
                await client.close()
                return dict(zip(talks, ended, strict=True))

        return run(scenario(), timeout=20)

    return sending


@pytest.mark.parametrize("scheme, talks", [("http", LATE), ("https", LATE_WITH_TLS)])
def test_a_request_has_one_time_for_everything(answers_of, scheme, talks):
    ended = answers_of(talks, TIMEOUT, scheme)
    assert {name: answer.code for name, (answer, _) in ended.items()} == dict.fromkeys(talks, 28)
    assert min(seconds for _, seconds in ended.values()) >= TIMEOUT


def test_a_status_counts_whatever_comes_after_it(answers_of):
    talks = {name: talk for name, (talk, _) in STATUS.items()}
    ended = answers_of(talks, patience(1))
    expected = {name: status for name, (_, status) in STATUS.items()}
    assert {name: getattr(answer, "status", answer) for name, (answer, _) in ended.items()} == expected
    assert max(len(answer.body) for answer, _ in ended.values()) == MAX_BODY


def test_what_is_no_answer(answers_of):
    ended = answers_of(NONE, patience(5))
    kinds = {name: isinstance(answer, NetworkFault | BadResponse) for name, (answer, _) in ended.items()}
    assert kinds == dict.fromkeys(NONE, True)
    assert 28 not in [getattr(answer, "code", None) for answer, _ in ended.values()], "at once"


def test_more_that_drip_than_there_are_threads_do_not_keep_the_others_from_being_sent(
    run, make_client, subscriber, push_service
):
    async def scenario():
        async with AsyncExitStack() as stack:
            dripping = await stack.enter_async_context(peer(LATE["drips a head"]))
            honest = await stack.enter_async_context(push_service())
            client = make_client(patience(1))
            sends = [begin(client, subscriber(dripping)) for _ in range(THREADS + 4)]
            last = begin(client, subscriber(honest.endpoint()))
            assert (await last).status == 201
            assert {answer.code for answer in await asyncio.gather(*sends)} == {28}
            await client.close()

    run(scenario(), timeout=20)
