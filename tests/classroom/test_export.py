"""The export: a line an attempt, and nothing that a spreadsheet takes for a formula."""

import csv
import io
import json

import pytest

from pushlab.classroom.export import COLUMNS, as_csv, as_json, harmless

from .conftest import told
from .test_records import clock, record, records

__all__ = ["clock", "records"]  # fixtures

FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "=cmd|'/C calc'!A0", "\t=1", " =1", "\uff1d1", "|x", "%0A=1",
]  # fmt: skip


@pytest.fixture
def history(records):
    for number, name in enumerate(("=HYPERLINK(1)", 'Ada "x", <b>'), 1):
        record(records, records.join(name).number, told(number, "03.derive", step="=1+1\nx"))
    return records.history


def test_a_line_an_attempt_with_names_above(history, clock):
    lines = list(csv.DictReader(io.StringIO(as_csv(history()))))
    assert list(lines[0]) == list(COLUMNS)
    assert lines[1] == {
        "participant": "2", "name": 'Ada "x", <b>', "lesson": "03", "exercise": "derive",
        "attempt": "1", "result": "differs", "step": "'=1+1 x", "time": "2026-09-21T14:13:20+00:00",
    }  # fmt: skip
    assert lines[0]["name"] == "'=HYPERLINK(1)"


def test_json_has_the_same_and_the_names_as_they_are(history):
    made = json.loads(as_json(history()))
    assert [one["name"] for one in made] == ["=HYPERLINK(1)", 'Ada "x", <b>']
    assert set(made[0]) == set(COLUMNS)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_taken_for_a_formula(text):
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("value", ["Ada", "", "a=1", 3, 3.5, None])
def test_any_other_cell_stays_as_it_is(value):
    assert harmless(value) == value
