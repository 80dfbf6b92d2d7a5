"""A hostile push service at the wire, and both senders: ``./lab fuzz answers``.

A round is one notify-all. Most of its recipients have endpoints at push services whose answers are
made up here, from a seed: heads and bodies that are cut, edited, endless, dripped or never sent, in
the open and by TLS. The others have theirs at an honest one. Whatever the answers are,

- the notify-all ends, and everybody in it has an outcome;
- every honest recipient gets the message;
- no outcome is a fault of this program;
- afterwards no request, no connection and no thread is left.

An input is one request that a hostile push service has got.
"""

import asyncio
import os
import random
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, cycle, islice
from pathlib import Path
from unittest import mock

import examples
import trustme
from inputs import KINDS, TOKENS, edited

from pushlab.appserver.broadcast.sender import BroadcastSender
from pushlab.appserver.delivery.client import LibcurlPushClient, PushClient
from pushlab.appserver.delivery.egress import EgressPolicy
from pushlab.appserver.delivery.pywebpush_client import PywebpushClient
from pushlab.appserver.delivery.response import Response
from pushlab.appserver.delivery.sender import Sender
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import SubscriptionStore
from pushlab.errors import SendingFailed
from pushlab.protocol import p256
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.subscription import PushSubscription
from pushlab.settings import patience

TIMEOUT = patience(0.4)
"""Seconds for a whole request: 30 in earnest."""

ROUND_SECONDS = 60
"""How long a notify-all may take here (times PUSHLAB_PATIENCE)."""

HOSTILE, HONEST = 40, 10
"""Recipients in one round."""

ROUNDS = 10
"""Notify-alls for which one client is kept."""

SENDERS = ("pushlab", "pywebpush")

# --- what a hostile push service says ---------------------------------------------------------------

STATUS_LINES = (
    b"HTTP/1.1 201 Created\r\n", b"HTTP/1.1 201 Created\r\n", b"HTTP/1.1 201 Created\r\n",
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 410 Gone\r\n", b"HTTP/1.1 404 Not Found\r\n",
    b"HTTP/1.1 400 Bad Request\r\n", b"HTTP/1.1 429 Slow Down\r\n", b"HTTP/1.1 503 Busy\r\n",
    b"HTTP/1.1 301 Moved\r\n", b"HTTP/1.0 201 Created\r\n", b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n", b"HTTP/1.1 103 Early\r\na: b\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", b"HTTP/2 201 \r\n", b"HTTP/0.9 201\r\n",
    b"HTTP/1.1 000 None\r\n", b"HTTP/1.1 999 All\r\n", b"HTTP/1.1 2\xb91 Created\r\n", b"\r\n",
    b"HTTP/1.1 " + b"2" * 5000 + b" x: y\r\n", b"", b"\0", b"SSH-2.0-x\r\n",
)  # fmt: skip
HEADERS = (
    b"TTL: 60\r\n", b"Location: /message/1\r\n", b"Retry-After: 1\r\n", b"Retry-After: 99999\r\n",
    b"Retry-After: " + b"9" * 5000 + b"\r\n", b"Retry-After: Sat, 31 Feb 2026 99:99:99 GMT\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Content-Encoding: gzip\r\n",
    b"Content-Encoding: br, gzip, deflate\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Content-Type: text/plain; charset=idna\r\n", b"Content-Type: x; charset=unicode_escape\r\n",
    b"Set-Cookie: a=b; Path=/; Expires=Thu, 99 Xxx 9999\r\n", b"Alt-Svc: h2=\":1\"\r\n",
    b"Content-Length: " + b"9" * 5000 + b"\r\n", b"Content-Length: -1\r\n", b"Content-Length: 1, 2\r\n",
    b"HTTP/1.1 " + b"9" * 5000 + b" x: y\r\n", b" folded\r\n", b"no colon\r\n", b": no name\r\n",
    b"a: \xff\xfe\r\n", b"a:\0b\r\n", b"a: b\n", b"a: b\r", b"a: " + b"x" * 70_000 + b"\r\n",
    b"a: b\r\n" * 300, b"WWW-Authenticate: Basic\r\n", b"Upgrade: h2c\r\n", b"Link: <x>\r\n",
)  # fmt: skip
BODIES = (
    b"", b"", b"Hello", b"{", b'{"error": {"message": 7}}', b"[" * 5000, b"\xff\xfe" * 99,
    b"x" * 100_000, b"1\r\nx\r\n" * 99, b"ffffffffffffffff\r\n", b"-1\r\n",
    b"0\r\n" + b"a: b\r\n" * 400 + b"\r\n",
)  # fmt: skip
ENDLESS = (
    b"x" * 4096,
    b"a: b\r\n" * 50,
    b"HTTP/1.1 100 C\r\n\r\n" * 50,
    b"1\r\nx\r\n" * 50,
    b"\r\n" * 50,
)
ENDINGS = (*["stay"] * 8, *["leave"] * 8, "reset", "reset", "wait", "drip", "more")


