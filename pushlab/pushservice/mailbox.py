"""The rules of a push service's mailbox: who subscribed, which messages wait, and for how long.

Nothing here reads a clock, draws a random number, opens a socket or writes a file. An operation
looks at the mailbox and returns the ``Change`` that it asks for; the mailbox itself moves only in
``apply``. So a caller can write the change to its database first:

    change = mailbox.acknowledge(…)     # decide
    store.write(change)                 # remember: if this fails, nothing has happened
    mailbox.apply(change)               # believe

and a restart is ``mailbox.apply(store.read())``, since a whole database is one large change.

A user agent is known by its subscriptions and by nothing else. One without any leaves no trace.

An endpoint that was given up is remembered, so that it can be answered 410. Of those only the last
MAX_GONE are: an older one is forgotten, and is answered 404 like one that was never made.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
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
    application server's public key, or None if anyone may send (RFC 8292 §4); ``display_name`` the name that
    people see, in the journal for one.

    >>> Subscription("secret", "also secret", "channel 1", display_name="Firefox")
    Subscription(channel='channel 1', key=None, display_name='Firefox')
    """

    token: str = field(repr=False)
    user_agent: str = field(repr=False)
    channel: str
    key: bytes | None = None
    display_name: str = ""


class OldCoding(NamedTuple):
    """What a body in aesgcm, the coding before RFC 8291, has outside it: two headers."""

    encryption: str
    crypto_key: str


@dataclass(frozen=True, slots=True)
class Message:
    """A push message resource: it waits here until acknowledged or expired (RFC 8030 §5).

    ``number`` orders the messages; ``id`` is the secret end of the resource's URL; ``token`` names
    the subscription; ``body`` is what was posted; ``ttl`` and ``posted_at`` are seconds; ``old`` is
    there if the body is not in the coding aes128gcm.

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
        """What a user agent must know to decrypt the body, by autopush's names."""
        if self.old is None:
            return {"encoding": "aes128gcm"}
        return {"encoding": "aesgcm"} | self.old._asdict()

    @property
    def expires_at(self) -> float:
        """The first moment, in seconds since 1970, at which it must no longer be delivered."""
        return self.posted_at + self.ttl


@dataclass(frozen=True, slots=True)
class Change:
    """What an operation asks to be written, all of it or nothing.

    ``unsubscribed`` holds tokens, which are remembered as gone; ``forgotten`` holds tokens that were
    gone, and are remembered no longer. A change that asks for nothing is false.
    """

    subscribed: tuple[Subscription, ...] = ()
    unsubscribed: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    stored: tuple[Message, ...] = ()
    dropped: tuple[Message, ...] = ()

    def __bool__(self) -> bool:
        ended = self.unsubscribed or self.forgotten
        return bool(self.subscribed or ended or self.stored or self.dropped)


