"""What is recorded of notify-alls, and what is forgotten."""

import sqlite3

import pytest

from pushlab.appserver import store as store_module
from pushlab.appserver.broadcast.runs import RUNS_KEPT, RecordedOutcome, Runs, not_accepted
from pushlab.appserver.store import SubscriptionStore
from pushlab.errors import BadField, DatabaseLocked, UnableToWriteDatabase

DIGEST = bytes(range(32))


@pytest.fixture
def store(tmp_path):
    store = SubscriptionStore(f"sqlite:///{tmp_path / 'a.sqlite3'}")
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


def test_going_on_replaces_an_outcome(store, people):
    runs = Runs(store)
    run = runs.begin(DIGEST)
    runs.record(run, [RecordedOutcome(people[0], "retried", 503, 4)])
    runs.record(run, [RecordedOutcome(people[0], "accepted", 201, 1)], again=True)
    assert runs.get(run).outcomes == {"accepted": 1}


def test_one_transaction_or_nothing(store, people):
    runs = Runs(store)
    run = runs.begin(DIGEST)
    runs.record(run, [RecordedOutcome(people[0], "accepted", 201, 1)])
    with pytest.raises(UnableToWriteDatabase):
        runs.record(run, [
            RecordedOutcome(people[1], "gone", 410, 1),
            RecordedOutcome(people[0], "gone", 410, 1),
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


def test_a_number_is_not_given_twice(store, people, subscriber):
    last = list(store.all())[-1]
    store.remove(last.subscription.endpoint)
    store.save(subscriber("https://push.example.net/push/new").subscription, "KEY")
    assert list(store.all())[-1].number > last.number


def test_another_process_reads_what_is_recorded(store, people, tmp_path):
    run = Runs(store).begin(DIGEST, number=3)
    other = SubscriptionStore(f"sqlite:///{tmp_path / 'a.sqlite3'}")
    assert Runs(other).get(run).number == 3
    other.close()


def test_a_database_that_is_held_by_another_is_said_so(store, people, tmp_path, monkeypatch):
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
