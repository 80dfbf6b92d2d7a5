"""A bench: the real push service on a real port, with user agents and application servers at it."""

import asyncio
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClientConnection, websocket_connect

from pushlab.journal import Journal
from pushlab.protocol import base64url, encryption, p256, vapid
from pushlab.protocol.delivery import PushOptions, build_request
from pushlab.protocol.subscription import PushSubscription
from pushlab.pushservice.app import PushService


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self, now: float = 1_700_000_000.0):
        self.now = now

    def __call__(self) -> float:
        return self.now


class UserAgent:
    """Speak Firefox's protocol, one frame at a time, and hide nothing of it."""

    def __init__(self, connection: WebSocketClientConnection):
        self.connection, self.uaid, self.ended = connection, None, False
        self.private_key, self.auth = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)

    async def say(self, message: object) -> None:
        text = message if isinstance(message, str | bytes) else json.dumps(message)
        await self.connection.write_message(text, binary=isinstance(text, bytes))

    async def hear(self) -> dict | None:
        """Return the next frame, or None when the connection has ended."""
        if self.ended:
            return None
        frame = await self.connection.read_message()
        self.ended = frame is None
        return None if frame is None else json.loads(frame)

    async def hello(self, uaid: str | None = None) -> dict:
        message = {"messageType": "hello", "broadcasts": {}, "use_webpush": True}
        await self.say(message | ({"uaid": uaid} if uaid else {}))
        answer = await self.hear()
        self.uaid = answer["uaid"]
        return answer

    async def register(self, channel: str = "channel-1", key: bytes | None = None) -> dict:
        message = {"channelID": channel, "messageType": "register"}
        if key is not None:
            # Firefox pads: 65 bytes are 87 characters and one "=".
            message["key"] = base64url.encode(key) + "="
        await self.say(message)
        return await self.hear()

    async def subscribe(
        self, key: bytes | None = None, channel: str = "channel-1"
    ) -> PushSubscription:
        answer = await self.register(channel, key)
        assert answer["status"] == 200, answer
        p256dh = p256.raw_public(self.private_key.public_key())
        return PushSubscription(answer["pushEndpoint"], p256dh, self.auth)

    async def notification(self) -> dict:
        message = await self.hear()
        assert message is not None and message["messageType"] == "notification", message
        return message

    def read(self, notification: dict) -> bytes:
        body = base64url.decode(notification["data"])
        return encryption.decrypt(body, ua_private=self.private_key, auth_secret=self.auth)

    async def ack(self, *notifications: dict, code: int = 100) -> None:
        updates = [
            {"channelID": n["channelID"], "version": n["version"], "code": code}
            for n in notifications
        ]
        await self.say({"messageType": "ack", "updates": updates})

    async def hears_nothing(self) -> None:
        """Assert that nothing is on its way: frames keep their order, and the next is the pong."""
        await self.say({})
        assert await self.hear() == {}

    async def leave(self) -> None:
        self.connection.close()
        while await self.hear() is not None:
            pass


@dataclass
class Sender:
    """An application server: sign and encrypt with the protocol's own code, and send."""

    clock: Clock
    private_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def key(self) -> bytes:
        return p256.raw_public(self.private_key.public_key())

    def authorization(self, subscription: PushSubscription, **claims) -> str:
        told = {"aud": subscription.origin, "exp": int(self.clock()) + 3600} | claims
        return vapid.authorization(vapid.sign(vapid.Claims(**told), self.private_key), self.key)

    def request(self, subscription: PushSubscription, text: bytes | None, **options) -> HTTPRequest:
        body = b""
        if text is not None:
            body = encryption.encrypt(
                text,
                subscription,
                as_private=ec.generate_private_key(ec.SECP256R1()),
                salt=os.urandom(16),
            )
        built = build_request(
            subscription, body, self.authorization(subscription), PushOptions(**options)
        )
        return HTTPRequest(built.url, "POST", headers=dict(built.headers), body=built.body)

    async def send(
        self, subscription: PushSubscription, text: bytes | None = b"hello", **options
    ) -> HTTPResponse:
        return await fetch(self.request(subscription, text, **options))


async def fetch(request: HTTPRequest | str, **options) -> HTTPResponse:
    """Send one request. An answer of whatever status is an answer."""
    client = AsyncHTTPClient(force_instance=True)
    try:
        return await client.fetch(request, raise_error=False, **options)
    finally:
        client.close()


class Bench:
    """One push service, and all who talk to it; everything is closed at the end."""

    def __init__(self, service: PushService, clock: Clock):
        self.service, self.clock, self.journal = service, clock, service.journal
        self._user_agents: list[UserAgent] = []

    async def user_agent(self, uaid: str | None = None, name: str = "pushlab-virtual") -> UserAgent:
        """Connect a user agent and let it say hello; with ``uaid`` it has been here before."""
        agent = await self.stranger(name)
        await agent.hello(uaid)
        return agent

    async def stranger(self, name: str = "pushlab-virtual", **headers: str) -> UserAgent:
        """Connect a user agent that has not said a word."""
        request = HTTPRequest(self.service.ws_url, headers={"User-Agent": name} | headers)
        agent = UserAgent(await websocket_connect(request))
        self._user_agents.append(agent)
        return agent

    def sender(self) -> Sender:
        return Sender(self.clock)

    async def subscribed(self) -> tuple[UserAgent, Sender, PushSubscription]:
        """Return a connected user agent, an application server, and what binds them."""
        agent, sender = await self.user_agent(), self.sender()
        return agent, sender, await agent.subscribe(sender.key)

    async def until(self, what: str, after: int = 0) -> None:
        """Wait until the journal holds this event."""
        found = asyncio.Event()

        def tell(event) -> None:
            if event.what == what:
                found.set()

        unsubscribe = self.journal.subscribe(tell)
        if any(event.what == what for event in self.journal.events(after)):
            found.set()
        await found.wait()
        unsubscribe()

    async def away(self, agent: UserAgent) -> str:
        """Let a user agent leave, wait until the service has seen it, and return its uaid."""
        before = self.journal.events()[-1].number
        await agent.leave()
        await self.until("disconnect", before)
        return agent.uaid

    def story(self, after: int = 0) -> list[str]:
        return [event.what for event in self.journal.events(after)]

    @property
    def last(self) -> int:
        return self.journal.events()[-1].number

    def queue(self) -> int:
        """Return the number of messages that wait in the service."""
        return self.service.office.mailbox.counts()[1]

    async def close(self) -> None:
        for agent in self._user_agents:
            await agent.leave()


@asynccontextmanager
async def opened_bench(clock: Clock | None = None, port: int = 0, **options):
    clock = clock or Clock()
    service = PushService(clock=clock, journal=Journal(clock=clock), **options)
    await service.start(port)
    bench = Bench(service, clock)
    try:
        yield bench
    finally:
        await bench.close()
        await service.stop()


@pytest.fixture
def bench(run):
    """Run ``scenario(bench)`` against a push service of its own."""

    def run_scenario(scenario, **options):
        async def whole():
            async with opened_bench(**options) as opened:
                await scenario(opened)

        run(whole())

    return run_scenario


@pytest.fixture
def open_bench():
    """Open a bench by hand: several in a row, on one database and one port."""
    return opened_bench


@pytest.fixture
def http():
    """Send one request and return the answer."""
    return fetch


@pytest.fixture
def raw():
    """Send bytes to a port, and return all that comes back until the connection ends."""

    async def exchange(port: int, data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(data)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()

    return exchange
