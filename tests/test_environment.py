"""One truth about what is installed: pyproject.toml, and the two files that repeat it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
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
    assert CARD <= conda.keys()


def test_the_lock_pins_every_dependency_within_its_bounds():
    from packaging.requirements import Requirement
    from packaging.version import Version

    lock = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pinned = {line.split("==")[0]: line.split("==")[1].split(" ")[0] for line in lock}
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    for requirement in map(Requirement, wanted):
        assert Version(pinned[requirement.name.lower()]) in requirement.specifier, requirement


def test_the_lock_names_no_host():
    assert "://" not in (ROOT / "requirements.lock").read_text("utf-8")


def test_the_public_door_opens_every_name_and_import_is_light():
    code = (
        "import sys, pushlab\n"
        "early = {'tornado', 'pywebpush', 'aiohttp', 'sqlalchemy', 'ipywidgets'} & set(sys.modules)\n"
        "assert not early, early\n"
        "[getattr(pushlab, name) for name in pushlab.__all__]\n"
        "late = {'pywebpush', 'aiohttp', 'nbformat', 'jsonschema', 'jupyter_server'} & set(sys.modules)\n"
        "assert not late, late\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
