"""The broker: it holds the mailbox, the store and the connections of user agents together.

Both doors come here, and so will any other protocol that a browser speaks: the broker does not know
how a user agent is connected, only that something is there which takes messages. It keeps one
order: decide, write to the database, believe, tell. What was answered 201 has been written.
"""

import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from pushlab.errors import DeliveryError
from pushlab.journal import Journal, Party
from pushlab.protocol.delivery import PushOptions
from pushlab.pushservice.mailbox import Change, Mailbox, Message, OldCoding, Subscription
from pushlab.pushservice.store import Store

UNREAD_EACH = 8 * 1024
"""Bytes on the way to a user agent, for each message that may wait for it: more than one can have."""

UA, PS = Party.USER_AGENT, Party.PUSH_SERVICE


class Client(Protocol):
    """A user agent that asks for something, over whatever protocol."""

    @property
    def user_agent(self) -> str:
        """Its secret name, under which the mailbox knows it."""

    @property
    def display_name(self) -> str:
        """Its name for people."""


class Connection(Client, Protocol):
    """A user agent that is connected, and takes messages."""

    window: int | None
    """How many messages it may be sent from the oldest on that waits to be acknowledged.

    What was sent and not acknowledged is sent again after a kill. A user agent that knows such a
    message by its id shows it once, and this is how many ids it remembers. None: any number.
    """

    def deliver(self, subscription: Subscription, message: Message) -> None:
        """Hand a message over, and do not wait for it to arrive."""

    def close(self) -> None:
        """End the connection: the same user agent has opened a newer one."""


def new_secret() -> str:
    """Make the secret end of a URL: 192 random bits, and nothing about anybody (RFC 8030 §8.2)."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a user agent says of one message: its id, if it names it, and the protocol's code."""

    id: str | None
    code: int | None = None
    what: str = "acknowledge"


@dataclass(eq=False)
class OutboundQueue:
    """A connection, what is still to be sent over it, and the ids of what has been sent."""

    connection: Connection
    waiting: deque[tuple[Subscription, Message]] = field(default_factory=deque)
    sent: deque[str] = field(default_factory=deque)


