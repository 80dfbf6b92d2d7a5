"""What a run says while it goes on: how far it is, what is running where, and what takes long."""

import os
import threading
import time

import pytest

from .schedule import LITTLE, MEASURED

EVERY = 20.0
"""Seconds between two lines about how far the run is."""

LONG = 30.0
"""After so many seconds a test is named, and again whenever it has taken twice as long."""


class Progress:
    """Print lines between pytest's dots. A thread does it, so a test that hangs is named too."""

    def __init__(self, config: pytest.Config):
        self._config = config
        # While a test runs, what is written to standard output is kept for its report. Now it is not.
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._began = self._said = time.monotonic()
        self._running: dict[str, float] = {}
        self._named: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._skipped: set[str] = set()
        self._collected = self._done = self._failed = 0
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def pytest_sessionstart(self) -> None:
        self._thread.start()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collected = len(session.items)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        with self._lock:
            self._running[nodeid] = time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        with self._lock:
            if report.skipped:  # How long it takes when it runs is not seen.
                self._skipped.add(report.nodeid)
            self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0) + report.duration
            self._failed += report.failed

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        with self._lock:
            self._running.pop(nodeid, None)
            self._named.pop(nodeid, None)
            self._done += 1

    def pytest_sessionfinish(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._out.close()
        if hasattr(self._config, "cache"):
            new = {test: took for test, took in self._seconds.items() if test not in self._skipped}
            kept = self._config.cache.get(MEASURED, {}) | new
            slow = {test: round(took, 2) for test, took in kept.items() if took >= LITTLE}
            self._config.cache.set(MEASURED, slow)

    def _watch(self) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        ended = 0
        while not self._over.wait(1):
            for line in self._lines(time.monotonic()):
                dots = getattr(terminal, "_width_of_current_line", 0)
                print("" if dots == ended else "\n", line, sep="", file=self._out, flush=True)
                ended = dots

    def _lines(self, now: float) -> list[str]:
        with self._lock:
            running = dict(self._running)
            lines = []
            for nodeid, began in running.items():
                if (took := now - began) >= self._named.get(nodeid, LONG):
                    self._named[nodeid] = 2 * self._named.get(nodeid, LONG)
                    lines.append(f"  {took:.0f} s already: {self._place(nodeid)}")
            if now - self._said >= EVERY:
                self._said = now
                failed = f", {self._failed} failed" if self._failed else ""
                here = "; ".join(map(self._place, running))
                took = now - self._began
                done = f"{self._done} of {self._total()} tests"
                lines.append(f"  {done} in {took:.0f} s{failed}; now {here}")
        return lines

    def _place(self, nodeid: str) -> str:
        scheduler = getattr(self._config, "scheduler", None)
        return f"{scheduler.worker_of(nodeid)}: {nodeid}" if scheduler else nodeid

    def _total(self) -> int:
        scheduler = getattr(self._config, "scheduler", None)
        if scheduler is not None:
            return len(scheduler.collection or ())
        return self._collected
