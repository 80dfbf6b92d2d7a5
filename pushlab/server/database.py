"""What both servers of the lab have in common with a database each keeps: opening it, and its words.

The parties share no database and no table. What they share is how one is opened and how it fails:

    the URL is none             BadDatabaseUrl           what is wrong with it
    its driver is not there     DatabaseDriverMissing    what to install
    held by another program     DatabaseLocked, 503      wait, and try again
    closed                      DatabaseClosed, 503      its server has stopped
    anything else               the caller's error_class, 500   a full disk, a broken file, no rights

In every case nothing was changed. The message says what the database said and whose it is. It never
says what was to be written, nor what the URL was: endpoints, keys and passwords are secrets.

``close()`` may be called at any time, from any thread: it waits for the transaction under way, and
whatever comes after it is refused. Without that rule a database in memory, whose one connection all
threads share, would be closed under a thread that executes on it, and SQLite would end the process
with a segmentation fault. A database in a file would open again by itself, with nobody to close it.

SQLite keeps a write-ahead log, so that a commit is one append and others read meanwhile. A process
that is killed loses nothing that it has committed, because the system has the bytes by then.
Whether a machine that loses its power does is ``durable``: each commit waits for the disk, or the
last ones before the cut may be forgotten. The file stays whole in both cases.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    ExceptionContext,
    Table,
    create_engine,
    event,
    inspect,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from pushlab.errors import (
    BadDatabaseUrl,
    DatabaseClosed,
    DatabaseDriverMissing,
    DatabaseLocked,
    StoreError,
    UnableToReadDatabase,
)

SQLITE_BUSY, SQLITE_LOCKED = 5, 6

PACKAGES = {"psycopg": '"psycopg[binary]"', "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
"""How pip calls the package of a driver that is imported by another name, or needs more than itself."""


class Database:
    """An SQLAlchemy engine that runs one transaction at a time, and that stays closed.

    ``owner`` is the party whose database it is. Any thread may use it, and waits for its turn.
    """

    def __init__(self, engine: Engine, owner: str):
        self._engine, self._owner = engine, owner
        self._one_at_a_time = threading.RLock()
        self._closed = False

    @property
    def dialect(self) -> Dialect:
        """What SQLAlchemy knows of this kind of database."""
        return self._engine.dialect

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Run a transaction, which is committed at the end. Raises DatabaseClosed after close()."""
        with self._in_turn(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Run a transaction that changes nothing. Raises DatabaseClosed after close()."""
        with self._in_turn(), self._engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Wait for the transaction under way, and close every connection. Twice is harmless."""
        with self._one_at_a_time:
            self._closed = True
            self._engine.dispose()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        with self._one_at_a_time:
            if self._closed:
                raise DatabaseClosed(f"the {self._owner}'s database is closed", self._owner)
            yield


def connect(url: str, owner: str, *, busy_timeout: float, durable: bool = True) -> Database:
    """Open the database at an SQLAlchemy URL. A new SQLite file is readable by its owner alone.

    ``owner`` is the party whose database it is; ``busy_timeout``: seconds to wait for a lock. Raises
    BadDatabaseUrl, DatabaseDriverMissing, UnableToReadDatabase.

    >>> with connect("sqlite://", "push service", busy_timeout=1).begin() as connection:
    ...     connection.exec_driver_sql("SELECT 1").scalar_one()
    1
    """
    address = _address(url, owner)
    # An error must not show an endpoint, and SQLAlchemy's errors show every value.
    options: dict = {"hide_parameters": True}
    sqlite = address.get_backend_name() == "sqlite"
    in_memory = sqlite and address.database in (None, "", ":memory:")
    if sqlite:
        options["connect_args"] = {"timeout": busy_timeout, "check_same_thread": False}
    if in_memory:
        options["poolclass"] = StaticPool
    engine = _engine(address, options, owner)
    if sqlite:
        if not in_memory and not address.query:
            _make_private(address.database, owner)
        event.listen(engine, "connect", _tune(durable))
    return Database(engine, owner)


def _address(url: str, owner: str) -> URL:
    """Read a URL. Its text may hold a password, so no error shows any of it but the driver's name."""
    try:
        address = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise BadDatabaseUrl(f"the {owner}'s database URL cannot be read", owner) from None
    try:
        dialect = address.get_dialect()
    except (NoSuchModuleError, ValueError):
        raise BadDatabaseUrl(
            f"the {owner}'s database URL begins with {address.drivername}://, and SQLAlchemy knows "
            "no database of that name",
            owner,
        ) from None
    if dialect.is_async:
        raise BadDatabaseUrl(
            f"the {owner}'s database URL begins with {address.drivername}://, which is a driver for "
            "asyncio, and the database is used from threads here",
            owner,
        )
    return address


def _engine(address: URL, options: dict, owner: str) -> Engine:
    hide = _hide(address)
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
        words = f"the {owner}'s database URL cannot be used: {hide(str(reason))}"
        raise BadDatabaseUrl(words, owner) from None

    @event.listens_for(engine, "handle_error")
    def hide_passwords(context: ExceptionContext) -> SQLAlchemyError | None:
        said = str(context.original_exception)
        return None if hide(said) == said else _Hidden(hide(said))

    return engine


class _Hidden(SQLAlchemyError):
    """What a driver said, less the passwords of the URL."""


def _hide(address: URL) -> Callable[[str], str]:
    """Return what takes the passwords of a URL out of a text."""
    asked = (value for name, value in address.query.items() if "pass" in name.lower())
    secrets = {address.password, *asked} - {None, ""}

    def hide(text: str) -> str:
        for secret in sorted(map(str, secrets), key=len, reverse=True):
            text = text.replace(secret, "…")
        return text

    return hide


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
def translate_errors(
    error_class: type[StoreError], owner: str, locked: type[StoreError] = DatabaseLocked
) -> Iterator[None]:
    """Turn what a database says into our own error: ``locked`` if it is held, else ``error_class``.

    >>> with translate_errors(UnableToReadDatabase, "push service"):
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
        said = str(driver or (error if isinstance(error, _Hidden) else type(error).__name__))
        raise (locked if held else error_class)(f"the {owner}'s database says: {said}", owner) from None


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
    _restrict_permissions(connection.engine.url.database)


def _restrict_permissions(path: str | None) -> None:
    """Take the rights of others away from the files of a SQLite database, where there are files."""
    for name in (f"{path}{suffix}" for suffix in ("", "-wal", "-shm")):
        if os.name == "posix" and os.path.isfile(name) and os.stat(name).st_uid == os.geteuid():
            os.chmod(name, 0o600)
