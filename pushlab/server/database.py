"""How both servers open a database, and which errors its faults become.

Each party has a database of its own. Both open one in the same way, and it fails in the same ways:

    the URL is invalid          BadDatabaseUrl             what is wrong with it
    the driver is missing       DatabaseDriverMissing      what to install
    another program holds it    DatabaseLocked, 503        wait, and try again
    it is closed                DatabaseClosed, 503        its server has stopped
    anything else               the caller's class, 500    a full disk, a broken file, no permission

In every case nothing was changed. The message says what the database reported and whose it is. It
never contains the values that were to be written, nor the URL: endpoints, keys and passwords are
secrets.

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
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes

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
from sqlalchemy.pool import QueuePool, StaticPool

from pushlab.errors import (
    BadDatabaseUrl,
    DatabaseClosed,
    DatabaseDriverMissing,
    DatabaseLocked,
    StoreError,
    UnableToReadDatabase,
)

log = logging.getLogger("pushlab")

SQLITE_BUSY, SQLITE_LOCKED = 5, 6

PACKAGES = {"psycopg": '"psycopg[binary]"', "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
"""What to tell pip, for a driver whose package has another name or needs an extra."""


class Database:
    """An SQLAlchemy engine that runs one transaction at a time, and that stays closed.

    ``owner`` names the party whose database it is. Any thread may use it, and waits for its turn.
    """

    def __init__(self, engine: Engine, owner: str):
        self._engine, self._owner = engine, owner
        self._one_at_a_time = threading.RLock()
        self._closed = False
        self._locked_at = 0.0  # when a transaction has last waited in vain, by time.monotonic()

    @property
    def dialect(self) -> Dialect:
        """SQLAlchemy's description of this kind of database."""
        return self._engine.dialect

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Run a transaction, which is committed at the end. Raises DatabaseClosed after close()."""
        with self._in_turn(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Run a transaction that only reads. Raises DatabaseClosed after close()."""
        with self._in_turn(), self._engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Wait for the transaction under way, and close every connection. A second call does nothing."""
        with self._one_at_a_time:
            self._closed = True
            self._engine.dispose()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Wait for the turn of this thread.

        Those who waited while another transaction waited in vain for the file are refused with it.
        Otherwise each of them would wait as long again, one after the other.
        """
        came = time.monotonic()
        with self._one_at_a_time:
            if self._closed:
                raise DatabaseClosed(f"the {self._owner}'s database is closed", self._owner)
            if came < self._locked_at:
                raise DatabaseLocked(f"the {self._owner}'s database is locked", self._owner)
            try:
                yield
            except SQLAlchemyError as error:
                if _is_locked(error):
                    self._locked_at = time.monotonic()
                raise


def sqlite_url(path: Path) -> URL:
    """Return SQLAlchemy's URL of a SQLite file, whatever characters its name has.

    In a text, ``?`` would begin the query, and SQLAlchemy would decode ``%20``.

    >>> sqlite_url(Path("/lab/what?x=1/p%20q.sqlite3")).database
    '/lab/what?x=1/p%20q.sqlite3'
    """
    return URL.create("sqlite", database=str(path.absolute()))


def is_file(url: URL, path: Path, owner: str) -> bool:
    """Say whether a URL leads to this SQLite file, by whatever name. Raises BadDatabaseUrl.

    >>> is_file(make_url("sqlite:////lab/../lab/push.db"), Path("/lab/push.db"), "push service")
    True
    """
    file = file_of(url, owner)
    if file is None:
        return False
    try:
        return Path(file).samefile(path)
    except OSError:  # One of them is not there.
        return Path(file).resolve() == path.resolve()
    except ValueError:  # No file can have such a name.
        return False


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
    sqlite = address.get_backend_name() == "sqlite"
    if sqlite:
        options["connect_args"] = {"timeout": busy_timeout, "check_same_thread": False}
        options["poolclass"] = QueuePool if file else StaticPool
    engine = _engine(address, options, owner)
    if sqlite:
        if file:
            _make_private(file, owner)
        event.listen(engine, "connect", _tune(durable))
    return Database(engine, owner)


_SQLITE_URI = re.compile(r"file:(?://[^/?#]*)?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?.*", re.DOTALL)


def file_of(address: URL, owner: str) -> str | None:
    """Return the path of the file that SQLite will open or make; None if there is none.

    A database in memory has no file, and neither has a temporary one, which is SQLite's own.
    Source: SQLite, Uniform Resource Identifiers §3.
    """
    if address.get_backend_name() != "sqlite":
        return None
    try:
        [name], options = address.get_dialect()().create_connect_args(address)
    except (SQLAlchemyError, ValueError, TypeError) as reason:
        words = f"the {owner}'s database URL cannot be used: {_hide(address)(str(reason))}"
        raise BadDatabaseUrl(words, owner) from None
    if options.get("uri") and (uri := _SQLITE_URI.fullmatch(name)):
        if parse_qs(uri["query"] or "").get("mode") == ["memory"]:
            return None
        name = os.fsdecode(unquote_to_bytes(uri["path"]))
    return None if name in ("", ":memory:") else name


