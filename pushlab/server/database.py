"""How both servers open a database, and run transactions in it.

Each party has a database of its own. Both open one in the same way, and it fails in the same ways:
``database_errors`` says how. In every case nothing was changed, unless the message says otherwise.

A transaction is a function that gets a connection (``Database.run``). It is run again, a few times, if
the database has undone it for a reason that passes.

SQLite has one connection at a time, because it lets one at a time write. PostgreSQL has a few: one
writes what a notify-all has done, and others read meanwhile.

``close()`` may be called at any time and from any thread. It waits for the transaction under way,
and later calls are refused. Without that rule, ``close()`` could close the one connection of a
database in memory, which all threads share, while another thread executes on it. SQLite would then
end the process with a segmentation fault. A database in a file would open again, and stay open.

SQLite keeps a write-ahead log: a commit is one append, and others can read meanwhile. A process that
is killed loses nothing that it has committed, because by then the operating system has the bytes.
``durable`` decides what happens when a machine loses its power. If it is true, each commit waits for
the disk. If not, the last commits may be lost. The file stays whole in both cases.
"""

import logging
import math
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    create_engine,
    event,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from pushlab.errors import (
    BadDatabaseUrl,
    DatabaseClosed,
    DatabaseDriverMissing,
    DatabaseLocked,
    StoreError,
    UnableToReadDatabase,
)
from pushlab.server.database_errors import hide_passwords, hiding, is_locked, translate_errors
from pushlab.server.database_url import checked_url, file_of
from pushlab.settings import patience

log = logging.getLogger("pushlab")

Result = TypeVar("Result")

PAUSES = (0.0, 0.02, 0.1, 0.3)
"""Seconds before a transaction is run again, at most. The first time is for a connection that was lost
while nobody used it; the others keep two transactions out of each other's way."""

CONNECTIONS = 5
"""Transactions at one time in PostgreSQL."""

LIMITS = {"statement_timeout": 120.0, "idle_in_transaction_session_timeout": 60.0}
"""Seconds after which PostgreSQL ends a statement, and a transaction of a program that hangs."""

