"""The lessons' files, and a comparison of a notebook that has run with its file."""

import re
from collections.abc import Container, Iterable
from pathlib import Path

from nbformat import NotebookNode
from nbval.plugin import IPyNbFile, coalesce_streams

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(path.stem for path in (NOTEBOOKS / "source").glob("[0-9]*.py"))


YOUR_SERVER = "10_your_server"
"""The lesson whose cells run the server that the learner completes: other outputs depend on it."""


def solution(name: str) -> Path:
    """Return where a lesson's executed solution is."""
    return NOTEBOOKS / "solutions" / f"{name}.ipynb"


def opens_a_browser(name: str) -> bool:
    """Say whether a lesson starts an installed browser, and not only virtual ones."""
    source = (NOTEBOOKS / "source" / f"{name}.py").read_text("utf-8")
    return bool(re.search(r"\blab\.open\((?!\"virtual\")", source))


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def differences(
    session, path: Path, ran: Iterable[NotebookNode], left_out: Container[str] = ()
) -> list[str]:
    """Compare code cells that have run with those of the file at ``path``.

    Returns the differences in nbval's words: an empty list where ``pytest --nbval`` would pass. Any
    program may have run the cells. ``session`` is the session of the tests; ``left_out`` has the ids of
    cells that are not compared.
    """
    found = []
    for stored, cell in zip(IPyNbFile.from_parent(session, path=path).collect(), ran, strict=True):
        if cell.id in left_out:
            continue
        assert stored.cell.source == cell.source
        assert stored.cell.execution_count, "nbval does not compare a cell that was never executed"
        if not stored.options["check"]:
            continue
        outputs = [coalesce_streams(one.outputs) for one in (cell, stored.cell)]
        if not stored.compare_outputs(*outputs):
            found.append("\n".join([cell.source, "", *stored.comparison_traceback]))
    return found
