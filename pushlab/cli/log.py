"""The log of ``pushlab serve``: a line for each event and for each outcome, as it happens.

    15:04:05  user agent → application server    POST /notify-me [Ada 0d385654]
    15:04:05  application server → push service  POST message [Ada 0d385654] 163 bytes · ttl 10000
    15:04:05  push service → application server  201 Created [Ada 0d385654]
    15:04:05  application server                    accepted [Ada 0d385654] 201 Created: The push …

Nothing here is a secret: events never hold one, and an outcome's text has none.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from pushlab.journal import Event, Journal, Party, describe
from pushlab.text import one_line, show

MAX_WAITING = 1000
"""Lines that wait to be written. If nobody reads them, later ones are counted and left out."""

END_SECONDS = 1.0
"""How long ``close`` waits for the last lines. The thread is a daemon, and ends after it."""

OUTCOMES = logging.getLogger("pushlab.outcomes")


class EventLog:
    """Write a journal's events and the outcomes of messages to ``out``, from now on.

    A thread writes: whoever does not read a pipe to its end must not stop the servers.
    """

    def __init__(self, journal: Journal, out: TextIO) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue(MAX_WAITING)
        self._left_out = 0
        self._encoding = out.encoding or "utf-8"
        # Not through the buffer of ``out``: Python waits for whoever holds its lock when it ends.
        self._file = os.fdopen(os.dup(out.fileno()), "wb", buffering=0)
        self._unsubscribe = journal.subscribe(lambda event: self._add(line_of(event)))
        self._handler = _Handler(self._add)
        OUTCOMES.addHandler(self._handler)
        OUTCOMES.setLevel(logging.INFO)
        self._thread = threading.Thread(target=self._write, name="pushlab-log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write the lines that wait, and no more."""
        self._stop()
        if self._lines.full():  # The thread waits for a reader, who may never come.
            with suppress(queue.Empty):
                self._lines.get_nowait()
        with suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(END_SECONDS)

    def _stop(self) -> None:
        self._unsubscribe()
        OUTCOMES.removeHandler(self._handler)
        OUTCOMES.setLevel(logging.NOTSET)

    def _add(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._left_out += 1

    def _write(self) -> None:
        with self._file, suppress(OSError):  # If whoever has read the log leaves, the servers go on.
            while (line := self._lines.get()) is not None:
                if self._left_out:
                    count, self._left_out = self._left_out, 0
                    line += f"\n{count} lines are left out here: nobody read them"
                self._file.write(f"{line}\n".encode(self._encoding, "replace"))
        self._stop()


class _Handler(logging.Handler):
    """Pass each outcome on, as a line of the log."""

    def __init__(self, add: Callable[[str], None]) -> None:
        super().__init__()
        self._add = add

    def emit(self, record: logging.LogRecord) -> None:
        text = one_line(record.getMessage())
        self._add(f"{_clock(record.created)}  {Party.APPLICATION_SERVER:<36}  {text}")


def line_of(event: Event) -> str:
    """Return an event as one line for people, printable in any terminal.

    >>> event = Event(1, 0, Party.USER_AGENT, Party.PUSH_SERVICE, "subscribe", "Firefox")
    >>> line_of(event).partition("  ")[2]
    'user agent → push service             subscribe [Firefox]'
    """
    to = "" if event.source == event.target else f" → {event.target}"
    parts = (event.what, event.named, describe(event.detail))
    words = " ".join(filter(None, map(show, parts)))
    return f"{_clock(event.at)}  {event.source + to:<36}  {words}"


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
