"""The push service itself: the port it listens at, its routes, its start and its stop."""

import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from ipaddress import ip_address
from typing import Any

from sqlalchemy import URL
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import PeriodicCallback
from tornado.routing import Matcher, Rule
from tornado.web import Application, RequestHandler

from pushlab.errors import (
    BadArgument,
    LabError,
    LabStopped,
    PrivateLab,
    RequestError,
    StoreError,
    WrongHost,
)
from pushlab.journal import Journal
from pushlab.protocol import origin
from pushlab.pushservice.answers import PlannedAnswers
from pushlab.pushservice.autopush import MAX_FRAME, PING_SECONDS, AutopushHandler
from pushlab.pushservice.broker import Broker
from pushlab.pushservice.chromium.checkin import Browsers, CheckinHandler, RegistrationHandler
from pushlab.pushservice.chromium.listeners import (
    ChromiumListeners,
    ChromiumServers,
    ListenersHandler,
)
from pushlab.pushservice.control import (
    AnswerHandler,
    ExpireHandler,
    MessagesHandler,
    SubscribeHandler,
)
from pushlab.pushservice.flavours import Flavour
from pushlab.pushservice.https import HttpsServer
from pushlab.pushservice.mailbox import Mailbox
from pushlab.pushservice.presence import PresenceHandler
from pushlab.pushservice.receivers import USER_AGENT as RECEIVER
from pushlab.pushservice.receivers import Receivers
from pushlab.pushservice.store import Store
from pushlab.pushservice.webpush import MessageResource, PushResource
from pushlab.server.http import (
    SAFE,
    RefusalHandler,
    StreamedBody,
    UnknownPathHandler,
    check_source,
    is_own_host,
    listen,
    log,
)
from pushlab.server.limits import BoundedHTTPServer
from pushlab.server.private import PrivateAddress
from pushlab.text import show

Route = Rule | tuple[str, type[RequestHandler], dict[str, Any]]

SWEEP_SECONDS = 60
"""How often the messages of all user agents are searched for expired ones."""


