"""One lab a data folder: the lock, who holds it, and that it ends with its process."""

import errno
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from pushlab.cli.commands import main
from pushlab.errors import DataFolderTaken, UnusableFolder
from pushlab.lab import data_folder
from pushlab.lab.data_folder import DataFolderLock
from pushlab.lab.runtime import LabRuntime
from pushlab.settings import patience

from ..run.programs import started

FREE = {"port": 0, "push_port": 0}
PROGRAM = """
import os, sys
from pushlab.lab.runtime import LabRuntime
lab = LabRuntime(port=0, push_port=0, data=sys.argv[1])
print(os.getpid(), flush=True)
sys.stdin.read()
"""


@contextmanager
def another_lab(folder):
    """Run a lab with this folder in a process of its own."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    with started(command, **pipes) as process:
        assert process.stdout.readline() == f"{process.pid}\n"
        yield process


@pytest.mark.usefixtures("programs")
def test_a_second_lab_is_refused_and_told_who_is_there(tmp_path, leaves_nothing, capsys):
    with another_lab(tmp_path) as other, leaves_nothing():
        with pytest.raises(DataFolderTaken) as refused:
            LabRuntime(**FREE, data=tmp_path)
        said = str(refused.value)
        assert said.startswith(f"A Python program (process {other.pid}, since ")
        assert f" uses the data folder {tmp_path}" in said
        assert "Lab(take_over=True)" in said and "Lab(data=…" in said and "--data" not in said
        ports = ["--port", "0", "--push-port", "0"]
        assert main(["serve", *ports, "--data", str(tmp_path)]) == 2
        said = capsys.readouterr().err
        assert f"process {other.pid}" in said
        assert "--take-over" in said and "--data" in said and "Lab(" not in said
        with LabRuntime(**FREE, data=tmp_path / "another") as lab:
            assert lab.running
    with LabRuntime(**FREE, data=tmp_path) as lab:
        assert lab.running, "it has ended, and so has its lock"


@pytest.mark.usefixtures("programs")
def test_another_name_of_the_folder_does_not_help(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with another_lab(tmp_path / "data"), pytest.raises(DataFolderTaken):
        LabRuntime(**FREE, data=tmp_path / "link")


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_ends_with_its_process_however_that_ends(tmp_path, sent):
    with another_lab(tmp_path) as other:
        other.send_signal(sent)
        assert other.wait(patience(60)) == -sent
        with LabRuntime(**FREE, data=tmp_path) as lab:
            assert lab.running


def test_a_lab_in_the_same_process_takes_over_from_the_one_before(tmp_path, leaves_nothing):
    with leaves_nothing():
        (tmp_path / "link").symlink_to(tmp_path)
        first = LabRuntime(**FREE, data=tmp_path)
        second = LabRuntime(**FREE, data=tmp_path / "link")
        third = LabRuntime(**FREE, data=tmp_path / "another")
        assert [first.running, second.running, third.running] == [False, False, True]
        LabRuntime(**FREE, data=tmp_path).stop()


@pytest.mark.usefixtures("programs")
def test_a_folder_that_is_taken_stops_no_lab_of_this_process(tmp_path):
    with another_lab(tmp_path / "taken"), LabRuntime(**FREE, data=tmp_path / "mine") as lab:
        with pytest.raises(DataFolderTaken):
            LabRuntime(**FREE, data=tmp_path / "taken")
        assert lab.running and lab.subscriptions() == []


def test_a_forked_child_does_not_keep_the_lock_of_a_lab_that_has_stopped(tmp_path):
    lab = LabRuntime(**FREE, data=tmp_path)
    read, write = os.pipe()
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    # A child that inherits everything: what a forked one has.
    lock = lab._lock._file.fileno()
    with started(command, stdin=read, pass_fds=[lock]) as child:
        lab.stop()
        os.close(read)
        LabRuntime(**FREE, data=tmp_path).stop()
        os.close(write)
        assert child.wait(patience(60)) == 0


def test_a_notebook_is_named_and_a_strange_lock_file_is_no_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(data_folder, "in_a_kernel", lambda: True)
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/notebooks/02_subscribe.ipynb")
    lock = DataFolderLock(tmp_path)
    with pytest.raises(DataFolderTaken, match=r"The notebook 02_subscribe.ipynb \(process"):
        DataFolderLock(tmp_path)
    for strange in ("", "[" * 5000, "[]", '{"pid": {}}', '{"pid": "x", "program": 1, "since": 2}'):
        (tmp_path / data_folder.NAME).write_text(strange)
        with pytest.raises(DataFolderTaken, match="Another lab uses the data folder"):
            DataFolderLock(tmp_path)
    lock.release()
    lock.release()
    DataFolderLock(tmp_path).release()


def test_a_file_system_without_locks_gives_a_warning_and_a_lab(tmp_path, monkeypatch):
    def without(file):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(data_folder, "lock", without)
    with pytest.warns(UserWarning, match="cannot be locked on this file system"):
        DataFolderLock(tmp_path).release()


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / data_folder.NAME).symlink_to(tmp_path / "precious")
    with pytest.raises(UnusableFolder, match="symbolic links"):
        DataFolderLock(tmp_path)
    assert (tmp_path / "precious").read_text() == "precious"
