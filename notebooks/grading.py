"""The lessons as nbgrader's assignments, for courses that grade: what ``build.py --nbgrader`` writes.

Each lesson is an assignment of its own, in the ``source/`` folder of a course. nbgrader makes the
students' release of it (``nbgrader generate_assignment``), and runs what they hand in (``autograde``).

- A cell with a solution is one of nbgrader's solution cells: the student writes into it.
- The check of an exercise is a locked test cell. nbgrader gives the points to a cell that raises
  nothing, and a check raises ``NotYet`` for a wrong answer.
- All other cells are the student's, to try things in.

Nothing that is graded needs a browser. What a check cell does beyond its check, such as asking the
browsers of the student's machine, is a cell of its own, without points.
"""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

POINTS = 10
"""Points of an exercise. The instructor may change them in nbgrader."""

HEADLESS = """\
# For the grader, which runs this notebook without a screen. It changes nothing when you run it.
import os, tempfile
if "NBGRADER_EXECUTION" in os.environ:
    lab_folder = tempfile.TemporaryDirectory()  # keys and databases of nobody else
    os.environ |= {"PUSHLAB_PORT": "0", "PUSHLAB_PUSH_PORT": "0",  # free ports, beside any other lab
                   "PUSHLAB_DATA": lab_folder.name, "PUSHLAB_BROWSER": "virtual"}"""

# An assignment has no other lessons beside it, and no starter. The words of such a link stay.
ELSEWHERE = re.compile(r"\[([^\]]+)\]\((?:\w+\.ipynb|starter/)[^)]*\)")


class Assignment(NamedTuple):
    """A notebook for nbgrader, and what it has.

    ``exercises``: the names of the checks that are graded, such as ``keys.raw_public``; ``ungraded``:
    those whose cell goes on after the check, in a cell without points.
    """

    notebook: NotebookNode
    exercises: list[str]
    ungraded: list[str]


def assignment(lesson: NotebookNode) -> Assignment:
    """Return a lesson as the source of an assignment. ``lesson`` has the markers of its solutions.

    Raises ValueError unless each check follows one solution.
    """
    made = nbformat.from_dict(lesson)
    headless = nbformat.v4.new_code_cell(HEADLESS, id="headless")
    _mark(headless, "headless", locked=True)
    cells, exercises, ungraded, unchecked = [headless], [], [], []
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = ELSEWHERE.sub(r"\1", cell.source)
        elif "### BEGIN SOLUTION" in cell.source:
            unchecked.append(cell)
        elif "check" in cell.metadata.get("tags", []):
            call, alone = _check(cell.source)
            name = ast.unparse(call.func).removeprefix("checks.")
            if len(unchecked) != 1:
                raise ValueError(f"{name} checks {len(unchecked)} solutions, and not one")
            _mark(unchecked.pop(), name, solution=True)
            cells.append(_test(call, f"{cell.id}-test"))
            _mark(cells[-1], f"{name}-check", grade=True, locked=True, points=POINTS)
            exercises.append(name)
            if alone:
                continue
            ungraded.append(name)
        cells.append(cell)
    if unchecked:
        raise ValueError(f"no check follows this solution:\n{unchecked[0].source}")
    made.cells = cells
    return Assignment(made, exercises, ungraded)


def _test(call: ast.Call, identity: str) -> NotebookNode:
    """Return a cell that raises unless the answer is right.

    It imports the checks itself, because the student may have given their name to something else. It
    prints, because nbgrader looks for a number of points in a cell's result.
    """
    source = f"from pushlab import checks\nprint({ast.unparse(call)})"
    return nbformat.v4.new_code_cell(source, id=identity)


def _check(source: str) -> tuple[ast.Call, bool]:
    """Return the call of a check in its cell, and whether the cell has nothing else."""
    tree = ast.parse(source)
    calls = [one for one in ast.walk(tree) if _is_check(one)]
    if len(calls) != 1:
        raise ValueError(f"a check cell has one check, and this one has {len(calls)}:\n{source}")
    return calls[0], len(tree.body) == 1


def _is_check(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).startswith("checks.")


def _mark(cell: NotebookNode, name: str, **kind: object) -> None:
    """Give a cell nbgrader's metadata, schema 3."""
    what = {"grade": False, "solution": False, "locked": False, "task": False} | kind
    cell.metadata = {"nbgrader": {"grade_id": name.replace(".", "-"), "schema_version": 3, **what}}


def pictures(notebook: NotebookNode) -> Iterator[str]:
    """Yield the paths of the pictures that a notebook shows, as its cells name them."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from re.findall(r"\]\((images/[^)]+)\)", cell.source)
