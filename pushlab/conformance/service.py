"""The push service of the examination: it records each request, and answers as the case has planned.

It listens at two origins, because a sender has to sign for each push service anew, and at a third
port, the trap, where nothing may ever come. Everything is on the loopback of this machine.
"""

import asyncio
import itertools
import json
import os
import random
import socket
import ssl
import struct
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress

from pushlab.conformance import http1
from pushlab.conformance.answer import STRICT, Answer, Manner, Plan, always
from pushlab.conformance.arrived import Arrived
from pushlab.conformance.http1 import NotHttp
from pushlab.conformance.recipients import Recipient
from pushlab.conformance.strict import refusal
from pushlab.errors import PortTaken
from pushlab.protocol.spelling.captured import Captured
from pushlab.pushservice.certificates import Certificates

HOSTS = ("localhost", "127.0.0.1")
"""The host of each of the two origins: two names, so that no port is needed to tell them apart."""

LOOPBACK = ("127.0.0.1", "::1")

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]

FLOOD = 50 * 2**20
"""Bytes of the longest answer."""

CHUNK = bytes(2**16)
DRIP_EVERY = 0.2
"""Seconds between two bytes of a slow answer."""

GARBAGE = b"\x00\xff\x16\x03 this is not HTTP\r\n\r\n"
GONE = always(Answer(410))
"""The plan of a subscription that no case needs any more."""

DISTRUST = "the sender closed a TLS connection without a request: does it trust the authority?"

MAX_RECORDED = 64 * 2**20
"""Bytes of requests that are kept in one examination. Its largest case has 2,000 of 5 KiB."""

PER_HEADER = 200
"""Bytes that Python needs for one header beside its letters."""

FAULTS_KEPT = 100
"""Broken requests that are remembered. The last one is told."""

IDLE = 60
"""Seconds after which a connection without a request is closed."""


