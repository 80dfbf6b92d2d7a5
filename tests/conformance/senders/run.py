"""Examine what other people wrote: ``python tests/conformance/senders/run.py [NAME …]``.

Each sender is installed, in the version of the table below, into a folder that is thrown away. Then
``pushlab conformance`` examines it by its wrapper, which is a file of this folder. The verdicts go into
the table of README.md, one folder up. It needs PyPI and the npm registry, Node 20 and an hour.

    --folder DIR   install there, and keep it: what is there already is not installed again
    --results DIR  keep what pushlab said, a JSON file for each sender
    --table        examine nothing: write the table from the files in --results
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
README = HERE.parent / "README.md"
BEGIN, END = "<!-- what follows is written by senders/run.py -->", "<!-- until here -->"

MESSAGE = (
    "--subscription={subscription}", "--payload={payload}", "--ttl={ttl}", "--urgency={urgency}",
    "--topic={topic}", "--vapid-private={vapid_private}", "--subject={subject}",
)  # fmt: skip
"""The arguments of a wrapper. A private key may begin with a hyphen, hence the signs of equality."""

MARKS = {"pass": "✓", "fail": "**✗**", "warn": "!", "na": "·", "not-reached": "?"}


@dataclass(frozen=True)
class Subject:
    """A sender: its wrapper, what is installed, and what the wrapper cannot hand on to it."""

    name: str
    wrapper: str
    packages: tuple[str, ...]
    lacks: tuple[str, ...] = ()

    @property
    def is_python(self) -> bool:
        return self.wrapper.endswith(".py")

    @property
    def is_app(self) -> bool:
        return self.wrapper.endswith("_app.py")

    @property
    def release(self) -> str:
        """The version of the package that is examined."""
        return self.packages[0].rpartition("@" if not self.is_python else "==")[2]


# What a package brings with it is pinned too where it makes a difference: who signs, encrypts, sends.
PYWEBPUSH = (
    "pywebpush==2.5.0", "py-vapid==1.9.6", "http-ece==1.2.1", "requests==2.32.5", "aiohttp==3.13.2",
)  # fmt: skip
SUBJECTS = (
    Subject("pywebpush", "pywebpush_sync.py", PYWEBPUSH),
    Subject("pywebpush async", "pywebpush_async.py", PYWEBPUSH),
    Subject("webpush", "webpush_py.py", ("webpush==1.0.6", "requests==2.32.5")),
    Subject("webpush-rs", "webpush_rust.py", ("webpush-rs==0.1.4",), ("ttl", "urgency", "topic")),
    Subject("web-push", "web_push.mjs", ("web-push@3.6.7", "http_ece@1.2.0", "jws@4.0.0")),
    Subject("@block65", "block65.mjs", ("@block65/webcrypto-web-push@2.0.0",)),
    Subject("@pushforge", "pushforge.mjs", ("@pushforge/builder@2.0.5",)),
    Subject("webpush-webcrypto", "webpush_webcrypto.mjs", ("webpush-webcrypto@1.0.5",)),
    Subject("django-webpush", "django_app.py", ("django-webpush==0.3.6", "Django==5.2.8", *PYWEBPUSH)),
    Subject("flask-pywebpush", "flask_app.py", ("flask-pywebpush==1.1", "Flask==3.1.2", *PYWEBPUSH)),
)


def install(subject: Subject, folder: Path) -> tuple[str, ...]:
    """Install a sender, and return the command that runs its wrapper."""
    place = folder / "-".join(package.strip("@").replace("/", "-") for package in subject.packages[:1])
    if subject.is_python:
        python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", place], check=True)
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *subject.packages], check=True)
        return str(python), str(HERE / subject.wrapper)
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "node_modules").exists():
        npm = shutil.which("npm") or "npm"
        subprocess.run(
            [npm, "install", "--silent", "--no-audit", "--no-fund", "--no-save", *subject.packages],
            cwd=place,
            check=True,
        )
    # A module is looked for beside the file that imports it.
    for name in ("arguments.mjs", subject.wrapper):
        shutil.copy(HERE / name, place / name)
    return "node", str(place / subject.wrapper)
