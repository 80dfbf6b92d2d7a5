"""What may be reported: the exercises that there are, in bounded words."""

import json

import pytest

from pushlab.classroom.attempt import MAX_AGO, MAX_STEP, Attempt, ReceivedAttempt
from pushlab.classroom.exercises import EXERCISES, LESSONS
from pushlab.errors import BadField

from ..notebook.exercises import NOTEBOOKS, exercises
from .conftest import told


def test_the_table_has_every_exercise_of_every_lesson_in_their_order():
    assert [f"{one.module}.{name}" for one in LESSONS for name in one.exercises] == list(exercises())
    numbers = [path.name.partition("_")[0] for path in sorted(NOTEBOOKS.glob("source/[0-9]*.py"))]
    assert [one.number for one in LESSONS] == numbers


def test_what_is_sent_is_what_is_promised_and_nothing_else():
    sent = Attempt("03", "derive", "differs", "PRK").to_json(1, ago=0.234)
    assert json.loads(json.dumps(sent)) == {
        "id": 1, "lesson": "03", "exercise": "derive", "result": "differs", "step": "PRK", "ago": 0.2,
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"lesson": "04"}, {"lesson": None}, {"exercise": "<b>"}, {"exercise": ["derive"]},
        {"result": "solved"}, {"result": ["passed"]}, {"result": {}}, {"step": 3}, {"step": None},
        {"id": 0}, {"id": -1}, {"id": 2**53}, {"id": True}, {"id": 1.5}, {"id": "1"}, {"id": None},
        {"ago": "now"}, {"ago": None}, {"ago": True},
    ],
)  # fmt: skip
def test_anything_else_is_refused(change):
    ReceivedAttempt.from_json(told(1, "03.derive"))  # The control.
    with pytest.raises(BadField):
        ReceivedAttempt.from_json(told(1, "03.derive") | change)


@pytest.mark.parametrize("value", [None, 3, "x", [], [1]])
def test_an_attempt_is_an_object(value):
    with pytest.raises(BadField, match="not an object"):
        ReceivedAttempt.from_json(value)


def test_a_step_is_one_line_of_bounded_length_without_secrets():
    def read(step: str, result: str = "differs") -> str:
        return ReceivedAttempt.from_json(told(1, "03.derive", result, step)).attempt.step

    assert read("<img src=x>\n\u202ePRK") == "<img src=x> PRK"
    assert len(read("x y " * 1000)) == MAX_STEP + 1
    assert read("x" * 40) == "…"
    assert read("PRK", "passed") == read("PRK", "stub") == ""


def test_times_are_believed_within_a_day():
    for ago, believed in ((-5, 0), (3, 3), (10**9, MAX_AGO), (-1e308, 0)):
        assert ReceivedAttempt.from_json(told(1, "03.derive", ago=ago)).ago == believed
    assert len(EXERCISES) == sum(len(one.exercises) for one in LESSONS)
