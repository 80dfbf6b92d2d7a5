"""``GET /events``: each event of the journal as it happens, from which party to which.

The answer is a stream of server-sent events, which does not end. When the connection breaks, the
browser opens the stream again by itself. It sends the number of the last event in Last-Event-ID, so
no event is lost and none arrives twice. Source: WHATWG HTML §9.2.
"""

import asyncio
import json
from typing import cast

from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError

from pushlab.appserver.web.handler import Handler
from pushlab.errors import TooManyConnections
from pushlab.journal import Event
from pushlab.server.stream import BoundedStream

PAST_EVENTS = 100
"""Earlier events that a new stream begins with, at most."""

HEARTBEAT = 15.0
"""Seconds without an event after which a comment is sent: a proxy may close an idle stream."""

MAX_STREAMS = 500
"""Streams that may be open at one time. A further one is answered 503."""

READER_SECONDS = 30
"""Seconds that a client may take to read, once the buffers of the system are full."""


class EventsHandler(Handler):
    """Send the journal's last events, and then each new one.

    Only the journal stores events. A stream is told that there is a new one, and reads the journal
    from its own position. So every stream has the journal's order, whichever threads write into it,
    and a slow client takes no more memory than a fast one.
    """

    heartbeat, instructor_only = HEARTBEAT, True

    def access_token(self) -> str:
        # EventSource cannot send a header of ours, so the query may contain the token (RFC 6750 §2.3).
        return self.get_query_argument("access_token", "")

    def head(self) -> None:
        self._describe()
        self.finish()

    async def get(self) -> None:
        if len(self.server.streams) >= MAX_STREAMS:
            raise TooManyConnections(f"{MAX_STREAMS} streams of events are open")
        self._describe()
        # A client that sends no more has left: a browser ends both halves of a connection.
        cast(BoundedStream, self._connection.stream).ends_with_input = True
        loop = asyncio.get_running_loop()
        self._news, self._ending = asyncio.Event(), False
        self.ended = loop.create_future()

        def tell(event: Event) -> None:
            # Any thread may write into the journal, even after the loop is closed.
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._news.set)

        unsubscribe = self.server.journal.subscribe(tell)
        self.server.streams.add(self)
        try:
            await self._send_all()
        except StreamClosedError:
            pass  # The client has closed the connection, the usual end of a stream.
        except TimeoutError:
            # The client is connected and does not read.
            self._connection.stream.close()
        finally:
            self.server.streams.discard(self)
            unsubscribe()
            self.ended.set_result(None)

    @property
    def _connection(self) -> HTTP1Connection:
        return cast(HTTP1Connection, self.request.connection)

    def _describe(self) -> None:
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        # By default nginx holds the events back until its buffer is full.
        self.set_header("X-Accel-Buffering", "no")

    def end(self) -> None:
        """End the stream after the events that are still to be sent."""
        self._ending = True
        self._news.set()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self in self.server.streams:
            self.end()

    async def _send_all(self) -> None:
        journal = self.server.journal
        last = self._last_event_id()
        events = journal.events(last)[-PAST_EVENTS:]
        while True:
            for event in events:
                last = event.number
                self.write(f"id: {last}\ndata: {json.dumps(event.to_json())}\n\n")
            async with asyncio.timeout(READER_SECONDS):
                await self.flush()
            if self._ending:
                return
            try:
                async with asyncio.timeout(self.heartbeat):
                    await self._news.wait()
            except TimeoutError:
                self.write(": still here\n\n")
            # Clear before reading: an event that is written in between is read now, or sets it again.
            self._news.clear()
            events = journal.events(last)

    def _last_event_id(self) -> int:
        """Return the number of the last event that the client has received, or 0.

        A number that this journal has not reached yet comes from an earlier run of the server.
        """
        text = self.request.headers.get("Last-Event-ID", "")
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
        newest = max((event.number for event in self.server.journal.events()), default=0)
        return number if number <= newest else 0
