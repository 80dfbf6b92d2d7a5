"""The ports at which the push service listens for Chromium, and for those who send to it.

Chromium has no setting for the host of its endpoints: they are URLs at its vendor's hosts. So the
push service answers for these hosts too, at a separate port with its own certificate. An application
server of the lab must connect to that port instead: ``tls_port`` and ``ca_pem`` tell it how.

    Chromium    ── HTTP ──▶ /checkin, /c2dm/register3      the push service's ordinary port
    Chromium    ── TLS ───▶ MCS                            mcs_url
    application ── HTTPS ─▶ /fcm/send/TOKEN, /wp/TOKEN     tls_port, for the hosts of the vendor
"""

import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from tornado.routing import Rule
from tornado.web import Application

from pushlab.protocol.origin import serialize
from pushlab.pushservice.answers import PlannedAnswers
from pushlab.pushservice.broker import Broker
from pushlab.pushservice.chromium.checkin import Browsers
from pushlab.pushservice.chromium.mcs import McsServer
from pushlab.pushservice.flavours import Flavour
from pushlab.pushservice.store import Store
from pushlab.pushservice.tls_ports import TlsPorts
from pushlab.pushservice.webpush import MessageResource, PushResource
from pushlab.server.http import StreamedBody, UnknownPathHandler
from pushlab.server.limits import BoundedHTTPServer

VENDOR_HOSTS = ("jmt17.google.com", "fcm.googleapis.com")
"""The hosts that a Chromium writes into its endpoints, by the channel that it was built for."""


@dataclass(frozen=True)
class ChromiumListeners:
    """What a Chromium needs to use this push service, and what a sender needs to reach it.

    The three URLs and ``spki`` are values of Chromium's switches; two of the URLs hold the secret of a
    private service. A sender must make its connections
    to ``hosts`` to ``tls_port`` instead, and trust the certificate authority ``ca_pem``.
    """

    checkin_url: str = field(repr=False)
    registration_url: str = field(repr=False)
    mcs_url: str
    spki: str
    ca_pem: bytes = field(repr=False)
    hosts: tuple[str, ...]
    tls_port: int


class ListenersHandler(StreamedBody):
    """``GET /chromium``: the values of the switches, for starting a Chromium on another machine.

    What a sender needs is not included: the lab passes it to its own application server.
    """

    def initialize(self, listeners: Callable[[], ChromiumListeners]) -> None:
        self.listeners = listeners

    def get(self) -> None:
        listeners = self.listeners()
        names = ("checkin_url", "registration_url", "mcs_url", "spki")
        self.finish({"data": {name: getattr(listeners, name) for name in names}})


def names_at(host: str) -> list[str]:
    """Return the names that the certificate of a push service at this address must hold.

    >>> names_at("127.0.0.1")[-2:]
    ['localhost', '127.0.0.1']
    """
    return [*VENDOR_HOSTS, "localhost", host]


class ChromiumServers:
    """Serve the two ports that speak TLS.

    The certificate, and the ports where possible, stay the same after ``close`` and ``open``, and
    after a restart of the process if the store is the same. So a running browser can connect again.
    """

    def __init__(
        self, clock: Callable[[], float], flavour: Callable[[], Flavour], answers: PlannedAnswers
    ):
        self._clock, self._flavour, self._answers = clock, flavour, answers
        self._tls = TlsPorts("chromium", 2, "a Chromium will have to be started again")
        self._undo = AsyncExitStack()

    def remember(self, store: Store, host: str) -> None:
        """Read the certificate and the ports from the store. Raises UnableToReadDatabase."""
        self._tls.remember(store, names_at(host))

    def open(self, broker: Broker, browsers: Browsers, store: Store, host: str) -> None:
        """Listen at both ports. If this fails, ``close`` closes what has been opened so far."""
        self._host = host
        web, mcs = self._tls.open(store, names_at(host), host, self._undo)
        context = self._tls.certificates.context
        self._web = BoundedHTTPServer(self._application(broker), ssl_options=context)
        self._mcs = McsServer(broker, browsers, self._clock, context)
        for server, listener in ((self._web, web), (self._mcs, mcs)):
            self._undo.push_async_callback(server.close_all_connections)
            self._undo.callback(server.stop)
            server.add_socket(listener)

    async def close(self) -> None:
        """Close both ports, and every connection at them."""
        undo, self._undo = self._undo, AsyncExitStack()
        await undo.aclose()

    def listeners(self, origin: str) -> ChromiumListeners:
        """Return the addresses; ``origin`` is where the push service speaks plain HTTP.

        Raises LabStopped before the first ``open``.
        """
        certificates, (web, mcs) = self._tls.certificates, self._tls.numbers
        return ChromiumListeners(
            checkin_url=f"{origin}/checkin",
            registration_url=f"{origin}/c2dm/register3",
            mcs_url=serialize("https", self._host, mcs),
            spki=certificates.spki,
            ca_pem=certificates.ca_pem,
            hosts=VENDOR_HOSTS,
            tls_port=web,
        )

    def _application(self, broker: Broker) -> Application:
        """Serve the push resources of each host, whose origin is the ``aud`` of its tokens."""
        application = Application(
            default_handler_class=UnknownPathHandler,
            # No access log, as at the other port: it would hold endpoints.
            log_function=lambda handler: None,
        )
        for host in VENDOR_HOSTS:
            arguments: dict[str, object] = {
                "broker": broker,
                "origin": lambda request, origin=f"https://{host}": origin,
                "now": self._clock,
                "flavour": self._flavour,
                "answers": self._answers,
            }
            resources: list[Rule | list | tuple] = [
                (r"/(?:fcm/send|wp|preprod/wp)/([A-Za-z0-9_-]+)", PushResource, arguments),
                (r"/m/([A-Za-z0-9_-]+)", MessageResource, {"broker": broker}),
            ]
            application.add_handlers(re.escape(host), resources)
        return application