class PushService:
    """Deliver messages from application servers to user agents, whichever protocol these speak.

    ``database`` is a URL of SQLAlchemy's; the default is a database in memory, which ``stop``
    deletes. ``journal`` gets an event for each step; ``clock`` returns seconds since 1970;
    ``message_limit`` is how many messages may wait for one user agent; ``flavour`` names the vendor
    whose responses application servers get (see ``flavours``). A stopped service may be started
    again: with the same database and port it goes on to serve the same user agents. Raises
    UnknownFlavour, LabError.

    The service speaks plain HTTP, which RFC 8030 §3 forbids. The deviation is deliberate: no
    certificate authority issues a certificate for this machine's own address, and messages are
    encrypted for the user agent anyway. Chromium requires TLS, and has two more ports (see
    ``chromium``). So do some senders, and there is one for them (see ``https``).

    RFC 8292 §2 wants the port in ``aud``, and many libraries leave it out, because no vendor's origin
    has one. ``aud_without_port`` takes their tokens as well.

    With a ``secret`` only a user agent that knows it can use the service: what browsers use is below
    ``/SECRET/`` (see ``private``), and MCS takes the numbers that a check-in there has given out.
    Endpoints and the URLs of messages are secrets themselves, and stay where they are.

    ``answers`` and ``receivers`` are for tests of senders. With ``control``, such tests can use them
    over HTTP (see ``control``); only a service at the loopback may have that.

    >>> import asyncio
    >>> async def example():
    ...     service = PushService()
    ...     await service.start()
    ...     print(service.origin == f"http://127.0.0.1:{service.port}")
    ...     await service.stop()
    >>> asyncio.run(example())
    True
    """

    def __init__(
        self,
        *,
        database: str | URL = "sqlite://",
        journal: Journal | None = None,
        clock: Callable[[], float] = time.time,
        flavour: str = "strict",
        message_limit: int = 1000,
        control: bool = False,
        aud_without_port: bool = False,
        secret: str = "",
    ):
        if type(message_limit) is not int or message_limit < 1:
            raise LabError(f"message_limit is {message_limit!r}, and must be a whole number from 1 on")
        self.flavour = flavour
        self.journal = journal or Journal()
        self._database, self._clock, self._message_limit = database, clock, message_limit
        self._host, self._port = "127.0.0.1", None
        self._server: BoundedHTTPServer | None = None
        self._undo = AsyncExitStack()
        self._connections: set[AutopushHandler] = set()
        self.answers = PlannedAnswers()
        self._chromium = ChromiumServers(clock, lambda: self.flavour, self.answers)
        self._https = HttpsServer()
        self._control, self._aud_without_port = control, aud_without_port
        self._secret = secret

    async def start(self, port: int = 0, host: str = "127.0.0.1", https_port: int | None = None) -> None:
        """Listen at a TCP port (0: any free one), at two more for Chromium, and at one with https.

        ``https_port``: None is the one that this database had last time, or a free one; 0 is any free
        one. If a step fails, everything that the steps before it opened is closed again. Raises
        PortTaken, BadPort, BadArgument, UnableToReadDatabase, UnableToWriteDatabase, DatabaseLocked.
        """
        if self._control and not ip_address(host).is_loopback:
            raise BadArgument(f"control is for this machine alone, and {host} is on a network")
        async with AsyncExitStack() as undo:
            listener = undo.enter_context(listen(port, host))
            self._store = Store(self._database)
            undo.callback(self._store.close)
            mailbox = Mailbox(self._message_limit)
            self.broker = Broker(mailbox, self._store, self.journal, self._clock)
            self._chromium.remember(self._store, host)
            self._https.remember(self._store, host)
            self._host, self._port = host, listener.getsockname()[1]
            self._browsers = Browsers(self.broker.mailbox, self._secret)
            undo.push_async_callback(self._chromium.close)
            self._chromium.open(self.broker, self._browsers, self._store, host)
            # A push service that was killed has left its receivers' subscriptions, which nobody owns.
            self.broker.unsubscribe_all(RECEIVER)
            # Nothing would ever use up the answers that are planned for an endpoint that is gone.
            self.receivers = Receivers(self.broker, self.endpoint, ended=self.answers.clear)
            undo.push_async_callback(self._https.close)
            self._https.open(self._https_application(), self._store, host, https_port)
            server = BoundedHTTPServer(self._at_port())
            undo.push_async_callback(server.close_all_connections)
            undo.push_async_callback(self._close_connections)
            undo.callback(self.receivers.end)
            undo.callback(server.stop)
            server.add_socket(listener)
            sweeper = PeriodicCallback(self._sweep, SWEEP_SECONDS * 1000)
            undo.callback(sweeper.stop)
            sweeper.start()
            self._server, self._undo = server, undo.pop_all()

    async def stop(self) -> None:
        """Close every connection, the ports and the database. Stopping twice is harmless.

        This undoes the steps of ``start``, the last one first. If undoing a step fails, the others
        are undone all the same.
        """
        undo, self._undo = self._undo, AsyncExitStack()
        self._server = None
        await undo.aclose()

    async def _close_connections(self) -> None:
        """Close the connections of all user agents, and wait until each has ended."""
        self.broker.forget_connections()
        for connection in (closing := list(self._connections)):
            connection.close(reason="the push service stops")
        for connection in closing:
            await connection.ended.wait()

    @property
    def flavour(self) -> Flavour:
        """The vendor whose responses application servers get. It may be set, by name, at any time."""
        return self._flavour

    @flavour.setter
    def flavour(self, name: str) -> None:
        self._flavour = Flavour.named(name)

    @property
    def port(self) -> int:
        """The TCP port. Raises LabStopped before the first start."""
        if self._port is None:
            raise LabStopped("the push service has not been started")
        return self._port

    @property
    def origin(self) -> str:
        """The origin of the endpoints by plain http: the ``aud`` of their tokens (RFC 8292 §2)."""
        return origin.serialize("http", self._host, self.port)

    @property
    def https_origin(self) -> str:
        """The origin of the same endpoints by https. Raises LabStopped before the first start."""
        return self._https.origin

    @property
    def ca_pem(self) -> bytes:
        """The certificate authority that senders by https have to trust, in PEM.

        It stays the same with the same database. Raises LabStopped before the first start.
        """
        return self._https.ca_pem

    @property
    def ws_url(self) -> str:
        """The address that a user agent connects to."""
        return f"{origin.serialize('ws', self._host, self.port)}{self._path}/"

    @property
    def _path(self) -> str:
        """What the paths begin with that user agents use."""
        return self._secret and f"/{self._secret}"

    @property
    def chromium(self) -> ChromiumListeners:
        """The addresses for a Chromium and its senders. Raises LabStopped before the first start."""
        return self._chromium.listeners(f"{self.origin}{self._path}")

    def presence(self, endpoint: str) -> tuple[bool, int] | None:
        """Return whether the user agent of an endpoint is connected, and how many messages wait.

        Returns None for an endpoint that this service does not know.
        """
        start, _, token = endpoint.rpartition("/")
        ours = {self.origin, self.https_origin, *(f"https://{host}" for host in self.chromium.hosts)}
        known = "/".join(start.split("/", 3)[:3]) in ours
        return self.broker.presence(token) if known else None

    def endpoint(self, token: str, https: bool = False) -> str:
        """Return the URL of a push resource. ``https``: the one for senders that need https."""
        return f"{self.https_origin if https else self.origin}/wpush/v2/{token}"

    def _at_port(self) -> Application | PrivateAddress:
        """Return what the port for plain HTTP serves."""
        if not self._secret:
            return self._application()
        refusal = (r".*", RefusalHandler, {"error": PrivateLab()})
        outside = self._serving(*self._for_senders(lambda request: self.origin), refusal)
        return PrivateAddress(self._path, inside=self._application(), outside=outside)

    def _application(self) -> Application:
        broker = {"broker": self.broker}
        autopush = {"endpoint": self.endpoint, "connections": self._connections}
        return self._serving(
            Rule(_WebSocketHandshake(), AutopushHandler, broker | autopush),
            self._front_page(),
            *self._for_senders(lambda request: self.origin),
            (r"/presence", PresenceHandler, {"presence": self.presence}),
            (r"/chromium", ListenersHandler, {"listeners": lambda: self.chromium}),
            (r"/checkin", CheckinHandler, {"browsers": self._browsers, "now": self._clock}),
            (r"/c2dm/register3", RegistrationHandler, broker | {"browsers": self._browsers}),
            *self._for_tests(),
        )

    def _https_application(self) -> Application:
        # To anybody else it would tell the secret.
        rest = [] if self._secret else [self._front_page()]
        return self._serving(*rest, *self._for_senders(self._asked_origin))

    def _front_page(self) -> Route:
        return (r"/", FrontPage, {"broker": self.broker, "ws_url": self.ws_url})

    def _for_senders(self, origin: Callable[[HTTPServerRequest], str]) -> list[Route]:
        broker = {"broker": self.broker}
        webpush = {"origin": origin, "now": self._clock, "answers": self.answers}
        webpush |= {"flavour": lambda: self.flavour, "aud_without_port": self._aud_without_port}
        return [
            (r"/wpush/v2/([A-Za-z0-9_-]+)", PushResource, broker | webpush),
            (r"/m/([A-Za-z0-9_-]+)", MessageResource, broker),
        ]

    def _for_tests(self) -> list[Route]:
        parts = {"receivers": self.receivers, "answers": self.answers}
        routes: list[Route] = [
            (r"/test/subscribe", SubscribeHandler, parts),
            (r"/test/messages/([A-Za-z0-9_-]+)", MessagesHandler, parts),
            (r"/test/expire/([A-Za-z0-9_-]+)", ExpireHandler, parts),
            (r"/test/answer/([A-Za-z0-9_-]+)", AnswerHandler, parts),
        ]
        return routes if self._control else []

    def _asked_origin(self, request: HTTPServerRequest) -> str:
        """Return the origin of the endpoint that a sender has: by https it may be any of our names."""
        try:
            return origin.origin_of(f"https://{request.host}")
        except ValueError:
            return self.https_origin  # Its port is not the number of a port.

    def _serving(self, *routes: Route) -> Application:
        return Application(
            [Rule(_Refused(self._host), RefusalHandler), *routes],
            default_handler_class=UnknownPathHandler,
            # No access log: it would hold endpoints, which are secrets. The journal has the events.
            log_function=lambda handler: None,
            websocket_max_message_size=MAX_FRAME,
            websocket_ping_interval=PING_SECONDS,
        )

    def _sweep(self) -> None:
        try:
            self.broker.expire()
        except StoreError as error:
            log.warning("expired messages stay for now: %s", error)


