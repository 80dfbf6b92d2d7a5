"""What the application server tells its workers: with what to send, what to send, and to whom."""

from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import URL, ColumnElement, true

from pushlab.appserver.broadcast.cluster.options import Cluster, Processes, check_installed, is_here
from pushlab.appserver.broadcast.runs import Runs, never_sent, not_accepted, not_recorded
from pushlab.appserver.delivery.clients import ClientName, push_client
from pushlab.appserver.delivery.egress import ConnectOverride
from pushlab.appserver.delivery.sender import Sender
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import OWNER, SubscriptionStore, subscriptions
from pushlab.errors import DatabaseNotShared
from pushlab.protocol import p256
from pushlab.protocol.delivery import PushOptions
from pushlab.server.database_url import checked_url, file_of

RANGE = 1000
"""Subscribers of one task at most: some tenths of a second of work."""

SMALLEST_RANGE = 50
"""Subscribers of one task at least, where there are so few that each process would get one range."""


SILENCE = 10.0
"""Seconds without a word from the application server after which a worker ends what it does (times
PUSHLAB_PATIENCE)."""


@dataclass(frozen=True)
class Equipment:
    """What a process needs to send: keys, database, client. It can be pickled, and shows no secret.

    ``private``: the VAPID private key, 32 bytes; ``database``: SQLAlchemy's URL, which may have a
    password; ``allowed_origins``, ``overrides``: see ``push_client``.
    """

    private: bytes = field(repr=False)
    subject: str
    database: str = field(repr=False)
    allowed_origins: tuple[str, ...] = ()
    overrides: tuple[ConnectOverride, ...] = field(default=(), repr=False)
    client: ClientName = "pushlab"

    @classmethod
    def of(cls, keys: VapidKeys, database: str, **more) -> "Equipment":
        """Return the equipment that has these keys."""
        return cls(p256.raw_private(keys.private_key), keys.subject, database, **more)

    def open(self) -> tuple[SubscriptionStore, Sender]:
        """Open the database, and make a sender. Raises StoreError."""
        keys = VapidKeys.from_raw(self.private, subject=self.subject)
        store = SubscriptionStore(self.database, self.allowed_origins)
        client = push_client(self.client, keys, self.allowed_origins, self.overrides)
        return store, Sender(keys, store, client, lab_origins=self.allowed_origins)


@dataclass(frozen=True)
class Order:
    """One message to all. ``payload``: plaintext or None; ``resumed``: some have got it already."""

    run: int
    payload: bytes | None = field(repr=False)
    options: PushOptions
    resumed: bool = False


def shared_database(url: str | URL, where: Processes | Cluster) -> str:
    """Return the URL of a database that these workers can open too.

    Raises ScaleMissing, DatabaseNotShared, BadDatabaseUrl.

    >>> shared_database("sqlite:////lab/appserver.sqlite3", 2)
    'sqlite:////lab/appserver.sqlite3'
    """
    check_installed()
    address = checked_url(url, OWNER)
    if address.get_backend_name() == "sqlite":
        if file_of(address, OWNER) is None:
            raise DatabaseNotShared("the subscriptions are in the memory of this process")
        if isinstance(where, Cluster) and not is_here(where.address):
            raise DatabaseNotShared("the subscriptions are in a file of this machine")
    return address.render_as_string(hide_password=False)


class Range(NamedTuple):
    """Some subscribers: those with numbers from ``first`` to ``last``, or only some of these.

    ``numbers``: if there are any, only those.
    """

    first: int
    last: int
    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"subscribers {self.first} to {self.last}"

    def condition(self, order: Order) -> ColumnElement[bool]:
        """Return the condition for those of the range that the message has still to be sent to."""
        column = subscriptions.c.number
        if self.numbers:
            return column.in_(self.numbers) & not_accepted(order.run)
        left = never_sent(order.run) if order.resumed else not_recorded(order.run)
        return column.between(self.first, self.last) & left


def range_size(total: int, threads: int) -> int:
    """Return how many subscribers to send to in one task.

    >>> range_size(1_000_000, threads=4), range_size(2000, threads=4)
    (1000, 125)
    """
    return min(RANGE, max(SMALLEST_RANGE, total // (4 * threads)))


class Ranges:
    """Those who have still to get a message, cut into ranges of ``size``.

    Those to whom nothing was sent come first. The others were refused before a resume, and may be so
    again; nobody is to wait behind them twice. Raises UnableToReadDatabase.
    """

    def __init__(self, store: SubscriptionStore, runs: Runs, order: Order, size: int):
        self._store, self._size = store, size
        # At the beginning nobody has a record, so none is looked up.
        self._left = never_sent(order.run) if order.resumed else true()
        self._tried = sorted(runs.tried_in_vain(order.run)) if order.resumed else []
        self._last = 0
        self._all_begun = False

    def next(self) -> Range | None:
        """Read where the next one ends, or return None at the end.

        If it fails it can be called again. Raises UnableToReadDatabase.
        """
        if not self._all_begun:
            if found := self._store.numbers_after(self._last, self._size, self._left):
                self._last = found[1]
                return Range(*found)
            self._all_begun = True
        numbers, self._tried = self._tried[: self._size], self._tried[self._size :]
        return Range(numbers[0], numbers[-1], tuple(numbers)) if numbers else None
