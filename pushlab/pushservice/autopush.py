"""For user agents: the WebSocket protocol that Firefox speaks with its push service.

Every message is a JSON object in a text frame. ``>`` is the user agent, ``<`` the push service:

    > hello      uaid, if it holds subscriptions        < hello      uaid, status
    > register   channelID, key                         < register   channelID, status, pushEndpoint
    > unregister channelID, code                        < unregister channelID, status
                                                        < notification channelID, version, data, headers
    > ack        updates: [{channelID, version, code}, …]
    > nack       version, code
    > broadcast_subscribe                               < broadcast  broadcasts
    > {}                                                < {}

``uaid`` is the secret name of the user agent. If the answer to hello holds another one, Firefox
knows that its subscriptions are lost. ``version`` is the id of a message, which is sent again after
every hello until it is acknowledged. A user agent acknowledges a version that it remembers, and does
not show the message again. The protocol is Mozilla's; no RFC describes it.
"""

import asyncio
import json
import re
import secrets
import time
from collections.abc import Callable

from tornado.iostream import IOStream, StreamBufferFullError
from tornado.websocket import (
    WebSocketClosedError,
    WebSocketHandler,
    WebSocketProtocol,
    WebSocketProtocol13,
)

from pushlab.errors import (
    BadField,
    CrossOrigin,
    MalformedJson,
    PushlabError,
    RequestError,
    StoreError,
    TooManyConnections,
    TooManyRequests,
)
from pushlab.protocol import base64url, p256, strict_json
from pushlab.pushservice.broker import ACKNOWLEDGE, NACK, Broker, Receipt
from pushlab.pushservice.mailbox import MAX_CHANNELS, Message, Subscription
from pushlab.server.http import JsonErrors, user_agent_name
from pushlab.server.websocket import MaskedFrames
from pushlab.settings import patience

MAX_FRAME = 16 * 1024
"""Bytes of the longest message that is read: MAX_UPDATES acknowledgements fit. Reading JSON of this
length takes less than 5 ms, whatever is in it."""

MAX_UPDATES = 100
"""Messages that one frame may acknowledge. Firefox sends a frame for each."""

MAX_CODE = 99_999
"""The largest code in an ack or a nack. Firefox's have three digits."""

MAX_CHANGES, CHANGES_SECONDS = 2 * MAX_CHANNELS, 60
"""Requests to register and to unregister that one connection may make, in that many seconds."""

MAX_CONNECTIONS = 10_000
"""User agents that may be connected at one time. One more is answered 503."""

HELLO_SECONDS = 10
"""Seconds that a user agent may take from the handshake to its hello (times PUSHLAB_PATIENCE)."""

PING_SECONDS = 60
"""How often the server sends a Ping frame; a user agent has as long to answer (RFC 6455 §5.5.2).
Firefox answers by itself."""

REMEMBERED = 10
"""How many versions a Firefox remembers of each subscription, so that it shows none twice.

It is the preference dom.push.maxRecentMessageIDsPerSubscription: 100 of late, and 10 for years.
"""

# WebSocket close codes, RFC 6455 §7.4.1.
GOING_AWAY, UNSUPPORTED_DATA, POLICY_VIOLATION, INTERNAL_ERROR = 1001, 1003, 1008, 1011

_CHANNEL = re.compile(r"[!-~]{1,64}")
_UAID = re.compile(r"[0-9a-f]{32}")


