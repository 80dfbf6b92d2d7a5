"""Every other lesson in a real JupyterLab: Run All, with a Chromium as the lab's browser.

One run shows two things. No other test sees these lessons in a real front end: widgets and pictures
appear, no exception is left uncaught in the page, and JupyterLab's own kernel, in its environment,
runs them. And no other test runs them with a Chromium: nbval compares the outputs with those of the
file, as it does when ``./lab test`` hands it the solutions, with a Firefox. That a stub stops Run All
is seen here too.
"""

import nbformat
import pytest

from .jupyter import SHUT_DOWN, faults, run_all
from .lessons import LESSONS, differences, solution

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


@pytest.mark.parametrize("name", LESSONS[1:])
def test_it_runs_whole_and_shows_the_outputs_of_the_file(page, request, name):
    cells = run_all(page, f"chromium/{name}.ipynb")
    assert faults(cells, page) == []
    assert differences(request.session, solution(name), cells) == []


def test_a_stub_stops_the_learner_s_notebook_and_says_whose_turn_it_is(page):
    cells = run_all(page, "00_start_here.ipynb")
    errors = [output for cell in cells for output in cell.outputs if "ename" in output]
    (error,) = errors
    assert (
        error.ename == "YourTurn"
        and "body_length raises NotImplementedError: it is your" in error.evalue
    )


def test_what_would_be_wrong_is_seen(page, home):
    """The control of the test above."""
    cells = [nbformat.v4.new_code_cell(source) for source in BROKEN]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    broken = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(broken, home / "notebooks" / "broken.ipynb")
    with page.expect_event("pageerror"):
        cells = run_all(page, "broken.ipynb")
    error, warning, widget, picture, uncaught = faults(cells, page)
    assert error == "ValueError: not caught either" and warning == "a warning\n"
    assert widget.startswith("no widget: ") and picture.startswith("no picture: <img src=")
    assert uncaught == "uncaught"
