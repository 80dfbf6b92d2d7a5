"""How both servers open a database: private, with a write-ahead log, and with words for each fault."""

import os
import sqlite3
import stat
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table

from pushlab.appserver.store import SubscriptionStore
from pushlab.errors import (
    BadDatabaseUrl,
    DatabaseClosed,
    DatabaseDriverMissing,
    DatabaseLocked,
    UnableToReadDatabase,
    UnableToWriteDatabase,
)
from pushlab.protocol.examples import RFC8291
from pushlab.pushservice.store import Store
from pushlab.server import database
from pushlab.server.database import sqlite_url
from pushlab.settings import patience

TABLE = Table("things", MetaData(), Column("id", Integer, primary_key=True), Column("what", String))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.sqlite3"


@pytest.fixture
def engine(path):
    engine = database.connect(f"sqlite:///{path}", "push service", busy_timeout=0.01)
    with engine.begin() as connection:
        database.make_tables(connection, [TABLE], "push service")
    yield engine
    engine.close()


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


def test_a_lock_and_any_other_fault_are_two_errors(engine, path):
    def write() -> None:
        with (
            database.translate_errors(UnableToWriteDatabase, "push service"),
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
    seconds, refused = 0.5, []
    engine = database.connect(f"sqlite:///{path}", "push service", busy_timeout=seconds)
    with engine.begin() as connection:
        database.make_tables(connection, [TABLE], "push service")
    begin = threading.Barrier(12)

    def write() -> None:
        begin.wait()
        began = time.monotonic()
        with (
            pytest.raises(DatabaseLocked, match="database is locked|database says: database is locked"),
            database.translate_errors(UnableToWriteDatabase, "push service"),
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
        UnableToReadDatabase, match=f"{owner}.*{table} lacks {column}.*Move the file"
    ) as refused:
        store(f"sqlite:///{path}")
    assert refused.value.fault == owner and modes(path) == {0o644}


def test_an_unknown_column_is_ignored(path):
    Store(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE gone ADD COLUMN later TEXT")
    store = Store(f"sqlite:///{path}")
    assert not store.read()
    store.close()


# --- closing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///{path}"])
def test_close_waits_for_the_transaction_under_way(url, path):
    engine = database.connect(url.format(path=path), "push service", busy_timeout=1)
    with engine.begin() as connection:
        database.make_tables(connection, [TABLE], "push service")
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
        database.translate_errors(UnableToWriteDatabase, "push service"),
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


# --- what a URL can be wrong in -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("postgresql+psycopg://me:pa55word@127.0.0.1/lab", 'pip install "psycopg[binary]"'),
        ("mysql+pymysql://me:pa55word@127.0.0.1/lab", "pip install pymysql"),
    ],
)
def test_a_driver_that_is_not_installed_is_named_with_the_command_that_installs_it(
    url, package, monkeypatch
):
    # It may be installed where this test runs. None in this table makes its import fail.
    for module in ("psycopg", "pymysql"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DatabaseDriverMissing) as caught:
        database.connect(url, "application server", busy_timeout=1)
    message = str(caught.value)
    assert package in message and "Fault: application server." in message
    assert "disk space" not in message and "pa55word" not in message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "cannot be read"),
        ("pa55word", "cannot be read"),
        ("postgresql://me:pa55word@127.0.0.1:port/lab", "cannot be read"),
        ("a+b+c://me:pa55word@127.0.0.1", "begins with a+b+c://, and SQLAlchemy knows no"),
        ("postgres://me:pa55word@127.0.0.1/lab", "begins with postgres://, and SQLAlchemy knows no"),
        ("sqlite+aiosqlite:///x", "is a driver for asyncio"),
        ("sqlite://me:pa55word@127.0.0.1/x", "Invalid SQLite URL"),
        ("sqlite:///x?timeout=pa55word&password=pa55word", "could not convert string to float"),
    ],
)
def test_the_error_about_an_invalid_url_says_what_is_wrong(url, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadDatabaseUrl) as caught:
        database.connect(url, "application server", busy_timeout=1)
    message = str(caught.value)
    assert words in message and "Write the URL as SQLAlchemy does, such as sqlite:///" in message
    assert "disk space" not in message and "pa55word" not in message
    assert caught.value.__context__ is None or caught.value.__suppress_context__, "nor in a traceback"
    assert list(tmp_path.iterdir()) == []


