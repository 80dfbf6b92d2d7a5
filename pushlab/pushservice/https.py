"""The port at which the push service speaks https, for senders that refuse plain http.

RFC 8030 §3 requires https, and some senders know no other scheme: Node's web-push is one. The same
push resources are served here as at the ordinary port, by another origin. A sender has to trust the
authority ``ca_pem``, which vouches for this machine alone. Browsers use the other ports.
"""

from contextlib import AsyncExitStack, suppress
from ipaddress import ip_address

from tornado.web import Application

from pushlab.errors import PortTaken
from pushlab.protocol.origin import serialize
from pushlab.pushservice.store import Store
from pushlab.pushservice.tls_ports import TlsPorts
from pushlab.server.http import listen
from pushlab.server.limits import BoundedHTTPServer

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class HttpsServer:
    """Serve an application over TLS. Certificate and port stay the same, as Chromium's do."""

    def __init__(self) -> None:
        self._tls = TlsPorts("https", 1, "senders will have to trust another authority")
        self._undo = AsyncExitStack()

    def remember(self, store: Store, host: str) -> None:
        """Read the certificate and the port from the store. Raises UnableToReadDatabase."""
        self._tls.remember(store, _names(host))

    def open(self, application: Application, store: Store, host: str, port: int | None) -> None:
        """Listen at a port: None is the one of last time, or a free one; 0 is any free one.

        If this fails, ``close`` closes what has been opened so far. Raises PortTaken, BadPort.
        """
        self._host = host
        listeners = self._tls.open(store, _names(host), host, self._undo, port)
        if ip_address(host).is_loopback:
            # A client may look for localhost at ::1 first. Not every machine has IPv6.
            with suppress(PortTaken):
                listeners.append(self._undo.enter_context(listen(self._tls.numbers[0], "::1")))
        server = BoundedHTTPServer(application, ssl_options=self._tls.certificates.context)
        self._undo.push_async_callback(server.close_all_connections)
        self._undo.callback(server.stop)
        server.add_sockets(listeners)
        self._server = server

    async def close(self) -> None:
        """Close the port, and every connection at it."""
        undo, self._undo = self._undo, AsyncExitStack()
        await undo.aclose()

    @property
    def origin(self) -> str:
        """The origin of the https endpoints. Raises LabStopped before the first ``open``."""
        certificates, (port,) = self._tls.certificates, self._tls.numbers
        return serialize("https", certificates.names[0], port)

    @property
    def ca_pem(self) -> bytes:
        """The authority's certificate. Raises LabStopped before the first ``open``."""
        return self._tls.certificates.ca_pem


def _names(host: str) -> tuple[str, ...]:
    """Return the names of the certificate, the one of the endpoints first."""
    return LOCAL_NAMES if host in LOCAL_NAMES else (host, *LOCAL_NAMES)
