"""Files that contain a secret: read and written so that no other user can see it.

A file that is made with the usual mode and restricted afterwards can be read in between. A file that
is written in place is incomplete when the power fails. So a secret is written to a new file of mode
0600 first, and the file gets its name when it is complete.
"""

import logging
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from pushlab import files
from pushlab.errors import KeyFileError, KeyFileExists, KeyFileMalformed, KeyFileMissing
from pushlab.protocol.spelling import paths

log = logging.getLogger(__name__)


def create(path: Path) -> int:
    """Make a new file of mode 0600 and return its descriptor. Raises FileExistsError."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)


def write(path: Path, content: bytes, overwrite: bool = False) -> None:
    """Write a file of mode 0600, completely or not at all.

    ``content``: bytes; ``overwrite``: whether to replace a file that is there. Raises KeyFileExists
    if the path is taken and ``overwrite`` is false, KeyFileError if the folder
    cannot be written.
    """
    # No other file has this random name by chance, and O_EXCL refuses one that an attacker made.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(create(draft), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            draft.replace(path)
        else:
            _publish(draft, path)
    except FileExistsError:
        raise KeyFileExists(f"{path} exists already") from None
    except OSError as reason:
        raise KeyFileError(f"{path} cannot be written: {reason.strerror}") from None
    finally:
        with suppress(OSError):  # Usually it is gone, and in a folder that is read-only it never was.
            draft.unlink()


def _publish(draft: Path, path: Path) -> None:
    """Give a whole file its name. Raises FileExistsError if the name is taken.

    A rename would replace a file that is there, and a check before it would not rule out one that is
    made right after the check.
    """
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # exFAT, some network drives and phones have no links, and each says it otherwise.
        os.close(create(path))  # This takes the name, or fails.
        draft.replace(path)


def read(path: Path) -> bytes:
    """Read a small file without changing it.

    Raises KeyFileMissing, or KeyFileMalformed if it cannot be read or is far too large.
    """
    try:
        return files.read(path)
    except OSError as error:
        reason = error
    # Raised in the handler, this would have the other error, and with it the path, in its traceback.
    if reason.errno in paths.NOWHERE:
        check_path(path)
    if isinstance(reason, FileNotFoundError):
        raise KeyFileMissing(f"there is no file {path}")
    raise KeyFileMalformed(f"{path} cannot be read: {reason.strerror}")


def exists(path: Path) -> bool:
    """Say whether there is such a file. A path that is too long leads to none."""
    try:
        return path.exists()
    except OSError:
        return False


def check_path(path: Path) -> None:
    """Refuse what can hardly be the path of a missing file. Raises KeyFileMissing."""
    if what := paths.not_a_path(str(path)):
        raise KeyFileMissing(paths.WANTED.format(what), hint=paths.TURN)


def is_exposed(path: Path) -> bool:
    """Say whether users other than the owner have any permission on a file.

    On Windows it is always false: there the mode does not show the access lists.
    """
    return os.name == "posix" and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def restrict_permissions(path: Path) -> None:
    """Set mode 0600 on a file of this user that others can read; warn if it is another user's.

    Call it only for a file from which a secret of ours was read. Any other path may name a device or
    a program, and changing its mode would break the machine.
    """
    if not is_exposed(path):
        return
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
        warn_exposed(path)
        return
    try:
        path.chmod(0o600)
    except OSError:  # A file system that is read-only, or that knows no modes.
        warn_exposed(path)


def warn_exposed(path: Path) -> None:
    """Say in the log that other users can read a file that contains a secret."""
    log.warning("other users can read the keys in %s; run chmod 600 on it", path)
