"""The subscriptions that the application server keeps, in a database of its own.

SQLAlchemy Core, so that the table is plain to see and any database will do; by default SQLite.
Every method may be called from any thread, and each is one transaction: it happens whole, or an
error says that it did not happen at all. A transaction may have to wait, for another thread or for
another program, so an event loop asks for it in a thread.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain

from sqlalchemy import (
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

from pushlab.server import database
from pushlab.errors import (
    DatabaseLocked,
    EndpointNotAllowed,
    StoreError,
    UnableToReadDatabase,
    UnableToSaveSubscription,
    UnableToWriteDatabase,
)
from pushlab.protocol.subscription import MAX_ENDPOINT, PushSubscription

BUSY_TIMEOUT = 2.0
"""Seconds to wait for somebody else who writes to the same SQLite file."""

OWNER = "application server"

BATCH = 500
"""Rows that are read at a time. No cursor stays open while messages are sent."""

subscriptions = Table(
    "subscriptions",
    MetaData(),
    Column("number", Integer, primary_key=True),
    Column("endpoint", String(MAX_ENDPOINT), nullable=False, unique=True),
    Column("p256dh", LargeBinary(65), nullable=False),
    Column("auth", LargeBinary(16), nullable=False),
    Column("expiration_time", Double),
    Column("application_server_key", String(87), nullable=False),
    Column("who", String(100), nullable=False),
    Column("created_at", Double, nullable=False),
    # The number of somebody who has left is not given to the next: records go by it.
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True)
class StoredSubscription:
    """A subscription, and what the application server noted beside it.

    ``application_server_key``: base64url, the key that the subscription was made for; ``display_name``: a
    short name of the user agent; ``created_at``: seconds since 1970; ``number``: its row.
    """

    subscription: PushSubscription
    application_server_key: str
    display_name: str
    created_at: float
    number: int = field(default=0, compare=False)


class SubscriptionStore:
    """Open the database at an SQLAlchemy URL, and make the table if it is not there.

    ``allowed_origins`` are those that may use plain http: the lab's own push service. Raises
    UnableToReadDatabase.

    >>> store = SubscriptionStore("sqlite://")
    >>> store.count()
    0
    >>> store.close()
    """

    def __init__(
        self,
        url: str = "sqlite://",
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
        """Keep a subscription, and return whether it is new.

        The same endpoint again updates what is kept. Raises EndpointNotAllowed,
        UnableToSaveSubscription.
        """
        self.check(subscription)
        values = {
            "p256dh": subscription.p256dh,
            "auth": subscription.auth,
            "expiration_time": subscription.expiration_time,
            "application_server_key": application_server_key,
            "who": display_name,
        }
        endpoint = subscription.endpoint
        # The update comes first: it takes SQLite's lock for writing, so that nobody can come in
        # between it and the insert.
        error_class = UnableToSaveSubscription
        with self.transaction(error_class, locked=error_class) as connection:
            update = subscriptions.update().where(subscriptions.c.endpoint == endpoint)
            if connection.execute(update.values(values)).rowcount:
                return False
            values |= {"endpoint": endpoint, "created_at": self._clock()}
            connection.execute(subscriptions.insert().values(values))
            return True

    def check(self, subscription: PushSubscription) -> None:
        """Raise EndpointNotAllowed unless the endpoint is https or of an allowed origin.

        Source: RFC 8030 §8.
        """
        origin = subscription.origin
        if not origin.startswith("https://") and origin not in self._allowed_origins:
            raise EndpointNotAllowed(f"{origin} speaks plain http")

    def get(self, endpoint: str) -> StoredSubscription | None:
        """Return the subscription with this endpoint, or None. Raises UnableToReadDatabase."""
        query = select(subscriptions).where(subscriptions.c.endpoint == endpoint)
        with self.transaction(UnableToReadDatabase) as connection:
            row = connection.execute(query).one_or_none()
        return _stored(row) if row else None

    def remove(self, endpoint: str) -> bool:
        """Forget a subscription, and return whether it was known.

        Raises UnableToWriteDatabase, DatabaseLocked.
        """
        query = subscriptions.delete().where(subscriptions.c.endpoint == endpoint)
        with self.transaction(UnableToWriteDatabase) as connection:
            return connection.execute(query).rowcount > 0

    def all(self) -> Iterator[StoredSubscription]:
        """Yield every subscription, oldest first, reading some at a time."""
        return chain.from_iterable(self.batches())

    def newest(self, limit: int) -> tuple[int, list[StoredSubscription]]:
        """Return how many subscriptions are kept, and the last ``limit`` of them, oldest first.

        Only those are read, however many there are. Raises UnableToReadDatabase.
        """
        count = select(func.count()).select_from(subscriptions)
        last = select(subscriptions).order_by(subscriptions.c.number.desc()).limit(limit)
        with self.transaction(UnableToReadDatabase) as connection:
            total = connection.execute(count).scalar_one()
            rows = connection.execute(last).all()
        return total, [_stored(row) for row in reversed(rows)]

    def batches(
        self, size: int = BATCH, where: ColumnElement[bool] = true()
    ) -> Iterator["Batch"]:
        """Yield every subscription, at most ``size`` at a time, oldest first.

        ``where`` leaves some out. What is saved or removed meanwhile is seen or not seen, and nothing
        is seen twice. Raises UnableToReadDatabase.
        """
        last = 0
        while True:
            # Each list goes on from a number and not from a count, which removals would shift.
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
            yield Batch(rows)

    def count(self, where: ColumnElement[bool] = true()) -> int:
        """Return how many subscriptions are kept. Raises UnableToReadDatabase."""
        query = select(func.count()).select_from(subscriptions).where(where)
        with self.transaction(UnableToReadDatabase) as connection:
            return connection.execute(query).scalar_one()

    def close(self) -> None:
        """Wait for the transaction under way, and close the database. Twice is harmless.

        Every later call raises DatabaseClosed.
        """
        self._engine.close()

    @contextmanager
    def transaction(
        self, error: type[StoreError], locked: type[StoreError] = DatabaseLocked
    ) -> Iterator[Connection]:
        """Run one transaction; turn what the database says into ``error``, or ``locked``.

        Raises DatabaseClosed after close().
        """
        with database.translate_errors(error, OWNER, locked), self._engine.begin() as connection:
            yield connection


class Batch:
    """Rows that have been read. Each is checked, which takes longer, as it is taken."""

    def __init__(self, rows: Sequence[Row]):
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[StoredSubscription]:
        return map(_stored, self._rows)


def _stored(row: Row) -> StoredSubscription:
    number, endpoint, p256dh, auth, time, application_server_key, display_name, created_at = row
    if time is not None and time == int(time):
        time = int(time)  # as the browser wrote it
    subscription = PushSubscription(endpoint, p256dh, auth, time)
    return StoredSubscription(subscription, application_server_key, display_name, created_at, number)
