"""The lessons: what their sources make, executed from top to bottom, small, and free of secrets."""

import functools
import re
import traceback
import types
from urllib.parse import unquote

import nbformat
import pytest
import requests
from py_vapid import Vapid02
from pywebpush import webpush

from pushlab import base64url, examples

from . import lessons
from .jupyter import WIDGET
from .lessons import LESSONS, NOTEBOOKS, YOUR_SERVER, differences, opens_a_browser, solution

LESSON_KEYS = [bytes(range(first, first + 32)) for first in (0x20, 0x40, 0x60)]
LESSON_KEYS += [examples.RFC8291.as_private, examples.RFC8291.ua_private]


def notebook(name: str, folder: str = "solutions"):
    return nbformat.read(NOTEBOOKS / folder / f"{name}.ipynb", as_version=4)


def code_cells(name: str, folder: str = "solutions"):
    return lessons.code_cells(notebook(name, folder))


def test_no_number_is_missing_and_no_notebook_is_without_a_source():
    numbers = sorted({name[:2] for name in LESSONS})  # 07 and 07b are two sittings of one subject
    assert numbers == [f"{number:02}" for number in range(len(numbers))]
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == [*LESSONS, "glossary", "index"]
    assert sorted(path.stem for path in (NOTEBOOKS / "solutions").glob("*.ipynb")) == LESSONS


def test_the_index_and_the_glossary_are_what_the_sources_make(build):
    for name, made in (("index", build.index()), ("glossary", build.glossary())):
        text = (NOTEBOOKS / f"{name}.ipynb").read_text("utf-8")
        assert text == build.as_text(made), f"{name}: run: python notebooks/build.py"


@pytest.mark.parametrize("name", LESSONS)
def test_both_notebooks_are_what_the_source_makes(build, name):
    for path, text in build.build(name).items():
        remedy = f"run: python notebooks/build.py --execute {name}"
        assert path.read_text("utf-8") == text, f"{path.name} does not fit its source; {remedy}"


@pytest.mark.parametrize("name", LESSONS)
def test_every_cell_of_the_solution_was_executed_in_order(name):
    counts = [cell.execution_count for cell in code_cells(name)]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("name", LESSONS)
def test_the_lesson_is_within_its_budget(build, name):
    cells = notebook(name).cells[1:-1]  # without the navigation bars, and what stops the lab
    cells = [cell for cell in cells if cell.source != build.STOP]
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    # What is read as prose: no table, no target of a link, no code.
    prose = re.sub(r"^\|.*$|\]\([^)]*\)|`[^`]*`", "", text, flags=re.MULTILINE)
    words = len(re.findall(r"\b[a-zA-Z][\w’'-]*", prose))
    assert 25 <= len(cells) <= 45
    assert 10 <= len(code) <= 22
    assert max(source.count("\n") + 1 for source in code) <= 12
    assert sum(source.count("\n") + 1 <= 8 for source in code) / len(code) >= 0.5
    assert 50 <= words / len(code) <= 100
    kinds = "".join(cell.cell_type[0] for cell in cells)
    assert "cccc" not in kinds and kinds.startswith("mm")


@pytest.mark.parametrize("name", LESSONS)
def test_the_learner_s_notebook_has_no_outputs_and_the_solution_has_them(name):
    assert all((cell.outputs, cell.execution_count) == ([], None) for cell in code_cells(name, ""))
    first, *others = code_cells(name)
    assert first.outputs, "whoever runs the first cell sees that something has happened"
    assert sum(bool(cell.outputs) for cell in others) > 5


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_stops_what_it_starts_in_its_last_cell(build, name):
    cells = code_cells(name)
    starts = [cell for cell in cells if re.search(r"\bLab\(", cell.source)]
    assert len(starts) <= 1
    assert bool(starts) == (cells[-1].source == build.STOP)


