"""What ``./lab lint`` goes by: one configuration, and no rule that is silenced without a reason."""

import io
import os
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("pushlab", "tests", "notebooks/source", "static")
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
OXLINT = (ROOT / ".oxlintrc.json").read_text("utf-8")

CODE = r"[A-Z]+\d+"
SILENCED = re.compile(rf"noqa(?!\w)(: ?{CODE}(, ?{CODE})*)?|type: ?ignore(\[[\w, -]+\])?")
UNFORMATTED = re.compile(r"fmt: ?(off|skip)")
IN_SCRIPTS = re.compile(r"(?:es|ox)lint-disable(?:-next-line|-line)?")


def python_files() -> list[Path]:
    found = [path for name in FOLDERS for path in sorted((ROOT / name).rglob("*.py"))]
    return [*found, *(ROOT / "notebooks").glob("*.py"), ROOT / "lab"]


def says_something(text: str) -> bool:
    """Tell whether a reason is left of a comment: two words at least."""
    return len(re.findall(r"\w+", text)) >= 2


def without_reason(source: str) -> Iterator[str]:
    """Yield each comment of a Python file that silences a rule and does not say why.

    The reason stands in the same comment, or in the line above it, or above a group of lines with the
    same comment. ``fmt: skip`` needs none below a statement of several lines: pyproject.toml says what
    it is for there.
    """
    if not (SILENCED.search(source) or UNFORMATTED.search(source)):
        return
    lines = source.splitlines()
    first = None  # The line where the statement at hand begins.
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comment, row = token.string.lstrip("# "), token.start[0]
            if not (found := SILENCED.search(comment) or UNFORMATTED.match(comment)):
                continue
            if comment.startswith("fmt: skip") and first is not None and first < row:
                continue
            reason = comment[: found.start()] + " " + comment[found.end() :]
            above = row - 2
            while above >= 0 and lines[above].endswith(token.string):
                above -= 1
            if above >= 0 and lines[above].lstrip().startswith("#"):
                reason += lines[above]
            if not says_something(reason):
                yield f"line {row}: {token.string}"
        elif token.type == tokenize.NEWLINE:
            first = None
        elif first is None and token.type not in {tokenize.NL, tokenize.INDENT, tokenize.DEDENT}:
            first = token.start[0]


def test_what_is_silenced_in_python_says_why():
    paths = python_files()
    assert len(paths) > 500
    found = {path: list(without_reason(path.read_text("utf-8"))) for path in paths}
    assert not {path: lines for path, lines in found.items() if lines}


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("import os  # noqa: F401\n", True),
        ("import os  # noqa\n", True),
        ("import os  # noqa: F401  kept for the doctests\n", False),
        ("# Kept for the doctests.\nimport os  # noqa: F401\n", False),
        ("# Their own lists.\nfrom a import *  # noqa: F403\nfrom b import *  # noqa: F403\n", False),
        ("x = 1\nfrom a import *  # noqa: F403\nfrom b import *  # noqa: F403\n", True),
        ("x = f()  # type: ignore[arg-type]\n", True),
        ("x = f()  # type: ignore[arg-type]  # the stubs know only str\n", False),
        ("# fmt: off\nx = 1\n", True),
        ("# A table: a row a line.\n# fmt: off\nx = 1\n", False),
        ("x = {1:2}  # fmt: skip\n", True),
        ("if x:\n    f(1, 2,\n      3)  # fmt: skip\n", False),
        ("f(1,\n  2)\nx = {1:2}  # fmt: skip\n", True),
        ("text = '# noqa: F401'\n", False),
    ],
)
def test_a_rule_that_is_silenced_without_a_reason_is_found(source, is_found):
    assert bool(list(without_reason(source))) == is_found


def test_what_is_silenced_in_javascript_says_why():
    scripts = [path for name in FOLDERS for path in (ROOT / name).rglob("*.*js")]
    scripts = [path for path in scripts if "node_modules" not in path.parts]
    assert len(scripts) > 10
    for path in scripts:
        for line in path.read_text("utf-8").splitlines():
            if found := IN_SCRIPTS.search(line):
                assert says_something(line[found.end() :].partition("--")[2]), (path.name, line)


def section(text: str, name: str) -> list[str]:
    """Return the lines of one table of a TOML file that hold something."""
    body = text.partition(f"\n[{name}]\n")[2].partition("\n[")[0]
    return [line for line in body.splitlines() if line.strip(" []")]


