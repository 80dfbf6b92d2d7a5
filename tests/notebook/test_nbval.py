"""Every solution runs again with the outputs it is printed with, whichever browser plays.

``./lab test`` itself hands them to nbval, with the first real browser that it finds: Firefox.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

SOLUTIONS = Path(__file__).parents[2] / "notebooks" / "solutions"
COMMAND = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
COMMAND += ["--nbval", "--nbval-current-env", "--nbval-cell-timeout", "60"]


def nbval(folder: Path, browser: str) -> subprocess.CompletedProcess:
    """Run nbval on the notebooks in ``folder``, in a lab of its own."""
    environment = os.environ | {
        "PUSHLAB_PORT": "0",
        "PUSHLAB_PUSH_PORT": "0",
        "PUSHLAB_DATA": str(folder / "data"),
        "PUSHLAB_BROWSER": browser,
        "IPYTHONDIR": str(folder / "ipython"),
    }
    return subprocess.run(
        COMMAND, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def copies(tmp_path):
    """Give a folder with copies: what a kernel leaves beside its notebook is thrown away."""
    for notebook in SOLUTIONS.glob("*.ipynb"):
        shutil.copy(notebook, tmp_path)
    return tmp_path


def test_with_a_virtual_browser(copies):
    done = nbval(copies, "virtual")
    assert done.returncode == 0, done.stdout + done.stderr


def test_with_a_real_chromium(copies, chromium_installed):
    done = nbval(copies, "chromium")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_changed_output_is_seen(tmp_path):
    """The control of the two above: the same command, and a cell that prints something else."""
    cell = nbformat.v4.new_code_cell("print(1 + 1)", execution_count=1)
    lesson = nbformat.v4.new_notebook(cells=[cell])
    for text, status in (("2\n", 0), ("3\n", 1)):
        cell.outputs = [nbformat.v4.new_output("stream", text=text)]
        nbformat.write(lesson, tmp_path / "sum.ipynb")
        assert nbval(tmp_path, "virtual").returncode == status
