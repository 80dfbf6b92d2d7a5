"""One lab a data folder: a lock that ends with its process, however that ends.

Two labs with one folder would share keys and subscriptions but not the push service's mailbox. An
endpoint of one is 404 at the other, and an application server removes what is 404. So a lab locks the
file ``lab.lock`` in its folder. The operating system holds the lock for the open file, and gives it
back when the process ends, after a kill too; the file itself stays, and means nothing. It says who
holds the lock, for the person who meets it.

The command ``pushlab keys``, the doctor, and a browser that joins read or make single files, and take
no lock. Each ``pushlab demo`` has a folder of its own.
"""

import errno
import json
import os
import sys
import warnings
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from pushlab.errors import DataFolderTaken
from pushlab.lab.loop import in_a_kernel
from pushlab.text import one_line

NAME = "lab.lock"

MAX_HOLDER = 1000
"""Bytes of the lock file that are read."""

_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
"""What the operating system says if another process has the lock."""


class DataFolderLock:
    """Lock a data folder for this process until ``release()``.

    Raises DataFolderTaken, and OSError if the file cannot be made. On a file system without locks it
    warns, and holds none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lock = DataFolderLock(Path(folder))
    ...     lock.release()
    """

    def __init__(self, folder: Path):
        self._file: BinaryIO | None = _open(folder / NAME)
        try:
            _lock(self._file)
        except OSError as reason:
            if reason.errno in _HELD:
                holder = _holder(self._file)
                self._file.close()
                raise DataFolderTaken(f"the data folder {folder} is used by {holder}") from None
            warnings.warn(
                f"The data folder {folder} cannot be locked on this file system ({reason.strerror}): "
                "see to it that no second lab uses it.",
                stacklevel=2,
            )
        else:
            _note_holder(self._file)

    def release(self) -> None:
        """Give the lock back. A second call does nothing."""
        file, self._file = self._file, None
        if file is not None:
            with file, suppress(OSError):
                # A forked child may have the file open as well, and the lock belongs to both.
                _unlock(file)


def _open(path: Path) -> BinaryIO:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o600), "r+b")


if sys.platform == "win32":
    import msvcrt

    _FAR = 2**30  # What is locked cannot be read there, so it is a byte far behind the text.

    def _lock(file: BinaryIO) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _unlock(file: BinaryIO) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


def _note_holder(file: BinaryIO) -> None:
    since = datetime.now().astimezone().strftime("%H:%M")
    holder = {"pid": os.getpid(), "program": _program(), "since": since}
    with suppress(OSError):  # A full disk: the lock holds all the same.
        file.seek(0)
        file.truncate()
        file.write(json.dumps(holder).encode())
        file.flush()


def _program() -> str:
    """Return what a person calls this program.

    Jupyter tells a kernel the path of its notebook in JPY_SESSION_NAME.
    """
    if in_a_kernel():
        notebook = Path(os.environ.get("JPY_SESSION_NAME", "")).name
        return f"the notebook {notebook}" if notebook else "a notebook"
    if Path(sys.argv[0]).name in ("pushlab", "__main__.py"):
        return "pushlab " + " ".join(sys.argv[1:2])
    return "a Python program"


def _holder(file: BinaryIO) -> str:
    try:
        file.seek(0)
        holder = json.loads(file.read(MAX_HOLDER))
        program, pid, since = holder["program"], int(holder["pid"]), str(holder["since"])[:5]
        program = one_line(str(program)[:80])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return "another lab"  # It has just taken the lock, or its disk is full.
    return f"{program} (process {pid}, since {since})"
