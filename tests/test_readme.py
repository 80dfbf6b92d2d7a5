"""The README names files that exist, and its layout names every folder of the package."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
MADE_LATER = (".venv/", ".pushlab/")
"""What the lab makes when it runs."""

A_USER_S = {"lab.pem", "lab.key"}
"""Files of a person who reads the README."""

PATH = re.compile(r"\.?[\w-][\w.-]*(/[\w.-]+)*(/|\.(py|md|js|ipynb|toml|lock|txt|yml|json|pem|key))")


def prose() -> str:
    """Return the README without its blocks of code."""
    return re.sub(r"```.*?```", "", README, flags=re.DOTALL)


def paths(text: str) -> set[str]:
    """Return what is a path: whole spans of code that look like one, and the targets of links."""
    spans = {span for span in re.findall(r"`([^`\n]+)`", text) if PATH.fullmatch(span)}
    links = set(re.findall(r"\]\((?!https?://)([^)#\s]+)\)", text))
    return spans | links


def layout() -> list[str]:
    """Return each path of the section Layout; two spaces lead one folder down."""
    block = README.partition("## Layout\n\n```\n")[2].partition("```")[0]
    found, folders = [], []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.match(r"[^\s,]+(, [^\s,]+)*", line.strip())[0].split(", ")
        folders[depth:] = [names[0]] if names[0].endswith("/") else []
        found += ["".join(folders)] if folders[depth:] else ["".join(folders) + name for name in names]
    return found


@pytest.mark.parametrize("path", sorted(paths(prose())))
def test_what_the_readme_names_exists(path):
    if path.startswith(MADE_LATER) or path in A_USER_S:
        return
    if path == "notebooks/source/NN_name.py":
        path = "notebooks/source/00_start_here.py"
    assert (ROOT / path).exists()
    assert (ROOT / path).is_dir() == path.endswith("/")


def test_what_the_layout_names_exists():
    assert len(layout()) > 30
    for path in layout():
        assert (ROOT / path).exists() and (ROOT / path).is_dir() == path.endswith("/"), path


def test_the_layout_names_every_folder_of_the_package():
    folders = {f"{path.parent.relative_to(ROOT).as_posix()}/" for path in ROOT.glob("pushlab/**/*.py")}
    assert folders <= set(layout())


def test_the_threats_name_the_files_that_stop_them():
    rows = README.partition("| threat |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(rows) > 10
    for row in rows:
        assert paths(row.rpartition(" | ")[2]), row


def test_the_parties_of_the_picture_are_folders():
    for party in ("appserver", "pushservice", "useragent"):
        assert f"pushlab/{party}" in README.partition("## Three parties")[2].partition("## ")[0]
        assert (ROOT / "pushlab" / party).is_dir()


def test_the_table_of_routes_is_whole():
    app = (ROOT / "pushlab/appserver/app.py").read_text("utf-8")
    routes = set(re.findall(r'\(r"(/[\w-]+)"', app))
    table = README.partition("## The routes")[2].partition("\n## ")[0]
    assert len(routes) == 10 and routes == set(
        re.findall(r"^\| `[A-Z]+ (/[\w-]+)`", table, re.MULTILINE)
    )


def test_what_is_taken_for_a_path():
    text = "`a/b.py` and `c/`, `POST /d`, [e](f.md), [g](https://h.example/i.py), `./lab`, `x.y`"
    assert paths(text) == {"a/b.py", "c/", "f.md"}


def test_each_command_of_the_script_is_in_the_table():
    script = (ROOT / "lab").read_text("utf-8").partition('"""')[2].partition('"""')[0]
    commands = set(re.findall(r"^    \./lab (\w+)", script, flags=re.MULTILINE))
    assert {"lint", "test", "demo"} <= commands
    table = README.partition("## All commands")[2].partition("\n## ")[0]
    assert commands <= set(re.findall(r"`\./lab (\w+)", table))
