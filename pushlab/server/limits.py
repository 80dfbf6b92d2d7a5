"""The gate of every server of the lab: how many come in, how long a head may be, how long it may take.

Tornado reads requests; what it leaves to its users is decided here, once for both parties:

    too many connections         503 and Retry-After, and the connection ends
    a head that is too long      431, likewise
    what is no HTTP              400, in JSON as every other error
    a head that does not come    the connection ends: nobody has asked for anything yet
    a peer that is gone          the system finds out, and the connection ends

The number of connections follows from the number of files that the process may have open: past
that, ``accept`` fails again and again, and the server would be busy doing nothing else. Connections
that the process opens itself, to push services, have a part of that number to themselves.
"""

import json
import socket
import threading
from collections.abc import Callable

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, UnsatisfiableReadError

from pushlab.errors import HeadTooLarge, PushlabError, RequestError, TooManyConnections

MAX_HEAD = 16 * 1024
"""Bytes of the request line and the headers, together. A cookie of JupyterHub's has some hundred."""

HEAD_SECONDS = 60
"""How long a connection may wait before a request, and in the middle of its headers."""

BODY_SECONDS = 30
"""How long a client may take to send the body of a request. Then it is answered 408."""

MAX_BUFFER = 1024 * 1024
"""Bytes that one connection may have received and not read, and so the longest chunk of a body."""

MAX_INCOMING = 20_000
"""Connections that one process takes, where the system sets no lower limit."""

MAX_OUTGOING = 800
"""Connections to other servers, all together, that one process opens."""

RESERVED_FILES = 200
"""Files that are left for other things: databases, browsers, the names of push services."""

MAX_FILES = MAX_INCOMING + MAX_OUTGOING + RESERVED_FILES
"""Files that one process opens at most."""

MAX_SHARE = 0.75
"""How much of all connections one server may have, so that a flood at one door leaves others open."""

MAX_REFUSALS = 64
"""Connections that may be told at one time why they are refused; further ones are just closed."""

REFUSAL_SECONDS = 1.0
"""How long a client that is refused may take to read the reason."""

RETRY_SECONDS = 5
"""Retry-After of every answer 503: too many are here, or a database is held by somebody else."""

KEEPALIVE_SECONDS = 10
"""After about that time without a sign of life from its system, a peer counts as gone: a cable that
is pulled says no goodbye, and whoever looks at the room wants to see it."""


def open_files() -> int:
    """Return how many files this process may have open."""
    try:
        import resource
    except ImportError:  # Windows has no such limit to ask for.
        return MAX_FILES
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_FILES if soft == resource.RLIM_INFINITY else soft


