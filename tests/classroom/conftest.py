"""A room's application server with a class, in a thread of its own, and participants who talk to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.web.certificate import Certificate
from pushlab.classroom.classroom import Classroom
from pushlab.classroom.client import ClassClient
from pushlab.lab.loop import BackgroundLoop
from pushlab.server.database_url import sqlite_url

TOKEN = "dG9rZW4tb2YtdGhlc2UtdGVzdHM"


class Clock:
    """Seconds since 1970, as a test sets them."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Room:
    """A server with a class. ``classroom`` is what the instructor's notebook has."""

    def __init__(
        self,
        background: BackgroundLoop,
        database: Path | None,
        clock: Clock,
        port: int = 0,
        certificate: Certificate | None = None,
    ) -> None:
        self.background, self.clock = background, clock
        self.classroom = Classroom(clock)
        self.server = ApplicationServer(
            keys=VapidKeys.generate(),
            database=sqlite_url(database) if database else "sqlite://",
            instructor_token=TOKEN,
            extension=self.classroom,
            certificate=certificate,
        )
        background.run(self.server.start(port))

    @property
    def url(self) -> str:
        return self.server.url

    def join(self, name: str) -> ClassClient:
        """Return the client of a new participant."""
        return ClassClient(self.url, ClassClient(self.url).join(name).secret)

    def instructor(self) -> ClassClient:
        """Return a client with the instructor's token."""
        return ClassClient(self.url, TOKEN)

    def stop(self) -> None:
        self.background.run(self.server.stop())


@contextmanager
def opened(
    background: BackgroundLoop,
    database: Path | None = None,
    port: int = 0,
    certificate: Certificate | None = None,
) -> Iterator[Room]:
    room = Room(background, database, Clock(), port, certificate)
    try:
        yield room
    finally:
        room.stop()


@pytest.fixture(scope="module")
def background() -> Iterator[BackgroundLoop]:
    loop = BackgroundLoop()
    yield loop
    loop.stop()


@pytest.fixture
def room(background) -> Iterator[Room]:
    with opened(background) as room:
        yield room


def told(number: int, exercise: str, result: str = "differs", step: str = "", ago: float = 0) -> dict:
    """Return an attempt as it is sent. ``exercise``: with its lesson, ``03.derive``."""
    lesson, _, name = exercise.partition(".")
    return {
        "id": number, "lesson": lesson, "exercise": name, "result": result, "step": step, "ago": ago,
    }  # fmt: skip