@pytest.mark.parametrize("name", LESSONS)
def test_outputs_hold_nothing_that_belongs_to_one_machine_or_one_run(name):
    said, drawn = [], []
    for cell in code_cells(name):
        for output in cell.outputs:
            data = dict(output.get("data", {}))
            if "pushlab-picture" in (html := data.get("text/html", "")):
                drawn.append(unquote(html))
                del data["text/html"]
            said += [output.get("text", ""), str(data), str(output.get("traceback"))]
    forbidden = {
        "port": r"(?:127\.0\.0\.1|localhost):\d",
        "endpoint": r"wpush|/m/[\w-]{8}",
        "private key": r"PRIVATE",
        "time of day": r"\b\d\d:\d\d:\d\d\b",
        "address in memory": r"0x[0-9a-f]{6,}",
        "path": r"/(?:home|root|tmp|work|Users|usr)/|[A-Z]:\\\\",
        "widget that is gone": r"model_id",
    }
    text = "\n".join(said + drawn)
    for what, pattern in forbidden.items():
        assert not re.search(pattern, text), f"a {what}: {re.search(pattern, text)}"
    # 32 bytes as text. A drawn token has such lines as well: its signature is 64 bytes.
    assert not re.search(r"(?<![\w-])[\w-]{43}(?![\w-])", "\n".join(said))
    for known in LESSON_KEYS:
        shown = [known.hex(), known.hex(" "), base64url.encode(known), repr(known), str(list(known))]
        assert not [form for form in [*shown, str(int.from_bytes(known))] if form in text]
    assert said  # or nothing was looked at


@pytest.mark.parametrize("name", LESSONS)
def test_the_notebooks_hold_no_other_metadata(build, name):
    for folder in ("", "solutions"):
        made = notebook(name, folder)
        assert made.metadata == build.METADATA
        assert all(set(cell.metadata) <= {"tags"} for cell in made.cells)


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_imports_from_the_public_door_alone(name):
    for cell in code_cells(name):
        for line in re.findall(r"^\s*(?:from|import) +(pushlab[\w.]*)", cell.source, re.MULTILINE):
            assert line == "pushlab"


@pytest.mark.parametrize("name", LESSONS)
def test_every_exercise_has_a_stub_and_a_check(name):
    cells = code_cells(name, "")
    stubs = [cell for cell in cells if "NotImplementedError" in cell.source]
    checks = [cell for cell in cells if "check" in cell.metadata.get("tags", [])]
    assert stubs and checks
    assert all(re.search(r"\bchecks\.\w+\.\w+\(", cell.source) for cell in checks)


@pytest.mark.parametrize("name", LESSONS)
def test_the_learner_s_notebook_fails_at_its_stubs_and_shows_elsewhere_what_the_solution_shows(
    build, request, name, tmp_path, artifacts, notebook_kernel
):
    """With a virtual browser: a machine that has no real one is seen to be enough for each lesson."""
    lesson = notebook(name, "")
    with artifacts.offer(f"{name}.ipynb", lambda: nbformat.writes(lesson)):
        build.run(lesson, tmp_path, allow_errors=True, browser="virtual")
        ran, learners_own = lessons.code_cells(lesson), set()
        for cell, solved in zip(ran, code_cells(name), strict=True):
            errors = [output.ename for output in cell.outputs if output.output_type == "error"]
            is_check = "check" in cell.metadata.get("tags", [])
            stub_alone = re.match(r"raise NotImplementedError", cell.source, re.MULTILINE)
            fails = ["YourTurn"] * is_check or ["NotImplementedError"] * bool(stub_alone)
            assert errors == fails, cell.source
            if is_check or cell.source != solved.source:
                learners_own.add(cell.id)
        shown = [output for cell in ran for output in cell.outputs if WIDGET in output.get("data", {})]
        assert opens_a_browser(name) or not shown, "test_lessons_in_jupyterlab shows its file alone"
        if name != YOUR_SERVER:
            assert differences(request.session, solution(name), ran, learners_own) == []


@pytest.mark.parametrize("name", ["09_operate", YOUR_SERVER])
def test_no_password_of_netrc_takes_the_place_of_a_lesson_s_token(name, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login ada password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    sent = []

    def send(session, request, **options):
        sent.append(request.headers["Authorization"])
        raise requests.ConnectionError

    monkeypatch.setattr(requests.Session, "send", send)
    key = Vapid02()
    key.generate_keys()
    row = {"endpoint": "https://push.example.net/x", "topic": "x", "text": "Hello"}
    row |= examples.RFC8291.subscription.to_json()["keys"]
    [cell] = [cell for cell in code_cells(name) if "\ndef post(" in f"\n{cell.source}"]
    names = {"functools": functools, "re": re, "requests": requests, "traceback": traceback}
    names |= {"types": types, "webpush": webpush, "HTTP": requests.Session(), "TIMEOUT": 1}
    names["sealed"] = lambda *_: {"headers": {"Authorization": "vapid t=x"}, "data": b"x"}
    exec(cell.source, names)  # noqa: S102 — the lesson's own function
    values = ("Hello", {}) if name == YOUR_SERVER else (60, key, {"sub": "mailto:a@example.net"})
    assert names["post"](row, *values)[:2] == (None, "ConnectionError")
    assert sent[0].startswith("vapid t=")