@dataclass(frozen=True)
class Answer:
    """What is said to one request, in these pieces, and what happens after it."""

    pieces: tuple[bytes, ...]
    ending: str
    again: bytes


def answer_of(seed: str) -> Answer:
    """Make the answer of a seed: it is the same each time.

    >>> answer_of("7") == answer_of("7"), answer_of("7") == answer_of("8")
    (True, False)
    """
    chance = random.Random(seed)
    body = chance.choice(BODIES)
    framing = (b"Content-Length: %d\r\n" % len(body), b"Content-Length: 9\r\n",
               b"Transfer-Encoding: chunked\r\n", b"")  # fmt: skip
    parts = [chance.choice(STATUS_LINES), chance.choice(framing)]
    parts += chance.choices(HEADERS, k=chance.randrange(4))
    said = b"".join(parts) + b"\r\n" + body
    if chance.random() < 0.3:
        said = edited(said, [_edit(chance) for _ in range(chance.randrange(1, 5))])
    cuts = sorted(chance.randrange(len(said) + 1) for _ in range(chance.choice((0, 0, 1, 5))))
    pieces = tuple(said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True))
    return Answer(pieces, chance.choice(ENDINGS), chance.choice(ENDLESS))


def _edit(chance: random.Random) -> tuple:
    what, where = chance.choice(KINDS), chance.randrange(2**16)
    how = {"insert": chance.choice(TOKENS), "put": chance.randbytes(3), "end": None}
    return what, where, how.get(what, chance.randrange(1, 60))


# --- the push services ------------------------------------------------------------------------------


