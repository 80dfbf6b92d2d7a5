"""The push service's own database: what must survive a restart, and even a kill.

It is read once, at the start, and from then on only written: the mailbox in memory answers every
question. A ``Change`` is written in one transaction, so it is there whole or not at all.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import (
    Column,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from pushlab.errors import PushlabError, UnableToReadDatabase, UnableToWriteDatabase
from pushlab.pushservice.mailbox import Change, Message, OldCoding, Subscription

BUSY_SECONDS = 1.0
"""How long a write waits for another program that has locked the file; the event loop waits too."""

_metadata = MetaData()

_subscriptions = Table(
    "subscriptions",
    _metadata,
    Column("token", String(64), primary_key=True),
    Column("user_agent", String(64), nullable=False),
    Column("channel", String(512), nullable=False),
    Column("key", LargeBinary(65)),
    Column("who", String(64), nullable=False),
)

# Endpoints whose subscription has ended: they answer 410 for ever, and never 404.
_gone = Table("gone", _metadata, Column("token", String(64), primary_key=True))

_messages = Table(
    "messages",
    _metadata,
    Column("id", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("token", String(64), nullable=False),
    Column("body", LargeBinary(4096), nullable=False),
    Column("ttl", Integer, nullable=False),
    Column("posted_at", Float, nullable=False),
    Column("urgency", String(8), nullable=False),
    Column("topic", String(32)),
)

# Of the few messages in the older coding. A table of its own, because databases of earlier days
# lack it, and a missing table is made where a missing column would not be.
_old_codings = Table(
    "old_codings",
    _metadata,
    Column("id", String(64), primary_key=True),
    Column("encryption", String(1024), nullable=False),
    Column("crypto_key", String(1024), nullable=False),
)


class Store:
    """Open a database, and make its tables if they are missing.

    ``url`` is SQLAlchemy's, such as ``sqlite:////home/me/push.sqlite3``; ``sqlite://`` lives in
    memory and is forgotten by ``close``. Raise UnableToReadDatabase.

    >>> store = Store("sqlite://")
    >>> store.write(Change(subscribed=(Subscription("token", "agent", "channel"),)))
    >>> store.read().subscribed
    (Subscription(channel='channel', key=None, who=''),)
    >>> store.close()
    """

    def __init__(self, url: str):
        with _said(UnableToReadDatabase):
            self._engine = _engine(url)
            try:
                _metadata.create_all(self._engine)
            except SQLAlchemyError:
                self._engine.dispose()
                raise

    def close(self) -> None:
        """Close the database; what was written stays."""
        self._engine.dispose()

    def read(self) -> Change:
        """Return all that is stored, as the one change that makes it. Raise UnableToReadDatabase."""
        with _said(UnableToReadDatabase), self._engine.connect() as connection:
            rows = connection.execute(select(_old_codings))
            old = {id: OldCoding(*headers) for id, *headers in rows}
            return Change(
                subscribed=tuple(
                    Subscription(**row._mapping) for row in connection.execute(select(_subscriptions))
                ),
                unsubscribed=tuple(connection.scalars(select(_gone.c.token))),
                stored=tuple(
                    Message(**row._mapping, old=old.get(row.id))
                    for row in connection.execute(select(_messages).order_by(_messages.c.number))
                ),
            )

    def write(self, change: Change) -> None:
        """Write a change, whole or not at all. Raise UnableToWriteDatabase."""
        tokens = [{"token": token} for token in change.unsubscribed]
        old = [message for message in change.stored if message.old]
        steps = (
            (_DROP_MESSAGE, [{"dropped": message.id} for message in change.dropped]),
            (_DROP_OLD, [{"dropped": message.id} for message in change.dropped if message.old]),
            (_END_SUBSCRIPTION, [{"ended": token} for token in change.unsubscribed]),
            (_gone.insert(), tokens),
            (_subscriptions.insert(), [_row(s, _subscriptions) for s in change.subscribed]),
            (_messages.insert(), [_row(m, _messages) for m in change.stored]),
            (_old_codings.insert(), [{"id": m.id} | m.old._asdict() for m in old]),
        )
        with _said(UnableToWriteDatabase), self._engine.begin() as connection:
            for statement, rows in steps:
                if rows:
                    connection.execute(statement, rows)


_DROP_MESSAGE = _messages.delete().where(_messages.c.id == bindparam("dropped"))
_DROP_OLD = _old_codings.delete().where(_old_codings.c.id == bindparam("dropped"))
_END_SUBSCRIPTION = _subscriptions.delete().where(_subscriptions.c.token == bindparam("ended"))


def _row(value: Subscription | Message, table: Table) -> dict:
    return {column.name: getattr(value, column.name) for column in table.columns}


def _engine(url: str) -> Engine:
    # Parameters are endpoints and messages, and an exception may be shown: hide them.
    engine = create_engine(url, hide_parameters=True)
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        if address.database not in (None, "", ":memory:") and not address.query:
            _make_private(address.database)
        event.listen(engine, "connect", _tune_sqlite)
    return engine


def _make_private(path: str) -> None:
    """Make an empty database file that its owner alone can read: it will hold endpoints."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as reason:
        raise UnableToReadDatabase(f"unable to open {path}: {reason.strerror}") from None


def _tune_sqlite(connection, _record) -> None:
    # With a write-ahead log a commit is one append. NORMAL leaves out the wait for the disk: a
    # process that is killed loses nothing, since the system has the bytes; only a machine that
    # loses its power may forget the last commits, and stays whole even so.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


@contextmanager
def _said(leaf: type[PushlabError]) -> Iterator[None]:
    """Turn SQLAlchemy's errors into our own, which say what the database said."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__)
        raise leaf(f"the push service's database says: {reason}") from error
