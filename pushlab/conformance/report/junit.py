"""JUnit's XML, as the CI of others reads it: a test case for each case, a suite for each group.

A MUST that fails is a failure, and so is a SHOULD or a practice: the level stands in its text. A warning
is a test that passed with a text; what is not applicable or not reached was skipped.
"""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from pushlab.conformance.case import Result, Verdict
from pushlab.conformance.table import GROUPS


def document(results: Sequence[Result]) -> bytes:
    """Return the whole file."""
    suites = ET.Element("testsuites", name="pushlab conformance")
    for group in GROUPS:
        if found := [result for result in results if result.case.group == group]:
            _suite(suites, group, found)
    ET.indent(suites)
    written: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _suite(parent: ET.Element, group: str, results: Sequence[Result]) -> None:
    failures = sum(result.verdict is Verdict.FAIL for result in results)
    skipped = sum(result.verdict in (Verdict.NA, Verdict.NOT_REACHED) for result in results)
    suite = ET.SubElement(
        parent, "testsuite", name=f"conformance.{group}", tests=str(len(results)),
        failures=str(failures), errors="0", skipped=str(skipped),
    )  # fmt: skip
    for result in results:
        _test_case(suite, result)


def _test_case(suite: ET.Element, result: Result) -> None:
    case = result.case
    name = case.id.partition(".")[2]
    classname = f"conformance.{case.group}"
    one = ET.SubElement(suite, "testcase", classname=classname, name=name, time=f"{result.seconds:.3f}")
    why = _printable(result.why)
    match result.verdict:
        case Verdict.FAIL:
            failure = ET.SubElement(one, "failure", type=str(case.level), message=why)
            failure.text = f"{case.rule}\n{case.fix}"
        case Verdict.NA | Verdict.NOT_REACHED:
            ET.SubElement(one, "skipped", message=f"{result.verdict}: {why}")
        case Verdict.WARN:
            ET.SubElement(one, "system-out").text = f"warn: {why}"
        case Verdict.PASS:
            pass


def _printable(text: str) -> str:
    """Leave out what XML 1.0 §2.2 cannot hold."""
    return "".join(letter for letter in text if letter.isprintable())
