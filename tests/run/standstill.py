"""Run a command while each of its Python programs stands still now and then.

    python tests/run/standstill.py ./lab test tests/server

On a busy machine, a program may wait for a second between any two steps. Here that happens all the time:
a program runs for up to RUNS seconds, and is then suspended for up to STANDS. So whatever is right only
while it is quick fails soon. It takes three times as long, and no more processor time.
"""

import random
import sys
import time
from contextlib import suppress

import psutil

STANDS, RUNS, LEAST = 1.0, 0.6, 0.1
"""Seconds: the longest times for which a program is suspended and runs, and the shortest of both."""

STEP = 0.05


class Standstill:
    """Suspend and resume programs, each in times of its own. ``chance`` chooses the times."""

    def __init__(self, chance: random.Random):
        self._chance = chance
        self._turns: dict[psutil.Process, tuple[bool, float]] = {}  # does it stand, and until when

    def step(self, programs: set[psutil.Process], now: float) -> None:
        """Let those change whose time is over. ``now``: seconds."""
        for program in programs:
            stands, until = self._turns.get(program, (True, now))
            if now >= until:
                seconds = self._chance.uniform(LEAST, RUNS if stands else STANDS)
                self._turns[program] = not stands, now + seconds
                _let(program, run=stands)
        for program in self._turns.keys() - programs:  # Who started it has ended.
            _let(program, run=True)
            del self._turns[program]

    def end(self) -> None:
        """Let all go on."""
        self.step(set(), 0)


def _let(program: psutil.Process, *, run: bool) -> None:
    with suppress(psutil.NoSuchProcess):
        program.resume() if run else program.suspend()


def python_programs(parent: psutil.Process) -> set[psutil.Process]:
    """Return what a process has started, and what that has started, if it is Python."""
    found = set()
    with suppress(psutil.NoSuchProcess):
        for child in parent.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if child.name().startswith("python"):
                    found.add(child)
    return found


def main(command: list[str]) -> int:
    """Run a command, and return its exit status."""
    # It has a session of its own: where a group with suspended programs loses its terminal, it is ended.
    program = psutil.Popen(command, start_new_session=True)
    standstill = Standstill(random.Random())
    try:
        while program.poll() is None:
            standstill.step(python_programs(program), time.monotonic())
            time.sleep(STEP)
    finally:
        standstill.end()
    return program.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
