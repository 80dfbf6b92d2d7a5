"""The limits of both HTTP servers: how many connections, how long a head, how long a wait.

Tornado reads the requests. What it leaves open is decided once for both parties, here and in
``stream``:

    too many connections         503 and Retry-After, and the connection ends
    a head that is too long      431, likewise
    a message that is not HTTP   400, in JSON like every other error
    a head that does not come    the connection ends: there is no request to answer
    a peer that has vanished     the operating system notices, and the connection ends
    TLS where HTTP is spoken     400, likewise, and HTTP where TLS is spoken
    a client that sends no more  its answer: for Tornado the connection would have ended
"""

import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.web import Application

from pushlab.errors import TooManyConnections
from pushlab.server.connections import CONNECTIONS, enable_keepalive, raise_file_limit
from pushlab.server.stream import (
    MAX_BUFFER,
    MAX_HEAD,
    BoundedStream,
    BoundedTLSStream,
    begin_tls,
    raw_response,
)
from pushlab.server.target import OriginForm

HEAD_SECONDS = 60
"""Seconds that a connection may be idle before a request, and in the middle of its headers."""

BODY_SECONDS = 30
"""Seconds that a client has to send the body of a request. After that it is answered 408."""

MAX_REFUSALS = 64
"""Refused connections that are sent a reason at one time. Further ones are closed without one."""

REFUSAL_SECONDS = 1.0
"""Seconds that a refused client has to read the reason."""


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
            connection = begin_tls(stream.socket, self._tls)
        except Exception:
            stream.close()
            on_close()
            raise  # The context is at fault, not the client. Tornado logs it.
        if connection is None:
            stream.close()
            on_close()
            return None
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
