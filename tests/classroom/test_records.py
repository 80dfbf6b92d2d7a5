"""What is kept of a class: each attempt once, within bounds, and through a restart."""

import threading

import pytest
from sqlalchemy import text

from pushlab.appserver.store import SubscriptionStore
from pushlab.classroom import records as module
from pushlab.classroom.attempt import ReceivedAttempt
from pushlab.classroom.records import ClassRecords
from pushlab.errors import (
    BadField,
    ClassFull,
    NotInClass,
    UnableToReadDatabase,
    UnknownParticipant,
)

from .conftest import Clock, told


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(clock):
    store = SubscriptionStore("sqlite://")
    yield ClassRecords(store, clock)
    store.close()


def record(records: ClassRecords, participant: int, *attempts: dict) -> int:
    return records.record(participant, [ReceivedAttempt.from_json(one) for one in attempts])


def the(records: ClassRecords, participant: int) -> dict:
    """Return the one row of progress of a participant."""
    [row] = records.mine(participant)["progress"]
    return row


def test_attempts_are_counted_and_the_same_step_in_a_row(records, clock):
    ada = records.join("Ada").number
    record(records, ada, told(1, "03.derive", "stub"))
    assert (the(records, ada)["attempts"], the(records, ada)["same"]) == (0, 0)
    for number, step in enumerate(["PRK", "IKM", "IKM", "IKM"], 2):
        record(records, ada, told(number, "03.derive", step=step))
    row = the(records, ada)
    assert (row["attempts"], row["step"], row["same"], row["passed_at"]) == (4, "IKM", 3, None)
    clock.now += 60
    record(records, ada, told(9, "03.derive", "passed", ago=10))
    row = the(records, ada)
    assert (row["attempts"], row["step"], row["same"]) == (5, "", 0)
    assert row["passed_at"] == clock.now - 10 and row["began_at"] == clock.now - 60
    record(records, ada, told(10, "03.derive", step="PRK"))
    assert the(records, ada)["passed_at"] == clock.now - 10, "what was passed once stays passed"


def test_an_attempt_that_arrives_twice_counts_once(records):
    ada = records.join("Ada").number
    both = told(5, "03.derive", step="PRK"), told(6, "03.derive", step="PRK")
    assert record(records, ada, *both) == 2
    assert record(records, ada, *both) == 0
    assert record(records, ada, told(4, "03.derive", "passed")) == 0, "a replay of an older one"
    assert record(records, ada, told(4, "03.encrypt", "passed")) == 1, "of another exercise it is none"
    assert len(records.mine(ada)["attempts"]) == 3


def test_a_secret_is_who_somebody_is_and_is_not_kept(records):
    ada, other = records.join("Ada"), records.join("Ada")
    assert records.participant(ada.secret) == ada.number != other.number
    for wrong in ("", "x", ada.secret[:-1], ada.secret + "x", "\ud800"):
        with pytest.raises(NotInClass):
            records.participant(wrong)
    assert ada.secret not in repr(ada) and ada.secret not in str(records.mine(ada.number))


@pytest.mark.parametrize("name", [None, 3, "", " \n ", "\u202e", ["Ada"]])
def test_a_name_of_which_nothing_can_be_shown_is_refused(records, name):
    with pytest.raises(BadField, match="name is missing"):
        records.join(name)


def test_names_are_one_line_of_bounded_length(records):
    assert records.join("  Ada\u202e\n Lovelace ").name == "Ada Lovelace"
    assert len(records.join("x" * 10_000).name) == 40


def test_a_class_has_so_many_participants_and_no_more(records, monkeypatch):
    monkeypatch.setattr(module, "MAX_PARTICIPANTS", 2)
    first = records.join("Ada")
    records.join("Grace")
    with pytest.raises(ClassFull):
        records.join("Eve")
    records.remove(first.number)
    assert records.join("Eve").number == 3, "the number of somebody who has left is not given again"
    with pytest.raises(UnknownParticipant):
        records.remove(first.number)


def test_so_many_attempts_are_kept_and_the_board_counts_on(records, monkeypatch):
    monkeypatch.setattr(module, "MAX_ATTEMPTS", 5)
    ada, grace = records.join("Ada").number, records.join("Grace").number
    record(records, grace, told(1, "00.messages", "passed"))
    for number in range(1, 10):
        record(records, ada, told(number, "03.derive", step="PRK"))
    kept = [row["attempt"] for row in records.mine(ada)["attempts"]]
    assert kept == [5, 6, 7, 8, 9]
    assert the(records, ada)["attempts"] == 9
    assert len(records.mine(grace)["attempts"]) == 1, "nobody else's go"


def test_who_leaves_leaves_nothing(records):
    ada, grace = records.join("Ada"), records.join("Grace")
    for one in (ada, grace):
        record(records, one.number, told(1, "03.derive", step="PRK"))
    records.nudge([ada.number, grace.number, 99], "t", "look at the first byte")
    records.remove(ada.number)
    snapshot = records.snapshot()
    assert [row.name for row in snapshot.participants] == ["Grace"]
    assert {row.participant for row in (*snapshot.progress, *snapshot.nudges)} == {grace.number}
    assert {row.name for row in records.history()} == {"Grace"}
    for call in (
        records.mine,
        records.next_nudge,
        lambda one: record(records, one, told(2, "03.derive")),
    ):
        with pytest.raises(NotInClass):
            call(ada.number)
    records.delete_all()
    assert records.snapshot() == ([], [], []) and list(records.history()) == []


