"""The store: a change is read back as it was written, all of it or nothing, even if the disk fails."""

import sqlite3
import traceback
from contextlib import closing
from dataclasses import replace

import pytest

from pushlab.errors import DatabaseLocked, UnableToReadDatabase, UnableToWriteDatabase
from pushlab.pushservice import store as module
from pushlab.pushservice.mailbox import Change, Mailbox, Message, OldCoding, Subscription
from pushlab.pushservice.store import Store

KEY = bytes([4, *range(64)])
SUBSCRIPTION = Subscription("token", "agent", "channel", KEY, "Zoë")
MESSAGE = Message(1, "m1", "token", bytes(range(256)), 60, 1000.25, "high", "topic")


@pytest.fixture
def opened(tmp_path):
    """Open stores on one file; all are closed at the end."""
    stores = []

    def open_store(name: str = "push.sqlite3") -> Store:
        stores.append(Store(f"sqlite:///{tmp_path / name}"))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def test_a_database_from_before_the_older_coding_was_taken(opened, tmp_path):
    change = Change(subscribed=(SUBSCRIPTION,), stored=(MESSAGE,))
    opened().write(change)
    with closing(sqlite3.connect(tmp_path / "push.sqlite3")) as database:
        database.execute("DROP TABLE old_codings")
    assert opened().read() == change
    old = replace(MESSAGE, number=2, id="m2", old=OldCoding("salt=AAAA", "dh=BBBB"))
    opened().write(Change(stored=(old,)))
    assert opened().read().stored == (MESSAGE, old)
    opened().write(Change(dropped=(old,)))
    assert opened().read() == change


def test_what_is_written_is_read_back_exactly(opened):
    change = Change(
        subscribed=(SUBSCRIPTION, Subscription("t2", "agent", "second")),
        unsubscribed=("gone",),
        stored=(MESSAGE, Message(2, "m2", "t2", b"", 1, 0.0)),
    )
    opened().write(change)
    assert opened().read() == change


def test_messages_come_back_in_their_order(opened):
    later, earlier = (Message(number, f"m{number}", "t", b"", 1, 0.0) for number in (10, 9))
    opened().write(Change(stored=(later,)))
    opened().write(Change(stored=(earlier,)))
    assert opened().read().stored == (earlier, later)


def test_dropping_and_unsubscribing(opened):
    store = opened()
    store.write(Change(subscribed=(SUBSCRIPTION,), stored=(MESSAGE,)))
    store.write(Change(unsubscribed=("token",), dropped=(MESSAGE,)))
    assert store.read() == Change(unsubscribed=("token",))


def test_endpoints_given_up_come_back_in_their_order_and_the_oldest_are_forgotten(opened):
    names = [f"{number:02}" for number in (7, 3, 9, 1, 8, 2)]  # An index would sort them.
    for name in names:
        opened().write(Change(unsubscribed=(name,)))
    assert opened().read().unsubscribed == tuple(names)
    opened().write(Change(unsubscribed=("00",), forgotten=tuple(names[:2])))
    assert opened().read() == Change(unsubscribed=(*names[2:], "00"))


def test_a_change_is_written_whole_or_not_at_all(opened):
    store = opened()
    store.write(Change(subscribed=(SUBSCRIPTION,), stored=(MESSAGE,)))
    before = store.read()
    other = Message(2, "m2", "token", b"", 1, 0.0)
    with pytest.raises(UnableToWriteDatabase):  # m1 is there already
        store.write(Change(dropped=(), stored=(other, MESSAGE), unsubscribed=("token",)))
    assert store.read() == before
    store.write(Change(stored=(other,)))  # and the next change can be written


def test_a_file_has_a_write_ahead_log(opened, tmp_path):
    opened().write(Change(stored=(MESSAGE,)))
    reader = sqlite3.connect(tmp_path / "push.sqlite3")
    assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert reader.execute("SELECT id FROM messages").fetchall() == [("m1",)]
    reader.close()


def test_memory_is_forgotten():
    store = Store("sqlite://")
    store.write(Change(stored=(MESSAGE,)))
    assert store.read().stored == (MESSAGE,)
    store.close()
    again = Store("sqlite://")
    assert not again.read()
    again.close()


def test_a_locked_database_refuses_and_keeps_what_it_has(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.01)
    store = opened()
    store.write(Change(stored=(MESSAGE,)))
    intruder = sqlite3.connect(tmp_path / "push.sqlite3", isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseLocked, match="database is locked") as refused:
        store.write(Change(dropped=(MESSAGE,)))
    assert (refused.value.status, refused.value.fault) == (503, "push service")
    intruder.execute("ROLLBACK")
    intruder.close()
    assert store.read().stored == (MESSAGE,)
    store.write(Change(dropped=(MESSAGE,)))
    assert not store.read()


def test_a_full_disk_refuses_and_keeps_what_it_has(opened):
    store = opened()
    store.write(Change(subscribed=(SUBSCRIPTION,), stored=(MESSAGE,)))
    before = store.read()
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # no page can be added from now on
    big = tuple(Message(n, f"big{n}", "token", bytes(4096), 60, 0.0) for n in range(2, 9))
    with pytest.raises(UnableToWriteDatabase, match="full"):
        store.write(Change(stored=big))
    assert store.read() == before


def test_a_file_that_is_no_database_is_reported(tmp_path):
    (tmp_path / "push.sqlite3").write_bytes(b"not a database " * 100)
    with pytest.raises(UnableToReadDatabase, match="not a database"):
        Store(f"sqlite:///{tmp_path / 'push.sqlite3'}")
    with pytest.raises(UnableToReadDatabase, match="unable to open"):
        Store(f"sqlite:///{tmp_path / 'no such folder' / 'push.sqlite3'}")
    assert (tmp_path / "push.sqlite3").read_bytes() == b"not a database " * 100


def test_an_error_shows_no_endpoint(opened):
    store, secret = opened(), "secret"[::-1]
    again = Change(subscribed=(Subscription(secret, secret, "c"),))
    store.write(again)
    with pytest.raises(UnableToWriteDatabase) as refused:
        store.write(again)
    assert secret not in "".join(traceback.format_exception(refused.value))


def test_what_is_kept_under_a_name_is_replaced(opened):
    store = opened()
    assert store.kept("ports") is None
    store.keep("ports", b"one")
    store.keep("ports", b"two")
    assert opened().kept("ports") == b"two" and store.kept("other") is None
    assert not store.read(), "it is no part of the mailbox"


SPOILED = {
    "a message of nobody": "messages VALUES ('x', 9, 'nobody', x'00', 60, 0, 'low', NULL)",
    "a message of other types": "messages VALUES ('x', 'y', x'00', 'z', 'ttl', 'never', 7, x'00')",
    "a message whose number is too large to go on from": (
        f"messages VALUES ('x', {2**63 - 1}, 'token', x'00', 60, 0.0, 'low', NULL)"
    ),
    "a subscription of other types": "subscriptions VALUES (x'00', 7, x'ff', 'key', 'who')",
    "a coding without its message": "old_codings VALUES ('x', 'y', 'z')",
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_row_that_another_program_has_spoiled_is_left_out(opened, what):
    store = opened()
    whole = Change(subscribed=(SUBSCRIPTION,), stored=(MESSAGE,))
    store.write(whole)
    with store._engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO {SPOILED[what]}")
    assert store.read().without_orphans() == whole
    Mailbox(10).apply(store.read().without_orphans())
