"""A PostgreSQL whose processes are stopped in their tracks is not waited for without end."""

from contextlib import closing

import pytest
from sqlalchemy import text

from pushlab.errors import DatabaseUnreachable, UnableToReadDatabase
from pushlab.server import database, postgresql


def test_a_server_that_is_frozen_is_given_up_and_is_used_again(
    postgres_server, postgres_url, monkeypatch
):
    monkeypatch.setitem(database.LIBPQ, "connect_timeout", 2)

    def ask():
        return engine.run(lambda c: c.execute(text("SELECT 7")).scalar_one(), UnableToReadDatabase)

    with closing(database.connect(postgres_url, "application server", busy_timeout=1)) as engine:
        assert ask() == 7
        monkeypatch.setattr(postgresql, "ANSWER_TIMEOUT", 2)
        monkeypatch.setattr(database, "PAUSES", (0.0,))
        with postgres_server.frozen(), pytest.raises(DatabaseUnreachable, match="answered|connection"):
            ask()
        monkeypatch.undo()
        assert ask() == 7
