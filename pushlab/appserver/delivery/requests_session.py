"""A session of requests that pywebpush may post with: bounded, and to allowed addresses only.

What requests does not do by itself is added here:

- it connects to whatever address a name has: here each is checked first (see ``egress``);
- its time-outs count anew for each address and each byte: here a call has one time for everything
  (see ``connections``);
- it follows redirects, and takes proxies and passwords from the environment: here it does not;
- it reads a response to its end, however long, and unpacks it, and guesses its encoding.

The first message imports this module, because requests takes long to import.
"""

import http.client
import io
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from pushlab.appserver.delivery.connections import OpenConnections
from pushlab.appserver.delivery.egress import ConnectOverride, EgressPolicy, place_of
from pushlab.appserver.delivery.response import MAX_HEAD_LINES
from pushlab.appserver.delivery.transfer import MAX_BODY
from pushlab.appserver.delivery.transport import CONNECT_TIMEOUT, trusted_file

OnHead = Callable[[requests.Response], None]

MAX_HEAD = 300 * 1024
"""Bytes of all heads of one response, as libcurl has it."""

ORIGINS = 4
"""Push services to which a session keeps a connection for its next call."""


class HeadReader:
    """Read the lines of a head: it must have an end, and at most ``MAX_HEAD`` bytes.

    http.client takes the end of the connection for the end of a head, and so a part for the whole.
    """

    def __init__(self, file: io.BufferedIOBase):
        self._file, self._size = file, 0

    def readline(self, limit: int) -> bytes:
        """Return a line with its end. Raises IncompleteRead, LineTooLong."""
        line = self._file.readline(limit)
        if not line.endswith(b"\n") and len(line) < limit and (line or self._size):
            raise http.client.IncompleteRead(line)
        self._size += len(line)
        if self._size > MAX_HEAD:
            raise http.client.LineTooLong("head")
        return line

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class FinalResponse(http.client.HTTPResponse):
    """A response with a whole head, whose interim responses (1xx) are passed over, RFC 9110 §15.2.

    http.client passes over 100 alone, for ever, and takes any other for the response.
    """

    def begin(self):
        """Read the head."""
        file, self.fp = self.fp, HeadReader(self.fp)
        try:
            super().begin()
        finally:
            if self.fp is not None:  # It is closed already if there is no body.
                self.fp = file

    def _read_status(self):
        for _ in range(MAX_HEAD_LINES):
            version, status, reason = super()._read_status()
            if not 100 <= status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.BadStatusLine("only interim responses")


class NotPublic(Exception):
    """A name has led to an address that is not public."""


def connect(url: str, egress: EgressPolicy, opened: OpenConnections) -> tuple:
    """Resolve a name once, check every address, and connect to the first that answers.

    Return the socket and its duplicate in ``opened``. Raises NotPublic, LabStopped, TimeoutError,
    UnicodeError for a name that cannot be, and OSError for one that does not answer.
    """
    host, port = place_of(url)[1:]
    resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not all(egress.permits(url, str(where[0])) for *_, where in resolved):
        raise NotPublic
    fault: OSError = ConnectionError("the name has no address")
    for family, kind, protocol, _, where in resolved:
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.settimeout(min(CONNECT_TIMEOUT, opened.seconds_left()))
            duplicate = opened.add(connecting)  # Before it connects: that may have to be ended too.
        except BaseException:
            connecting.close()
            raise
        try:
            connecting.connect(where)
            opened.seconds_left()  # What was shut down before it was connected is open all the same.
            return connecting, duplicate
        except BaseException as error:
            connecting.close()
            opened.leave(duplicate)
            if not isinstance(error, OSError):
                raise
            fault = error
    raise fault


