"""The stream of one connection, which gives a reason where Tornado gives none, and takes turns.

a head that is too long      431, and the connection ends
a message that is not HTTP   400, in JSON like every other error
TLS where HTTP is spoken     400, likewise, and HTTP where TLS is spoken
a client that sends no more  its answer: for Tornado the connection would have ended
"""

import asyncio
import errno
import json
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from tornado.concurrent import Future
from tornado.httputil import HTTPInputError, responses
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, SSLIOStream, UnsatisfiableReadError

from pushlab.errors import HeadTooLarge, PushlabError, RequestError

MAX_HEAD = 16 * 1024
"""Bytes of the request line and the headers together. A JupyterHub cookie takes a few hundred."""

MAX_BUFFER = 1024 * 1024
"""Bytes of one connection that are received and not yet read: the longest chunk of a body."""

RETRY_SECONDS = 5
"""Retry-After of every answer 503: too many connections, or a database that another program holds."""

TLS_HANDSHAKE = 0x16
"""The first byte of a TLS connection, RFC 8446 §5.1. No HTTP request begins with it."""

PLAIN_HTTP = "HTTP_REQUEST"
"""OpenSSL's name for a method of HTTP where a TLS handshake should begin."""

TURN_READS, TURN_SECONDS = 8, 0.001
"""How much of what a connection has sent already is read before others have a turn: so many reads, and
until so many seconds are over. One frame takes at most four, and while many connections
are served, the seconds may be over before it is read."""

REST, MAX_REST = 4, 0.02
"""How long it rests after that: so many times as long as it was served, and at most so many seconds."""


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
        self._turn_began, self._reads = 0.0, 0
        super().__init__(connection, **options)
        super().set_nodelay(True)

    def set_nodelay(self, value: bool) -> None:
        """Do nothing: no answer waits for more. Tornado would switch this twice in each request."""

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read what has arrived into ``buf``; return how many bytes, 0 at the end, None for none yet."""
        count = super().read_from_fd(buf)
        if self._awaits_first_byte and count:
            self._awaits_first_byte = False
            if buf[0] == TLS_HANDSHAKE:
                raise _SpeaksTLS(errno.ECONNRESET, "TLS at a port that speaks plain HTTP")
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
        if not read.done():
            self._reads = 0
            return read
        self._reads += 1
        if self._reads == 1:
            self._turn_began = time.monotonic()
        elif self._reads > TURN_READS:
            served = time.monotonic() - self._turn_began
            if served >= TURN_SECONDS:
                self._reads = 0
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


def begin_tls(connection: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket | None:
    """Return an accepted connection as one by TLS, or None if the client has gone already.

    It is closed then. Raises what is wrong with the context.
    """
    try:
        connection.getpeername()  # wrap_socket() would leave a reset connection open.
        return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    except OSError as reason:
        connection.close()
        # OpenSSL's errors are OSErrors too; this number is the system's.
        if isinstance(reason, ssl.SSLError) and reason.errno != errno.ENOTCONN:
            raise
        return None


async def _after(seconds: float, read: Awaitable[bytes]) -> bytes:
    await asyncio.sleep(seconds)
    return await read


class BoundedTLSStream(BoundedStream, SSLIOStream):
    """The same for a connection by TLS."""

    def close(self, exc_info: Any = False) -> None:
        """Close the stream, after an answer in plain text to a client that speaks it."""
        if not self.closed() and isinstance(exc_info, ssl.SSLError) and exc_info.reason == PLAIN_HTTP:
            error = RequestError("this port speaks TLS: begin the address with https://")
            with suppress(OSError):  # The client has gone already.
                socket.socket.send(self.socket, raw_response(error))
        super().close(exc_info)


def _not_http() -> RequestError:
    return RequestError("this is not HTTP/1.1, or the body is not framed as its headers say")


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
