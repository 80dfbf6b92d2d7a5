"""Tables that another version has made: none is changed, and what is missing is named."""

import sqlite3
from contextlib import closing

import pytest

from pushlab.appserver.store import SubscriptionStore
from pushlab.errors import (
    UnableToReadDatabase,
)
from pushlab.pushservice.store import Store

from .conftest import modes


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
