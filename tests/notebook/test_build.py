"""Notebooks: made from their sources, executed from top to bottom, small, and free of secrets."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PNG = "image/png"
LESSONS = sorted(path.stem for path in (NOTEBOOKS / "source").glob("*.py"))

SMALL = '''\
# %% [markdown]
# # A small lesson

# %%
greeting = "hello"
print(greeting)

# %%
def shout(text: str) -> str:
    """Return the text in capitals."""
    ### BEGIN SOLUTION
    loud = text.upper()

    return loud
    ### END SOLUTION


# %% tags=["check"]
assert shout("a") == "A"
print("right")

# %%
print(greeting)

# %%
print(greeting)
'''


# --- the tool -------------------------------------------------------------------------------------


def sources(notebook) -> list[str]:
    return [cell.source for cell in notebook.cells]


def test_the_solution_has_the_answer_and_no_markers(build):
    whole = build.without_markers(build.solution(SMALL))
    assert sources(whole)[2] == (
        'def shout(text: str) -> str:\n    """Return the text in capitals."""\n'
        "    loud = text.upper()\n\n    return loud"
    )
    assert not [source for source in sources(whole) if "SOLUTION" in source]


def test_the_learner_s_notebook_has_a_stub_of_the_same_indentation(build):
    part = build.learner(build.solution(SMALL))
    assert sources(part)[2] == (
        'def shout(text: str) -> str:\n    """Return the text in capitals."""\n'
        '    raise NotImplementedError("your turn")'
    )
    compile(sources(part)[2], "stub", "exec")
    assert "upper" not in nbformat.writes(part)


def test_only_what_gives_nothing_away_keeps_its_output(build):
    lesson = build.solution(SMALL)
    for count, cell in enumerate((c for c in lesson.cells if c.cell_type == "code"), 1):
        cell.outputs = [nbformat.v4.new_output("stream", text=f"{count}")]
        cell.execution_count = count
    part = [cell for cell in build.learner(lesson).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in part] == [1, None, None, 4, 5]
    assert [len(cell.outputs) for cell in part] == [1, 0, 0, 1, 1]
    # It was a copy that was cut.
    assert [len(cell.outputs) for cell in lesson.cells if cell.cell_type == "code"] == [1] * 5


def test_ids_stay_when_another_cell_changes_and_are_never_the_same(build):
    before = build.solution(SMALL)
    after = build.solution(SMALL.replace("# # A small lesson", "# # A smaller lesson"))
    ids = [cell.id for cell in before.cells]
    assert len(set(ids)) == len(ids) == 6  # the last two cells have the same source
    assert [cell.id for cell in after.cells][1:] == ids[1:]
    assert after.cells[0].id != ids[0]
    assert [cell.id for cell in build.learner(before).cells] == ids


def test_a_run_keeps_outputs_and_a_second_build_keeps_those_of_unchanged_cells(build):
    lesson = build.solution(SMALL)
    build.execute(lesson)
    code = [cell for cell in lesson.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5]
    assert code[0].outputs[0].text == "hello\n" and code[2].outputs[0].text == "right\n"
    changed = build.solution(SMALL.replace('print("right")', 'print("quite right")'))
    build.keep_outputs(changed, lesson)
    code = [cell for cell in changed.cells if cell.cell_type == "code"]
    assert [bool(cell.outputs) for cell in code] == [True, False, False, True, True]


def test_what_differs_between_two_machines_is_taken_out_of_an_output(build):
    view = nbformat.v4.new_output(
        "display_data",
        {
            build.ALIVE: {"model_id": "0123"},
            "text/plain": "at http://127.0.0.1:45123/ and ws://localhost:8030/",
        },
    )
    assert build._timeless(view).data == {
        "text/plain": "at http://127.0.0.1:…/ and ws://localhost:…/"
    }
    facts = {"ename": "KeyError", "evalue": "'x'", "traceback": ["/home/me/a.py"]}
    trace = nbformat.v4.new_output("error", **facts)
    assert build._timeless(trace).traceback == ["KeyError: 'x'"]


def test_a_lesson_that_fails_is_not_built(build):
    from nbclient.exceptions import CellExecutionError

    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        build.execute(build.solution("# %%\n1 / 0\n"))


def test_the_command_says_what_it_wrote(build, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "notebooks" / "source").mkdir(parents=True)
    (tmp_path / "notebooks" / "source" / "00_small.py").write_text(SMALL, "utf-8")
    assert build.main([]) == 0
    said = capsys.readouterr().out.split()
    assert said == ["notebooks/solutions/00_small.ipynb", "notebooks/00_small.ipynb"]
    written = [(tmp_path / name).read_bytes() for name in said]
    assert build.main(["00_small"]) == 0
    assert [(tmp_path / name).read_bytes() for name in said] == written


def test_the_tool_starts_as_a_script():
    command = [sys.executable, NOTEBOOKS / "build.py", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "--execute" in done.stdout


# --- the lessons ----------------------------------------------------------------------------------


def notebook(name: str, folder: str = "solutions"):
    return nbformat.read(NOTEBOOKS / folder / f"{name}.ipynb", as_version=4)


def code_cells(name: str, folder: str = "solutions"):
    return [cell for cell in notebook(name, folder).cells if cell.cell_type == "code"]


def test_there_are_lessons_and_no_notebook_without_a_source():
    assert LESSONS
    for folder in (NOTEBOOKS, NOTEBOOKS / "solutions"):
        assert sorted(path.stem for path in folder.glob("*.ipynb")) == LESSONS


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
    cells = notebook(name).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    prose = " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
    words = len(re.findall(r"\b[a-zA-Z][\w’'-]*", prose))
    assert 25 <= len(cells) <= 45
    assert 10 <= len(code) <= 22
    assert max(source.count("\n") + 1 for source in code) <= 12
    assert sum(source.count("\n") + 1 <= 8 for source in code) / len(code) >= 0.8
    assert 50 <= words / len(code) <= 90
    kinds = "".join(cell.cell_type[0] for cell in cells)
    assert "cccc" not in kinds and kinds.startswith("mm")


@pytest.mark.parametrize("folder", ["", "solutions"])
@pytest.mark.parametrize("name", LESSONS)
def test_outputs_hold_nothing_that_belongs_to_one_machine_or_one_run(name, folder):
    said = []
    for cell in code_cells(name, folder):
        for output in cell.outputs:
            shown = {kind: text for kind, text in output.get("data", {}).items() if kind != PNG}
            said += [output.get("text", ""), str(shown), str(output.get("traceback", ""))]
    forbidden = {
        "port": r"(?:127\.0\.0\.1|localhost):\d",
        "endpoint": r"wpush|/m/[\w-]{8}",
        "private key": r"PRIVATE|\b[\w-]{43}\b",
        "time of day": r"\b\d\d:\d\d:\d\d\b",
        "address in memory": r"0x[0-9a-f]{6,}",
        "path": r"/(?:home|root|tmp|work|Users|usr)/|[A-Z]:\\\\",
        "widget that is gone": r"model_id",
    }
    text = "\n".join(said)
    for what, pattern in forbidden.items():
        assert not re.search(pattern, text), f"a {what}: {re.search(pattern, text)}"
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
