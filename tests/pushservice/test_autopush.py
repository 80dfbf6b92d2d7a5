"""For user agents: Firefox's protocol over a real WebSocket, with valid and invalid messages."""

import asyncio
import base64
import gc
import json
import logging
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClosedError, websocket_connect

from pushlab.protocol import base64url
from pushlab.protocol.delivery import PushOptions
from pushlab.pushservice.autopush import MAX_FRAME, MAX_UPDATES, REMEMBERED, AutopushHandler
from pushlab.pushservice.broker import MAX_WINDOW
from pushlab.pushservice.mailbox import Message

from ..run.chance import examples

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36"


# --- hello ---------------------------------------------------------------------------------------


def test_hello(bench):
    async def scenario(bench):
        answer = await (await bench.stranger()).hello()
        uaid = answer.pop("uaid")
        assert len(uaid) == 32 and bytes.fromhex(uaid)
        assert answer == {"messageType": "hello", "status": 200, "use_webpush": True, "broadcasts": {}}

    bench(scenario)


def test_the_subprotocol_is_echoed_when_offered(bench):
    async def scenario(bench):
        for offered in (["push-notification"], ["other", "push-notification"], None, ["other"]):
            connection = await websocket_connect(bench.service.ws_url, subprotocols=offered)
            wanted = "push-notification" if "push-notification" in (offered or []) else None
            assert connection.selected_subprotocol == wanted
            connection.close()
            assert await connection.read_message() is None

    bench(scenario)


def test_a_known_user_agent_keeps_its_name_and_an_unknown_one_gets_a_new_one(bench):
    async def scenario(bench):
        agent, _, _ = await bench.subscribed()
        uaid = await bench.away(agent)
        assert (await (await bench.stranger()).hello(uaid))["uaid"] == uaid
        made_up = "f" * 32
        assert (await (await bench.stranger()).hello(made_up))["uaid"] != made_up

    bench(scenario)


def test_the_name_of_a_chromium_is_none_here(bench, caplog):
    """Each protocol has names of its own: a channel made here would be no channel of Chromium's."""

    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        name = f"chromium:{browser.android_id}:{browser.security_token}"
        thief = await bench.stranger()
        assert bench.service.broker.mailbox.knows(name)
        assert (await thief.hello(name))["uaid"] != name
        await thief.register("no-space")
        await bench.away(browser)
        await sender.send(subscription, b"hello")
        await browser.log_in()
        assert browser.read(await browser.message()) == b"hello"

    bench(scenario)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_visitor_without_subscriptions_leaves_no_trace(bench):
    async def scenario(bench):
        visitor = await bench.user_agent()
        uaid = await bench.away(visitor)
        assert bench.service.broker.connected() == 0 and not bench.service._connections
        assert (await (await bench.stranger()).hello(uaid))["uaid"] != uaid
        # The same is true of a user agent that had a subscription and has ended it.
        agent, _, _ = await bench.subscribed()
        await agent.say({"messageType": "unregister", "channelID": "channel-1"})
        await agent.hear()
        uaid = await bench.away(agent)
        assert (await (await bench.stranger()).hello(uaid))["uaid"] != uaid

    bench(scenario)


@pytest.mark.parametrize(
    "header, who",
    [
        (FIREFOX, "Firefox"),
        (CHROME, "Chrome"),
        ("pushlab-virtual", "Virtual"),
        ("pushlab-virtual (Ada Lovelace)", "Ada Lovelace"),
        ("pushlab-virtual (" + "x" * 41 + ")", "Browser"),
        ("curl/8.0", "Browser"),
        ("", "Browser"),
    ],
)
def test_the_display_name_comes_from_the_handshake_and_survives_a_restart(bench, header, who):
    async def scenario(bench):
        agent, sender = await bench.user_agent(name=header), bench.sender()
        subscription = await agent.subscribe(sender.key)
        await bench.away(agent)
        await sender.send(subscription)
        assert {event.who for event in bench.journal.events()} == {who}
        assert bench.service._store.read().subscribed[0].display_name == who

    bench(scenario)


# --- register and unregister ---------------------------------------------------------------------


