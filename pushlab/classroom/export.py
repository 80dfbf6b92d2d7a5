"""The attempts of a class as a file: CSV for a spreadsheet, JSON for a program."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from sqlalchemy import Row

COLUMNS = ("participant", "name", "lesson", "exercise", "attempt", "result", "step", "time")

FORMULA = tuple("=+-@|%\t\r\uff1d\uff0b\uff0d\uff20")
"""A cell that begins with one of these may be taken for a formula. The last four are full-width."""


def as_csv(history: Iterable[Row]) -> str:
    """Return the attempts as CSV, a line each, after a line of names. Source: RFC 4180."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in history:
        writer.writerow([harmless(value) for value in _record(row).values()])
    return out.getvalue()


def as_json(history: Iterable[Row]) -> str:
    """Return the attempts as JSON: an array of objects."""
    return json.dumps([_record(row) for row in history], ensure_ascii=False, indent=1)


def harmless(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: text that begins like one gets a ' before.

    Source: OWASP, CSV Injection.

    >>> harmless("=1+1"), harmless("Ada"), harmless(3)
    ("'=1+1", 'Ada', 3)
    """
    dangerous = isinstance(value, str) and value.lstrip().startswith(FORMULA)
    return f"'{value}" if dangerous else value


def _record(row: Row) -> dict[str, object]:
    at = datetime.fromtimestamp(row.at, UTC).isoformat(timespec="seconds")
    values = (row.participant, row.name, row.lesson, row.exercise, row.attempt, row.result, row.step, at)
    return dict(zip(COLUMNS, values, strict=True))


FORMATS: dict[str, Callable[[Iterable[Row]], str]] = {"csv": as_csv, "json": as_json}
