"""The URL of a database: what it can be wrong in, and which file it leads to."""

import os
import sys
import threading
from pathlib import Path

import pytest

from pushlab.appserver.store import SubscriptionStore
from pushlab.errors import (
    BadDatabaseUrl,
    DatabaseDriverMissing,
    UnableToReadDatabase,
)
from pushlab.protocol.examples import RFC8291
from pushlab.pushservice.store import Store
from pushlab.server import database
from pushlab.server.database_errors import translate_errors
from pushlab.server.database_url import is_file, sqlite_url

from .conftest import modes

# --- what a URL can be wrong in -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("postgresql+psycopg://me:pa55word@127.0.0.1/lab", 'pip install "psycopg[binary]"'),
        ("postgresql+pg8000://me:pa55word@127.0.0.1/lab", "pip install pg8000"),
    ],
)
def test_a_driver_that_is_not_installed_is_named_with_the_command_that_installs_it(
    url, package, monkeypatch
):
    # It may be installed where this test runs. None in this table makes its import fail.
    for module in ("psycopg", "pg8000"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DatabaseDriverMissing) as caught:
        database.connect(url, "application server", busy_timeout=1)
    message = str(caught.value)
    assert package in message and "Fault: application server." in message
    assert "For psycopg, this command does it: ./lab setup --scale" in message
    assert "disk space" not in message and "pa55word" not in message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "cannot be read"),
        ("pa55word", "cannot be read"),
        ("postgresql://me:pa55word@127.0.0.1:port/lab", "cannot be read"),
        ("a+b+c://me:pa55word@127.0.0.1", "begins with a+b+c://, and SQLAlchemy knows no"),
        ("postgres://me:pa55word@127.0.0.1/lab", "begins with postgres://, and SQLAlchemy knows no"),
        ("mysql+pymysql://me:pa55word@127.0.0.1/lab", "works with SQLite and PostgreSQL alone"),
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
        translate_errors(UnableToReadDatabase, "push service"),
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


@pytest.mark.skipif(os.name != "posix", reason="a link needs a right of its own on Windows")
def test_a_file_is_itself_by_any_name_also_where_links_lead_in_a_circle(tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("one", "link/one", "circle/one"):
        url = sqlite_url(tmp_path / name)
        assert is_file(url, tmp_path / name.removeprefix("link/"), "push service"), name
        assert not is_file(url, tmp_path / "two", "push service"), name


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
