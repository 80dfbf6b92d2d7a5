"""The limits of both HTTP servers: how many connections, how long a head, how long a wait.

Tornado reads the requests. What it leaves open is decided here, once for both parties:

    too many connections         503 and Retry-After, and the connection ends
    a head that is too long      431, likewise
    a message that is not HTTP   400, in JSON like every other error
    a head that does not come    the connection ends: there is no request to answer
    a peer that has vanished     the operating system notices, and the connection ends
    TLS where HTTP is spoken     400, likewise, and HTTP where TLS is spoken
    a client that sends no more  its answer: for Tornado the connection would have ended

The number of connections follows from the number of files that the process may open. Beyond that
number ``accept`` fails again and again, and the server would do nothing else. The connections that
the process itself opens to push services have a part of that number reserved for them.
"""

import asyncio
import errno
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from tornado.concurrent import Future
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPInputError, HTTPMessageDelegate, responses
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, SSLIOStream, UnsatisfiableReadError
from tornado.web import Application

from pushlab.errors import HeadTooLarge, PushlabError, RequestError, TooManyConnections
from pushlab.server.target import OriginForm

MAX_HEAD = 16 * 1024
"""Bytes of the request line and the headers together. A JupyterHub cookie takes a few hundred."""

HEAD_SECONDS = 60
"""Seconds that a connection may be idle before a request, and in the middle of its headers."""

BODY_SECONDS = 30
"""Seconds that a client has to send the body of a request. After that it is answered 408."""

MAX_BUFFER = 1024 * 1024
"""Bytes of one connection that are received and not yet read: the longest chunk of a body."""

MAX_INCOMING = 20_000
"""Connections that one process accepts where the system sets no lower limit."""

MAX_OUTGOING = 800
"""Connections to other servers, all together, that one process opens."""

RESERVED_FILES = 200
"""Files that are left for other things: databases, browsers, the look-up of host names."""

MAX_FILES = MAX_INCOMING + MAX_OUTGOING + RESERVED_FILES
"""Files that one process opens at most."""

MAX_SHARE = 0.75
"""Part of all connections that one server may have: a flood at one server leaves room at the other."""

MAX_REFUSALS = 64
"""Refused connections that are sent a reason at one time. Further ones are closed without one."""

REFUSAL_SECONDS = 1.0
"""Seconds that a refused client has to read the reason."""

RETRY_SECONDS = 5
"""Retry-After of every answer 503: too many connections, or a database that another program holds."""

TLS_HANDSHAKE = 0x16
"""The first byte of a TLS connection, RFC 8446 §5.1. No HTTP request begins with it."""

PLAIN_HTTP = "HTTP_REQUEST"
"""OpenSSL's name for a method of HTTP where a TLS handshake should begin."""

TURN_SECONDS = 0.001
"""How long one connection is served, with what it has sent already, before others have a turn."""

REST, MAX_REST = 4, 0.02
"""How long it rests after that: so many times as long as it was served, and at most so many seconds."""

KEEPALIVE_SECONDS = 10
"""Seconds, about, after which a silent peer counts as gone. A computer that loses its network sends
nothing, and the room's table should show that it has left."""


