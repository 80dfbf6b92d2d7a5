"""What the tests of notebooks share: the tool that makes them, and a JupyterLab that shows them."""

import importlib.util
import sys

import nbformat
import pytest
from playwright.sync_api import sync_playwright

from .jupyter import CELLS, LOG, TOKEN, make_kernel, page_of, running
from .lessons import NOTEBOOKS


@pytest.fixture(scope="session")
def build():
    """Give the module ``notebooks/build.py``, which is a script and in no package."""
    sys.path.append(str(NOTEBOOKS))  # as Python does for a script
    spec = importlib.util.spec_from_file_location("notebooks_build", NOTEBOOKS / "build.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Give the folder in which JupyterLab has whatever it writes, and the ``notebooks``."""
    return tmp_path_factory.mktemp("jupyterlab")


@pytest.fixture(scope="module")
def jupyterlab(home, artifacts, notebook_kernel):
    """Start JupyterLab on copies of the notebooks, with settings of its own; give its URL.

    ``chromium/`` has the solutions once more, for a kernel whose ``lab.open()`` starts a Chromium.
    """
    folder = home / "notebooks"
    for name in ("solutions", "chromium"):
        (folder / name).mkdir(parents=True)
    make_kernel(home, "chromium", {"PUSHLAB_BROWSER": "chromium"})
    for path in [*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("solutions/*.ipynb")]:
        notebook = nbformat.read(path, as_version=4)
        nbformat.write(notebook, folder / path.relative_to(NOTEBOOKS))
        if path.parent != NOTEBOOKS:
            notebook.metadata.kernelspec = {"name": "chromium", "display_name": "chromium"}
            nbformat.write(notebook, folder / "chromium" / path.name)
    with artifacts.offer("jupyterlab.log", lambda: home / LOG), running(home, folder) as url:
        yield f"{url}lab?token={TOKEN}"


@pytest.fixture(scope="module")
def page(jupyterlab, chromium_installed, artifacts):
    """Give a page that shows JupyterLab."""
    with sync_playwright() as playwright, page_of(playwright, chromium_installed, jupyterlab) as page:
        with artifacts.offer("jupyterlab.png", page.screenshot):
            with artifacts.offer("cells.json", lambda: page.evaluate(CELLS)):
                yield page
