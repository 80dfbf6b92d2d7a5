"""The board: who needs help is on top, and where most people are is named."""

import pytest

from pushlab.classroom.board import STUCK, board_of
from pushlab.classroom.exercises import LESSONS
from pushlab.classroom.records import Snapshot
from pushlab.text import one_line

from .test_records import clock, record, records

__all__ = ["clock", "records"]  # fixtures


@pytest.fixture
def board(records, clock):
    return lambda: board_of(records.snapshot(), clock())


def fails(records, number: int, exercise: str, step: str, times: int = 1) -> None:
    from .conftest import told

    for _ in range(times):
        fails.id = getattr(fails, "id", 0) + 1
        record(records, number, told(fails.id, exercise, step=step))


def passes(records, number: int, exercise: str) -> None:
    from .conftest import told

    fails.id = getattr(fails, "id", 0) + 1
    record(records, number, told(fails.id, exercise, "passed"))


def test_who_needs_help_is_on_top(records, clock, board):
    people = {
        name: records.join(name).number for name in ("New", "Done", "Works", "Long", "Stuck", "Old")
    }
    passes(records, people["Done"], "00.messages")
    fails(records, people["Old"], "03.derive", "PRK", STUCK)
    fails(records, people["Long"], "03.derive", "PRK", STUCK - 1)
    clock.now += 60
    fails(records, people["Works"], "03.derive", "IKM")
    fails(records, people["Stuck"], "03.key_info", "key_info", STUCK + 1)
    lines = board().lines
    assert [line.name for line in lines] == ["Old", "Stuck", "Long", "Works", "Done", "New"]
    assert [line.state for line in lines] == ["stuck", "stuck", "working", "working", "done", "joined"]
    assert board().stuck == [people["Old"], people["Stuck"]]
    first = lines[0]
    assert (first.lesson, first.exercise, first.step, first.same) == ("03", "derive", "PRK", STUCK)
    assert clock.now - first.since == 60
    assert first.exercises["03.derive"].attempts == STUCK


def test_stuck_is_the_same_step_in_a_row(records, board):
    ada = records.join("Ada").number
    for step in ("PRK", "PRK", "IKM", "PRK", "PRK"):
        fails(records, ada, "03.derive", step)
    assert board().lines[0].state == "working"
    fails(records, ada, "03.derive", "PRK")
    assert board().lines[0].state == "stuck"
    passes(records, ada, "03.derive")
    assert board().lines[0].state == "done"


def test_the_step_at_which_most_people_are_is_the_first(records, board):
    people = [records.join(f"P{number}").number for number in range(6)]
    for number in people[:3]:
        fails(records, number, "03.derive", "PRK")
    for number in people[3:5]:
        fails(records, number, "04.claims", "exp")
    passes(records, people[5], "03.derive")
    assert [(one.step, one.people) for one in board().trips] == [("PRK", 3), ("exp", 2)]
    for number in people[:2]:  # They go on: where somebody was before does not count.
        passes(records, number, "03.derive")
    assert [(one.step, one.people) for one in board().trips] == [("exp", 2), ("PRK", 1)]


def test_a_liar_is_counted_once_and_moves_nobody_else(records, board):
    honest = [records.join(f"P{number}").number for number in range(2)]
    for number in honest:
        fails(records, number, "03.derive", "PRK")
    fails(records, records.join("Liar").number, "04.claims", "exp", 50)
    assert [(one.step, one.people) for one in board().trips] == [("PRK", 2), ("exp", 1)]


def test_a_bar_for_each_lesson_in_which_somebody_has_begun(records, board):
    assert board().bars == ()
    people = [records.join(f"P{number}").number for number in range(4)]
    start = LESSONS[0]
    for name in start.exercises:
        passes(records, people[0], f"{start.number}.{name}")
    passes(records, people[1], f"{start.number}.{start.exercises[0]}")
    fails(records, people[2], f"{start.number}.{start.exercises[0]}", "x", STUCK)
    [bar] = board().bars
    assert (bar.number, bar.title, bar.exercises) == (start.number, start.title, start.exercises)
    assert (bar.done, bar.stuck, bar.working, bar.not_begun) == (1, 1, 1, 1)


def test_two_of_one_name_are_told_apart(records, board):
    for name in ("Ada", "ada", "Grace", "Ada"):
        records.join(name)
    assert [line.name for line in board().lines] == ["Ada", "ada · 2", "Grace", "Ada · 4"]


def test_what_became_of_a_nudge(records, clock, board):
    ada = records.join("Ada").number
    assert board().lines[0].nudge == ""
    records.nudge([ada], "t", one_line("look"))
    assert (board().lines[0].nudge, board().lines[0].nudged_at) == ("waits", clock.now)
    records.nudged(ada, records.next_nudge(ada).number, "sent")
    assert board().lines[0].nudge == "sent"
    records.nudge([ada], "t", "again")
    clock.now += 601
    assert board().lines[0].nudge == "not fetched"


def test_a_full_board_is_made_in_moments(records, clock):
    """200 participants with every exercise begun: only rows, no query for each."""
    from types import SimpleNamespace

    people = [SimpleNamespace(number=n, name=f"P{n}", joined_at=0.0) for n in range(200)]
    rows = [
        SimpleNamespace(
            participant=one.number, lesson=lesson.number, exercise=name, attempts=1, began_at=1.0,
            last_at=1.0, passed_at=None, step="x", same=4, last_id=1,
        )
        for one in people for lesson in LESSONS for name in lesson.exercises
    ]  # fmt: skip
    made = board_of(Snapshot(people, rows, []), 2.0)
    assert len(made.lines) == 200 and len(made.bars) == len(LESSONS)
