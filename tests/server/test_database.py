"""How both servers open a database: private, with a write-ahead log, and with words for each fault."""

import os
import sqlite3
import threading
import time
from contextlib import closing
from types import SimpleNamespace

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, make_url

from pushlab.appserver.store import SubscriptionStore
from pushlab.errors import (
    DatabaseClosed,
    DatabaseLocked,
    UnableToWriteDatabase,
)
from pushlab.pushservice.store import Store
from pushlab.server import database
from pushlab.server.database_errors import translate_errors
from pushlab.server.tables import make_tables
from pushlab.settings import patience

from .conftest import modes

TABLE = Table("things", MetaData(), Column("id", Integer, primary_key=True), Column("what", String))


@pytest.fixture
def engine(path):
    engine = database.connect(f"sqlite:///{path}", "push service", busy_timeout=0.01)
    with engine.begin() as connection:
        make_tables(connection, [TABLE], "push service")
    yield engine
    engine.close()


def test_a_new_file_is_for_its_owner_alone_whatever_the_umask(path):
    before = os.umask(0)
    try:
        store = Store(f"sqlite:///{path}")
        assert modes(path) == {0o600} and len(list(path.parent.iterdir())) == 3
        store.close()
    finally:
        os.umask(before)


@pytest.mark.parametrize("store", [Store, SubscriptionStore])
def test_a_file_of_an_older_version_is_made_private(path, store):
    store(f"sqlite:///{path}").close()
    path.chmod(0o644)
    store(f"sqlite:///{path}").close()
    assert modes(path) == {0o600}


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_a_commit_waits_for_the_disk_or_does_not(path, durable, level):
    engine = database.connect(f"sqlite:///{path}", "x", busy_timeout=1, durable=durable)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == level
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    engine.close()


def test_a_new_file_in_which_another_program_writes_is_waited_for(path, monkeypatch):
    """SQLite itself does not wait for it when it changes to a write-ahead log."""
    engine = database.connect(f"sqlite:///{path}", "x", busy_timeout=patience(20))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pauses = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if other.in_transaction:
                other.execute("COMMIT")

        clock = SimpleNamespace(monotonic=time.monotonic, sleep=pause)  # Other threads keep theirs.
        monkeypatch.setattr(database, "time", clock)
        with engine.begin() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    assert pauses, "nothing had to be waited for"
    engine.close()


def test_on_a_slow_machine_a_connection_to_postgresql_gets_more_time(monkeypatch):
    monkeypatch.setenv("PUSHLAB_PATIENCE", "2.5")
    options = database._postgresql_options(make_url("postgresql+psycopg://here/lab"))
    assert options["connect_timeout"] == 13, "2.5 times 5, in whole seconds"


def test_a_new_file_in_which_another_program_writes_for_ever_is_locked(path):
    with (
        closing(database.connect(f"sqlite:///{path}", "x", busy_timeout=0.1)) as engine,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseLocked):
            engine.run(lambda connection: None, UnableToWriteDatabase)


def test_a_lock_and_any_other_fault_are_two_errors(engine, path):
    def write() -> None:
        with (
            translate_errors(UnableToWriteDatabase, "push service"),
            engine.begin() as connection,
        ):
            connection.execute(TABLE.insert().values(what="secret"))

    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseLocked, match="push service's database .* locked") as locked:
            write()
    write()
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.exec_driver_sql("PRAGMA query_only = 1")
    with pytest.raises(UnableToWriteDatabase, match="readonly") as refused:
        write()
    errors = [locked.value, refused.value]
    assert [error.status for error in errors] == [503, 500]
    assert [error.fault for error in errors] == ["push service"] * 2
    assert all(f"Fault: {error.fault}." in str(error) and "secret" not in str(error) for error in errors)


def test_those_who_wait_together_for_a_locked_file_are_refused_together(path):
    """Each of them used to wait as long again, one after the other."""
    seconds, refused = 1.5, []
    engine = database.connect(f"sqlite:///{path}", "push service", busy_timeout=seconds)
    with engine.begin() as connection:
        make_tables(connection, [TABLE], "push service")
    begin = threading.Barrier(12)

    def write() -> None:
        begin.wait()
        began = time.monotonic()
        with (
            pytest.raises(DatabaseLocked, match="database is locked|database says: database is locked"),
            translate_errors(UnableToWriteDatabase, "push service"),
            engine.begin() as connection,
        ):
            connection.execute(TABLE.insert().values(what="x"))
        refused.append(time.monotonic() - began)

    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        threads = [threading.Thread(target=write) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(refused) == 12 and max(refused) < 6 * seconds
    with engine.begin() as connection:
        connection.execute(TABLE.insert().values(what="afterwards"))
    engine.close()


def test_the_default_fault_is_this_machine():
    assert UnableToWriteDatabase("3 outcomes are not recorded").fault == "this machine"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///{path}"])
def test_close_waits_for_the_transaction_under_way(url, path):
    engine = database.connect(url.format(path=path), "push service", busy_timeout=1)
    with engine.begin() as connection:
        make_tables(connection, [TABLE], "push service")
    begun, go_on, closed = (threading.Event() for _ in range(3))
    order = []

    def write() -> None:
        with engine.begin() as connection:
            begun.set()
            assert go_on.wait(patience(20))
            connection.execute(TABLE.insert().values(what="written"))
            order.append(connection.exec_driver_sql("SELECT what FROM things").scalar_one())

    def close() -> None:
        engine.close()
        order.append("closed")
        closed.set()

    writing, closing_it = threading.Thread(target=write), threading.Thread(target=close)
    writing.start()
    assert begun.wait(patience(20))
    closing_it.start()
    # A close() that did not wait would return in far less time.
    assert not closed.wait(0.2)
    go_on.set()
    writing.join(patience(20))
    closing_it.join(patience(20))
    assert order == ["written", "closed"]


@pytest.mark.parametrize("how", ["begin", "connect"])
@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///{path}"])
def test_a_call_after_close_is_refused_and_opens_nothing(url, path, how):
    engine = database.connect(url.format(path=path), "push service", busy_timeout=1)
    with getattr(engine, how)() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    engine.close()
    engine.close()
    if path.exists():
        path.unlink()
    with (
        pytest.raises(DatabaseClosed, match="push service's database is closed") as refused,
        translate_errors(UnableToWriteDatabase, "push service"),
        getattr(engine, how)(),
    ):
        pytest.fail("it is open")
    assert (refused.value.status, refused.value.fault) == (503, "push service")
    assert not path.exists()


@pytest.mark.parametrize("store", [Store, SubscriptionStore])
def test_a_closed_store_raises_database_closed(path, store):
    closed = store(f"sqlite:///{path}")
    look = closed.read if store is Store else closed.count
    assert not look()
    closed.close()
    with pytest.raises(DatabaseClosed):
        look()
