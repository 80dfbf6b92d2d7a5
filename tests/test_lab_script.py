"""``./lab``: the one command of the README."""

import ast
import os
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from pushlab.settings import patience

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "lab"


@pytest.fixture
def script():
    """Import the script as a module."""
    loader = SourceFileLoader("lab_script", str(SCRIPT))
    module = module_from_spec(spec_from_loader("lab_script", loader))
    was, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = was
    return module


def lab(*arguments, **settings):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True, text=True, timeout=patience(600), env=os.environ | settings,
    )  # fmt: skip


def test_it_needs_nothing_but_python_itself():
    imported = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported <= sys.stdlib_module_names


@pytest.mark.skipif(os.name != "posix", reason="Windows has no run bit")
def test_it_has_its_run_bit():
    assert os.access(SCRIPT, os.X_OK)


def test_help_and_a_mistyped_command():
    assert "./lab demo" in lab("--help").stdout
    wrong = lab("fly")
    assert wrong.returncode == 2 and "no './lab fly'" in wrong.stderr and "./lab demo" in wrong.stderr


@pytest.mark.usefixtures("programs")
def test_a_second_setup_installs_nothing(script):
    lab("setup")
    again = lab("setup")
    assert again.returncode == 0
    assert "Ready." in again.stderr and "First start" not in again.stderr


@pytest.mark.usefixtures("programs")
def test_demo_through_the_script_prints_json_alone():
    import json

    done = lab("demo", "--browser", "virtual", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["step"] == "shown"


def test_bench_and_fuzz_are_folders_of_the_tests_with_what_they_need(script, monkeypatch):
    asked = []

    def environment(extras: str) -> str:
        asked.append(extras)
        return "python"

    monkeypatch.setattr(script, "environment", environment)
    monkeypatch.setattr(script, "run", lambda command: asked.append(command) or 0)
    assert script.main(["bench", "encryption", "--quick"]) == 0
    assert asked == ["test", ["python", str(ROOT / "tests" / "benchmarks"), "encryption", "--quick"]]
    assert (ROOT / "tests" / "benchmarks" / "__main__.py").is_file()
    assert script.main(["fuzz", "varint"]) == 0
    assert asked[2:] == ["test,fuzz", ["python", str(ROOT / "tests" / "fuzz"), "varint"]]
    assert (ROOT / "tests" / "fuzz" / "__main__.py").is_file()
    assert script.main(["setup"]) == 0 and asked[4:] == [""]


def test_what_is_installed_is_named_by_the_files_that_say_so(script, tmp_path, monkeypatch):
    for name in ("pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(script, "ROOT", tmp_path)
    before = script.digest()
    assert script.digest() == before
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    assert script.digest() != before


@pytest.mark.parametrize(
    ("extras", "there", "not_there"),
    [
        ("", {"tornado", "jupyter-core", "hatchling", "certifi"}, {"playwright", "mypy", "atheris"}),
        ("test", {"tornado", "pytest", "playwright", "greenlet"}, {"mypy", "atheris"}),
        ("lint", {"tornado", "mypy", "mypy-extensions", "oxlint"}, {"hypothesis", "playwright"}),
        ("test,fuzz", {"tornado", "pytest", "atheris"}, {"mypy"}),
    ],
)
def test_what_a_command_needs_of_the_lock(script, extras, there, not_there):
    entries = [entry for entry in script.locked(extras).split("\n") if "==" in entry]
    names = {entry.split("==")[0] for entry in entries}
    assert there <= names and not not_there & names
    assert script.locked(extras).count("--hash=sha256:") > len(names)


@pytest.mark.parametrize("uv", [None, "uv"])
def test_each_file_is_checked_and_pushlab_itself_comes_alone(script, monkeypatch, uv):
    steps = []
    monkeypatch.setattr(script, "step", steps.append)
    monkeypatch.setattr(script, "pip", lambda: ["pip"])
    script.install("test", uv)
    packages, itself = steps
    assert {"--verify-hashes" if uv else "--require-hashes", "--no-deps", "-r"} <= set(packages)
    assert itself[-2:] == ["-e", str(ROOT)]
    assert {"--no-deps", "--no-build-isolation"} <= set(itself)


def test_settings_for_other_installations_stay_out_of_ours(script, monkeypatch):
    for name in script.NOT_FOR_STEPS:
        monkeypatch.setenv(name, "1")
    script.step(
        [sys.executable, "-c", f"import os; assert not {script.NOT_FOR_STEPS!r} & set(os.environ)"]
    )


def test_a_failed_step_shows_its_story(script, capsys):
    with pytest.raises(SystemExit) as stopped:
        script.step([sys.executable, "-c", "print('the reason'); raise SystemExit(3)"])
    assert "the reason" in stopped.value.code


def test_an_old_python_can_read_the_script():
    tree = ast.parse(SCRIPT.read_text("utf-8"), feature_version=(3, 8))
    # Its annotations, such as list[str], are not evaluated: Python 3.8 would raise TypeError.
    assert isinstance(tree.body[1], ast.ImportFrom) and tree.body[1].names[0].name == "annotations"


def test_an_old_python_looks_for_a_newer_one(script, monkeypatch):
    monkeypatch.setattr(script.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="needs Python 3.11"):
        script.with_newer_python([])


def test_a_python_without_venv_and_pip_says_what_to_install(script, monkeypatch):
    monkeypatch.setattr(script, "has", lambda module: False)
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        script.make_venv(uv=None)


def test_options_alone_are_jupyterlab_s(script, monkeypatch):
    started = []
    monkeypatch.setattr(script, "environment", lambda extras: "python")
    monkeypatch.setattr(script, "run", lambda command, **_: started.append(command) or 0)
    assert script.main(["--ServerApp.port=8899"]) == script.main([]) == 0
    assert [command[1:4] for command in started] == [
        ["-m", "jupyterlab", "notebooks/00_start_here.ipynb"]
    ] * 2
    assert "--ServerApp.port=8899" in started[0]
