"""The broker: it connects the mailbox, the store and the connections of user agents.

Every protocol calls it: ``webpush`` to accept messages, ``autopush`` and ``mcs`` to deliver them.
The broker does not know which protocol a user agent speaks, only that its connection can deliver a
message. Every operation has one order: decide, write to the database, believe, tell. So a message
that was answered 201 has been written. Two operations are frequent, ``accept`` and ``acknowledge``:
what one turn of the event loop has decided is written together (see ``batch``).
"""

import secrets
from asyncio import Future
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from pushlab.errors import DeliveryError
from pushlab.journal import Journal, Party
from pushlab.protocol.delivery import PushOptions
from pushlab.pushservice.batch import Batch
from pushlab.pushservice.mailbox import Change, Mailbox, Message, OldCoding, Subscription
from pushlab.pushservice.store import Store

MAX_WINDOW = 100
"""The largest window: messages that may be on their way over one connection."""

UNREAD_EACH = 8 * 1024
"""Bytes of the write buffer of a connection, for each message on its way: more than one needs."""

MAX_EXPECTED = 2 * MAX_WINDOW
"""Receipts that are expected over one connection, two for each message; the oldest is forgotten."""

UA, PS = Party.USER_AGENT, Party.PUSH_SERVICE


class Client(Protocol):
    """A user agent that asks for something, over any protocol."""

    @property
    def user_agent(self) -> str:
        """The secret name by which the mailbox knows this user agent."""

    @property
    def display_name(self) -> str:
        """The name that people see, in the journal for one."""


class Connection(Client, Protocol):
    """A user agent that is connected, and to which messages can be delivered."""

    @property
    def window(self) -> int:
        """How many messages may be sent, counted from the oldest that is not acknowledged.

        A message that was sent and not acknowledged is sent again after the push service was
        killed. A user agent that remembers its id does not show it twice; the window is at most the
        number of ids that this one remembers, and at most MAX_WINDOW.
        """

    def deliver(self, subscription: Subscription, message: Message) -> None:
        """Send a message, and do not wait until it arrives."""

    def close(self) -> None:
        """End the connection, because the same user agent has opened a newer one."""


def new_secret() -> str:
    """Make the secret end of a URL: 192 random bits that identify nobody (RFC 8030 §8.2)."""
    return secrets.token_urlsafe(24)


ACKNOWLEDGE, NACK = RECEIPTS = ("acknowledge", "nack")
"""The kinds of receipts, as the journal names them. A nack says that a handler failed."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A user agent's answer to one message: the message's id, and the protocol's code."""

    id: str = field(repr=False)
    what: str = ACKNOWLEDGE
    code: int | None = field(default=None, compare=False)


class OutboundQueue:
    """A connection, and the ids of the messages that are to be sent over it, or were.

    It holds no message: a message that waits is in the mailbox, and is read when it is sent. What
    the mailbox drops leaves the queue at once, so the queue is never longer than the mailbox's.
    """

    def __init__(self, connection: Connection):
        self.connection = connection
        self.waiting: OrderedDict[str, None] = OrderedDict()
        self._sent = 0
        self._unacknowledged: OrderedDict[str, int] = OrderedDict()  # id → messages sent before it
        self._expected: OrderedDict[Receipt, None] = OrderedDict()

    @property
    def has_room(self) -> bool:
        """Whether the window has room for one more message."""
        oldest = next(iter(self._unacknowledged.values()), self._sent)
        return self._sent - oldest < self.connection.window

    def note_sent(self, message: Message) -> None:
        """Note that a message has been sent. One with TTL 0 is not sent again, nor waited for."""
        if message.ttl:
            self._unacknowledged[message.id] = self._sent
        self._sent += 1
        for what in RECEIPTS:
            self._expected[Receipt(message.id, what)] = None
        while len(self._expected) > MAX_EXPECTED:
            self._expected.popitem(last=False)

    def has(self, id: str) -> bool:
        """Return whether a message is to be sent over this connection, or was."""
        return id in self.waiting or id in self._unacknowledged

    def drop(self, id: str) -> None:
        """Forget a message that the mailbox drops."""
        self.waiting.pop(id, None)
        self._unacknowledged.pop(id, None)

    def expects(self, receipt: Receipt) -> bool:
        """Return whether this is the first receipt of its kind for a message that was sent."""
        return receipt in self._expected and self._expected.pop(receipt) is None


