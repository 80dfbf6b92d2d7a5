"""What both HTTP servers share: a port, request bodies, errors, names of user agents.

The parties meet over HTTP. Tornado answers some faults by itself: in HTML, without a body, or by
closing the connection. Here every error is answered as ``{"error": {"id", "message"}}``, and:

- A body is read as a stream of bytes. By default Tornado parses forms before a handler sees them. It
  answers 400 when a form is content-coded, and it takes a push message for such a form.
- A body that is too long is read to its end and discarded, up to a limit. An answer that is sent
  earlier is lost when the connection is reset.
"""

import itertools
import logging
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, NoReturn, cast

from tornado.concurrent import Future
from tornado.http1connection import HTTP1Connection
from tornado.httputil import responses
from tornado.ioloop import IOLoop
from tornado.web import HTTPError, RequestHandler, stream_request_body

from pushlab.errors import (
    BadPort,
    CrossOrigin,
    InternalError,
    MethodNotAllowed,
    PortTaken,
    PushlabError,
    RequestError,
    RequestTimeout,
    RequestTooLarge,
    UnknownMethod,
    UnknownPath,
)
from pushlab.server.limits import BODY_SECONDS
from pushlab.server.stream import RETRY_SECONDS
from pushlab.text import show

DRAIN_LIMIT = 16 * 1024 * 1024
"""Bytes of an overlong body that are discarded before the connection is closed."""

FREE_PORTS = range(10_100, 18_000)
"""Where a free port is looked for. Systems give ports from 32768 on (Linux) or from 49152 (elsewhere) to
whoever asks for any, also to connections: a server that began there may find its port taken after a
restart. Browsers refuse 10080."""

TRIES = 100
"""Ports that are tried there."""

BACKLOG = 1024
"""Connections that the system holds until they are accepted: a whole class may connect at once."""

ANSWER_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
"""They forbid whoever reads an answer to guess its type, and to keep it."""

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
"""They forbid a browser to run, frame or embed an answer, and to pass its address on."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

KNOWN_METHODS = {*METHODS, "CONNECT", "TRACE"}
"""The methods of RFC 9110 §9.3 and RFC 5789. Two of them no path here takes."""

SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing here, so any page may send them."""

HOME = ("same-origin", "none")
"""Values of Sec-Fetch-Site: of our own page, and of an address that a person typed or a bookmark."""

# Nothing is printed unless a program adds a handler of its own: in a notebook, what the server's
# thread prints would appear under whichever cell is running.
log = logging.getLogger("pushlab")
log.addHandler(logging.NullHandler())


def listen(port: int, host: str) -> socket.socket:
    """Open a TCP port for an HTTPServer and return its socket.

    ``port``: 0 takes any free one, so that the same can be opened again after a restart, and one that
    this process has not had before; ``host``: an address of this machine. Raises PortTaken, BadPort.
    """
    if not isinstance(port, int) or not 0 <= port <= 65535:
        raise BadPort(f"the port is {port!r}, which is not a port")
    if port == 0:
        for one in some_ports():
            with suppress(PortTaken):
                return _listen(one, host)
    return _listen(port, host)


def some_ports(ports: range = FREE_PORTS) -> Iterator[int]:
    """Return ports to try: the system gives them to nobody who asks for any.

    A process gets none a second time before it has had all of them. Browsers keep workers, permissions
    and subscriptions by origin: at a port that a server had before, a page would find those of that
    server.
    """
    return itertools.islice(_in_any_order(ports), TRIES)


@cache
def _in_any_order(ports: range) -> Iterator[int]:
    return itertools.cycle(secrets.SystemRandom().sample(ports, len(ports)))


