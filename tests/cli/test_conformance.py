"""The command, as it is typed: what it prints, what it writes, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pushlab.cli.commands import main
from pushlab.conformance.senders import template
from pushlab.conformance.senders.command import NAMES, PLACEHOLDER
from pushlab.settings import patience

ROOT = Path(__file__).parents[2]
BROKEN = [sys.executable, "-m", "tests.conformance.broken.sender"]
"""A sender that is right, unless a fault is named. It is run from the checkout's folder."""

ARGUMENTS = [
    "--subscription", "{subscription}", "--payload", "{payload}", "--ttl", "{ttl}", "--urgency",
    "{urgency}", "--topic={topic}", "--vapid-private={vapid_private}", "--subject", "{subject}",
]  # fmt: skip
FEW = ["--case", "bytes.ascii", "--case", "token.exp-integer", "--case", "answers.410"]


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def examined(capsys, *options: str, command: list[str]) -> tuple[int, list[dict], str]:
    status = main(["conformance", "--json", *options, "--", *command])
    said = capsys.readouterr()
    return status, [json.loads(line) for line in said.out.splitlines()], said.err


@pytest.mark.usefixtures("programs")
def test_a_right_sender_passes_and_the_reports_say_so(capsys, tmp_path):
    page, xml = tmp_path / "report.html", tmp_path / "report.xml"
    command = [*BROKEN, *ARGUMENTS]
    options = [*FEW, "--html", str(page), "--junit", str(xml), "--seed", "7"]
    status, lines, said = examined(capsys, *options, command=command)
    assert [line["verdict"] for line in lines[:-1]] == ["pass"] * 3, lines
    assert status == 0 and lines[-1]["summary"] == {
        "pass": 3, "fail": 0, "warn": 0, "na": 0, "not-reached": 0,
    }  # fmt: skip
    assert [line["case"] for line in lines[:-1]] == FEW[1::2]
    assert "https://localhost:" in said and "seed           7" in said
    assert ET.parse(xml).getroot()[0].get("failures") == "0"
    assert page.read_text("utf-8").count("<details") == 3


@pytest.mark.usefixtures("programs")
def test_a_must_that_fails_ends_with_1_and_the_page_shows_the_request(capsys, tmp_path):
    page = tmp_path / "report.html"
    command = [*BROKEN, "--fault", "token.exp-integer", *ARGUMENTS]
    status, lines, _ = examined(capsys, *FEW, "--html", str(page), command=command)
    verdicts = {line["case"]: line["verdict"] for line in lines[:-1]}
    assert status == 1 and verdicts == {
        "bytes.ascii": "pass", "token.exp-integer": "fail", "answers.410": "pass",
    }  # fmt: skip
    shown = page.read_text("utf-8")
    assert shown.count("<svg ") == 3, "the diagram, the body, the token"
    assert "<script" not in shown and "src=" not in shown and "/wpush/" not in shown


@pytest.mark.usefixtures("programs")
def test_a_practice_that_fails_ends_with_0(capsys):
    command = [*BROKEN, "--fault", "answers.301", *ARGUMENTS]
    status, lines, _ = examined(capsys, "--case", "answers.301", command=command)
    assert (status, lines[0]["verdict"], lines[0]["level"]) == (0, "fail", "practice")


def test_a_command_that_cannot_be_run_ends_with_2_and_a_sentence(capsys):
    status, lines, _ = examined(capsys, "--case", "bytes", command=["/nowhere/sender"])
    assert status == 2 and {line["verdict"] for line in lines[:-1]} == {"not-reached"}
    assert lines[0]["why"] == "/nowhere/sender cannot be run: No such file or directory"


def test_a_command_that_cannot_be_run_is_told_once_in_a_terminal(capsys):
    assert main(["conformance", "--case", "bytes", "--", "/nowhere/sender"]) == 2
    said = capsys.readouterr().out
    assert said.count("No case can be judged: /nowhere/sender cannot be run: No such file") == 1
    assert said.count("cannot be run") == 1 and "bytes." not in said


def test_two_dashes_without_a_command_are_no_examination_by_hand(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["conformance", "--case", "bytes.ascii", "--"])
    assert "no command follows --" in capsys.readouterr().err


@pytest.mark.usefixtures("programs")
def test_one_byte_is_told_in_the_singular(capsys):
    command = [*BROKEN, *ARGUMENTS]
    _, lines, _ = examined(capsys, "--case", "bytes.one-byte", command=command)
    assert lines[0]["why"] == "1 byte arrived, as given"


def test_the_list_needs_no_sender(capsys):
    assert main(["conformance", "--list", "--case", "token"]) == 0
    said = capsys.readouterr().out
    assert "token.aud-port" in said and "RFC 7519 §4.1.4" in said and "bytes.ascii" not in said


def test_an_app_is_told_whom_to_trust_by_the_same_file_each_time(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path))
    options = ["--port", "0", "--case", "bytes.ascii", "--subscribe", "http://127.0.0.1:9"]
    said = []
    for _ in range(2):
        assert main(["conformance", *options]) == 2
        said.append(capsys.readouterr().out)
        assert (
            "cannot be reached" in said[-1] and "The app has to allow endpoints at https://" in said[-1]
        )
    authority = tmp_path / "conformance-ca.pem"
    assert str(authority) in said[0] and "BEGIN CERTIFICATE" in authority.read_text()
    if os.name == "posix":
        assert (tmp_path / "conformance.json").stat().st_mode & 0o077 == 0


def test_an_examination_that_cannot_run_never_ends_as_if_a_must_had_failed(capsys):
    app = ["conformance", "--http", "--subscribe", "http://127.0.0.1:9"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main([*app, "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert f"port {port} of 127.0.0.1: Address already in use" in said
    assert "another --port" in said and "--push-port" not in said


def test_the_help_names_each_placeholder_and_what_the_exit_status_means(capsys):
    with pytest.raises(SystemExit):
        main(["conformance", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "exit status is 1 if a case fails that an RFC requires" in said
    for option, known in (
        ("--subscribe-body", template.OF_A_SUBSCRIPTION),
        ("--send-body", template.OF_A_MESSAGE - template.OF_A_SUBSCRIPTION),
    ):
        of_it = said.rpartition(f"{option} TEMPLATE")[2].partition("(default")[0]
        assert set(template.PLACEHOLDER.findall(of_it)) == known
    command = said.rpartition("-- COMMAND")[2].partition("options:")[0]
    assert set(PLACEHOLDER.findall(command)) == NAMES


@pytest.mark.usefixtures("programs")
def test_ctrl_c_ends_it_with_a_report_of_what_was_judged_and_leaves_nothing():
    command = [
        sys.executable,
        "-m",
        "pushlab",
        "conformance",
        "--case",
        "bytes.ascii",
        "--case",
        "token",
    ]
    waits = ["sh", "-c", "echo $$ >&2; sleep 600"]
    process = subprocess.Popen([*command, "--", *waits], stdout=subprocess.PIPE, text=True)
    while not (line := process.stdout.readline()).startswith("seed"):
        assert line, "it has ended"
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=patience(60))
    assert process.returncode == 128 + signal.SIGINT
    assert "0 pass, 0 fail" in said
