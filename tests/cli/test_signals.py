"""Each command ends in order at Ctrl-C, SIGTERM and SIGHUP, and leaves no profile and no key."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress

import psutil
import pytest

from pushlab.settings import patience

from ..run.programs import started

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
    with started([*PUSHLAB, *command], env=environ, **pipes) as process:
        yield process


def left(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def until(process, word: str) -> str:
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"it ended without {word}: {process.stderr.read()}")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_in_the_middle(short_path, chromium_installed, sent):
    children, folders = [], []
    while not (children and folders):  # If we are slow, it ends by itself before it stands still.
        with running(short_path, "demo", "--browser", "chromium") as process:
            until(process, "has a service worker")
            process.send_signal(signal.SIGSTOP)
            folders = [name for name in left(short_path) if name.startswith("pushlab-demo-")]
            with suppress(psutil.NoSuchProcess):
                children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(sent)
            process.send_signal(signal.SIGCONT)
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
    while not left(tmp_path):  # If we are slow, it has ended before it is killed, and leaves nothing.
        with running(tmp_path, "demo", "--browser", "virtual") as process:
            until(process, "key pair")
            process.kill()
    assert [name[:13] for name in left(tmp_path)] == ["pushlab-demo-"]
    with running(tmp_path, "demo", "--browser", "virtual") as process:
        _, errors = process.communicate(timeout=patience(120))
        assert (process.returncode, errors, left(tmp_path)) == (0, "", [])


WAITS = {
    "for a signal": "signal.pause()",
    "for a line": "sys.stdin.readline()",
    "for a thread": "threading.Event().wait()",
    "for a program": "subprocess.run(['sleep', '60'], stdout=nowhere, stderr=nowhere)",
    "in asyncio": "asyncio.run(asyncio.Event().wait())",
}
TAKEN = """
import asyncio, signal, subprocess, sys, threading
from subprocess import DEVNULL as nowhere
from pushlab.cli.signals import ending

def take():
    print("ready", flush=True)
    signal.pthread_kill(threading.get_ident(), signal.{sent})

with ending() as received:
    try:
        threading.Timer(0.5, take).start()
        {wait}
    except KeyboardInterrupt:
        print("ended", *received, flush=True)
"""


@pytest.mark.parametrize(
    ("wait", "sent"), [*((wait, signal.SIGTERM) for wait in WAITS), ("in asyncio", signal.SIGINT)]
)
def test_a_signal_that_another_thread_gets_ends_a_wait(wait, sent):
    """As when a program was stopped: who gets the signal then is a matter of chance."""
    program = TAKEN.format(sent=sent.name, wait=WAITS[wait])
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with started([sys.executable, "-c", program], text=True, **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        process.wait(patience(30))  # Its input stays open.
        said, errors = process.stdout.read(), process.stderr.read()
    noted = [str(int(sent))] if sent is not signal.SIGINT else []  # That one ends a program by itself.
    assert (said.split(), errors) == (["ended", *noted], "")


def test_one_that_was_stopped_ends(tmp_path):
    with running(tmp_path, "serve", *FREE, "--data", str(tmp_path / "data")) as lab:
        until(lab, "application server")
        for sent in (signal.SIGSTOP, signal.SIGTERM, signal.SIGCONT):
            lab.send_signal(sent)
        _, errors = lab.communicate(timeout=patience(60))
        assert (lab.returncode, errors) == (0, "")
