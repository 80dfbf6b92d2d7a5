"""What both servers of the lab have in common with a database each keeps: opening it, and its words.

The parties share no database and no table. What they share is how one is opened and how it fails:

    held by another program     DatabaseLocked, 503      wait, and try again
    anything else               the caller's leaf, 500   a full disk, a broken file, no rights

In either case nothing was changed. The message says what the database said and whose it is, and
never what was to be written: endpoints and keys are secrets.

SQLite keeps a write-ahead log, so that a commit is one append and others read meanwhile. A process
that is killed loses nothing that it has committed, because the system has the bytes by then.
Whether a machine that loses its power does is ``durable``: each commit waits for the disk, or the
last ones before the cut may be forgotten. The file stays whole in both cases.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from pushlab.errors import DatabaseLocked, StoreError, UnableToReadDatabase

SQLITE_BUSY, SQLITE_LOCKED = 5, 6


def connect(url: str, owner: str, *, patience: float, durable: bool = True) -> Engine:
    """Open the database at an SQLAlchemy URL. A new SQLite file is readable by its owner alone.

    ``owner`` is the party whose database it is; ``patience``: seconds to wait for a lock. Raises
    UnableToReadDatabase.

    >>> with connect("sqlite://", "push service", patience=1).begin() as connection:
    ...     connection.exec_driver_sql("SELECT 1").scalar_one()
    1
    """
    try:
        address = make_url(url)
        # An error must not show an endpoint, and SQLAlchemy's errors show every value.
        options: dict = {"hide_parameters": True}
        sqlite = address.get_backend_name() == "sqlite"
        if sqlite:
            options["connect_args"] = {"timeout": patience, "check_same_thread": False}
            if address.database in (None, "", ":memory:"):
                options["poolclass"] = StaticPool
            elif not address.query:
                _make_private(address.database, owner)
        engine = create_engine(address, **options)
    except (SQLAlchemyError, ImportError) as reason:
        raise UnableToReadDatabase(f"the database URL cannot be used: {reason}", owner) from None
    if sqlite:
        event.listen(engine, "connect", _tune(durable))
    return engine


def _make_private(path: str, owner: str) -> None:
    """Make an empty file that its owner alone can read: it will hold secrets."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    except OSError as reason:
        raise UnableToReadDatabase(
            f"unable to open {path}: it cannot be made: {reason.strerror}", owner
        ) from None


def _tune(durable: bool):
    def tune(connection, _record) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")

    return tune


@contextmanager
def told(
    leaf: type[StoreError], owner: str, locked: type[StoreError] = DatabaseLocked
) -> Iterator[None]:
    """Turn what a database says into our own error: ``locked`` if it is held, else ``leaf``.

    >>> with told(UnableToReadDatabase, "push service"):
    ...     raise SQLAlchemyError("no values here")
    Traceback (most recent call last):
    pushlab.errors.UnableToReadDatabase: the push service's database says: SQLAlchemyError. Fault: push service. Look at disk space and at who else has the database open; nothing stored was changed.
    """
    try:
        yield
    except SQLAlchemyError as error:
        # The driver's own words name the fault; SQLAlchemy's would add the statement.
        driver = getattr(error, "orig", None)
        held = getattr(driver, "sqlite_errorcode", 0) & 0xFF in (SQLITE_BUSY, SQLITE_LOCKED)
        said = str(driver or type(error).__name__)
        raise (locked if held else leaf)(f"the {owner}'s database says: {said}", owner) from None


def make_tables(connection: Connection, tables: Iterable[Table], owner: str) -> None:
    """Make the tables that are not there, and look at those that are.

    A database of earlier days lacks whole tables, which are made. One that lacks a column was made
    by some other version, and nobody here knows what its rows mean: raises UnableToReadDatabase.
    What proves to be ours, its owner alone may read from now on.
    """
    there = inspect(connection)
    for table in tables:
        if not there.has_table(table.name):
            table.create(connection)
            continue
        known = {column["name"] for column in there.get_columns(table.name)}
        if lacking := [column.name for column in table.columns if column.name not in known]:
            raise UnableToReadDatabase(
                f"the {owner}'s database was made by another version of pushlab, for its table "
                f"{table.name} lacks {', '.join(lacking)}: move the file away, and a new one is made",
                owner,
            )
    _narrow(connection.engine.url.database)


def _narrow(path: str | None) -> None:
    """Take the rights of others away from the files of a SQLite database, where there are files."""
    for name in (f"{path}{suffix}" for suffix in ("", "-wal", "-shm")):
        if os.name == "posix" and os.path.isfile(name) and os.stat(name).st_uid == os.geteuid():
            os.chmod(name, 0o600)
