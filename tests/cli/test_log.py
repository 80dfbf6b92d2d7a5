"""The log of ``pushlab serve``: whoever reads it can follow, and whoever does not stops nobody."""

import logging
import os
import re
import urllib.request

import pytest

from pushlab.cli.log import MAX_WAITING, EventLog, line_of
from pushlab.journal import Event, Journal, Party
from pushlab.settings import patience

from .test_commands import post, push_endpoint, serving, subscription_at

UA, PS, AS = Party.USER_AGENT, Party.PUSH_SERVICE, Party.APPLICATION_SERVER


@pytest.fixture
def pipe():
    """Give both ends of a pipe, the second as a text file."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as source, os.fdopen(writing, "w") as target:
        yield source, target


def test_a_line_has_time_parties_event_name_label_and_details():
    event = Event(1, 0, UA, AS, "POST /notify-me", "Ada", {"status": 404, "topic": None}, "0d385654")
    line = line_of(event)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  user agent → application server +POST .*", line)
    assert line.endswith("  POST /notify-me [Ada 0d385654] status 404")
    assert line_of(Event(2, 0, AS, AS, "sign")).endswith("  application server                    sign")


def test_a_line_steers_no_terminal_and_shows_no_token():
    token = "A" * 43
    line = line_of(Event(1, 0, PS, AS, "201 \x1b[31m\n", "A\x1bda", {"reason": f"{token}\r"}, ""))
    assert line.isprintable() and token not in line


def test_events_and_outcomes_are_written_in_their_order(pipe, monkeypatch):
    monkeypatch.setattr("pushlab.cli.log.END_SECONDS", patience(30))
    source, target = pipe
    journal = Journal()
    log = EventLog(journal, target)
    journal.record(UA, AS, "POST /notify-me", "Ada", label="0d385654")
    logging.getLogger("pushlab.outcomes").info(
        "%s [%s] %s", "accepted", "Ada 0d385654", "201 Created:\n"
    )
    log.close()
    journal.record(UA, AS, "too late")
    logging.getLogger("pushlab.outcomes").info("too late")
    lines = source.read(65536).decode().splitlines()
    assert [line.partition("  ")[2].split("  ")[-1].strip() for line in lines] == [
        "POST /notify-me [Ada 0d385654]",
        "accepted [Ada 0d385654] 201 Created:",
    ]


def test_whoever_does_not_read_stops_nobody_and_is_told_what_is_left_out(pipe):
    source, target = pipe
    journal = Journal()
    log = EventLog(journal, target)
    for _ in range(5 * MAX_WAITING):  # more than a pipe and the queue have room for
        journal.record(UA, AS, "x" * 60)
    read = b""
    while b"lines are left out here: nobody read them" not in read:
        read += source.read(65536)
        journal.record(UA, AS, "y")
    log.close()


def test_whoever_stops_reading_stops_nobody(pipe):
    source, target = pipe
    journal = Journal()
    log = EventLog(journal, target)
    source.close()
    journal.record(UA, AS, "x")
    log._thread.join(patience(30))
    assert not log._thread.is_alive()
    journal.record(UA, AS, "y")
    log.close()


def lines_until(stream, text) -> list[str]:
    lines = [stream.readline()]
    while text not in lines[-1]:
        assert lines[-1], f"no {text!r} in {lines}"
        lines.append(stream.readline())
    return lines


@pytest.mark.usefixtures("programs")
def test_serve_writes_a_line_for_each_event_and_each_result(tmp_path):
    with push_endpoint() as (origin, _):
        subscription = subscription_at(origin)
        endpoint = {"endpoint": subscription["endpoint"]}
        with serving(tmp_path, "--allow-endpoint", origin) as (page, _, process):
            post(page + "add-subscription", subscription | {"name": "Ada"})
            post(page + "notify-me", endpoint)
            post(page + "notify-all", {})
            post(page + "remove-subscription", {"endpoint": "https://push.example.net/unknown"})
            said = "".join(lines_until(process.stdout, "error unknown-subscription"))
    label = re.search(r"POST /add-subscription \[Browser ([0-9a-f]{8})\] status 201", said)[1]
    assert f"POST /notify-me [Browser {label}]" in said
    assert f"application server → push service     POST message [Ada {label}]" in said
    assert f"push service → application server     201 Created [Ada {label}]" in said
    assert said.count(f"accepted [Ada {label}] 201 Created: ") == 2, "of notify-me and of notify-all"
    for secret in (subscription["endpoint"], "JzLQ3raZ", *subscription["keys"].values()):
        assert secret not in said


@pytest.mark.usefixtures("programs")
def test_serve_with_quiet_prints_its_addresses_alone(tmp_path):
    with serving(tmp_path, "--quiet") as (page, _, process):
        with urllib.request.urlopen(page + "vapid", timeout=patience(60)) as answer:
            assert answer.status == 200
        process.terminate()
        assert process.stdout.read() == ""
