"""The rules of a push service's mailbox: its subscriptions, and which messages wait for how long.

Nothing here reads a clock, makes a random number, opens a socket or writes a file. An operation
reads the mailbox and returns a ``Change``; only ``apply`` changes the mailbox itself. So a caller
can write the change to its database first:

    change = mailbox.acknowledge(…)     # decide
    store.write(change)                 # remember: if this fails, nothing has happened
    mailbox.apply(change)               # believe

and a restart is ``mailbox.apply(store.read().without_orphans())``, since a whole database is one large
change.

The mailbox knows a user agent only by its subscriptions. It stores nothing about one without any.

The mailbox remembers the last MAX_GONE endpoints that were given up, so that they can be answered
410. It forgets older ones, and they are answered 404, like endpoints that were never made.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

from pushlab.errors import (
    BadField,
    QueueFull,
    SubscriptionGone,
    TooManySubscriptions,
    UnknownPushResource,
)

MAX_TTL = 30 * 24 * 3600
"""Seconds that a message may wait at most; RFC 8030 §5.2 lets a push service shorten a TTL."""

MAX_SUBSCRIPTIONS = 100_000
"""Subscriptions that are kept, of all user agents together."""

MAX_CHANNELS = 200
"""Subscriptions that one user agent may have: one a site, and browsers allow no more than one."""

MAX_GONE = 100_000
"""Endpoints that are remembered as given up. One more, and the oldest of them is forgotten."""

MAX_MESSAGES = 200_000
"""Messages that wait, of all user agents together: at 4096 bytes, less than a gigabyte."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A push resource: what one application server may send to one user agent (RFC 8030 §4).

    ``token`` is the secret end of the endpoint; ``user_agent`` the secret name of the user agent;
    ``channel`` the user agent's own name for this subscription; ``key`` the 65 bytes of the
    application server's public key, or None if anyone may send (RFC 8292 §4); ``display_name`` the
    name of the user agent that people see, in the journal for one.

    >>> Subscription("secret", "also secret", "channel 1", display_name="Firefox")
    Subscription(channel='channel 1', key=None, display_name='Firefox')
    """

    token: str = field(repr=False)
    user_agent: str = field(repr=False)
    channel: str
    key: bytes | None = None
    display_name: str = ""


class OldCoding(NamedTuple):
    """The two headers that accompany a body in aesgcm, the content coding before RFC 8291.

    ``crypto_key`` is empty where the sender left it out.
    """

    encryption: str
    crypto_key: str


@dataclass(frozen=True, slots=True)
class Message:
    """A push message resource: it waits until it is acknowledged or expires (RFC 8030 §5).

    ``number`` orders the messages of a user agent; ``id`` is the secret end of the resource's URL;
    ``token`` names the subscription; ``body`` is what was posted; ``ttl`` is seconds, and ``posted_at``
    seconds since 1970; ``old`` holds the headers of a body in aesgcm, and is None for aes128gcm.

    >>> Message(1, "secret", "secret", b"12 bytes ...", ttl=60, posted_at=1000.0).expires_at
    1060.0
    """

    number: int
    id: str = field(repr=False)
    token: str = field(repr=False)
    body: bytes = field(repr=False)
    ttl: int
    posted_at: float
    urgency: str = "normal"
    topic: str | None = None
    old: OldCoding | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that a user agent needs to decrypt the body, by autopush's names."""
        if self.old is None:
            return {"encoding": "aes128gcm"}
        return {"encoding": "aesgcm"} | {name: text for name, text in self.old._asdict().items() if text}

    @property
    def expires_at(self) -> float:
        """The time, in seconds since 1970, from which on the message must not be delivered."""
        return self.posted_at + self.ttl


@dataclass(frozen=True, slots=True)
class Change:
    """What one operation changes. A store writes all of it or nothing.

    ``unsubscribed`` holds the tokens that are remembered as gone from now on; ``forgotten`` holds
    tokens that were gone and are no longer remembered. An empty change is false.
    """

    subscribed: tuple[Subscription, ...] = ()
    unsubscribed: tuple[str, ...] = field(default=(), repr=False)
    forgotten: tuple[str, ...] = field(default=(), repr=False)
    stored: tuple[Message, ...] = ()
    dropped: tuple[Message, ...] = ()

    def __bool__(self) -> bool:
        ended = self.unsubscribed or self.forgotten
        return bool(self.subscribed or ended or self.stored or self.dropped)

    @classmethod
    def together(cls, changes: Collection["Change"]) -> "Change":
        """Return several changes, of which no two concern one user agent, as one.

        >>> Change.together([Change(unsubscribed=("a",)), Change(unsubscribed=("b",))]).unsubscribed
        ('a', 'b')
        """
        return cls(
            subscribed=tuple(one for change in changes for one in change.subscribed),
            unsubscribed=tuple(one for change in changes for one in change.unsubscribed),
            forgotten=tuple(one for change in changes for one in change.forgotten),
            stored=tuple(one for change in changes for one in change.stored),
            dropped=tuple(one for change in changes for one in change.dropped),
        )

    def without_orphans(self) -> "Change":
        """Return a whole database's change without the messages whose subscription is not in it.

        >>> Change(stored=(Message(1, "id", "token", b"", 60, 0.0),)).without_orphans()
        Change(subscribed=(), stored=(), dropped=())
        """
        tokens = {subscription.token for subscription in self.subscribed}
        return replace(self, stored=tuple(one for one in self.stored if one.token in tokens))


