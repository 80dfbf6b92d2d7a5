"""A bench: the real push service on a real port, with user agents and application servers."""

import asyncio
import json
import os
import ssl
import urllib.parse
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClientConnection, websocket_connect

from pushlab.journal import Journal
from pushlab.protocol import base64url, encryption, p256, vapid
from pushlab.protocol.delivery import PushOptions, build_request
from pushlab.protocol.subscription import PushSubscription
from pushlab.pushservice.app import PushService
from pushlab.pushservice.chromium import messages
from pushlab.pushservice.chromium.listeners import ChromiumListeners
from pushlab.pushservice.chromium.protobuf import read_varint, varint


class Clock:
    """A clock in seconds since 1970, which only a test advances."""

    def __init__(self, now: float = 1_700_000_000.0):
        self.now = now

    def __call__(self) -> float:
        return self.now


class UserAgent:
    """Speak Firefox's protocol, one frame at a time, and give the test every frame."""

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

    async def subscribe(self, key: bytes | None = None, channel: str = "channel-1") -> PushSubscription:
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
            {"channelID": n["channelID"], "version": n["version"], "code": code} for n in notifications
        ]
        await self.say({"messageType": "ack", "updates": updates})

    async def hears_nothing(self) -> None:
        """Assert that no frame is on its way: frames keep their order, and the next is the pong."""
        await self.say({})
        assert await self.hear() == {}

    async def disconnect(self) -> None:
        self.connection.close()
        while await self.hear() is not None:
            pass


async def connected(url: str, headers: dict[str, str]) -> UserAgent:
    """Connect a user agent that has sent nothing."""
    return UserAgent(await websocket_connect(HTTPRequest(url, headers=headers)))


class Browser:
    """Speak Chromium's protocol, one frame at a time, and give the test every frame."""

    ANSWERS: ClassVar = {
        1: messages.HEARTBEAT,
        3: messages.LOGIN_RESPONSE,
        8: messages.DATA_MESSAGE_STANZA,
    }

    def __init__(self, listeners: ChromiumListeners, user_agent: str):
        self.listeners, self.user_agent = listeners, user_agent
        self.android_id = self.security_token = 0
        self.private_key, self.auth = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
        self.received = 0
        self.reader: asyncio.StreamReader | None = None

    # --- checkin and registration ---

    async def check_in(self) -> HTTPResponse:
        body = messages.CHECKIN_REQUEST.encode(
            android_id=self.android_id or None, security_token=self.security_token or None
        )
        headers = {"User-Agent": self.user_agent, "Content-Type": "application/x-protobuf"}
        response = await fetch(HTTPRequest(self.listeners.checkin_url, "POST", headers, body))
        answer = messages.CHECKIN_RESPONSE.decode(response.body)
        self.android_id, self.security_token = answer["android_id"], answer["security_token"]
        return response

    async def post_form(self, form: dict | str, authorization: str | None = None) -> HTTPResponse:
        mine = f"AidLogin {self.android_id}:{self.security_token}"
        headers = {
            "User-Agent": self.user_agent,
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": mine if authorization is None else authorization,
        }
        body = form if isinstance(form, str | bytes) else urllib.parse.urlencode(form)
        return await fetch(HTTPRequest(self.listeners.registration_url, "POST", headers, body))

    def form(self, key: bytes, page: str = "http://localhost:8000/", **fields: str) -> dict:
        return {
            "app": "org.chromium.linux",
            "X-subtype": f"wp:{page}#0F3C-V2",
            "device": str(self.android_id),
            "scope": "GCM",
            "sender": base64url.encode(key),
        } | fields

    async def subscribe(self, key: bytes, *page: str) -> PushSubscription:
        answer = (await self.post_form(self.form(key, *page))).body.decode()
        assert answer.startswith("token="), answer
        endpoint = f"https://{self.listeners.hosts[0]}/fcm/send/{answer.removeprefix('token=')}"
        p256dh = p256.raw_public(self.private_key.public_key())
        return PushSubscription(endpoint, p256dh, self.auth)

    async def unsubscribe(self, key: bytes, *page: str) -> None:
        answer = await self.post_form(self.form(key, *page, delete="true", sender="*", scope="*"))
        assert answer.body.startswith(b"token=")

    # --- MCS ---

    async def connect(self) -> None:
        """Connect and finish the TLS handshake, and send nothing."""
        context = trusting(self.listeners.ca_pem)
        port = urllib.parse.urlsplit(self.listeners.mcs_url).port
        self.received = 0
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)

    async def log_in(self, received: tuple[str, ...] = (), **fields: str) -> dict:
        await self.connect()
        login = {
            "id": "chrome-156.0.0.0",
            "user": str(self.android_id),
            "auth_token": str(self.security_token),
            "received_persistent_id": received,
        }
        self.writer.write(bytes([41]))
        self.say(2, messages.LOGIN_REQUEST.encode(**(login | fields)))
        assert await self.reader.readexactly(1) == bytes([41])
        tag, answer = await self.hear()
        assert tag == 3
        return answer

    def say(self, tag: int, message: bytes = b"") -> None:
        self.writer.write(bytes([tag]) + varint(len(message)) + message)

    async def hear(self) -> tuple[int, dict] | None:
        """Return tag and message of the next frame, or None when the connection has ended."""
        tag = await self.reader.read(1)
        if not tag:
            return None
        length = await self.reader.readexactly(1)
        while length[-1] > 0x7F:
            length += await self.reader.readexactly(1)
        data = await self.reader.readexactly(read_varint(length)[0])
        self.received += 1
        return tag[0], self.ANSWERS[tag[0]].decode(data) if data else {}

    async def rest(self) -> bytes:
        """Return all bytes until the connection ends, whether it is closed or reset."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""

    async def message(self) -> dict:
        tag, message = await self.hear()
        assert tag == 8
        return message

    def read(self, message: dict) -> bytes:
        return encryption.decrypt(
            message["raw_data"], ua_private=self.private_key, auth_secret=self.auth
        )

    def ack(self, received: int | None = None) -> None:
        """Send the number of frames received, as Chromium does for ``immediate_ack``."""
        last = self.received if received is None else received
        extension = {"id": 13, "data": b""}
        stanza = {"type": 1, "id": "", "extension": extension, "last_stream_id_received": last}
        self.say(7, messages.IQ_STANZA.encode(**stanza))

    async def hears_nothing(self) -> None:
        """Assert that no frame is on its way: frames keep their order, and the next is the pong."""
        self.say(0)
        assert (await self.hear())[0] == 1

    async def disconnect(self) -> None:
        if self.reader is not None:
            self.reader = None
            self.writer.transport.abort()
            try:
                await self.writer.wait_closed()
            except ConnectionError:
                return  # The service had ended the connection already.


@dataclass
class Sender:
    """An application server: sign and encrypt with the protocol's own code, and send."""

    clock: Clock
    listeners: ChromiumListeners
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
        return await fetch(self.request(subscription, text, **options), self.listeners)


