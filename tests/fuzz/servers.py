"""The parsers that live inside a server, reached as a stranger reaches them.

The servers are real, with their databases in memory, and so are their handlers; only the network is
left out where Tornado lets it be: a request is handed to the application in place of the socket.
What is asserted is what every client may rely on: an answer comes, with a status that is
documented, in JSON where it is an error, and the server's own fault it never is.
"""

import asyncio
import json
import socket
from functools import cache

import examples
from tornado.httputil import HTTPHeaders, HTTPInputError, HTTPServerRequest, RequestStartLine
from tornado.iostream import IOStream
from tornado.web import Application
from wire import ask, check, clock, loop

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.web.application import application
from pushlab.journal import Journal
from pushlab.pushservice.app import PushService
from pushlab.pushservice.autopush import AutopushHandler
from pushlab.pushservice.broker import Broker
from pushlab.pushservice.chromium.checkin import Browsers
from pushlab.pushservice.chromium.mcs import McsConnection
from pushlab.pushservice.chromium.messages import LOGIN_RESPONSE
from pushlab.pushservice.chromium.protobuf import read_varint
from pushlab.pushservice.flavours import Flavour
from pushlab.pushservice.mailbox import Mailbox
from pushlab.pushservice.store import Store

RENEWED = 5000
"""Inputs after which a server is made anew: what they have left behind would slow it down."""


# --- the application server -----------------------------------------------------------------------

PAGE_ROUTES = ("/add-subscription", "/remove-subscription", "/notify-me", "/notify-all", "/report")


@cache
def _application_server(_age: int, subscribable: bool) -> ApplicationServer:
    server = ApplicationServer(keys=VapidKeys.generate(), journal=Journal(), clock=clock)
    loop().run_until_complete(server.start())
    return server


@cache
def _routes(server: ApplicationServer) -> Application:
    return application(server)


_page_requests = 0


