"""The URL of a database, as SQLAlchemy reads it: whether it can be used, and to which file it leads."""

import os
import re
from pathlib import Path
from urllib.parse import parse_qs, unquote_to_bytes

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from pushlab.errors import BadDatabaseUrl
from pushlab.server.database_errors import hiding

SUPPORTED = ("sqlite", "postgresql")
"""The databases that pushlab knows. Others have other words for an INSERT that may meet its row."""

_SQLITE_URI = re.compile(r"file:(?://[^/?#]*)?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?.*", re.DOTALL)


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
    except OSError:  # One of them is not there, or its links lead in a circle.
        return os.path.realpath(file) == os.path.realpath(path)
    except ValueError:  # No file can have such a name.
        return False


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
        words = f"the {owner}'s database URL cannot be used: {hiding(address)(str(reason))}"
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
    if dialect.name not in SUPPORTED:
        raise BadDatabaseUrl(
            f"the {owner}'s database URL begins with {address.drivername}://, and pushlab works with "
            "SQLite and PostgreSQL alone",
            owner,
        )
    if dialect.is_async:
        raise BadDatabaseUrl(
            f"the {owner}'s database URL begins with {address.drivername}://, which is a driver for "
            "asyncio, and the database is used from threads here",
            owner,
        )
    return address
