"""The push service's database: the subscriptions and messages that must survive a restart or a kill.

It is read once, at the start; afterwards it is only written, because the mailbox in memory answers
every question. A ``Change`` is written in one transaction, so all of it is written or nothing.

What was written survives the end of the process, however it ends. But a commit does not wait for
the disk, because the event loop would wait too, twice for each message and some milliseconds each
time. So a power cut may lose the messages that were answered 201 in the last seconds before it.
"""

from sqlalchemy import (
    URL,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Select,
    String,
    Table,
    bindparam,
    literal_column,
    select,
)

from pushlab.errors import StoreError, UnableToReadDatabase, UnableToWriteDatabase
from pushlab.pushservice.mailbox import Change, Message, OldCoding, Subscription
from pushlab.server import database
from pushlab.server.database_errors import translate_errors
from pushlab.server.tables import make_tables

BUSY_SECONDS = 1.0
"""How long a write waits for another program that has locked the file; the event loop waits too."""

MAX_NUMBER = 2**62
"""A message's number is below this: the next ones must fit into SQLite's 64 bits."""

_metadata = MetaData()

_subscriptions = Table(
    "subscriptions",
    _metadata,
    Column("token", String(64), primary_key=True),
    Column("user_agent", String(64), nullable=False),
    Column("channel", String(512), nullable=False),
    Column("key", LargeBinary(65)),
    Column("who", String(64), key="display_name", nullable=False),
)

# Endpoints whose subscription has ended. They are answered 410, not 404, while the mailbox
# remembers them.
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

# The headers of the few messages in the older coding. They have a table of their own because
# databases of earlier versions lack them: a missing table is made, but not a missing column.
_old_codings = Table(
    "old_codings",
    _metadata,
    Column("id", String(64), primary_key=True),
    Column("encryption", String(1024), nullable=False),
    Column("crypto_key", String(1024), nullable=False),
)

# Values that are no part of the mailbox, and must survive a restart too.
_kept = Table(
    "kept",
    _metadata,
    Column("name", String(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

OWNER = "push service"


class Store:
    """Open a database, and make the tables that are missing.

    ``url`` is SQLAlchemy's, such as ``sqlite:////home/me/push.sqlite3``; ``sqlite://`` is a database
    in memory, which ``close`` deletes. Raises UnableToReadDatabase, DatabaseLocked.

    >>> store = Store("sqlite://")
    >>> store.write(Change(subscribed=(Subscription("token", "agent", "channel"),)))
    >>> store.read().subscribed
    (Subscription(channel='channel', key=None, display_name=''),)
    >>> store.close()
    """

    def __init__(self, url: str | URL):
        self._engine = database.connect(url, OWNER, busy_timeout=BUSY_SECONDS, durable=False)
        try:
            with (
                translate_errors(UnableToReadDatabase, OWNER),
                self._engine.begin() as connection,
            ):
                make_tables(connection, _metadata.sorted_tables, OWNER)
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Close the database. What was written stays; every later call raises DatabaseClosed."""
        self._engine.close()

    def read(self) -> Change:
        """Return all that is stored, as one change. Raises UnableToReadDatabase.

        A row that another program has spoiled is left out. All others are served as before.
        """
        with (
            translate_errors(UnableToReadDatabase, OWNER),
            self._engine.connect() as connection,
        ):
            rows = connection.execute(select(_old_codings))
            old = {id: OldCoding(*headers) for id, *headers in rows}
            subscribed = tuple(
                Subscription(**dict(zip(_subscriptions.columns.keys(), row, strict=True)))
                for row in connection.execute(select(_subscriptions))
                if _is_sound(row, _subscriptions)
            )
            unsubscribed = tuple(connection.scalars(self._gone_in_order()))
            stored = tuple(
                Message(**row._mapping, old=old.get(row.id))
                for row in connection.execute(select(_messages).order_by(_messages.c.number))
                if _is_sound(row, _messages) and row.number < MAX_NUMBER
            )
            return Change(subscribed=subscribed, unsubscribed=unsubscribed, stored=stored)

    def _gone_in_order(self) -> Select:
        # The mailbox forgets the oldest first. The table holds no time, but SQLite numbers the rows
        # of a table in the order in which they were inserted. Other databases know no such order.
        sqlite = self._engine.dialect.name == "sqlite"
        query = select(_gone.c.token)
        return query.order_by(literal_column("rowid")) if sqlite else query

    def write(self, change: Change) -> None:
        """Write all of a change or nothing. Raises UnableToWriteDatabase, DatabaseLocked."""
        tokens = [{"token": token} for token in change.unsubscribed]
        steps = (
            (_DROP_MESSAGE, [{"dropped": message.id} for message in change.dropped]),
            (_DROP_OLD, [{"dropped": message.id} for message in change.dropped if message.old]),
            (_END_SUBSCRIPTION, [{"ended": token} for token in change.unsubscribed]),
            (_KEEP_GONE, tokens),
            (_FORGET, [{"forgotten": token} for token in change.forgotten]),
            (_KEEP_SUBSCRIPTION, [_row(s, _subscriptions) for s in change.subscribed]),
            (_KEEP_MESSAGE, [_row(m, _messages) for m in change.stored]),
            (_KEEP_OLD, [{"id": m.id} | m.old._asdict() for m in change.stored if m.old]),
        )
        with translate_errors(UnableToWriteDatabase, OWNER), self._engine.begin() as connection:
            for statement, rows in steps:
                if rows:
                    connection.execute(statement, rows)

    def kept(self, name: str) -> bytes | None:
        """Return the value that is kept under a name, or None. Raises UnableToReadDatabase."""
        query = select(_kept.c.value).where(_kept.c.name == name)
        with (
            translate_errors(UnableToReadDatabase, OWNER),
            self._engine.connect() as connection,
        ):
            return connection.execute(query).scalar_one_or_none()

    def keep(self, name: str, value: bytes) -> None:
        """Keep a value under a name, in place of an earlier one.

        Raises UnableToWriteDatabase, DatabaseLocked.
        """
        with translate_errors(UnableToWriteDatabase, OWNER), self._engine.begin() as connection:
            connection.execute(_kept.delete().where(_kept.c.name == name))
            connection.execute(_kept.insert().values(name=name, value=value))


# Made once: SQLAlchemy looks a statement that it has seen up in less time than it takes to make one.
_KEEP_MESSAGE, _KEEP_OLD = _messages.insert(), _old_codings.insert()
_KEEP_SUBSCRIPTION, _KEEP_GONE = _subscriptions.insert(), _gone.insert()
_DROP_MESSAGE = _messages.delete().where(_messages.c.id == bindparam("dropped"))
_DROP_OLD = _old_codings.delete().where(_old_codings.c.id == bindparam("dropped"))
_FORGET = _gone.delete().where(_gone.c.token == bindparam("forgotten"))
_END_SUBSCRIPTION = _subscriptions.delete().where(_subscriptions.c.token == bindparam("ended"))


def _is_sound(row: Row, table: Table) -> bool:
    """Say whether each value has its column's type: SQLite keeps a value of any type in any column."""
    return all(
        isinstance(value, column.type.python_type) or (value is None and column.nullable)
        for value, column in zip(row, table.columns, strict=True)
    )


def _row(value: Subscription | Message, table: Table) -> dict:
    return {column.key: getattr(value, column.key) for column in table.columns}
