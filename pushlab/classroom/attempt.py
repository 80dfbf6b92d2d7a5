"""One attempt at an exercise: all that ever leaves a participant's kernel, besides the name.

    {"id": 1790000000000001, "lesson": "03", "exercise": "derive",
     "result": "differs", "step": "PRK", "ago": 0.2}

``id`` ascends, so that an attempt that arrives twice counts once. ``ago`` is how many seconds ago it
was: the instructor's machine knows the time by its own clock, and no other clock has to be right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from pushlab.classroom.exercises import EXERCISES
from pushlab.errors import BadField
from pushlab.text import show

Result = Literal["passed", "differs", "stub"]
"""What a check said: the stub is an exercise that waits for its first attempt."""

AT_ONCE = 50
"""Attempts in one request."""

MAX_STEP = 80
"""Characters of a step."""

MAX_AGO = 24 * 3600.0
"""Seconds since an attempt that are believed."""

MAX_ID = 2**53
"""Ids below this are whole numbers in every language that reads JSON."""


@dataclass(frozen=True)
class Attempt:
    """One run of a check. ``step``: where it stopped, in the check's words; "" unless it differs."""

    lesson: str
    exercise: str
    result: Result
    step: str = ""

    def to_json(self, number: int, ago: float) -> dict[str, Any]:
        """Return the attempt as it is sent. ``number``: its id; ``ago``: seconds."""
        return {"id": number, **vars(self), "ago": round(ago, 1)}


@dataclass(frozen=True)
class ReceivedAttempt:
    """An attempt as a server has read it. ``ago``: seconds."""

    id: int
    attempt: Attempt
    ago: float

    @classmethod
    def from_json(cls, value: object) -> "ReceivedAttempt":
        """Read what a participant has sent, of which nothing is trusted. Raises BadField.

        >>> sent = Attempt("03", "derive", "differs", "PRK").to_json(7, ago=0.2)
        >>> ReceivedAttempt.from_json(sent).attempt.step
        'PRK'
        """
        if not isinstance(value, Mapping):
            raise BadField("an attempt is not an object")
        lesson, exercise, result = (value.get(name) for name in ("lesson", "exercise", "result"))
        if not isinstance(lesson, str) or not isinstance(exercise, str):
            raise BadField("lesson or exercise is missing, or not text")
        if (lesson, exercise) not in EXERCISES:
            raise BadField(f"there is no exercise {show(exercise, limit=40)} in {show(lesson, limit=8)}")
        if result not in get_args(Result):
            raise BadField("result is none of passed, differs and stub")
        step, number, ago = value.get("step", ""), value.get("id"), value.get("ago", 0.0)
        if not isinstance(step, str):
            raise BadField("step is not text")
        if type(number) is not int or not 0 < number < MAX_ID:
            raise BadField("id is not a whole number between 0 and 2^53")
        if type(ago) not in (int, float):
            raise BadField("ago is not a number")
        step = show(step[: 8 * MAX_STEP], limit=MAX_STEP) if result == "differs" else ""
        attempt = Attempt(lesson, exercise, cast(Result, result), step)
        return cls(number, attempt, min(max(float(ago), 0.0), MAX_AGO))
