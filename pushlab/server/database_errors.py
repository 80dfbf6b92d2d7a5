"""Which of our errors each fault of a database becomes, and what to do next.

SQLAlchemy and the drivers have errors of their own. A caller gets one of ours instead, which says what
is wrong in our own words, and which never shows a value, a password, a host or a user's name:

    another transaction holds what this one needs   DatabaseLocked, 503
    its server has too much to do                   DatabaseBusy, 503
    its server does not answer, or has gone away    DatabaseUnreachable, 503
    its server does not let us in                   DatabaseAccessDenied, 500
    the URL is invalid                              BadDatabaseUrl, 500
    anything else                                   the caller's class, 500

SQLite tells a fault by a number. PostgreSQL tells it by five characters, the SQLSTATE, whose first two
are its class. As long as there is no connection, PostgreSQL's library has only a text, in English as a
rule. Source: PostgreSQL's documentation, appendix A; SQLite, Result and Error Codes.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Engine, ExceptionContext, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from pushlab.errors import (
    BadDatabaseUrl,
    DatabaseAccessDenied,
    DatabaseBusy,
    DatabaseLocked,
    DatabaseUnreachable,
    StoreError,
)

SQLITE_BUSY, SQLITE_LOCKED = 5, 6


class Meaning(NamedTuple):
    """What a fault means here.

    ``error``: our class, None for the caller's; ``words``: ours, empty for the database's own;
    ``hint``: what to do next, empty for that of the class; ``undone``: whether the transaction left
    no trace, and may succeed if it is run again at once.
    """

    error: type[StoreError] | None
    words: str = ""
    hint: str = ""
    undone: bool = False


SERVER_LOG = "Look into the log of the database's server; nothing that is stored was changed"

LOST_AT_COMMIT = Meaning(
    DatabaseUnreachable,
    "its server went away while a change was being stored",
    "Wait until it is back, then look whether that change is stored",
)

SQLSTATES = {
    "08": Meaning(DatabaseUnreachable, "the connection to its server was lost", undone=True),
    "25006": Meaning(
        None,
        "it can only be read, because its server is a replica or is set to be read only",
        "Give the URL of the server that may be written",
    ),
    "28": Meaning(DatabaseAccessDenied, "its server does not accept the user or the password"),
    "3D000": Meaning(DatabaseAccessDenied, "its server has no database of that name"),
    "40": Meaning(DatabaseLocked, "other transactions were in the way of this one", undone=True),
    "40003": LOST_AT_COMMIT,
    "42501": Meaning(DatabaseAccessDenied, "its user lacks a permission that this needs"),
    "53100": Meaning(
        None,
        "the disk of its server is full",
        "Make room on that disk, then try again; nothing that is stored was changed",
    ),
    "53200": Meaning(DatabaseBusy, "its server has no memory left"),
    "53300": Meaning(DatabaseBusy, "its server has as many connections as it accepts"),
    "55P03": Meaning(DatabaseLocked, "another transaction holds what this one needs"),
    "57014": Meaning(DatabaseBusy, "its server has ended a statement that took too long"),
    "57P": Meaning(DatabaseUnreachable, "its server is stopping or starting", undone=True),
}
"""By SQLSTATE, or by the first characters of several."""

CHECK_ADDRESS = (
    "Start the database's server, wait until it is back, or check the host and the port of its URL; "
    "nothing that is stored was changed"
)

REFUSALS = (
    (
        "^[^F]*invalid .*(option|value|port)",
        Meaning(
            BadDatabaseUrl, "its URL has an option, or a value of one, that PostgreSQL does not know"
        ),
    ),
    ("authentication failed|no password supplied|pg_hba", SQLSTATES["28"]),
    ("database .* does not exist", SQLSTATES["3D000"]),
    ("role .* does not exist", SQLSTATES["28"]),
    ("permission denied for database", SQLSTATES["42501"]),
    ("too many (clients|connections)|connection slots", SQLSTATES["53300"]),
    (
        "starting up|shutting down|recovery mode|not yet accepting",
        Meaning(DatabaseUnreachable, "its server is stopping or starting"),
    ),
    (
        "connection refused|no such file",
        Meaning(DatabaseUnreachable, "no server listens at its address", CHECK_ADDRESS),
    ),
    (
        "resolve|translate",
        Meaning(DatabaseUnreachable, "the name of its host is not known", CHECK_ADDRESS),
    ),
    (
        "time(d |-)?out",
        Meaning(DatabaseUnreachable, "its server has not answered in time", CHECK_ADDRESS),
    ),
)
"""By a part of the text, where no connection could be made."""

ADDRESS = re.compile(r"connection to server (at|on)[^\n]*? failed: |connection (failed|is bad): ")
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|«[^»]*»|»[^«]*«|„[^“]*“")


@contextmanager
def translate_errors(error_class: type[StoreError], owner: str) -> Iterator[None]:
    """Turn SQLAlchemy's errors into ``error_class``, or into the one that says it better.

    ``owner`` names the party whose database it is.

    >>> from pushlab.errors import UnableToReadDatabase
    >>> with translate_errors(UnableToReadDatabase, "push service"):
    ...     raise SQLAlchemyError("no values here")
    Traceback (most recent call last):
    pushlab.errors.UnableToReadDatabase: the push service's database says: SQLAlchemyError. ...
    """
    try:
        yield
    except SQLAlchemyError as error:
        meaning = meaning_of(error)
        said = f"cannot be used: {meaning.words}" if meaning.words else f"says: {_own_words(error)}"
        kind = meaning.error or error_class
        fault = kind(f"the {owner}'s database {said}", owner, hint=meaning.hint)
        fault.undone = meaning.undone
        raise fault from None


def meaning_of(error: SQLAlchemyError) -> Meaning:
    """Return what an error of SQLAlchemy's means here."""
    driver = getattr(error, "orig", None)
    if is_locked(error):
        return Meaning(DatabaseLocked)
    lost = getattr(error, "connection_invalidated", False)
    if lost and getattr(error, "during_commit", False):
        return LOST_AT_COMMIT
    if state := getattr(driver, "sqlstate", None) or getattr(driver, "pgcode", None):
        return _of_sqlstate(state)
    if lost:
        return SQLSTATES["08"]
    if type(driver).__module__.startswith("psycopg") and getattr(error, "statement", None) is None:
        return _of_refusal(str(driver), _own_words(error))
    return Meaning(None)