def open_files() -> int:
    """Return how many files this process may have open."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return MAX_FILES
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_FILES if soft == resource.RLIM_INFINITY else soft


def max_outgoing() -> int:
    """Return how many connections to other servers this process may open, all together."""
    return min(MAX_OUTGOING, max(1, open_files() // 4))


def max_incoming() -> int:
    """Return how many connections this process may accept: its files, less those it needs itself."""
    files = open_files()
    return min(MAX_INCOMING, files - max_outgoing() - min(RESERVED_FILES, files // 4))


def raise_file_limit() -> None:
    """Raise the limit of open files as far as a process without special rights may.

    The default is low for the sake of programs that use select(2). None does here.
    """
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (ValueError, OSError):
            return  # macOS may refuse a limit that it reports as allowed. The lower one stays.


class ConnectionCounter:
    """Count the connections of a process, server by server.

    ``limit``: returns how many there may be together.

    >>> counter = ConnectionCounter(limit=lambda: 4)
    >>> [counter.acquire("page") for _ in range(4)], counter.acquire("push service")
    ([True, True, True, False], True)
    """

    def __init__(self, limit: Callable[[], int]):
        self._limit, self._lock = limit, threading.Lock()
        self._taken: dict[object, int] = {}

    def acquire(self, server: object) -> bool:
        """Count one more connection of a server if there is room for it, and return whether."""
        with self._lock:
            limit, taken = max(1, self._limit()), self._taken.get(server, 0)
            if sum(self._taken.values()) >= limit or taken >= max(1, int(limit * MAX_SHARE)):
                return False
            self._taken[server] = taken + 1
            return True

    def release(self, server: object) -> None:
        """Count one connection less."""
        with self._lock:
            self._taken[server] -= 1
            if not self._taken[server]:
                del self._taken[server]


CONNECTIONS = ConnectionCounter(max_incoming)
"""The connections that this process has accepted."""


def enable_keepalive(connection: socket.socket) -> bool:
    """Have the operating system end a connection whose peer is silent for KEEPALIVE_SECONDS.

    Return False if the system refuses, because the peer has closed the connection already.
    """
    # Not every system has each of these options; macOS and Windows wait longer.
    options = (
        ("TCP_KEEPIDLE", KEEPALIVE_SECONDS // 2),
        ("TCP_KEEPINTVL", KEEPALIVE_SECONDS // 5),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", KEEPALIVE_SECONDS * 1000),
    )
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options:
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except OSError:
        return False
    return True


class BoundedHTTPServer(HTTPServer):
    """Tornado's HTTPServer with limits, each with an error in JSON.

    ``application`` handles the requests; ``ssl_options`` is the TLS context of an https server;
    ``options`` are further options of HTTPServer.
    """

    def initialize(  # type: ignore[override]  # The other options pass on as they are.
        self,
        application: Application,
        ssl_options: ssl.SSLContext | None = None,
        **options: Any,
    ) -> None:
        raise_file_limit()
        # Tornado itself is given no TLS context: it would make an SSLIOStream of its own.
        self._tls = ssl_options
        self._refused: set[IOStream] = set()
        limits = {
            "max_header_size": MAX_HEAD,
            "idle_connection_timeout": HEAD_SECONDS,
            # The handler's timeout comes first and answers 408.
            "body_timeout": BODY_SECONDS + 5,
            "max_buffer_size": MAX_BUFFER,
        }
        super().initialize(application, **(limits | options))

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Begin to read a request, whichever form its target has."""
        delegate = super().start_request(server_conn, request_conn)
        return OriginForm(delegate, "http" if self._tls is None else "https")

    def handle_stream(self, stream: IOStream, address: tuple) -> None:
        """Serve a new connection, or refuse it."""
        if not enable_keepalive(stream.socket):
            stream.close()
        elif CONNECTIONS.acquire(self):
            bounded = self._bound(stream, partial(CONNECTIONS.release, self))
            if bounded is not None:
                super().handle_stream(bounded, address)
        elif len(self._refused) < MAX_REFUSALS:
            self._refuse(stream)
        else:
            stream.close()

    async def close_all_connections(self) -> None:
        """Close every connection, the refused ones too."""
        for stream in list(self._refused):
            stream.close()
        await super().close_all_connections()

    def _bound(self, stream: IOStream, on_close: Callable[[], None]) -> "BoundedStream | None":
        """Move a connection to a stream of our own; return None if the client has gone already.

        The stream that Tornado made has not read or written yet, so no event refers to it.
        """
        options = {"max_buffer_size": self.max_buffer_size, "read_chunk_size": self.read_chunk_size}
        if self._tls is None:
            return BoundedStream(stream.socket, on_close, **options)
        try:
            stream.socket.getpeername()  # wrap_socket() would leave a reset connection open.
            connection = self._tls.wrap_socket(
                stream.socket, server_side=True, do_handshake_on_connect=False
            )
        except Exception as reason:
            stream.close()
            on_close()
            if isinstance(reason, OSError) and not isinstance(reason, ssl.SSLError):
                return None
            raise  # The context is at fault, not the client. Tornado logs it.
        return BoundedTLSStream(connection, on_close, **options)

    def _refuse(self, stream: IOStream) -> None:
        """Send the reason, and give the client a moment to close the connection itself.

        If the server closed at once, the system would reset the connection because the request was
        not read, and the reset would overtake the reason.
        """
        bounded = self._bound(stream, lambda: None)
        if bounded is None:
            return
        self._refused.add(bounded)
        timer = IOLoop.current().call_later(REFUSAL_SECONDS, bounded.close)

        def ended() -> None:
            self._refused.discard(bounded)
            IOLoop.current().remove_timeout(timer)

        bounded.set_close_callback(ended)
        bounded.write(raw_response(TooManyConnections()))


class _SpeaksTLS(ConnectionResetError):
    """The client begins a TLS handshake, and this port speaks plain HTTP."""