class ExaminationService:
    """Two push services at this machine. ``certificates``: for https; None is plain http.

    ``ports``: of the two, 0 for free ones; ``seed``: of the endpoints and keys that it makes;
    ``patience``: seconds for which a silent or slow answer is kept up; ``clock``: seconds since 1970.
    """

    def __init__(
        self,
        certificates: Certificates | None,
        *,
        ports: tuple[int, int] = (0, 0),
        seed: int = 0,
        patience: float = 20.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.certificates, self.patience, self.clock = certificates, patience, clock
        self._ports, self._chance = ports, random.Random(seed)
        self._context: ssl.SSLContext | None = None
        if certificates is not None:
            self._context = certificates.context
            self._context.set_alpn_protocols(["http/1.1"])
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._recipients: dict[str, Recipient] = {}
        self.origins: tuple[str, ...] = ()
        self.trap_port = 0
        self.trapped = 0
        self.strays: list[Captured] = []
        self.broken: list[str] = []
        self.connections = self.most_connections = 0
        self._recorded = 0

    async def start(self) -> None:
        """Begin to listen. Raises PortTaken."""
        scheme = "http" if self.certificates is None else "https"
        for number, host in enumerate(HOSTS):
            port = await self._listen(self._ports[number], self._served(number))
            self.origins += (f"{scheme}://{host}:{port}",)
        self.trap_port = await self._listen(0, self._trap)

    async def _listen(self, port: int, serve: Serve) -> int:
        try:
            server = await asyncio.start_server(serve, LOOPBACK[0], port, limit=http1.MAX_HEAD)
        except OSError as error:
            why = os.strerror(error.errno or 0)  # asyncio's own words repeat the address.
            hint = "Another examination may hold it: wait for its end, or give this one another --port"
            raise PortTaken(f"port {port} of {LOOPBACK[0]}: {why}", hint=hint) from None
        self._servers.append(server)
        found: int = server.sockets[0].getsockname()[1]
        with suppress(OSError):  # "localhost" may be ::1 for a sender, on a machine that has IPv6.
            self._servers.append(
                await asyncio.start_server(serve, LOOPBACK[1], found, limit=http1.MAX_HEAD)
            )
        return found

    async def stop(self) -> None:
        """Close every connection, and listen no more."""
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()

    def recipient(
        self, service: int = 0, *, key: bytes | None = None, plan: Plan = STRICT, ahead: float = 0.0
    ) -> Recipient:
        """Make a subscription at one of the two services. ``Recipient`` has the arguments."""
        made = Recipient(self.origins[service], self._chance, key=key, plan=plan, ahead=ahead)
        self._recipients[made.path] = made
        return made

    def retire(self) -> list[Recipient]:
        """Let every subscription until now be gone; return those that were not gone before."""
        retired = [one for one in self._recipients.values() if one.plan is not GONE]
        for recipient in retired:
            recipient.plan = GONE
        return retired

    # --- connections ------------------------------------------------------------------------------

    def _served(self, number: int) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            self.connections += 1
            self.most_connections = max(self.connections, self.most_connections)
            try:
                await self._serve(reader, writer, number)
            except asyncio.CancelledError:
                pass  # stop() has asked for it.
            except (NotHttp, ssl.SSLError, asyncio.IncompleteReadError) as fault:
                self.broken.append(_words(fault))
                del self.broken[:-FAULTS_KEPT]
            except (OSError, TimeoutError):
                pass  # The sender has closed the connection, or left it open without a request.
            finally:
                self.connections -= 1
                self._tasks.discard(task)
                writer.transport.abort()

        return serve

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        connection = next(self._numbers)
        if self._context is not None:
            try:
                await writer.start_tls(self._context)
            except OSError as fault:  # ssl.SSLError is one
                raise NotHttp(_handshake_fault(fault)) from None
        request = await self._first_request(reader, writer, self.origins[number])
        while request is not None and await self._answer(request, reader, writer, connection):
            async with asyncio.timeout(IDLE):
                request = await http1.read_request(reader, writer, self.origins[number])
        with suppress(OSError, ssl.SSLError):
            writer.close()
            async with asyncio.timeout(2):
                await writer.wait_closed()

    async def _first_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, origin: str
    ) -> Captured | None:
        """Read the first request of a connection. Raises NotHttp if by TLS there is none.

        Some senders look at the certificate after the handshake, and then close the connection.
        """
        request = None
        async with asyncio.timeout(IDLE):
            with suppress(ConnectionError):
                request = await http1.read_request(reader, writer, origin)
        if request is None and self._context is not None:
            raise NotHttp(DISTRUST)
        return request

    async def _trap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.trapped += 1
        writer.transport.abort()

    # --- answers ----------------------------------------------------------------------------------

    async def _answer(
        self,
        request: Captured,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        connection: int,
    ) -> bool:
        """Record a request and answer it. Return whether the connection stays open.

        Raises NotHttp once too much has been recorded: a sender may send without end.
        """
        now = self.clock()
        self._recorded += _size(request)
        if self._recorded > MAX_RECORDED:
            raise NotHttp(f"the requests have more than {MAX_RECORDED} bytes, and no more are taken")
        path = request.url.removeprefix(request.url[: request.url.find("/", 8)])
        recipient = self._recipients.get(path)
        if recipient is None or request.method != "POST":
            self.strays.append(request)
            await _write(writer, http1.head_of(404, {}, 0))
            return True
        planned = recipient.plan.answer(len(recipient.arrived))
        answer = planned or _strict(request, recipient, now)
        arrived = Arrived(request, now, connection, str(answer), answer.status)
        arrived.answered_at, arrived.not_before = now, answer.not_before(now)
        if answer.manner is not Manner.WHOLE:
            arrived.status = 0
        await recipient.note(arrived)
        if answer.manner is Manner.WHOLE:
            await self._write_whole(answer, writer, recipient, now)
            return True
        began = time.monotonic()
        try:
            await self._misbehave(answer, arrived, reader, writer)
        finally:
            arrived.waited = time.monotonic() - began
            arrived.ended.set()
        return False

    async def _write_whole(
        self, answer: Answer, writer: asyncio.StreamWriter, recipient: Recipient, now: float
    ) -> None:
        fields = answer.header_fields(now)
        if answer.is_success:
            fields.setdefault("Location", f"{recipient.origin}/m/{recipient.label}")
        await _write(writer, http1.head_of(answer.status, fields, len(answer.body)) + answer.body)

    async def _misbehave(
        self,
        answer: Answer,
        arrived: Arrived,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        head = http1.head_of(answer.status, answer.header_fields(arrived.at), FLOOD)
        match answer.manner:
            case Manner.RESET:
                own = writer.get_extra_info("socket")
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            case Manner.HANG_UP:
                pass  # The caller closes the connection.
            case Manner.GARBAGE:
                await _write(writer, GARBAGE)
            case Manner.SILENCE:
                await _closed_by_peer(reader, self.patience)
            case Manner.DRIP:
                await _write(writer, head)
                end = time.monotonic() + self.patience
                while time.monotonic() < end:
                    await _write(writer, b"x")
                    arrived.taken += 1
                    if await _closed_by_peer(reader, DRIP_EVERY):
                        return
            case Manner.FLOOD:
                await _write(writer, head)
                async with asyncio.timeout(self.patience):
                    while arrived.taken < FLOOD:
                        await _write(writer, CHUNK)
                        arrived.taken += len(CHUNK)


def _size(request: Captured) -> int:
    """Return the bytes that a request takes, about."""
    head = sum(PER_HEADER + len(name) + len(value) for name, value in request.headers)
    return PER_HEADER + len(request.url) + head + len(request.body or b"")


def _strict(request: Captured, recipient: Recipient, now: float) -> Answer:
    error = refusal(request, recipient, now + recipient.ahead)
    if error is None:
        return Answer(201, {"TTL": (request.values("TTL") or ["0"])[0]})
    body = json.dumps(error.to_json()).encode()
    return Answer(error.status, {"Content-Type": "application/json", **error.headers}, body)


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write, and wait until most of it has been sent. Raises ConnectionResetError."""
    # drain() returns at once where nothing is buffered, and nothing is once the connection is lost.
    await asyncio.sleep(0)
    if writer.transport.is_closing():
        raise ConnectionResetError
    writer.write(data)
    await writer.drain()


async def _closed_by_peer(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Wait until the other side closes the connection, for at most ``seconds``; say whether it did."""
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(2**16):
                pass  # More requests in a row are not answered either.
    except TimeoutError:
        return False
    return True


def _words(fault: Exception) -> str:
    if isinstance(fault, asyncio.IncompleteReadError):
        return f"a body ended after {len(fault.partial)} bytes"
    return str(fault)


def _handshake_fault(fault: OSError) -> str:
    """Say why there was no TLS. Not every sender says it before it closes the connection."""
    reason = (getattr(fault, "reason", "") or "").replace("_", " ").lower()
    if "http request" in reason:
        return "the sender spoke http to the port of https"
    if "unknown ca" in reason or "certificate" in reason:
        return "the sender does not trust the certificate of the examination"
    return DISTRUST
