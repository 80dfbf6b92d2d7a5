"""Make the notebooks from their sources: ``python notebooks/build.py [--execute] [NAME …]``.

With ``--nbgrader COURSE`` it makes the assignments of a course instead (see ``grading.py``).

A lesson is written once, with its solutions, as ``notebooks/source/NAME.py`` (jupytext's percent
format). Two notebooks are made of it:

- ``notebooks/solutions/NAME.ipynb``: the whole lesson. ``--execute`` runs it, in a lab of its own,
  and keeps the outputs. nbval then holds the outputs against every later run.
- ``notebooks/NAME.ipynb``: the learner's. What stands between ``### BEGIN SOLUTION`` and
  ``### END SOLUTION`` is cut to a stub. It has no outputs: they would answer the lesson's questions,
  and nobody could see which cells have run.

Both get a navigation bar, and a lesson that starts a lab gets a last cell that stops it.
``notebooks/index.ipynb`` lists the lessons in their own words, and ``notebooks/glossary.ipynb`` is
made of ``notebooks/source/glossary.py``.

``notebooks/SHA256SUMS`` lists all of them: ``./lab`` trusts what is as it was built.

Made twice, a notebook is the same to the byte: a cell's id is made of its source, and an output
holds no port, no path and no time. Without ``--execute`` the outputs of unchanged cells stay.
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import jupytext
import nbformat
from grading import POINTS, assignment, pictures
from nbformat import NotebookNode

from pushlab.cli.trust import SUMS, digest
from pushlab.settings import patience

NOTEBOOKS = Path(__file__).resolve().parent
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION$", re.DOTALL | re.MULTILINE)
MARKER = re.compile(r"^ *### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
STUB = 'raise NotImplementedError("your turn")'
STOP = "lab.stop()  # closes its browsers and frees its ports; twice is as good as once\nlab"

HOW = (
    "Run the cells from the top: click into one and press Shift-Enter. `NameError` means that a cell "
    "above has not been run yet, or that the kernel was restarted: run it, then go on."
)

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}

# What a lesson says of itself, and the index repeats.
TITLE = re.compile(r"^# (\d\d[a-z]? · ([^:\n]+)(?:: .+)?)$", re.MULTILINE)
ABLE = re.compile(r"\*\*At the end you can\*\* (.+?)\n *\n", re.DOTALL)
TIME = re.compile(r"\*\*Time:\*\* (\d+ minutes)")

# Links to the folders beside the learner's notebooks. From the solutions they lead one folder up.
BESIDE = re.compile(r"\]\((images|starter)/")

# A widget's view holds the id of a model that only lives in the kernel that made it.
ALIVE = "application/vnd.jupyter.widget-view+json"
# The lab that ran the lesson had ports of its own. They mean nothing to a reader.
PORT = re.compile(r"(127\.0\.0\.1|localhost):\d+")
# A screenshot shows them as well, in pixels: whoever runs the cell sees a picture of their own.
PIXELS = "image/png"


def names() -> list[str]:
    """Return the lessons' names, in their order."""
    return sorted(path.stem for path in (NOTEBOOKS / "source").glob("[0-9]*.py"))


def paths(name: str) -> tuple[Path, Path]:
    """Return where a lesson's solution and its learner's notebook are."""
    return NOTEBOOKS / "solutions" / f"{name}.ipynb", NOTEBOOKS / f"{name}.ipynb"


def solution(source: str) -> NotebookNode:
    """Return the whole lesson, without outputs, from the text of its source."""
    cells, seen = [], Counter()
    written = jupytext.reads(source, fmt="py:percent").cells
    if re.search(r"\bLab\(", source):
        written.append(nbformat.v4.new_code_cell(STOP))
    for cell in written:
        identity = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[identity] += 1
        cell.id = identity if seen[identity] == 1 else f"{identity}-{seen[identity]}"
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA)


def prose(name: str) -> str:
    """Return the words of a lesson."""
    source = (NOTEBOOKS / "source" / f"{name}.py").read_text("utf-8")
    return "\n\n".join(cell.source for cell in solution(source).cells if cell.cell_type == "markdown")


def short_title(name: str) -> str:
    """Return what a lesson is called in a link."""
    found = TITLE.search(prose(name))
    return f"{name.partition('_')[0]} · {found[2]}" if found else name


