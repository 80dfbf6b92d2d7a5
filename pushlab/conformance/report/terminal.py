"""The table in a terminal: a line for each case as it is judged, and the faults again at the end."""

from collections.abc import Iterable, Iterator

from pushlab.conformance.case import Case, Result, Verdict
from pushlab.conformance.report.jsonl import counts
from pushlab.conformance.table import CASES
from pushlab.text import one_line

WIDTH = max(map(len, Verdict))
ID = max(len(case.id) for case in CASES)


def line(result: Result) -> str:
    """Return one result."""
    case, why = result.case, one_line(result.why)
    return f"{result.verdict:<{WIDTH}}  {case.id:<{ID}}  {case.level:<8}  {why}"


def listed(case: Case) -> Iterator[str]:
    """Yield the lines that describe a case."""
    yield f"{case.id:<{ID}}  {case.level:<8}  {case.rule}"
    yield f"    sends    {case.sends}"
    yield f"    expects  {case.expects}"
    yield f"    fix      {case.fix}"


def closing(results: Iterable[Result]) -> Iterator[str]:
    """Yield how many there are of each verdict, and for each fault its rule and what to do."""
    results = list(results)
    faults = [one for one in results if one.verdict in (Verdict.FAIL, Verdict.WARN)]
    if faults:
        yield ""
        yield "What to do:"
    for one in faults:
        yield f"{one.verdict}  {one.case.id} ({one.case.level}, {one.case.rule})"
        yield f"      {one_line(one.why)}"
        yield f"      {one.case.fix}"
    yield ""
    yield ", ".join(f"{number} {name}" for name, number in counts(results).items())
