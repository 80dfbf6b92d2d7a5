"""A lock on an open file, which the operating system gives back when its process ends, however it ends.

The lock belongs to the open file. So it says whether the process that has opened it is alive, on
which no number of a process can be relied: such numbers are used again, and differ between containers.
"""

import errno
import os
import sys
from pathlib import Path
from typing import BinaryIO

HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
"""What the operating system says if another process has the lock."""


def open_for_lock(path: Path) -> BinaryIO:
    """Open a file to lock, and make it, for this user alone, if it is missing. Follows no link."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o600), "r+b")


if sys.platform == "win32":
    import msvcrt

    _FAR = 2**30  # What is locked cannot be read there, so it is a byte far behind the text.

    def lock(file: BinaryIO) -> None:
        """Lock an open file. Raises OSError: one of HELD if another process has the lock."""
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def unlock(file: BinaryIO) -> None:
        """Give the lock back. A forked child may have the file open too, and the lock is of both."""
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def lock(file: BinaryIO) -> None:
        """Lock an open file. Raises OSError: one of HELD if another process has the lock."""
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def unlock(file: BinaryIO) -> None:
        """Give the lock back. A forked child may have the file open too, and the lock is of both."""
        fcntl.flock(file, fcntl.LOCK_UN)