def checked_url(url: str | URL, owner: str) -> URL:
    """Read a URL. Raises BadDatabaseUrl.

    It may contain a password, so an error shows nothing of it but the driver's name.
    """
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


def _engine(address: URL, options: dict[str, Any], owner: str) -> Engine:
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
        message = str(context.original_exception)
        return None if hide(message) == message else _Hidden(hide(message))

    return engine


class _Hidden(SQLAlchemyError):
    """A driver's message, without the passwords of the URL."""


def _hide(address: URL) -> Callable[[str], str]:
    """Return a function that removes the passwords of a URL from a text."""
    asked = (value for name, value in address.query.items() if "pass" in name.lower())
    secrets = {address.password, *asked} - {None, ""}

    def hide(text: str) -> str:
        for secret in sorted(map(str, secrets), key=len, reverse=True):
            text = text.replace(secret, "…")
        return text

    return hide


def _make_private(path: str, owner: str) -> None:
    """Make an empty file that only its owner can read: it will contain secrets."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    except (OSError, ValueError) as reason:  # ValueError: a name that no file can have
        said = getattr(reason, "strerror", None) or reason
        raise UnableToReadDatabase(f"unable to open {path}: it cannot be made: {said}", owner) from None


def _tune(durable: bool) -> Callable[[Any, Any], None]:
    def tune(connection: Any, _record: Any) -> None:
        # Text that is no UTF-8 would make each query fail that reads its row. So it is read as far as
        # it can be, and whoever checks the row finds what is wrong with it.
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")

    return tune


@contextmanager
def translate_errors(error_class: type[StoreError], owner: str) -> Iterator[None]:
    """Turn SQLAlchemy's errors into ``error_class``, or DatabaseLocked if another program holds it.

    ``owner`` names the party whose database it is.

    >>> with translate_errors(UnableToReadDatabase, "push service"):
    ...     raise SQLAlchemyError("no values here")
    Traceback (most recent call last):
    pushlab.errors.UnableToReadDatabase: the push service's database says: SQLAlchemyError. ...
    """
    try:
        yield
    except SQLAlchemyError as error:
        # The driver's own message names the fault; SQLAlchemy's would add the statement.
        driver = getattr(error, "orig", None)
        message = str(driver or (error if isinstance(error, _Hidden) else type(error).__name__))
        kind = DatabaseLocked if _is_locked(error) else error_class
        raise kind(f"the {owner}'s database says: {message}", owner) from None


def _is_locked(error: SQLAlchemyError) -> bool:
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return code & 0xFF in (SQLITE_BUSY, SQLITE_LOCKED)


def make_tables(connection: Connection, tables: Iterable[Table], owner: str) -> None:
    """Make the tables that are missing, and check the columns of the others.

    A database that an older version made may lack whole tables: they are made. If a table lacks a
    column, another version made it, and what its rows mean is not known: raises
    UnableToReadDatabase. A database that passes the check becomes readable for its owner alone.
    """
    present = inspect(connection)
    for table in tables:
        if not present.has_table(table.name):
            table.create(connection)
            continue
        known = {column["name"] for column in present.get_columns(table.name)}
        if lacking := [column.name for column in table.columns if column.name not in known]:
            raise UnableToReadDatabase(
                f"the {owner}'s database was made by another version of pushlab, for its table "
                f"{table.name} lacks {', '.join(lacking)}: move the file away, and a new one is made",
                owner,
            )
    if connection.dialect.name == "sqlite":
        _restrict_permissions(connection, owner)


def _restrict_permissions(connection: Connection, owner: str) -> None:
    """Let only the owner read the files of a SQLite database, if it has files.

    SQLite itself says which file it has open. No spelling of a URL can lead to another one.
    """
    # As bytes: a name need not be UTF-8.
    query = "SELECT CAST(file AS BLOB) FROM pragma_database_list WHERE name = 'main'"
    path = os.fsdecode(connection.exec_driver_sql(query).scalar_one() or b"")
    if not path or os.name != "posix":
        return
    for file in (Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm")):
        try:
            facts = file.stat()
            if facts.st_uid == os.geteuid() and facts.st_mode & 0o077:
                file.chmod(0o600)
        except FileNotFoundError:
            continue
        except OSError as reason:
            log.warning("the %s's database %s may be readable by others: %s", owner, file, reason)