class Counted:
    """A connection that is opened within the time of a call, and counted until it is closed."""

    response_class: Any = FinalResponse
    scheme = ""

    def __init__(self, *arguments, egress: EgressPolicy, opened: OpenConnections, **options):
        super().__init__(*arguments, **options)
        self._egress, self._opened = egress, opened
        self._duplicate: socket.socket | None = None

    def _new_conn(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        url = f"{self.scheme}://{host}:{self.port}"
        try:
            connected, self._duplicate = connect(url, self._egress, self._opened)
        except socket.gaierror as reason:
            raise NameResolutionError(self.host, self, reason) from None
        except TimeoutError:
            raise ConnectTimeoutError(self, "timed out") from None
        except OSError as reason:
            raise NewConnectionError(self, str(reason)) from None
        return connected

    def close(self):
        """Close it. The thread may read the body of its last response all the same."""
        super().close()
        if self._duplicate:
            self._opened.leave(self._duplicate)
            self._duplicate = None


class PlainConnection(Counted, HTTPConnection):
    """A connection for http."""

    scheme = "http"


class SecureConnection(Counted, HTTPSConnection):
    """A connection for https."""

    scheme = "https"


class PlainPool(HTTPConnectionPool):
    """Connections for http to one host."""

    ConnectionCls = PlainConnection


class SecurePool(HTTPSConnectionPool):
    """Connections for https to one host."""

    ConnectionCls = SecureConnection


class BoundedAdapter(HTTPAdapter):
    """Connect to allowed addresses only, and read at most MAX_BODY of a response."""

    def __init__(self, egress: EgressPolicy, opened: OpenConnections, on_head: OnHead):
        super().__init__(pool_connections=ORIGINS)
        self._on_head = on_head
        limits: dict[str, Any] = {"egress": egress, "opened": opened}
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(PlainPool, **limits),  # type: ignore[dict-item]  # urllib3 only calls it
            "https": partial(SecurePool, **limits),  # type: ignore[dict-item]  # urllib3 only calls it
        }
        # urllib3 leaves it to the garbage collector to close a pool, and an error may hold that.
        self.poolmanager.pools.dispose_func = HTTPConnectionPool.close

    def build_response(self, req, resp):
        """Read the body, and return the response."""
        response = super().build_response(req, resp)
        self._on_head(response)
        try:
            body = resp.read(MAX_BODY, decode_content=False)
        except Exception:  # noqa: BLE001 — whatever happens to the body, the status has come and counts
            body = b""
        response.raw = io.BytesIO(body)
        # pywebpush makes text of each body. The charset that a push service names may be any of
        # Python's codecs, some of which raise or take long; without one, requests would guess.
        response.encoding = "utf-8"
        resp.release_conn() if resp.length_remaining == 0 else resp.close()
        return response


class OverridingAdapter(BoundedAdapter):
    """Connect to the lab in place of the URL's host, and check the certificate for that host."""

    def __init__(self, override: ConnectOverride, opened: OpenConnections, on_head: OnHead):
        self._override = override
        self._context = ssl.create_default_context(cadata=override.authority)
        egress = EgressPolicy([f"https://{override.address}:{override.port}"])
        super().__init__(egress, opened, on_head)

    def build_connection_pool_key_attributes(self, request, verify, cert=None):
        """Return where to connect, and how."""
        host, options = super().build_connection_pool_key_attributes(request, verify, cert)
        name = self._override.host
        options |= {"ssl_context": self._context}
        options |= {"server_hostname": name, "assert_hostname": name}
        return host | {"host": self._override.address, "port": self._override.port}, options

    def add_headers(self, request, **options):
        """Ask for the URL's host."""
        request.headers["Host"] = self._override.host


class Session(requests.Session):
    """Follow no redirect."""

    def get_redirect_target(self, resp) -> None:
        """Return None: no response leads elsewhere."""


def make_session(
    override: ConnectOverride | None,
    egress: EgressPolicy,
    opened: OpenConnections,
    on_head: OnHead = lambda response: None,
) -> requests.Session:
    """Make a session for endpoints that have this override, or None.

    ``on_head`` is called with each response before its body is read.
    """
    session = Session()
    # The environment would add proxies, and a .netrc an Authorization in place of ours.
    session.trust_env = False
    session.verify = trusted_file()
    bounded = partial(BoundedAdapter, egress, opened, on_head)
    session.mount("https://", OverridingAdapter(override, opened, on_head) if override else bounded())
    session.mount("http://", bounded())
    return session
