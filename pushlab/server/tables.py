"""The tables of a database: they are made, or checked if they are there, and rows are written to them.

What differs between SQLite and PostgreSQL when that is done is written here alone.
"""

import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Dialect,
    Insert,
    Table,
    bindparam,
    func,
    inspect,
    select,
)
from sqlalchemy.schema import CreateTable

from pushlab.errors import UnableToReadDatabase

log = logging.getLogger("pushlab")

TABLES_LOCK = 0x70757368
"""The number of PostgreSQL's advisory lock that a server holds while it makes tables: "push"."""


def _insert_on_conflict(kind: str) -> Callable[[Table], Any]:
    """Import a database's own INSERT: PostgreSQL's takes 50 ms of each start that does not need it."""
    return import_module(f"sqlalchemy.dialects.{kind}").insert


def insert_or_ignore(dialect: Dialect, table: Table) -> Insert:
    """Return an INSERT that does nothing if there is such a row already; its ``rowcount`` says so."""
    insert = _insert_on_conflict(dialect.name)(table).on_conflict_do_nothing()
    # Otherwise SQLAlchemy asks for the number of the new row, and forgets how many rows there were.
    return insert.inline().execution_options(preserve_rowcount=True)


def upsert(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], where: ColumnElement[bool]
) -> None:
    """Insert rows. One with the same primary key is updated, if it is so as ``where`` says."""
    insert = _insert_on_conflict(connection.dialect.name)
    new = insert(table)
    values: Any = rows
    if connection.dialect.name == "postgresql":
        # One statement for all rows, with an array for each column, costs a quarter of one for each.
        arrays = [func.unnest(bindparam(column.name, type_=ARRAY(column.type))) for column in table.c]
        new = new.from_select(table.c.keys(), select(*arrays))
        values = {column.name: [row[column.name] for row in rows] for column in table.c}
    others = {column.name: new.excluded[column.name] for column in table.c if not column.primary_key}
    update = new.on_conflict_do_update(index_elements=table.primary_key, set_=others, where=where)
    connection.execute(update, values)


def make_tables(connection: Connection, tables: Collection[Table], owner: str) -> None:
    """Make the tables that are missing, and check the columns of the others.

    A database that an older version made may lack whole tables: they are made. If a table lacks a
    column, another version made it, and what its rows mean is not known: raises
    UnableToReadDatabase. A database that passes the check becomes readable for its owner alone.
    """
    inspector = inspect(connection)
    present = [table for table in tables if inspector.has_table(table.name)]
    for table in present:
        known = {column["name"] for column in inspector.get_columns(table.name)}
        if lacking := [column.name for column in table.columns if column.name not in known]:
            raise UnableToReadDatabase(
                f"the {owner}'s database was made by another version of pushlab, for its table "
                f"{table.name} lacks {', '.join(lacking)}",
                owner,
                hint=_make_room(connection),
            )
    if missing := [table for table in tables if table not in present]:
        _make(connection, missing)
    if connection.dialect.name == "sqlite":
        _restrict_permissions(connection, owner)


def _make(connection: Connection, tables: Collection[Table]) -> None:
    """Make tables, unless another server that starts at this moment has just made them."""
    if connection.dialect.name == "postgresql":
        # IF NOT EXISTS fails there if two make the same table at once: the second one waits here.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({TABLES_LOCK})")
    for table in tables:
        connection.execute(CreateTable(table, if_not_exists=True))


def _make_room(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return "Move the file away, and a new one is made"
    return "Give the URL of another database, or rename that table, and a new one is made"


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
