"""Receivers: user agents that the push service plays itself, for whoever tests a sender.

A test wants a subscription, and then to know what arrived there. A receiver subscribes at the broker
like any user agent. It is always connected, decrypts each message, acknowledges it, and keeps it with
the options that the sender asked for, of which a user agent learns nothing elsewhere.

    application server ── POST ──▶ webpush ──▶ broker ──▶ Receiver ──▶ the test that waits

Receivers end with the push service: from then on their endpoints are answered 410. Those of a push
service that was killed end when the next one starts.
"""

import asyncio
import base64
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.errors import BadContentEncoding, PushlabError, StoreError, UnknownPath
from pushlab.protocol import encryption, p256
from pushlab.protocol.subscription import AUTH_SECRET, PushSubscription
from pushlab.pushservice.broker import MAX_WINDOW, Broker, Receipt, new_secret
from pushlab.pushservice.mailbox import Message, Subscription
from pushlab.server.http import log

MAX_RECEIVERS = 5000
"""Receivers that are kept. One more, and the oldest of them is ended and forgotten."""

MESSAGES_KEPT = 200
"""Messages that one receiver keeps. One more, and the oldest of them is forgotten."""

CHANNEL = "receiver"
"""Each has one subscription, in a channel of this name."""

USER_AGENT = "receiver "
"""What their secret names begin with. No other user agent has a name with a space in it."""


@dataclass(frozen=True)
class ReceivedMessage:
    """What arrived. ``plaintext``: bytes, or None if there was no payload, or it says ``error``.

    ``ttl``: seconds for which the message might have waited.
    """

    plaintext: bytes | None = field(repr=False)
    ttl: int
    urgency: str
    topic: str | None
    error: PushlabError | None = None

    @property
    def text(self) -> str | None:
        """The plaintext if it is UTF-8, else None."""
        try:
            return None if self.plaintext is None else self.plaintext.decode("utf-8")
        except UnicodeDecodeError:
            return None

    def to_json(self) -> dict:
        """Return the message for a program: ``text``, which is null without a payload, or ``base64``.

        In place of both is ``error`` if it could not be decrypted.
        """
        told: dict[str, object] = {"ttl": self.ttl, "urgency": self.urgency, "topic": self.topic}
        if self.error is not None:
            return self.error.to_json() | told
        if self.plaintext is not None and self.text is None:
            return {"base64": base64.b64encode(self.plaintext).decode("ascii")} | told
        return {"text": self.text} | told


class Receiver:
    """One user agent with one subscription. ``key``: of the only sender, 65 bytes, or None for any.

    ``endpoint(token)`` is the URL to hand out; ``ended(endpoint)`` is called once it is gone.
    """

    window = MAX_WINDOW

    def __init__(
        self,
        broker: Broker,
        endpoint: Callable[[str], str],
        key: bytes | None,
        ended: Callable[[str], object],
    ):
        self.id = new_secret()
        self.user_agent, self.display_name = f"{USER_AGENT}{self.id}", "Receiver"
        self._broker, self._on_end = broker, ended
        self._private_key = ec.generate_private_key(p256.CURVE)
        self._messages: deque[ReceivedMessage] = deque(maxlen=MESSAGES_KEPT)
        self._news, self._ended = asyncio.Event(), False
        self._acknowledging: set[asyncio.Task[None]] = set()
        made = broker.subscribe(self, CHANNEL, key)
        broker.connect(self)
        auth = secrets.token_bytes(AUTH_SECRET)
        self.subscription = PushSubscription(
            endpoint(made.token), p256.raw_public(self._private_key), auth
        )

    @property
    def messages(self) -> list[ReceivedMessage]:
        """What has arrived, oldest first."""
        return list(self._messages)

    async def wait(self, count: int = 1, seconds: float = 10) -> list[ReceivedMessage]:
        """Return what has arrived, once there are ``count`` messages.

        After ``seconds``, and once no more can come, return what there is: fewer.
        """
        try:
            async with asyncio.timeout(seconds):
                while len(self._messages) < count and not self._ended:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass  # The caller sees by the number.
        return self.messages

    @property
    def ended(self) -> bool:
        """Whether its subscription has ended."""
        return self._ended

    def expire(self) -> None:
        """End the subscription: its endpoint is gone. What has arrived can still be read."""
        if not self._ended:
            self._broker.unsubscribe(self, CHANNEL)
            self._broker.disconnect(self)
            self.close()
            self._on_end(self.subscription.endpoint)

    # --- what the broker asks of a connection ----------------------------------------------------

    def deliver(self, subscription: Subscription, message: Message) -> None:
        """Take a message, and acknowledge it in the next turn of the loop: the broker is busy now."""
        self._messages.append(self._read(message))
        self._news.set()
        task = asyncio.get_running_loop().create_task(self._acknowledge(message.id))
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    def close(self) -> None:
        """Take no more messages, and let nobody wait for one."""
        self._ended = True
        self._news.set()

    async def _acknowledge(self, id: str) -> None:
        if self._ended:
            return
        try:
            await self._broker.acknowledge(self, [Receipt(id)])
        except StoreError as error:
            log.warning("a message stays until its TTL is over: %s", error)

    def _read(self, message: Message) -> ReceivedMessage:
        plaintext, fault = None, None
        try:
            plaintext = self._decrypt(message) if message.body else None
        except PushlabError as error:
            fault = error
        return ReceivedMessage(plaintext, message.ttl, message.urgency, message.topic, fault)

    def _decrypt(self, message: Message) -> bytes:
        if message.old is not None:
            raise BadContentEncoding("a receiver reads aes128gcm, and this is aesgcm")
        auth = self.subscription.auth
        assert auth is not None, "a receiver's subscription has keys"
        return encryption.decrypt(message.body, ua_private=self._private_key, auth_secret=auth)


class Receivers:
    """The receivers of one push service.

    ``endpoint(token, https)`` is the URL to hand out; ``ended(endpoint)`` is called once one is gone.
    """

    def __init__(
        self,
        broker: Broker,
        endpoint: Callable[[str, bool], str],
        ended: Callable[[str], object] = lambda endpoint: None,
    ):
        self._broker, self._endpoint, self._on_end = broker, endpoint, ended
        self._receivers: dict[str, Receiver] = {}

    def subscribe(self, key: bytes | None = None, https: bool = False) -> Receiver:
        """Make a receiver. ``key``: 65 bytes of the only sender's public key, or None for any.

        ``https``: whether its endpoint is the https URL. Raises BadPublicKey, TooManySubscriptions.
        """
        if key is not None:
            p256.load_public(key)
        if len(self._receivers) >= MAX_RECEIVERS:
            oldest = next(iter(self._receivers.values()))
            oldest.expire()
            del self._receivers[oldest.id]
        receiver = Receiver(self._broker, lambda token: self._endpoint(token, https), key, self._on_end)
        self._receivers[receiver.id] = receiver
        return receiver

    def find(self, id: str) -> Receiver:
        """Return the receiver with this id. Raises UnknownPath."""
        if id not in self._receivers:
            raise UnknownPath("no receiver has this id")
        return self._receivers[id]

    def end(self) -> None:
        """End all receivers, because the push service stops."""
        while self._receivers:
            _, receiver = self._receivers.popitem()
            try:
                receiver.expire()
            except StoreError as error:
                receiver.close()
                log.warning("the subscription of a receiver stays: %s", error)