class Mailbox:
    """Hold the subscriptions and the messages that wait.

    ``message_limit`` is the number of messages that may wait for one user agent.

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
        # Tokens, the first that was given up first. A dict would pass over the places of all that
        # were taken from its front, each time it is asked for the first that is left.
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._messages: dict[str, Message] = {}
        self._queues: dict[str, dict[str, Message]] = {}  # user agent → id → message, in order
        self._topics: dict[tuple[str, str], str] = {}  # token, topic → message id
        self._last_number = 0

    # --- questions -------------------------------------------------------------------------------

    def subscription(self, token: str) -> Subscription:
        """Return the subscription of an endpoint.

        Raises SubscriptionGone if the user agent has given it up, and UnknownPushResource if it was
        never made, or was given up so long ago that it is forgotten.
        """
        if token in self._gone:
            raise SubscriptionGone("the user agent has unsubscribed")
        if token not in self._subscriptions:
            raise UnknownPushResource("no subscription has this endpoint")
        return self._subscriptions[token]

    def knows(self, user_agent: str) -> bool:
        """Say whether this user agent has a subscription here."""
        return user_agent in self._tokens

    def display_name(self, user_agent: str) -> str:
        """Return the name for people of a user agent; empty if it has no subscription here."""
        tokens = self._tokens.get(user_agent, {}).values()
        return next((self._subscriptions[token].display_name for token in tokens), "")

    def message(self, id: str, now: float) -> Message | None:
        """Return a message that waits, or None if it is acknowledged, expired or never was."""
        message = self._messages.get(id)
        return message if message and now < message.expires_at else None

    def waiting(self, user_agent: str, now: float) -> list[Message]:
        """Return what has to be delivered to a user agent that has just connected, oldest first."""
        queue = self._queues.get(user_agent, {}).values()
        return [message for message in queue if now < message.expires_at]

    def counts(self) -> tuple[int, int]:
        """Return the number of subscriptions and the number of messages that wait."""
        return len(self._subscriptions), len(self._messages)

    # --- operations: each returns a Change and moves nothing -------------------------------------

    def subscribe(self, subscription: Subscription) -> Change:
        """Add a subscription; a channel that has one with the same key keeps the one it has.

        Raise BadField if the channel has a subscription with another key: one subscription belongs
        to one application server for life (RFC 8292 §4). Raise TooManySubscriptions if the user
        agent has MAX_CHANNELS, or all have MAX_SUBSCRIPTIONS.
        """
        known = self.channel(subscription.user_agent, subscription.channel)
        if known is None:
            if len(self._tokens.get(subscription.user_agent, ())) >= MAX_CHANNELS:
                raise TooManySubscriptions(f"this user agent has {MAX_CHANNELS} subscriptions")
            if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
                raise TooManySubscriptions(f"{MAX_SUBSCRIPTIONS} subscriptions are kept already")
            return Change(subscribed=(subscription,))
        if known.key != subscription.key:
            raise BadField("this channel has a subscription already, made for another key")
        return Change()

    def channel(self, user_agent: str, channel: str) -> Subscription | None:
        """Return the subscription that a user agent calls by this name, if there is one."""
        token = self._tokens.get(user_agent, {}).get(channel)
        return None if token is None else self._subscriptions[token]

    def unsubscribe(self, user_agent: str, channel: str) -> Change:
        """End a subscription and drop its messages; one that is not there needs no change."""
        known = self.channel(user_agent, channel)
        if known is None:
            return Change()
        queue = self._queues.get(user_agent, {}).values()
        dropped = tuple(message for message in queue if message.token == known.token)
        return Change(
            unsubscribed=(known.token,), forgotten=self._oldest_gone(1), dropped=dropped
        )

    def forget(self) -> Change:
        """Forget the oldest endpoints that were given up, if there are more than MAX_GONE."""
        return Change(forgotten=self._oldest_gone())

    def _oldest_gone(self, more: int = 0) -> tuple[str, ...]:
        """Return what has to be forgotten before ``more`` can be remembered."""
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
            raise QueueFull(f"{len(queue)} messages wait for this user agent")
        if len(self._messages) - len(dropped) >= MAX_MESSAGES:
            raise QueueFull(f"{MAX_MESSAGES} messages wait for all user agents together")
        return message, Change(stored=(message,), dropped=dropped)

    def acknowledge(self, user_agent: str, ids: Iterable[str]) -> Change:
        """Drop what a user agent says it has had (RFC 8030 §6.2).

        Ids that are not of its own messages are passed over: a message may be acknowledged twice,
        after it was replaced, or by somebody who guesses.
        """
        queue = self._queues.get(user_agent, {})
        return Change(dropped=tuple(queue[id] for id in dict.fromkeys(ids) if id in queue))

    def expired(self, now: float, user_agent: str | None = None) -> Change:
        """Drop what has outlived its TTL, of one user agent or of all (RFC 8030 §5.2)."""
        queue = self._messages if user_agent is None else self._queues.get(user_agent, {})
        return Change(dropped=tuple(m for m in queue.values() if now >= m.expires_at))

    # --- the one place where the mailbox moves ---------------------------------------------------

    def apply(self, change: Change) -> None:
        """Believe a change that has been written."""
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
        if subscription is not None:  # None while a database is read: it was gone before.
            channels = self._tokens[subscription.user_agent]
            del channels[subscription.channel]
            if not channels:
                del self._tokens[subscription.user_agent]
