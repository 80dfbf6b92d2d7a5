"""Subscriptions of profiles that are thrown away, after an end in order and after a kill."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from pushlab.errors import UnableToWriteDatabase
from pushlab.lab.forgetting import NAME
from pushlab.lab.runtime import LabRuntime

from ..run.programs import started

FREE = {"port": 0, "push_port": 0}
KILLED = """
import sys, time
from pathlib import Path
from pushlab.lab.runtime import LabRuntime
from pushlab.protocol.examples import RFC8291
data = Path(sys.argv[1])
lab = LabRuntime(port=0, push_port=0, data=data)
lab.application_server.subscribe(RFC8291.subscription, "a phone")
for name in ("Ada", "Bob", "Grace"):
    browser = lab.open("virtual", name=name)
    browser.keeps_profile = name == "Grace"
    browser.subscribe()
if len(sys.argv) > 2:
    lab.open(sys.argv[2], headless=True).subscribe()
count = 2 + len(sys.argv[2:])
path = data / "throw-away-subscriptions.txt"
while not path.exists() or path.read_text().count("\\n") < count:
    time.sleep(0.05)
print("ready", flush=True)
time.sleep(600)
"""


def kill_a_lab(data, *browser):
    command = [sys.executable, "-c", KILLED, str(data), *browser]
    with started(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("kind", ["virtual", "firefox", "chromium"])
def test_after_a_kill_the_next_lab_forgets_what_was_thrown_away_and_nothing_else(
    tmp_path, kind, request
):
    if kind != "virtual":
        request.getfixturevalue(f"{kind}_installed")
    kill_a_lab(tmp_path, *[kind] * (kind != "virtual"))
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    with LabRuntime(**FREE, data=tmp_path) as lab:
        assert [one.display_name for one in lab.subscriptions()] == ["a phone", "Grace"]
        assert not (tmp_path / NAME).exists()


def test_at_the_end_of_a_lab_no_browser_of_its_own_is_left(tmp_path):
    with LabRuntime(**FREE, data=tmp_path) as lab:
        ada, bob = (lab.open("virtual", name=name) for name in ("Ada", "Bob"))
        for browser in (ada, bob):
            browser.subscribe()
        ada.close(unsubscribe=False)
        assert len(lab.subscriptions()) == 2, "as in life, the server does not know"
    with LabRuntime(**FREE, data=tmp_path) as lab:
        assert lab.subscriptions() == []


def test_a_lab_whose_database_is_away_when_python_ends_is_stopped_all_the_same(
    tmp_path, monkeypatch, leaves_nothing
):
    def away(endpoint):
        raise UnableToWriteDatabase("it is away")

    with leaves_nothing():
        lab = LabRuntime(**FREE, data=tmp_path)
        try:
            lab.open("virtual")
            (tmp_path / NAME).write_text("https://push.example.net/thrown-away\n", "utf-8")
            monkeypatch.setattr(lab.application_server.store, "remove", away)
            with pytest.raises(UnableToWriteDatabase, match="it is away"):
                lab._stop_at_exit()
            assert not lab.running and not lab._browsers.all()
        finally:
            lab.stop()
