"""Where a check has stopped: in its own words, and with nothing of the learner's in it."""

import re

import pytest

from pushlab.classroom.attempt import Attempt
from pushlab.errors import ExerciseError
from pushlab.notebook.checks import guard
from pushlab.notebook.checks.core import value_is

from ..exercises import exercises

SECRET = "s3cret"


@pytest.fixture
def told(monkeypatch) -> list[Attempt]:
    told: list[Attempt] = []
    monkeypatch.setattr(guard, "listeners", [told.append])
    return told


def tried(name: str, answers: object) -> None:
    try:
        exercises()[name].check(*(answers if isinstance(answers, tuple) else (answers,)))
    except ExerciseError:
        pass  # Its sentence is for the learner. What others are told is looked at here.


def test_each_run_of_a_check_is_told_once_with_its_result(told):
    for name, exercise in exercises().items():
        tried(name, exercise.answers)
        assert (told[-1].exercise, told[-1].result) == (name.partition(".")[2], "passed")
    assert len(told) == len(exercises())


def test_of_each_natural_mistake_the_step_is_told_in_the_words_of_the_check(told, mistakes):
    for name, of_this_one in mistakes.items():
        for answers in of_this_one.values():
            functions = answers if isinstance(answers, tuple) else (answers,)
            tried(name, answers)
            attempt = told.pop()
            if attempt.result == "stub":
                assert attempt.step == ""
                continue
            assert re.search("[A-Za-z]{2}", attempt.step), (name, answers)
            names = [one.__name__ for one in functions if hasattr(one, "__name__")]
            own = [one for one in names if one not in name and "_" in one]
            assert not [one for one in own if one in attempt.step], attempt
            # Sentences of the guard quote a line of the learner's cell.
            assert not re.search(r"in line \d", attempt.step), attempt
    assert told == []


@pytest.mark.parametrize(
    ("name", "answers", "step"),
    [
        ("encrypt.derive", lambda *given: {"PRK_key": b"x"}, "PRK_key"),
        ("start_here.body_length", lambda text: 1 // 0, "raises ZeroDivisionError"),
        ("send.send", lambda *given: 201, "No request has arrived at the server"),
        ("start_here.body_length", 12, "what the check is given"),
    ],
)
def test_a_step_is_a_value_an_exception_or_a_sentence_without_values(told, name, answers, step):
    tried(name, answers)
    assert told[0].step == step


def marked(kind: str):
    """Return an answer that carries a mark in its name, in what it raises, and in what it returns."""

    def answer(*given, **named):
        error = type(SECRET, (Exception,), {})
        values = {
            "raises": error, "text": SECRET, "bytes": SECRET.encode(), "list": [SECRET, SECRET],
            "dict": {SECRET: SECRET, "aud": SECRET, "title": SECRET, "salt": SECRET},
            "tuple": (SECRET, SECRET, SECRET),
        }  # fmt: skip
        if kind == "raises":
            raise error(SECRET)
        return values[kind]

    answer.__name__ = SECRET
    return answer


def test_no_text_of_a_learner_s_is_in_a_step(told):
    quick = [name for name in exercises() if name not in ("send.send", "notify_all.fan_out")]
    for name in quick:
        for kind in ("raises", "text", "bytes", "list", "dict", "tuple"):
            tried(name, tuple(marked(kind) for _ in exercises()[name].answers))
            assert SECRET not in told.pop().step, (name, kind)
    # The control: the sentence for the learner does quote it.
    with pytest.raises(ExerciseError, match=SECRET):
        exercises()["start_here.body_length"].check(marked("raises"))


def test_a_check_that_is_no_exercise_of_a_lesson_tells_nobody(told):
    @guard.check
    def no_exercise(function):
        value_is("it", function(), 1)
        return guard.Right("It is one.")

    no_exercise(lambda: 1)
    assert told == []
