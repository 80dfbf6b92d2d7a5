"""Only what we ship is trusted, and only as long as it is what we ship."""

import json
import sys
from pathlib import Path

import pytest
from nbformat.sign import TrustNotebookApp

from pushlab.cli.trust import SUMS, as_shipped, digest, trust

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def notebook(text: str) -> str:
    cell = {"cell_type": "code", "execution_count": 1, "id": "a", "metadata": {}, "source": "1",
            "outputs": [{"output_type": "stream", "name": "stdout", "text": text}]}  # fmt: skip
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make three notebooks as they were built, and a list of them; signatures of their own."""
    for name in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / name))
    at = tmp_path / "notebooks"
    (at / "solutions").mkdir(parents=True)
    for name in ("one.ipynb", "two.ipynb", "solutions/one.ipynb"):
        (at / name).write_text(notebook(name))
    names = ("one.ipynb", "two.ipynb", "solutions/one.ipynb")
    (at / SUMS).write_text("".join(f"{digest((at / name).read_bytes())}  {name}\n" for name in names))
    return at


def is_trusted(path: Path) -> bool:
    import nbformat

    return TrustNotebookApp().notary.check_signature(nbformat.read(path, as_version=4))


def test_what_is_as_it_was_built_is_signed_once(folder):
    assert not is_trusted(folder / "one.ipynb")
    assert len(trust(folder)) == 3 and is_trusted(folder / "one.ipynb")
    assert trust(folder) == []


def test_a_changed_notebook_is_never_signed(folder):
    (folder / "one.ipynb").write_text(notebook("changed"))
    (folder / "two.ipynb").unlink()
    assert trust(folder) == [folder / "solutions/one.ipynb"]
    assert not is_trusted(folder / "one.ipynb")


def test_the_list_leads_to_nothing_outside_the_folder(folder):
    outside = folder.parent / "outside.ipynb"
    outside.write_text(notebook("outside"))
    listed = f"{digest(outside.read_bytes())}  "
    (folder / "link.ipynb").symlink_to(outside)
    lines = [f"{listed}../outside.ipynb", f"{listed}{outside}", f"{listed}link.ipynb", "", "nonsense"]
    (folder / SUMS).write_text("\n".join(lines))
    assert trust(folder) == []
    (folder / SUMS).write_bytes(b"\xff")
    assert trust(folder) == []


def test_the_list_is_that_of_the_notebooks_and_names_all_of_them():
    shipped = {path for path, _ in as_shipped(NOTEBOOKS)}
    there = {*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("solutions/*.ipynb")}
    assert shipped == there, "python notebooks/build.py writes the list anew"
    assert (NOTEBOOKS / SUMS).read_text().count("\n") == len(there)
    sys.path.insert(0, str(NOTEBOOKS))
    try:
        import build
    finally:
        sys.path.remove(str(NOTEBOOKS))
    assert build.sums() == (NOTEBOOKS / SUMS).read_text()
