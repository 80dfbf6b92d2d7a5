"""MCS: a browser logs in, gets its messages, and acknowledges them."""

import asyncio
import logging
import socket
import ssl
import struct
import sys
import urllib.parse

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pushlab.pushservice.broker import MAX_EXPECTED, MAX_WINDOW
from pushlab.pushservice.chromium import mcs, messages
from pushlab.pushservice.chromium.protobuf import MAX_FIELDS, varint

from ...run.chance import examples


def app_data(message: dict) -> dict:
    return {pair["key"]: pair["value"] for pair in message["app_data"]}


# --- login and messages ---------------------------------------------------------------------------


def test_login(bench):
    async def scenario(bench):
        browser = await bench.browser()
        answer = await browser.log_in(id="chrome-1")
        assert answer == {
            "id": "chrome-1",
            "last_stream_id_received": 1,
            "server_timestamp": int(bench.clock() * 1000),
        }
        assert bench.service.broker.connected() == 1
        await bench.away(browser)
        assert bench.events() == ["connect", "disconnect"]
        assert {event.who for event in bench.journal.events()} == {"Chromium"}

    bench(scenario)


def test_a_message(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        response = await sender.send(subscription, b"hello", ttl=60)
        message = await browser.message()
        assert browser.read(message) == b"hello"
        id = response.headers["Location"].rsplit("/", 1)[1]
        assert (message["id"], message["persistent_id"]) == (id, id)
        assert message["from"] == browser.form(sender.key)["sender"]
        assert message["category"] == "org.chromium.linux"
        assert app_data(message) == {
            "subtype": "wp:http://localhost:8000/#0F3C-V2",
            "content-encoding": "aes128gcm",
        }
        assert (message["ttl"], message["sent"]) == (60, int(bench.clock() * 1000))
        assert (message["immediate_ack"], message["last_stream_id_received"]) == (1, 1)
        browser.ack()
        await browser.hears_nothing()
        assert bench.queue() == 0
        assert bench.events() == [
            "subscribe", "endpoint", "connect", "POST message", "201 Created", "push message",
            "acknowledge",
        ]  # fmt: skip

    bench(scenario)


def test_a_message_without_a_payload(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription, None)
        message = await browser.message()
        assert "raw_data" not in message and list(app_data(message)) == ["subtype"]

    bench(scenario)


def test_the_longest_message(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription, b"x" * 3993)
        message = await browser.message()
        assert len(message["raw_data"]) == 4096 and browser.read(message) == b"x" * 3993

    bench(scenario)


def test_two_browsers_get_their_own_messages_and_firefox_its_own(bench):
    async def scenario(bench):
        (one, sender, first), (other, _, _) = await bench.logged_in(), await bench.logged_in()
        second = await other.subscribe(sender.key, "http://localhost:9000/")
        agent = await bench.user_agent()
        third = await agent.subscribe(sender.key)
        await sender.send(first, b"one")
        await sender.send(second, b"other")
        await sender.send(third, b"firefox")
        assert one.read(await one.message()) == b"one"
        assert other.read(await other.message()) == b"other"
        assert agent.read(await agent.notification()) == b"firefox"
        for each in (one, other, agent):
            await each.hears_nothing()

    bench(scenario)


def test_heartbeats_are_answered_and_counted(bench):
    async def scenario(bench):
        browser = await bench.browser()
        await browser.log_in()
        for number in range(2, 5):
            browser.say(0)
            assert await browser.hear() == (1, {"last_stream_id_received": number})
        browser.say(1)  # A HeartbeatAck without a ping gets no answer.
        await browser.hears_nothing()

    bench(scenario)


# --- acknowledgement ------------------------------------------------------------------------------


def test_one_acknowledgement_of_many_and_not_of_the_later_ones(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        for number in range(5):
            await sender.send(subscription, b"%d" % number)
            await browser.message()
        browser.ack(1 + 3)  # The answer to the login was number 1.
        await browser.hears_nothing()
        assert bench.queue() == 2
        browser.ack(2**62)
        await browser.hears_nothing()
        assert bench.queue() == 0
        assert bench.events().count("acknowledge") == 5

    bench(scenario)


@pytest.mark.parametrize("tag, kind", [(0, messages.HEARTBEAT), (8, messages.DATA_MESSAGE_STANZA)])
def test_any_frame_may_acknowledge(bench, tag, kind):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription)
        await browser.message()
        browser.say(tag, kind.encode(last_stream_id_received=2))
        if tag == 0:
            assert (await browser.hear())[0] == 1
        await browser.hears_nothing()
        assert bench.queue() == 0

    bench(scenario)


def test_it_is_sent_again_at_every_login_until_acknowledged(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription, b"first")
        await sender.send(subscription, b"second")
        seen = [await browser.message(), await browser.message()]
        for _ in range(2):
            await bench.away(browser)
            await browser.log_in()
            assert [(await browser.message())["id"] for _ in seen] == [m["id"] for m in seen]
        browser.ack()
        await browser.hears_nothing()
        await bench.away(browser)
        await browser.log_in()
        await browser.hears_nothing()

    bench(scenario)


def test_what_the_login_names_has_been_had(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription, b"first")
        await sender.send(subscription, b"second")
        first = await browser.message()
        await bench.away(browser)
        last = bench.last
        await browser.log_in(received=(first["persistent_id"], "none of ours", ""))
        assert browser.read(await browser.message()) == b"second"
        await browser.hears_nothing()
        assert bench.events(last) == ["acknowledge", "connect", "push message"]
        # Chromium may name it again at any time; there is nothing left to acknowledge.
        await bench.away(browser)
        last = bench.last
        await browser.log_in(received=(first["persistent_id"],))
        assert browser.read(await browser.message()) == b"second"
        assert bench.events(last) == ["connect", "push message"]

    bench(scenario)


def test_what_cannot_be_written_is_not_counted_as_received(bench, tmp_path):
    """The browser forgets the ids that the login acknowledges, and would show them again."""

    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription, b"first")
        first = await browser.message()
        await bench.away(browser)
        with bench.service._store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = 1")
        with pytest.raises(asyncio.IncompleteReadError):  # no answer to the login, not one byte
            await browser.log_in(received=(first["persistent_id"],))
        with bench.service._store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = 0")
        await browser.log_in(received=(first["persistent_id"],))
        await browser.hears_nothing()
        assert bench.queue() == 0

    bench(scenario, database=f"sqlite:///{tmp_path}/push.sqlite3")


