"""Each fault of a real PostgreSQL gets our own words, and a transaction that it undid is run again."""

import re
import threading
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, text
from sqlalchemy.exc import OperationalError

from pushlab.errors import (
    BadDatabaseUrl,
    DatabaseAccessDenied,
    DatabaseBusy,
    DatabaseLocked,
    DatabaseUnreachable,
    StoreError,
    UnableToReadDatabase,
    UnableToWriteDatabase,
)
from pushlab.server import database
from pushlab.server.database import CONNECTIONS, PAUSES
from pushlab.server.database_errors import translate_errors
from pushlab.server.tables import make_tables
from pushlab.settings import patience

from ..run.ports import free_port

OWNER = "application server"
THINGS = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("what", String, unique=True),
)


@pytest.fixture
def engine(postgres_url):
    engine = database.connect(postgres_url, OWNER, busy_timeout=0.2)
    with engine.begin() as connection:
        make_tables(connection, [THINGS], OWNER)
        connection.execute(THINGS.insert(), [{"what": "one"}, {"what": "two"}])
    yield engine
    engine.close()


class Attempts:
    """Work that counts how often it is begun. ``first``: statements of its first attempt alone."""

    def __init__(self, *first: str, then: str = "SELECT 1"):
        self.first, self.then, self.count = first, then, 0

    def __call__(self, connection):
        self.count += 1
        for statement in self.first if self.count == 1 else ():
            connection.execute(text(statement))
        return connection.execute(text(self.then)).scalar_one()


def fault(engine, *statements: str) -> StoreError:
    """Run statements in one transaction, and return how that fails."""

    def work(connection):
        for statement in statements:
            connection.execute(text(statement))

    with pytest.raises(StoreError) as caught:
        engine.run(work, UnableToWriteDatabase)
    assert caught.value.fault == OWNER and caught.value.__suppress_context__
    return caught.value