LIBPQ: dict[str, Any] = {
    "application_name": "pushlab",
    "connect_timeout": 5,
    # A machine or a cable that has gone says nothing. After some 25 s a connection to it is lost.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""Parameters of PostgreSQL's library: seconds, and milliseconds for the last. ``connect_timeout`` is
multiplied by PUSHLAB_PATIENCE."""

PACKAGES = {"psycopg": '"psycopg[binary]"', "psycopg2": "psycopg2-binary"}
"""What to tell pip, for a driver whose package has another name or needs an extra."""


class Database:
    """An SQLAlchemy engine that runs a few transactions at a time, and that stays closed.

    ``owner`` names the party whose database it is; ``at_once``: how many transactions. Any thread may
    use it, and waits for its turn.
    """

    def __init__(self, engine: Engine, owner: str, at_once: int = 1):
        self._engine, self._owner, self._at_once = engine, owner, at_once
        # A lock may be taken again by the thread that has it; of several turns it may need another one.
        self._turns = threading.RLock() if at_once == 1 else threading.BoundedSemaphore(at_once)
        self._closing = threading.Lock()
        self._closed = False
        self._locked_at = 0.0  # when a transaction has last waited in vain, by time.monotonic()

    @property
    def dialect(self) -> Dialect:
        """SQLAlchemy's description of this kind of database."""
        return self._engine.dialect

    def run(self, work: Callable[[Connection], Result], error: type[StoreError]) -> Result:
        """Run ``work(connection)`` as a transaction, which is committed at its end; return its result.

        It is run again if the database has undone it for a reason that passes: a deadlock, a
        serialisation failure, a connection that was lost before the commit. Raises what
        ``translate_errors`` says, and DatabaseClosed after close().
        """
        for pause in (*PAUSES, None):
            try:
                with translate_errors(error, self._owner), self.begin() as connection:
                    return work(connection)
            except StoreError as fault:
                if pause is None or not fault.undone:
                    raise
            time.sleep(random.uniform(pause / 2, pause))
        raise AssertionError("the last time it returns or raises")

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Run a transaction, which is committed at the end. Raises DatabaseClosed after close()."""
        with self.connect() as connection:
            yield connection
            try:
                connection.commit()
            except SQLAlchemyError as error:
                # If the connection is lost now, nobody knows whether the server has committed.
                error.during_commit = True  # type: ignore[attr-defined]
                raise

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Run a transaction that only reads. Raises DatabaseClosed after close(), BadDatabaseUrl."""
        with self._in_turn():
            try:
                connection = self._engine.connect()
            except (ValueError, TypeError):  # from a driver that stumbles over a host or an option
                words = f"the {self._owner}'s database URL has a value that its driver cannot read"
                raise BadDatabaseUrl(words, self._owner) from None
            with connection:
                yield connection

    def close(self) -> None:
        """Wait for the transactions under way, and close every connection. It may be called twice."""
        with self._closing:
            for _ in range(self._at_once):
                self._turns.acquire()
            self._closed = True
            self._engine.dispose()
            for _ in range(self._at_once):
                self._turns.release()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Wait for the turn of this thread.

        Those who waited while another transaction waited in vain for the file are refused with it.
        Otherwise each of them would wait as long again, one after the other.
        """
        came = time.monotonic()
        with self._turns:
            if self._closed:
                raise DatabaseClosed(f"the {self._owner}'s database is closed", self._owner)
            if came < self._locked_at:
                raise DatabaseLocked(f"the {self._owner}'s database is locked", self._owner)
            try:
                yield
            except SQLAlchemyError as error:
                if is_locked(error):
                    self._locked_at = time.monotonic()
                raise


def connect(url: str | URL, owner: str, *, busy_timeout: float, durable: bool = True) -> Database:
    """Open the database at an SQLAlchemy URL. Only its owner can read a new SQLite file.

    ``owner``: the party whose database it is; ``busy_timeout``: seconds to wait for a lock;
    ``durable``: whether a commit waits for the disk. Raises BadDatabaseUrl, DatabaseDriverMissing,
    UnableToReadDatabase.

    >>> with connect("sqlite://", "push service", busy_timeout=1).begin() as connection:
    ...     connection.exec_driver_sql("SELECT 1").scalar_one()
    1
    """
    address = checked_url(url, owner)
    file = file_of(address, owner)
    # SQLAlchemy's errors show every value, and an endpoint must not be shown.
    options: dict[str, Any] = {"hide_parameters": True}
    kind = address.get_backend_name()
    if kind == "sqlite":
        options["connect_args"] = {"timeout": busy_timeout, "check_same_thread": False}
        options["poolclass"] = QueuePool if file else StaticPool
    elif kind == "postgresql":
        options |= {
            "pool_size": CONNECTIONS,
            "max_overflow": 0,
            "connect_args": _postgresql_options(address),
        }
    engine = _engine(address, options, owner)
    if kind == "sqlite":
        if file:
            _make_private(file, owner)
        event.listen(engine, "connect", _tune_sqlite(durable, busy_timeout))
    elif kind == "postgresql":
        if engine.driver == "psycopg":
            bounded = import_module("pushlab.server.postgresql")  # It imports the driver.
            event.listen(engine, "do_connect", bounded.connect_bounded)
        if "options" not in address.query:
            event.listen(engine, "connect", _tune_postgresql(busy_timeout))
    return Database(engine, owner, CONNECTIONS if kind == "postgresql" else 1)


def _engine(address: URL, options: dict[str, Any], owner: str) -> Engine:
    try:
        engine = create_engine(address, **options)
    except ImportError as reason:
        module = (reason.name or address.get_driver_name()).partition(".")[0]
        raise DatabaseDriverMissing(
            f"the {owner}'s database, {address.drivername}://, needs the Python package {module}, "
            f"which is not installed: pip install {PACKAGES.get(module, module)}",
            owner,
        ) from None
    except (SQLAlchemyError, ValueError, TypeError) as reason:
        words = f"the {owner}'s database URL cannot be used: {hiding(address)(str(reason))}"
        raise BadDatabaseUrl(words, owner) from None
    hide_passwords(engine, address)
    return engine


def _make_private(path: str, owner: str) -> None:
    """Make an empty file that only its owner can read: it will contain secrets."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    except (OSError, ValueError) as reason:  # ValueError: a name that no file can have
        said = getattr(reason, "strerror", None) or reason
        raise UnableToReadDatabase(f"unable to open {path}: it cannot be made: {said}", owner) from None


def _tune_sqlite(durable: bool, busy_timeout: float) -> Callable[[Any, Any], None]:
    def tune(connection: Any, _record: Any) -> None:
        # Text that is no UTF-8 would make each query fail that reads its row. So it is read as far as
        # it can be, and whoever checks the row finds what is wrong with it.
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        _keep_write_ahead_log(connection, busy_timeout)
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")

    return tune


def _keep_write_ahead_log(connection: sqlite3.Connection, busy_timeout: float) -> None:
    """Let a SQLite file have a write-ahead log, which a new file has not.

    SQLite waits for a lock, but not here: it refuses at once while another program writes, or makes
    the log of the same file. Servers that start together meet that.
    """
    until = time.monotonic() + busy_timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() > until:
                raise
        else:
            return
        time.sleep(random.uniform(0.005, 0.02))


def _postgresql_options(address: URL) -> dict[str, Any]:
    """Return what PostgreSQL's driver is asked for, unless the URL asks for it otherwise."""
    driver = address.get_driver_name()
    if driver not in ("psycopg", "psycopg2"):
        return {}
    known = LIBPQ | {"connect_timeout": math.ceil(patience(LIBPQ["connect_timeout"]))}
    asked = {name: value for name, value in known.items() if name not in address.query}
    # A pooler such as PgBouncer may run each transaction in another session, where nothing is prepared.
    return asked | ({"prepare_threshold": None} if driver == "psycopg" else {})


def _tune_postgresql(lock_timeout: float) -> Callable[[Any, Any], None]:
    limits = {"lock_timeout": lock_timeout} | LIMITS

    def tune(connection: Any, _record: Any) -> None:
        # Not in the URL's options: a pooler such as PgBouncer refuses a connection that has some.
        with connection.cursor() as cursor:
            for name, seconds in limits.items():
                cursor.execute("SELECT set_config(%s, %s, false)", (name, f"{seconds * 1000:.0f}"))
        connection.commit()

    return tune
