"""One JSON object a line: each result, and at the end the summary."""

import json
from collections import Counter
from collections.abc import Iterable

from pushlab.conformance.case import Result, Verdict
from pushlab.text import json_line


def line(result: Result) -> str:
    """Return one result as JSON."""
    case = result.case
    members = {"case": case.id, "verdict": result.verdict, "level": case.level, "why": result.why}
    return json_line(members)


def summary(results: Iterable[Result]) -> str:
    """Return how many results have each verdict, as JSON."""
    return json.dumps({"summary": counts(results)})


def counts(results: Iterable[Result]) -> dict[str, int]:
    """Return how many results have each verdict, all verdicts in order."""
    found = Counter(result.verdict for result in results)
    return {str(verdict): found[verdict] for verdict in Verdict}
