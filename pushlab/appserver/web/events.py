"""``GET /events``: what just happened, as it happens, who → whom.

Server-sent events: one answer that does not end. The browser opens it again by itself when it
breaks, and says with Last-Event-ID what it had last, so nothing is missed and nothing comes twice.
Source: WHATWG HTML §9.2.
"""

import asyncio
import json

from tornado.iostream import StreamClosedError

from pushlab.appserver.web.handler import Handler
from pushlab.errors import TooManyConnections
from pushlab.journal import Event

KEPT = 100
"""Events of before that a new stream begins with."""

HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent, so that no proxy takes the stream for dead."""


MAX_STREAMS = 500
"""Streams that are open at one time. One more is answered 503."""

READER_SECONDS = 30
"""How long a client may leave what was sent unread, once the system has taken all it can hold."""


class EventsHandler(Handler):
    """Send the journal's last events, and then each new one.

    Only the journal holds events. The stream is told that there is something new, and reads on from
    where it was: so the order is the journal's whichever threads write into it, and a client that
    reads slowly costs no more memory than a quick one.
    """

    heartbeat, instructor_only = HEARTBEAT, True

    def access_token(self) -> str:
        # EventSource sends no header of ours, so the query may hold the token (RFC 6750 §2.3).
        return self.get_query_argument("access_token", "")

    async def get(self) -> None:
        if len(self.server.streams) >= MAX_STREAMS:
            raise TooManyConnections(f"{MAX_STREAMS} streams of events are open")
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        # nginx would otherwise keep the events until it has enough of them.
        self.set_header("X-Accel-Buffering", "no")
        loop = asyncio.get_running_loop()
        self._news, self._ending = asyncio.Event(), False
        self.ended = loop.create_future()

        def tell(event: Event) -> None:
            # Any thread may write into the journal, and the loop may be gone by then.
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._news.set)

        unsubscribe = self.server.journal.subscribe(tell)
        self.server.streams.add(self)
        try:
            await self._send_all()
        except StreamClosedError:
            pass  # The client has gone, which is how such a stream ends.
        except TimeoutError:
            self.request.connection.stream.close()  # It is there, and does not read.
        finally:
            self.server.streams.discard(self)
            unsubscribe()
            self.ended.set_result(None)

    def end(self) -> None:
        """End the stream after what waits for it."""
        self._ending = True
        self._news.set()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self in self.server.streams:
            self.end()

    async def _send_all(self) -> None:
        journal = self.server.journal
        last = self._last_event_id()
        events = journal.events(last)[-KEPT:]
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
            # First clear, then look: what is written in between is seen now or told again.
            self._news.clear()
            events = journal.events(last)

    def _last_event_id(self) -> int:
        """Return the number of the event that the client had last, or 0.

        A number that this journal has not reached yet is of a server before this one.
        """
        text = self.request.headers.get("Last-Event-ID", "")
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
        newest = max((event.number for event in self.server.journal.events()), default=0)
        return number if number <= newest else 0