def max_outgoing() -> int:
    """Return how many connections to other servers this process may open, all together."""
    return min(MAX_OUTGOING, max(1, open_files() // 4))


def max_incoming() -> int:
    """Return how many connections this process may take: what it may open, less what it needs."""
    files = open_files()
    return min(MAX_INCOMING, files - max_outgoing() - min(RESERVED_FILES, files // 4))


def raise_file_limit() -> None:
    """Raise the limit of open files as far as the system lets everybody.

    It is low by default for the sake of programs that use select(2), and none does here.
    """
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (ValueError, OSError):
            return  # macOS may refuse what it has just offered; the lower limit holds.


class ConnectionCounter:
    """Count the connections of a process, server by server.

    >>> sockets = ConnectionCounter(limit=lambda: 4)
    >>> [sockets.acquire("page") for _ in range(4)], sockets.acquire("push service")
    ([True, True, True, False], True)
    """

    def __init__(self, limit: Callable[[], int]):
        self._limit, self._taken, self._lock = limit, {}, threading.Lock()

    def acquire(self, server: object) -> bool:
        """Count one more for a server, and say whether there was room for it."""
        with self._lock:
            limit, mine = max(1, self._limit()), self._taken.get(server, 0)
            if sum(self._taken.values()) >= limit or mine >= max(1, int(limit * MAX_SHARE)):
                return False
            self._taken[server] = mine + 1
            return True

    def release(self, server: object) -> None:
        """Count one less."""
        with self._lock:
            self._taken[server] -= 1
            if not self._taken[server]:
                del self._taken[server]


CONNECTIONS = ConnectionCounter(max_incoming)
"""Those of this process."""


def enable_keepalive(connection: socket.socket) -> None:
    """Let the system find out when a peer has gone without a word, in KEEPALIVE_SECONDS or so."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Not every system has each of these; macOS and Windows have longer patience.
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_SECONDS // 2),
        ("TCP_KEEPINTVL", KEEPALIVE_SECONDS // 5),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", KEEPALIVE_SECONDS * 1000),
    ):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class BoundedHTTPServer(HTTPServer):
    """Tornado's HTTPServer with bounds, and with words where Tornado has none.

    ``application`` and ``options`` are HTTPServer's.
    """

    def initialize(self, application, **options) -> None:
        raise_file_limit()
        self._leaving: set[IOStream] = set()
        bounds = {
            "max_header_size": MAX_HEAD,
            "idle_connection_timeout": HEAD_SECONDS,
            # The handler gives up first, and says so.
            "body_timeout": BODY_SECONDS + 5,
            "max_buffer_size": MAX_BUFFER,
        }
        super().initialize(application, **(bounds | options))

    def handle_stream(self, stream: IOStream, address: tuple) -> None:
        enable_keepalive(stream.socket)
        if CONNECTIONS.acquire(self):
            _Manners(stream, lambda: CONNECTIONS.release(self))
            super().handle_stream(stream, address)
        elif len(self._leaving) < MAX_REFUSALS:
            self._refuse(stream)
        else:
            stream.close()

    async def close_all_connections(self) -> None:
        """Close every connection, those of who is being refused too."""
        for stream in list(self._leaving):
            stream.close()
        await super().close_all_connections()

    def _refuse(self, stream: IOStream) -> None:
        """Say why, and leave it to the client to hang up, for a moment.

        What it has sent is not answered otherwise: if the connection ended at once, the system would
        reset it because of those bytes, and the reset would overtake the words.
        """
        self._leaving.add(stream)
        timer = IOLoop.current().call_later(REFUSAL_SECONDS, stream.close)

        def ended() -> None:
            self._leaving.discard(stream)
            IOLoop.current().remove_timeout(timer)

        stream.set_close_callback(ended)
        _write(stream.write, answer(TooManyConnections()))


def _write(write: Callable, data: bytes) -> None:
    """Write to somebody who may have gone, which is no surprise."""
    write(data).add_done_callback(lambda sent: sent.cancelled() or sent.exception())


def answer(error: PushlabError) -> bytes:
    """Return a whole answer, for where there is no handler to make one.

    >>> answer(HeadTooLarge()).partition(b"\\r\\n")[0]
    b'HTTP/1.1 431 Request Header Fields Too Large'
    """
    body = json.dumps(error.to_json()).encode("utf-8")
    reason = {400: "Bad Request", 431: "Request Header Fields Too Large"}
    lines = [
        f"HTTP/1.1 {error.status} {reason.get(error.status, 'Service Unavailable')}",
        "Content-Type: application/json; charset=UTF-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if error.status == 503:
        lines.append(f"Retry-After: {RETRY_SECONDS}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


class _Manners:
    """Stand between Tornado and one stream: say in our words what Tornado says in its own.

    Tornado has one answer that no handler makes, to what is no HTTP, and it ends a connection
    without any when a head is too long. Both pass through the stream. ``at_the_end`` is called once,
    when the stream is closed, whoever closes it.
    """

    BARE = b"HTTP/1.1 400 Bad Request\r\n\r\n"

    def __init__(self, stream: IOStream, at_the_end: Callable[[], None]):
        self._stream, self._at_the_end = stream, at_the_end
        self._write, self._close = stream.write, stream.close
        self._refused = False
        stream.write, stream.close = self.write, self.close

    def write(self, data: bytes):
        if data == self.BARE:
            self._refused = True
            data = answer(RequestError("this is no HTTP/1.1, or the body is not framed as it says"))
        return self._write(data)

    def close(self, exc_info=False) -> None:
        stream, self._stream = self._stream, None
        if stream is None:  # Whoever is told of the end closes the stream once more.
            return self._close(exc_info)
        try:
            if isinstance(exc_info, UnsatisfiableReadError) and not stream.closed():
                self._refused = True
                _write(self._write, answer(HeadTooLarge(f"the head is over {MAX_HEAD} bytes long")))
            if self._refused:
                _drain(stream)
        finally:
            self._at_the_end()
            self._close(exc_info)


def _drain(stream: IOStream) -> None:
    """Throw away what has come: a reset because of unread bytes would overtake the answer."""
    scrap = bytearray(64 * 1024)
    try:
        for _ in range(MAX_BUFFER // len(scrap)):
            if not stream.read_from_fd(scrap):
                return
    except OSError:
        return  # The client has gone, and will read nothing.