def raising(state: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION 'its own words' USING ERRCODE = '{state}'; END $$"


# --- no connection ------------------------------------------------------------------------------


def test_why_there_is_no_connection_is_said_without_names_and_secrets(postgres_server, postgres_url):
    password, port = postgres_server.password, str(postgres_server.port)
    name = postgres_url.rpartition("/")[2]
    cases = {
        postgres_url.replace(port, str(free_port())): (DatabaseUnreachable, "no server listens"),
        f"{postgres_url}?host=/nowhere": (DatabaseUnreachable, "no server listens"),
        postgres_url.replace("127.0.0.1", "nobody..invalid"): (BadDatabaseUrl, "its driver cannot read"),
        postgres_url.replace(password, "pa55word"): (DatabaseAccessDenied, "user or the password"),
        postgres_url.replace(f":{password}", ""): (DatabaseAccessDenied, "user or the password"),
        # Docker's own example has a password that is the user's name: what is said has it in it.
        postgres_url.replace(password, "pushlab"): (DatabaseAccessDenied, "user or the password"),
        postgres_url.replace("pushlab", "somebody"): (DatabaseAccessDenied, "user or the password"),
        f"{postgres_url}x": (DatabaseAccessDenied, "no database of that name"),
        f"{postgres_url}?sslmode=perhaps": (BadDatabaseUrl, "an option, or a value"),
        f"{postgres_url}?nonsense=x": (BadDatabaseUrl, "an option, or a value"),
        f"{postgres_url}?sslmode=require": (DatabaseUnreachable, "no connection: .*SSL"),
    }
    for url, (error, words) in cases.items():
        engine = database.connect(url, OWNER, busy_timeout=1)
        refused = fault(engine, "SELECT 1")
        engine.close()
        assert type(refused) is error, (url, refused)
        assert refused.status == (503 if error is DatabaseUnreachable else 500)
        message = str(refused)
        assert re.search(words, message), message
        for secret in (
            password,
            "pa55word",
            "somebody",
            "nobody",
            "127.0.0.1",
            "nowhere",
            port,
            name,
            "disk",
        ):
            assert secret not in message, (url, message)


def test_what_else_its_library_says_is_understood():
    texts = {
        "failed to resolve host 'nobody.example.net': Name or service not known": "name of its host",
        'connection failed: could not translate host name "nobody.example.net"': "name of its host",
        'connection failed: connection to server at "192.0.2.7", port 5432 failed: timeout expired':
            "not answered in time",
        "connection timeout expired": "not answered in time",
        'connection to server at "nobody" (192.0.2.7), port 5432 failed: FATAL:  the database system is '
        "starting up": "stopping or starting",
        "FATAL:  remaining connection slots are reserved for superusers": "as many connections",
        'FATAL:  no pg_hba.conf entry for host "192.0.2.7", user "nobody", database "x", no encryption':
            "user or the password",
        'connection to server at "192.0.2.7", port 5432 failed: SSL error: certificate verify failed':
            "no connection: SSL error: certificate verify failed",
        'connection failed: FATAL:  Passwort-Authentifizierung für Benutzer »nobody« fehlgeschlagen':
            "no connection: FATAL:  Passwort-Authentifizierung für Benutzer … fehlgeschlagen",
    }  # fmt: skip
    for said, words in texts.items():
        error = OperationalError(None, None, psycopg.OperationalError(said))
        with pytest.raises(StoreError, match=words) as caught:
            with translate_errors(UnableToReadDatabase, OWNER):
                raise error
        assert "nobody" not in str(caught.value) and "192.0.2.7" not in str(caught.value)


def test_a_server_with_all_its_connections_in_use_is_busy(postgres_server, postgres_url):
    postgres_server.execute("ALTER ROLE pushlab CONNECTION LIMIT 0")
    try:
        with closing(database.connect(postgres_url, OWNER, busy_timeout=1)) as engine:
            busy = fault(engine, "SELECT 1")
    finally:
        postgres_server.execute("ALTER ROLE pushlab CONNECTION LIMIT -1")
    assert (type(busy), busy.status) == (DatabaseBusy, 503)
    assert "as many connections as it accepts" in str(busy)


def test_a_socket_in_a_folder_does_too(postgres_server, postgres_url):
    name = postgres_url.rpartition("/")[2]
    url = (
        f"postgresql+psycopg://pushlab@/{name}?host={postgres_server.folder}&port={postgres_server.port}"
    )
    with closing(database.connect(url, OWNER, busy_timeout=1)) as engine:
        assert engine.run(Attempts(), UnableToReadDatabase) == 1


# --- faults of a statement ----------------------------------------------------------------------

BY_SQLSTATE = {
    "08006": (DatabaseUnreachable, "was lost"),
    "25006": (UnableToWriteDatabase, "only be read.*Give the URL of the server that may be written"),
    "40001": (DatabaseLocked, "in the way"),
    "40003": (DatabaseUnreachable, "while a change was being stored"),
    "40P01": (DatabaseLocked, "in the way"),
    "53100": (UnableToWriteDatabase, "disk of its server is full.*Make room"),
    "53200": (DatabaseBusy, "no memory"),
    "53300": (DatabaseBusy, "connections"),
    "57014": (DatabaseBusy, "too long"),
    "57P03": (DatabaseUnreachable, "stopping or starting"),
    "58030": (UnableToWriteDatabase, "says: its own words.*log of the database's server"),
    "XX000": (UnableToWriteDatabase, "says: its own words.*log of the database's server"),
}


def test_each_sqlstate_has_its_error(engine, monkeypatch):
    monkeypatch.setattr(database, "PAUSES", ())
    for state, (error, words) in BY_SQLSTATE.items():
        found = fault(engine, raising(state))
        assert type(found) is error, state
        with pytest.raises(error, match=words):
            raise found
        assert found.status == (500 if error is UnableToWriteDatabase else 503)
        assert "other program" not in str(found), "that is about a file"


def test_what_a_transaction_meets_has_its_words(engine, postgres_server, postgres_url):
    name = postgres_url.rpartition("/")[2]
    postgres_server.execute("CREATE TABLE secrets (id integer)", name)
    cases = {
        "SELECT * FROM secrets": (DatabaseAccessDenied, "lacks a permission"),
        "SELECT * FROM nothing": (UnableToWriteDatabase, 'says: relation "nothing" does not exist'),
        "SET LOCAL statement_timeout = 20; SELECT pg_sleep(60)": (DatabaseBusy, "took too long"),
        "SET TRANSACTION READ ONLY; DELETE FROM things": (UnableToWriteDatabase, "only be read"),
        "SELECT nextval('nothing')": (UnableToWriteDatabase, "does not exist"),
    }
    for statements, (error, words) in cases.items():
        with pytest.raises(error, match=words):
            raise fault(engine, *statements.split("; "))
    assert engine.run(Attempts(then="SELECT count(*) FROM things"), UnableToReadDatabase) == 2


def test_no_value_is_shown(engine):
    """PostgreSQL quotes the row in the details of its message."""
    twice = fault(engine, "INSERT INTO things (what) VALUES ('endpoint'), ('endpoint')")
    assert "duplicate key value" in str(twice) and "endpoint" not in str(twice)


def test_a_row_that_another_holds_is_waited_for_but_not_for_long(engine, postgres_url):
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as other:
        other.execute("UPDATE things SET what = 'mine' WHERE what = 'one'")
        locked = fault(engine, "DELETE FROM things")
        assert (type(locked), locked.status) == (DatabaseLocked, 503)
        assert "another transaction holds" in str(locked)
        other.rollback()
    assert engine.run(lambda c: c.execute(THINGS.delete()).rowcount, UnableToWriteDatabase) == 2


# --- what is run again --------------------------------------------------------------------------


def test_a_serialisation_failure_is_run_again_and_not_for_ever(engine):
    once = Attempts(raising("40001"))
    assert engine.run(once, UnableToWriteDatabase) == 1 and once.count == 2
    always = Attempts(then=raising("40001"))
    with pytest.raises(DatabaseLocked):
        engine.run(always, UnableToWriteDatabase)
    assert always.count == 1 + len(PAUSES)
    never = Attempts(then=raising("53100"))
    with pytest.raises(UnableToWriteDatabase):
        engine.run(never, UnableToWriteDatabase)
    assert never.count == 1


def test_two_transactions_that_wait_for_each_other_both_succeed(postgres_url):
    engine = database.connect(postgres_url, OWNER, busy_timeout=10)
    with engine.begin() as connection:
        make_tables(connection, [THINGS], OWNER)
        connection.execute(THINGS.insert(), [{"what": "one"}, {"what": "two"}])
    both, attempts, done = threading.Barrier(2), [], []

    def change(first: int, second: int) -> None:
        def work(connection):
            attempts.append(first)
            for number in (first, second):
                row = THINGS.update().where(THINGS.c.id == number)
                connection.execute(row.values(what=THINGS.c.what + "x"))
                if number == first and attempts.count(first) == 1:
                    both.wait(patience(20))

        engine.run(work, UnableToWriteDatabase)
        done.append(first)

    threads = [threading.Thread(target=change, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience(60))
    assert sorted(done) == [1, 2] and len(attempts) >= 3, "one of them was the victim"
    rows = engine.run(lambda c: c.scalars(text("SELECT what FROM things ORDER BY id")).all(), StoreError)
    assert rows == ["onexx", "twoxx"]
    engine.close()


def test_a_connection_that_is_lost_before_the_commit_is_made_again(engine, postgres_server):
    suicide = "SELECT pg_terminate_backend(pg_backend_pid())"
    meanwhile = Attempts("INSERT INTO things (what) VALUES ('three')", suicide)
    meanwhile.then = "SELECT count(*) FROM things"
    assert engine.run(meanwhile, UnableToWriteDatabase) == 2 and meanwhile.count == 2

    with postgres_server.away():
        nobody = Attempts()
        with pytest.raises(DatabaseUnreachable, match="stopping|lost|no server listens"):
            engine.run(nobody, UnableToWriteDatabase)
        with pytest.raises(DatabaseUnreachable, match="no server listens"):
            engine.run(nobody, UnableToWriteDatabase)
    idle = Attempts()
    assert engine.run(idle, UnableToWriteDatabase) == 1


def test_a_connection_that_is_lost_at_the_commit_is_not_and_the_error_says_why(engine):
    """Nobody knows whether the server has committed."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            """
            CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
            CREATE CONSTRAINT TRIGGER late AFTER INSERT ON things
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crash();
            """
        )
    once = Attempts(then="INSERT INTO things (what) VALUES ('three') RETURNING id")
    with pytest.raises(DatabaseUnreachable, match="while a change was being stored.*look whether"):
        engine.run(once, UnableToWriteDatabase)
    assert once.count == 1


# --- more than one at a time --------------------------------------------------------------------


def test_some_transactions_run_at_one_time_and_close_waits_for_all(postgres_url):
    engine = database.connect(postgres_url, OWNER, busy_timeout=1)
    all_there, may_end, results = threading.Barrier(CONNECTIONS + 1), threading.Event(), []

    def work(connection):
        connection.execute(text("SELECT 1"))
        all_there.wait(patience(20))
        assert may_end.wait(patience(20))
        return connection.execute(text("SELECT 1")).scalar_one()

    threads = [
        threading.Thread(target=lambda: results.append(engine.run(work, UnableToReadDatabase)))
        for _ in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    all_there.wait(patience(20))
    closers = [threading.Thread(target=engine.close) for _ in range(2)]
    for closer in closers:
        closer.start()
    assert not results
    may_end.set()
    for thread in threads + closers:
        thread.join(patience(20))
    assert results == [1] * CONNECTIONS


def test_its_limits_are_set_unless_the_url_has_others(postgres_url):
    def shown(url: str, *names: str) -> list[str]:
        with closing(database.connect(url, OWNER, busy_timeout=2)) as engine:
            return engine.run(lambda c: [c.scalar(text(f"SHOW {name}")) for name in names], StoreError)

    names = "lock_timeout", "statement_timeout", "application_name"
    assert shown(postgres_url, *names) == ["2s", "2min", "pushlab"]
    own = f"{postgres_url}?options=-c%20lock_timeout%3D7s&application_name=mine"
    assert shown(own, *names) == ["7s", "0", "mine"]


def test_nothing_is_prepared_for_a_pooler_may_run_the_next_transaction_in_another_session(engine):
    for _ in range(10):
        prepared = engine.run(Attempts(then="SELECT count(*) FROM pg_prepared_statements"), StoreError)
        assert prepared == 0


def test_servers_that_start_at_the_same_moment_make_the_tables_once(database_url):
    begin, faults = threading.Barrier(6), []

    def start() -> None:
        engine = database.connect(database_url, OWNER, busy_timeout=20)
        try:
            begin.wait(patience(20))
            engine.run(lambda c: make_tables(c, [THINGS], OWNER), UnableToReadDatabase)
        except StoreError as error:
            faults.append(error)
        finally:
            engine.close()

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience(60))
    assert faults == []


def test_a_database_of_another_version_is_refused_and_says_what_to_do(engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE things DROP COLUMN what")
    with pytest.raises(UnableToReadDatabase, match="things lacks what.*another database, or rename"):
        engine.run(lambda c: make_tables(c, [THINGS], OWNER), UnableToReadDatabase)
