"""The user agent's end of Firefox's push protocol (``pushlab.pushservice.autopush`` is the other).

The client does what Firefox does with its one connection to the push service. It sends ``hello`` with
the identifier (uaid) that the service gave it earlier, registers and unregisters a channel, decrypts
what arrives, and acknowledges every message, so that the service does not send it again.

In RFC 8030 §6 a user agent fetches messages with HTTP/2 server push. Browsers no longer implement
server push; each speaks a protocol of its own with its push service. This one is JSON in a WebSocket.
"""

import asyncio
import json
import secrets
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from tornado.httpclient import HTTPRequest
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    websocket_connect,
)

from pushlab.errors import (
    BrowserFailed,
    EncryptionError,
    FormatError,
    MalformedJson,
    PushlabError,
    TimedOut,
)
from pushlab.protocol import base64url, encryption, p256, strict_json
from pushlab.protocol.subscription import PushSubscription
from pushlab.settings import patience

ANSWER_SECONDS = 30
"""How long the push service may take to answer (times PUSHLAB_PATIENCE)."""

MAX_FRAME = 64 * 1024
"""Bytes of a message that are read. The longest one has 4096 bytes in base64, and some headers."""

REMEMBERED = 10
"""How many versions of messages are remembered, to recognise a message that comes twice.

Firefox remembers 10, newer versions 100."""

# What a user agent did with a message, as it acknowledges it.
DELIVERED, DECRYPTION_ERROR, NOT_DELIVERED = 100, 101, 102


@dataclass(frozen=True, repr=False)
class Channel:
    """One subscription, with the secrets that never leave the user agent."""

    id: str
    ua_private: ec.EllipticCurvePrivateKey
    application_server_key: bytes | None
    subscription: PushSubscription


