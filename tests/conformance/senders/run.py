"""Examine what other people wrote: ``python tests/conformance/senders/run.py [NAME …]``.

Each sender is installed, in the version of the table below, into a folder that is thrown away. Then
``pushlab conformance`` examines it by its wrapper, which is a file of this folder. The verdicts go into
the table of README.md, one folder up. It needs PyPI, the npm registry and Node, and takes a quarter of
an hour. Run it with the Python that has pushlab.

    --folder DIR   install there, and keep it: what is there already is not installed again
    --results DIR  keep what pushlab said: a file of JSON lines for each sender
    --table        examine nothing: write the table from the files in --results
"""

import argparse
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
README = HERE.parent / "README.md"
BEGIN, END = "<!-- written by senders/run.py, from here -->", "<!-- to here -->"

MESSAGE = {
    "subscription": "--subscription={subscription}",
    "payload": "--payload={payload}",
    "ttl": "--ttl={ttl}",
    "urgency": "--urgency={urgency}",
    "topic": "--topic={topic}",
    "vapid": "--vapid-private={vapid_private}",
    "subject": "--subject={subject}",
}
"""The arguments of a wrapper. A private key may begin with a hyphen, hence the signs of equality."""

GROUPS = ("bytes", "token", "headers", "answers", "many", "safety")
MARKS = {"pass": "✓", "fail": "**✗**", "warn": "!", "na": "·", "not-reached": "?"}


@dataclass(frozen=True)
class Subject:
    """A sender: its wrapper, and what is installed, the sender itself first.

    ``lacks``: what of a message it cannot set; ``subscribe``: an app's route, what is posted to it to
    subscribe, and what to unsubscribe, "" if it cannot;
    ``groups``: of cases that the package has a part in, all for none.
    """

    name: str
    wrapper: str
    packages: tuple[str, ...]
    lacks: tuple[str, ...] = ()
    subscribe: tuple[str, str, str] = ("", "", "")
    groups: tuple[str, ...] = ()

    @property
    def is_python(self) -> bool:
        return self.wrapper.endswith(".py")

    @property
    def file(self) -> str:
        """A name for files."""
        return self.wrapper.partition(".")[0]

    @property
    def release(self) -> str:
        """The version of the sender."""
        return self.packages[0].rpartition("==" if self.is_python else "@")[2]


# What signs, encrypts and sends for a package is pinned too: it decides what is seen.
PYWEBPUSH = (
    "pywebpush==2.5.0", "py-vapid==1.9.6", "http-ece==1.2.1", "requests==2.34.2", "aiohttp==3.14.5",
)  # fmt: skip
SAVE_INFORMATION = """{"status_type": "subscribe", "subscription": "{subscription}",
    "browser": "firefox", "user_agent": "", "group": "all"}"""
NOTIFY_ME = '{"endpoint": "{endpoint}", "payload": "{payload}", "ttl": "{ttl}"}'
SUBJECTS = (
    Subject("pywebpush", "pywebpush_sync.py", PYWEBPUSH),
    Subject("pywebpush, async", "pywebpush_async.py", PYWEBPUSH),
    Subject("webpush", "webpush_py.py", ("webpush==1.0.6", "requests==2.34.2", "PyJWT==2.15.1")),
    Subject("webpush-rs", "webpush_rust.py", ("webpush-rs==0.1.4",), ("ttl", "urgency", "topic")),
    Subject("web-push", "web_push.mjs", ("web-push@3.6.7", "http_ece@1.2.0", "jws@4.0.1")),
    Subject("@block65/webcrypto-web-push", "block65.mjs", ("@block65/webcrypto-web-push@2.0.0",)),
    Subject("@pushforge/builder", "pushforge.mjs", ("@pushforge/builder@2.0.5",)),
    Subject("webpush-webcrypto", "webpush_webcrypto.mjs", ("webpush-webcrypto@1.0.5",)),
    Subject(
        "django-webpush",
        "django_app.py",
        ("django-webpush==0.3.6", "Django==5.2.19", *PYWEBPUSH),
        subscribe=(
            "webpush/save_information",
            SAVE_INFORMATION,
            SAVE_INFORMATION.replace('"subscribe"', '"unsubscribe"'),
        ),
    ),
    Subject(
        "flask-pywebpush",
        "flask_app.py",
        ("flask-pywebpush==1.1", "Flask==3.1.3", *PYWEBPUSH),
        subscribe=("add-subscription", '"{subscription}"', ""),
        # It keeps no subscriptions: what it makes of an answer is pywebpush's and the wrapper's.
        groups=("bytes", "token", "headers"),
    ),
)


# --- installing -----------------------------------------------------------------------------------


def install(subject: Subject, folder: Path) -> list[str]:
    """Install a sender, and return the command that runs its wrapper."""
    place = folder / subject.file
    if subject.is_python:
        python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", place], check=True)
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *subject.packages], check=True)
        return [str(python), str(HERE / subject.wrapper)]
    if not (place / "node_modules").exists():
        place.mkdir(parents=True, exist_ok=True)
        npm = [shutil.which("npm") or "npm", "install", "--prefix", place, "--no-save"]
        quiet = ["--silent", "--no-audit", "--no-fund"]
        subprocess.run([*npm, *quiet, *subject.packages], check=True)
    # Node looks for a package beside the file that imports it.
    for name in ("arguments.mjs", subject.wrapper):
        shutil.copy(HERE / name, place)
    return ["node", str(place / subject.wrapper)]


