"""Firefox's compiled scripts, which a new profile takes over from an earlier one.

Firefox's own windows are made of scripts. With a new profile it compiles them all, about a third of
the processor time of a start (3.0 s, and 2.2 s with this), and keeps the result in the profile:

    startupCache/        the scripts, compiled: 18 MB. Nothing of a person, a page or a subscription
    compatibility.ini    which Firefox made them. Any other deletes them, and compiles its own

So they are copied into the lab's data folder when a Firefox has ended in order, and from there into
each new profile. Where there is no data folder, none is made.
"""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from pushlab.settings import data_folder

FOLDER, MADE_BY = "startupCache", "compatibility.ini"
COMPLETE = "scriptCache.bin"
"""The file that Firefox writes last: half a minute after its start, or when it ends."""


def restore(profile: Path) -> bool:
    """Copy the kept scripts into a profile that is new, and say whether that was done.

    A Firefox that is older than the one that made them starts only with ``--allow-downgrade``: it
    takes the profile for one that was used with a newer Firefox.
    """
    kept = _kept()
    if (profile / MADE_BY).exists() or not (kept / MADE_BY).exists():
        return False
    try:
        # Not the folder itself: the profile's own mode is to stay, which lets nobody else in.
        shutil.copy2(kept / MADE_BY, profile)
        shutil.copytree(kept / FOLDER, profile / FOLDER)
        if not _same(kept / MADE_BY, profile / MADE_BY):
            raise FileNotFoundError(kept / FOLDER)
    except OSError:  # Another Firefox has replaced them meanwhile, or the disk is full.
        shutil.rmtree(profile / FOLDER, ignore_errors=True)
        (profile / MADE_BY).unlink(missing_ok=True)
        return False
    return True


def keep(profile: Path) -> None:
    """Copy the scripts of a profile whose Firefox has ended, unless the same Firefox's are kept."""
    kept = _kept()
    if not kept.parent.is_dir() or not (profile / FOLDER / COMPLETE).exists():
        return
    with suppress(OSError):  # Without them, the next start takes a little longer.
        if (kept / MADE_BY).exists() and _same(kept / MADE_BY, profile / MADE_BY):
            return
        # Another Firefox may end at the same time: what it reads here is whole, or not there.
        with tempfile.TemporaryDirectory(prefix="firefox-", dir=kept.parent) as copy:
            # The file that is left out is about a person's extensions.
            shutil.copytree(
                profile / FOLDER, Path(copy, "new", FOLDER), ignore=shutil.ignore_patterns("webext*")
            )
            shutil.copy2(profile / MADE_BY, Path(copy, "new"))
            if kept.exists():
                kept.rename(Path(copy, "old"))
            Path(copy, "new").rename(kept)


def _kept() -> Path:
    return data_folder() / "firefox-startup-cache"


def _same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()