class Mailbox:
    """Hold the subscriptions, and the messages that wait.

    ``message_limit`` is how many messages may wait for one user agent.

    >>> mailbox = Mailbox()
    >>> subscription = Subscription("token", "agent", "channel")
    >>> mailbox.apply(mailbox.subscribe(subscription))
    >>> message, change = mailbox.post(
    ...     subscription, id="m1", body=b"", ttl=60, urgency="normal", topic=None, now=0
    ... )
    >>> mailbox.apply(change)
    >>> [m.id for m in mailbox.waiting("agent", now=59)], mailbox.waiting("agent", now=60)
    (['m1'], [])
    """

    def __init__(self, message_limit: int = 1000):
        self.message_limit = message_limit
        self._subscriptions: dict[str, Subscription] = {}
        self._tokens: dict[str, dict[str, str]] = {}  # user agent → channel → token
        # Tokens, the one that was given up first in front. A plain dict would be slow: to find its
        # first item, it passes over the slots of all items that were deleted from its front.
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._messages: dict[str, Message] = {}
        self._queues: dict[str, dict[str, Message]] = {}  # user agent → id → message, in order
        self._topics: dict[tuple[str, str], str] = {}  # token, topic → message id
        self._last_number = 0

    # --- questions -------------------------------------------------------------------------------

    def subscription(self, token: str) -> Subscription:
        """Return the subscription of an endpoint, by its token.

        Raises SubscriptionGone if the user agent has given it up, and UnknownPushResource if it was
        never made, or if it was given up so long ago that it is forgotten.
        """
        if token in self._gone:
            raise SubscriptionGone("the user agent has unsubscribed")
        if token not in self._subscriptions:
            raise UnknownPushResource("no subscription has this endpoint")
        return self._subscriptions[token]

    def knows(self, user_agent: str) -> bool:
        """Return whether this user agent has a subscription here."""
        return user_agent in self._tokens

    def display_name(self, user_agent: str) -> str:
        """Return the display name of a user agent; empty if it has no subscription here."""
        tokens = self._tokens.get(user_agent, {}).values()
        return next((self._subscriptions[token].display_name for token in tokens), "")

    def message(self, id: str, now: float) -> Message | None:
        """Return a message that waits; None if it was acknowledged, has expired or never existed."""
        message = self._messages.get(id)
        return message if message and now < message.expires_at else None

    def waiting(self, user_agent: str, now: float) -> list[Message]:
        """Return the messages that wait for a user agent, oldest first."""
        queue = self._queues.get(user_agent, {}).values()
        return [message for message in queue if now < message.expires_at]

    @property
    def room(self) -> int:
        """How many more messages may wait, of all user agents together."""
        return MAX_MESSAGES - len(self._messages)

    def counts(self) -> tuple[int, int]:
        """Return the number of subscriptions and the number of messages that wait."""
        return len(self._subscriptions), len(self._messages)

    # --- operations: each returns a Change and changes nothing itself ----------------------------

    def subscribe(self, subscription: Subscription) -> Change:
        """Add a subscription; a channel that has one with the same key keeps the one it has.

        Raises BadField if the channel has a subscription with another key, because a subscription
        is restricted to one application server for life (RFC 8292 §4). Raises TooManySubscriptions
        if the user agent has MAX_CHANNELS, or all user agents together have MAX_SUBSCRIPTIONS.
        """
        known = self.channel(subscription.user_agent, subscription.channel)
        if known is None:
            if len(self._tokens.get(subscription.user_agent, ())) >= MAX_CHANNELS:
                raise TooManySubscriptions(f"this user agent has {MAX_CHANNELS} subscriptions")
            if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
                raise TooManySubscriptions(f"{MAX_SUBSCRIPTIONS} subscriptions are kept already")
            return Change(subscribed=(subscription,))
        if known.key != subscription.key:
            raise BadField("this channel already has a subscription, made for another key")
        return Change()

    def channel(self, user_agent: str, channel: str) -> Subscription | None:
        """Return the subscription of a user agent's channel, or None if it has none."""
        token = self._tokens.get(user_agent, {}).get(channel)
        return None if token is None else self._subscriptions[token]

    def unsubscribe(self, user_agent: str, channel: str) -> Change:
        """End a subscription and drop its messages; without a subscription, change nothing."""
        known = self.channel(user_agent, channel)
        if known is None:
            return Change()
        queue = self._queues.get(user_agent, {}).values()
        dropped = tuple(message for message in queue if message.token == known.token)
        return Change(unsubscribed=(known.token,), forgotten=self._oldest_gone(1), dropped=dropped)

    def unsubscribe_all(self, prefix: str) -> Change:
        """End every subscription of the user agents whose names begin with ``prefix``."""
        named = (tokens for name, tokens in self._tokens.items() if name.startswith(prefix))
        ended = {token: None for tokens in named for token in tokens.values()}
        dropped = tuple(message for message in self._messages.values() if message.token in ended)
        return Change(
            unsubscribed=tuple(ended), forgotten=self._oldest_gone(len(ended)), dropped=dropped
        )

    def forget(self) -> Change:
        """Forget the oldest endpoints that were given up, as far as they exceed MAX_GONE."""
        return Change(forgotten=self._oldest_gone())

    def _oldest_gone(self, more: int = 0) -> tuple[str, ...]:
        """Return the tokens to forget before ``more`` further ones can be remembered."""
        return tuple(islice(self._gone, max(0, len(self._gone) + more - MAX_GONE)))

    def post(
        self,
        subscription: Subscription,
        *,
        id: str,
        body: bytes,
        ttl: int,
        urgency: str,
        topic: str | None,
        now: float,
        old: OldCoding | None = None,
    ) -> tuple[Message, Change]:
        """Make a message for a subscription of this mailbox, and the change that stores it.

        A TTL over MAX_TTL is shortened. A message with a Topic replaces the one of that Topic which
        still waits, and also its TTL and Urgency (§5.4). TTL 0 means now or never (§5.2), so such a
        message is never stored. Raises QueueFull if too many messages wait for the user agent, or
        for all user agents together. Source: RFC 8030 §5.
        """
        token = subscription.token
        ttl = min(ttl, MAX_TTL)
        number = self._last_number + 1
        message = Message(number, id, token, body, ttl, now, urgency, topic, old)
        replaced = self._topics.get((token, topic)) if topic else None
        dropped = () if replaced is None else (self._messages[replaced],)
        if ttl == 0:
            return message, Change(dropped=dropped)
        queue = self._queues.get(subscription.user_agent, {})
        if len(queue) - len(dropped) >= self.message_limit:
            raise QueueFull(f"messages that wait for this user agent: {len(queue)}")
        if self.room + len(dropped) <= 0:
            raise QueueFull(f"messages that wait for all user agents together: {MAX_MESSAGES}")
        return message, Change(stored=(message,), dropped=dropped)

    def acknowledge(self, user_agent: str, ids: Iterable[str]) -> Change:
        """Drop the messages that a user agent acknowledges (RFC 8030 §6.2).

        Ids that do not belong to a message of this user agent are ignored: it may acknowledge a
        message twice, acknowledge one that was replaced, or guess an id.
        """
        queue = self._queues.get(user_agent, {})
        return Change(dropped=tuple(queue[id] for id in dict.fromkeys(ids) if id in queue))

    def expired(self, now: float, user_agent: str | None = None) -> Change:
        """Drop the messages whose TTL is over, of one user agent or of all (RFC 8030 §5.2)."""
        queue = self._messages if user_agent is None else self._queues.get(user_agent, {})
        return Change(dropped=tuple(m for m in queue.values() if now >= m.expires_at))

    # --- the one place where the mailbox changes -------------------------------------------------

    def apply(self, change: Change) -> None:
        """Make a change, after it has been written."""
        for message in change.dropped:
            self._drop(message)
        for token in change.unsubscribed:
            self._end(token)
        for token in change.forgotten:
            del self._gone[token]
        for subscription in change.subscribed:
            self._subscriptions[subscription.token] = subscription
            channels = self._tokens.setdefault(subscription.user_agent, {})
            channels[subscription.channel] = subscription.token
        for message in change.stored:
            self._keep(message)

    def _keep(self, message: Message) -> None:
        user_agent = self._subscriptions[message.token].user_agent
        self._messages[message.id] = message
        self._queues.setdefault(user_agent, {})[message.id] = message
        if message.topic:
            self._topics[message.token, message.topic] = message.id
        self._last_number = max(self._last_number, message.number)

    def _drop(self, message: Message) -> None:
        user_agent = self._subscriptions[message.token].user_agent
        del self._messages[message.id]
        del self._queues[user_agent][message.id]
        if not self._queues[user_agent]:
            del self._queues[user_agent]
        if message.topic:
            del self._topics[message.token, message.topic]

    def _end(self, token: str) -> None:
        self._gone[token] = None
        subscription = self._subscriptions.pop(token, None)
        if subscription is not None:  # None while a database is read: it had ended before.
            channels = self._tokens[subscription.user_agent]
            del channels[subscription.channel]
            if not channels:
                del self._tokens[subscription.user_agent]