@cache
def trusting(authority: bytes) -> ssl.SSLContext:
    """Return a context that trusts this authority (PEM) alone."""
    return ssl.create_default_context(cadata=authority.decode())


async def fetch(
    request: HTTPRequest | str, listeners: ChromiumListeners | None = None, **options
) -> HTTPResponse:
    """Send one request, and return the response, whatever its status.

    With listeners, requests to their hosts come to this machine, and their certificate is believed.
    """
    client_options = {}
    if listeners is not None:
        here = ("127.0.0.1", listeners.tls_port)
        client_options["hostname_mapping"] = {(host, 443): here for host in listeners.hosts}
        request.ssl_options = trusting(listeners.ca_pem)
    client = AsyncHTTPClient(force_instance=True, **client_options)
    try:
        return await client.fetch(request, raise_error=False, **options)
    finally:
        client.close()


class Bench:
    """One push service, its user agents and application servers; all are closed at the end."""

    def __init__(self, service: PushService, clock: Clock):
        self.service, self.clock, self.journal = service, clock, service.journal
        self._user_agents: list[UserAgent | Browser] = []

    async def user_agent(self, uaid: str | None = None, name: str = "pushlab-virtual") -> UserAgent:
        """Connect a user agent that sends hello; ``uaid`` is the one it got before, if any."""
        agent = await self.stranger(name)
        await agent.hello(uaid)
        return agent

    async def stranger(self, name: str = "pushlab-virtual", **headers: str) -> UserAgent:
        """Connect a user agent that has sent nothing."""
        agent = await connected(self.service.ws_url, {"User-Agent": name} | headers)
        self._user_agents.append(agent)
        return agent

    async def browser(self, name: str = "HeadlessChrome/156.0.0.0", like=None) -> Browser:
        """Let a Chromium check in; with ``like``, as the same browser as that one."""
        browser = Browser(self.service.chromium, name)
        self._user_agents.append(browser)
        if like is None:
            await browser.check_in()
        else:
            browser.android_id, browser.security_token = like.android_id, like.security_token
            browser.private_key, browser.auth = like.private_key, like.auth
        return browser

    async def logged_in(self) -> tuple[Browser, Sender, PushSubscription]:
        """Return a Chromium that has subscribed and logged in, and an application server."""
        browser, sender = await self.browser(), self.sender()
        subscription = await browser.subscribe(sender.key)
        await browser.log_in()
        return browser, sender, subscription

    def sender(self) -> Sender:
        return Sender(self.clock, self.service.chromium)

    async def subscribed(self) -> tuple[UserAgent, Sender, PushSubscription]:
        """Return a connected user agent, an application server, and a subscription."""
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

    async def away(self, agent: UserAgent | Browser) -> str | None:
        """Disconnect a user agent, wait until the service has seen it, and return Firefox's uaid."""
        before = self.last
        await agent.disconnect()
        await self.until("disconnect", before)
        return getattr(agent, "uaid", None)

    def events(self, after: int = 0) -> list[str]:
        """Return what the events of the journal after this number are called."""
        return [event.what for event in self.journal.events(after)]

    @property
    def last(self) -> int:
        return self.journal.last

    def queue(self) -> int:
        """Return the number of messages that wait in the service."""
        return self.service.broker.mailbox.counts()[1]

    async def close(self) -> None:
        while self._user_agents:
            await self._user_agents.pop().disconnect()


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
    """Run ``scenario(bench)`` with a new push service."""

    def run_scenario(scenario, **options):
        async def whole():
            async with opened_bench(**options) as opened:
                await scenario(opened)

        run(whole())

    return run_scenario


@pytest.fixture(scope="module")
def shared_bench(run_in_one_loop):
    """Run ``scenario(bench)``; all that ask for the same options have one push service, one by one.

    Each brings user agents of its own, which go away at its end. What else it changes, it undoes.
    """
    opened: dict[tuple, Bench] = {}
    stack = AsyncExitStack()

    def run_scenario(scenario, **options):
        async def whole():
            if (asked := tuple(options.items())) not in opened:
                opened[asked] = await stack.enter_async_context(opened_bench(**options))
            try:
                await scenario(opened[asked])
            finally:
                await opened[asked].close()
                for connection in list(opened[asked].service._connections):
                    await connection.ended.wait()

        run_in_one_loop(whole())

    yield run_scenario
    run_in_one_loop(stack.aclose())


@pytest.fixture
def open_bench():
    """Open benches in a test, such as several in a row on one database and one port."""
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
