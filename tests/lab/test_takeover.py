"""A second notebook takes the lab over: the first one's stops in order, and says what has happened."""

import http.client
import json
import os
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from pushlab.errors import DataFolderTaken, LabStopped
from pushlab.lab import data_folder
from pushlab.lab.data_folder import NAME, DataFolderLock
from pushlab.lab.runtime import LabRuntime
from pushlab.reader import Reader, reading
from pushlab.settings import patience

FREE = {"port": 0, "push_port": 0}
# A kernel of another notebook, which is idle, and then uses its lab again.
NOTEBOOK = """
import os, sys
from types import SimpleNamespace
from pushlab.errors import LabStopped
from pushlab.notebook import Lab
os.environ["JPY_SESSION_NAME"] = "/home/ada/notebooks/02_subscribe.ipynb"
sys.modules["IPython"] = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=True))
lab = Lab(port=0, push_port=0, data=sys.argv[1])
lab.open("virtual").subscribe()
print("ready", flush=True)
sys.stdin.readline()
print(repr(lab), flush=True)
for use in (lab.subscriptions, lambda: lab.open("virtual"), lambda: lab.on_event(print)):
    try:
        use()
    except LabStopped as error:
        print(error, flush=True)
"""


@contextmanager
def program(*command):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, *command], text=True, **pipes) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(patience(60))


@pytest.mark.usefixtures("programs")
def test_a_second_notebook_takes_over_and_the_first_one_says_so(tmp_path, leaves_nothing):
    with program("-c", NOTEBOOK, str(tmp_path)) as other, leaves_nothing():
        assert other.stdout.readline() == "ready\n"
        with pytest.raises(DataFolderTaken) as refused:
            LabRuntime(**FREE, data=tmp_path)
        said = str(refused.value)
        assert said.startswith(f"The notebook 02_subscribe.ipynb (process {other.pid}, since ")
        assert "Lab(take_over=True)" in said
        with LabRuntime(**FREE, data=tmp_path, take_over=True) as lab:
            assert lab.running and lab.subscriptions() == [], "it has unsubscribed its browser"
            other.stdin.write("\n")
            said, errors = other.communicate(timeout=patience(60))
        assert (other.returncode, errors) == (0, "")
        shown, *used = said.splitlines()
        assert shown.startswith("The lab has stopped: a Python program took it over at ")
        assert len(used) == 3 and len(set(used)) == 1
        assert used[0].startswith("The lab has stopped: a Python program took it over at ")
        assert used[0].endswith("To take it back: Lab(take_over=True).")


@pytest.mark.usefixtures("programs")
def test_serve_can_be_taken_over_and_takes_over(tmp_path):
    serve = ["-m", "pushlab", "serve", "--port", "0", "--push-port", "0", "--data", str(tmp_path)]
    with program(*serve) as first:
        assert first.stdout.readline().startswith("application server ")
        with program(*serve, "--take-over") as second:
            assert second.stdout.readline().startswith("application server "), second.stderr.read()
            _, errors = first.communicate(timeout=patience(60))
            assert first.returncode == 0 and "Traceback" not in errors
            assert "pushlab serve took it over at" in errors and "serve --take-over" in errors
            with LabRuntime(**FREE, data=tmp_path, take_over=True):
                second.communicate(timeout=patience(60))


def test_there_need_be_nobody_to_take_over_from(tmp_path):
    with LabRuntime(**FREE, data=tmp_path, take_over=True) as first:
        with LabRuntime(**FREE, data=tmp_path, take_over=True) as second:
            assert second.running and not first.running
        assert not first.why_stopped, "it is of this program"


def ask(port, path="/stop", method="POST", body=b'{"by": "x"}', **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience(30))
    connection.request(method, path, body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_only_who_can_read_the_lock_file_can_stop_a_lab(tmp_path):
    with LabRuntime(**FREE, data=tmp_path) as lab:
        path = tmp_path / NAME
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        held = json.loads(path.read_text())
        secret = f"Bearer {held['secret']}"
        assert len(held["secret"]) >= 43
        assert ask(held["port"]) == ask(held["port"], Authorization="Bearer x") == 400
        assert ask(held["port"], Authorization="Bearer \xe9") == 400
        assert ask(held["port"], method="GET", Authorization=secret) == 405
        assert ask(held["port"], "/", Authorization=secret) == 404
        assert ask(held["port"], body=b"{}", Authorization=secret) == 400
        assert ask(held["port"], body=b"[" * 100_000, Authorization=secret) == 400
        assert lab.running and held["secret"] not in repr(lab._lock) + repr(vars(lab))
    assert path.read_text() == "", "a secret is for one lab"


def test_a_lab_that_cannot_be_asked_is_left_alone(tmp_path, monkeypatch):
    """It hangs: nothing is ended by force."""
    monkeypatch.setattr(data_folder, "ASK_SECONDS", 0.1)
    lock = DataFolderLock(tmp_path)
    with pytest.raises(DataFolderTaken, match="could not be asked to stop"):
        LabRuntime(**FREE, data=tmp_path, take_over=True)
    lock.note(9, "nobody listens there")
    with pytest.raises(DataFolderTaken, match="could not be asked to stop"):
        LabRuntime(**FREE, data=tmp_path, take_over=True)
    lock.release()


def test_a_lab_that_is_stopping_already_is_waited_for(tmp_path, monkeypatch):
    """It answers no question any more, and holds the lock for some moments."""
    lock, asked = DataFolderLock(tmp_path), []

    def ask_in_vain(*arguments):
        asked.append(arguments)
        if len(asked) == 2:
            lock.release()
        return False

    monkeypatch.setattr(data_folder, "ask_to_stop", ask_in_vain)
    DataFolderLock.take_over(tmp_path).release()
    assert len(asked) == 2


def test_a_lab_that_has_just_begun_to_start_is_asked_again(tmp_path, monkeypatch):
    lock, answers = DataFolderLock(tmp_path), [False, False, True]

    def ask(*arguments):
        if not answers:
            pytest.fail("it had said that it will stop")
        if answer := answers.pop(0):
            threading.Timer(0.1, lock.release).start()
        return answer

    monkeypatch.setattr(data_folder, "ask_to_stop", ask)
    DataFolderLock.take_over(tmp_path).release()
    assert not answers


def test_in_a_terminal_the_words_are_those_of_a_terminal(tmp_path):
    with LabRuntime(**FREE, data=tmp_path) as lab:
        lab._be_taken_over("pushlab serve")
        with reading(Reader.TERMINAL), pytest.raises(LabStopped, match="serve --take-over"):
            lab.subscriptions()
