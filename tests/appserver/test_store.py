"""The store: what goes in is checked, what is in is not lost; in SQLite and in PostgreSQL."""

import sqlite3
import stat
import threading
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import select, text

from pushlab.appserver import store as module
from pushlab.appserver.store import SubscriptionStore, subscriptions
from pushlab.errors import (
    BadDatabaseUrl,
    DatabaseLocked,
    EndpointNotAllowed,
    StoreError,
    SubscriptionError,
    UnableToReadDatabase,
    UnableToSaveSubscription,
)
from pushlab.protocol.subscription import PushSubscription

HTTPS = "https://push.example.net/push/"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "appserver.sqlite3"


@pytest.fixture
def store(database_url):
    """A store in a database of either kind."""
    store = SubscriptionStore(database_url, clock=lambda: 1000.0)
    yield store
    store.close()


@pytest.fixture
def sqlite_store(path):
    store = SubscriptionStore(f"sqlite:///{path}", ["http://127.0.0.1:8030"])
    yield store
    store.close()


@pytest.fixture
def subscription(subscriber):
    return subscriber(HTTPS + "one").subscription


def test_what_is_saved_comes_back(store, subscription):
    subscription = replace(subscription, expiration_time=1_800_000_000_000)
    assert store.save(subscription, "KEY", "Firefox") is True
    stored = store.get(subscription.endpoint)
    assert stored.subscription == subscription
    assert stored.subscription.to_json() == subscription.to_json(), "the time is a whole number still"
    assert (stored.application_server_key, stored.display_name, stored.created_at) == (
        "KEY",
        "Firefox",
        1000.0,
    )
    assert list(store.all()) == [stored]
    assert store.count() == 1


def test_a_subscription_without_keys_comes_back_and_gets_them_later(store, subscription):
    keyless = PushSubscription(subscription.endpoint)
    assert store.save(keyless, "KEY", "Firefox") is True
    assert store.get(keyless.endpoint).subscription == keyless
    with store._engine.connect() as connection:  # as the table of an older lab: no NULL
        keys = connection.execute(select(subscriptions.c.p256dh, subscriptions.c.auth)).all()
    assert keys == [(b"", b"")]
    assert store.save(subscription, "KEY", "Firefox") is False
    assert [stored.subscription for stored in store.all()] == [subscription]


def test_the_same_endpoint_twice_is_an_update(store, subscriber):
    one, two = subscriber(HTTPS + "one").subscription, subscriber(HTTPS + "one").subscription
    assert store.save(one, "KEY", "Firefox") is True
    assert store.save(two, "OTHER", "Chrome") is False
    assert store.count() == 1
    stored = store.get(HTTPS + "one")
    assert stored.subscription == two != one
    assert (stored.application_server_key, stored.display_name) == ("OTHER", "Chrome")


def test_what_is_unknown_is_none(store):
    assert store.get(HTTPS + "none") is None
    assert store.remove(HTTPS + "none") is False
    assert store.get("\0") is None and store.remove("\0") is False
    assert list(store.all()) == [] and store.count() == 0
    assert store.newest(5) == (0, [])


def test_remove_takes_the_one_and_leaves_the_others(store, subscriber):
    for name in ("one", "two", "three"):
        store.save(subscriber(HTTPS + name).subscription, "KEY")
    assert store.remove(HTTPS + "two") is True
    assert [stored.subscription.endpoint for stored in store.all()] == [
        HTTPS + "one",
        HTTPS + "three",
    ]


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("https://push.example.net/a", True),
        ("https://127.0.0.1:8030/a", True),
        ("http://127.0.0.1:8030/a", True),
        ("http://127.0.0.1:8031/a", False),
        ("http://localhost:8030/a", False),
        ("http://push.example.net/a", False),
    ],
)
def test_plain_http_is_for_the_labs_own_push_service(sqlite_store, subscriber, endpoint, allowed):
    store = sqlite_store
    if allowed:
        assert store.save(subscriber(endpoint).subscription, "KEY")
    else:
        with pytest.raises(EndpointNotAllowed):
            store.save(subscriber(endpoint).subscription, "KEY")
    assert store.count() == int(allowed)


