"""Programs that a test starts, and that end with it."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

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