def test_register(bench):
    async def scenario(bench):
        agent, sender = await bench.user_agent(), bench.sender()
        answer = await agent.register("1f5c-UPPER-lower", sender.key)
        endpoint = answer.pop("pushEndpoint")
        assert answer == {"messageType": "register", "channelID": "1f5c-UPPER-lower", "status": 200}
        head, token = endpoint.rsplit("/", 1)
        assert head == f"{bench.service.origin}/wpush/v2" and len(base64url.decode(token)) == 24
        assert bench.events() == ["connect", "subscribe", "endpoint"]

    bench(scenario)


def test_registering_again_gives_the_same_endpoint_and_never_another_key(bench):
    async def scenario(bench):
        agent, sender = await bench.user_agent(), bench.sender()
        first = await agent.register(key=sender.key)
        assert await agent.register(key=sender.key) == first
        answer = await agent.register(key=bench.sender().key)
        assert (answer["status"], answer["error"]) == (400, "bad-field")
        assert (await agent.register("other", sender.key))["pushEndpoint"] != first["pushEndpoint"]
        assert bench.service.broker.mailbox.counts() == (2, 0)

    bench(scenario)


GOOD = base64.urlsafe_b64encode(bytes([4]) + bytes(64)).decode()
BAD_KEYS = {
    "empty": "",
    "no base64url": "?" * 87,
    "standard base64": "+/" * 43,
    "too short": "BA==",
    "no point": GOOD,
    "compressed": base64.urlsafe_b64encode(bytes([2]) + bytes(32)).decode(),
    "not ASCII": "é" * 87,
    "a number": 4,
    "a list": ["BA"],
}


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_bad_key_is_refused_and_the_connection_lives_on(bench, key):
    async def scenario(bench):
        agent, sender = await bench.user_agent(), bench.sender()
        await agent.say({"messageType": "register", "channelID": "c", "key": key})
        answer = await agent.hear()
        assert (answer["messageType"], answer["channelID"], answer["status"]) == ("register", "c", 400)
        assert "pushEndpoint" not in answer
        assert bench.service.broker.mailbox.counts() == (0, 0)
        assert (await agent.register("c", sender.key))["status"] == 200

    bench(scenario)


def test_a_key_with_and_without_padding(bench):
    async def scenario(bench):
        agent, sender = await bench.user_agent(), bench.sender()
        for padding in ("", "="):
            key = base64url.encode(sender.key) + padding
            await agent.say({"messageType": "register", "channelID": "c", "key": key})
            assert (await agent.hear())["status"] == 200
        assert bench.service.broker.mailbox.channel(agent.uaid, "c").key == sender.key

    bench(scenario)