@pytest.mark.parametrize("name", ["tool.ruff.lint", "tool.ruff.lint.per-file-ignores"])
def test_each_group_of_rules_and_each_rule_left_out_has_its_reason(name):
    rules = [line for line in section(PYPROJECT, name) if line.startswith("    ")]
    assert rules
    assert [line for line in rules if not says_something(line.partition("#")[2])] == []


def test_each_package_without_types_is_named_below_a_reason():
    overrides = tomllib.loads(PYPROJECT)["tool"]["mypy"]["overrides"]
    comments = re.findall(r"\[\[tool\.mypy\.overrides\]\]\n# (.+)\n", PYPROJECT)
    assert len(comments) == len(overrides)
    for one in overrides:
        if one.get("ignore_missing_imports"):
            assert all("*" not in module.split(".")[0] for module in one["module"])


def test_each_rule_for_javascript_has_its_reason():
    lines = [line for line in OXLINT.splitlines() if re.search(r': "(off|warn|error)"', line)]
    assert len(lines) > 5
    assert [line for line in lines if not says_something(line.partition("//")[2])] == []


def test_mypy_is_strict_where_the_bytes_are_made():
    overrides = tomllib.loads(PYPROJECT)["tool"]["mypy"]["overrides"]
    (strict,) = (one for one in overrides if one.get("disallow_untyped_defs"))
    assert strict["module"] == ["pushlab.protocol.*", "pushlab.errors.*"]


# --- ./lab lint --------------------------------------------------------------------------------


@pytest.fixture
def script(monkeypatch):
    """Import ``./lab`` as a module that installs nothing."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("lab_script", str(ROOT / "lab"))
    module = module_from_spec(spec_from_loader("lab_script", loader))
    loader.exec_module(module)
    monkeypatch.setattr(module, "environment", lambda extras: f"/venv-with-{extras}/bin/python")
    monkeypatch.setattr(module.shutil, "which", lambda name, path: f"{path.split(os.pathsep)[0]}/{name}")
    return module


@pytest.mark.parametrize(("arguments", "mends"), [([], False), (["--fix"], True)])
def test_it_runs_every_linter_with_this_configuration(script, monkeypatch, arguments, mends):
    ran = []
    monkeypatch.setattr(script, "wait_for", lambda command: ran.append(command) or 0)
    assert script.main(["lint", *arguments]) == 0
    commands = [" ".join(command) for command in ran]
    assert [sum(name in command for command in commands) for name in
            ("-m ruff check", "-m ruff format", "-m mypy", "oxlint")] == [1, 1, 1, 1]  # fmt: skip
    assert all("/venv-with-lint/bin/" in command for command in commands)
    for command in commands:
        assert not re.search(r"--(config|isolated|select|ignore|line-length|allow|no-)|-A ", command)
    assert [sum(option in command for command in commands) for option in
            ("--fix", "--check")] == ([2, 0] if mends else [0, 1])  # fmt: skip


def test_there_is_no_other_configuration_that_a_linter_would_prefer():
    others = ("ruff.toml", ".ruff.toml", "mypy.ini", ".mypy.ini", "setup.cfg", "oxlint.config.*")
    for folder in ("pushlab", "tests", "notebooks", "static"):
        for name in (*others, "pyproject.toml", ".oxlintrc.json"):
            assert not list((ROOT / folder).rglob(name))
    assert not [name for name in others if list(ROOT.glob(name))]


def test_it_runs_to_its_end_and_names_what_has_found_something(script, monkeypatch, capsys):
    monkeypatch.setattr(script, "wait_for", lambda command: int("ruff" in command))
    assert script.main(["lint"]) == 1
    assert capsys.readouterr().err.endswith("Something is left to mend: ruff check, ruff format.\n")


def test_without_the_linters_it_says_how_to_install_them(script, monkeypatch):
    monkeypatch.setattr(script.shutil, "which", lambda name, path: None)
    with pytest.raises(SystemExit, match=r"/bin/python -m pip install -e '\.\[lint\]'"):
        script.main(["lint"])


def test_it_takes_no_other_argument(script, capsys):
    with pytest.raises(SystemExit):
        script.main(["lint", "pushlab"])
    assert "--fix, or nothing" in capsys.readouterr().err


def test_a_program_that_is_waited_for_runs_where_the_configuration_is(script):
    assert (
        script.wait_for([sys.executable, "-c", f"import os; assert os.getcwd() == {str(ROOT)!r}"]) == 0
    )


def test_ci_lints_before_it_tests():
    text = (ROOT / ".ci" / "run").read_text("utf-8")
    assert 0 < text.index("\n./lab lint\n") < text.index("./lab test")
