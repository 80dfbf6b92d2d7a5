"""Files that hold a secret: read and written so that nobody else gets to see it.

A file that is made with the usual mode and narrowed afterwards has been readable in between, and
one that is written in place is half there when the power fails. So a secret goes into a new file of
mode 0600 first, and gets its name when it is whole.
"""

import logging
import os
import secrets
import stat
from pathlib import Path

from pushlab.errors import KeyFileError, KeyFileExists, KeyFileMalformed, KeyFileMissing

MAX_SIZE = 65536
"""Bytes. A key file has some hundred; more than this is another file, or no file at all."""

log = logging.getLogger(__name__)


def create(path: Path) -> int:
    """Make a new file of mode 0600 and return its descriptor. Raises FileExistsError."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)


def write(path: Path, content: bytes, overwrite: bool = False) -> None:
    """Write a file of mode 0600, whole or not at all.

    Raises KeyFileExists if the path is taken and ``overwrite`` is false, KeyFileError if the folder
    cannot be written.
    """
    # The name is free in every folder that is not under attack, and O_EXCL refuses the others.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(create(draft), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            os.replace(draft, path)
        else:
            # A link fails if the name is taken. A rename would not, and a look beforehand proves
            # nothing about the moment after it.
            os.link(draft, path)
    except FileExistsError:
        raise KeyFileExists(f"{path} is there already") from None
    except OSError as reason:
        raise KeyFileError(f"{path} cannot be written: {reason.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)


def read(path: Path) -> bytes:
    """Read a small file, and change nothing about it.

    Raises KeyFileMissing, or KeyFileMalformed if it cannot be read or is far too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        raise KeyFileMissing(f"there is no file {path}") from None
    except OSError as reason:
        raise KeyFileMalformed(f"{path} cannot be read: {reason.strerror}") from None
    if len(content) > MAX_SIZE:
        raise KeyFileMalformed(f"{path} is larger than {MAX_SIZE} bytes")
    return content


def is_exposed(path: Path) -> bool:
    """Say whether others than the owner have any right to a file.

    Windows has access lists instead, and reports a mode that says nothing.
    """
    return os.name == "posix" and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def restrict_permissions(path: Path) -> None:
    """Set mode 0600 on a file of our own that others can read.

    Call it only for a file that has proved to hold a secret of ours. A path is a caller's word: it
    may name a device or a program, and a mode that is wrong there breaks the machine.
    """
    if not is_exposed(path):
        return
    facts = path.stat()
    if stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid():
        path.chmod(0o600)
    else:
        warn_exposed(path)


def warn_exposed(path: Path) -> None:
    """Say in the log that others can read a file that holds a secret."""
    log.warning("others can read the keys in %s: chmod 600 it", path)
