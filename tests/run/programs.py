"""Programs that a test starts, and that end with it."""

import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psutil

from pushlab.settings import patience

SECONDS = 60
"""How long a program may take to end after its test has done with it (times PUSHLAB_PATIENCE)."""


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen]:
    """Run a program while the block goes on, and wait for its end: the block has asked it to end.

    ``Popen`` alone would wait for ever, also after a failure. Here the program is killed then.
    """
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
            for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
                pipe.close()  # Its end may be what the program waits for.
            process.wait(patience(SECONDS))
        except BaseException:
            process.kill()
            raise


T = TypeVar("T")


def answers(programs: Iterable[psutil.Process], question: Callable[[psutil.Process], T]) -> list[T]:
    """Ask each program, and return the answers of those that have not ended meanwhile."""
    given = []
    for program in programs:
        with suppress(psutil.NoSuchProcess):
            given.append(question(program))
    return given


def spawned(parent: psutil.Process) -> list[psutil.Process]:
    """Return the programs that ``multiprocessing`` has started for another and that have not ended."""
    found = answers(parent.children(), lambda one: (one, " ".join(one.cmdline())))
    return [one for one, command in found if "spawn_main" in command]