class Broker:
    """Accept messages, store them, and deliver them to the user agents.

    ``clock`` returns seconds since 1970. If the store raises an error, nothing has changed, and the
    caller gets the error. A database that remembers more than MAX_GONE endpoints as given up, which
    earlier versions could write, forgets the oldest ones here.
    """

    def __init__(self, mailbox: Mailbox, store: Store, journal: Journal, clock: Callable[[], float]):
        self.mailbox, self.journal, self._clock = mailbox, journal, clock
        self._store = store
        self._batch = Batch(self._commit)
        self._queues: dict[str, OutboundQueue] = {}  # by user agent
        mailbox.apply(store.read().without_orphans())
        self._commit(mailbox.forget())

    # --- user agents -----------------------------------------------------------------------------

    def connect(self, connection: Connection) -> None:
        """Deliver the messages that wait for a user agent; close its older connection, if any."""
        replaced = self._queues.pop(connection.user_agent, None)
        if replaced is not None:
            replaced.connection.close()
        queue = self._queues[connection.user_agent] = OutboundQueue(connection)
        self._tell(UA, PS, "connect", connection.display_name)
        self.expire(connection.user_agent)
        for message in self.mailbox.waiting(connection.user_agent, self._clock()):
            queue.waiting[message.id] = None
        self._flush(connection.user_agent)

    def disconnect(self, connection: Connection) -> None:
        """Forget a connection that has ended, unless a newer one has replaced it already."""
        queue = self._queues.get(connection.user_agent)
        if queue is not None and queue.connection is connection:
            del self._queues[connection.user_agent]
            self._tell(UA, PS, "disconnect", connection.display_name)

    def forget_connections(self) -> None:
        """Forget every connection without an event: the service stops, no user agent has left."""
        self._queues.clear()

    def subscribe(
        self, client: Client, channel: str, key: bytes | None, prefix: str = ""
    ) -> Subscription:
        """Make a subscription, or return the one that the channel has already.

        ``key`` is the application server's public key, 65 bytes, or None; the token begins with
        ``prefix``, and its random part follows. Raises BadField, TooManySubscriptions.
        """
        self._tell(UA, PS, "subscribe", client.display_name)
        self._batch.flush()
        token = prefix + new_secret()
        made = Subscription(token, client.user_agent, channel, key, client.display_name)
        known = self.mailbox.channel(client.user_agent, channel)
        self._commit(self.mailbox.subscribe(made))
        self._tell(PS, UA, "endpoint", client.display_name)
        return known or made

    def unsubscribe(self, client: Client, channel: str) -> None:
        """End a subscription. Its endpoint is answered 410 while it is remembered, then 404."""
        self._tell(UA, PS, "unsubscribe", client.display_name)
        self._batch.flush()
        change = self.mailbox.unsubscribe(client.user_agent, channel)
        self._commit(change)
        self._flush(client.user_agent)

    def unsubscribe_all(self, prefix: str) -> None:
        """End the subscriptions of all user agents whose secret names begin with ``prefix``."""
        self._batch.flush()
        self._commit(self.mailbox.unsubscribe_all(prefix))

    def acknowledge(self, client: Client, receipts: Iterable[Receipt]) -> Future[None]:
        """Drop the messages that a user agent acknowledges, whether it showed them or not.

        The future has a result when they are dropped. The journal is told of each message that was
        sent to this user agent, once. Anything else that a receipt may name is ignored.
        """
        receipts = list(receipts)
        self._settle(client.user_agent)
        change = self.mailbox.acknowledge(client.user_agent, [receipt.id for receipt in receipts])
        then = partial(self._acknowledged, client, receipts, change)
        return self._batch.add(client.user_agent, change, then)

    def _acknowledged(self, client: Client, receipts: list[Receipt], change: Change) -> None:
        dropped = {message.id for message in change.dropped}
        queue = self._queues.get(client.user_agent)
        for receipt in receipts:
            expected = queue is not None and queue.expects(receipt)
            if expected or receipt.id in dropped:
                self._tell(UA, PS, receipt.what, client.display_name, code=receipt.code)
            dropped.discard(receipt.id)
        self._flush(client.user_agent)

    # --- application servers ---------------------------------------------------------------------

    async def accept(
        self,
        subscription: Subscription,
        body: bytes,
        options: PushOptions,
        old: OldCoding | None = None,
        *,
        at_once: bool = False,
    ) -> Message:
        """Store a message; ``dispatch`` it once its sender has been answered.

        ``subscription`` is one that the mailbox has now; ``body`` is what was posted, and ``old``
        holds the headers of a body in the older coding. ``at_once``: whether nothing else may happen
        before this returns. Raises QueueFull.
        """
        user_agent = subscription.user_agent
        self.expire(user_agent)
        if self.mailbox.room <= len(self._batch):
            self._batch.flush()  # There may be no room for all of them.
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
        written = self._batch.add(user_agent, change)
        if at_once:
            self._batch.flush()
        await written
        if change.dropped:
            self._note("replace message", subscription.display_name)
        if user_agent not in self._queues:
            what = "keep message" if change.stored else "drop message"
            self._note(what, subscription.display_name)
        return message

    def dispatch(self, subscription: Subscription, message: Message) -> None:
        """Deliver a message that has just been accepted, if its user agent is connected.

        If the user agent has connected since, it has been sent what waits, and this message too. If
        it has unsubscribed since, the message is gone. One with TTL 0 is delivered now or never: it
        does not wait until the window has room.
        Source: RFC 8030 §5.2.
        """
        queue = self._queues.get(subscription.user_agent)
        if queue is None:
            return
        if message.ttl == 0:
            if self.mailbox.channel(subscription.user_agent, subscription.channel) is subscription:
                self._deliver(queue, subscription, message)
        elif self.message(message.id) and not queue.has(message.id):
            queue.waiting[message.id] = None
            self._flush(subscription.user_agent)

    def message(self, id: str) -> Message | None:
        """Return a message that waits, or None if there is none with this id."""
        return self.mailbox.message(id, self._clock())

    def withdraw(self, message: Message) -> None:
        """Drop a message that waits, because its resource was deleted (RFC 8030 §6.2)."""
        self._batch.flush()
        if self.message(message.id) is None:
            return  # Its user agent had acknowledged it.
        self._commit(Change(dropped=(message,)))
        self._flush(self.mailbox.subscription(message.token).user_agent)

    # --- time ------------------------------------------------------------------------------------

    def expire(self, user_agent: str | None = None) -> None:
        """Drop the messages whose TTL is over, of one user agent or of all."""
        self._settle(user_agent)
        change = self.mailbox.expired(self._clock(), user_agent)
        if not change:
            return
        names = Counter(self.mailbox.subscription(m.token).display_name for m in change.dropped)
        self._commit(change)
        for display_name, messages in names.items():
            self._note("drop message", display_name, messages=messages)
        for each in list(self._queues) if user_agent is None else [user_agent]:
            self._flush(each)

    @property
    def max_unread(self) -> int:
        """How many bytes may be buffered for a user agent that does not read.

        The largest window fits. Messages with TTL 0 and responses are in no window; if they exceed
        the limit, the connection is cut.
        """
        return UNREAD_EACH * MAX_WINDOW

    def connected(self) -> int:
        """Return the number of user agents that are connected."""
        return len(self._queues)

    def presence(self, token: str) -> tuple[bool, int] | None:
        """Return whether the user agent of a token is connected, and how many messages wait.

        Returns None if no subscription has this token.
        """
        try:
            user_agent = self.mailbox.subscription(token).user_agent
        except DeliveryError:
            return None
        waiting = self.mailbox.waiting(user_agent, self._clock())
        return user_agent in self._queues, sum(message.token == token for message in waiting)

    # --- helpers ---------------------------------------------------------------------------------

    def _settle(self, user_agent: str | None) -> None:
        """Write what has been decided about a user agent, or about any, before more is decided."""
        if user_agent is None or user_agent in self._batch:
            self._batch.flush()

    def _commit(self, change: Change) -> None:
        if not change:
            return
        self._store.write(change)
        for message in change.dropped:
            user_agent = self.mailbox.subscription(message.token).user_agent
            if queue := self._queues.get(user_agent):
                queue.drop(message.id)
        self.mailbox.apply(change)

    def _flush(self, user_agent: str) -> None:
        """Deliver the messages that wait for a user agent, if it is connected, up to its window."""
        queue = self._queues.get(user_agent)
        while queue and queue.waiting and queue.has_room:
            id, _ = queue.waiting.popitem(last=False)
            if message := self.message(id):  # It may have expired, and be still in the mailbox.
                self._deliver(queue, self.mailbox.subscription(message.token), message)

    def _deliver(self, queue: OutboundQueue, subscription: Subscription, message: Message) -> None:
        queue.note_sent(message)
        # First, so that its time is never later than the user agent's own.
        self._tell(PS, UA, "push message", subscription.display_name, bytes=len(message.body))
        queue.connection.deliver(subscription, message)

    def _note(self, what: str, display_name: str, **detail: int | None) -> None:
        self._tell(PS, PS, what, display_name, **detail)

    def _tell(
        self, source: Party, target: Party, what: str, display_name: str, **detail: int | None
    ) -> None:
        self.journal.record(source, target, what, display_name, "", **detail)