class _WebSocketHandshake(Matcher):
    """Match a request for a WebSocket at the root; a plain GET of the root gets a page for people."""

    def match(self, request: HTTPServerRequest) -> dict | None:
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        return {} if request.path == "/" and request.method == "GET" and upgrade else None


class _Refused(Matcher):
    """Match a request that a browser sends for a page: no user agent and no sender does.

    Its Host is another server's, as after DNS rebinding, or another origin's page has sent it.
    """

    def __init__(self, host: str):
        self._host = host

    def match(self, request: HTTPServerRequest) -> dict | None:
        try:
            self._check(request.method or "", request.headers)
        except RequestError as error:
            return {"target_kwargs": {"error": error}}
        return None

    def _check(self, method: str, headers: Mapping[str, str]) -> None:
        host = headers.get("Host", "")
        if not is_own_host(host, self._host):
            raise WrongHost(f"this server is not {show(host, limit=80) or 'missing'}")
        if method not in SAFE:
            check_source(host, headers.get("Sec-Fetch-Site"), headers.get("Origin"))


class FrontPage(StreamedBody):
    """Explain, to a person with a browser, what this server is."""

    def initialize(self, broker: Broker, ws_url: str) -> None:
        self.broker, self.ws_url = broker, ws_url

    def get(self) -> None:
        subscriptions, messages = self.broker.mailbox.counts()
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(
            "This is pushlab's push service (RFC 8030).\n\n"
            f"User agents connect to {self.ws_url}\n"
            "Application servers POST to the endpoints that it hands out.\n\n"
            f"{subscriptions} subscriptions, {self.broker.connected()} user agents connected, "
            f"{messages} messages waiting\n"
        )