class AutopushHandler(JsonErrors, WebSocketHandler):
    """One connection of a user agent, from the handshake to its end."""

    window = REMEMBERED

    def initialize(
        self,
        broker: Broker,
        endpoint: Callable[[str], str],
        connections: set["AutopushHandler"],
    ) -> None:
        """``endpoint(token)`` is the URL to hand out; ``connections`` holds the open connections."""
        self.broker, self.endpoint, self.connections = broker, endpoint, connections
        self.user_agent = ""
        self.display_name = user_agent_name(self.request.headers.get("User-Agent", ""))
        self.ended = asyncio.Event()
        self._changes, self._changes_until = 0, 0.0

    def finish(self, chunk=None):
        # Tornado refuses a handshake in plain text. Here every error is in JSON.
        if isinstance(chunk, str) and self.get_status() >= 400:
            chunk = RequestError(chunk).to_json()
        return super().finish(chunk)

    def prepare(self) -> None:
        if len(self.connections) >= MAX_CONNECTIONS:
            raise TooManyConnections(f"{MAX_CONNECTIONS} user agents are connected")

    def check_origin(self, origin: str) -> bool:
        """Refuse a page of another origin. Raises CrossOrigin. Source: RFC 6455 §10.2.

        A page cannot choose its Origin. Firefox itself, which acts for no page, sends the address that
        it connects to, and libraries send its origin. Tornado compares host and port with Host.
        """
        if not super().check_origin(origin):
            raise CrossOrigin("a page's script opened this WebSocket")
        return True

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        protocol = super().get_websocket_protocol()
        if not isinstance(protocol, WebSocketProtocol13):
            return None  # Another version, which Tornado refuses (RFC 6455 §4.4).
        return MaskedFrames(self, mask_outgoing=False, params=protocol.params)

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return "push-notification" if "push-notification" in subprotocols else None

    def open(self) -> None:
        self.connections.add(self)
        self.set_nodelay(True)
        self._stream.max_write_buffer_size = self.broker.max_unread
        loop = asyncio.get_running_loop()
        self._hello_timeout = loop.call_later(
            patience(HELLO_SECONDS),
            self.close,
            POLICY_VIOLATION,
            f"no hello in {patience(HELLO_SECONDS):g} s",
        )

    def on_close(self) -> None:
        self._hello_timeout.cancel()
        self.connections.discard(self)
        self.broker.disconnect(self)
        self.ended.set()

    @property
    def _stream(self) -> IOStream:
        """The TCP stream of the open WebSocket."""
        connection = self.ws_connection
        assert isinstance(connection, WebSocketProtocol13) and connection.stream is not None
        return connection.stream

    def close(self, code: int | None = GOING_AWAY, reason: str | None = "") -> None:
        """Send a Close frame and end the TCP connection at once.

        Firefox never answers a Close frame. It waits for the end of the TCP connection, and would
        connect again five seconds late.
        """
        if self.ws_connection is not None:
            stream = self._stream
            super().close(code, reason)
            stream.close()

    # --- messages from the user agent ------------------------------------------------------------

    def on_message(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self.close(UNSUPPORTED_DATA, "send text frames")
            return
        try:
            self._receive(_parse(frame))
        except RequestError as error:
            self.close(POLICY_VIOLATION, f"{error.code}: {error.detail}")
        except StoreError as error:
            self._close_unwritten(error)

    def _close_unwritten(self, error: StoreError) -> None:
        """Close the connection. Nothing has changed: the user agent connects and tries again."""
        self.close(INTERNAL_ERROR, error.code)

    def _receive(self, message: dict) -> None:
        kind = message.get("messageType")
        if bool(self.user_agent) == (kind == "hello"):
            raise BadField("the first message is hello, and no other is")
        if not message:
            self._send({})
            return
        kinds = {
            "hello": self._hello,
            "register": self._register,
            "unregister": self._unregister,
            "ack": self._ack,
            "nack": self._nack,
            "broadcast_subscribe": self._broadcast_subscribe,
        }
        if not isinstance(kind, str) or kind not in kinds:
            raise BadField("this service does not know the messageType")
        kinds[kind](message)

    def _hello(self, message: dict) -> None:
        uaid = _text(message, "uaid")
        self._hello_timeout.cancel()
        # Chromium's user agents have names of another form, and they are not to be had here.
        if uaid is not None and _UAID.fullmatch(uaid) and self.broker.mailbox.knows(uaid):
            self.user_agent = uaid
        else:
            self.user_agent = secrets.token_hex(16)
        self._send(
            {
                "messageType": "hello",
                "uaid": self.user_agent,
                "status": 200,
                "use_webpush": True,
                "broadcasts": {},
            }
        )
        self.broker.connect(self)

    def _register(self, message: dict) -> None:
        channel = _channel(message)
        answer = {"messageType": "register", "channelID": channel}
        try:
            self._count_change()
            subscription = self.broker.subscribe(self, channel, _key(message))
        except PushlabError as error:
            self._send(answer | {"status": error.status, "error": error.code})
        else:
            endpoint = self.endpoint(subscription.token)
            self._send(answer | {"status": 200, "pushEndpoint": endpoint})

    def _unregister(self, message: dict) -> None:
        channel = _channel(message)
        answer = {"messageType": "unregister", "channelID": channel}
        try:
            self._count_change()
        except TooManyRequests as error:
            self._send(answer | {"status": error.status, "error": error.code})
        else:
            self.broker.unsubscribe(self, channel)
            self._send(answer | {"status": 200})

    def _count_change(self) -> None:
        """Count a request to register or to unregister. Raises TooManyRequests."""
        now = time.monotonic()
        if now >= self._changes_until:
            self._changes, self._changes_until = 0, now + CHANGES_SECONDS
        if self._changes >= MAX_CHANGES:
            raise TooManyRequests(f"{MAX_CHANGES} changes in {CHANGES_SECONDS} s")
        self._changes += 1

    def _ack(self, message: dict) -> None:
        updates = message.get("updates")
        if not isinstance(updates, list) or not all(isinstance(u, dict) for u in updates):
            raise BadField("updates is not a list of objects")
        if len(updates) > MAX_UPDATES:
            raise BadField(f"updates has {len(updates)} members, over {MAX_UPDATES}")
        self._acknowledge(updates, ACKNOWLEDGE)

    def _nack(self, message: dict) -> None:
        # A nack follows the ack of a message whose handler then failed. The message has arrived.
        self._acknowledge([message], NACK)

    def _acknowledge(self, updates: list[dict], what: str) -> None:
        named = [(_text(update, "version"), _code(update)) for update in updates]
        receipts = [Receipt(id, what, code) for id, code in named if id is not None]
        self.broker.acknowledge(self, receipts).add_done_callback(self._acknowledged)

    def _acknowledged(self, written: asyncio.Future[None]) -> None:
        try:
            written.result()
        except StoreError as error:
            self._close_unwritten(error)

    def _broadcast_subscribe(self, message: dict) -> None:
        self._send({"messageType": "broadcast", "broadcasts": {}})

    # --- messages to the user agent --------------------------------------------------------------

    def deliver(self, subscription: Subscription, message: Message) -> None:
        """Send a notification; without a payload it has neither ``data`` nor ``headers``."""
        notification: dict = {
            "messageType": "notification",
            "channelID": subscription.channel,
            "version": message.id,
        }
        if message.body:
            notification["data"] = base64url.encode(message.body)
            notification["headers"] = message.headers
        self._send(notification)

    def _send(self, message: dict) -> None:
        try:
            sent = self.write_message(json.dumps(message))
        except WebSocketClosedError:
            return  # It disconnects. Messages that are not acknowledged wait for its next hello.
        except StreamBufferFullError:
            self._stream.close()  # It does not read, so it would not read a Close frame either.
            return
        sent.add_done_callback(lambda task: task.cancelled() or task.exception())


def _parse(frame: str) -> dict:
    message = strict_json.parse(frame)
    if not isinstance(message, dict):
        raise MalformedJson("the frame is not a JSON object")
    return message


def _text(message: dict, name: str) -> str | None:
    """Return a member that is a string, or None if it is missing. Raises BadField."""
    value = message.get(name)
    if value is None or isinstance(value, str):
        return value
    raise BadField(f"{name} is not a string")


def _code(update: dict) -> int | None:
    code = update.get("code")
    if code is None or (type(code) is int and abs(code) <= MAX_CODE):
        return code
    raise BadField("code is not a whole number of at most five digits")


def _channel(message: dict) -> str:
    channel = _text(message, "channelID")
    if channel is None:
        raise BadField("channelID is not a string")
    if not _CHANNEL.fullmatch(channel):
        raise BadField("channelID is not 1 to 64 visible ASCII characters")
    return channel


def _key(message: dict) -> bytes | None:
    """Return the application server's public key, 65 bytes; Firefox pads its base64url."""
    text = _text(message, "key")
    if text is None:
        return None
    raw = base64url.decode(text.rstrip("="))
    p256.load_public(raw)
    return raw