class BoundedStream(IOStream):
    """The stream of one connection, which gives a reason where Tornado gives none.

    Tornado deals with two faults before a handler exists. It answers a message that is not HTTP
    with a 400 that has no body, and it closes the stream when a head is too long. And it waits for
    the end of a head from a client that waits for TLS.

    A client may end its half of the connection when it has sent its request. Tornado takes that for
    the end of both halves; here the answer is sent all the same, unless ``ends_with_input`` is set.

    ``connection`` is the accepted socket; ``on_close`` is called once, when it is closed;
    ``options`` are those of IOStream.
    """

    def __init__(self, connection: socket.socket, on_close: Callable[[], None], **options: Any):
        self._on_close = on_close
        self._reads_head = True
        self._awaits_first_byte = not isinstance(self, SSLIOStream)
        self.ends_with_input = False
        self._turn_began: float | None = None
        super().__init__(connection, **options)

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read what has arrived into ``buf``; return how many bytes, 0 at the end, None for none yet."""
        count = super().read_from_fd(buf)
        if self._awaits_first_byte and count:
            self._awaits_first_byte = False
            if buf[0] == TLS_HANDSHAKE:
                raise _SpeaksTLS(errno.ECONNRESET, "TLS, where plain HTTP is spoken")
        if count == 0 and not self.reading() and not self.ends_with_input:
            # Nobody waits for input: the request is complete, and its answer is not.
            self.io_loop.add_callback(self._ignore_input)
            return None
        return count

    def _ignore_input(self) -> None:
        """Look at the input no more: the system would report its end again and again."""
        if not self.closed() and self._state is not None:
            self.io_loop.update_handler(self.fileno(), self._state & ~IOLoop.READ)

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read a head. Tornado reads nothing else with this method."""
        self._reads_head = True
        return self._in_turn(super().read_until_regex(regex, max_bytes))

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read the line before a chunk of a body. Tornado reads nothing else with this method."""
        self._reads_head = False
        return self._in_turn(super().read_until(delimiter, max_bytes))

    def read_bytes(self, num_bytes: int, partial: bool = False) -> Awaitable[bytes]:
        """Read a body, or a part of a WebSocket's frame."""
        return self._in_turn(super().read_bytes(num_bytes, partial))

    def _in_turn(self, read: Awaitable[bytes]) -> Awaitable[bytes]:
        """Return a read, or one that comes after a rest if this connection has had its turn.

        What has arrived already is read at once, and the event loop has no part in that. So a peer
        that sends without a pause would be served alone, and a few of them all the time.
        """
        assert isinstance(read, asyncio.Future)
        now = time.monotonic()
        if not read.done():
            self._turn_began = None
        elif self._turn_began is None:
            self._turn_began = now
        elif (served := now - self._turn_began) >= TURN_SECONDS:
            self._turn_began = None
            return _after(min(REST * served, MAX_REST), read)
        return read

    def write(self, data: bytes | memoryview) -> "Future[None]":
        """Write ``data``, or the reason in place of Tornado's own 400."""
        # Tornado writes to the stream itself, past every handler, while it handles this exception.
        # HTTP1Connection has no method to override for that: it would take a parser of our own.
        if isinstance(sys.exception(), HTTPInputError):
            data = raw_response(_not_http())
        return super().write(data)

    def close(self, exc_info: Any = False) -> None:
        """Close the stream; first answer if Tornado closes it for a reason that it does not tell."""
        if not self.closed():
            if isinstance(exc_info, UnsatisfiableReadError):
                error = HeadTooLarge(f"the head is over {MAX_HEAD} bytes long")
                super().write(raw_response(error if self._reads_head else _not_http()))
            elif isinstance(exc_info, _SpeaksTLS):
                # A TLS alert would be read, and would blame versions or ciphers. After plain text
                # people see what they know: curl says "wrong version number", and Firefox
                # SSL_ERROR_RX_RECORD_TOO_LONG.
                super().write(raw_response(RequestError("this port speaks plain HTTP, not TLS")))
            self._discard_input()
        super().close(exc_info)

    def close_fd(self) -> None:
        """Close the socket. IOStream calls this once, whatever closes the stream."""
        self._on_close()
        super().close_fd()

    def _discard_input(self) -> None:
        """Read what has arrived, and drop it.

        The system resets a connection that is closed with unread bytes, such as a body that is not
        waited for, and the reset would overtake the answer.
        """
        buffer = bytearray(64 * 1024)
        try:
            for _ in range(MAX_BUFFER // len(buffer)):
                # Past TLS, which has failed or has nothing to add.
                if not socket.socket.recv_into(self.socket, buffer):
                    return
        except OSError:
            return  # The client has closed the connection and reads no answer.


async def _after(seconds: float, read: Awaitable[bytes]) -> bytes:
    await asyncio.sleep(seconds)
    return await read


class BoundedTLSStream(BoundedStream, SSLIOStream):
    """The same for a connection by TLS."""

    def close(self, exc_info: Any = False) -> None:
        """Close the stream, after an answer in plain text to a client that speaks it."""
        if not self.closed() and isinstance(exc_info, ssl.SSLError) and exc_info.reason == PLAIN_HTTP:
            error = RequestError("this port speaks TLS: begin the address with https://")
            socket.socket.send(self.socket, raw_response(error))
        super().close(exc_info)


def _not_http() -> RequestError:
    return RequestError("this is no HTTP/1.1, or the body is not framed as it says")


def raw_response(error: PushlabError) -> bytes:
    """Return a whole HTTP response, for an error that comes before there is a handler.

    >>> raw_response(HeadTooLarge()).partition(b"\\r\\n")[0]
    b'HTTP/1.1 431 Request Header Fields Too Large'
    """
    body = json.dumps(error.to_json()).encode("utf-8")
    lines = [
        f"HTTP/1.1 {error.status} {responses[error.status]}",
        "Content-Type: application/json; charset=UTF-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if error.status == 503:
        lines.append(f"Retry-After: {RETRY_SECONDS}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