def test_no_more_is_under_way_than_the_window(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await bench.away(browser)
        for number in range(MAX_WINDOW + 2):
            await sender.send(subscription, b"%d" % number)
        await browser.log_in()
        for number in range(MAX_WINDOW):
            assert browser.read(await browser.message()) == b"%d" % number
        await browser.hears_nothing()
        await sender.send(subscription, b"now", ttl=0)
        assert browser.read(await browser.message()) == b"now"
        await browser.hears_nothing()
        browser.ack(1 + 2)  # The answer to the login was number 1.
        # The message with TTL 0 is counted with those after the oldest.
        assert browser.read(await browser.message()) == b"%d" % MAX_WINDOW
        await browser.hears_nothing()
        browser.ack()
        assert browser.read(await browser.message()) == b"%d" % (MAX_WINDOW + 1)

    bench(scenario)


def test_what_is_never_acknowledged_is_remembered_up_to_a_bound(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription, b"stored")
        await browser.message()
        [connection] = bench.service._chromium._mcs._connections
        [queue] = bench.service.broker._queues.values()
        for _ in range(MAX_WINDOW + 20):
            await sender.send(subscription, b"now", ttl=0)
            await browser.message()
        assert len(connection._unacknowledged) == MAX_WINDOW
        assert len(queue._unacknowledged) == 1 and len(queue._expected) <= MAX_EXPECTED
        browser.ack()
        await browser.hears_nothing()
        assert bench.queue() == 0 and not connection._unacknowledged

    bench(scenario)


def test_what_has_expired_or_was_replaced_is_remembered_up_to_the_same_bound(bench):
    """1,000 messages with a TTL of 1 s made 1,000 entries of a connection that acknowledged nothing."""

    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        [connection] = bench.service._chromium._mcs._connections
        for number in range(MAX_WINDOW + 20):
            bench.clock.now += 2
            topic = {} if number % 2 else {"topic": "news"}
            await sender.send(subscription, b"%d" % number, ttl=1, **topic)
            await browser.message()
        await sender.send(subscription, b"stored", ttl=3600)
        await browser.message()
        assert len(connection._unacknowledged) == MAX_WINDOW
        browser.ack()
        await browser.hears_nothing()
        assert bench.queue() == 0 and not connection._unacknowledged

    bench(scenario)


def test_half_a_frame_is_not_counted_as_received(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription, b"first")
        assert (await browser.message())["last_stream_id_received"] == 1
        browser.writer.write(bytes([7, 9]))  # an IqStanza of nine bytes, of which none has come
        await sender.send(subscription, b"second")
        assert (await browser.message())["last_stream_id_received"] == 1

    bench(scenario)


def test_a_user_agent_cannot_acknowledge_messages_of_another(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription)
        id = (await browser.message())["id"]
        other = await bench.browser()
        await other.log_in(received=(id,))
        other.ack(99)
        await other.hears_nothing()
        assert bench.queue() == 1 and "acknowledge" not in bench.events()

    bench(scenario)


# --- away -----------------------------------------------------------------------------------------


def test_what_expired_and_what_was_replaced_while_away(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await bench.away(browser)
        last = bench.last
        await sender.send(subscription, b"expires", ttl=10)
        await sender.send(subscription, b"old", topic="x")
        await sender.send(subscription, b"stays", ttl=11)
        await sender.send(subscription, b"new", topic="x")
        await sender.send(subscription, b"now or never", ttl=0)
        bench.clock.now += 10
        await browser.log_in()
        texts = [browser.read(await browser.message()) for _ in range(2)]
        assert texts == [b"stays", b"new"]
        await browser.hears_nothing()
        story = bench.events(last)
        assert story.count("keep message") == 4 and story.count("drop message") == 2
        assert story.count("replace message") == 1

    bench(scenario)


def test_ttl_0_is_delivered_to_a_connected_user_agent(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription, b"now", ttl=0)
        assert browser.read(await browser.message()) == b"now"
        await bench.away(browser)
        await browser.log_in()
        await browser.hears_nothing()

    bench(scenario)


def test_the_newest_connection_wins(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        newer = await bench.browser(like=browser)
        await newer.log_in()
        # The older connection is closed, but the browser has not disconnected.
        assert await browser.rest() == bytes([mcs.CLOSE, 0])
        await sender.send(subscription, b"hello")
        assert newer.read(await newer.message()) == b"hello"
        assert bench.service.broker.connected() == 1
        assert "disconnect" not in bench.events()

    bench(scenario)


def test_a_close_frame_ends_the_connection(bench):
    async def scenario(bench):
        browser, _, _ = await bench.logged_in()
        browser.say(mcs.CLOSE)
        await bench.until("disconnect")
        assert bench.service.broker.connected() == 0

    bench(scenario)


# --- restart --------------------------------------------------------------------------------------


def test_a_restart_keeps_the_subscriptions(open_bench, run, tmp_path):
    database = f"sqlite:///{tmp_path}/push.sqlite3"

    async def scenario():
        async with open_bench(database=database) as bench:
            browser, sender, subscription = await bench.logged_in()
            await sender.send(subscription, b"not acknowledged")
            seen = await browser.message()
            await bench.away(browser)
            await sender.send(subscription, b"kept")
            clock = bench.clock
        async with open_bench(database=database, clock=clock) as bench:
            again, sender.listeners = await bench.browser(like=browser), bench.service.chromium
            # A browser that was running knows this port, and trusts this certificate.
            assert again.listeners.spki == browser.listeners.spki
            assert again.listeners.mcs_url == browser.listeners.mcs_url
            assert again.listeners.tls_port == browser.listeners.tls_port
            assert (await sender.send(subscription, b"after")).code == 201
            await again.log_in()
            assert bench.journal.events()[-1].who == "Chromium"
            texts = [await again.message() for _ in range(3)]
            assert texts[0]["id"] == seen["id"]
            assert [again.read(m) for m in texts] == [b"not acknowledged", b"kept", b"after"]
            assert (await again.subscribe(sender.key)).endpoint == subscription.endpoint

    run(scenario())


def test_a_browser_whose_subscriptions_are_lost_can_log_in(open_bench, run):
    async def scenario():
        async with open_bench() as bench:
            browser, sender, subscription = await bench.logged_in()
        async with open_bench() as bench:
            again, sender.listeners = await bench.browser(like=browser), bench.service.chromium
            await again.log_in()
            await again.hears_nothing()
            assert (await sender.send(subscription)).code == 404
            subscription = await again.subscribe(sender.key)
            await sender.send(subscription, b"hello")
            assert again.read(await again.message()) == b"hello"

    run(scenario())


def test_stop_and_start_of_one_service_keep_ports_and_certificate(bench):
    async def scenario(bench):
        browser, port, listeners = await bench.browser(), bench.service.port, bench.service.chromium
        await browser.log_in()
        stranger = await bench.browser()
        await stranger.connect()
        await bench.service.stop()
        assert await browser.rest() == bytes([mcs.CLOSE, 0])
        assert await stranger.rest() == b""
        for url in (listeners.mcs_url, f"https://127.0.0.1:{listeners.tls_port}"):
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", urllib.parse.urlsplit(url).port)
        await bench.service.start(port)
        assert bench.service.chromium == listeners

    bench(scenario)


def test_a_port_that_was_taken_meanwhile_is_another(bench):
    async def scenario(bench):
        port, listeners = bench.service.port, bench.service.chromium
        await bench.service.stop()
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", listeners.tls_port)
        async with server:
            await bench.service.start(port)
            assert bench.service.chromium.tls_port != listeners.tls_port
            assert bench.service.chromium.mcs_url == listeners.mcs_url

    bench(scenario)


# --- nonsense -------------------------------------------------------------------------------------


def complaints(caplog) -> list[str]:
    """Return the logged errors, and the warnings, except that of asyncio about a slow event loop."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.ERROR
        or (record.levelno == logging.WARNING and record.name != "asyncio")
    ]


def frame(tag: int, message: bytes = b"") -> bytes:
    return bytes([tag]) + varint(len(message)) + message


def login(**fields) -> bytes:
    return frame(2, messages.LOGIN_REQUEST.encode(**fields))


BEFORE_LOGIN = {
    "another version": bytes([38]) + login(user="1", auth_token="2"),
    "no login": bytes([41]) + frame(0),
    "a login that is not a protobuf": bytes([41]) + frame(2, b"\xff"),
    "no numbers": bytes([41]) + login(user="", auth_token=""),
    "letters": bytes([41]) + login(user="x", auth_token="y"),
    "digits of another script": bytes([41]) + login(user="٣", auth_token="1"),
    "zero": bytes([41]) + login(user="0", auth_token="0"),
    "too large": bytes([41]) + login(user="9" * 20, auth_token="1"),
    "longer than a number": bytes([41]) + login(user="9" * 5000, auth_token="1"),
    "a length without an end": bytes([41, 2]) + b"\xff" * 20,
    "a frame too long": bytes([41, 2]) + varint(mcs.MAX_FRAME + 1),
    "too many fields": bytes([41]) + frame(2, b"\x52\x00" * (MAX_FIELDS + 1)),
    "http": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a reset connection is not accepted")
def test_a_client_that_resets_before_tls_begins_is_nobody_s_fault(bench, caplog):
    async def scenario(bench):
        port = int(bench.service.chromium.mcs_url.rpartition(":")[2])
        for sent in (b"", b"GET / HTTP/1.1\r\n\r\n"):
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(sent)
            # Closing without lingering sends a reset, before the service accepts: this runs its loop.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        await (await bench.browser()).log_in()

    bench(scenario)
    assert not complaints(caplog)


@pytest.mark.parametrize("words", BEFORE_LOGIN.values(), ids=BEFORE_LOGIN.keys())
def test_a_browser_that_does_not_log_in_is_disconnected(bench, caplog, words):
    async def scenario(bench):
        browser = await bench.browser()
        await browser.connect()
        browser.writer.write(words)
        assert await browser.rest() == b""
        assert bench.events() == []
        await (await bench.browser()).log_in()  # The next one is served.

    bench(scenario)
    assert not complaints(caplog)


def test_the_token_of_another_does_not_log_in(bench):
    async def scenario(bench):
        browser, other = await bench.browser(), await bench.browser()
        browser.security_token, token = other.security_token, browser.security_token
        await browser.connect()
        words = login(user=str(browser.android_id), auth_token=str(browser.security_token))
        browser.writer.write(bytes([41]) + words)
        assert await browser.rest() == b""
        browser.security_token = token
        await browser.log_in()

    bench(scenario)


AFTER_LOGIN = {
    "a second login": login(user="1", auth_token="2"),
    "a tag that is not the browser's": frame(3),
    "an unknown tag": frame(200),
    "no protobuf": frame(7, b"\xff\xff"),
    "a frame too long": bytes([7]) + varint(mcs.MAX_STANZA + 1),
    "a frame much too long": bytes([7]) + varint(2**40),
    "a length without an end": bytes([7]) + b"\x80" * 11,
}


@pytest.mark.parametrize("words", AFTER_LOGIN.values(), ids=AFTER_LOGIN.keys())
def test_garbage_ends_the_connection_and_loses_nothing(bench, caplog, words):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription, b"hello")
        await browser.message()
        browser.writer.write(words)
        assert await browser.rest() == bytes([mcs.CLOSE, 0])
        await bench.until("disconnect")
        await browser.log_in()
        assert browser.read(await browser.message()) == b"hello"

    bench(scenario)
    assert not complaints(caplog)


@settings(max_examples=examples(30), suppress_health_check=list(HealthCheck))
@given(words=st.binary(min_size=1, max_size=200))
def test_random_bytes_raise_nothing(bench, caplog, words):
    async def scenario(bench):
        browser, _, _ = await bench.logged_in()
        browser.writer.write(words)
        await browser.writer.drain()
        await bench.away(browser)

    bench(scenario)
    assert not complaints(caplog)


@pytest.fixture
def printed(bench, monkeypatch, capfd):
    """Run a scenario without any logging set up, as in a notebook, and return what is printed."""

    def run_and_look(scenario) -> str:
        # Here and not earlier: pytest puts its own handlers there when the test begins.
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        bench(scenario)
        return capfd.readouterr().err

    return run_and_look


def test_what_is_no_tls_is_cut_off_quietly(printed):
    async def scenario(bench):
        listeners = bench.service.chromium
        for port in (urllib.parse.urlsplit(listeners.mcs_url).port, listeners.tls_port):
            for words in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello"):
                browser = await bench.browser()
                streams = await asyncio.open_connection("127.0.0.1", port)
                browser.reader, browser.writer = streams
                browser.writer.write(words)
                assert b"200" not in await browser.rest()
        await (await bench.browser()).log_in()

    assert printed(scenario) == ""


def test_a_client_that_does_not_trust_the_certificate_causes_no_output(printed):
    async def scenario(bench):
        listeners = bench.service.chromium
        for port in (urllib.parse.urlsplit(listeners.mcs_url).port, listeners.tls_port):
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())
        await (await bench.browser()).log_in()

    assert printed(scenario) == ""


def test_a_browser_that_does_not_finish_its_login_is_disconnected(bench, monkeypatch):
    # Long enough for a login on a machine that is busy, since one has to succeed here.
    monkeypatch.setattr(mcs, "LOGIN_SECONDS", 1.5)

    async def scenario(bench):
        browser = await bench.browser()
        await browser.connect()
        browser.writer.write(bytes([41, 2]))
        assert await browser.rest() == b""
        # A browser that has logged in may be silent for longer than LOGIN_SECONDS.
        other, sender, subscription = await bench.logged_in()
        late = await bench.browser()
        await late.connect()
        assert await late.rest() == b""
        await sender.send(subscription, b"hello")
        assert other.read(await other.message()) == b"hello"

    bench(scenario)


def test_a_database_that_does_not_write_loses_nothing(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription, b"hello")
        await browser.message()
        with bench.service._store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = 1")
            browser.ack()
            assert await browser.rest() == bytes([mcs.CLOSE, 0])
            connection.exec_driver_sql("PRAGMA query_only = 0")
        await browser.log_in()
        assert browser.read(await browser.message()) == b"hello"

    bench(scenario)
