"""The user agent's end of Firefox's push protocol (``pushlab.pushservice.autopush`` is the other).

It does what Firefox does with its one connection to the push service: it says hello with the name
that the service once gave it, registers and unregisters a channel, decrypts what arrives, and
acknowledges every message, so that the service stops sending it again.

RFC 8030 §6 has user agents fetch messages with HTTP/2 server push, which browsers have given up;
each of them speaks a protocol of its own with its push service. This one is JSON in a WebSocket.
"""

import asyncio
import json
import secrets
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    websocket_connect,
)

from pushlab.errors import BrowserFailed, EncryptionError, FormatError, TimedOut
from pushlab.settings import patience
from pushlab.protocol import base64url, encryption, p256
from pushlab.protocol.subscription import PushSubscription

ANSWER_SECONDS = 30
"""How long the push service may take to answer (times PUSHLAB_PATIENCE)."""

REMEMBERED = 10
"""Versions of messages that are known again. Firefox remembers 10, and of late 100."""

# What a user agent did with a message, as it acknowledges it.
DELIVERED, DECRYPTION_ERROR, NOT_DELIVERED = 100, 101, 102


@dataclass(frozen=True, repr=False)
class Channel:
    """One subscription, with the secrets that never leave the user agent."""

    id: str
    ua_private: ec.EllipticCurvePrivateKey
    application_server_key: bytes
    subscription: PushSubscription


class AutopushClient:
    """One user agent's connection to the push service at ``push_url``, and its one channel.

    A connection that breaks stays broken until ``connect()`` is called again.
    ``on_push(plaintext)`` is called for every message that could be decrypted, with ``None`` for
    one that came without a payload.
    """

    def __init__(self, push_url: str, user_agent: str, on_push: Callable[[bytes | None], None]):
        self._push_url, self._headers = push_url, {"User-Agent": user_agent}
        self._on_push = on_push
        self._uaid: str | None = None
        self.channel: Channel | None = None
        self._socket: WebSocketClientConnection | None = None
        self._closed = asyncio.Event()
        self._answers: dict[tuple[str, str], asyncio.Future[dict]] = {}
        self._seen: deque[str] = deque(maxlen=REMEMBERED)  # versions, newest last

    @property
    def connected(self) -> bool:
        """Whether the push service can reach this user agent."""
        return self._socket is not None

    async def connect(self) -> None:
        """Connect and say hello. What waits at the push service comes at once.

        Raise BrowserFailed when the push service does not answer or refuses.
        """
        if self.connected:
            return
        self._closed.clear()
        request = HTTPRequest(self._push_url, headers=self._headers, connect_timeout=patience(ANSWER_SECONDS))
        try:
            self._socket = await websocket_connect(
                request, on_message_callback=self._receive, subprotocols=["push-notification"]
            )
        except (OSError, HTTPClientError, WebSocketError) as error:
            raise BrowserFailed(f"The push service does not answer: {error}") from error
        try:
            await self._hello()
        except BaseException:
            await self.disconnect()
            raise

    async def _hello(self) -> None:
        hello: dict[str, object] = {"broadcasts": {}, "use_webpush": True}
        if self.channel is not None:
            hello["uaid"] = self._uaid  # as Firefox: only who holds a subscription has a name
        answer = await self._ask("hello", hello)
        if answer["uaid"] != self._uaid:
            self.channel = None  # the service has forgotten us, and with us the subscription
        self._uaid = answer["uaid"]

    async def disconnect(self) -> None:
        """Close the connection. The channel stays, and the push service keeps what is sent to it."""
        if self._socket is not None:
            self._socket.close()
            await self._closed.wait()  # Tornado cuts off a service that does not answer in 5 s
            self._socket = None

    async def subscribe(self, application_server_key: bytes) -> PushSubscription:
        """Register a channel for this application server; return the subscription.

        ``application_server_key`` is the uncompressed point, 65 bytes. A fresh key pair and a fresh
        auth secret are made for each subscription (RFC 8291 §3.1, §3.2).
        """
        channel_id = str(uuid.uuid4())
        key = base64url.encode(application_server_key)
        padded = key + "=" * (-len(key) % 4)  # Firefox pads it
        answer = await self._ask("register", {"channelID": channel_id, "key": padded}, channel_id)
        if answer["status"] != 200:
            raise BrowserFailed(f"The push service refused to register: {answer['status']}")
        ua_private = ec.generate_private_key(ec.SECP256R1())
        subscription = PushSubscription(
            answer["pushEndpoint"], p256.raw_public(ua_private), secrets.token_bytes(16)
        )
        self.channel = Channel(channel_id, ua_private, application_server_key, subscription)
        return subscription

    async def unsubscribe(self) -> None:
        """Give the channel back: from now on its endpoint is gone."""
        channel, self.channel = self.channel, None
        if channel is not None:
            await self._ask("unregister", {"channelID": channel.id, "code": 200}, channel.id)

    # --- the conversation --------------------------------------------------------------------------

    async def _ask(self, kind: str, message: dict[str, object], channel_id: str = "") -> dict:
        """Send a message and return the answer to it."""
        answer = asyncio.get_running_loop().create_future()
        self._answers[kind, channel_id] = answer
        try:
            self._say(kind, message)
            async with asyncio.timeout(patience(ANSWER_SECONDS)):
                return await answer
        except TimeoutError:
            raise TimedOut(f"The push service has not answered {kind}") from None
        finally:
            del self._answers[kind, channel_id]

    def _say(self, kind: str, message: dict[str, object]) -> None:
        if self._socket is None or self._closed.is_set():
            raise BrowserFailed("There is no connection to the push service")
        try:
            sent = self._socket.write_message(json.dumps({"messageType": kind, **message}))
        except WebSocketClosedError:
            raise BrowserFailed("The connection to the push service has ended") from None
        # A connection that breaks meanwhile is no surprise: _receive is told.
        sent.add_done_callback(lambda task: task.cancelled() or task.exception())

    def _receive(self, frame: str | bytes | None) -> None:
        if frame is None:  # Tornado's way to say that the connection is closed
            if self._socket is not None:
                self._socket.close()  # our end of it, too
                self._socket = None
            self._closed.set()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(BrowserFailed("The push service closed the connection"))
            return
        message = json.loads(frame)
        kind = message.get("messageType", "")
        if kind == "notification":
            self._take(message)
        elif answer := self._answers.get((kind, message.get("channelID", ""))):
            if not answer.done():
                answer.set_result(message)

    def _take(self, message: dict) -> None:
        """Decrypt one message, pass it on, and acknowledge it."""
        code, plaintext = self._open(message)
        if code == DELIVERED:
            self._on_push(plaintext)
        update = {"channelID": message["channelID"], "version": message["version"], "code": code}
        try:
            self._say("ack", {"updates": [update]})
        except BrowserFailed:
            return  # The connection has just ended: the message comes again, and is known then.

    def _open(self, message: dict) -> tuple[int, bytes | None]:
        """Return what to acknowledge, and the plaintext."""
        channel = self.channel
        if channel is None or channel.id != message["channelID"]:
            return NOT_DELIVERED, None
        if message["version"] in self._seen:
            return NOT_DELIVERED, None  # our acknowledgement was lost, not the message
        self._seen.append(message["version"])
        if "headers" not in message:
            return DELIVERED, None
        try:
            body = base64url.decode(message["data"])
            auth_secret = channel.subscription.auth
            plaintext = encryption.decrypt(
                body, ua_private=channel.ua_private, auth_secret=auth_secret
            )
        except (EncryptionError, FormatError):
            return DECRYPTION_ERROR, None
        return DELIVERED, plaintext