def test_a_nudge_waits_for_ten_minutes_and_is_given_once_it_was_asked_for(records, clock):
    ada = records.join("Ada").number
    assert records.next_nudge(ada) is None
    assert records.nudge([ada], "t", "one") == 1
    records.nudge([ada], "t", "two")
    one = records.next_nudge(ada)
    assert (one.title, one.body) == ("t", "one")
    assert records.next_nudge(ada, one.number).body == "two"
    records.nudged(ada, one.number, "sent")
    assert records.next_nudge(ada).body == "two", "the first has been sent"
    clock.now += module.NUDGE_SECONDS
    assert records.next_nudge(ada) is None
    for _ in range(module.MAX_NUDGES + 5):
        records.nudge([ada], "t", "again")
    assert len(records.mine(ada)["nudges"]) == module.MAX_NUDGES


def test_a_restart_keeps_everything(database_url, clock):
    kept = []
    for again in (False, True):
        store = SubscriptionStore(database_url)
        records = ClassRecords(store, clock)
        if not again:
            ada = records.join("Ada")
            record(records, ada.number, told(1, "03.derive", step="PRK"))
            records.nudge([ada.number], "t", "look")
        assert records.participant(ada.secret) == ada.number
        kept.append((records.mine(ada.number), [tuple(row) for row in records.history()]))
        store.close()
    assert kept[0] == kept[1]


def test_two_kernels_of_one_participant_at_once_lose_nothing_on_postgresql_either(
    postgres_url, clock, monkeypatch
):
    monkeypatch.setattr("pushlab.appserver.store.BUSY_TIMEOUT", 60)
    store = SubscriptionStore(postgres_url)
    records = ClassRecords(store, clock)
    ada = records.join("Ada")
    exercises = ("03.derive", "04.claims")

    def kernel(exercise: str) -> None:
        for number in range(1, 21):
            record(records, ada.number, told(number, exercise, step="PRK"))

    threads = [threading.Thread(target=kernel, args=(exercise,)) for exercise in exercises]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mine = records.mine(ada.number)
    assert {row["exercise"]: row["attempts"] for row in mine["progress"]} == {"derive": 20, "claims": 20}
    assert sorted(row["number"] for row in mine["attempts"]) == list(range(1, 41))
    assert records.nudge([ada.number], "t", "look") == 1
    assert len(records.snapshot().nudges) == 1 and len(records.history()) == 40
    records.remove(ada.number)
    assert records.snapshot() == ([], [], [])
    store.close()


@pytest.mark.parametrize("everybody", [False, True], ids=["one", "everybody"])
def test_who_leaves_while_an_attempt_is_written_leaves_nothing_on_postgresql_either(
    postgres_url, clock, monkeypatch, everybody
):
    monkeypatch.setattr("pushlab.appserver.store.BUSY_TIMEOUT", 60)
    store = SubscriptionStore(postgres_url)
    records = ClassRecords(store, clock)
    ada = records.join("Ada").number
    leaving = threading.Thread(target=records.delete_all if everybody else lambda: records.remove(ada))
    append, waiting = module._append, text("SELECT count(*) FROM pg_locks WHERE NOT granted")

    def somebody_waits() -> bool:
        return store.run(lambda other: other.execute(waiting).scalar_one() > 0, UnableToReadDatabase)

    def append_and_stay(*arguments) -> None:
        append(*arguments)
        leaving.start()
        while not somebody_waits():
            assert leaving.is_alive(), "it waits for the attempt, which is not committed yet"

    monkeypatch.setattr(module, "_append", append_and_stay)
    assert record(records, ada, told(1, "03.derive", step="PRK")) == 1
    leaving.join()
    assert records.snapshot() == ([], [], [])
    for table in module.OF_ONE:
        kept = store.run(lambda it, table=table: it.execute(table.select()).all(), UnableToReadDatabase)
        assert kept == [], table.name
    with pytest.raises(NotInClass):
        record(records, ada, told(2, "03.derive", step="PRK"))
    store.close()


def test_who_joins_while_everybody_is_deleted_keeps_what_is_their_own(postgres_url, clock, monkeypatch):
    store = SubscriptionStore(postgres_url)
    records, joined = ClassRecords(store, clock), []
    records.join("Ada")

    class Tables(tuple):
        def __iter__(self):
            if not joined:  # PostgreSQL lets somebody join after the deletion of the participants.
                joined.append(records.join("Grace").number)
                record(records, joined[0], told(1, "03.derive", step="PRK"))
            return super().__iter__()

    monkeypatch.setattr(module, "OF_ONE", Tables(module.OF_ONE))
    records.delete_all()
    participants, progress, _ = records.snapshot()
    assert [one.number for one in participants] == [one.participant for one in progress] == joined
    assert len(records.history()) == 1
    store.close()


def test_a_nudge_passes_over_who_has_just_left(database_url, clock, monkeypatch):
    store = SubscriptionStore(database_url)
    records = ClassRecords(store, clock)
    ada, grace, joan = (records.join(name).number for name in ("Ada", "Grace", "Joan"))
    lock = module._lock

    def lock_too_late(connection, participant: int) -> None:
        if participant == grace:
            records.remove(grace)
        lock(connection, participant)

    # SQLite lets nobody else write once Ada's nudge is written, so there Grace is the first.
    numbers = [grace, joan] if database_url.startswith("sqlite") else [ada, grace, joan]
    monkeypatch.setattr(module, "_lock", lock_too_late)
    assert records.nudge(numbers, "t", "look") == len(numbers) - 1
    told_to = {row.participant for row in records.snapshot().nudges}
    assert told_to == set(numbers) - {grace}
    store.close()