class AutopushClient:
    """One user agent's connection to the push service at ``push_url``, and its one channel.

    A connection that breaks stays closed until ``connect()`` is called again.
    ``on_push(plaintext)`` is called for every message that could be decrypted, with None for a message
    without a payload; ``on_fault(error)`` for every other one; ``on_close()`` when the connection ends.
    """

    def __init__(
        self,
        push_url: str,
        user_agent: str,
        on_push: Callable[[bytes | None], None],
        *,
        on_fault: Callable[[PushlabError], None] = lambda error: None,
        on_close: Callable[[], None] = lambda: None,
    ):
        self._push_url, self._headers = push_url, {"User-Agent": user_agent}
        self._on_push, self._on_fault, self._on_close = on_push, on_fault, on_close
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
        """Connect and send ``hello``. The push service then sends the messages that wait there.

        Raises BrowserFailed if the push service does not answer or refuses.
        """
        if self.connected:
            return
        self._closed.clear()
        seconds = patience(ANSWER_SECONDS)
        request = HTTPRequest(
            self._push_url, headers=self._headers, connect_timeout=seconds, follow_redirects=False
        )
        connecting = asyncio.ensure_future(
            websocket_connect(
                request,
                on_message_callback=self._receive,
                subprotocols=["push-notification"],
                max_message_size=MAX_FRAME,
            )
        )
        try:
            self._socket = await asyncio.shield(connecting)
        except asyncio.CancelledError:
            # Tornado goes on connecting, and nobody would ever close the connection.
            connecting.add_done_callback(_close)
            raise
        except Exception as error:  # Whatever an answer makes Tornado raise: it passes all of it on.
            raise BrowserFailed(f"The push service does not answer: {error}") from error
        try:
            await self._hello()
        except BaseException:
            await self.disconnect()
            raise

    async def _hello(self) -> None:
        hello: dict[str, object] = {"broadcasts": {}, "use_webpush": True}
        if self.channel is not None:
            hello["uaid"] = self._uaid  # Firefox, too, sends it only with a subscription.
        answer = await self._ask("hello", hello)
        uaid = answer.get("uaid")
        if not isinstance(uaid, str):
            raise BrowserFailed(f"The push service sent no uaid: it is {strict_json.kind(uaid)}")
        if uaid != self._uaid:
            self.channel = None  # The service has forgotten us, and our subscription with us.
        self._uaid = uaid

    async def disconnect(self) -> None:
        """Close the connection. The channel stays, and the push service keeps what is sent to it."""
        if self._socket is not None:
            self._socket.close()
            await self._closed.wait()  # Tornado cuts the connection after 5 s without an answer.
            self._socket = None

    async def subscribe(self, application_server_key: bytes | None) -> PushSubscription:
        """Register a channel for this application server; return the subscription.

        ``application_server_key`` is the uncompressed point, 65 bytes, or None if anybody may send.
        Each subscription has a new key pair and a new auth secret (RFC 8291 §3.1, §3.2).
        """
        channel_id = str(uuid.uuid4())
        message: dict[str, object] = {"channelID": channel_id}
        if application_server_key is not None:
            key = base64url.encode(application_server_key)
            message["key"] = key + "=" * (-len(key) % 4)  # Firefox pads it
        answer = await self._ask("register", message, channel_id)
        if (status := answer.get("status")) != 200:
            said = status if isinstance(status, int) else strict_json.kind(status)
            raise BrowserFailed(f"The push service refused to register: {said}")
        ua_private = ec.generate_private_key(ec.SECP256R1())
        subscription = PushSubscription(
            answer.get("pushEndpoint") or "", p256.raw_public(ua_private), secrets.token_bytes(16)
        )
        self.channel = Channel(channel_id, ua_private, application_server_key, subscription)
        return subscription

    async def unsubscribe(self) -> None:
        """Unregister the channel. Its endpoint is gone from then on."""
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
        # If the connection breaks meanwhile, _receive hears of it; asyncio must not report it as well.
        sent.add_done_callback(lambda task: task.cancelled() or task.exception())

    def _receive(self, frame: str | bytes | None) -> None:
        if frame is None:  # Tornado's way to say that the connection is closed
            if self._socket is not None:
                self._socket.close()  # our end of it, too
                self._socket = None
            self._closed.set()
            self._on_close()
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(BrowserFailed("The push service closed the connection"))
            return
        try:
            message = strict_json.parse(frame)
        except MalformedJson:
            return  # Firefox, too, ignores what it cannot read.
        if not isinstance(message, dict):
            return
        kind, channel_id = message.get("messageType"), message.get("channelID", "")
        if kind == "notification":
            self._take(message)
        elif not isinstance(kind, str) or not isinstance(channel_id, str):
            return
        elif answer := self._answers.get((kind, channel_id)):
            if not answer.done():
                answer.set_result(message)

    def _take(self, message: dict) -> None:
        """Decrypt one message, pass it on, and acknowledge it."""
        if not all(isinstance(message.get(name), str) for name in ("channelID", "version")):
            return
        code, plaintext = self._open(message)
        if code == DELIVERED:
            self._on_push(plaintext)
        update = {"channelID": message["channelID"], "version": message["version"], "code": code}
        try:
            self._say("ack", {"updates": [update]})
        except BrowserFailed:
            return  # The connection has just ended. The message comes again, and _seen recognises it.

    def _open(self, message: dict) -> tuple[int, bytes | None]:
        """Return what to acknowledge, and the plaintext."""
        channel = self.channel
        if channel is None or channel.id != message["channelID"]:
            return NOT_DELIVERED, None
        if message["version"] in self._seen:
            return NOT_DELIVERED, None  # It was not the message that was lost, but our acknowledgement.
        self._seen.append(message["version"])
        if "headers" not in message:
            return DELIVERED, None
        try:
            body = base64url.decode(message.get("data"))
            auth_secret = channel.subscription.auth
            assert auth_secret is not None, "a channel's subscription has keys"
            plaintext = encryption.decrypt(body, ua_private=channel.ua_private, auth_secret=auth_secret)
        except (EncryptionError, FormatError) as error:
            self._on_fault(error)
            return DECRYPTION_ERROR, None
        return DELIVERED, plaintext


def _close(connecting: asyncio.Future[WebSocketClientConnection]) -> None:
    """Close a connection that has come too late."""
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
