"""The starter's files as the lessons show them, and as a wheel holds them."""

import tomllib
from pathlib import Path

import pytest

from pushlab import starter_file
from pushlab.notebook.starter import starter_folder

ROOT = Path(__file__).parents[2]


def test_a_file_is_shown_whole_and_a_part_alone():
    whole = starter_file("app.js")
    assert whole == (starter_folder() / "app.js").read_text("utf-8").rstrip()
    assert whole._repr_markdown_() == f"```javascript\n{whole}\n```"
    parts = starter_file("server.py", "class LogOut", "def retry_after")
    assert parts.startswith("class LogOut(Handler):") and parts.endswith("return 0.0")
    assert parts in parts._repr_markdown_() and "class AddSubscription" not in parts
    with pytest.raises(ValueError, match="no line that begins with class Nobody"):
        starter_file("server.py", "class Nobody")


def test_a_wheel_holds_each_file_by_name_and_no_data():
    """A folder would be copied whole, and with it the data of whoever has tried the starter."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    included = build["targets"]["wheel"]["force-include"]
    files = {path.name for path in starter_folder().iterdir() if path.is_file()}
    assert {Path(path).name for path in included if "starter/" in path} == files
