"""Folders that are thrown away: what a killed program has left is deleted, and nothing else."""

import errno
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pushlab import throwaway
from pushlab.filelock import lock, open_for_lock
from pushlab.settings import patience
from pushlab.throwaway import MARK, ThrowAwayFolder, sweep

from .run.programs import started

MAKER = """
import subprocess, sys, time
from pushlab.throwaway import ThrowAwayFolder
folder = ThrowAwayFolder("firefox")
(folder.path / "cache").mkdir()
(folder.path / "cache" / "entry").write_text("x")
# In place of a browser whose guard was killed as well.
browser = [sys.executable, "-c", "import time; time.sleep(600)", "--profile", str(folder.path)]
print(folder.path, subprocess.Popen(browser).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Make folders in a place of the test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_program_has_left_is_deleted_and_its_browser_ended(place):
    import psutil

    with started([sys.executable, "-c", MAKER], stdout=subprocess.PIPE, text=True) as maker:
        folder, pid = maker.stdout.readline().split()
        browser = psutil.Process(int(pid))
        assert sweep() == [] and Path(folder).is_dir(), "its maker is alive"
        maker.send_signal(signal.SIGKILL)
        maker.wait(patience(60))
    assert browser.is_running()
    assert [str(path) for path in sweep()] == [folder]
    assert list(place.iterdir()) == []
    assert not browser.is_running() or browser.status() == psutil.STATUS_ZOMBIE
    assert sweep() == []


def test_what_is_not_provably_ours_stays(place):
    (place / "pushlab-firefox-notes").mkdir()  # A person's, and without our mark.
    (place / "pushlab-file").write_text("x")
    (place / "elsewhere").mkdir()
    (place / "elsewhere" / MARK).write_text("")
    (place / "pushlab-link").symlink_to(place / "elsewhere")
    linked = place / "pushlab-linked"
    linked.mkdir()
    (linked / MARK).symlink_to(place / "elsewhere" / MARK)
    before = set(place.rglob("*"))
    assert sweep() == []
    assert set(place.rglob("*")) == before


def test_a_folder_in_use_stays_and_goes_with_its_maker(place):
    with ThrowAwayFolder("demo") as folder:
        (folder / "link").symlink_to(place)
        assert sweep() == [] and folder.is_dir()
    assert list(place.iterdir()) == []


def test_a_sweep_that_comes_before_the_lock_takes_no_folder_in_use(place, monkeypatch):
    swept = []

    def lock_late(mark):
        monkeypatch.setattr(throwaway, "lock", lock)
        swept.extend(sweep())  # In place of another program's.
        lock(mark)

    monkeypatch.setattr(throwaway, "lock", lock_late)
    with ThrowAwayFolder("demo") as folder:
        assert len(swept) == 1 and folder not in swept
        assert sweep() == [] and [*folder.iterdir()] == [folder / MARK]
    assert list(place.iterdir()) == []


def test_a_sweep_that_has_the_lock_when_the_maker_wants_it_keeps_that_folder(place, monkeypatch):
    theirs = []

    def lock_late(mark):
        monkeypatch.setattr(throwaway, "lock", lock)
        (found,) = place.glob(f"*/{MARK}")
        theirs.append(open_for_lock(found))
        lock(theirs[0])  # In place of another program's sweep, which deletes the folder next.
        lock(mark)

    monkeypatch.setattr(throwaway, "lock", lock_late)
    with ThrowAwayFolder("demo") as folder:
        theirs[0].close()
        (left,) = sweep()
        assert left != folder and folder.is_dir()
    assert list(place.iterdir()) == []


def test_a_file_system_without_locks_still_gives_a_folder(place, monkeypatch):
    def refuse(mark):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(throwaway, "lock", refuse)
    with ThrowAwayFolder("demo") as folder:
        assert sweep() == [] and list(place.iterdir()) == [folder]
    assert list(place.iterdir()) == []
