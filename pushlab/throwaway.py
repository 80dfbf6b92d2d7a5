"""Folders that are thrown away: a browser's profile, the keys of a demo.

Whoever makes one deletes it. A program that is killed deletes nothing, and the next one that starts
does it (``sweep``). It must never delete what is somebody else's, or in use. So each folder holds a
file that its maker keeps locked: the lock ends with the maker, even if it is killed. A folder without
that file is not ours, and neither is one of another user.
"""

import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from pushlab.filelock import HELD, lock, open_for_lock, unlock

PREFIX = "pushlab-"
MARK = "pushlab-owner.lock"

TRIES = 10
"""So many folders are made at most, one after another. It is very rare that a sweep finds even the first
before it is locked."""


class ThrowAwayFolder:
    """A new folder for this user alone, until ``delete()``. Also a context manager.

    >>> with ThrowAwayFolder("demo") as folder:
    ...     folder.is_dir(), folder.name.startswith("pushlab-demo-")
    (True, True)
    >>> folder.exists()
    False
    """

    def __init__(self, purpose: str) -> None:
        self.path, mark = _make(f"{PREFIX}{purpose}-")
        self._mark: BinaryIO | None = mark

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.delete()

    def delete(self) -> None:
        """Delete the folder. A second call does nothing."""
        mark, self._mark = self._mark, None
        if mark is None:
            return
        if sys.platform == "win32":  # An open file cannot be deleted there.
            mark.close()
        # The mark goes last: if this is killed half-way, the next program still knows the folder.
        _delete(self.path)
        mark.close()


def _make(prefix: str) -> tuple[Path, BinaryIO]:
    """Make a folder and its mark, locked.

    Another program's sweep may find the mark before it is locked here. That folder is the sweep's
    then, and another one is made. Raises OSError if that happens each time.
    """
    for _ in range(TRIES):
        path = Path(tempfile.mkdtemp(prefix=prefix))
        mark = open_for_lock(path / MARK)
        try:
            lock(mark)
        except OSError as error:
            if error.errno not in HELD:
                return path, mark  # A file system without locks: then nobody sweeps the folder either.
        else:
            if _is_at(mark, path / MARK):
                return path, mark
        mark.close()
    raise OSError(f"other pushlab programs have deleted {TRIES} new folders in {path.parent}: try again")


def _is_at(mark: BinaryIO, path: Path) -> bool:
    """Return whether an open file is the one at this path. A sweep may have deleted it there."""
    if sys.platform == "win32":  # An open file cannot be deleted there.
        return True
    try:
        return os.path.samestat(os.fstat(mark.fileno()), path.lstat())
    except OSError:
        return False


def sweep() -> list[Path]:
    """Delete the folders that killed programs of this user have left; return them.

    What still runs with such a folder, a browser whose guard was killed too, is ended before.
    """
    return [folder for folder in sorted(_candidates()) if _sweep(folder)]


def _candidates() -> list[Path]:
    with suppress(OSError):
        return [path for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _is_ours(path)]
    return []


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
        marked = (folder / MARK).lstat()
    except OSError:
        return False
    owner = os.getuid() if hasattr(os, "getuid") else found.st_uid
    kinds = stat.S_ISDIR(found.st_mode) and stat.S_ISREG(marked.st_mode)
    return kinds and found.st_uid == marked.st_uid == owner


def _sweep(folder: Path) -> bool:
    try:
        mark = open_for_lock(folder / MARK)
    except OSError:
        return False
    with mark:
        try:
            lock(mark)
        except OSError:
            return False  # Its maker is alive.
        _end_what_runs_with(folder)
        if sys.platform == "win32":
            _empty(folder)
            unlock(mark)
            mark.close()
            with suppress(OSError):  # If its maker has just opened the mark, the folder is in use.
                (folder / MARK).unlink()
                folder.rmdir()
        else:
            _delete(folder)
    return not folder.exists()


def _end_what_runs_with(folder: Path) -> None:
    """Kill the browsers whose profile the folder is. Its name is random, so nobody else's has it."""
    import psutil

    for process in psutil.process_iter(["cmdline"]):
        arguments = process.info["cmdline"] or []
        firefox = ("--profile", str(folder)) in pairwise(arguments)
        if firefox or f"--user-data-dir={folder}" in arguments:
            with suppress(psutil.Error):
                process.kill()
                process.wait(5)


def _delete(folder: Path) -> None:
    """Delete a folder, the mark last. The guard of a killed browser may be deleting it as well."""
    _empty(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path) -> None:
    """Delete what is in a folder, except for its mark."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != MARK:
                path.unlink(missing_ok=True)