# --- examining ------------------------------------------------------------------------------------


def examine(subject: Subject, command: list[str]) -> list[str]:
    """Examine a sender, and return the lines of JSON that pushlab prints."""
    if not subject.subscribe[0]:
        arguments = [one for name, one in MESSAGE.items() if name not in subject.lacks]
        return lines_of("--", *command, *arguments)
    lines = []
    # Each group has an app of its own, since it leaves subscriptions behind.
    for group in subject.groups or GROUPS:
        with tempfile.TemporaryDirectory() as data, serving(command, Path(data)) as origin:
            lines += lines_of("--case", group, *routes(subject, origin))
    return lines


def routes(subject: Subject, origin: str) -> list[str]:
    """Return the options that tell what an app takes."""
    route, subscribe, unsubscribe = subject.subscribe
    given = {
        "--subscribe": f"{origin}/{route}",
        "--send": f"{origin}/notify-me",
        "--send-all": f"{origin}/notify-all",
        "--subscribe-body": subscribe,
        "--send-body": NOTIFY_ME,
    }
    if unsubscribe:
        given |= {"--unsubscribe": f"{origin}/{route}", "--unsubscribe-body": unsubscribe}
    # Without TLS, so that an app needs to trust no authority of this machine.
    return ["--http", *(part for option in given.items() for part in option)]


def lines_of(*arguments: str) -> list[str]:
    """Run pushlab conformance, and return what it prints."""
    command = [sys.executable, "-m", "pushlab", "conformance", "--json", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if not done.stdout:
        raise SystemExit(f"pushlab conformance ended with {done.returncode}")
    return done.stdout.splitlines()


@contextmanager
def serving(command: list[str], folder: Path) -> Iterator[str]:
    """Start an app at a free port, and end it at last."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scalar = secrets.token_bytes(31).rjust(32, b"\1")
    arguments = [str(port), str(folder), urlsafe_b64encode(scalar).decode().rstrip("=")]
    app = subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            if app.poll() is not None:
                raise SystemExit(f"{command[-1]} ended by itself, with {app.returncode}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        app.terminate()
        app.wait()


# --- the table ------------------------------------------------------------------------------------


def table(results: dict[str, dict[str, dict]]) -> str:
    """Return the verdicts, cases × senders, and the reason of each fail."""
    subjects = [subject for subject in SUBJECTS if subject.file in results]
    head = ["case", *(f"{subject.name} {subject.release}" for subject in subjects)]
    rows = [head, ["---", *[":---:"] * len(subjects)]]
    for case in next(iter(results.values())):
        found = [results[subject.file].get(case) for subject in subjects]
        rows.append([f"`{case}`", *(MARKS[one["verdict"]] if one else "" for one in found)])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", "✓ pass · **✗** fail · ! warning · `·` not applicable · ? not reached", ""]
    lines += ["What failed, in the words of the report:", ""]
    for subject in subjects:
        fails = [one for one in results[subject.file].values() if one["verdict"] == "fail"]
        lines.append(f"- **{subject.name}**: {len(fails)} of {len(results[subject.file])}")
        lines += [f"  - `{one['case']}` ({one['level']}): {one['why']}" for one in fails]
    return "\n".join(lines)


def read(path: Path) -> dict[str, dict]:
    """Return the results of a sender by case."""
    found = map(json.loads, path.read_text("utf-8").splitlines())
    return {one["case"]: one for one in found if "case" in one}


def write_table(folder: Path) -> None:
    """Put the table of the results in a folder into README.md."""
    results = {one.file: path for one in SUBJECTS if (path := folder / f"{one.file}.jsonl").exists()}
    date = datetime.fromtimestamp(max(path.stat().st_mtime for path in results.values()), UTC)
    text = table({name: read(path) for name, path in results.items()})
    before, _, rest = README.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    dated = f"Examined on {date:%Y-%m-%d} with Python {sys.version.split()[0]} and Node {node()}."
    README.write_text(f"{before}{BEGIN}\n\n{dated}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def node() -> str:
    version = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True)
    return version.stdout.strip().removeprefix("v")


def main() -> None:
    """Install, examine, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    files = [subject.file for subject in SUBJECTS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(files)}; all for none")
    parser.add_argument("--folder", type=Path, metavar="DIR")
    parser.add_argument("--results", type=Path, metavar="DIR")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if unknown := set(given.names) - set(files):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="pushlab-senders-") as throw_away:
        folder, results = given.folder or Path(throw_away), given.results or Path(throw_away) / "results"
        results.mkdir(parents=True, exist_ok=True)
        for subject in [] if given.table else SUBJECTS:
            if given.names and subject.file not in given.names:
                continue
            print(f"{subject.name} {subject.release}", flush=True)
            command = install(subject, folder.resolve())
            lines = examine(subject, command)
            print(f"    {lines[-1]}", flush=True)
            (results / f"{subject.file}.jsonl").write_text("\n".join(lines), encoding="utf-8")
        if given.results or not given.names:  # Some alone would take the others out of the table.
            write_table(results)


if __name__ == "__main__":
    main()
