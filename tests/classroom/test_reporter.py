"""The participant's threads: a check never waits, what waits is sent later, and an end is an end."""

import threading
import time

import pytest

from pushlab.classroom import reporter as module
from pushlab.classroom.attempt import Attempt
from pushlab.classroom.client import Refused
from pushlab.classroom.records import Nudge
from pushlab.classroom.reporter import MAX_WAITING, NudgeListener, Reporter
from pushlab.errors import FetchFailed
from pushlab.settings import patience

ATTEMPT = Attempt("03", "derive", "differs", "PRK")


class Away(Refused):
    def __init__(self) -> None:
        super().__init__("away", 503)


class Instructor:
    """An instructor's machine that answers as the test says: None, or an error to raise."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers, self.got = list(answers), []
        self.nudges: list[Nudge] = []
        self.outcomes: list[tuple[Nudge, str]] = []
        self.asked = threading.Semaphore(0)

    def send(self, attempts):
        self.asked.release()
        if self.answers and (answer := self.answers.pop(0)):
            raise answer
        self.got.append(attempts)

    def next_nudge(self, after):
        self.asked.release()
        if self.answers and (answer := self.answers.pop(0)):
            raise answer
        return self.nudges.pop(0) if self.nudges else None

    def tell_outcome(self, nudge, outcome):
        self.outcomes.append((nudge, outcome))


class Never(Instructor):
    """It takes a request and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def send(self, attempts):
        self.asked.release()
        self.release.wait(patience(60))


def test_a_check_waits_for_nobody():
    instructor = Never()
    reporter = Reporter(instructor)
    reporter.add(ATTEMPT)
    assert instructor.asked.acquire(timeout=patience(30)), "the request is under way, and hangs"
    began = time.monotonic()
    for _ in range(MAX_WAITING * 3):
        reporter.add(ATTEMPT)
    assert time.monotonic() - began < patience(2)
    assert reporter.waiting == MAX_WAITING
    reporter.close()
    instructor.release.set()


def test_what_waited_is_sent_later_in_order_and_once(monkeypatch):
    monkeypatch.setattr(module, "PAUSES", (0.01,))
    instructor = Instructor(FetchFailed("no route"), Away(), FetchFailed("again"))
    now = [100.0]
    begin, send = threading.Event(), instructor.send
    instructor.send = lambda attempts: (begin.wait(patience(30)), send(attempts))
    reporter = Reporter(instructor, clock=lambda: now[0])
    for _ in range(60):
        reporter.add(ATTEMPT)
    now[0] = 130.0
    begin.set()
    assert reporter.flush(patience(30))
    reporter.close()
    sent = [one for batch in instructor.got for one in batch]
    assert len(sent) == 60 and max(map(len, instructor.got)) == 50
    numbers = [one["id"] for one in sent]
    assert numbers == sorted(set(numbers))
    assert sent[-1]["ago"] == 30.0, "the time is that of the attempt"


def test_what_is_added_while_another_is_refused_is_sent(monkeypatch):
    """An older version there refuses an exercise that it does not know, and takes the next one."""
    instructor = Instructor(Refused("unknown exercise", 400))
    reporter, send = Reporter(instructor), instructor.send

    def add_another_and_send(attempts):
        instructor.send = send
        reporter.add(ATTEMPT)
        send(attempts)

    instructor.send = add_another_and_send
    reporter.add(ATTEMPT)
    assert reporter.flush(patience(30))
    reporter.close()
    assert [len(batch) for batch in instructor.got] == [1], "the second one"


def test_ids_ascend_when_the_clock_goes_back():
    times = iter([5.0, 4.0, 6.0])
    instructor = Instructor()
    reporter = Reporter(instructor, wall=lambda: next(times))
    for _ in range(3):
        reporter.add(ATTEMPT)
    assert reporter.flush(patience(30))
    reporter.close()
    assert [one["id"] for batch in instructor.got for one in batch] == [5_000_000, 5_000_001, 6_000_000]


def test_what_an_older_version_does_not_know_is_not_sent_for_ever():
    instructor = Instructor(Refused("no such exercise", 400))
    reporter = Reporter(instructor)
    reporter.add(ATTEMPT)
    assert reporter.flush(patience(30))
    reporter.add(Attempt("00", "messages", "passed"))
    assert reporter.flush(patience(30))
    reporter.close()
    assert [one["exercise"] for batch in instructor.got for one in batch] == ["messages"]


