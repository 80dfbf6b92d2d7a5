"""The user agent's end of the connection, at a push service that says what no push service says."""

import asyncio
import json

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from pushlab.errors import BrowserFailed, PushlabError
from pushlab.protocol.examples import RFC8291
from pushlab.useragent.autopush_client import MAX_FRAME, AutopushClient
from pushlab.useragent.virtual import VirtualUserAgent, read

KEY = RFC8291.subscription.p256dh
GOOD = {
    "hello": {"messageType": "hello", "status": 200, "uaid": "a" * 32, "use_webpush": True},
    "register": {"messageType": "register", "status": 200, "pushEndpoint": "https://push.example.net/1"},
}
WRONG = [None, 7, True, [], {}, "", "x" * 3000]
LONG_HEAD = [(f"X-{number}", "x" * 1000) for number in range(70)]


class Hostile(WebSocketHandler):
    """Answer each kind of message with ``answers[kind]``, after the frames in ``before``."""

    def initialize(self, answers, before=()):
        self.answers, self.before = answers, before

    def select_subprotocol(self, offered):
        return offered[0]

    def on_message(self, frame):
        message = json.loads(frame)
        if message["messageType"] not in self.answers:
            return
        for sent in self.before:
            self.write_message(sent, binary=isinstance(sent, bytes))
        answer = dict(self.answers[message["messageType"]])
        if "channelID" in message:
            answer.setdefault("channelID", message["channelID"])
        self.write_message(json.dumps(answer))


class Late(WebSocketHandler):
    """Begin a handshake, and end it when the test says so."""

    def initialize(self, begun, go_on, closed):
        self.begun, self.go_on, self.closed = begun, go_on, closed

    async def prepare(self):
        self.begun.set()
        await self.go_on.wait()

    def select_subprotocol(self, offered):
        return offered[0]

    def on_close(self):
        self.closed.set()


class Page(RequestHandler):
    """Answer every request alike."""

    def initialize(self, status=200, headers=(), body=b""):
        self.status, self.sent, self.body = status, headers, body

    def get(self):
        self.set_status(self.status)
        for name, value in self.sent:
            self.set_header(name, value)
        self.finish(self.body)


def served(handler, **options):
    listener, port = bind_unused_port()
    server = HTTPServer(Application([(r"/.*", handler, options)]))
    server.add_socket(listener)
    return server, f"ws://127.0.0.1:{port}/"


def subscribes(run, answers, before=()):
    """Connect to a service with these answers and subscribe; return the subscription."""

    async def scenario():
        server, url = served(Hostile, answers=answers, before=before)
        client = AutopushClient(url, "test", lambda plaintext: None)
        try:
            await client.connect()
            return await client.subscribe(KEY)
        finally:
            await client.disconnect()
            server.stop()
            await server.close_all_connections()

    return run(scenario())


def test_with_right_answers_there_is_a_subscription(run):
    assert subscribes(run, GOOD).endpoint == "https://push.example.net/1"


@pytest.mark.parametrize("value", WRONG[:-2])
@pytest.mark.parametrize(("kind", "name"), [("hello", "uaid"), ("register", "status"),
                                            ("register", "pushEndpoint")])  # fmt: skip
def test_a_member_of_another_type_is_an_error_in_words(run, kind, name, value):
    with pytest.raises(PushlabError):
        subscribes(run, GOOD | {kind: GOOD[kind] | {name: value}})


FRAMES = {
    "no JSON": ["{", "", "hello"],
    "no object": ["[]", "7", "null", '"hello"'],
    "deep": ["[" * 50_000],
    "bytes": [b"\xff\xfe", b"{}"],
    "other types": [
        json.dumps({"messageType": kind, "channelID": value})
        for kind in ("hello", "register", "notification", 7, [], {})
        for value in (7, [], {}, None, "unknown")
    ],
    "notifications": [
        json.dumps(
            {"messageType": "notification", "channelID": "x", "version": v, "data": d, "headers": h}
        )
        for v in ("1", 7, [], None)
        for d in (7, [], None, "not base64url!")
        for h in ({}, 7, None)
    ],
}


@pytest.mark.parametrize("what", FRAMES)
def test_frames_that_cannot_be_read_are_ignored(run, what):
    assert subscribes(run, GOOD, FRAMES[what]).endpoint == "https://push.example.net/1"


def test_a_frame_that_is_too_long_ends_the_connection(run):
    with pytest.raises(BrowserFailed):
        subscribes(run, GOOD, [" " * (MAX_FRAME + 1)])


@pytest.mark.parametrize(
    "options",
    [
        {"status": 302, "headers": [("Location", "http://127.0.0.1:9/")]},
        {"headers": LONG_HEAD},
        {"body": b" " * 1_000_000},
        {"status": 500, "body": b'{"error": {"message": 7}}'},
        {"status": 500, "body": b'{"error": {}}'},
        {"status": 500, "body": b"[" * 50_000},
    ],
)
def test_a_page_of_another_program_is_an_error_in_words(run, options):
    async def scenario():
        push, push_url = served(Hostile, answers=GOOD)
        server, url = served(Page, **options)
        agent = VirtualUserAgent(push_url)
        await agent.start()
        try:
            with pytest.raises(BrowserFailed):
                await agent.open(url.replace("ws", "http", 1))
        finally:
            await agent.close()
            for one in (push, server):
                one.stop()
                await one.close_all_connections()

    run(scenario())


@pytest.mark.parametrize("options", [{}, {"status": 500}, {"headers": LONG_HEAD}])
def test_an_answer_that_is_no_handshake_is_an_error_in_words(run, options):
    async def scenario():
        server, url = served(Page, **options)
        try:
            with pytest.raises(BrowserFailed, match="does not answer"):
                await AutopushClient(url, "test", lambda plaintext: None).connect()
        finally:
            server.stop()
            await server.close_all_connections()

    run(scenario())


def test_a_payload_that_is_nested_too_deeply_is_text():
    kind, notification = read(b"[" * 3993)
    assert (kind, len(notification.body)) == ("text", 3993)


def test_a_connection_that_nobody_waits_for_any_more_is_closed(run):
    async def scenario():
        begun, go_on, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        server, url = served(Late, begun=begun, go_on=go_on, closed=closed)
        client = AutopushClient(url, "test", lambda plaintext: None)
        connecting = asyncio.ensure_future(client.connect())
        await begun.wait()
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        go_on.set()
        await closed.wait()
        assert not client.connected
        server.stop()
        await server.close_all_connections()

    run(scenario(), timeout=20)
