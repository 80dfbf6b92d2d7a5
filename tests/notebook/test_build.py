"""The tool that makes the notebooks from their sources."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from pushlab.settings import patience

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

SMALL = '''\
# %% [markdown]
# # 00 · A small lesson: it greets
#
# **At the end you can** greet,
# and shout.
#
# **Time:** 20 minutes.

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


TERMS = "# %% [markdown]\n# # Glossary\n#\n# - **t**: A token. See [00](00_one.ipynb).\n"


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


def test_the_learner_s_notebook_has_no_outputs(build):
    lesson = build.solution(SMALL)
    for count, cell in enumerate((c for c in lesson.cells if c.cell_type == "code"), 1):
        cell.outputs = [nbformat.v4.new_output("stream", text=f"{count}")]
        cell.execution_count = count
    part = [cell for cell in build.learner(lesson).cells if cell.cell_type == "code"]
    assert [(cell.execution_count, cell.outputs) for cell in part] == [(None, [])] * 5
    # It was a copy that was cut.
    assert [len(cell.outputs) for cell in lesson.cells if cell.cell_type == "code"] == [1] * 5


def test_ids_stay_when_another_cell_changes_and_are_never_the_same(build):
    before = build.solution(SMALL)
    after = build.solution(SMALL.replace("A small lesson", "A smaller lesson"))
    ids = [cell.id for cell in before.cells]
    assert len(set(ids)) == len(ids) == 6  # the last two cells have the same source
    assert [cell.id for cell in after.cells][1:] == ids[1:]
    assert after.cells[0].id != ids[0]
    assert [cell.id for cell in build.learner(before).cells] == ids


def test_a_run_keeps_outputs_and_a_second_build_keeps_those_of_unchanged_cells(build, notebook_kernel):
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
    assert build._timeless(view).data == {"text/plain": "at http://127.0.0.1:…/ and ws://localhost:…/"}
    facts = {"ename": "KeyError", "evalue": "'x'", "traceback": ["/home/me/a.py"]}
    trace = nbformat.v4.new_output("error", **facts)
    assert build._timeless(trace).traceback == ["KeyError: 'x'"]


def test_what_was_printed_in_pieces_is_one_output(build):
    def printed(name, text):
        return nbformat.v4.new_output("stream", name=name, text=text)

    pieces = [printed("stdout", "1\n"), printed("stdout", "2\n"), printed("stderr", "3\n")]
    joined = build._joined([*pieces, printed("stdout", "4\n")])
    assert [(one.name, one.text) for one in joined] == [
        ("stdout", "1\n2\n"), ("stderr", "3\n"), ("stdout", "4\n"),
    ]  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="this system has no sockets in folders")
def test_a_lesson_s_kernel_opens_no_tcp_port_that_another_program_could_take(build, notebook_kernel):
    lesson = build.solution(
        "# %%\nimport json, ipykernel\n"
        'print(json.load(open(ipykernel.get_connection_file()))["transport"])\n'
    )
    build.execute(lesson)
    assert [cell.outputs[0].text for cell in lesson.cells if cell.cell_type == "code"] == ["ipc\n"]


def test_a_lesson_that_fails_is_not_built(build, notebook_kernel):
    from nbclient.exceptions import CellExecutionError

    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        build.execute(build.solution("# %%\n1 / 0\n"))


def test_the_command_says_what_it_wrote(build, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "notebooks" / "source").mkdir(parents=True)
    (tmp_path / "notebooks" / "source" / "00_small.py").write_text(SMALL, "utf-8")
    (tmp_path / "notebooks" / "source" / "glossary.py").write_text(TERMS, "utf-8")
    assert build.main([]) == 0
    said = capsys.readouterr().out.split()
    assert said == [
        "notebooks/solutions/00_small.ipynb",
        "notebooks/00_small.ipynb",
        "notebooks/index.ipynb",
        "notebooks/glossary.ipynb",
        "notebooks/SHA256SUMS",
    ]
    written = [(tmp_path / name).read_bytes() for name in said]
    assert build.main([]) == 0
    assert [(tmp_path / name).read_bytes() for name in said] == written


def test_the_tool_starts_as_a_script():
    command = [sys.executable, NOTEBOOKS / "build.py", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience(120), check=True)
    assert "--execute" in done.stdout


@pytest.fixture
def three(build, tmp_path, monkeypatch):
    """Put three small lessons into a folder of their own."""
    monkeypatch.setattr(build, "NOTEBOOKS", tmp_path)
    (tmp_path / "source").mkdir()
    for number, name in enumerate(["one", "two", "three"]):
        text = SMALL.replace("00 · A small lesson", f"0{number} · Lesson {name}")
        (tmp_path / "source" / f"0{number}_{name}.py").write_text(text, "utf-8")
    (tmp_path / "source" / "glossary.py").write_text(TERMS, "utf-8")
    return tmp_path


def test_a_notebook_stands_between_two_navigation_bars(build, three):
    build.main([])
    bars = {
        "00_one.ipynb": "[All lessons](index.ipynb) | [Glossary](glossary.ipynb) | "
        "[Solution](solutions/00_one.ipynb) | [01 · Lesson two →](01_two.ipynb)",
        "01_two.ipynb": "[← 00 · Lesson one](00_one.ipynb) | [All lessons](index.ipynb) | "
        "[Glossary](glossary.ipynb) | [Solution](solutions/01_two.ipynb) | "
        "[02 · Lesson three →](02_three.ipynb)",
        "solutions/02_three.ipynb": "[← 01 · Lesson two](01_two.ipynb) | "
        "[All lessons](../index.ipynb) | [Glossary](../glossary.ipynb) | [Exercises](../02_three.ipynb)",
    }
    for name, bar in bars.items():
        cells = nbformat.read(three / name, as_version=4).cells
        top = bar if name.startswith("solutions/") else f"{bar}\n\n{build.HOW}"
        assert [cells[0].source, cells[-1].source] == [top, bar]


def test_a_lesson_that_starts_a_lab_ends_with_a_cell_that_stops_it(build):
    cells = build.solution(SMALL + "\n# %%\nlab = Lab()\n").cells
    assert cells[-1].source == build.STOP and cells[-1].cell_type == "code"
    assert build.STOP not in sources(build.solution(SMALL))


def test_every_link_of_navigation_and_index_leads_somewhere(build, three):
    build.main([])
    found = 0
    for path in three.rglob("*.ipynb"):
        for link in re.findall(r"\]\(([^)]+)\)", path.read_text("utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"
            found += 1
    assert found > 20


def test_the_index_says_what_the_lessons_say_of_themselves(build, three):
    (cell,) = build.index().cells
    row = "| [01 · Lesson two: it greets](01_two.ipynb) | greet, and shout. | 20 minutes | "
    assert row + "[solution](solutions/01_two.ipynb) |" in cell.source
    (three / "source" / "03_mute.py").write_text("# %% [markdown]\n# # 03 · Mute: nothing\n", "utf-8")
    with pytest.raises(ValueError, match="03_mute lacks"):
        build.index()


def test_a_screenshot_is_not_kept(build, notebook_kernel):
    source = (
        "# %%\nfrom IPython.display import Image, display\n"
        'display(Image(bytes(8), format="png"))\nprint(1)\n'
    )
    lesson = build.solution(source)
    build.execute(lesson)
    (cell,) = lesson.cells
    assert [output.output_type for output in cell.outputs] == ["stream"]
