"""The subscriptions that the application server keeps, in a database of its own.

It uses SQLAlchemy Core: the table is plain to see, and any database works; the default is SQLite.
Every method may be called from any thread, and each is one transaction. It happens completely, or an
error says that it did not happen at all. A transaction may have to wait for another thread or
another program, so an event loop runs it in a thread.

A row may hold what no PushSubscription has: an older version stored it, or another program did. Such
a row is left out, and whoever reads the batches may be told of it. Nobody else's message depends on it.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from urllib.parse import urlsplit

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    func,
    select,
    true,
)

from pushlab.errors import (
    EndpointNotAllowed,
    NotASubscription,
    PushlabError,
    StoreError,
    UnableToReadDatabase,
    UnableToSaveSubscription,
    UnableToWriteDatabase,
)
from pushlab.protocol.reserved_names import is_removed
from pushlab.protocol.subscription import MAX_ENDPOINT, PushSubscription
from pushlab.server import database

BUSY_TIMEOUT = 2.0
"""Seconds to wait for another program that writes to the same SQLite file."""

OWNER = "application server"

BATCH = 500
"""Rows that are read at a time, so that no cursor stays open while messages are sent."""

subscriptions = Table(
    "subscriptions",
    MetaData(),
    Column("number", Integer, primary_key=True),
    Column("endpoint", String(MAX_ENDPOINT), nullable=False, unique=True),
    # Both are empty in a subscription without keys: the columns of older labs allow no NULL.
    Column("p256dh", LargeBinary(65), nullable=False),
    Column("auth", LargeBinary(16), nullable=False),
    Column("expiration_time", Double),
    Column("application_server_key", String(87), nullable=False),
    Column("who", String(100), nullable=False),
    Column("created_at", Double, nullable=False),
    # The number of a removed row is not used again: the records of a notify-all refer to it.
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True)
class StoredSubscription:
    """A subscription, and what the application server stores with it.

    ``application_server_key``: base64url, the key that the subscription was made for;
    ``display_name``: the user agent's name for people; ``created_at``: seconds since 1970;
    ``number``: of its row.
    """

    subscription: PushSubscription
    application_server_key: str
    display_name: str
    created_at: float
    number: int = field(default=0, compare=False)


class SubscriptionStore:
    """Open the database at an SQLAlchemy URL, and make the table if it is missing.

    ``allowed_origins``: origins that may use plain http, such as the lab's own push service;
    ``clock``: returns seconds since 1970. Raises BadDatabaseUrl, DatabaseDriverMissing,
    UnableToReadDatabase.

    >>> store = SubscriptionStore("sqlite://")
    >>> store.count()
    0
    >>> store.close()
    """

    def __init__(
        self,
        url: str | URL = "sqlite://",
        allowed_origins: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ):
        self._allowed_origins = frozenset(allowed_origins)
        self._clock = clock
        self._engine = database.connect(url, OWNER, busy_timeout=BUSY_TIMEOUT)
        try:
            with self.transaction(UnableToReadDatabase) as connection:
                database.make_tables(connection, [subscriptions], OWNER)
        except StoreError:
            self.close()
            raise

    def save(
        self, subscription: PushSubscription, application_server_key: str, display_name: str = ""
    ) -> bool:
        """Store a subscription, and return whether it is new.

        A subscription with the same endpoint is updated. ``application_server_key``: base64url, the
        key that it was made for; ``display_name``: the user agent's name for people. Raises
        EndpointNotAllowed, UnableToSaveSubscription, DatabaseLocked.
        """
        self.check(subscription)
        values = {
            "p256dh": subscription.p256dh or b"",
            "auth": subscription.auth or b"",
            "expiration_time": subscription.expiration_time,
            "application_server_key": application_server_key,
            "who": display_name,
        }
        endpoint = subscription.endpoint
        # The update comes first: it takes SQLite's lock for writing, so no other program can write
        # between it and the insert.
        with self.transaction(UnableToSaveSubscription) as connection:
            update = subscriptions.update().where(subscriptions.c.endpoint == endpoint)
            if connection.execute(update.values(values)).rowcount:
                return False
            values |= {"endpoint": endpoint, "created_at": self._clock()}
            connection.execute(subscriptions.insert().values(values))
            return True

    def check(self, subscription: PushSubscription) -> None:
        """Raise EndpointNotAllowed unless the endpoint is https or of an allowed origin.

        Nor may its name be one that never resolves. Source: RFC 8030 §8, RFC 6761 §6.4.
        """
        origin = subscription.origin
        if is_removed(urlsplit(origin).hostname or ""):
            raise EndpointNotAllowed(
                f"{origin} never resolves: the browser has removed this subscription",
                hint="Call unsubscribe() and subscribe() again on the page",
            )
        if not origin.startswith("https://") and origin not in self._allowed_origins:
            raise EndpointNotAllowed(f"{origin} speaks plain http")

    def get(self, endpoint: str) -> StoredSubscription | None:
        """Return the subscription with this endpoint, or None. Raises UnableToReadDatabase."""
        query = select(subscriptions).where(subscriptions.c.endpoint == endpoint)
        with self.transaction(UnableToReadDatabase) as connection:
            rows = connection.execute(query).all()
        return next(iter(Batch(rows)), None)

    def remove(self, endpoint: str) -> bool:
        """Delete the subscription with this endpoint, and return whether there was one.

        Raises UnableToWriteDatabase, DatabaseLocked.
        """
        query = subscriptions.delete().where(subscriptions.c.endpoint == endpoint)
        with self.transaction(UnableToWriteDatabase) as connection:
            return connection.execute(query).rowcount > 0

    def all(self) -> Iterator[StoredSubscription]:
        """Yield every subscription, oldest first, reading in batches. Raises UnableToReadDatabase."""
        return chain.from_iterable(self.batches())

    def newest(self, limit: int) -> tuple[int, list[StoredSubscription]]:
        """Return how many subscriptions are stored, and the last ``limit`` of them, oldest first.

        No other row is read. Raises UnableToReadDatabase.
        """
        count = select(func.count()).select_from(subscriptions)
        last = select(subscriptions).order_by(subscriptions.c.number.desc()).limit(limit)
        with self.transaction(UnableToReadDatabase) as connection:
            total = connection.execute(count).scalar_one()
            rows = connection.execute(last).all()
        return total, list(Batch(list(reversed(rows))))

    def batches(
        self,
        size: int = BATCH,
        where: ColumnElement[bool] = true(),
        unreadable: Callable[[int, PushlabError], None] = lambda number, error: None,
    ) -> Iterator["Batch"]:
        """Yield every subscription, at most ``size`` at a time, oldest first.

        ``where``: a condition that each must meet. ``unreadable(number, error)`` is called for a row
        that is none, while its batch is iterated. One that is saved or removed meanwhile may be
        yielded or not, and none is yielded twice. Raises UnableToReadDatabase.
        """
        last = 0
        while True:
            # Each batch begins after a number and not at an offset, which removals would shift.
            query = (
                select(subscriptions)
                .where(subscriptions.c.number > last, where)
                .order_by(subscriptions.c.number)
                .limit(size)
            )
            with self.transaction(UnableToReadDatabase) as connection:
                rows = connection.execute(query).all()
            if not rows:
                return
            last = rows[-1].number
            yield Batch(rows, unreadable)

    def count(self, where: ColumnElement[bool] = true()) -> int:
        """Return how many subscriptions meet a condition. Raises UnableToReadDatabase."""
        query = select(func.count()).select_from(subscriptions).where(where)
        with self.transaction(UnableToReadDatabase) as connection:
            return connection.execute(query).scalar_one()

    def numbers_after(
        self, last: int, size: int, where: ColumnElement[bool] = true()
    ) -> tuple[int, int] | None:
        """Return the first and the last number of the next ``size`` subscriptions, or None at the end.

        ``last``: the number after which they begin; ``where``: a condition that each must meet. Raises
        UnableToReadDatabase.
        """
        number = subscriptions.c.number
        some = select(number).where(number > last, where).order_by(number).limit(size).subquery()
        with self.transaction(UnableToReadDatabase) as connection:
            first, final = connection.execute(select(func.min(some.c[0]), func.max(some.c[0]))).one()
        return None if first is None else (first, final)

    def close(self) -> None:
        """Wait for the transaction under way, and close the database. A second call does nothing.

        Every later call raises DatabaseClosed.
        """
        self._engine.close()

    @contextmanager
    def transaction(self, error: type[StoreError]) -> Iterator[Connection]:
        """Run one transaction. Raises DatabaseClosed after close().

        A fault of the database becomes ``error``, or DatabaseLocked if another program holds it.
        """
        with database.translate_errors(error, OWNER), self._engine.begin() as connection:
            yield connection


class Batch:
    """Rows that have been read. Each becomes a subscription, which takes longer, when it is needed."""

    def __init__(
        self,
        rows: Sequence[Row],
        unreadable: Callable[[int, PushlabError], None] = lambda number, error: None,
    ):
        self._rows, self._unreadable = rows, unreadable

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[StoredSubscription]:
        for row in self._rows:
            try:
                stored = _stored(row)
            except PushlabError as error:
                self._unreadable(row.number, error)
            except (TypeError, ValueError, OverflowError, AttributeError):
                # SQLite keeps a value of any type in any column.
                self._unreadable(row.number, NotASubscription("its row holds values of another type"))
            else:
                yield stored


def _stored(row: Row) -> StoredSubscription:
    number, endpoint, p256dh, auth, expires, application_server_key, display_name, created_at = row
    # Neither decides where a message goes, so nobody misses one because of them.
    display_name = display_name if isinstance(display_name, str) else ""
    created_at = created_at if isinstance(created_at, float) else 0.0
    if expires is not None and expires == int(expires):
        expires = int(expires)  # as the browser wrote it
    subscription = PushSubscription(endpoint, p256dh or None, auth or None, expires)
    return StoredSubscription(subscription, application_server_key, display_name, created_at, number)
