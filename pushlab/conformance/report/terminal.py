"""The table in a terminal: a line for each case as it is judged, and the faults again at the end."""

from collections.abc import Iterable, Iterator

from pushlab.conformance.case import Case, Result, Verdict
from pushlab.conformance.report.jsonl import counts

WIDTH = max(map(len, Verdict))


def line(result: Result) -> str:
    """Return one result."""
    return f"{result.verdict:<{WIDTH}}  {result.case.id:<24}  {result.case.level:<8}  {result.why}"


def listed(case: Case) -> Iterator[str]:
    """Yield the lines that describe a case."""
    yield f"{case.id:<24}  {case.level:<8}  {case.rule}"
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
        yield f"      {one.why}"
        yield f"      {one.case.fix}"
    yield ""
    yield ", ".join(f"{number} {name}" for name, number in counts(results).items())
