"""A participant of a class without a kernel: a process that joins, and reports as its number says."""

from pushlab.classroom.attempt import Attempt
from pushlab.classroom.client import ClassClient
from pushlab.classroom.reporter import Reporter
from pushlab.settings import patience


def participant(url: str, number: int) -> None:
    """Join and work: a third solves the exercise, a third is stuck, and a third has tried it once."""
    joined = ClassClient(url).join(f"Participant {number}")
    reporter = Reporter(ClassClient(url, joined.secret))
    for _ in range((1, 3, 1)[number % 3]):
        reporter.add(Attempt("03", "derive", "differs", "PRK"))
    if number % 3 == 0:
        reporter.add(Attempt("03", "derive", "passed"))
    assert reporter.flush(patience(60))