def test_unregister_is_answered_whether_or_not_there_was_something(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        for channel in ("never", "channel-1", "channel-1"):
            await agent.say({"messageType": "unregister", "channelID": channel, "code": 200})
            answer = {"messageType": "unregister", "channelID": channel, "status": 200}
            assert await agent.hear() == answer
        assert (await sender.send(subscription)).code == 410

    bench(scenario)


def test_a_subscription_ends_with_its_messages_and_the_others_stay(bench):
    async def scenario(bench):
        agent, sender, first = await bench.subscribed()
        second = await agent.subscribe(sender.key, channel="second")
        uaid = await bench.away(agent)
        await sender.send(first, b"lost")
        await sender.send(second, b"kept")
        again = await bench.stranger()
        await again.hello(uaid)
        notifications = [await again.notification(), await again.notification()]
        assert [n["channelID"] for n in notifications] == ["channel-1", "second"]
        await again.say({"messageType": "unregister", "channelID": "channel-1"})
        await again.hear()
        await bench.away(again)
        again = await bench.user_agent(uaid)
        assert agent.read(await again.notification()) == b"kept"
        await again.hears_nothing()

    bench(scenario)


# --- notifications and acknowledgements ----------------------------------------------------------


def test_a_message_is_repeated_until_acknowledged(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await sender.send(subscription, b"again and again")
        first = await agent.notification()
        for _ in range(3):
            await bench.away(agent)
            agent = await bench.user_agent(agent.uaid)
            assert await agent.notification() == first
        await agent.ack(first)
        await agent.hears_nothing()
        await bench.away(agent)
        agent = await bench.user_agent(agent.uaid)
        await agent.hears_nothing()
        assert bench.queue() == 0

    bench(scenario)


@pytest.mark.parametrize("code", [100, 101, 102, 0, -1, 99999, None])
def test_any_code_acknowledges(bench, code):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await sender.send(subscription)
        await agent.ack(await agent.notification(), code=code)
        await agent.hears_nothing()
        assert bench.queue() == 0
        assert bench.journal.events()[-1].detail == {"code": code}

    bench(scenario)


@pytest.mark.parametrize("at_once", [True, False])
def test_several_messages_with_one_ack_and_with_many(bench, at_once):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        texts = [f"message {number}".encode() for number in range(10)]
        for text in texts:
            await sender.send(subscription, text)
        notifications = [await agent.notification() for _ in texts]
        assert [agent.read(n) for n in notifications] == texts
        for acknowledged in [notifications] if at_once else [[n] for n in notifications]:
            await agent.ack(*acknowledged)
        await agent.hears_nothing()
        assert bench.queue() == 0
        assert bench.events()[-10:] == ["acknowledge"] * 10

    bench(scenario)


def test_what_is_not_acknowledged_comes_again_and_nothing_else(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        for text in (b"1", b"2", b"3"):
            await sender.send(subscription, text)
        notifications = [await agent.notification() for _ in range(3)]
        await agent.ack(notifications[1])
        # Acks that are incomplete or wrong acknowledge nothing.
        await agent.say({"messageType": "ack", "updates": [{"channelID": "channel-1", "code": 102}]})
        await agent.say({"messageType": "ack", "updates": [{"version": "made up", "code": 100}]})
        await agent.say({"messageType": "ack", "updates": []})
        await agent.hears_nothing()
        await bench.away(agent)
        again = await bench.user_agent(agent.uaid)
        assert [agent.read(await again.notification()) for _ in range(2)] == [b"1", b"3"]
        await again.hears_nothing()

    bench(scenario)


def test_a_browser_cannot_acknowledge_messages_of_another(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        thief, _, _ = await bench.subscribed()
        await sender.send(subscription)
        notification = await agent.notification()
        await thief.ack(notification)
        await thief.hears_nothing()
        assert bench.queue() == 1
        await agent.ack(notification)
        await agent.hears_nothing()
        assert bench.queue() == 0

    bench(scenario)


def test_the_journal_is_told_of_each_message_once_and_of_nothing_else(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        thief, _, _ = await bench.subscribed()
        await sender.send(subscription, b"stored")
        await sender.send(subscription, b"now", ttl=0)
        had = [await agent.notification(), await agent.notification()]
        before = bench.last
        made_up = [{"channelID": "channel-1", "version": str(number)} for number in range(90)]
        await thief.ack(*had)
        await thief.hears_nothing()
        for _ in range(2):
            await agent.ack(*made_up, *had, *had)
            await agent.say({"messageType": "ack", "updates": [{}] * MAX_UPDATES})
        for version in (had[0]["version"], had[0]["version"], "made up", None):
            await agent.say({"messageType": "nack", "version": version, "code": 301})
        await agent.hears_nothing()
        assert bench.events(before) == ["acknowledge", "acknowledge", "nack"]

    bench(scenario)


def test_a_nack_is_recorded_and_leaves_nothing_waiting(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await sender.send(subscription)
        version = (await agent.notification())["version"]
        await agent.say({"messageType": "nack", "version": version, "code": 301})
        await agent.hears_nothing()
        assert bench.queue() == 0
        last = bench.journal.events()[-1]
        assert (last.what, dict(last.detail)) == ("nack", {"code": 301})

    bench(scenario)


def test_ttl_0_connected_and_not_connected(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        response = await sender.send(subscription, b"now", ttl=0)
        assert (response.code, response.headers["TTL"]) == (201, "0")
        assert agent.read(await agent.notification()) == b"now"
        await bench.away(agent)
        assert (await sender.send(subscription, b"never", ttl=0)).code == 201
        await sender.send(subscription, b"later", ttl=1)
        agent_again = await bench.user_agent(agent.uaid)
        assert agent.read(await agent_again.notification()) == b"later"
        await agent_again.hears_nothing()

    bench(scenario)


def test_a_message_outlives_its_ttl_by_not_one_second(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        uaid = await bench.away(agent)
        await sender.send(subscription, b"short", ttl=10)
        await sender.send(subscription, b"long", ttl=11)
        bench.clock.now += 10
        again = await bench.user_agent(uaid)
        assert agent.read(await again.notification()) == b"long"
        await again.hears_nothing()
        assert bench.queue() == 1

    bench(scenario)


def test_delivered_but_not_acknowledged_expires_too(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await sender.send(subscription, ttl=10)
        notification = await agent.notification()
        uaid = await bench.away(agent)
        bench.clock.now += 10
        again = await bench.user_agent(uaid)
        await again.hears_nothing()
        await again.ack(notification)  # late, and harmless
        await again.hears_nothing()

    bench(scenario)


def test_topic_delivery_replacement_expiry_and_none_after_ack(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await sender.send(subscription, b"live", topic="x")
        notification = await agent.notification()
        assert agent.read(notification) == b"live"
        await agent.ack(notification)
        await agent.hears_nothing()
        uaid = await bench.away(agent)
        for text, options in [
            (b"x1", {"topic": "x"}),
            (b"no topic", {}),
            (b"x2", {"topic": "x"}),
            (b"y1", {"topic": "y"}),
            (b"x3", {"topic": "x", "ttl": 50}),
            (b"z1", {"topic": "z", "ttl": 5}),
        ]:
            assert (await sender.send(subscription, text, **options)).code == 201
        bench.clock.now += 5
        again = await bench.user_agent(uaid)
        notifications = [await again.notification() for _ in range(3)]
        assert [agent.read(n) for n in notifications] == [b"no topic", b"y1", b"x3"]
        await again.ack(*notifications)
        await again.hears_nothing()
        await bench.away(again)
        await (await bench.user_agent(uaid)).hears_nothing()

    bench(scenario)


def test_a_topic_replaces_what_was_sent_and_not_acknowledged(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await sender.send(subscription, b"old", topic="x")
        old = await agent.notification()
        await sender.send(subscription, b"new", topic="x")
        assert agent.read(await agent.notification()) == b"new"
        await agent.ack(old)
        await agent.hears_nothing()
        await bench.away(agent)
        again = await bench.user_agent(agent.uaid)
        assert agent.read(await again.notification()) == b"new"
        await again.hears_nothing()

    bench(scenario)


def test_two_user_agents_each_get_their_own(bench):
    async def scenario(bench):
        both = [await bench.subscribed() for _ in range(2)]
        for number, (_, sender, subscription) in enumerate(both):
            await sender.send(subscription, str(number).encode())
        for number, (agent, _, _) in enumerate(both):
            assert agent.read(await agent.notification()) == str(number).encode()
            await agent.hears_nothing()

    bench(scenario)


def test_ping_and_broadcast(bench):
    async def scenario(bench):
        agent = await bench.user_agent()
        await agent.say({})
        assert await agent.hear() == {}
        await agent.say({"messageType": "broadcast_subscribe", "broadcasts": {"a/b": "v1"}})
        assert await agent.hear() == {"messageType": "broadcast", "broadcasts": {}}

    bench(scenario)


# --- connections ---------------------------------------------------------------------------------


def test_the_newest_connection_wins(bench):
    async def scenario(bench):
        older, sender, subscription = await bench.subscribed()
        newer = await bench.user_agent(older.uaid)
        assert await older.hear() is None
        assert older.connection.close_code == 1001
        await sender.send(subscription, b"hello")
        assert older.read(await newer.notification()) == b"hello"
        assert bench.service.broker.connected() == 1
        assert "disconnect" not in bench.events()

    bench(scenario)


async def handshake(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a WebSocket by hand, so that nothing answers a Close frame, as with Firefox."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return reader, writer


def frame(text: bytes, opcode: int = 1) -> bytes:
    """Return a masked frame (RFC 6455 §5.2); the mask is all zeros."""
    length = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + bytes(4) + text


def test_a_closed_connection_ends_at_once_though_the_user_agent_never_answers_the_close(
    bench, monkeypatch
):
    def never(loop, deadline, callback):
        return loop.call_later(10**6, callback)

    async def scenario(bench):
        agent, _, _ = await bench.subscribed()
        await bench.away(agent)
        reader, writer = await handshake(bench.service.port)
        writer.write(frame(json.dumps({"messageType": "hello", "uaid": agent.uaid}).encode()))
        await reader.readuntil(b'"broadcasts": {}}')
        # Tornado alone would wait five seconds for the answer. Here they do not pass.
        with monkeypatch.context() as patch:
            patch.setattr(IOLoop, "add_timeout", never)
            await bench.user_agent(agent.uaid)
            rest = await reader.read()
        assert rest.startswith(b"\x88") and rest[2:4] == (1001).to_bytes(2, "big")
        writer.close()
        await writer.wait_closed()

    bench(scenario)


def test_a_connection_that_breaks_keeps_its_messages(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        before = bench.last
        agent.connection.protocol.stream.close()  # without a Close frame
        await bench.until("disconnect", before)
        await sender.send(subscription, b"kept")
        again = await bench.user_agent(agent.uaid)
        assert agent.read(await again.notification()) == b"kept"

    bench(scenario)


def test_a_handshake_from_a_page_is_refused_in_json(bench, http):
    async def scenario(bench):
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}  # fmt: skip
        url = bench.service.origin + "/"
        for headers, status in [
            (upgrade | {"Origin": "https://evil.example"}, 403),
            (upgrade | {"Origin": "null"}, 403),
            (upgrade | {"Origin": "http://127.0.0.1:1"}, 403),
            (upgrade | {"Origin": bench.service.origin + "0"}, 403),
            (upgrade | {"Origin": bench.service.origin, "Host": "evil.example"}, 421),
            (upgrade | {"Connection": "close"}, 400),
            (upgrade | {"Sec-WebSocket-Version": "7"}, 426),
            ({name: upgrade[name] for name in upgrade if name != "Sec-WebSocket-Key"}, 400),
        ]:
            response = await http(HTTPRequest(url, headers=headers))
            assert response.code == status
            if status != 426:
                code = {403: "cross-origin", 421: "wrong-host", 400: "request-error"}[status]
                assert json.loads(response.body)["error"]["id"] == code
        with pytest.raises(HTTPClientError):
            await bench.stranger(Origin="https://evil.example")
        firefox = await bench.stranger(Origin=bench.service.ws_url)
        assert await firefox.hello()
        library = await bench.stranger(Origin=bench.service.origin)  # Python's websocket-client
        assert await library.hello()

    bench(scenario)


@pytest.mark.parametrize("frame", [b"\x81\x02{}", b"\x89\x00", b"\x81\x7e\x00\x80" + b"x" * 128])
def test_a_frame_without_a_mask_ends_the_connection(bench, frame):
    """RFC 6455 §5.1: the server MUST close the connection, and may say 1002."""

    async def scenario(bench):
        masked = await bench.stranger()
        assert await masked.hello()
        agent = await bench.stranger()
        agent.connection.protocol.stream.write(frame)
        assert await agent.hear() is None
        assert agent.connection.close_code == 1002

    bench(scenario)


# --- what makes no sense -------------------------------------------------------------------------

HELLO = {"messageType": "hello"}
NONSENSE = {
    "no JSON": "not json",
    "half of JSON": '{"messageType": "reg',
    "a JSON list": [],
    "a JSON number": "5",
    "null": "null",
    "deep": "[" * 100_000,
    "an endless number": "9" * 100_000,
    "a member twice": '{"messageType": "ack", "updates": [], "updates": []}',
    "NaN": '{"messageType": "ack", "updates": [], "at": NaN}',
    "a number out of range": '{"messageType": "ack", "updates": [], "at": 1e999}',
    "binary": b'{"messageType":"hello"}',
    "no messageType": {"channelID": "c"},
    "unknown messageType": {"messageType": "subscribe"},
    "messageType a list": {"messageType": ["register"]},
    "messageType null": {"messageType": None},
    "a second hello": HELLO,
    "register without channelID": {"messageType": "register"},
    "register with a number": {"messageType": "register", "channelID": 5},
    "channelID empty": {"messageType": "register", "channelID": ""},
    "channelID too long": {"messageType": "register", "channelID": "c" * 65},
    "channelID a lone surrogate": '{"messageType": "register", "channelID": "\\ud800"}',
    "channelID with a newline": {"messageType": "register", "channelID": "c\n"},
    "unregister an object": {"messageType": "unregister", "channelID": {}},
    "ack without updates": {"messageType": "ack"},
    "ack of a string": {"messageType": "ack", "updates": "all"},
    "ack of strings": {"messageType": "ack", "updates": ["all"]},
    "ack version a list": {"messageType": "ack", "updates": [{"version": [], "code": 100}]},
    "ack code a string": {"messageType": "ack", "updates": [{"version": "v", "code": "100"}]},
    "ack code true": {"messageType": "ack", "updates": [{"version": "v", "code": True}]},
    "ack code too large": {"messageType": "ack", "updates": [{"version": "v", "code": 100_000}]},
    "ack code too small": {"messageType": "ack", "updates": [{"version": "v", "code": -(10**50)}]},
    "ack code of 4300 digits": '{"messageType":"ack","updates":[{"code":%s}]}' % ("9" * 4300),
    "ack of too many": {"messageType": "ack", "updates": [{}] * (MAX_UPDATES + 1)},
    "ack of 87,000": '{"messageType":"ack","updates":[%s{}]}' % ("{}," * 87_000),
    "nack code too large": {"messageType": "nack", "version": "v", "code": 2**63},
    "nack version a number": {"messageType": "nack", "version": 1},
}


@pytest.mark.parametrize("message", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_ends_the_connection_and_changes_nothing(shared_bench, message, caplog):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await sender.send(subscription, b"kept")
        notification = await agent.notification()
        before = bench.service._store.read()
        await agent.say(message)
        assert await agent.hear() is None
        assert agent.connection.close_code in (1003, 1008, 1009)
        assert bench.service._store.read() == before
        again = await bench.user_agent(agent.uaid)
        assert await again.notification() == notification

    shared_bench(scenario)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_longest_frame_that_is_read(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        ack = json.dumps({"messageType": "ack", "updates": []})
        await agent.say(ack + " " * (MAX_FRAME - len(ack)))
        await agent.hears_nothing()
        await agent.say(ack + " " * (MAX_FRAME - len(ack) + 1))
        assert await agent.hear() is None
        assert agent.connection.close_code == 1009
        again = await bench.user_agent(agent.uaid)
        await sender.send(subscription)
        await again.notification()

    bench(scenario)


def test_no_more_is_under_way_than_a_firefox_knows_again(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await bench.away(agent)
        texts = [b"message %d" % number for number in range(REMEMBERED + 5)]
        for text in texts:
            await sender.send(subscription, text)
        again = await bench.user_agent(agent.uaid)
        had = [await again.notification() for _ in range(REMEMBERED)]
        await again.hears_nothing()
        # The window begins at the oldest message that is not acknowledged: later acks do not move it.
        await again.ack(*had[1:5])
        await again.hears_nothing()
        before = bench.last
        await again.ack(had[0])
        had += [await again.notification() for _ in range(5)]
        await again.hears_nothing()
        assert [agent.read(notification) for notification in had] == texts
        assert bench.events(before) == ["acknowledge"] + ["push message"] * 5

    bench(scenario)


def test_a_message_in_the_queue_can_be_replaced_withdrawn_expired_or_unsubscribed(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        other = await agent.subscribe(sender.key, channel="other")
        had = []
        for _ in range(REMEMBERED):
            await sender.send(subscription, b"under way")
            had.append(await agent.notification())
        await sender.send(subscription, b"old", topic="x")
        await sender.send(subscription, b"new", topic="x")
        deleted = await sender.send(subscription, b"withdrawn")
        assert (await http(HTTPRequest(deleted.headers["Location"], "DELETE"))).code == 204
        await sender.send(subscription, b"out of time", ttl=5)
        await sender.send(other, b"for a channel that ends")
        await agent.hears_nothing()
        bench.clock.now += 5
        await agent.say({"messageType": "unregister", "channelID": "other"})
        assert (await agent.hear())["messageType"] == "unregister"
        await agent.ack(*had)
        arrived = await agent.notification()
        assert agent.read(arrived) == b"new"
        await agent.hears_nothing()
        await agent.ack(arrived)
        await agent.hears_nothing()
        bench.service._sweep()
        assert bench.queue() == 0

    bench(scenario)


async def fill_window(agent, sender, subscription, **options) -> list[dict]:
    """Send as many messages as a Firefox may have unacknowledged, and return them."""
    had = []
    for number in range(REMEMBERED):
        await sender.send(subscription, b"under way %d" % number, **options)
        had.append(await agent.notification())
    return had


def test_ttl_0_does_not_wait_for_an_acknowledgement(bench):
    """RFC 8030 §5.2: it is delivered immediately if the user agent is available, or never."""

    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        had = await fill_window(agent, sender, subscription)
        await sender.send(subscription, b"waits")
        for text in (b"now", b"now, too"):
            assert (await sender.send(subscription, text, ttl=0)).code == 201
            now = await agent.notification()
            assert agent.read(now) == text
            await agent.ack(now)
        await agent.hears_nothing()
        assert bench.events()[-1] == "acknowledge" and bench.queue() == REMEMBERED + 1
        await agent.ack(*had)
        assert agent.read(await agent.notification()) == b"waits"
        await agent.hears_nothing()

    bench(scenario)


def test_no_message_is_held_in_memory_but_in_the_mailbox(bench, http):
    def messages():
        gc.collect()
        return [one for one in gc.get_objects() if isinstance(one, Message)]

    older = messages()  # Other tests of this process have left some.

    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await fill_window(agent, sender, subscription)
        queue = bench.service.broker._queues[agent.uaid]
        for number in range(30):
            await sender.send(subscription, b"%d" % number, topic="news")
            await sender.send(subscription, b"now", ttl=0)
            deleted = await sender.send(subscription, b"withdrawn")
            await http(HTTPRequest(deleted.headers["Location"], "DELETE"))
            await agent.ack(await agent.notification())
        await agent.hears_nothing()
        waiting = bench.service.broker.mailbox.waiting(agent.uaid, bench.clock())
        assert list(queue.waiting) == [waiting[-1].id] and len(waiting) == REMEMBERED + 1
        held = {message.id for message in messages()} - {message.id for message in older}
        assert held == {message.id for message in waiting}

    bench(scenario)


def test_what_has_expired_is_not_sent_when_there_is_room_and_before_any_sweep(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        had = await fill_window(agent, sender, subscription)
        await sender.send(subscription, b"out of time", ttl=5)
        await sender.send(subscription, b"in time", ttl=6)
        bench.clock.now += 5
        await agent.ack(*had)
        assert agent.read(await agent.notification()) == b"in time"
        await agent.hears_nothing()

    bench(scenario)


def test_a_message_that_runs_out_of_time_makes_room(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        for _ in range(REMEMBERED):
            await sender.send(subscription, b"never acknowledged", ttl=5)
            await agent.notification()
        await sender.send(subscription, b"behind them", ttl=60)
        await agent.hears_nothing()
        bench.clock.now += 5
        bench.service._sweep()
        assert agent.read(await agent.notification()) == b"behind them"

    bench(scenario)


def test_a_user_agent_that_breaks_off_while_it_is_written_to_is_no_error(bench, caplog, monkeypatch):
    monkeypatch.setattr(AutopushHandler, "window", MAX_WINDOW)  # as much at once as there may be

    async def scenario(bench):
        agent, _, subscription = await bench.subscribed()
        await bench.away(agent)
        broker = bench.service.broker
        known = broker.mailbox.subscription(subscription.endpoint.rsplit("/", 1)[1])
        for _ in range(MAX_WINDOW):
            await broker.accept(known, bytes(4096), PushOptions(ttl=60))
        before = bench.last
        _, writer = await handshake(bench.service.port)
        # Both ends have small buffers in the kernel, so most of the messages are still to be written.
        [connection] = bench.service._connections
        here = writer.get_extra_info("socket")
        here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.ws_connection.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        writer.write(frame(json.dumps({"messageType": "hello", "uaid": agent.uaid}).encode()))
        await bench.until("connect", before)
        assert any(c.ws_connection.stream.writing() for c in bench.service._connections)
        writer.transport.abort()
        await bench.until("disconnect", before)
        assert bench.queue() == MAX_WINDOW
        gc.collect()  # a task whose exception was never retrieved logs that when it is collected

    bench(scenario)
    gc.collect()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


EARLY = [
    {},
    {"messageType": "register", "channelID": "c"},
    {"messageType": "unregister", "channelID": "c"},
    {"messageType": "ack", "updates": []},
    {"messageType": "broadcast_subscribe", "broadcasts": {}},
    {"messageType": "hello", "uaid": 5},
    {"messageType": "hello", "uaid": ["x"]},
    {"messageType": "goodbye"},
]


@pytest.mark.parametrize("message", EARLY, ids=json.dumps)
def test_before_hello_nothing_is_done(bench, message):
    async def scenario(bench):
        agent = await bench.stranger()
        await agent.say(message)
        assert await agent.hear() is None
        assert agent.connection.close_code == 1008
        assert bench.service.broker.mailbox.counts() == (0, 0) and not bench.events()

    bench(scenario)


def test_frames_that_no_websocket_library_would_send(bench):
    async def scenario(bench):
        for nonsense in (
            frame(b"\xff\xfe"),  # no UTF-8
            frame(b"x" * 200, opcode=9)[:-1],  # a ping that is too long
            frame(b"", opcode=5),  # a reserved opcode
            frame(b"more", opcode=0),  # a continuation without a beginning
            b"\xc1" + frame(b"{}")[1:],  # a reserved bit
            b"\x81\xff" + (2**63 - 1).to_bytes(8, "big") + bytes(4),  # eight exabytes to come
        ):
            reader, writer = await handshake(bench.service.port)
            writer.write(nonsense)
            await reader.read()
            writer.close()
            await writer.wait_closed()
        assert await (await bench.stranger()).hello()

    bench(scenario)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["c", "v"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["version", "code", "channelID"]), inner, max_size=3)
    ),
    max_leaves=5,
)
kinds = st.sampled_from(
    ["hello", "register", "unregister", "ack", "nack", "broadcast_subscribe", "ping", 5, None]
)
fields = st.sampled_from(["uaid", "channelID", "key", "updates", "version", "code"])
messages = st.builds(
    lambda kind, rest: rest | {"messageType": kind},
    kinds,
    st.dictionaries(fields, json_values, max_size=4),
)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(messages | st.just({}), max_size=6), greets=st.booleans())
def test_the_service_answers_any_bytes_or_ends_the_connection(bench, caplog, said, greets):
    async def scenario(bench):
        bystander, sender, subscription = await bench.subscribed()
        agent = await bench.stranger()
        if greets:
            await agent.hello()
        for message in said:
            try:
                await agent.say(message)
            except WebSocketClosedError:
                break  # It has ended the connection already, which is allowed.
        agent.connection.close()
        while (answer := await agent.hear()) is not None:
            assert answer == {} or answer["messageType"] in {
                "hello", "register", "unregister", "broadcast"
            }  # fmt: skip
        await sender.send(subscription, b"unharmed")
        assert bystander.read(await bystander.notification()) == b"unharmed"

    bench(scenario)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


# --- a database that fails -----------------------------------------------------------------------


def writable(bench, yes: bool) -> None:
    with bench.service._store._engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA query_only = {int(not yes)}")


def test_a_database_that_fails_loses_nothing(bench, tmp_path):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await sender.send(subscription, b"kept")
        notification = await agent.notification()
        writable(bench, False)
        answer = await agent.register("second", sender.key)
        assert (answer["status"], answer["error"]) == (500, "unable-to-write-database")
        await agent.ack(notification)
        assert await agent.hear() is None
        assert agent.connection.close_code == 1011
        writable(bench, True)
        again = await bench.user_agent(agent.uaid)
        assert await again.notification() == notification
        await again.ack(notification)
        assert (await again.register("second", sender.key))["status"] == 200
        assert bench.queue() == 0

    bench(scenario, database=f"sqlite:///{tmp_path}/push.sqlite3")
