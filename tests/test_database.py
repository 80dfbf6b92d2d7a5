"""How both servers open a database: private, with a write-ahead log, and with words for each fault."""

import os
import sqlite3
import stat
from contextlib import closing

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table

from pushlab import database
from pushlab.appserver.store import SubscriptionStore
from pushlab.errors import (
    DatabaseLocked,
    UnableToReadDatabase,
    UnableToSaveSubscription,
    UnableToWriteDatabase,
)
from pushlab.pushservice.store import Store

TABLE = Table("things", MetaData(), Column("id", Integer, primary_key=True), Column("what", String))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.sqlite3"


@pytest.fixture
def engine(path):
    engine = database.connect(f"sqlite:///{path}", "push service", patience=0.01)
    with engine.begin() as connection:
        database.make_tables(connection, [TABLE], "push service")
    yield engine
    engine.dispose()


def modes(path) -> set[int]:
    return {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}


def test_a_new_file_is_for_its_owner_alone_whatever_the_umask(path):
    before = os.umask(0)
    try:
        store = Store(f"sqlite:///{path}")
        assert modes(path) == {0o600} and len(list(path.parent.iterdir())) == 3
        store.close()
    finally:
        os.umask(before)


@pytest.mark.parametrize("store", [Store, SubscriptionStore])
def test_a_file_of_earlier_days_is_narrowed(path, store):
    store(f"sqlite:///{path}").close()
    path.chmod(0o644)
    store(f"sqlite:///{path}").close()
    assert modes(path) == {0o600}


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_a_commit_waits_for_the_disk_or_does_not(path, durable, level):
    engine = database.connect(f"sqlite:///{path}", "x", patience=1, durable=durable)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == level
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    engine.dispose()


def test_a_lock_and_any_other_fault_are_two_errors(engine, path):
    def write() -> None:
        with database.told(UnableToWriteDatabase, "push service"), engine.begin() as connection:
            connection.execute(TABLE.insert().values(what="secret"))

    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseLocked, match="push service's database .* locked") as locked:
            write()
        with (
            pytest.raises(UnableToSaveSubscription) as kept,
            database.told(UnableToWriteDatabase, "application server", UnableToSaveSubscription),
            engine.begin() as connection,
        ):
            connection.execute(TABLE.insert().values(what="secret"))
    write()
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.exec_driver_sql("PRAGMA query_only = 1")
    with pytest.raises(UnableToWriteDatabase, match="readonly") as refused:
        write()
    errors = [locked.value, kept.value, refused.value]
    assert [error.status for error in errors] == [503, 500, 500]
    faults = ["push service", "application server", "push service"]
    assert [error.fault for error in errors] == faults
    assert all(
        f"Fault: {error.fault}." in str(error) and "secret" not in str(error) for error in errors
    )


def test_who_is_not_named_is_this_machine():
    assert UnableToWriteDatabase("3 outcomes are not recorded").fault == "this machine"


@pytest.mark.parametrize(
    ("store", "table", "column", "owner"),
    [
        (Store, "messages", "urgency", "push service"),
        (Store, "subscriptions", "who", "push service"),
        (SubscriptionStore, "subscriptions", "created_at", "application server"),
    ],
)
def test_a_database_of_another_version_is_refused_and_left_alone(path, store, table, column, owner):
    store(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    path.chmod(0o644)
    with pytest.raises(
        UnableToReadDatabase, match=f"{owner}.*{table} lacks {column}: move"
    ) as refused:
        store(f"sqlite:///{path}")
    assert refused.value.fault == owner and modes(path) == {0o644}


def test_a_new_column_that_nobody_here_knows_is_passed_over(path):
    Store(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE gone ADD COLUMN later TEXT")
    store = Store(f"sqlite:///{path}")
    assert not store.read()
    store.close()