def with_navigation(lesson: NotebookNode, name: str, solved: bool) -> NotebookNode:
    """Return the notebook between two navigation bars: back, all lessons, on, and the other face."""
    order, up = names(), "../" if solved else ""
    at = order.index(name)
    links = [f"[← {short_title(order[at - 1])}]({order[at - 1]}.ipynb)"] if at else []
    links.append(f"[All lessons]({up}index.ipynb) | [Glossary]({up}glossary.ipynb)")
    links.append(f"[Exercises](../{name}.ipynb)" if solved else f"[Solution](solutions/{name}.ipynb)")
    if at + 1 < len(order):
        links.append(f"[{short_title(order[at + 1])} →]({order[at + 1]}.ipynb)")
    bar = " | ".join(links)
    top = nbformat.v4.new_markdown_cell(bar if solved else f"{bar}\n\n{HOW}", id="navigation-top")
    bottom = nbformat.v4.new_markdown_cell(bar, id="navigation-bottom")
    framed = nbformat.from_dict(lesson)
    for cell in framed.cells:
        if solved and cell.cell_type == "markdown":
            cell.source = BESIDE.sub(r"](../\1/", cell.source)
    framed.cells = [top, *framed.cells, bottom]
    return framed


def index() -> NotebookNode:
    """Return the list of all lessons, in the words with which they begin."""
    lines = [
        "# The lessons",
        "",
        "Each takes 20 to 40 minutes and needs no internet. Begin with the first. After it, the order",
        "helps and is not needed. An exercise fails until you solve it: that is how it begins.",
        "",
        "The lessons have no outputs until you run them. **To read without running**, on a web page or",
        "on a phone, open the last column: the same lesson with all outputs, and with the exercises",
        "solved. The [glossary](glossary.ipynb) explains each term in two sentences.",
        "",
        "| lesson | at its end you can | time | to read |",
        "|---|---|---|---|",
    ]
    for name in names():
        said = prose(name)
        found = TITLE.search(said), ABLE.search(said), TIME.search(said)
        if not all(found):
            raise ValueError(f"{name} lacks its title, “At the end you can” or its time")
        title, able, time = (" ".join(one[1].split()) for one in found)
        solved = f"[solution](solutions/{name}.ipynb)"
        lines.append(f"| [{title}]({name}.ipynb) | {able} | {time} | {solved} |")
    cell = nbformat.v4.new_markdown_cell("\n".join(lines), id="index")
    return nbformat.v4.new_notebook(cells=[cell], metadata=METADATA)


def glossary() -> NotebookNode:
    """Return the glossary, which every lesson links."""
    made = solution((NOTEBOOKS / "source" / "glossary.py").read_text("utf-8"))
    bar = nbformat.v4.new_markdown_cell("[All lessons](index.ipynb)", id="navigation-top")
    made.cells.insert(0, bar)
    return made


def learner(lesson: NotebookNode) -> NotebookNode:
    """Return the learner's notebook: stubs for solutions, and no outputs."""
    lesson = nbformat.from_dict(lesson)
    for cell in lesson.cells:
        cell.source = SOLUTION.sub(rf"\g<1>{STUB}", cell.source)
        _set_outputs(cell, [], None)
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
    ran = without_markers(lesson)
    with tempfile.TemporaryDirectory(prefix="pushlab-") as folder:
        run(ran, folder)
    for cell, done in zip(lesson.cells, ran.cells, strict=True):
        if cell.cell_type == "code":
            outputs = [_timeless(one) for one in done.outputs if PIXELS not in one.get("data", {})]
            _set_outputs(cell, _joined(outputs), done.execution_count)


def _sockets_in(folder: str) -> dict[str, str]:
    """Return what makes a kernel open sockets in a folder, if its path is short enough for that.

    TCP ports were free when Jupyter looked, and may be taken when the kernel opens them.
    """
    path = str(Path(folder) / "kernel")
    short = os.name == "posix" and len(os.fsencode(path)) < 96
    return {"transport": "ipc", "ip": path} if short else {}


