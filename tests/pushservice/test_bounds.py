"""Every bound of the push service has its own response, and clients within it are served."""

import asyncio
import json
import socket

import pytest
from tornado.httpclient import HTTPRequest

from pushlab.errors import QueueFull, TooManySubscriptions
from pushlab.protocol.subscription import PushSubscription
from pushlab.pushservice import app, autopush, broker, mailbox
from pushlab.pushservice.chromium import checkin
from pushlab.pushservice.mailbox import Mailbox, Subscription
from pushlab.server.connections import ConnectionCounter
from pushlab.server.stream import RETRY_SECONDS
from pushlab.settings import patience

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


class Peer:
    """A WebSocket by hand: it answers a ping only when the test says so."""

    @classmethod
    async def to(cls, port: int) -> "Peer":
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        lines = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
        self.writer.write(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{lines}\r\n".encode())
        assert (await self.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        return self

    def say(self, text: bytes, opcode: int = 1) -> None:
        """Write one masked frame (RFC 6455 §5.2); the mask is all zeros."""
        self.writer.write(bytes([0x80 | opcode, 0x80 | len(text)]) + bytes(4) + text)

    def hello(self) -> None:
        self.say(b'{"messageType":"hello","use_webpush":true}')

    async def frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame; opcode 0 is the end of the connection."""
        try:
            head = await self.reader.readexactly(2)
            size = head[1]
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            return head[0] & 0xF, await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return 0, b""

    async def disconnect(self) -> None:
        self.writer.transport.abort()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return  # The service had ended the connection already.


TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def test_without_a_hello_a_connection_ends_and_with_one_it_may_be_silent(bench, monkeypatch):
    monkeypatch.setattr(autopush, "HELLO_SECONDS", 1.5)

    async def scenario(bench):
        polite, mute = await Peer.to(bench.service.port), await Peer.to(bench.service.port)
        polite.hello()
        assert (await polite.frame())[0] == TEXT
        opcode, reason = await mute.frame()
        assert opcode == CLOSE and reason[:2] == (1008).to_bytes(2, "big") and b"hello" in reason
        assert (await mute.frame())[0] == 0
        polite.say(b"{}")
        assert await polite.frame() == (TEXT, b"{}")
        await mute.disconnect()
        await polite.disconnect()

    bench(scenario)


def test_without_a_pong_a_connection_ends_and_with_one_it_stays(bench, monkeypatch):
    monkeypatch.setattr(app, "PING_SECONDS", patience(0.5))

    async def scenario(bench):
        there, gone = await Peer.to(bench.service.port), await Peer.to(bench.service.port)
        for peer in (there, gone):
            peer.hello()
            assert (await peer.frame())[0] == TEXT

        async def pings(answered: bool, peer: Peer, most: int) -> int:
            """Count the pings until the service closes the connection, or until there were ``most``."""
            for count in range(most):
                opcode, payload = await peer.frame()
                if opcode == CLOSE:
                    return count
                assert opcode == PING
                if answered:
                    peer.say(payload, PONG)
            return most

        assert await asyncio.gather(pings(True, there, 5), pings(False, gone, 5)) == [5, 1]
        await gone.disconnect()  # Tornado would give it five seconds to answer the Close frame.
        await bench.until("disconnect")
        assert bench.service.broker.connected() == 1
        await there.disconnect()

    bench(scenario)


async def crammed(bench, stream, send) -> int:
    """Send messages until the connection is cut; return how many were sent."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    last = bench.last
    for count in range(1, 3000):
        await send()
        if "disconnect" in bench.events(last):
            return count
        last = bench.last
    raise AssertionError("it is still connected")


def test_a_websocket_that_is_never_read_is_cut_off(bench, monkeypatch):
    monkeypatch.setattr(broker, "UNREAD_EACH", 1000)  # 18 messages and more, whatever TCP takes

    async def scenario(bench):
        reading, sender, somebody = await bench.subscribed()
        peer = await Peer.to(bench.service.port)
        peer.hello()
        await peer.frame()
        peer.say(b'{"messageType":"register","channelID":"channel"}')
        _, answer = await peer.frame()
        endpoint = json.loads(answer)["pushEndpoint"]
        subscription = PushSubscription(endpoint, somebody.p256dh, somebody.auth)
        peer.writer.transport.pause_reading()
        [handler] = [one for one in bench.service._connections if one.user_agent != reading.uaid]

        async def send() -> None:
            assert (await sender.send(subscription, b"x" * 3993, ttl=0)).code == 201

        assert await crammed(bench, handler.ws_connection.stream, send) > 10
        await peer.disconnect()
        assert bench.service.broker.connected() == 1
        await reading.hears_nothing()

    bench(scenario)


def test_an_mcs_connection_that_is_never_read_is_cut_off(bench, monkeypatch):
    monkeypatch.setattr(broker, "UNREAD_EACH", 500)  # 12 messages and more, whatever TCP takes

    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        [connection] = bench.service._chromium._mcs._connections
        browser.writer.transport.pause_reading()

        async def send() -> None:
            assert (await sender.send(subscription, b"x" * 3993, ttl=0)).code == 201

        assert await crammed(bench, connection._stream, send) > 10
        await browser.disconnect()

    bench(scenario)


def test_one_websocket_too_many(bench, http, monkeypatch):
    monkeypatch.setattr(autopush, "MAX_CONNECTIONS", 2)

    async def scenario(bench):
        first, second = await bench.user_agent(), await bench.user_agent()
        refused = await http(HTTPRequest(bench.service.origin + "/", headers=HANDSHAKE))
        assert refused.code == 503 and refused.headers["Retry-After"] == str(RETRY_SECONDS)
        assert json.loads(refused.body)["error"]["id"] == "too-many-connections"
        await bench.away(first)
        await bench.user_agent()
        await second.hears_nothing()

    bench(scenario)


def test_too_many_subscriptions_of_one_user_agent(bench, monkeypatch):
    monkeypatch.setattr(mailbox, "MAX_CHANNELS", 2)

    async def scenario(bench):
        agent, other = await bench.user_agent(), await bench.user_agent()
        for channel in ("one", "two"):
            assert (await agent.register(channel))["status"] == 200
        refused = await agent.register("three")
        assert (refused["status"], refused["error"]) == (503, "too-many-subscriptions")
        assert (await agent.register("two"))["status"] == 200, "that one is known"
        assert (await other.register("three"))["status"] == 200, "and that one is another's"

    bench(scenario)


def test_too_many_changes_in_a_minute(bench, monkeypatch):
    monkeypatch.setattr(autopush, "MAX_CHANGES", 4)

    async def scenario(bench):
        agent, other = await bench.user_agent(), await bench.user_agent()
        for _ in range(2):
            assert (await agent.register("one"))["status"] == 200
            await agent.say({"messageType": "unregister", "channelID": "one"})
            assert (await agent.hear())["status"] == 200
        last = bench.last
        refused = {"channelID": "one", "status": 429, "error": "too-many-requests"}
        assert await agent.register("one") == refused | {"messageType": "register"}
        await agent.say({"messageType": "unregister", "channelID": "one"})
        assert await agent.hear() == refused | {"messageType": "unregister"}
        assert bench.events(last) == []
        assert (await other.register("one"))["status"] == 200, "that one is another's"
        for handler in bench.service._connections:
            handler._changes_until = 0.0  # a minute later
        assert (await agent.register("one"))["status"] == 200

    bench(scenario)


def test_too_many_subscriptions_of_a_chromium_get_the_error_of_its_protocol(bench, monkeypatch):
    monkeypatch.setattr(mailbox, "MAX_CHANNELS", 1)

    async def scenario(bench):
        browser, sender = await bench.browser(), bench.sender()
        await browser.subscribe(sender.key)
        form = browser.form(sender.key, "http://localhost:9000/")
        refused = await browser.post_form(form)
        assert (refused.code, refused.body) == (200, b"Error=TOO_MANY_REGISTRATIONS")

    bench(scenario)


def test_too_many_subscriptions_in_all(monkeypatch):
    monkeypatch.setattr(mailbox, "MAX_SUBSCRIPTIONS", 2)
    box = Mailbox()
    for number in range(2):
        box.apply(box.subscribe(Subscription(f"token {number}", f"agent {number}", "channel")))
    with pytest.raises(TooManySubscriptions):
        box.subscribe(Subscription("token 2", "agent 2", "channel"))
    box.apply(box.unsubscribe("agent 0", "channel"))
    assert box.subscribe(Subscription("token 2", "agent 2", "channel"))


def test_too_many_messages_in_all(monkeypatch):
    monkeypatch.setattr(mailbox, "MAX_MESSAGES", 2)
    box = Mailbox()
    subscription = Subscription("token", "agent", "channel")

    def post(id: str, topic: str | None = None, ttl: int = 60) -> None:
        about = {"body": b"", "urgency": "normal", "now": 0}
        box.apply(box.post(subscription, id=id, ttl=ttl, topic=topic, **about)[1])

    box.apply(box.subscribe(subscription))
    post("one", "news")
    post("two")
    with pytest.raises(QueueFull):
        post("three")
    post("three", "news")  # replaces another
    post("four", ttl=0)  # needs no room
    assert [message.id for message in box.waiting("agent", 0)] == ["two", "three"]


def test_of_many_browsers_the_oldest_is_forgotten_and_keeps_its_subscription(bench, monkeypatch):
    monkeypatch.setattr(checkin, "MAX_BROWSERS", 2)

    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await bench.away(browser)
        for _ in range(3):
            await bench.browser()
        assert len(bench.service._browsers._tokens) == len(bench.service._browsers._names) == 2
        await browser.log_in()
        assert (await sender.send(subscription, b"still there")).code == 201
        assert browser.read(await browser.message()) == b"still there"
        browser.ack()

    bench(scenario)


def test_a_system_that_refuses_keepalive_leaks_no_connection(bench, monkeypatch):
    connections = ConnectionCounter(lambda: 3)
    monkeypatch.setattr("pushlab.pushservice.chromium.mcs.CONNECTIONS", connections)

    async def scenario(bench):
        browser = await bench.browser()
        with monkeypatch.context() as refusing:
            refusing.setattr(
                "pushlab.server.connections.KEEPALIVE_SECONDS", -10
            )  # Linux and macOS take no such time.
            for _ in range(5):
                with pytest.raises((OSError, asyncio.IncompleteReadError)):
                    await browser.log_in()
        await browser.log_in()
        assert sum(connections._taken.values()) == 1

    bench(scenario)


def test_a_connection_too_many_at_the_mcs_port_is_cut_off_and_the_next_is_taken(bench, monkeypatch):
    monkeypatch.setattr("pushlab.pushservice.chromium.mcs.CONNECTIONS", ConnectionCounter(lambda: 1))

    async def scenario(bench):
        first, late = await bench.browser(), await bench.browser()
        await first.log_in()
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await late.log_in()
        await bench.away(first)
        await late.log_in()

    bench(scenario)
