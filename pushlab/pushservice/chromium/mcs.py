"""MCS, through which messages reach Chromium: a stream of protobuf messages over TLS.

Each side begins with one byte, the version of the protocol; then come frames:

    tag (1 byte)   length (varint)   message (protobuf)

``>`` is the browser, ``<`` the push service:

    > LoginRequest     android id, security token, ids of messages      < LoginResponse
                                                                        < DataMessageStanza
    > IqStanza         how many frames it has had
    > HeartbeatPing                                                     < HeartbeatAck

Both sides count the frames that they receive; the login is number 1. Any frame may hold that number
(``last_stream_id_received``), and so acknowledge all messages up to it. A message is sent again after
every login until it is acknowledged, in this way or by its id in the next LoginRequest. The protocol
is Google's; no RFC describes it.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from itertools import takewhile

from tornado.iostream import IOStream, SSLIOStream, StreamBufferFullError, StreamClosedError
from tornado.tcpserver import TCPServer

from pushlab.errors import BadField, RequestError, RequestTooLarge, StoreError
from pushlab.protocol import base64url
from pushlab.pushservice.broker import MAX_WINDOW, Broker, Receipt
from pushlab.pushservice.chromium.checkin import Browsers
from pushlab.pushservice.chromium.messages import (
    DATA_MESSAGE_STANZA,
    HEARTBEAT,
    IQ_STANZA,
    LOGIN_REQUEST,
    LOGIN_RESPONSE,
)
from pushlab.pushservice.chromium.protobuf import MAX_VARINT, read_varint, varint
from pushlab.pushservice.mailbox import Message, Subscription
from pushlab.server.connections import CONNECTIONS, enable_keepalive
from pushlab.server.stream import begin_tls
from pushlab.settings import patience

VERSION = 41

# Tags of frames.
HEARTBEAT_PING, HEARTBEAT_ACK, LOGIN, LOGIN_ANSWER, CLOSE = 0, 1, 2, 3, 4
IQ, DATA_MESSAGE = 7, 8

MAX_FRAME = 64 * 1024
"""Bytes of the longest frame that is read: a login that names more than a thousand messages."""

MAX_STANZA = 4 * 1024
"""Bytes of a frame after the login. Chromium's have some fifty."""

LOGIN_SECONDS = 10
"""Seconds that a browser may take from its connection to its LoginRequest (times PUSHLAB_PATIENCE)."""


class McsServer(TCPServer):
    """Accept connections of browsers, and close all of them when the service stops."""

    def __init__(
        self,
        broker: Broker,
        browsers: Browsers,
        clock: Callable[[], float],
        context: ssl.SSLContext,
    ):
        # Tornado itself is given no TLS context: it raises where a client resets its connection.
        super().__init__()
        self._tls = context
        self._broker, self._browsers, self._clock = broker, browsers, clock
        self._connections: set[McsConnection] = set()

    async def handle_stream(self, stream: IOStream, address: tuple) -> None:
        # The protocol has no message for "too many": a browser that is cut off tries again later.
        if not CONNECTIONS.acquire(self):
            stream.close()
            return
        try:
            await self._serve(stream)
        finally:
            CONNECTIONS.release(self)

    async def _serve(self, accepted: IOStream) -> None:
        known = enable_keepalive(accepted.socket)
        if not known or (tls := begin_tls(accepted.socket, self._tls)) is None:
            accepted.close()
            return
        stream = SSLIOStream(tls, max_buffer_size=2 * MAX_FRAME)
        stream.max_write_buffer_size = self._broker.max_unread
        connection = McsConnection(stream, self._broker, self._browsers, self._clock)
        self._connections.add(connection)
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)

    async def close_all_connections(self) -> None:
        """Close every connection, and wait until each has ended."""
        closing = list(self._connections)
        for connection in closing:
            connection.close()
        for connection in closing:
            await connection.ended.wait()


