"""``GET /events``: each event of the journal as it happens, from which party to which.

The answer is a stream of server-sent events, which does not end. When the connection breaks, the
browser opens the stream again by itself. It sends the number of the last event in Last-Event-ID, so
no event is lost and none arrives twice. Source: WHATWG HTML §9.2.
"""

import asyncio
import json
from collections.abc import Callable
from typing import cast

from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError

from pushlab.appserver.web.handler import Handler
from pushlab.errors import TooManyConnections
from pushlab.server.stream import BoundedStream

PAST_EVENTS = 100
"""Earlier events that a new stream begins with, at most."""

HEARTBEAT = 15.0
"""Seconds without an event after which a comment is sent: a proxy may close an idle stream."""

MAX_STREAMS = 500
"""Streams that may be open at one time. A further one is answered 503."""

READER_SECONDS = 30
"""Seconds that a client may take to read, once the buffers of the system are full."""


class EventStream(Handler):
    """A stream of server-sent events, which ends only when its client or this server does.

    A subclass says what is sent (``news``), and who tells that there is something new (``subscribe``).
    A stream is told of that, and then reads from its own position. So a slow client takes no more
    memory than a fast one.
    """

    heartbeat, instructor_only = HEARTBEAT, True
    pause = 0.0
    """Seconds to wait for more news, once there is some."""

    def subscribe(self, tell: Callable[..., None]) -> Callable[[], None]:
        """Call ``tell`` in any thread when there is something new. Return a function that ends this."""
        raise NotImplementedError

    async def news(self) -> str:
        """Return the events that the client has not been sent yet, as they are written."""
        raise NotImplementedError

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

        def tell(*_: object) -> None:
            # Any thread may have news, even after the loop is closed.
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._news.set)

        unsubscribe = self.subscribe(tell)
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
        # Its URL may hold the token, and then no shared cache may keep the answer (RFC 6750 §2.3).
        self.set_header("Cache-Control", "no-store, private")
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
        self.write(await self.news())
        while True:
            async with asyncio.timeout(READER_SECONDS):
                await self.flush()
            if self._ending:
                return
            try:
                async with asyncio.timeout(self.heartbeat):
                    await self._news.wait()
            except TimeoutError:
                self.write(": still here\n\n")
                continue
            if self.pause and not self._ending:
                await asyncio.sleep(self.pause)
            # Clear before reading: what is new in between is read now, or sets it again.
            self._news.clear()
            self.write(await self.news())


class EventsHandler(EventStream):
    """Send the journal's last events, and then each new one.

    Only the journal stores events. So every stream has the journal's order, whichever threads write
    into it.
    """

    _last: int | None = None  # the number of the last event that was sent

    def subscribe(self, tell: Callable[..., None]) -> Callable[[], None]:
        return self.server.journal.subscribe(tell)

    async def news(self) -> str:
        if self._last is None:
            self._last = self._last_event_id()
            events = self.server.journal.events(self._last)[-PAST_EVENTS:]
        else:
            events = self.server.journal.events(self._last)
        self._last = events[-1].number if events else self._last
        return "".join(f"id: {one.number}\ndata: {json.dumps(one.to_json())}\n\n" for one in events)

    def _last_event_id(self) -> int:
        """Return the number of the last event that the client has received, or 0.

        A number that this journal has not reached yet comes from an earlier run of the server.
        """
        text = self.request.headers.get("Last-Event-ID", "")
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
        newest = max((event.number for event in self.server.journal.events()), default=0)
        return number if number <= newest else 0