def run(
    notebook: NotebookNode,
    folder: str | Path,
    allow_errors: bool = False,
    browser: str = "",
) -> None:
    """Run a notebook in place: in a fresh kernel, with a lab whose data is in ``folder``."""
    from nbclient import NotebookClient
    from traitlets.config import Config

    settings = {"PUSHLAB_PORT": "0", "PUSHLAB_PUSH_PORT": "0", "PUSHLAB_DATA": str(folder)}
    settings["IPYTHONDIR"] = str(Path(folder) / "ipython")
    # A browser that starts slowly makes the lab say so, and that is no output of the lesson.
    settings["PUSHLAB_PATIENCE"] = str(patience(10))
    if browser:
        settings["PUSHLAB_BROWSER"] = browser
    # All these waits guard against a hang. By default an output that comes more than four seconds
    # after its cell has ended is lost, and nobody is told.
    waits = {"timeout": 300, "startup_timeout": 300, "iopub_timeout": 300}
    with tempfile.TemporaryDirectory(prefix="pushlab-") as sockets:
        client = NotebookClient(
            notebook, record_timing=False, store_widget_state=False, allow_errors=allow_errors,
            resources={"metadata": {"path": str(folder)}},
            **{name: round(patience(seconds)) for name, seconds in waits.items()},
            raise_on_iopub_timeout=True,
            shutdown_kernel="immediate",  # The last cell has stopped the lab: nothing is left to do.
            config=Config(KernelManager=_sockets_in(sockets)),
        )  # fmt: skip
        client.execute(env=os.environ | settings)


def _timeless(output: NotebookNode) -> NotebookNode:
    """Return an output without what differs between two runs on two machines."""
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]  # The rest holds paths.
    if "data" in output:
        output.data.pop(ALIVE, None)
        for kind, value in output.data.items():
            output.data[kind] = PORT.sub(r"\1:…", value) if isinstance(value, str) else value
    return output


def _joined(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Join what was printed in a row: a slow kernel sends one text in several pieces."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and last.output_type == output.output_type == "stream" and last.name == output.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


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
    made = {
        whole: with_navigation(without_markers(lesson), name, solved=True),
        part: with_navigation(learner(lesson), name, solved=False),
    }
    return {path: as_text(notebook) for path, notebook in made.items()}


def as_text(notebook: NotebookNode) -> str:
    """Return a notebook as it is written to its file."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def write_assignments(course: Path, chosen: list[str]) -> None:
    """Write lessons into the ``source`` folder of nbgrader's course, each as an assignment."""
    points, ungraded = 0, []
    for name in chosen:
        made = assignment(solution((NOTEBOOKS / "source" / f"{name}.py").read_text("utf-8")))
        folder = course / "source" / name
        for picture in pictures(made.notebook):
            (folder / picture).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(NOTEBOOKS / picture, folder / picture)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.ipynb"
        path.write_text(as_text(made.notebook), "utf-8")
        worth = POINTS * len(made.exercises)
        print(f"{path}: {', '.join(made.exercises)}: {worth} points")
        points, ungraded = points + worth, ungraded + made.ungraded
    print(f"{points} points. nbgrader grades all of them without a browser and without a screen.")
    if ungraded:
        print(f"Not graded: what real browsers show after the check of {', '.join(ungraded)}.")
    print(f"Next: cd {course} && nbgrader generate_assignment {chosen[0]}")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Make the notebooks from their sources.")
    parser.add_argument("--execute", action="store_true", help="run them and keep the outputs")
    parser.add_argument("--nbgrader", type=Path, metavar="COURSE",
                        help="write the assignments of this course for nbgrader")  # fmt: skip
    parser.add_argument("names", nargs="*", metavar="NAME", help="lessons (default: all)")
    chosen = parser.parse_args(arguments)
    if chosen.nbgrader:
        write_assignments(chosen.nbgrader, chosen.names or names())
        return 0
    for name in chosen.names or names():
        for path, text in build(name, chosen.execute).items():
            _write(path, text)
    if not chosen.names:
        _write(NOTEBOOKS / "index.ipynb", as_text(index()))
        _write(NOTEBOOKS / "glossary.ipynb", as_text(glossary()))
    _write(NOTEBOOKS / SUMS, sums())
    return 0


def sums() -> str:
    """Return the list of all notebooks as they are, by which ``./lab`` knows them and trusts them."""
    made = [path for name in names() for path in paths(name)] + sorted(NOTEBOOKS.glob("[a-z]*.ipynb"))
    listed = {path.relative_to(NOTEBOOKS).as_posix(): digest(path.read_bytes()) for path in made}
    return "".join(f"{listed[name]}  {name}\n" for name in sorted(listed))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    print(path.relative_to(NOTEBOOKS.parent))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