class McsConnection:
    """One connection of a browser, from the handshake to its end."""

    window = MAX_WINDOW  # Its next login names all messages that it has, however many.

    def __init__(self, stream: IOStream, broker: Broker, browsers: Browsers, clock: Callable[[], float]):
        self._stream, self._broker, self._browsers, self._clock = stream, broker, browsers, clock
        self.user_agent = ""
        self.ended = asyncio.Event()
        self._received = self._sent = 0  # frames, each side's versions not counted
        # Number of the frame, and id of the message, in the order in which they were sent.
        self._unacknowledged: deque[tuple[int, str]] = deque()

    @property
    def display_name(self) -> str:
        """The display name of the browser."""
        return self._browsers.display_name(self.user_agent)

    async def serve(self) -> None:
        """Read frames until the browser disconnects, or sends something that is not valid."""
        try:
            async with asyncio.timeout(patience(LOGIN_SECONDS)):
                await self._log_in()
            while True:
                await self._receive(*await self._frame(MAX_STANZA))
                await asyncio.sleep(0)  # Reading what is there already gives nobody else a turn.
        except (StreamClosedError, TimeoutError):
            pass  # The browser has disconnected, or it has not logged in in time.
        except (RequestError, StoreError):
            self.close()  # Nothing has changed: the browser connects again, and both try again.
        finally:
            self._stream.close()
            if self.user_agent:
                self._broker.disconnect(self)
            self.ended.set()

    def close(self) -> None:
        """Send a Close frame, unless the browser has not logged in, and end the connection."""
        if self._sent:
            self._send(CLOSE, b"")
        self._stream.close()

    # --- frames from the browser -----------------------------------------------------------------

    async def _frame(self, limit: int) -> tuple[int, bytes]:
        """Read one frame: its tag and its message of at most ``limit`` bytes.

        Raises BadField, RequestTooLarge.
        """
        tag = (await self._stream.read_bytes(1))[0]
        length = bytearray()
        while len(length) < MAX_VARINT and (not length or length[-1] > 0x7F):
            length += await self._stream.read_bytes(1)
        size, _ = read_varint(bytes(length))
        if size > limit:
            raise RequestTooLarge(f"a frame of {size} bytes is announced")
        frame = await self._stream.read_bytes(size) if size else b""
        # Count a frame only when all of it is here: the browser forgets what it knows as received.
        self._received += 1
        return tag, frame

    async def _log_in(self) -> None:
        version = (await self._stream.read_bytes(1))[0]
        if version != VERSION:
            raise BadField(f"the version of the protocol is {version}")
        tag, frame = await self._frame(MAX_FRAME)
        if tag != LOGIN:
            raise BadField(f"the first frame has the tag {tag}")
        login = LOGIN_REQUEST.decode(frame)
        self.user_agent = self._browsers.name(_number(login, "user"), _number(login, "auth_token"))
        answer = LOGIN_RESPONSE.encode(
            id=login.get("id"),
            last_stream_id_received=self._received,
            server_timestamp=int(self._clock() * 1000),
        )
        # With the answer, the browser forgets these ids. So the database must know them before.
        await self._broker.acknowledge(self, map(Receipt, login.get("received_persistent_id", ())))
        self._stream.set_nodelay(True)
        self._write(bytes([VERSION]))
        self._send(LOGIN_ANSWER, answer)
        self._broker.connect(self)

    async def _receive(self, tag: int, frame: bytes) -> None:
        if tag == CLOSE:
            raise StreamClosedError
        if tag in (HEARTBEAT_PING, HEARTBEAT_ACK):
            await self._acknowledge(HEARTBEAT.decode(frame))
        elif tag == IQ:
            await self._acknowledge(IQ_STANZA.decode(frame))
        elif tag == DATA_MESSAGE:
            await self._acknowledge(DATA_MESSAGE_STANZA.decode(frame))
        else:
            raise BadField(f"a frame has the tag {tag}")
        if tag == HEARTBEAT_PING:
            self._send(HEARTBEAT_ACK, HEARTBEAT.encode(last_stream_id_received=self._received))

    async def _acknowledge(self, message: dict) -> None:
        """Drop the messages in the frames up to the number that the browser has received."""
        last, sent = min(message.get("last_stream_id_received", 0), self._sent), self._unacknowledged
        had = [id for _, id in takewhile(lambda frame: frame[0] <= last, sent)]
        if had:
            await self._broker.acknowledge(self, map(Receipt, had))
        while sent and sent[0][0] <= last:
            sent.popleft()

    # --- frames to the browser -------------------------------------------------------------------

    def deliver(self, subscription: Subscription, message: Message) -> None:
        """Send a message; one without a payload has no ``raw_data`` and no content-encoding."""
        assert subscription.key is not None  # Registration makes no subscription without a key.
        app, subtype = subscription.channel.split(" ", 1)
        about = {"subtype": subtype}
        if message.body:
            coding, *keys = message.headers.items()
            about["content-encoding"] = coding[1]
            about |= {name.replace("_", "-"): value for name, value in keys}
        stanza = {
            "id": message.id,
            "from": base64url.encode(subscription.key),
            "category": app,
            "token": subscription.token,
            "app_data": [{"key": key, "value": value} for key, value in about.items()],
            "persistent_id": message.id,
            "last_stream_id_received": self._received,
            "ttl": message.ttl,
            "sent": int(message.posted_at * 1000),
            "raw_data": message.body or None,
            "immediate_ack": 1,
        }
        self._send(DATA_MESSAGE, DATA_MESSAGE_STANZA.encode(**stanza))
        self._remember(message)

    def _remember(self, message: Message) -> None:
        """Remember what an acknowledgement of this frame will be about.

        The window bounds the messages here that wait in the mailbox. Of those that do not, because of
        TTL 0, or because they have expired or been replaced, the oldest makes room: nothing is lost if
        nobody records that one of them has arrived.
        """
        sent = self._unacknowledged
        if len(sent) >= MAX_WINDOW:
            waits = self._broker.message
            dropped = next((frame for frame in sent if not waits(frame[1])), None)
            if dropped is None:
                return
            sent.remove(dropped)
        sent.append((self._sent, message.id))

    def _send(self, tag: int, message: bytes) -> None:
        self._sent += 1
        self._write(bytes([tag]) + varint(len(message)) + message)

    def _write(self, data: bytes) -> None:
        # The stream may just have ended: messages that are not acknowledged wait for the next login.
        if self._stream.closed():
            return
        try:
            self._stream.write(data)
        except StreamBufferFullError:
            self._stream.close()  # It does not read, so it would not read a Close frame either.


def _number(login: dict, name: str) -> int:
    text = login.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise BadField(f"{name} is not a number in decimal")
    return int(text)
