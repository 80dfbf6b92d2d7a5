"""Push services that take a request, or a handshake, and then do what is never over.

``rude`` has one fault for each outcome. These are for what every client must do with all of them: end.
"""

import asyncio
import gzip
from contextlib import asynccontextmanager

TIMEOUT = 0.6
"""Seconds for a whole request here: 30 in earnest."""


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
BREATH = 0.02
"""Seconds between two pieces of what is endless: 300 000 bytes a second, which a test can afford."""
CREATED, BAD = b"HTTP/1.1 201 Created\r\n", b"HTTP/1.1 400 Bad Request\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"
DIGITS = b"HTTP/1.1 " + b"9" * 5000 + b" x: y\r\n"
EMPTY, LONG = b"Content-Length: 0\r\n\r\n", b"Content-Length: 9999\r\n\r\n"
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
    "drips a body": (says(CREATED + LONG, b"x", OFTEN), 201),
    "drips a body without a length": (says(CREATED + b"\r\n", b"x", OFTEN), 201),
    "drips a last body": (says(CREATED + b"Connection: close\r\n" + LONG, b"x", OFTEN), 201),
    "drips chunks": (says(CREATED + CHUNKS, b"1\r\nx\r\n", OFTEN), 201),
    "drips trailers": (says(CREATED + CHUNKS + b"0\r\n", b"a: b\r\n", OFTEN), 201),
    "an endless body": (says(BAD + b"\r\n", b"x" * 65536), 400),
    "endless chunks": (says(CREATED + CHUNKS, b"1\r\nx\r\n" * 999, BREATH), 201),
    "endless trailers": (says(CREATED + CHUNKS + b"0\r\n", b"a: b\r\n" * 999, BREATH), 201),
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