def _listen(port: int, host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as reason:
        raise PortTaken(f"port {port} of {host}: {reason.strerror}") from None
    listener.setblocking(False)
    return listener


_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", re.IGNORECASE)


def is_own_host(header: str, host: str) -> bool:
    """Say whether a Host header names the server that listens at ``host``.

    The owner of a domain can point its name at this machine (DNS rebinding). Nobody can do that
    with an address or with ``localhost``, so these are accepted with any port: behind a proxy on
    this machine, the port is the proxy's.

    >>> is_own_host("localhost:8888", "127.0.0.1"), is_own_host("evil.example:8292", "127.0.0.1")
    (True, False)
    """
    named = _HOST.fullmatch(header)
    if named is None:
        return False
    return named[1].strip("[]").lower() in {"localhost", "127.0.0.1", "::1", host}


_DEFAULT_PORT = re.compile(r"(?<=[^:]):(80|443)$")


def check_source(host: str, site: str | None, origin: str | None) -> None:
    """Refuse a request from a page of another origin. Raises CrossOrigin.

    ``site`` is Sec-Fetch-Site. It decides if it is there: behind a proxy, ``origin`` is the proxy's
    and ``host`` may be ours. A request with neither ``site`` nor ``origin`` comes from a program, or
    from a browser that is too old for push.

    >>> check_source("127.0.0.1:8292", "same-origin", "https://hub.example.net")
    >>> check_source("127.0.0.1:8292", None, None)
    >>> check_source("127.0.0.1:8292", None, "http://127.0.0.1:8888")
    Traceback (most recent call last):
    pushlab.errors.CrossOrigin: a page of http://127.0.0.1:8888 sent this (RFC 6454 §7). ...
    """
    if site in HOME:
        return
    if site is None and (origin is None or _authority(origin.partition("://")[2]) == _authority(host)):
        return
    raise CrossOrigin(f"a page of {show(origin, limit=80) if origin else 'another origin'} sent this")


def _authority(text: str) -> str:
    """Return host and port as one text. Behind a proxy the scheme of the two may differ."""
    return _DEFAULT_PORT.sub("", text.lower())


class JsonErrors(RequestHandler):
    """A handler that answers every error in JSON, Tornado's own errors too.

    HEAD is served wherever GET is: RFC 9110 §9.1 requires both, and Tornado sends no body.
    """

    default_headers: Mapping[str, str] = ANSWER_HEADERS | PAGE_HEADERS
    """The headers of every answer, unless a handler replaces them."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "get" in vars(cls) and "head" not in vars(cls):
            cls.head = vars(cls)["get"]

    def set_default_headers(self) -> None:
        for name, value in self.default_headers.items():
            self.set_header(name, value)
        self.clear_header("Server")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error. Tornado calls this for whatever a handler raises."""
        cause = kwargs.get("exc_info", (None, None, None))[1]
        error = cause if isinstance(cause, PushlabError) else self._error_of(status_code)
        # For a fault that has no class of its own, Tornado's status is more exact than 400.
        status = status_code if type(error) is RequestError and error is not cause else error.status
        if status == 405:
            self.set_header("Allow", ", ".join(self._allowed()))
        for name, value in error.headers.items():
            self.set_header(name, value)
        if status == 503:
            self.set_header("Retry-After", str(RETRY_SECONDS))
        self.set_status(status)
        self.record_error(error)
        self.finish(error.to_json())

    def record_error(self, error: PushlabError) -> None:
        """Do nothing. A party overrides this to write an error into its journal before the answer."""

    def _error_of(self, status: int) -> PushlabError:
        """Return our own error for a status that Tornado chose."""
        if status == 405 and self.request.method not in KNOWN_METHODS:
            return UnknownMethod()
        if status == 405:
            allowed = ", ".join(self._allowed()) or "nothing"
            return MethodNotAllowed(f"this path takes {allowed}, not {self.request.method}")
        if status == 413:
            return RequestTooLarge(f"the body is longer than {DRAIN_LIMIT} bytes")
        if status == 408:
            return RequestTimeout(f"the body did not come within {BODY_SECONDS:g} s")
        if status in (403, 404):
            return UnknownPath()
        if status < 500:
            return RequestError(responses.get(status, "the request cannot be served"))
        return InternalError()

    def _allowed(self) -> list[str]:
        mine, none = type(self), RequestHandler
        return [m for m in METHODS if getattr(mine, m.lower()) is not getattr(none, m.lower())]

    def log_exception(self, typ, value, tb) -> None:
        # Tornado's own line holds the URL, and an endpoint is a secret.
        if not isinstance(value, HTTPError | PushlabError):
            log.error("%s failed", type(self).__name__, exc_info=(typ, value, tb))


@stream_request_body
class StreamedBody(JsonErrors):
    """Keep at most ``body_limit`` bytes of the body in ``body``, and count all of them in ``length``."""

    body_limit = 0
    _timer: object = None

    def prepare(self) -> None:
        self.body, self.length = bytearray(), 0
        if {"Content-Length", "Transfer-Encoding"} & set(self.request.headers):
            self._timer = IOLoop.current().call_later(BODY_SECONDS, self._give_up)
        announced = self.request.headers.get("Content-Length", "0")
        if not re.fullmatch(r"[0-9]{1,100}", announced):
            raise RequestError("Content-Length is not a number")
        if int(announced) > DRAIN_LIMIT:
            raise RequestTooLarge(f"the body is longer than {DRAIN_LIMIT} bytes")
        # Tornado's own limits close the connection without an answer; those here answer 413 and 408.
        connection = cast(HTTP1Connection, self.request.connection)
        connection.set_max_body_size(2**63)
        connection.set_body_timeout(None)  # type: ignore[arg-type]  # None stands for no limit.

    def finish(self, chunk: Any = None) -> "Future[None]":
        """Send the answer, and say so if the connection ends with it.

        Tornado ends it when the body has not been read to its end, and does not say so: RFC 9112 §9.6.
        """
        if not self.request._body_future.done():
            self.set_header("Connection", "close")
        return super().finish(chunk)

    def on_finish(self) -> None:
        if self._timer:
            IOLoop.current().remove_timeout(self._timer)

    def _give_up(self) -> None:
        # Tornado's own timeout closes the connection without an answer. It waits for this future too.
        if not self.request._body_future.done() and not self._finished:
            self.send_error(408)

    def data_received(self, chunk: bytes) -> None:
        self.length += len(chunk)
        self.body += chunk[: max(0, self.body_limit - len(self.body))]
        if self.length > DRAIN_LIMIT and not self._finished:
            self.send_error(413)


class UnknownPathHandler(StreamedBody):
    """Answer 404, whatever the method."""

    def get(self) -> NoReturn:
        raise UnknownPath

    post = put = patch = delete = options = get


class RefusalHandler(StreamedBody):
    """Answer every method and path with the same error."""

    def initialize(self, error: RequestError) -> None:
        self.error = error

    def prepare(self) -> NoReturn:
        raise self.error


_VIRTUAL = re.compile(r"pushlab-virtual(?: \((?P<name>[^()]{1,40})\))?")


def user_agent_name(header: str, brands: str = "") -> str:
    """Return a user agent's name for people.

    ``header`` is User-Agent, in which Chromium calls itself Chrome; ``brands`` is Sec-CH-UA, in
    which it does not.

    >>> user_agent_name("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0")
    'Firefox'
    >>> user_agent_name("Mozilla/5.0 … Chrome/156.0.0.0 Safari/537.36", '"Chromium";v="156"')
    'Chromium'
    >>> user_agent_name("pushlab-virtual (Ada)"), user_agent_name("pushlab-virtual")
    ('Ada', 'Virtual')
    """
    if virtual := _VIRTUAL.fullmatch(header):
        return show(virtual["name"] or "") or "Virtual"
    if "Firefox/" in header:
        return "Firefox"
    if "Edg/" in header:
        return "Edge"
    if "HeadlessChrome/" in header or "Chromium/" in header:
        return "Chromium"
    if "Chrome/" in header:
        return "Chromium" if '"Chromium"' in brands and "Google Chrome" not in brands else "Chrome"
    return "Safari" if "Safari/" in header else "Browser"