class Broker:
    """Take messages in, keep them, and bring them to the user agents.

    ``clock`` returns seconds since 1970. What the store raises passes through, and then nothing has
    changed. A database that remembers more than MAX_GONE endpoints as given up, as earlier versions
    made them, forgets the oldest here.
    """

    def __init__(
        self, mailbox: Mailbox, store: Store, journal: Journal, clock: Callable[[], float]
    ):
        self.mailbox, self.journal, self._clock = mailbox, journal, clock
        self._store = store
        self._queues: dict[str, OutboundQueue] = {}  # by user agent
        mailbox.apply(store.read())
        self._commit(mailbox.forget())

    # --- user agents -----------------------------------------------------------------------------

    def connect(self, connection: Connection) -> None:
        """Let a user agent in and deliver what waits for it; its newest connection wins."""
        replaced = self._queues.pop(connection.user_agent, None)
        if replaced is not None:
            replaced.connection.close()
        queue = self._queues[connection.user_agent] = OutboundQueue(connection)
        self._tell(UA, PS, "connect", connection.display_name)
        self.expire(connection.user_agent)
        queue.waiting.extend(
            (self.mailbox.subscription(message.token), message)
            for message in self.mailbox.waiting(connection.user_agent, self._clock())
        )
        self._flush(connection.user_agent)

    def disconnect(self, connection: Connection) -> None:
        """Let a user agent go. A connection that a newer one has replaced is gone already."""
        queue = self._queues.get(connection.user_agent)
        if queue is not None and queue.connection is connection:
            del self._queues[connection.user_agent]
            self._tell(UA, PS, "disconnect", connection.display_name)

    def forget_connections(self) -> None:
        """Let go of every user agent, because the service stops: none of them has disconnected."""
        self._queues.clear()

    def subscribe(
        self, client: Client, channel: str, key: bytes | None, prefix: str = ""
    ) -> Subscription:
        """Make a subscription, or return the one that the channel has. Raise BadField.

        ``prefix`` is what the token begins with, before its random part.
        """
        self._tell(UA, PS, "subscribe", client.display_name)
        token = prefix + new_secret()
        made = Subscription(token, client.user_agent, channel, key, client.display_name)
        change = self.mailbox.subscribe(made)
        self._commit(change)
        self._tell(PS, UA, "endpoint", client.display_name)
        return made if change else self.mailbox.channel(client.user_agent, channel)

    def unsubscribe(self, client: Client, channel: str) -> None:
        """End a subscription: its endpoint is answered 410 as long as it is remembered, then 404."""
        self._tell(UA, PS, "unsubscribe", client.display_name)
        change = self.mailbox.unsubscribe(client.user_agent, channel)
        self._commit(change)
        if queue := self._queues.get(client.user_agent):
            ended = change.unsubscribed
            queue.waiting = deque(pair for pair in queue.waiting if pair[0].token not in ended)
        self._flush(client.user_agent)

    def acknowledge(self, connection: Client, receipts: Iterable[Receipt]) -> None:
        """Drop messages that a user agent has had, whatever became of them there."""
        receipts = list(receipts)
        ids = [receipt.id for receipt in receipts if receipt.id is not None]
        self._commit(self.mailbox.acknowledge(connection.user_agent, ids))
        for receipt in receipts:
            self._tell(UA, PS, receipt.what, connection.display_name, code=receipt.code)
        self._flush(connection.user_agent)

    # --- application servers ---------------------------------------------------------------------

    def accept(
        self,
        subscription: Subscription,
        body: bytes,
        options: PushOptions,
        old: OldCoding | None = None,
    ) -> Message:
        """Store a message; ``dispatch`` it once its sender has been answered.

        ``subscription`` is one that the mailbox has now; ``body`` is what was posted, and ``old``
        holds the headers of a body in the older coding. Raises QueueFull.
        """
        self.expire(subscription.user_agent)
        connected = subscription.user_agent in self._queues
        message, change = self.mailbox.post(
            subscription,
            id=new_secret(),
            body=body,
            ttl=options.ttl,
            urgency=str(options.urgency),
            topic=options.topic,
            now=self._clock(),
            old=old,
        )
        self._commit(change)
        if change.dropped:
            self._note("replace message", subscription.display_name)
        if not connected:
            what = "keep message" if change.stored else "drop message"
            self._note(what, subscription.display_name)
        return message

    def dispatch(self, subscription: Subscription, message: Message) -> None:
        """Deliver a message that has just been accepted, if its user agent is connected."""
        if queue := self._queues.get(subscription.user_agent):
            queue.waiting.append((subscription, message))
            self._flush(subscription.user_agent)

    def message(self, id: str) -> Message | None:
        """Return a message that waits, or None."""
        return self.mailbox.message(id, self._clock())

    def withdraw(self, message: Message) -> None:
        """Drop a message that waits, because someone deleted its resource (RFC 8030 §6.2)."""
        self._commit(Change(dropped=(message,)))
        self._flush(self.mailbox.subscription(message.token).user_agent)

    # --- time ------------------------------------------------------------------------------------

    def expire(self, user_agent: str | None = None) -> None:
        """Drop what has outlived its TTL, of one user agent or of all."""
        change = self.mailbox.expired(self._clock(), user_agent)
        names = Counter(self.mailbox.subscription(m.token).display_name for m in change.dropped)
        self._commit(change)
        for display_name, messages in names.items():
            self._note("drop message", display_name, messages=messages)
        for each in list(self._queues) if user_agent is None else [user_agent]:
            self._flush(each)

    @property
    def max_unread(self) -> int:
        """How many bytes may wait on the way to a user agent that does not read.

        A full queue fits, since it is sent at once when a user agent comes back. Messages with TTL 0
        and answers are in no queue: past this the connection is cut.
        """
        return UNREAD_EACH * self.mailbox.message_limit

    def connected(self) -> int:
        """Return the number of user agents that are connected."""
        return len(self._queues)

    def presence(self, token: str) -> tuple[bool, int] | None:
        """Say whether the user agent behind an endpoint is connected, and how many messages wait.

        Return None if there is no such endpoint.
        """
        try:
            user_agent = self.mailbox.subscription(token).user_agent
        except DeliveryError:
            return None
        waiting = self.mailbox.waiting(user_agent, self._clock())
        return user_agent in self._queues, sum(message.token == token for message in waiting)

    # --- helpers ---------------------------------------------------------------------------------

    def _commit(self, change: Change) -> None:
        if change:
            self._store.write(change)
            self.mailbox.apply(change)

    def _flush(self, user_agent: str) -> None:
        """Hand over what waits for a user agent, as far as it is connected and its window goes."""
        queue = self._queues.get(user_agent)
        while queue and queue.waiting:
            # What does not wait here any more is not sent again either: it is out of the way.
            while queue.sent and self.message(queue.sent[0]) is None:
                queue.sent.popleft()
            if queue.connection.window is not None and len(queue.sent) >= queue.connection.window:
                return
            self._deliver(queue, *queue.waiting.popleft())

    def _deliver(
        self, queue: OutboundQueue, subscription: Subscription, message: Message
    ) -> None:
        # While a message is in the queue it may be replaced or withdrawn, or it may expire.
        if message.ttl and self.message(message.id) is None:
            return
        queue.sent.append(message.id)
        queue.connection.deliver(subscription, message)
        self._tell(PS, UA, "push message", subscription.display_name, bytes=len(message.body))

    def _note(self, what: str, display_name: str, **detail: int | None) -> None:
        self._tell(PS, PS, what, display_name, **detail)

    def _tell(
        self, source: Party, target: Party, what: str, display_name: str, **detail: int | None
    ) -> None:
        self.journal.record(source, target, what, display_name, **detail)