def test_a_password_that_a_driver_repeats_is_not_shown(path):
    # SQLite ignores what it does not know of such a URL, and it repeats an unknown name.
    url = f"sqlite:///file:{path}?uri=true&password=pa55word"
    engine = database.connect(url, "push service", busy_timeout=1)
    with (
        pytest.raises(UnableToReadDatabase, match="no such column: …") as caught,
        database.translate_errors(UnableToReadDatabase, "push service"),
        engine.begin() as connection,
    ):
        connection.exec_driver_sql("SELECT pa55word")
    assert "pa55word" not in str(caught.value)
    engine.close()


# --- names of files are names of files ------------------------------------------------------------

SPELLINGS = {
    "a path": "sqlite:///{path}",
    "an option of the driver": "sqlite:///{path}?timeout=5",
    "a URI": "sqlite:///file:{path}?uri=true",
    "a URI with an authority": "sqlite:///file://localhost{path}?uri=true",
    "a URI with a mode": "sqlite:///file:{path}?mode=rwc&uri=true",
    "a URI with an escape": "sqlite:///file:{folder}/%2578.sqlite3?uri=1",
    "a URI with another file system layer": "sqlite:///file:{path}?vfs=unix-excl&uri=true",
    "a relative path": "sqlite:///x.sqlite3",
    "the driver's name": "sqlite+pysqlite:///{path}",
}


@pytest.mark.parametrize("how", SPELLINGS)
@pytest.mark.parametrize("store", [Store, SubscriptionStore])
def test_a_new_file_is_private_whatever_the_spelling_of_the_url(path, monkeypatch, how, store):
    monkeypatch.chdir(path.parent)
    before = os.umask(0)
    try:
        opened = store(SPELLINGS[how].format(path=path, folder=path.parent))
        names = {file.name for file in path.parent.iterdir()}
        assert names <= {"x.sqlite3", "x.sqlite3-wal", "x.sqlite3-shm"} and path.name in names
        assert modes(path) == {0o600}
        opened.close()
    finally:
        os.umask(before)


@pytest.mark.parametrize("how", SPELLINGS)
def test_an_old_file_is_made_private_whatever_the_spelling_of_the_url(path, monkeypatch, how):
    monkeypatch.chdir(path.parent)
    Store(f"sqlite:///{path}").close()
    path.chmod(0o644)
    Store(SPELLINGS[how].format(path=path, folder=path.parent)).close()
    assert modes(path) == {0o600}


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"]
    + ["sqlite:///file:x?mode=memory&uri=true", "sqlite:///file:?uri=true"],
)  # fmt: skip
def test_a_database_without_a_file_makes_none_and_is_one_for_all_threads(tmp_path, monkeypatch, url):
    monkeypatch.chdir(tmp_path)
    store = SubscriptionStore(url)
    writer = threading.Thread(target=store.save, args=(RFC8291.subscription, "key"))
    writer.start()
    writer.join()
    assert store.count() == 1
    store.close()
    assert list(tmp_path.iterdir()) == []


NAMES = ["p%20q", "what?x=1", "a#b", "ü", 'quote"d', "it's", "two words", "new\nline", "~", "~root"]
NAMES += [":memory:", "file:x?mode=memory", "&mode=ro", "x?uri=true", "back\\slash", "\udcff", "%00"]


@pytest.mark.parametrize("name", NAMES)
def test_the_url_of_a_file_leads_to_this_file(tmp_path, monkeypatch, name):
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(tmp_path)  # A name such as ":memory:" is relative to this one.
    stores = [Store(sqlite_url(Path(name) / "one")), SubscriptionStore(sqlite_url(folder / "two"))]
    names = {file.name.partition("-")[0] for file in folder.iterdir()}
    assert names == {"one", "two"} and [file.name for file in tmp_path.iterdir()] == [name]
    for store in stores:
        store.close()
