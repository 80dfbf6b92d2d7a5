"""Make the notebooks from their sources: ``python notebooks/build.py [--execute] [NAME …]``.

A lesson is written once, with its solutions, as ``notebooks/source/NAME.py`` (jupytext's percent
format). Two notebooks are made of it:

- ``notebooks/solutions/NAME.ipynb``: the whole lesson. ``--execute`` runs it, in a lab of its own,
  and keeps the outputs. nbval then holds the outputs against every later run.
- ``notebooks/NAME.ipynb``: the learner's. What stands between ``### BEGIN SOLUTION`` and
  ``### END SOLUTION`` is cut to a stub; a check cell (tag ``check``) loses its output with it.

Made twice, a notebook is the same to the byte: a cell's id is made of its source, and an output
holds no port, no path and no time. Without ``--execute`` the outputs of unchanged cells stay.
"""

import argparse
import hashlib
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).resolve().parent
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION$", re.DOTALL | re.MULTILINE)
MARKER = re.compile(r"^ *### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
STUB = 'raise NotImplementedError("your turn")'
CHECK = "check"

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}

# A widget's view holds the id of a model that only lives in the kernel that made it.
ALIVE = "application/vnd.jupyter.widget-view+json"
# The lab that ran the lesson had ports of its own. They mean nothing to a reader.
PORT = re.compile(r"(127\.0\.0\.1|localhost):\d+")


def names() -> list[str]:
    """Return the lessons' names, in their order."""
    return sorted(path.stem for path in (NOTEBOOKS / "source").glob("*.py"))


def paths(name: str) -> tuple[Path, Path]:
    """Return where a lesson's solution and its learner's notebook are."""
    return NOTEBOOKS / "solutions" / f"{name}.ipynb", NOTEBOOKS / f"{name}.ipynb"


def solution(source: str) -> NotebookNode:
    """Return the whole lesson, without outputs, from the text of its source."""
    cells, seen = [], Counter()
    for cell in jupytext.reads(source, fmt="py:percent").cells:
        identity = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[identity] += 1
        cell.id = identity if seen[identity] == 1 else f"{identity}-{seen[identity]}"
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA)


def learner(lesson: NotebookNode) -> NotebookNode:
    """Return the learner's notebook: stubs for solutions, and no output that gives one away."""
    lesson = nbformat.from_dict(lesson)
    for cell in lesson.cells:
        cut = SOLUTION.sub(rf"\g<1>{STUB}", cell.source)
        if cut != cell.source or CHECK in cell.metadata.get("tags", []):
            _set_outputs(cell, [], None)
        cell.source = cut
    return lesson


def without_markers(lesson: NotebookNode) -> NotebookNode:
    """Return the lesson as it is read and run: the solutions stay, the markers go."""
    lesson = nbformat.from_dict(lesson)
    for cell in lesson.cells:
        cell.source = MARKER.sub("", cell.source).rstrip("\n")
    return lesson


def keep_outputs(lesson: NotebookNode, before: NotebookNode) -> None:
    """Give the cells of ``lesson`` the outputs that unchanged cells had ``before``."""
    known = {cell.id: cell for cell in before.cells if cell.cell_type == "code"}
    for cell in lesson.cells:
        if cell.id in known:
            _set_outputs(cell, known[cell.id].outputs, known[cell.id].execution_count)


def execute(lesson: NotebookNode) -> None:
    """Run a lesson from top to bottom in a fresh kernel and a fresh lab, and keep its outputs."""
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory(prefix="pushlab-") as folder:
        os.environ |= {"PUSHLAB_PORT": "0", "PUSHLAB_PUSH_PORT": "0", "PUSHLAB_DATA": folder}
        ran = without_markers(lesson)
        client = NotebookClient(
            ran, timeout=120, record_timing=False, store_widget_state=False,
            resources={"metadata": {"path": folder}},
        )  # fmt: skip
        client.execute()
    for cell, done in zip(lesson.cells, ran.cells, strict=True):
        if cell.cell_type == "code":
            outputs = [_timeless(output) for output in done.outputs]
            _set_outputs(cell, outputs, done.execution_count)


def _timeless(output: NotebookNode) -> NotebookNode:
    """Return an output without what differs between two runs on two machines."""
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]  # The rest holds paths.
    if "data" in output:
        output.data.pop(ALIVE, None)
        for kind, value in output.data.items():
            output.data[kind] = PORT.sub(r"\1:…", value) if isinstance(value, str) else value
    return output


def _set_outputs(cell: NotebookNode, outputs: Iterable, count: int | None) -> None:
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = list(outputs), count


def build(name: str, run: bool = False) -> dict[Path, str]:
    """Return the text of both notebooks of a lesson, by their paths."""
    whole, part = paths(name)
    lesson = solution((NOTEBOOKS / "source" / f"{name}.py").read_text("utf-8"))
    if run:
        execute(lesson)
    elif whole.exists():
        keep_outputs(lesson, nbformat.read(whole, as_version=4))
    made = {whole: without_markers(lesson), part: learner(lesson)}
    for notebook in made.values():
        nbformat.validate(notebook)
    return {path: nbformat.writes(notebook) + "\n" for path, notebook in made.items()}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Make the notebooks from their sources.")
    parser.add_argument("--execute", action="store_true", help="run them and keep the outputs")
    parser.add_argument("names", nargs="*", metavar="NAME", help="lessons (default: all)")
    chosen = parser.parse_args(arguments)
    for name in chosen.names or names():
        for path, text in build(name, chosen.execute).items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
            print(path.relative_to(NOTEBOOKS.parent))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
