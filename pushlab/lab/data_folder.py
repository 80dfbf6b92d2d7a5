"""One lab a data folder: a lock that ends with its process, however that ends.

Two labs with one folder would share keys and subscriptions but not the push service's mailbox. An
endpoint of one is 404 at the other, and an application server removes what is 404. So a lab locks the
file ``lab.lock`` in its folder; the file itself stays, and means nothing. It says who holds the lock,
for the person who meets it, and how another lab can ask the holder to stop (``takeover``).

The command ``pushlab keys``, the doctor, and a browser that joins read or make single files, and take
no lock. Each ``pushlab demo`` has a folder of its own.
"""

import json
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from pushlab import settings
from pushlab.errors import DataFolderTaken, UnusableFolder
from pushlab.filelock import HELD, lock, open_for_lock, unlock
from pushlab.lab.takeover import ask_to_stop
from pushlab.reader import in_a_kernel
from pushlab.text import one_line

NAME = "lab.lock"

MAX_HOLDER = 1000
"""Bytes of the lock file that are read."""

ASK_SECONDS = 10
"""How long a lab may take to say that it will stop (times PUSHLAB_PATIENCE)."""

STOP_SECONDS = 150
"""How long a lab that has been asked to stop may take to close its browsers and its servers
(times PUSHLAB_PATIENCE)."""


@dataclass(frozen=True)
class Holder:
    """Who has a lock: what a person calls the program, its process, and since when.

    ``port`` and ``secret`` are for the request to stop; without a port it cannot be asked.
    ``push_service`` is what a user agent connects to, which a private lab keeps secret, and ``https`` is
    the origin for senders by https.
    """

    program: str
    pid: int
    since: str
    port: int = 0
    secret: str = field(default="", repr=False)
    push_service: str = field(default="", repr=False)
    https: str = ""

    def __str__(self) -> str:
        return f"{self.program} (process {self.pid}, since {self.since})"


class DataFolderLock:
    """Lock a data folder for this process until ``release()``. Makes the folder if it is missing.

    Raises DataFolderTaken, UnusableFolder. On a file system without locks it warns, and holds none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lock = DataFolderLock(Path(folder))
    ...     lock.release()
    """

    def __init__(self, folder: Path):
        with usable(folder):
            folder.mkdir(0o700, parents=True, exist_ok=True)
            self._file: BinaryIO | None = open_for_lock(folder / NAME)
        try:
            lock(self._file)
        except OSError as reason:
            if reason.errno in HELD:
                holder = _holder(self._file)
                self._file.close()
                who = str(holder or "another lab")
                taken = DataFolderTaken(f"{who[0].upper()}{who[1:]} uses the data folder {folder}")
                taken.holder = holder
                raise taken from None
            warnings.warn(
                f"The data folder {folder} cannot be locked on this file system ({reason.strerror}): "
                "see to it that no second lab uses it.",
                stacklevel=2,
            )
        self.note()

    @classmethod
    def take_over(cls, folder: Path) -> "DataFolderLock":
        """Lock a data folder; a lab that has it is asked to stop, and waited for.

        One that has just begun to start, or to stop, cannot be asked: it may stop by itself, or answer
        the next question. Raises DataFolderTaken if that lab does not stop in time, UnusableFolder.
        """
        seconds = settings.patience(ASK_SECONDS)
        deadline, is_asked = time.monotonic() + seconds, False
        while True:
            try:
                return cls(folder)
            except DataFolderTaken as taken:
                holder, refused = taken.holder, taken.detail
            if not is_asked and holder:
                is_asked = ask_to_stop(holder.port, holder.secret, program(), seconds)
                if is_asked:
                    deadline = time.monotonic() + settings.patience(STOP_SECONDS)
            if time.monotonic() > deadline:
                raise _has_not_stopped(refused, is_asked)
            time.sleep(0.05)  # No event tells a process that another one has given a lock back.

    def note(self, port: int = 0, secret: str = "", **addresses: str) -> None:
        """Write into the file who has the lock, and how to ask for its stop.

        ``addresses``: those of the push service, by their names in Holder.
        """
        if self._file is None:
            return
        holder = {"pid": os.getpid(), "program": program(), "since": clock()}
        if port:
            holder |= {"port": port, "secret": secret} | addresses
        with suppress(OSError):  # A full disk: the lock holds all the same.
            if hasattr(os, "fchmod"):
                os.fchmod(self._file.fileno(), 0o600)
            self._write(json.dumps(holder).encode())

    def release(self) -> None:
        """Give the lock back. A second call does nothing."""
        if self._file is None:
            return
        with suppress(OSError):
            self._write(b"")
        file, self._file = self._file, None
        with file, suppress(OSError):
            unlock(file)

    def _write(self, content: bytes) -> None:
        assert self._file is not None, "it has not been released"
        self._file.seek(0)
        self._file.truncate()
        self._file.write(content)
        self._file.flush()


