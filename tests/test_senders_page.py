"""The page for other people's senders: its programs are run as they stand there, where they can be."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pushlab.lab.authority import how_to_trust
from pushlab.lab.runtime import LabRuntime
from pushlab.settings import patience

PAGE = (Path(__file__).parents[1] / "notebooks" / "SENDERS.md").read_text("utf-8")


def program(language: str) -> str:
    """Return the page's one block of code in a language."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return block


def has_web_push() -> bool:
    """Say whether Node finds its web-push: in NODE_PATH, for one."""
    command = ["node", "-e", "require.resolve('web-push')"]
    return bool(shutil.which("node")) and subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture
def lab(tmp_path):
    with LabRuntime(port=0, push_port=0, data=tmp_path / "data", control=True) as running:
        yield running


def output(command: list[str], folder: Path, line: str = "") -> str:
    """Run a program in a folder, after a line for the shell, and return what it printed."""
    script = f'{line}\n"$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command],
        cwd=folder, env=dict(os.environ), capture_output=True, text=True, timeout=patience(60),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("language", ["Python", "Node"])
def test_the_program_sends_by_https_and_its_message_arrives(lab, tmp_path, language):
    if language == "Node" and not has_web_push():
        pytest.skip("Node's web-push is not installed: set NODE_PATH to the folder where it is")

    async def subscribed():
        return lab.push_service.receivers.subscribe(https=True)

    receiver = lab.run(subscribed())
    (tmp_path / "subscription.json").write_text(json.dumps(receiver.subscription.to_json()))
    trust = dict(how_to_trust(lab.ca_file))[language]
    run = (
        [sys.executable, "-c", program("python")]
        if language == "Python"
        else ["node", "-e", program("js")]
    )
    assert output(run, tmp_path, trust).split() == ["201"]
    (message,) = lab.run(receiver.wait())
    assert (message.text, message.ttl) == (f"Hello from {language}", 60)


@pytest.mark.usefixtures("programs")
def test_the_routes_for_tests_are_used_as_the_page_says(lab, tmp_path):
    script = program("sh").replace("http://127.0.0.1:8030", lab.push_service.origin)
    said = output(["sh", "-c", script], tmp_path)
    made = json.loads((tmp_path / "made.json").read_text())
    told = f'{{"id": "{made["id"]}"}}'
    assert said == f'{told}{{"messages": []}}{told}'
    assert lab.push_service.presence(made["subscription"]["endpoint"]) is None, "it has expired"
