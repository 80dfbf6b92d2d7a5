"""Every solution runs again with the outputs it is printed with, whichever browser plays.

``./lab test`` itself hands them to nbval, with the first real browser that it finds: Firefox. In
JupyterLab they run with a Chromium (``test_jupyterlab``, ``test_lessons_in_jupyterlab``), and here
with a virtual user agent, where that makes a difference: all that can be found here is a lesson that
needs a real browser, on a machine that has none. nbval compares each time.
"""

import os
import subprocess
import sys

import nbformat
import pytest
from nbval.plugin import IPyNbFile

from pushlab.settings import patience

from ..run.kernels import connection
from .lessons import LESSONS, code_cells, differences, opens_a_browser, solution

COMMAND = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
COMMAND += ["--nbval", "--nbval-current-env"]
WITH_A_BROWSER = [name for name in LESSONS if opens_a_browser(name)]


def test_some_lessons_open_a_browser_and_others_do_not():
    assert set(LESSONS) > set(WITH_A_BROWSER) >= {"00_start_here", "07_receive"}


@pytest.mark.parametrize("name", WITH_A_BROWSER)
def test_with_a_virtual_browser(build, request, tmp_path, artifacts, notebook_kernel, name):
    lesson = nbformat.read(solution(name), as_version=4)
    with artifacts.offer(f"{name}.ipynb", lambda: nbformat.writes(lesson)):
        build.run(lesson, tmp_path, browser="virtual", connection=connection(tmp_path / "kernel"))
        assert differences(request.session, solution(name), code_cells(lesson)) == []


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
    build.run(notebook, tmp_path, connection=connection(tmp_path / "kernel"))
    assert differences(request.session, right, code_cells(notebook)) == []
    (found,) = differences(request.session, wrong, code_cells(notebook))
    assert found.startswith("print(1 + 1)") and "mismatch 'stdout'" in found


def test_the_command_of_lab_test_sees_a_changed_output(sums, tmp_path, notebook_kernel):
    environment = os.environ | {"IPYTHONDIR": str(tmp_path / "ipython")}
    waits = {"timeout": patience(300), "env": environment}
    done = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, **waits)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
