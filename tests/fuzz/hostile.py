"""User agents and strangers that do harm at the push service's doors, one exchange at a time.

An exchange is a connection, what is said over it, and its end. Each is one function of ``MOVES``,
chosen and filled by a random number generator with a seed. What the service answers is read and not
judged: whether anybody else suffers is, by ``agents``.
"""

import asyncio
import json
import random
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from inputs import edited

from pushlab.appserver.delivery.client import Signer
from pushlab.appserver.keys import VapidKeys
from pushlab.pushservice.chromium import messages
from pushlab.pushservice.chromium.protobuf import varint

KEYS = VapidKeys.from_raw(b"\1".rjust(32, b"\0"))
"""The application server of the hostile Chromiums."""

PATIENCE = 0.1
"""Seconds that an exchange waits for an answer which may never come."""


@dataclass
class Target:
    """Where the push service listens. ``ca_pem`` is the authority that its certificate is of."""

    port: int
    mcs_port: int
    tls_port: int
    hosts: list[str]
    ca_pem: str
    silent: list[asyncio.StreamWriter] = field(default_factory=list)

    @cached_property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.ca_pem)

    @cached_property
    def authorization(self) -> str:
        return Signer(KEYS).authorization(f"http://127.0.0.1:{self.port}")


class Wire:
    """A connection, over which anything can be said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        if self.writer.is_closing():
            raise ConnectionResetError("the service has cut this connection")
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, size: int = 65536) -> bytes:
        """Return what comes next, or nothing if nothing does."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                return await self.reader.read(size)
        return b""


OPENED: ContextVar[list[asyncio.StreamWriter]] = ContextVar("OPENED")
"""The connections of the exchange under way."""


async def connect(port: int, tls: ssl.SSLContext | None = None) -> Wire:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    OPENED.get().append(writer)
    return Wire(reader, writer)


# --- the WebSocket ----------------------------------------------------------------------------------


def frame(data: bytes, opcode: int = 1, final: bool = True, masked: bool = True) -> bytes:
    """Return a frame of a WebSocket (RFC 6455 §5.2); its mask is all zeros."""
    first, mask = opcode | 0x80 * final, 0x80 * masked
    if len(data) < 126:
        head = bytes([first, mask | len(data)])
    elif len(data) < 65536:
        head = bytes([first, mask | 126]) + len(data).to_bytes(2, "big")
    else:
        head = bytes([first, mask | 127]) + len(data).to_bytes(8, "big")
    return head + bytes(4 * masked) + data


def said(message: object) -> bytes:
    return frame(json.dumps(message).encode())


