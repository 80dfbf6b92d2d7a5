"""Push services that do what none should: real sockets on this machine, a port for each fault."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trustme

TIMEOUT = 1.0
"""Seconds that the application server waits here for the answer of one who never gives a whole one."""


@dataclass
class Rude:
    """One fault: how a push service shows it, and what has to come of it.

    ``answer(reader, writer)`` speaks once the head of a request has been read; ``tls`` names the
    certificate; who is ``silent`` is waited for TIMEOUT seconds, and everybody else with patience;
    ``outcome``, ``status`` and ``attempts`` are what is to be recorded, and ``words``
    what a person is to be told.
    """

    answer: Callable
    outcome: str
    status: int | None
    attempts: int
    words: str
    tls: str = ""
    silent: bool = False
    asked: int = field(default=0, compare=False)


def says(head: str, body: bytes = b""):
    """Answer this, and wait for the next request."""
    lines = [f"HTTP/1.1 {head}", f"Content-Length: {len(body)}", "", ""]

    async def answer(reader, writer):
        writer.write("\r\n".join(lines).encode("ascii") + body)
        await writer.drain()

    return answer


async def nothing(reader, writer):
    await reader.read()  # until the other side has enough of it


async def reset(reader, writer):
    # Without lingering, the end of a connection is no goodbye but a reset.
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    writer.transport.abort()


async def hang_up(reader, writer):
    writer.close()


async def drip(reader, writer):
    """Begin the head of an answer, and never come to its end."""
    writer.write(b"HTTP/1.1 201 Created\r\n")
    while True:
        writer.write(b"X-Slow: yes\r\n")
        await writer.drain()
        await asyncio.sleep(TIMEOUT / 10)


async def garbage(reader, writer):
    writer.write(b"\x16\x03\x01\x02\x00 what is it that you want?\r\n\r\n")
    writer.close()


def endless(head: str):
    """Answer with a body of which there is always more."""

    async def answer(reader, writer):
        writer.write(f"HTTP/1.1 {head}\r\nTransfer-Encoding: chunked\r\n\r\n".encode("ascii"))
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()

    return answer


def faults(elsewhere: str) -> dict[str, Rude]:
    """Return every fault by its name. ``elsewhere``: the URL that a redirect points to."""
    timed_out = "did not answer in time"
    found = says(f"301 Moved Permanently\r\nLocation: {elsewhere}")
    return {
        "times out": Rude(nothing, "retried", None, 4, timed_out, silent=True),
        "resets": Rude(reset, "retried", None, 4, "The connection broke"),
        "hangs up": Rude(hang_up, "retried", None, 4, "closed the connection without an answer"),
        "drips": Rude(drip, "retried", None, 4, timed_out, silent=True),
        "garbage": Rude(garbage, "retried", None, 4, "does not speak HTTP"),
        "429": Rude(says("429 Too Many Requests"), "retried", 429, 4, "too many messages"),
        "429, tomorrow": Rude(says("429 Slow Down\r\nRetry-After: 86400"), "retried", 429, 1,
                              "Retry-After: 86400"),
        "503": Rude(says("503 Busy\r\nRetry-After: 7"), "retried", 503, 4, "overloaded"),
        "500": Rude(says("500 Oops", b"a stack trace"), "retried", 500, 4, "a stack trace"),
        "301": Rude(found, "refused", 301, 1, "redirects to another URL, and a sender does not follow"),
        "a huge refusal": Rude(endless("400 Bad Request"), "refused", 400, 1, "cannot read"),
        "a huge success": Rude(endless("201 Created"), "accepted", 201, 1, "has the message"),
        "an unknown authority": Rude(says("201 Created"), "failed", None, 1,
                                     "certificate cannot be trusted", tls="unknown"),
        "another's certificate": Rude(says("201 Created"), "failed", None, 1,
                                      "certificate cannot be trusted", tls="other name"),
    }  # fmt: skip


NAMES = list(faults(""))


@asynccontextmanager
async def listening(rude: Rude, authority: trustme.CA):
    """Run one push service, and give an endpoint of it."""
    tasks = set()

    async def connected(reader, writer):
        tasks.add(task := asyncio.current_task())
        task.add_done_callback(tasks.discard)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                await reader.readexactly(int(head.split("content-length:")[1].split()[0]))
                rude.asked += 1
                await rude.answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The client has hung up, or the test is over.
        finally:
            writer.transport.abort()

    context = None
    if rude.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer = trustme.CA() if rude.tls == "unknown" else authority
        issuer.issue_cert("127.0.0.1" if rude.tls == "unknown" else "push.example.net").configure_cert(
            context
        )
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    origin = f"http{'s' if context else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield f"{origin}/push/0123456789abcdef"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks)
        await server.wait_closed()