def application_server_http(data: bytes) -> None:
    """POST to a route of the page: the first byte chooses it, the rest is the body."""
    global _page_requests
    _page_requests += 1
    path = PAGE_ROUTES[data[0] % len(PAGE_ROUTES)] if data else PAGE_ROUTES[0]
    # Two servers: who is subscribed at one would be sent a message, over the network, by the other.
    server = _application_server(_page_requests // RENEWED, path == "/add-subscription")
    headers = HTTPHeaders({"Host": f"127.0.0.1:{server.port}", "Content-Type": "application/json"})
    wire = loop().run_until_complete(ask(_routes(server), "POST", path, headers, data[1:]))
    check(wire, {200, 201, 204, 400, 404, 409, 413})


# --- the push service over HTTP -------------------------------------------------------------------


class Subscriber:
    """Somebody connected, to make a subscription with."""

    user_agent, display_name = "fuzz", "Fuzz"


@cache
def _push_service(_age: int) -> tuple[PushService, list[str]]:
    """Return a service, and the tokens of an open and of a restricted subscription."""
    service = PushService(journal=Journal(), clock=clock, message_limit=100)
    loop().run_until_complete(service.start())
    tokens = [
        service.broker.subscribe(Subscriber, f"channel {number}", key).token
        for number, key in enumerate((None, examples.AS_PUBLIC))
    ]
    return service, tokens


_deliveries = 0


def push_service_http(data: bytes) -> None:
    """POST to an endpoint. The first byte chooses endpoint and flavour; then headers and body."""
    global _deliveries
    _deliveries += 1
    service, tokens = _push_service(_deliveries // RENEWED)
    choice = data[0] if data else 0
    service.flavour = list(Flavour)[choice // 2 % len(Flavour)]
    head, _, body = data[1:].partition(b"\r\n\r\n")
    try:
        headers = HTTPHeaders.parse(head.decode("latin-1") + "\r\n")
    except HTTPInputError:
        return  # Tornado refuses it before we see it.
    headers["Host"] = f"127.0.0.1:{service.port}"
    path = f"/wpush/v2/{tokens[choice % 2]}"
    application = service._server.request_callback
    wire = loop().run_until_complete(ask(application, "POST", path, headers, body))
    assert wire.status in {201, 400, 401, 403, 406, 413, 429, 503}, wire.status
    if wire.status == 201:
        assert wire.headers["Location"].startswith(service.origin)
        assert int(wire.headers["TTL"]) >= 0
        loop().run_until_complete(
            ask(application, "DELETE", wire.headers["Location"].removeprefix(service.origin),
                HTTPHeaders({"Host": headers["Host"]}), b"")
        )  # fmt: skip


_registrations = 0


def registration_http(data: bytes) -> None:
    """POST to checkin or to registration: the first byte chooses, the rest is the body."""
    global _registrations
    _registrations += 1
    service, _ = _push_service(-1 - _registrations // RENEWED)
    path = ("/checkin", "/c2dm/register3")[data[0] % 2 if data else 0]
    headers = HTTPHeaders({"Host": f"127.0.0.1:{service.port}", "Authorization": "AidLogin 1:2"})
    application = service._server.request_callback
    wire = loop().run_until_complete(ask(application, "POST", path, headers, data[1:]))
    if path == "/checkin":
        check(wire, {200, 400, 413})
    else:
        # 401: an earlier input has checked in as browser 1, with another token.
        assert wire.status in (200, 401, 413), wire.status
        assert wire.status == 413 or wire.body.startswith((b"token=", b"Error="))


# --- frames ---------------------------------------------------------------------------------------


def _broker() -> Broker:
    return Broker(Mailbox(), Store("sqlite://"), Journal(), clock)


class Conversation(AutopushHandler):
    """The real handler of a WebSocket, without the WebSocket: it keeps what it would send."""

    def __init__(self, broker: Broker):
        start = RequestStartLine("GET", "/", "HTTP/1.1")
        headers = HTTPHeaders({"Host": "push.example.net", "User-Agent": "Fuzz"})
        self.request = HTTPServerRequest(start_line=start, headers=headers)
        self.initialize(broker, "https://push.example.net/wpush/v2/{}".format, set())
        self._hello_timeout = asyncio.TimerHandle(0, print, (), loop())
        self.said: list[dict] = []
        self.closed: tuple[int, str] | None = None

    def _send(self, message: dict) -> None:
        self.said.append(json.loads(json.dumps(message)))

    def close(self, code: int = 1001, reason: str = "") -> None:
        self.closed = code, reason


@cache
def _autopush_broker(_age: int) -> Broker:
    return _broker()


_conversations = 0


def autopush_frames(data: bytes) -> None:
    """Say every line as one frame, until the service hangs up."""
    global _conversations
    _conversations += 1
    broker = _autopush_broker(_conversations // RENEWED)
    talk = Conversation(broker)

    async def hear(frame: str) -> None:
        talk.on_message(frame)
        await asyncio.sleep(0)  # What a turn has decided is written at its end.

    for line in data.split(b"\n"):
        loop().run_until_complete(hear(line.decode("utf-8", "replace")))
        if talk.closed:
            break
    broker.disconnect(talk)
    for message in talk.said:
        assert not message or message["messageType"]
    if talk.closed:
        code, reason = talk.closed
        # RFC 6455 §5.5: a control frame holds 125 bytes, two of them the code.
        assert code == 1008 and 0 < len(reason.encode()) <= 123, talk.closed


@cache
def _mcs_broker(_age: int) -> tuple[Broker, Browsers]:
    broker = _broker()
    return broker, Browsers(broker.mailbox)


_logins = 0


def mcs_frames(data: bytes) -> None:
    """Say all of it over a real stream, hang up, and read what the service has said."""
    global _logins
    _logins += 1
    broker, browsers = _mcs_broker(_logins // RENEWED)
    said = loop().run_until_complete(_talk_mcs(broker, browsers, data[:65536]))
    assert broker.connected() == 0
    if not said:
        return
    assert said[0] == 41
    at, tags = 1, []
    while at < len(said):
        tag = said[at]
        size, at = read_varint(said, at + 1)
        if tag == 3:
            LOGIN_RESPONSE.decode(said[at : at + size])
        tags.append(tag)
        at += size
    assert at == len(said) and tags[0] == 3 and set(tags) <= {1, 3, 4}


async def _talk_mcs(broker: Broker, browsers: Browsers, data: bytes) -> bytes:
    here, there = socket.socketpair()
    with there:
        there.setblocking(False)
        there.sendall(data)
        there.shutdown(socket.SHUT_WR)
        stream = Undelayed(here)
        await McsConnection(stream, broker, browsers, clock).serve()
        said = b""
        while chunk := there.recv(65536):
            said += chunk
        return said


class Undelayed(IOStream):
    """A stream over a pair of sockets, which have no delay that could be switched off."""

    def set_nodelay(self, value: bool) -> None:
        """Nothing is to be done."""