@pytest.mark.parametrize("status", [400, 413])
def test_one_that_is_refused_takes_no_other_with_it(status):
    """All that an older version does not know is refused, and whatever stands in the same request."""
    instructor, begin = Instructor(), threading.Event()
    send, unknown = instructor.send, Attempt("99", "of_a_newer_version", "passed")

    def answer(attempts):
        send(attempts)
        begin.wait(patience(30))
        if any(one["exercise"] == unknown.exercise for one in attempts):
            instructor.got.remove(attempts)
            raise Refused("no such exercise", status)

    instructor.send = answer
    reporter = Reporter(instructor)
    reporter.add(ATTEMPT)
    assert instructor.asked.acquire(timeout=patience(30)), "the first is under way, alone"
    for number in range(60):
        reporter.add(unknown if number in (3, 20) else ATTEMPT)
    begin.set()
    assert reporter.flush(patience(30))
    reporter.close()
    assert [len(batch) for batch in instructor.got] == [1, *[1] * 48, 10], "and many at once again"
    numbers = [one["id"] for batch in instructor.got for one in batch]
    assert numbers == sorted(set(numbers))


def test_who_was_removed_reports_no_more():
    expelled = threading.Event()
    instructor = Instructor(Refused("who?", 401))
    reporter = Reporter(instructor, expelled.set)
    reporter.add(ATTEMPT)
    assert expelled.wait(patience(30))
    reporter.add(ATTEMPT)
    assert not instructor.got


def test_a_nudge_is_delivered_once_and_its_outcome_told(monkeypatch):
    monkeypatch.setattr(module, "PAUSES", (0.01,))
    one, two = Nudge(1, "t", "one"), Nudge(2, "t", "two")
    instructor = Instructor(FetchFailed("no route"))
    instructor.nudges = [one, one, two]
    delivered: list[Nudge] = []
    done = threading.Event()

    def deliver(nudge: Nudge) -> str:
        delivered.append(nudge)
        if nudge == two:
            done.set()
        return "sent"

    listener = NudgeListener(instructor, deliver)
    assert done.wait(patience(30))
    listener.close()
    assert delivered == [one, two]
    assert instructor.outcomes[0] == (one, "sent")


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ([FetchFailed("no route"), Away(), FetchFailed("again")], [1, 2, 3]),
        ([Refused("no such outcome", 400)], [2, 3]),  # It would be refused each time.
    ],
)
def test_an_outcome_that_could_not_be_told_is_told_later(monkeypatch, faults, told):
    monkeypatch.setattr(module, "PAUSES", (0.01,))
    instructor, delivered, done = Instructor(), [], threading.Event()
    instructor.nudges = [Nudge(number, "t", "look") for number in (1, 2, 3)]

    def tell(nudge, outcome):
        if faults:
            raise faults.pop(0)
        instructor.outcomes.append((nudge, outcome))
        if nudge.number == 3:
            done.set()

    def deliver(nudge):
        delivered.append(nudge.number)
        return "sent"

    instructor.tell_outcome, faults = tell, list(faults)
    listener = NudgeListener(instructor, deliver)
    assert done.wait(patience(30))
    listener.close()
    assert delivered == [1, 2, 3]
    assert [(nudge.number, outcome) for nudge, outcome in instructor.outcomes] == [
        (number, "sent") for number in told
    ]


@pytest.mark.parametrize(
    ("waited", "then"),
    [(0.0, "pause"), (25.0, "ask")],
    ids=["another listener has ended the request", "there was no nudge"],
)
def test_two_listeners_of_one_participant_do_not_chase_each_other(monkeypatch, waited, then):
    monkeypatch.setattr(module, "PAUSES", (3600.0,))
    now, steps, settled, instructor = [0.0], [], threading.Event(), Instructor()

    def step(name: str) -> None:
        steps.append(name)
        if len(steps) == 2:
            settled.set()

    class Watched(NudgeListener):
        def _pause(self) -> None:
            step("pause")
            super()._pause()

    def next_nudge(after):
        if len(steps) == 2:
            raise Refused("who?", 401)  # This ends a listener that asks and asks.
        step("ask")
        now[0] += waited

    instructor.next_nudge = next_nudge
    listener = Watched(instructor, lambda nudge: "sent", clock=lambda: now[0])
    assert settled.wait(patience(30))
    assert steps == ["ask", then]
    listener.close()
    listener._thread.join(patience(30))
    assert not listener._thread.is_alive(), "the end waits for no pause"
