"""The board: participants and exercises, who is stuck, and at which step most people are.

It is computed from the rows of ``records``, and from nothing else: after a restart it is the same.

    done       a check of the exercise has passed
    stuck      the last STUCK attempts, or more, ended at the same step
    working    begun, and neither

A participant is where their last attempt was. Whoever needs help comes first: those who are stuck, the
longest first; then those who work, the longest first; then those who have passed their last exercise.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Row

from pushlab.classroom.exercises import LESSONS
from pushlab.classroom.records import NUDGE_SECONDS, Snapshot

State = Literal["stuck", "working", "done", "joined"]
"""Of an exercise, and of a participant. Who has only joined has tried nothing yet."""

STUCK = 3
"""Attempts in a row that end at the same step."""

TRIPS = 3
"""Steps that are named: the ones at which most people are."""

ORDER: dict[State, int] = {"stuck": 0, "working": 1, "done": 2, "joined": 3}


@dataclass(frozen=True)
class Standing:
    """How far a participant is with one exercise. ``since``: its first attempt, seconds since 1970."""

    state: State
    attempts: int
    since: float
    step: str = ""


@dataclass(frozen=True)
class BoardRow:
    """One participant. ``number`` tells two of one name apart; ``since`` and ``at``: seconds since 1970.

    ``lesson``, ``exercise``, ``attempts``, ``step``, ``same`` (how often in a row) are of the last
    attempt; ``nudge`` is the last one's outcome, or "" if there was none.
    """

    number: int
    name: str
    state: State
    at: float
    since: float
    lesson: str = ""
    exercise: str = ""
    attempts: int = 0
    step: str = ""
    same: int = 0
    nudge: str = ""
    nudged_at: float | None = None
    exercises: dict[str, Standing] = field(default_factory=dict)


@dataclass(frozen=True)
class Trip:
    """A step, and how many participants are there now."""

    lesson: str
    exercise: str
    step: str
    people: int


@dataclass(frozen=True)
class Bar:
    """The room in one lesson: how many have solved all of it, are stuck in it, work at it."""

    number: str
    title: str
    exercises: tuple[str, ...]
    done: int
    stuck: int
    working: int
    not_begun: int


@dataclass(frozen=True)
class Board:
    """The whole board. ``at``: when it was made, seconds since 1970."""

    at: float
    lines: tuple[BoardRow, ...]
    trips: tuple[Trip, ...]
    bars: tuple[Bar, ...]

    @property
    def stuck(self) -> list[int]:
        """The numbers of the participants who are stuck."""
        return [line.number for line in self.lines if line.state == "stuck"]

    def to_json(self) -> dict[str, Any]:
        """Return the board as ``GET /class`` gives it."""
        # dataclasses.asdict() copies each value, and a full board has 8000 standings.
        lines = [
            vars(line) | {"exercises": {name: vars(one) for name, one in line.exercises.items()}}
            for line in self.lines
        ]
        trips, bars = ([vars(one) for one in some] for some in (self.trips, self.bars))
        return {"at": self.at, "lines": lines, "trips": trips, "bars": bars}


def board_of(snapshot: Snapshot, now: float) -> Board:
    """Make the board of a moment. ``now``: seconds since 1970."""
    of: dict[int, list[Row]] = {row.number: [] for row in snapshot.participants}
    for row in snapshot.progress:
        of.get(row.participant, []).append(row)
    nudges = {row.participant: row for row in snapshot.nudges}
    names = _told_apart(snapshot.participants)
    lines = [
        _line(one, names[one.number], of[one.number], nudges.get(one.number), now)
        for one in snapshot.participants
    ]
    return Board(now, tuple(sorted(lines, key=_need)), _trips(lines), _bars(lines))


def _line(participant: Row, name: str, rows: Sequence[Row], nudge: Row | None, now: float) -> BoardRow:
    joined = participant.joined_at
    if not rows:
        return BoardRow(participant.number, name, "joined", joined, joined, **_nudged(nudge, now))
    last = max(rows, key=lambda row: row.last_at)
    state = _state(last)
    return BoardRow(
        participant.number, name, state, last.last_at,
        last.passed_at if state == "done" else last.began_at,
        last.lesson, last.exercise, last.attempts, last.step, last.same, **_nudged(nudge, now),
        exercises={
            f"{row.lesson}.{row.exercise}": Standing(_state(row), row.attempts, row.began_at, row.step)
            for row in rows
        },
    )  # fmt: skip


def _state(row: Row) -> State:
    if row.passed_at is not None:
        return "done"
    return "stuck" if row.same >= STUCK else "working"


def _nudged(nudge: Row | None, now: float) -> dict[str, Any]:
    if nudge is None:
        return {}
    waits = "waits" if nudge.sent_at > now - NUDGE_SECONDS else "not fetched"
    return {"nudge": nudge.outcome or waits, "nudged_at": nudge.sent_at}


def _told_apart(people: Iterable[Row]) -> dict[int, str]:
    """Return each participant's name, with the number behind it if somebody before has the same one."""
    names, taken = {}, set()
    for one in people:
        known = one.name.casefold() in taken
        names[one.number] = f"{one.name} · {one.number}" if known else one.name
        taken.add(one.name.casefold())
    return names


def _need(line: BoardRow) -> tuple[int, float, int]:
    return ORDER[line.state], line.since, line.number


def _trips(lines: Sequence[BoardRow]) -> tuple[Trip, ...]:
    here = Counter(
        (line.lesson, line.exercise, line.step)
        for line in lines
        if line.state in ("stuck", "working") and line.same
    )
    first = sorted(here.items(), key=lambda one: (-one[1], one[0]))[:TRIPS]
    return tuple(Trip(*where, people) for where, people in first)


def _bars(lines: Sequence[BoardRow]) -> tuple[Bar, ...]:
    """Return a bar for each lesson in which somebody has begun."""
    bars = []
    for lesson in LESSONS:
        counted = Counter(_in_lesson(line, lesson.number, lesson.exercises) for line in lines)
        if counted["done"] + counted["stuck"] + counted["working"]:
            bars.append(
                Bar(
                    lesson.number, lesson.title, lesson.exercises, counted["done"], counted["stuck"],
                    counted["working"], counted["joined"],
                )
            )  # fmt: skip
    return tuple(bars)


def _in_lesson(line: BoardRow, number: str, exercises: Sequence[str]) -> State:
    states = [one.state for name in exercises if (one := line.exercises.get(f"{number}.{name}"))]
    if not states:
        return "joined"
    if "stuck" in states:
        return "stuck"
    return "done" if states.count("done") == len(exercises) else "working"
