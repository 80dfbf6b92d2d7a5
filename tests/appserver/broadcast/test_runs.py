"""What is recorded of notify-alls, and what is forgotten; in SQLite and in PostgreSQL."""

import sqlite3

import pytest
from sqlalchemy import select
from sqlalchemy import text as sql

from pushlab.appserver import store as store_module
from pushlab.appserver.broadcast.runs import RUNS_KEPT, RecordedOutcome, Runs, never_sent, not_accepted
from pushlab.appserver.store import SubscriptionStore, subscriptions
from pushlab.errors import BadField, DatabaseLocked, UnableToWriteDatabase

DIGEST = bytes(range(32))


@pytest.fixture
def store(database_url):
    store = SubscriptionStore(database_url)
    yield store
    store.close()


@pytest.fixture
def people(store, subscriber):
    """Save four subscriptions, and return their numbers."""
    for number in range(4):
        store.save(subscriber(f"https://push.example.net/push/{number}").subscription, "KEY")
    return [stored.number for stored in store.all()]


def test_a_run_is_recorded(store, people):
    times = iter([10.0, 20.0])
    runs = Runs(store, lambda: next(times))
    run = runs.begin(DIGEST, number=7)
    assert (runs.get(run).ended_at, runs.get(run).outcomes) == (None, {})
    kinds = ["accepted", "retried", "refused", "failed"]
    runs.record(run, [RecordedOutcome(n, kind, 201, 1) for n, kind in zip(people, kinds, strict=True)])
    runs.end(run)
    [known] = runs.all()
    assert known == runs.get(run)
    assert (known.run, known.number, known.digest) == (run, 7, DIGEST)
    assert (known.began_at, known.ended_at) == (10.0, 20.0)
    assert known.outcomes == dict.fromkeys(kinds, 1)
    assert DIGEST.hex() not in repr(known) and repr(DIGEST) not in repr(known)


def test_who_is_gone_is_removed_and_nobody_else(store, people):
    runs = Runs(store)
    run = runs.begin(DIGEST)
    kinds = ["accepted", "gone", "refused", "failed"]
    runs.record(run, [RecordedOutcome(n, kind, None, 1) for n, kind in zip(people, kinds, strict=True)])
    assert [stored.number for stored in store.all()] == [people[0], *people[2:]]
    assert runs.get(run).outcomes["gone"] == 1


def test_who_is_left_is_everybody_who_is_not_accepted(store, people):
    runs = Runs(store)
    other, run = runs.begin(DIGEST), runs.begin(DIGEST)
    runs.record(run, [
        RecordedOutcome(people[1], "accepted", 201, 1),
        RecordedOutcome(people[2], "failed", 1, 1),
    ])  # fmt: skip
    runs.record(other, [RecordedOutcome(people[0], "accepted", 201, 1)])
    left = [stored.number for batch in store.batches(where=not_accepted(run)) for stored in batch]
    assert left == [people[0], people[2], people[3]]
    assert store.count(not_accepted(run)) == 3 and store.count() == 4


def test_postgresql_looks_each_record_up_even_without_statistics(postgres_url):
    """It used to compare every record with every subscription: 100,000 of them took minutes."""
    store = SubscriptionStore(postgres_url)
    Runs(store)
    for left in (not_accepted(1), never_sent(1)):
        query = select(subscriptions).where(left).order_by(subscriptions.c.number).limit(500)
        with store._engine.begin() as connection:
            text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
            plan = "\n".join(connection.scalars(sql(f"EXPLAIN {text}")))
        assert "Index Scan using deliveries_pkey" in plan
        assert "Join" not in plan, plan
    store.close()


def test_a_later_outcome_replaces_an_earlier_one(store, people):
    runs = Runs(store)
    run = runs.begin(DIGEST)
    runs.record(run, [RecordedOutcome(people[0], "retried", 503, 4)])
    runs.record(run, [RecordedOutcome(people[0], "accepted", 201, 1)])
    assert runs.get(run).outcomes == {"accepted": 1}


def test_who_has_accepted_stays_so_and_a_record_may_be_repeated(store, people):
    """A commit whose answer was lost is repeated, and a worker believed dead may record late."""
    runs = Runs(store)
    run = runs.begin(DIGEST)
    outcomes = [
        RecordedOutcome(people[0], "accepted", 201, 1),
        RecordedOutcome(people[1], "gone", 410, 1),
    ]
    for _ in range(2):
        runs.record(run, outcomes)
    runs.record(run, [RecordedOutcome(people[0], "failed", None, 1)])
    assert runs.get(run).outcomes == {"accepted": 1, "gone": 1} and store.count() == 3
    # A worker that is given a range again may record both outcomes at once.
    twice = [RecordedOutcome(people[2], kind, 201, 1) for kind in ("retried", "accepted", "failed")]
    runs.record(run, twice)
    assert runs.get(run).outcomes == {"accepted": 2, "gone": 1}


def test_one_transaction_or_nothing(store, people):
    runs = Runs(store)
    run = runs.begin(DIGEST)
    runs.record(run, [RecordedOutcome(people[0], "accepted", 201, 1)])
    with pytest.raises(UnableToWriteDatabase):
        runs.record(run, [
            RecordedOutcome(people[1], "gone", 410, 1),
            RecordedOutcome(people[2], None, 410, 1),
        ])  # fmt: skip
    assert runs.get(run).outcomes == {"accepted": 1} and store.count() == 4


def test_old_runs_are_forgotten_with_their_outcomes(store, people):
    runs = Runs(store)
    first = runs.begin(DIGEST)
    runs.record(first, [RecordedOutcome(people[0], "accepted", 201, 1)])
    later = [runs.begin(DIGEST) for _ in range(RUNS_KEPT)]
    assert [known.run for known in runs.all()] == later
    assert store.count(not_accepted(first)) == 4, "its outcomes are gone, too"
    with pytest.raises(BadField, match=f"no record of notify-all {first}"):
        runs.get(first)


def test_runs_are_counted_when_they_are_forgotten_because_numbers_have_gaps(postgres_url):
    """After a crash PostgreSQL goes on some numbers later."""
    store = SubscriptionStore(postgres_url)
    runs = Runs(store)
    first = runs.begin(DIGEST)
    with store._engine.begin() as connection:
        connection.exec_driver_sql("SELECT setval('broadcasts_run_seq', 40)")
    later = [runs.begin(DIGEST) for _ in range(RUNS_KEPT - 1)]
    assert [known.run for known in runs.all()] == [first, *later] and later[0] == 41
    store.close()


def test_a_number_is_not_given_twice(store, people, subscriber):
    last = list(store.all())[-1]
    store.remove(last.subscription.endpoint)
    store.save(subscriber("https://push.example.net/push/new").subscription, "KEY")
    assert list(store.all())[-1].number > last.number


def test_another_process_reads_what_is_recorded(store, people, database_url):
    run = Runs(store).begin(DIGEST, number=3)
    other = SubscriptionStore(database_url)
    assert Runs(other).get(run).number == 3
    other.close()


def test_a_database_that_is_held_by_another_is_said_so(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "BUSY_TIMEOUT", 0.05)
    held = SubscriptionStore(f"sqlite:///{tmp_path / 'a.sqlite3'}")
    runs = Runs(held)
    other = sqlite3.connect(tmp_path / "a.sqlite3")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseLocked, match="locked"):
        runs.begin(DIGEST)
    other.close()
    assert runs.begin(DIGEST)
    held.close()