async def websocket(target: Target, hello: object = None) -> tuple[Wire, bytes]:
    """Open a WebSocket, say hello, and return the answer."""
    wire = await connect(target.port)
    await wire.say(
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    head = await wire.reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101 "):
        raise ConnectionRefusedError(head[:30])
    await wire.say(said(hello or {"messageType": "hello", "use_webpush": True}))
    return wire, await wire.hear()


async def subscribed(target: Target, chance: random.Random) -> tuple[Wire, str]:
    """Return a connected user agent and the path of its endpoint."""
    wire, _ = await websocket(target)
    channel = f"channel-{chance.randrange(10**9)}"
    await wire.say(said({"messageType": "register", "channelID": channel}))
    endpoint = re.search(rb'"pushEndpoint": "([^"]+)', await wire.hear())
    return wire, urlsplit(endpoint[1].decode()).path if endpoint else "/wpush/v2/none"


async def names(target: Target, chance: random.Random) -> None:
    uaid = chance.choice(
        ["f" * 32, "chromium:1:2", "", "é" * 50, "x" * 10_000, f"{chance.getrandbits(128):032x}"]
    )
    await websocket(target, {"messageType": "hello", "uaid": uaid, "broadcasts": {"a": "b" * 9000}})


async def acknowledgements(target: Target, chance: random.Random) -> None:
    wire, _ = await websocket(target)
    for _ in range(chance.randrange(1, 30)):
        update = {"version": str(chance.random()), "code": chance.choice([100, 0, -1, None])}
        updates = [update] * chance.choice([1, 100, 100, 101])
        await wire.say(said({"messageType": "ack", "updates": updates}))
        await wire.say(said({"messageType": "nack", "version": "x", "code": 301}))
    await wire.hear()


async def too_much(target: Target, chance: random.Random) -> None:
    wire, _ = await websocket(target)
    many = chance.choice([5_000, 10_000, 87_000])
    await wire.say(frame(b'{"messageType":"ack","updates":[%s{}]}' % (b"{}," * many)))
    await wire.hear()


async def heavy(target: Target, chance: random.Random) -> None:
    """Say JSON that takes long to read, in the longest frame that is read."""
    wire, _ = await websocket(target)
    unit = chance.choice([b"1,", b"{},", b"[],", b"1e1,", b'"a",', b'{"a":1},', b'"\\u00e9",'])
    for _ in range(chance.randrange(1, 8)):
        await wire.say(frame(b"[" + unit * (16_000 // len(unit)) + b"1]"))
    await wire.hear()


async def churn(target: Target, chance: random.Random) -> None:
    wire, _ = await websocket(target)
    for number in range(chance.choice([3, 60, 250])):
        channel = str(number % chance.randrange(1, 300))
        await wire.say(said({"messageType": "register", "channelID": channel}))
        if chance.random() < 0.8:
            await wire.say(said({"messageType": "unregister", "channelID": channel}))
    await wire.hear()


async def pings(target: Target, chance: random.Random) -> None:
    """Send small frames without a pause, and read no answer."""
    wire, _ = await websocket(target)
    one = chance.choice([said({}), frame(b"x" * 100, 9), frame(b"", 10), frame(b"x", 1, False)])
    await wire.say(one * chance.choice([10, 500, 3000]))


async def broken_frames(target: Target, chance: random.Random) -> None:
    wire, _ = await websocket(target)
    whole = said({"messageType": "register", "channelID": "c", "key": "BA"})
    await wire.say(
        chance.choice(
            [
                b"\x81\xff" + (2**63).to_bytes(8, "big") + bytes(4),
                frame(b"{}", 2),
                frame(b"\xff\xfe{}"),
                frame(b"{}", masked=False),
                frame(b"{", 1, False) + frame(b"}", 0) * 50,
                frame(b"x" * 130, 9),
                whole[: chance.randrange(len(whole))],
                edited(whole, [("put", chance.randrange(99), chance.randbytes(3))]),
                frame(b"[" * 15_000),
                frame(b"9" * 15_000),
                chance.randbytes(300),
            ]
        )
    )
    await wire.hear()


async def silence(target: Target, chance: random.Random) -> None:
    """Stay connected and say nothing, before a hello or after it; up to a hundred do."""
    wire = (await websocket(target))[0] if chance.random() < 0.5 else await connect(target.port)
    target.silent.append(wire.writer)
    if len(target.silent) > 100:
        await cut(target.silent.pop(0))


async def unread(target: Target, chance: random.Random) -> None:
    """Subscribe, read nothing more, acknowledge nothing, and be sent messages."""
    wire, path = await subscribed(target, chance)
    wire.writer.transport.pause_reading()
    for _ in range(chance.choice([5, 30])):
        await post(target, path, chance)


async def half_closed(target: Target, chance: random.Random) -> None:
    wire, _ = await websocket(target)
    await wire.say(said({"messageType": "register", "channelID": "c"}))
    wire.writer.write_eof()
    await wire.hear()


# --- MCS ----------------------------------------------------------------------------------------------


def stanza(tag: int, data: bytes) -> bytes:
    return bytes([tag]) + varint(len(data)) + data


def login(chance: random.Random, **fields: object) -> bytes:
    mine = {"id": "chrome-156", "user": str(chance.randrange(1, 2**62)), "auth_token": "7"}
    return b"\x29" + stanza(2, messages.LOGIN_REQUEST.encode(**(mine | fields)))


async def mcs(target: Target) -> Wire:
    return await connect(target.mcs_port, target.tls)


async def strange_logins(target: Target, chance: random.Random) -> None:
    wire = await mcs(target)
    whole = login(chance, received_persistent_id=["x" * 32] * chance.choice([0, 10, 1500]))
    await wire.say(
        chance.choice(
            [
                whole,
                edited(whole, [("put", chance.randrange(60), chance.randbytes(4))]),
                b"\x29" + stanza(2, b"\x52\x00" * chance.choice([100, 1490, 30_000])),
                b"\x29" + stanza(2, b"\x78\x00" * 30_000),
                b"\x29\x02" + b"\xff" * 20,
                b"\x29\x02" + varint(2**40),
                whole[: chance.randrange(len(whole))],
                chance.randbytes(200),
            ]
        )
    )
    await wire.hear()


async def stanzas(target: Target, chance: random.Random) -> None:
    wire = await mcs(target)
    await wire.say(login(chance))
    await wire.hear()
    numbers = (0, 1, 2**62, chance.getrandbits(64))
    for _ in range(chance.randrange(1, 40)):
        last = messages.HEARTBEAT.encode(last_stream_id_received=chance.choice(numbers))
        tag = chance.choice([0, 0, 1, 7, 8, 4, 3, 99])
        await wire.say(stanza(tag, chance.choice([b"", last, b"\x3a\x00" * 2000, b"\xff" * 9])))
    await wire.hear()


async def heartbeats(target: Target, chance: random.Random) -> None:
    wire = await mcs(target)
    await wire.say(login(chance) + stanza(0, b"") * chance.choice([10, 1000, 5000]))


async def no_tls(target: Target, chance: random.Random) -> None:
    wire = await connect(chance.choice([target.mcs_port, target.tls_port]))
    await wire.say(chance.choice([b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", chance.randbytes(99)]))
    await wire.hear()


async def unacknowledged(target: Target, chance: random.Random) -> None:
    """Check in, subscribe, log in, and acknowledge nothing of what is sent."""
    numbers = chance.randrange(1, 2**62), chance.randrange(1, 2**62)
    body = f"app=org.chromium.linux&X-subtype=wp:http://x/%23{numbers[0]}&sender={KEYS.application_server_key}".encode()
    head = {"Authorization": "AidLogin {}:{}".format(*numbers)}
    answer = await http(target, "POST", "/c2dm/register3", body, head)
    token = answer.rpartition(b"token=")[2].decode("latin-1")
    wire = await mcs(target)
    await wire.say(login(chance, user=str(numbers[0]), auth_token=str(numbers[1])))
    await wire.hear()
    for _ in range(chance.choice([3, 30])):
        await post(target, f"/wpush/v2/{token}", chance, target.authorization)


# --- HTTP ---------------------------------------------------------------------------------------------


async def http(target: Target, method: str, path: str, body: bytes = b"", head: dict | None = None):
    """Send one request over a connection of its own, and return the answer."""
    lines = {"Host": "127.0.0.1", "Content-Length": len(body), "Connection": "close"} | (head or {})
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    wire = await connect(target.port)
    try:
        await wire.say(f"{method} {path} HTTP/1.1\r\n{text}\r\n".encode() + body)
        answer = b""
        while chunk := await wire.hear():
            answer += chunk
        return answer
    finally:
        wire.writer.transport.abort()


async def post(target: Target, path: str, chance: random.Random, authorization: str = "") -> None:
    head = {"TTL": chance.choice([0, 0, 1, 60, 10**9]), "Content-Encoding": "aes128gcm"}
    if authorization:
        head["Authorization"] = authorization
    if chance.random() < 0.3:
        head["Topic"] = chance.choice(["a", "b"])
    await http(target, "POST", path, chance.randbytes(chance.choice([0, 200, 4096])), head)


async def endpoints(target: Target, chance: random.Random) -> None:
    path = chance.choice(["/wpush/v2/none", f"/wpush/v2/{chance.getrandbits(192):x}", "/m/none"])
    await post(target, path, chance)


async def check_ins(target: Target, chance: random.Random) -> None:
    body = messages.CHECKIN_REQUEST.encode(android_id=chance.getrandbits(60), security_token=1)
    long = chance.choice([b"\x68\x00" * 30_000, b"\x10\x00" * 1490, chance.randbytes(500), body])
    await http(target, "POST", "/checkin", long)


async def registrations(target: Target, chance: random.Random) -> None:
    body = chance.choice([b"a=%41" * 13_000, b"a&" * 30_000, b"app=x&X-subtype=wp:", b"\xff" * 99])
    await http(target, "POST", "/c2dm/register3", body, {"Authorization": "AidLogin 5:6"})


async def presence(target: Target, chance: random.Random) -> None:
    wire, path = await subscribed(target, chance)
    mine = f"http://127.0.0.1:{target.port}{path}"
    body = json.dumps({"endpoints": [mine] * 500}).encode()
    await http(target, "POST", "/presence", chance.choice([body, b"[[]," * 16_000, b"[" * 60_000]))
    wire.writer.transport.abort()


async def small_chunks(target: Target, chance: random.Random) -> None:
    wire = await connect(target.port)
    head = b"POST /checkin HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    await wire.say(head + b"1\r\nx\r\n" * chance.choice([10, 5000]) + b"0\r\n\r\n")
    await wire.hear()


async def pipelined(target: Target, chance: random.Random) -> None:
    wire = await connect(target.port)
    await wire.say(b"GET /chromium HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * chance.choice([2, 200]))
    await wire.hear()


Move = Callable[[Target, random.Random], Awaitable[None]]

MOVES: tuple[Move, ...] = (
    names, acknowledgements, too_much, heavy, churn, pings, broken_frames, broken_frames, silence,
    unread, half_closed, strange_logins, stanzas, heartbeats, no_tls, unacknowledged, endpoints,
    check_ins, registrations, presence, small_chunks, pipelined,
)  # fmt: skip


async def attack(target: Target, exchanges: int, seed: int, seconds: float, at_once: int = 4) -> int:
    """Have that many exchanges, some at a time, until the time is over; return how many there were.

    The service may cut a connection whenever it likes.
    """
    loop = asyncio.get_running_loop()
    ends, numbers = loop.time() + seconds, iter(range(exchanges))
    done = 0

    async def strangers() -> None:
        nonlocal done
        for number in numbers:
            if loop.time() >= ends:
                return
            chance = random.Random(f"{seed} {number}")
            with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
                await one_exchange(chance.choice(MOVES), target, chance)
            done += 1

    await asyncio.gather(*(strangers() for _ in range(at_once)))
    for writer in target.silent:
        await cut(writer)
    return done


async def one_exchange(move: Move, target: Target, chance: random.Random) -> None:
    """Make a move, and cut whatever connections it has opened."""
    opened: list[asyncio.StreamWriter] = []
    token = OPENED.set(opened)
    try:
        await move(target, chance)
    finally:
        OPENED.reset(token)
        for writer in opened:
            if writer not in target.silent:
                await cut(writer)


async def cut(writer: asyncio.StreamWriter) -> None:
    """End a connection without a goodbye, and wait until its socket is closed."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
