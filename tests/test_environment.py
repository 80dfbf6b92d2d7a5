"""One truth about what is installed: pyproject.toml, and the two files that repeat it."""

import ast
import itertools
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT, BUILD = PYPROJECT["project"], PYPROJECT["dependency-groups"]["build"]
EXTRAS = PROJECT["optional-dependencies"]
EVERY_EXTRA = [text for extra in EXTRAS.values() for text in extra if not text.startswith("pushlab[")]
LOCK: dict[str, list[str]] = {}
"""The entries of each package: more than one if its version depends on the machine."""
for entry in re.split(r"\n(?=\w)", (ROOT / "requirements.lock").read_text("utf-8")):
    LOCK.setdefault(entry.split("==")[0], []).append(entry)
CARD = {"jupyterlab", "tornado", "pywebpush", "cryptography", "ipywidgets", "nbval"}


def split(requirement: str) -> tuple[str, str]:
    """Return name and bounds: ``"tornado >=6.4,<7"`` → ``("tornado", ">=6.4,<7")``."""
    name, bounds = re.fullmatch(r"([A-Za-z0-9_-]+)\s*(.*)", requirement).groups()
    return name.lower(), bounds.replace(" ", "")


def test_environment_yml_says_what_pyproject_says():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    packages = environment["dependencies"]
    assert packages[-1] == {"pip": ["-e ."]}, "the project itself comes last, with pip"
    conda = dict(split(package) for package in packages[:-1])
    assert conda.pop("pip") == ""
    assert conda.pop("python") == PROJECT["requires-python"]
    assert conda == dict(split(package) for package in PROJECT["dependencies"])
    assert conda.keys() >= CARD


def test_binder_finds_what_it_reads_beside_environment_yml():
    """With a folder binder/ or .binder/, repo2docker would look there alone."""
    assert not (ROOT / "binder").exists() and not (ROOT / ".binder").exists()
    assert os.access(ROOT / "postBuild", os.X_OK)
    lines = (ROOT / "apt.txt").read_text("utf-8").splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert packages == sorted(packages)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", package) for package in packages)


@pytest.mark.parametrize("there", [True, False])
def test_binder_keeps_its_firefox_if_it_passes_the_demo(there, tmp_path, firefox_installed):
    """Only conda is stood in for, since no channel of it is reached in a test."""
    conda = tmp_path / "mamba"
    conda.write_text('#!/bin/sh\necho "$@" >> "${0%/*}/told"\n', "utf-8")
    conda.chmod(0o755)
    environment = os.environ | {
        "MAMBA_EXE": str(conda),
        "NB_PYTHON_PREFIX": "/srv/conda/envs/notebook",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PUSHLAB_FIREFOX": firefox_installed if there else "/nowhere/firefox",
    }
    subprocess.run([ROOT / "postBuild"], check=True, env=environment, cwd=ROOT, capture_output=True)
    told = [line.split()[0] for line in (tmp_path / "told").read_text("utf-8").splitlines()]
    assert told == (["install"] if there else ["install", "remove"])


def test_the_lock_pins_every_dependency_within_its_bounds():
    for requirement in map(Requirement, PROJECT["dependencies"] + EVERY_EXTRA + BUILD):
        entries = LOCK[canonicalize_name(requirement.name)]
        versions = [Version(entry.split("==")[1].split()[0]) for entry in entries]
        assert any(version in requirement.specifier for version in versions), requirement


def test_each_package_of_the_lock_has_its_hashes():
    assert len(LOCK) > 100
    for entry in itertools.chain(*LOCK.values()):
        assert re.search(r"^ {4}--hash=sha256:[0-9a-f]{64}( \\)?$", entry, re.MULTILINE), entry
        assert not re.search(r"--hash=(?!sha256:[0-9a-f]{64}\b)", entry), entry


def test_what_is_imported_is_declared():
    """A package that another one happens to bring may be gone with that one's next version."""
    from importlib.metadata import packages_distributions

    dependencies = PROJECT["dependencies"] + EXTRAS["scale"]
    declared = {canonicalize_name(Requirement(text).name) for text in dependencies}
    brings = packages_distributions()
    for path in sorted((ROOT / "pushlab").rglob("*.py")):
        for module in imported(path) - sys.stdlib_module_names - {"pushlab"}:
            names = {canonicalize_name(name) for name in brings.get(module, ())}
            assert names & declared, f"{path.relative_to(ROOT)} imports {module}"


def imported(path: Path) -> set[str]:
    """Return the top names of what a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_the_lock_pins_what_the_installed_packages_need():
    """Whatever is installed here with pushlab's extras is in the lock, with what it needs in turn."""
    from importlib.metadata import PackageNotFoundError, requires

    left = [Requirement(text) for text in PROJECT["dependencies"] + EVERY_EXTRA]
    seen = set()
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        if (name, *one.extras) in seen:
            continue
        seen.add((name, *one.extras))
        assert name in LOCK, name
        try:
            needed = requires(name) or ()
        except PackageNotFoundError:  # Of the extra that is not installed here: test, or lint.
            continue
        for inner in map(Requirement, needed):
            marker = inner.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in one.extras or {""}):
                left.append(inner)


def test_the_types_are_handed_on():
    """With this file in the package other projects' type checkers believe our annotations."""
    assert (ROOT / "pushlab" / "py.typed").is_file()


def test_the_lock_names_no_host():
    assert "://" not in (ROOT / "requirements.lock").read_text("utf-8")


def test_the_public_door_opens_every_name_and_import_is_light():
    code = (
        "import sys, pushlab\n"
        "early = {'tornado', 'pywebpush', 'aiohttp', 'sqlalchemy', 'ipywidgets'} & set(sys.modules)\n"
        "assert not early, early\n"
        "[getattr(pushlab, name) for name in pushlab.__all__]\n"
        "late = {'pywebpush', 'aiohttp', 'nbformat', 'jsonschema', 'jupyter_server',"
        " 'dask', 'distributed', 'psycopg', 'sqlalchemy.dialects.postgresql'}\n"
        "late &= set(sys.modules)\n"
        "assert not late, late\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
