"""The machine: Python and packages, browsers, screen, user, and the folder of keys and databases."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from pushlab import settings
from pushlab.doctor.findings import Finding, bad, hint, ok
from pushlab.errors import BrowserFailed, BrowserNotFound
from pushlab.reader import command
from pushlab.useragent import chromium, firefox

HERE = "this machine"
ENOUGH = 100 * 2**20
"""Bytes of free disk space. A browser's profile has 20 to 50 MB."""

REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*([^;]*)(;.*)?")
BOUND = re.compile(r"(>=|<=|==|!=|>|<)\s*([0-9.]+)")


def examine_machine(data: Path) -> list[Finding]:
    """Examine what is installed, and the data folder."""
    return [*_versions(), *_browsers(), _screen(), *_root(), *examine_folder(data)]


TO_INSTALL = f"Run {command('setup')}."

# --- versions ------------------------------------------------------------------------------------


def _versions() -> list[Finding]:
    try:
        about = metadata.metadata("pushlab")
    except metadata.PackageNotFoundError:
        seen = "pushlab itself is not installed, so nobody knows which versions it needs"
        return [hint("pushlab-not-installed", seen, HERE, "", TO_INSTALL)]
    python = ".".join(map(str, sys.version_info[:3]))
    wanted = about["Requires-Python"]
    findings = [_version("Python", python, wanted, "python", "Install another Python.")]
    for requirement in sorted(metadata.requires("pushlab") or []):
        [(name, bounds, condition)] = REQUIREMENT.findall(requirement)
        if condition:  # The lab itself runs without it: it is for the tests.
            continue
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            seen = f"{name} is not installed"
            findings.append(bad("package-missing", seen, HERE, "pyproject.toml", TO_INSTALL))
        else:
            findings.append(_version(name, installed, bounds, "package", TO_INSTALL))
    return findings


def _version(name: str, installed: str, bounds: str, code: str, fix: str) -> Finding:
    if within(installed, bounds):
        return ok(code, f"{name} {installed}")
    seen = f"{name} {installed} is not {bounds.strip()}"
    return bad(f"{code}-version", seen, HERE, "pyproject.toml", fix)


def within(version: str, bounds: str) -> bool:
    """Say whether a version is within bounds. Only its leading numbers are compared.

    >>> within("46.0.3", "<60,>=44"), within("60.1", "<60,>=44"), within("8.1", ">=8.1.0")
    (True, False, True)
    """
    ours = _numbers(version)
    compare = {
        ">=": ours.__ge__, "<=": ours.__le__, ">": ours.__gt__, "<": ours.__lt__,
        "==": ours.__eq__, "!=": ours.__ne__,
    }  # fmt: skip
    return all(compare[sign](_numbers(bound)) for sign, bound in BOUND.findall(bounds))


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in re.sub(r"[^0-9.].*", "", version).split(".") if number]
    return tuple((numbers + 4 * [0])[:4])


# --- browsers ------------------------------------------------------------------------------------


def _browsers() -> list[Finding]:
    found = [_browser("Firefox", firefox.find), _browser("Chromium", chromium.find)]
    if all(finding.code == "browser-missing" for finding in found):
        seen = "no real browser was found, so the lab uses the virtual one"
        fix = "Install Firefox or Chromium to see a real notification."
        found.append(hint("no-browser", seen, HERE, "", fix))
    return found


def _browser(name: str, find: Callable[[], Path]) -> Finding:
    variable = f"PUSHLAB_{name.upper()}"
    try:
        path = find()
        return ok("browser", f"{name} at {path}, {_version_of(path)}")
    except BrowserNotFound as error:
        if os.environ.get(variable):
            return bad("browser-variable", error.detail, HERE, "", f"{error.hint}.")
        # This is no fault: another browser, or the virtual user agent, is used instead.
        return ok("browser-missing", f"no {name}. {error.hint}")
    except BrowserFailed as error:
        fix = f"Start it by hand to see why, install it anew, or set {variable} to another one."
        return bad("browser-broken", error.detail, HERE, "", fix)


def _version_of(path: Path) -> str:
    if os.name == "nt":  # On Windows, a browser opens a window when it is asked for its version.
        return "version not asked"
    try:
        done = subprocess.run(
            [path, "--version"],
            capture_output=True, text=True, errors="replace", check=False, timeout=settings.patience(20),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrowserFailed(f"{path} does not start: {type(error).__name__}") from None
    # A wrapper script may print words of its own first.
    if done.returncode or not (said := re.findall(r"\d+(?:\.\d+)+\w*", done.stdout)):
        raise BrowserFailed(f"{path} does not tell its version (exit status {done.returncode})")
    return f"version {said[0]}"


def _screen() -> Finding:
    seen = "no screen: browsers run headless, and notebooks show their pages"
    return ok("screen", "a screen" if settings.has_screen() else seen)


def _root() -> list[Finding]:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return []
    fix = "Open nothing but the lab's page in its browsers, or work as another user."
    return [hint("root", "you are root, so Chromium runs without its sandbox", HERE, "", fix)]


# --- the data folder -----------------------------------------------------------------------------


def examine_folder(data: Path) -> list[Finding]:
    """Check that the lab can write to the folder of its keys and databases, and has space there."""
    there = data.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        fix = "Set PUSHLAB_DATA to a folder."
        return [bad("data-not-a-folder", f"{there} is a file, not a folder", HERE, "", fix)]
    if not os.access(there, os.W_OK | os.X_OK):
        fix = "Set PUSHLAB_DATA to a folder that you may write to."
        return [bad("data-not-writable", f"the data folder {data} cannot be written", HERE, "", fix)]
    if (free := shutil.disk_usage(there).free) < ENOUGH:
        seen = f"{free // 2**20} MB are free where the data folder is"
        return [
            hint("disk-nearly-full", seen, HERE, "", "Free some space: databases and profiles grow.")
        ]
    return [ok("data", f"the data folder {data} can be written")]