def test_batches_lose_nothing_and_repeat_nothing_while_others_write(store, subscriber):
    names = [f"{number:02}" for number in range(25)]
    for name in names:
        store.save(subscriber(HTTPS + name).subscription, "KEY")
    seen = []
    for batch in store.batches(size=10):
        assert len(batch) <= 10
        seen += [stored.subscription.endpoint.removeprefix(HTTPS) for stored in batch]
        for gone in seen[-3:]:
            store.remove(HTTPS + gone)
    assert seen == names
    assert store.count() == 25 - 9


def test_a_new_store_reads_the_database_of_an_old_one(store, database_url, subscription):
    store.save(subscription, "KEY")
    store.close()
    again = SubscriptionStore(database_url)
    assert again.get(subscription.endpoint).subscription == subscription
    again.close()


def test_the_file_is_for_its_owner_and_keeps_a_write_ahead_log(sqlite_store, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_threads_share_one_store(store, subscriber):
    def save(number):
        new.append(store.save(subscriber(f"{HTTPS}{number % 10}").subscription, "KEY"))

    new: list[bool] = []
    threads = [threading.Thread(target=save, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count() == 10 and sum(new) == 10


def test_a_store_in_memory_is_one_for_all_threads(subscription):
    store = SubscriptionStore()
    thread = threading.Thread(target=store.save, args=(subscription, "KEY"))
    thread.start()
    thread.join()
    assert store.count() == 1
    store.close()


NO_UTF8 = object()  # as text, which Python's driver cannot write
BAD_ROWS = {
    "a host that no name may have": ("endpoint", "https://a..b/x"),
    "no URL": ("endpoint", "no URL"),
    "no text": ("endpoint", b"\xff"),
    "no UTF-8": ("endpoint", NO_UTF8),
    "no point": ("p256dh", bytes(65)),
    "text for a point": ("p256dh", "x" * 65),
    "no secret": ("auth", b""),
    "no time": ("expiration_time", "soon"),
    "an endless time": ("expiration_time", float("inf")),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_row_that_is_no_subscription_is_left_out_and_told_of(sqlite_store, path, subscriber, name):
    column, value = BAD_ROWS[name]
    for one in ("one", "two", "three"):
        sqlite_store.save(subscriber(HTTPS + one).subscription, "KEY")
    with closing(sqlite3.connect(path)) as connection, connection:
        new, values = ("CAST(X'FF' AS TEXT)", []) if value is NO_UTF8 else ("?", [value])
        connection.execute(f"UPDATE subscriptions SET {column} = {new} WHERE number = 2", values)  # noqa: S608 — the columns above
    told = []
    read = [
        stored.number
        for batch in sqlite_store.batches(
            unreadable=lambda number, error: told.append((number, type(error)))
        )
        for stored in batch
    ]
    assert read == [stored.number for stored in sqlite_store.all()] == [1, 3]
    [(number, error)] = told
    assert number == 2 and issubclass(error, SubscriptionError)
    assert [stored.number for stored in sqlite_store.newest(10)[1]] == [1, 3]
    assert sqlite_store.get(HTTPS + "two") is None
    # The page subscribes at its next load, and the row is good again.
    again = subscriber(HTTPS + "two").subscription
    sqlite_store.save(again, "KEY")
    assert sqlite_store.get(HTTPS + "two").subscription == again


@pytest.mark.parametrize(("column", "value"), [("who", b"Ada"), ("created_at", "soon")])
def test_a_row_whose_name_or_time_is_spoilt_still_gets_its_message(
    sqlite_store, path, subscription, column, value
):
    sqlite_store.save(subscription, "KEY", "Ada")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE subscriptions SET {column} = ?", [value])  # noqa: S608 — the columns above
    [stored] = sqlite_store.all()
    assert stored.subscription == subscription
    assert (stored.display_name, stored.created_at > 0) in [("", True), ("Ada", False)]


def test_postgresql_holds_no_such_row_either_as_far_as_its_types_allow(postgres_url, subscriber):
    store = SubscriptionStore(postgres_url)
    for one in ("one", "two", "three"):
        store.save(subscriber(HTTPS + one).subscription, "KEY")
    good = store.get(HTTPS + "two").subscription
    for name in ("a host that no name may have", "no URL", "no point", "no secret", "an endless time"):
        column, value = BAD_ROWS[name]
        update = text(f"UPDATE subscriptions SET {column} = :value WHERE number = 2")  # noqa: S608 — the columns above
        with store._engine.begin() as connection:
            connection.execute(update, {"value": value})
        told = []
        read = [
            stored.number
            for batch in store.batches(unreadable=lambda number, error, told=told: told.append(number))
            for stored in batch
        ]
        assert (read, told) == ([1, 3], [2]), name
        with store._engine.begin() as connection:
            connection.execute(subscriptions.delete().where(subscriptions.c.number == 2))
            connection.execute(
                subscriptions.insert().values(
                    number=2, endpoint=good.endpoint, p256dh=good.p256dh, auth=good.auth,
                    application_server_key="KEY", who="", created_at=0,
                )
            )  # fmt: skip
    assert [stored.number for stored in store.all()] == [1, 2, 3]
    store.close()


def test_a_batch_that_could_not_be_read_is_read_later(store, subscriber, monkeypatch):
    for number in range(5):
        store.save(subscriber(f"{HTTPS}{number}").subscription, "KEY")
    batches = store.batches(size=2)
    seen = [len(next(batches))]
    for _ in range(2):
        with monkeypatch.context() as broken:
            broken.setattr(batches, "_where", text("nonsense"))
            with pytest.raises(UnableToReadDatabase):
                next(batches)
        seen.append(len(next(batches)))
    assert seen == [2, 2, 1] and list(batches) == []


# --- when the database does not want ------------------------------------------------------------


def test_a_locked_database_is_an_error_and_loses_nothing(path, subscriber, subscription, monkeypatch):
    monkeypatch.setattr(module, "BUSY_TIMEOUT", 0.05)
    store = SubscriptionStore(f"sqlite:///{path}")
    store.save(subscription, "KEY")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseLocked, match="locked"):
        store.save(subscriber(HTTPS + "two").subscription, "KEY")
    with pytest.raises(DatabaseLocked, match="locked"):
        store.save(replace(subscription, auth=bytes(16)), "OTHER")
    with pytest.raises(StoreError, match="locked"):
        store.remove(subscription.endpoint)
    assert [stored.subscription for stored in store.all()] == [subscription], "reading goes on"
    other.rollback()
    other.close()
    assert store.save(subscriber(HTTPS + "two").subscription, "KEY") is True
    assert store.count() == 2
    store.close()


def test_a_full_database_is_an_error_and_loses_nothing(sqlite_store, subscriber, subscription):
    sqlite_store.save(subscription, "KEY")
    with sqlite_store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # no page can be added from now on
    with pytest.raises(UnableToSaveSubscription, match="application server's database .* full"):
        for number in range(100):
            sqlite_store.save(subscriber(f"{HTTPS}{number}{'x' * 1000}").subscription, "KEY")
    with sqlite_store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000")
    assert sqlite_store.get(subscription.endpoint).subscription == subscription
    assert sqlite_store.save(subscriber(HTTPS + "two").subscription, "KEY") is True


def test_a_read_only_database_can_be_read(sqlite_store, path, subscription):
    sqlite_store.save(subscription, "KEY")
    sqlite_store.close()
    reading = SubscriptionStore(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert reading.count() == 1
    with pytest.raises(UnableToSaveSubscription, match="readonly"):
        reading.save(subscription, "OTHER")
    with pytest.raises(StoreError, match="readonly"):
        reading.remove(subscription.endpoint)
    assert reading.get(subscription.endpoint).application_server_key == "KEY"
    reading.close()


def test_an_error_shows_no_endpoint(sqlite_store, path, subscription):
    sqlite_store.save(subscription, "KEY")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE subscriptions")
    connection.close()
    store = sqlite_store
    for call in (lambda: store.get(subscription.endpoint), lambda: store.save(subscription, "KEY"),
                 store.count, lambda: list(store.all())):  # fmt: skip
        with pytest.raises(StoreError) as caught:
            call()
        assert "no such table" in str(caught.value)
        assert "example.net" not in str(caught.value) and caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("nonsense", BadDatabaseUrl),
        ("nosuchdb://host/name", BadDatabaseUrl),
        ("sqlite:////nowhere/at/all.sqlite3", UnableToReadDatabase),
        ("sqlite:///{folder}", UnableToReadDatabase),
    ],
)
def test_a_database_that_cannot_be_opened(url, error, tmp_path):
    with pytest.raises(error):
        SubscriptionStore(url.format(folder=tmp_path))


def test_a_file_that_is_no_database_is_left_alone(path):
    path.write_bytes(b"my diary, " * 1000)
    with pytest.raises(UnableToReadDatabase, match="not a database"):
        SubscriptionStore(f"sqlite:///{path}")
    assert path.read_bytes() == b"my diary, " * 1000