def is_locked(error: Exception) -> bool:
    """Say whether an error, of SQLAlchemy's or of the driver's, is that another program holds a file."""
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0)
    return code & 0xFF in (SQLITE_BUSY, SQLITE_LOCKED)


class Hidden(SQLAlchemyError):
    """An error whose message has no passwords. Whatever else it says is that of the ``original``."""

    def __init__(self, message: str, original: SQLAlchemyError | None):
        super().__init__(message)
        self.orig = getattr(original, "orig", None)
        self.statement = getattr(original, "statement", None)
        self.connection_invalidated = getattr(original, "connection_invalidated", False)


def hide_passwords(engine: Engine, address: URL) -> None:
    """Remove the passwords of a URL from the messages of an engine's errors."""
    hide = hiding(address)

    @event.listens_for(engine, "handle_error")
    def hidden(context: ExceptionContext) -> SQLAlchemyError | None:
        message = str(context.original_exception)
        if hide(message) == message:
            return None
        return Hidden(hide(message), context.sqlalchemy_exception)


def hiding(address: URL) -> Callable[[str], str]:
    """Return a function that removes the passwords of a URL from a text."""
    asked = (value for name, value in address.query.items() if "pass" in name.lower())
    secrets = {address.password, *asked} - {None, ""}

    def hide(text: str) -> str:
        for secret in sorted(map(str, secrets), key=len, reverse=True):
            text = text.replace(secret, "…")
        return text

    return hide


def _of_sqlstate(state: str) -> Meaning:
    known = (SQLSTATES.get(state[:length]) for length in (5, 3, 2))
    return next(filter(None, known), Meaning(None, hint=SERVER_LOG))


def _of_refusal(text: str, shown: str) -> Meaning:
    """Return what it means that no connection could be made. ``shown``: the text without passwords."""
    for pattern, meaning in REFUSALS:
        if re.search(pattern, text, re.IGNORECASE):
            return meaning
    # Perhaps in another language, perhaps about TLS. Names stay out of it.
    reason = QUOTED.sub("…", ADDRESS.sub("", shown.strip().splitlines()[-1]))
    return Meaning(DatabaseUnreachable, f"no connection: {reason.strip()}")


def _own_words(error: SQLAlchemyError) -> str:
    """Return what the driver said, which names the fault; SQLAlchemy's words would add the statement."""
    driver = getattr(error, "orig", None)
    if isinstance(error, Hidden):
        return str(error)
    # PostgreSQL's details are left out, for they quote the values.
    primary = getattr(getattr(driver, "diag", None), "message_primary", None)
    return str(primary or driver or type(error).__name__)
