"""What was found, for people, as JSON and as JUnit's XML: nothing is lost, and nothing breaks it."""

import json
from xml.etree import ElementTree as ET

from pushlab.conformance.case import Result, Verdict
from pushlab.conformance.report import jsonl, junit, terminal
from pushlab.conformance.table import CASES

BY_ID = {case.id: case for case in CASES}
STRANGE = 'it said <b>"no"</b> & \x1b[2J\x00 ü'
RESULTS = [
    Result(BY_ID["bytes.ascii"], Verdict.PASS, "46 bytes", seconds=0.5),
    Result(BY_ID["bytes.one-record"], Verdict.FAIL, STRANGE),
    Result(BY_ID["token.aud-port"], Verdict.WARN, "no port"),
    Result(BY_ID["token.reused"], Verdict.NA, "one message"),
    Result(BY_ID["answers.201"], Verdict.NOT_REACHED, "nothing came"),
]  # fmt: skip


def test_a_line_of_json_has_the_members_that_programs_rely_on():
    members = json.loads(jsonl.line(RESULTS[1]))
    assert members == {"case": "bytes.one-record", "verdict": "fail", "level": "MUST", "why": STRANGE}
    assert json.loads(jsonl.line(RESULTS[4]))["verdict"] == "not-reached"
    assert json.loads(jsonl.line(RESULTS[3]))["level"] == "practice"
    counts = {"pass": 1, "fail": 1, "warn": 1, "na": 1, "not-reached": 1}
    assert json.loads(jsonl.summary(RESULTS)) == {"summary": counts}


def test_junit_has_a_suite_for_each_group_and_a_text_for_each_fault():
    root = ET.fromstring(junit.document(RESULTS))
    suites = {one.get("name"): one for one in root}
    assert list(suites) == ["conformance.bytes", "conformance.token", "conformance.answers"]
    counted = [(s.get("tests"), s.get("failures"), s.get("skipped")) for s in root]
    assert counted == [("2", "1", "0"), ("2", "0", "1"), ("1", "0", "1")]
    failure = suites["conformance.bytes"].find("testcase[@name='one-record']/failure")
    assert failure.get("type") == "MUST" and failure.get("message").startswith('it said <b>"no"</b> & ')
    assert BY_ID["bytes.one-record"].fix in failure.text
    assert suites["conformance.bytes"].find("testcase[@name='ascii']").get("time") == "0.500"
    assert (
        suites["conformance.token"].find("testcase[@name='aud-port']/system-out").text == "warn: no port"
    )


def test_the_terminal_has_a_line_for_each_and_says_what_to_do():
    assert terminal.line(RESULTS[0]).split() == ["pass", "bytes.ascii", "MUST", "46", "bytes"]
    closing = "\n".join(terminal.closing(RESULTS))
    assert closing.endswith("1 pass, 1 fail, 1 warn, 1 na, 1 not-reached")
    assert all(BY_ID[id].fix in closing for id in ("bytes.one-record", "token.aud-port"))
    assert "What to do" not in "\n".join(terminal.closing(RESULTS[:1]))
    assert "\x1b" not in closing + terminal.line(RESULTS[1])


def test_every_case_can_be_listed():
    for case in CASES:
        lines = list(terminal.listed(case))
        assert case.id in lines[0] and case.fix in lines[-1] and len(lines) == 4