def holder_of(folder: Path) -> Holder | None:
    """Return who has the lock of a data folder; None if nobody has, and no lab runs there.

    Raises UnusableFolder.
    """
    if folder.exists() and not folder.is_dir():
        raise UnusableFolder(f"{folder} is not a folder")
    if not (folder / NAME).exists():
        return None
    with usable(folder), open_for_lock(folder / NAME) as file:
        holder = _holder(file)
        if holder is None:  # Nobody: and who is about to take the lock must not find it taken.
            return None
        try:
            lock(file)
        except OSError:
            return holder  # On a file system without locks, what is written has to do.
        unlock(file)
    return None  # It was killed.


def is_same(folder: Path, other: Path) -> bool:
    """Say whether two paths name one folder."""
    try:
        return folder.samefile(other)
    except OSError:
        return False  # One of them is not there.


def absolute(folder: Path) -> Path:
    """Return the absolute path of a folder. Raises UnusableFolder."""
    try:
        return folder.absolute()
    except OSError as reason:
        detail = f"the folder that this program runs in is gone: {reason.strerror}"
        raise UnusableFolder(detail) from None


def _has_not_stopped(refused: str, is_asked: bool) -> DataFolderTaken:
    if is_asked:
        said, hint = "has not stopped when it was asked to", "close its browsers, or end its process"
        return DataFolderTaken(f"{refused}, and {said}", hint=f"Stop it there: {hint}")
    said = "could not be asked to stop"
    hint = "It may be just starting or ending: try again in a moment, or stop it there"
    return DataFolderTaken(f"{refused}, and {said}", hint=hint)


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Use a data folder. What the system refuses there is raised as UnusableFolder."""
    try:
        yield
    except OSError as reason:
        detail = f"the data folder {folder} cannot be used: {reason.strerror or reason}"
        raise UnusableFolder(detail) from None


def clock() -> str:
    """Return the time of day, for a person."""
    return datetime.now().astimezone().strftime("%H:%M")


def program() -> str:
    """Return what a person calls this program.

    Jupyter tells a kernel the path of its notebook in JPY_SESSION_NAME.
    """
    if in_a_kernel():
        notebook = Path(os.environ.get("JPY_SESSION_NAME", "")).name
        return f"the notebook {notebook}" if notebook else "a notebook"
    started = Path(sys.argv[0])
    if started.name == "pushlab" or started.parts[-2:] == ("pushlab", "__main__.py"):
        return "pushlab " + " ".join(sys.argv[1:2])
    return "a Python program"


def _holder(file: BinaryIO) -> Holder | None:
    """Return who holds the lock, or None: it has just taken it, or its disk is full."""
    try:
        file.seek(0)
        found = json.loads(file.read(MAX_HOLDER))
        return Holder(
            one_line(str(found["program"])[:80]),
            int(found["pid"]),
            str(found["since"])[:5],
            int(found.get("port", 0)),
            str(found.get("secret", "")),
            one_line(str(found.get("push_service", ""))),
            one_line(str(found.get("https", ""))),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
