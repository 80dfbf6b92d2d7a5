"""The subscriptions that the application server keeps, in a database of its own.

It uses SQLAlchemy Core: the table is plain to see. The default is SQLite; several servers, on one
machine or on many, share a database in PostgreSQL.

Every method may be called from any thread, and each is one transaction. It happens completely, or an
error says that it did not happen at all. A transaction may have to wait for another thread or
another program, so an event loop runs it in a thread.

A row may hold what no PushSubscription has: an older version stored it, or another program did. Such
a row is left out, and whoever reads the batches may be told of it. Nobody else's message depends on it.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
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
    Select,
    String,
    Table,
    false,
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
from pushlab.server.database import Result
from pushlab.server.tables import insert_or_ignore, make_tables
from pushlab.settings import patience

BUSY_TIMEOUT = 2.0
"""Seconds (times PUSHLAB_PATIENCE) to wait for another program that writes to the same file, or holds a
lock in PostgreSQL."""

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
        self._engine = database.connect(url, OWNER, busy_timeout=patience(BUSY_TIMEOUT))
        try:
            self.make_tables([subscriptions])
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
        update = subscriptions.update().where(_has(endpoint)).values(values)
        new = values | {"endpoint": endpoint, "created_at": self._clock()}
        insert = insert_or_ignore(self._engine.dialect, subscriptions).values(new)

        def update_or_insert(connection: Connection) -> bool:
            # The update comes first: it takes SQLite's lock for writing, so no other program can write
            # between it and the insert. In PostgreSQL another server can, and then this one updates.
            while not connection.execute(update).rowcount:
                if connection.execute(insert).rowcount:
                    return True
            return False

        return self.run(update_or_insert, UnableToSaveSubscription)

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
        query = select(subscriptions).where(_has(endpoint))
        return next(iter(Batch(self._rows(query))), None)

    def remove(self, endpoint: str) -> bool:
        """Delete the subscription with this endpoint, and return whether there was one.

        Raises UnableToWriteDatabase, DatabaseLocked.
        """
        query = subscriptions.delete().where(_has(endpoint))
        return self.run(lambda connection: connection.execute(query).rowcount, UnableToWriteDatabase) > 0

    def all(self) -> Iterator[StoredSubscription]:
        """Yield every subscription, oldest first, reading in batches. Raises UnableToReadDatabase."""
        return chain.from_iterable(self.batches())

    def newest(
        self, limit: int, where: ColumnElement[bool] = true()
    ) -> tuple[int, list[StoredSubscription]]:
        """Return how many subscriptions are stored, and the last ``limit`` of them, oldest first.

        ``where``: a condition that each of the last ones must meet. Without it no other row is read.
        Raises UnableToReadDatabase.
        """
        count = select(func.count()).select_from(subscriptions)
        last = select(subscriptions).where(where).order_by(subscriptions.c.number.desc()).limit(limit)
        total, rows = self.run(
            lambda connection: (connection.execute(count).scalar_one(), connection.execute(last).all()),
            UnableToReadDatabase,
        )
        return total, list(Batch(rows[::-1]))

    def batches(
        self,
        size: int = BATCH,
        where: ColumnElement[bool] = true(),
        unreadable: Callable[[int, PushlabError], None] = lambda number, error: None,
    ) -> "Batches":
        """Give every subscription, at most ``size`` at a time, oldest first.

        ``where``: a condition that each must meet. ``unreadable(number, error)`` is called for a row
        that is none, while its batch is iterated. One that is saved or removed meanwhile may be
        yielded or not, and none is yielded twice. ``next()`` raises UnableToReadDatabase.
        """
        return Batches(self._rows, size, where, unreadable)

    def count(self, where: ColumnElement[bool] = true()) -> int:
        """Return how many subscriptions meet a condition. Raises UnableToReadDatabase."""
        query = select(func.count()).select_from(subscriptions).where(where)
        return self.run(lambda connection: connection.execute(query).scalar_one(), UnableToReadDatabase)

    def numbers_after(
        self, last: int, size: int, where: ColumnElement[bool] = true()
    ) -> tuple[int, int] | None:
        """Return the first and the last number of the next ``size`` subscriptions, or None at the end.

        ``last``: the number after which they begin; ``where``: a condition that each must meet. Raises
        UnableToReadDatabase.
        """
        number = subscriptions.c.number
        some = select(number).where(number > last, where).order_by(number).limit(size).subquery()
        [(first, final)] = self._rows(select(func.min(some.c[0]), func.max(some.c[0])))
        return None if first is None else (first, final)

    def close(self) -> None:
        """Wait for the transaction under way, and close the database. A second call does nothing.

        Every later call raises DatabaseClosed.
        """
        self._engine.close()

    def run(self, work: Callable[[Connection], Result], error: type[StoreError]) -> Result:
        """Run ``work(connection)`` as one transaction, and return its result.

        A fault of the database becomes ``error``, or one that says it better (see
        ``database_errors``). Raises DatabaseClosed after close().
        """
        return self._engine.run(work, error)

    def make_tables(self, tables: Collection[Table]) -> None:
        """Make the tables that are missing. Raises UnableToReadDatabase."""
        self.run(lambda connection: make_tables(connection, tables, OWNER), UnableToReadDatabase)

    def _rows(self, query: Select) -> Sequence[Row]:
        return self.run(lambda connection: connection.execute(query).all(), UnableToReadDatabase)


class Batches:
    """The rows of a table in batches, each read when it is asked for.

    If a read fails, the next call tries it again: nothing is left out.
    """

    def __init__(
        self,
        read: Callable[[Select], Sequence[Row]],
        size: int,
        where: ColumnElement[bool],
        unreadable: Callable[[int, PushlabError], None],
    ):
        self._read, self._size, self._where, self._unreadable = read, size, where, unreadable
        self._last = 0

    def __iter__(self) -> Iterator["Batch"]:
        return self

    def __next__(self) -> "Batch":
        # Each batch begins after a number and not at an offset, which removals would shift.
        number = subscriptions.c.number
        after = select(subscriptions).where(number > self._last, self._where).order_by(number)
        rows = self._read(after.limit(self._size))
        if not rows:
            raise StopIteration
        self._last = rows[-1].number
        return Batch(rows, self._unreadable)


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


def _has(endpoint: str) -> ColumnElement[bool]:
    # PostgreSQL refuses a text with a NUL, and no endpoint has one.
    return false() if "\0" in endpoint else subscriptions.c.endpoint == endpoint


def _stored(row: Row) -> StoredSubscription:
    number, endpoint, p256dh, auth, expires, application_server_key, display_name, created_at = row
    # Neither decides where a message goes, so nobody misses one because of them.
    display_name = display_name if isinstance(display_name, str) else ""
    created_at = created_at if isinstance(created_at, float) else 0.0
    if expires is not None and expires == int(expires):
        expires = int(expires)  # as the browser wrote it
    subscription = PushSubscription(endpoint, p256dh or None, auth or None, expires)
    return StoredSubscription(subscription, application_server_key, display_name, created_at, number)
