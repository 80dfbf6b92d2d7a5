"""The documents: what they name exists, their tables are whole, and their commands are accepted."""

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from pushlab.cli.commands import main

ROOT = Path(__file__).parents[1]
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("notebooks/*.md"), *ROOT.glob("tests/*/*.md")])
}
MADE_LATER = (".venv/", ".pushlab/")
"""What the lab makes when it runs."""

A_USER_S = {"lab.pem", "lab.key"}
"""Files of a person who reads the documents."""

PATH = re.compile(r"\.?[\w-][\w.-]*(/[\w.-]+)*(/|\.(py|md|js|ipynb|toml|lock|txt|yml|json|pem|key))")
FENCE = re.compile(r"^ *```[a-z]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
OF_CONTRIBUTORS = ("test", "lint", "bench", "fuzz", "setup")
"""Commands that the script ``lab`` does not hand on to pushlab."""


def prose(document: str) -> str:
    """Return a document without its blocks of code."""
    return FENCE.sub("", DOCUMENTS[document])


def section(document: str, title: str) -> str:
    found = DOCUMENTS[document].partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert found, f"{document} has no section {title}"
    return found


def paths(text: str) -> set[str]:
    """Return what is a path in whole spans of code."""
    return {span for span in re.findall(r"`([^`\n]+)`", text) if PATH.fullmatch(span)}


def links(text: str) -> set[tuple[str, str]]:
    """Return the links that lead to no other host: a path, and the fragment in it."""
    return set(re.findall(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)", text))


def anchors(document: Path) -> set[str]:
    """Return the fragments of a document's titles, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def layout() -> list[str]:
    """Return each path of the layout; two spaces lead one folder down."""
    block = FENCE.search(section("CONTRIBUTING.md", "How the house is laid out"))[1]
    found, folders = [], []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.match(r"[^\s,]+(, [^\s,]+)*", line.strip())[0].split(", ")
        folders[depth:] = [names[0]] if names[0].endswith("/") else []
        found += ["".join(folders)] if folders[depth:] else ["".join(folders) + name for name in names]
    return found


def test_what_the_documents_name_exists():
    named = {(document, path) for document in DOCUMENTS for path in paths(prose(document))}
    assert len(named) > 60
    for document, path in named:
        if path.startswith(MADE_LATER) or path in A_USER_S:
            continue
        found = ROOT / path.replace("NN_name", "00_start_here")
        assert found.exists(), f"{document} names {path}"
        assert found.is_dir() == path.endswith("/"), f"{document} names {path}"


def test_the_links_of_the_documents_lead_somewhere():
    for document in DOCUMENTS:
        for path, fragment in links(prose(document)):
            target = (ROOT / document).parent / path if path else ROOT / document
            assert target.exists(), f"{document} links to {path}"
            assert not fragment or fragment in anchors(target), f"{document} links to {path}#{fragment}"


def test_what_is_taken_for_a_path_and_for_a_link():
    text = "`a/b.py` and `c/`, `POST /d`, [e](f.md#g), [h](https://i.example/j.py), `./lab`, `x.y`"
    assert paths(text) == {"a/b.py", "c/"} and links(text) == {("f.md", "g")}


def test_the_readme_is_short():
    lines = DOCUMENTS["README.md"].splitlines()
    assert len(lines) <= 250
    assert lines.index("## Uninstall") <= 150


def test_the_layout_is_whole():
    assert len(layout()) > 30
    for path in layout():
        assert (ROOT / path).exists() and (ROOT / path).is_dir() == path.endswith("/"), path
    folders = {f"{path.parent.relative_to(ROOT).as_posix()}/" for path in ROOT.glob("pushlab/**/*.py")}
    assert folders <= set(layout())


def test_the_index_of_a_package_is_whole():
    indexes = 0
    for path in ROOT.glob("pushlab/**/__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        listed = re.findall(r"^ *(\w+(?:\.py|/))  ", text, re.MULTILINE)
        if not listed:
            continue
        indexes += 1
        modules = {one.name for one in path.parent.glob("*.py")} - {"__init__.py"}
        packages = {f"{one.parent.name}/" for one in path.parent.glob("*/__init__.py")}
        assert sorted(listed) == sorted(modules | packages), path
    assert indexes > 5


def test_the_threats_name_the_files_that_stop_them():
    rows = DOCUMENTS["SECURITY.md"].partition("| threat |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(rows) > 10
    for row in rows:
        assert paths(row.rpartition(" | ")[2]), row


def test_the_parties_of_the_picture_are_folders():
    for party in ("appserver", "pushservice", "useragent"):
        assert f"pushlab/{party}" in section("README.md", "Three parties")
        assert (ROOT / "pushlab" / party).is_dir()


def test_the_table_of_routes_is_whole():
    for code, count, table in (
        ("appserver/web/application.py", 11, section("README.md", "The routes")),
        ("classroom/routes.py", 11, section("notebooks/INSTRUCTOR.md", "The board")),
    ):
        text = (ROOT / "pushlab" / code).read_text("utf-8")
        routes = set(re.findall(r'\(r"(/[\w/-]+)"', text))
        listed = re.findall(r"^\| `[A-Z]+ (/[\w/-]+)`", table, re.MULTILINE)
        assert len(routes) == count and routes == set(listed)


def test_each_command_of_the_script_is_in_the_table():
    script = (ROOT / "lab").read_text("utf-8").partition('"""')[2].partition('"""')[0]
    commands = set(re.findall(r"^    \./lab (\w+)", script, flags=re.MULTILINE))
    assert {"lint", "test", "demo"} <= commands
    assert commands <= set(re.findall(r"`\./lab (\w+)", section("README.md", "All commands")))


def test_the_lessons_are_in_the_readme_and_in_the_guide_with_their_times():
    sources = {path.stem: path.read_text("utf-8") for path in ROOT.glob("notebooks/source/[0-9]*.py")}
    listed = re.findall(r"\]\(notebooks/(\d\d\w?_\w+)\.ipynb\)", section("README.md", "What next"))
    assert listed == sorted(sources)
    times = [
        (name.partition("_")[0], re.search(r"\*\*Time:\*\* (\d+ minutes)", sources[name])[1])
        for name in listed
    ]
    guide = section("notebooks/INSTRUCTOR.md", "Lesson by lesson")
    assert re.findall(r"^### (\d\d\w?) · .+ \((\d+ minutes)\)$", guide, re.MULTILINE) == times


def test_the_guide_names_sections_that_the_lessons_have():
    """A section's number is followed by its title, or by how it begins: ``section 6 (*Topic*)``."""
    titles = {
        path.stem.partition("_")[0]: dict(
            re.findall(r"^# ## (\d+) · (.+)", path.read_text("utf-8"), re.MULTILINE)
        )
        for path in ROOT.glob("notebooks/source/[0-9]*.py")
    }
    lesson, found, wrong = "", 0, []
    paragraphs = re.split(r"\n(?=[|#-]|\n)", DOCUMENTS["notebooks/INSTRUCTOR.md"])
    for paragraph in (" ".join(text.split()) for text in paragraphs):
        if paragraph.startswith("#"):
            lesson = (re.match(r"### (\d\d\w?) ·", paragraph) or ["", ""])[1]
        # The lesson is that of the heading, or in a plan the one that was named last.
        mentions = r"\b(\d\d\w?),|[Ss]ections? (\d+)(?: \(\*(.+?)\*\)| to (\d+)|)"
        named = lesson
        for number, first, title, last in re.findall(mentions, paragraph):
            if number in titles:
                named = number
            elif first and named:
                found += 1
                known = titles[named]
                if not (last in known if last else title and known.get(first, "").startswith(title)):
                    wrong.append(f"{named}: section {first} ({title or last})")
    assert found > 40 and not wrong


# --- the commands --------------------------------------------------------------------------------


def commands(document: str) -> set[tuple[str, ...]]:
    """Return the arguments of each ``./lab …`` of a document, in blocks and in spans of code."""
    text = DOCUMENTS[document]
    lines = [line for block in FENCE.findall(text) for line in block.splitlines()]
    lines += re.findall(r"`([^`]+)`", FENCE.sub("", text))
    found = set()
    for line in lines:
        if match := re.match(r"(?: *[A-Z_]+=\S+)* *\./lab\b(.*)", line.replace("\n", " ")):
            found.add(tuple(shlex.split(match[1].replace("\\|", "|"), comments=True)))
    return found


@cache
def options(command: str) -> set[str]:
    """Return the options that a command of pushlab's names in its help."""
    with pytest.MonkeyPatch.context() as output:
        said = []
        output.setattr(
            "argparse.ArgumentParser._print_message", lambda _, text, file=None: said.append(text)
        )
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
    assert ended.value.code == 0, command
    return set(re.findall(r"--[a-z-]+", "".join(said)))


def test_the_commands_of_the_documents_have_the_options_that_are_named():
    named = [(document, found) for document in DOCUMENTS for found in commands(document)]
    assert len(named) > 40
    for document, [*arguments] in named:
        if arguments and re.fullmatch("[a-z]+", arguments[0]) and arguments[0] not in OF_CONTRIBUTORS:
            given = set(re.findall(r"--[a-z-]+", " ".join(arguments)))
            assert given <= options(arguments[0]), f"{document}: ./lab {' '.join(arguments)}"


def test_the_readme_counts_as_the_table_of_senders_does():
    page = [line.strip("|").split("|") for line in DOCUMENTS["tests/conformance/README.md"].splitlines()]
    cases = [[cell.strip() for cell in row] for row in page if len(row) == 11]
    names, verdicts = cases[0][1:], list(zip(*cases[2:], strict=True))[1:]
    assert names and f"{len(cases) - 2} cases" in section("README.md", "Examine a sender")
    told = [
        [cell.strip() for cell in line.strip("|").split("|")][:3]
        for line in section("README.md", "Examine a sender").splitlines()
        if line.startswith("| ") and not line.startswith("| sender")
    ]
    counted = [
        [name, str(row.count("✓")), str(row.count("**✗**"))]
        for name, row in zip(names, verdicts, strict=True)
    ]
    assert told == counted
