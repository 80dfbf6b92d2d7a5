"""The lessons in a real JupyterLab: what each shows, and those with a browser whole, with a Chromium.

No other test sees them in a real front end: widgets and pictures appear, no exception is left uncaught
in the page, and JupyterLab's own kernel, in its environment, runs them. And no other test runs them with
a Chromium: nbval compares the outputs with those of the file, as it does when ``./lab test`` hands it
the solutions, with a Firefox. A lesson without a browser has outputs that its file holds as well, for
``test_lessons`` sees that they are no widgets: JupyterLab shows the file's.
"""

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from nbval.plugin import coalesce_streams

from .jupyter import OPEN, SHUT_DOWN, faults, run_all
from .lessons import LESSONS, code_cells, differences, opens_a_browser, solution

# test_jupyterlab runs the first lesson.
WITH_A_BROWSER = [name for name in LESSONS[1:] if opens_a_browser(name)]

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
BROKEN = [
    "import sys\nprint('a warning', file=sys.stderr)",
    """\
import ipywidgets, traitlets
class Unknown(ipywidgets.DOMWidget):
    _view_name = _model_name = traitlets.Unicode("Unknown").tag(sync=True)
    _view_module = _model_module = traitlets.Unicode("nowhere").tag(sync=True)
Unknown()""",
    "from IPython.display import HTML, Javascript\nHTML('<img src=\"data:image/svg+xml,no\">')",
    "Javascript('setTimeout(() => { throw new Error(\"uncaught\") })')",
    "raise ValueError('not caught either')",
]


@pytest.fixture(autouse=True)
def leave_nothing_open(page):
    """Take away what a test has opened, also if it fails: the next one finds an empty JupyterLab."""
    yield
    page.evaluate(SHUT_DOWN)
    page.faults.clear()


def test_jupyterlab_shows_what_the_files_hold(page, home):
    """The outputs of all lessons in one notebook, a cell a lesson. JupyterLab trusts its user's own."""
    cells = []
    for count, name in enumerate(LESSONS, 1):
        stored = code_cells(nbformat.read(solution(name), as_version=4))
        # In one cell, JupyterLab joins what is printed in a row. Of a widget the file keeps no view.
        outputs = coalesce_streams([output for cell in stored for output in cell.outputs])
        outputs = [output for output in outputs if output.get("data") != {}]
        cells.append(nbformat.v4.new_code_cell(name, execution_count=count, outputs=outputs))
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)
    NotebookNotary(data_dir=str(home / "data")).sign(notebook)
    nbformat.write(notebook, home / "notebooks" / "outputs.ipynb")
    page.evaluate(OPEN, "outputs.ipynb")
    assert faults(cells, page) == []
    drawn = nbformat.writes(notebook).count("<img ")
    assert page.locator(".jp-OutputArea-output img").count() == drawn > 20


def test_some_lessons_open_a_browser_and_others_do_not():
    assert set(LESSONS) > set(WITH_A_BROWSER) >= {"02_subscribe", "07_receive"}


@pytest.mark.parametrize("name", WITH_A_BROWSER)
def test_it_runs_whole_and_shows_the_outputs_of_the_file(page, request, name):
    cells = run_all(page, f"chromium/{name}.ipynb")
    assert faults(cells, page) == []
    assert differences(request.session, solution(name), cells) == []


def test_a_stub_stops_the_learner_s_notebook_and_says_whose_turn_it_is(page):
    cells = run_all(page, "04_sign.ipynb")
    errors = [output for cell in cells for output in cell.outputs if "ename" in output]
    (error,) = errors
    assert error.ename == "YourTurn" and " raises NotImplementedError: it is your" in error.evalue
    assert cells[-1].execution_count is None


def test_what_would_be_wrong_is_seen(page, home):
    """The control of the tests above."""
    cells = [nbformat.v4.new_code_cell(source) for source in BROKEN]
    broken = nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)
    nbformat.write(broken, home / "notebooks" / "broken.ipynb")
    with page.expect_event("pageerror"):
        cells = run_all(page, "broken.ipynb")
    error, warning, widget, picture, uncaught = faults(cells, page)
    assert error == "ValueError: not caught either" and warning == "a warning\n"
    assert widget.startswith("no widget: ") and picture.startswith("no picture: <img src=")
    assert "uncaught" in uncaught
