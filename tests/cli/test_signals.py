"""Each command ends in order at Ctrl-C, SIGTERM and SIGHUP, and leaves no profile and no key."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest

from pushlab.settings import patience

# Whoever started the tests may have had SIGHUP ignored, as nohup does.
HEAR = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-m", "pushlab", *sys.argv[1:]])
"""
PUSHLAB = [sys.executable, "-c", HEAR]
FREE = ["--port", "0", "--push-port", "0"]

pytestmark = pytest.mark.usefixtures("programs")


@contextmanager
def running(folder, *command):
    """Run a command whose temporary files are in ``folder``."""
    environ = os.environ | {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*PUSHLAB, *command], env=environ, **pipes) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def left(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def until(process, word: str) -> str:
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"it ended without {word}: {process.stderr.read()}")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_in_the_middle(short_path, chromium_installed, sent):
    with running(short_path, "demo", "--browser", "chromium") as process:
        until(process, "has a service worker")
        assert any(name.startswith("pushlab-demo-") for name in left(short_path))
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(sent)
        _, errors = process.communicate(timeout=patience(120))
        assert (process.returncode, errors) == (128 + sent, "")
        _, alive = psutil.wait_procs(children, timeout=patience(60))
        assert not alive and left(short_path) == []


def test_join_at_a_lab_that_is_asked_to_end_after_it(tmp_path, firefox_installed):
    folders = [tmp_path / name for name in ("serve", "join")]
    for folder in folders:
        folder.mkdir()
    with running(folders[0], "serve", *FREE, "--data", str(tmp_path / "data")) as lab:
        page = until(lab, "application server").split()[2]
        said = lab.stdout.readline() + lab.stdout.readline()
        assert f"./lab browser firefox {page}" in said and "Stop with Ctrl-C." in said
        for sent in (signal.SIGTERM, signal.SIGHUP):
            with running(folders[1], "join", page, "--headless", "--browser", "firefox") as process:
                until(process, "Close the browser")
                assert left(folders[1])
                process.send_signal(sent)
                _, errors = process.communicate(timeout=patience(120))
                assert (process.returncode, errors, left(folders[1])) == (128 + sent, "", [])
        lab.send_signal(signal.SIGHUP)
        _, errors = lab.communicate(timeout=patience(120))
        assert (lab.returncode, errors, left(folders[0])) == (0, "", [])


def test_after_a_kill_the_next_command_sweeps_the_keys_of_the_demo(tmp_path):
    with running(tmp_path, "demo", "--browser", "virtual") as process:
        until(process, "key pair")
        process.kill()
    assert [name[:13] for name in left(tmp_path)] == ["pushlab-demo-"]
    with running(tmp_path, "demo", "--browser", "virtual") as process:
        _, errors = process.communicate(timeout=patience(120))
        assert (process.returncode, errors, left(tmp_path)) == (0, "", [])