@dataclass
class Services:
    """The push services of one run, all on this machine.

    ``asked``: how often each hostile endpoint was asked; ``reached``: the honest ones that got a
    message; ``open``: connections.
    """

    seed: int
    honest: str = ""
    hostile: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    reached: set[str] = field(default_factory=set)
    open: set[asyncio.Task] = field(default_factory=set)

    async def be_honest(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take every message."""
        while True:
            self.reached.add(await _path_of(reader))
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    async def be_hostile(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each request with what its path and the seed give."""
        while True:
            path = await _path_of(reader)
            self.asked[path] += 1
            answer = answer_of(f"{self.seed} {path} {self.asked[path]}")
            for piece in answer.pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            await _ENDINGS[answer.ending](reader, writer, answer.again)

    async def be_deaf(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a handshake of TLS with something else, or never."""
        number = sum(self.asked.values())
        self.asked[f"handshake {number}"] += 1
        answer = answer_of(f"{self.seed} handshake {number}")
        await reader.read(5)
        writer.write(b"".join(answer.pieces))
        await _ENDINGS[answer.ending](reader, writer, answer.again)
        writer.close()

    async def listen(
        self,
        stack: AsyncExitStack,
        behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        scheme: str = "http",
        context: ssl.SSLContext | None = None,
    ) -> str:
        """Run one push service until the stack is closed, and return its origin."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self.open.add(task)
            try:
                await behave(reader, writer)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                pass  # The sender has left.
            finally:
                self.open.discard(task)
                writer.transport.abort()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
        stack.push_async_callback(server.wait_closed)
        stack.callback(server.close)
        return f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _path_of(reader: asyncio.StreamReader) -> str:
    """Read one request, and return its path."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    await reader.readexactly(int(head.lower().split("content-length:")[1].split()[0]))
    return head.split(" ")[1]


async def _stay(reader, writer, again: bytes) -> None:
    """Wait for the next request."""


async def _leave(reader, writer, again: bytes) -> None:
    writer.write_eof() if writer.can_write_eof() else writer.close()
    await _wait(reader, writer, again)


async def _reset(reader, writer, again: bytes) -> None:
    # Without lingering, the end of a connection is no goodbye but a reset.
    linger = struct.pack("ii", 1, 0)
    if (connected := writer.get_extra_info("socket")) is not None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
    raise ConnectionResetError


async def _wait(reader, writer, again: bytes) -> None:
    while await reader.read(65536):
        pass
    raise ConnectionResetError


async def _drip(reader, writer, again: bytes) -> None:
    # TLS that is closed raises nothing: what is written then is only logged.
    while not writer.transport.is_closing():
        writer.write(again[:1])
        await writer.drain()
        await asyncio.sleep(TIMEOUT / 10)
    raise ConnectionResetError


async def _more(reader, writer, again: bytes) -> None:
    while not writer.transport.is_closing():
        writer.write(again)
        await writer.drain()
        await asyncio.sleep(0)
    raise ConnectionResetError


_ENDINGS = {"stay": _stay, "leave": _leave, "reset": _reset, "wait": _wait, "drip": _drip, "more": _more}


@asynccontextmanager
async def services(seed: int) -> AsyncIterator[Services]:
    """Run one honest push service and five hostile ones, two of them by TLS."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    here = Services(seed)
    with tempfile.TemporaryDirectory(prefix="pushlab-fuzz-") as folder:
        trusted = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(str(trusted))
        async with AsyncExitStack() as stack:
            stack.enter_context(mock.patch.dict(os.environ, SSL_CERT_FILE=str(trusted)))
            here.honest = await here.listen(stack, here.be_honest)
            for scheme, behave, tls in (
                ("http", here.be_hostile, None), ("http", here.be_hostile, None),
                ("http", here.be_hostile, None), ("https", here.be_hostile, context),
                ("https", here.be_deaf, None),
            ):  # fmt: skip
                here.hostile.append(await here.listen(stack, behave, scheme, tls))
            yield here


# --- the senders ------------------------------------------------------------------------------------


class Watched:
    """A client whose requests are counted, and whose faults are kept."""

    def __init__(self, client: PushClient):
        self.client, self.agree, self.prepare = client, client.agree, client.prepare
        self.under_way: set[asyncio.Future[Response]] = set()
        self.faults: list[BaseException] = []

    def send(self, request) -> asyncio.Future[Response]:
        response = self.client.send(request)
        self.under_way.add(response)
        response.add_done_callback(self._ended)
        return response

    async def close(self) -> None:
        await self.client.close()

    def _ended(self, response: asyncio.Future[Response]) -> None:
        self.under_way.discard(response)
        error = None if response.cancelled() else response.exception()
        if isinstance(error, SendingFailed):
            self.faults.append(error.__cause__ or error)


def _client(sender: str, keys: VapidKeys, egress: EgressPolicy) -> Watched:
    if sender == "pywebpush":
        import pywebpush  # noqa: F401 — before a call whose seconds count, on a busy machine too

        return Watched(PywebpushClient(keys, egress=egress, timeout=TIMEOUT))
    return Watched(LibcurlPushClient(keys, CurlTransport(egress=egress, timeout=TIMEOUT)))


async def converse(inputs: int, seconds: float, seed: int) -> int:
    """Send until the hostile push services have got so many requests, and return how many.

    AssertionError, and every other exception, is a finding.
    """
    ends, keys, numbers = time.monotonic() + seconds, VapidKeys.generate(), count(1)
    rounds = min(ROUNDS, 1 + inputs // 200)
    async with services(seed) as here:
        senders = cycle(SENDERS)
        while sum(here.asked.values()) < inputs and time.monotonic() < ends:
            sender = next(senders)
            client = _client(sender, keys, EgressPolicy([here.honest, *here.hostile]))
            try:
                for number in islice(numbers, rounds):
                    await notify_all(here, client, keys, number)
            except BaseException as finding:
                finding.add_note(f"notify-all {number} of seed {seed}, sent by {sender}")
                raise
            finally:
                await client.close()
            async with asyncio.timeout(patience(10)):  # The other ends learn of it a moment later.
                while here.open:
                    await asyncio.sleep(0.01)
            async with asyncio.timeout(patience(30)):  # close() waits for threads for a moment only.
                while "pywebpush" in [thread.name for thread in threading.enumerate()]:
                    await asyncio.sleep(0.01)
        return sum(here.asked.values())


async def notify_all(here: Services, client: Watched, keys: VapidKeys, number: int) -> None:
    """Send one message to hostile and to honest recipients, and assert that it ends well."""
    store = SubscriptionStore("sqlite://", [here.honest, *here.hostile])
    ua_public = p256.raw_public(examples.UA_PRIVATE)

    def subscribe(origin: str, one: int) -> str:
        path = f"/{number}/{one}-0123456789abcdef"
        store.save(
            PushSubscription(origin + path, ua_public, examples.AUTH), keys.application_server_key
        )
        return path

    async def no_pause(seconds: float) -> None:
        await asyncio.sleep(0)

    honest = {subscribe(here.honest, one) for one in range(HONEST)}
    for one in range(HOSTILE):
        subscribe(here.hostile[one % len(here.hostile)], one)
    sender = Sender(keys, store, client, sleep=no_pause)
    everybody = BroadcastSender(sender)
    try:
        async with asyncio.timeout(patience(ROUND_SECONDS)):
            counts = await everybody.send_all(b"Hello", PushOptions())
    finally:
        await everybody.close()
        store.close()
    assert counts.done == counts.total == HOSTILE + HONEST, f"{counts}"
    assert honest <= here.reached, f"not reached: {len(honest - here.reached)} of {HONEST}"
    assert not client.under_way, "a request is left"
    if client.faults:
        raise client.faults[0]
    here.reached -= honest


def run(inputs: int, seconds: float, seed: int) -> int:
    """Fuzz both senders, and return how many answers they were given."""
    return asyncio.run(converse(inputs, seconds, seed))
