"""PostgreSQL's driver, made so that it does not wait for ever.

A server that is stopped in its tracks, as a machine is whose disk does not answer, still acknowledges
what it is sent: its system does that. So no keepalive notices, and its own limit for a statement does
not count on. Only whoever waits can end it.
"""

import time
from collections.abc import Generator
from typing import Any

import psycopg

ANSWER_TIMEOUT = 130.0
"""Seconds that a statement may take. A server that works ends it sooner (``LIMITS`` in database.py)."""


class BoundedConnection(psycopg.Connection):
    """A connection that is closed if its server does not answer. Then it raises OperationalError."""

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """Let the driver exchange messages with the server until ``gen`` has its result."""
        return super().wait(self._bounded(gen), *arguments, **options)

    def _bounded(self, gen: Any) -> Generator[Any, Any, Any]:
        deadline = time.monotonic() + ANSWER_TIMEOUT
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() >= deadline:  # The driver looks ten times a second.
                    self.pgconn.finish()
                    raise psycopg.OperationalError("no answer")
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value


def connect_bounded(_dialect: Any, _record: Any, arguments: Any, options: Any) -> BoundedConnection:
    """Open a connection in place of SQLAlchemy, which calls this for each."""
    return BoundedConnection.connect(*arguments, **options)
