"""nbval holds the outputs of a lesson's file against what a run of it gives: it sees what has changed.

``./lab test`` itself hands it the solutions, with the first real browser that it finds: Firefox. In
JupyterLab the lessons that open a browser run with a Chromium (``test_lessons_in_jupyterlab``). With a
virtual user agent they run as the learner's notebooks (``test_lessons``), and where the exercises have
an effect on other outputs, here. nbval compares each time.
"""

import os
import subprocess
import sys

import nbformat
import pytest
from nbval.plugin import IPyNbFile

from pushlab.settings import patience

from .lessons import YOUR_SERVER, code_cells, differences, solution

COMMAND = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
COMMAND += ["--nbval", "--nbval-current-env"]


def test_your_server_with_a_virtual_browser(build, request, tmp_path, artifacts, notebook_kernel):
    lesson = nbformat.read(solution(YOUR_SERVER), as_version=4)
    with artifacts.offer(f"{YOUR_SERVER}.ipynb", lambda: nbformat.writes(lesson)):
        build.run(lesson, tmp_path, browser="virtual")
        assert differences(request.session, solution(YOUR_SERVER), code_cells(lesson)) == []


def test_a_cell_may_be_silent_for_as_long_as_a_loaded_machine_takes(request, sums, notebook_kernel):
    cells = list(IPyNbFile.from_parent(request.session, path=sums[0]).collect())
    collected = {"session": request.session, "config": request.config, "items": cells}
    assert [cell.output_timeout for cell in cells] == [5]
    request.config.hook.pytest_collection_modifyitems(**collected)
    assert [cell.output_timeout for cell in cells] == [patience(60)]


@pytest.fixture
def sums(tmp_path):
    """Make two notebooks that print 2, one of which says that it prints 3; give their paths."""
    cell = nbformat.v4.new_code_cell("print(1 + 1)", execution_count=1)
    paths = []
    for name, text in (("right", "2\n"), ("wrong", "3\n")):
        cell.outputs = [nbformat.v4.new_output("stream", text=text)]
        paths.append(tmp_path / f"{name}.ipynb")
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), paths[-1])
    return paths


def test_a_changed_output_is_seen(build, request, sums, tmp_path, notebook_kernel):
    """The control of the tests that compare: a cell that prints something else."""
    right, wrong = sums
    notebook = nbformat.read(right, as_version=4)
    build.run(notebook, tmp_path)
    assert differences(request.session, right, code_cells(notebook)) == []
    (found,) = differences(request.session, wrong, code_cells(notebook))
    assert found.startswith("print(1 + 1)") and "mismatch 'stdout'" in found


def test_the_command_of_lab_test_sees_a_changed_output(sums, tmp_path, notebook_kernel):
    environment = os.environ | {"IPYTHONDIR": str(tmp_path / "ipython")}
    waits = {"timeout": patience(300), "env": environment}
    done = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, **waits)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
