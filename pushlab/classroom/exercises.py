"""The exercises of the lessons, in their order: what may be reported, and the columns of the board."""

from typing import NamedTuple


class Lesson(NamedTuple):
    """A lesson: its number and title, the module of its checks, and the names of its exercises."""

    number: str
    title: str
    module: str
    exercises: tuple[str, ...]


LESSONS = (
    Lesson("00", "Start here", "start_here", ("body_length", "messages")),
    Lesson("01", "Keys", "keys", ("raw_public", "b64url", "to_jwk", "what_is")),
    Lesson("02", "Subscribe", "subscribe", ("unpack", "origin", "faults", "respond")),
    Lesson("03", "Encrypt", "encrypt", ("key_info", "derive", "read_header", "encrypt")),
    Lesson("04", "Sign", "sign", ("claims", "to_raw", "token", "verify")),
    Lesson("05", "Send", "send", ("headers", "what_next", "send")),
    Lesson("06", "Notify all", "notify_all", ("tokens_needed", "delay", "fan_out")),
    Lesson("06b", "Processes", "processes", ("ranges", "shares", "outcomes")),
    Lesson("07", "Receive", "receive", ("shown", "notification_of", "decrypt")),
    Lesson("07b", "A worker's life", "worker_life", ("workers", "my_worker")),
    Lesson("08", "Error clinic 1", "error_clinic", ("claims_for", "triage")),
    Lesson("08b", "Error clinic 2", "error_clinic", ("keep", "may_send")),
    Lesson("09", "Operate", "operate", ("again", "diagnose")),
    Lesson("10", "Your server", "your_server", ("is_good", "token_for")),
)

EXERCISES = {(lesson.number, name) for lesson in LESSONS for name in lesson.exercises}


def lesson_of(module: str, exercise: str) -> str:
    """Return the number of the lesson that has this exercise, or "" if none has.

    ``module``: the last name of the module of its check.

    >>> lesson_of("error_clinic", "keep"), lesson_of("core", "check")
    ('08b', '')
    """
    found = (one.number for one in LESSONS if one.module == module and exercise in one.exercises)
    return next(found, "")
