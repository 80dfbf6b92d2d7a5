"""``./lab``: the one command of the README."""

import ast
import json
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from pushlab.settings import patience

from .run import kernels
from .run.programs import started

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


@pytest.mark.parametrize(
    "wrong",
    [["fly"], [""], ["a\nb"], ["a" * 5000], ["setup", "now"], ["lint", "--mend"], ["lint", "a\nb"]],
)
def test_a_wrong_argument_is_one_line(script, capsys, wrong):
    with pytest.raises(SystemExit) as stopped:
        script.main(wrong)
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and said.count("\n") == 1 and len(said) < 500
    assert "./lab" in said and "For help: ./lab --help" in said


def test_a_mistyped_command_lists_those_that_there_are():
    wrong = lab("fly")
    assert wrong.returncode == 2 and "no './lab fly'" in wrong.stderr and "./lab demo" in wrong.stderr


def test_every_command_of_pushlab_is_one_of_the_script(script):
    from tests.cli.test_arguments import commands

    assert set(script.TO_PUSHLAB) == set(commands())
    assert all(command in script.__doc__ for command in script.COMMANDS if command != "jupyter")


@pytest.mark.usefixtures("programs")
def test_help_of_every_command_needs_no_environment_and_makes_none(script, tmp_path):
    """It is asked of a Python that has no package at all, and of a checkout without .venv/."""
    for name in ("lab", "pushlab", "tests", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    copy = tmp_path / "lab"
    copy.unlink()
    copy.write_bytes(SCRIPT.read_bytes())
    bare = [sys.executable, "-I", "-S", str(copy)]
    for command in ["", *script.COMMANDS]:
        done = subprocess.run(
            [*bare, *filter(None, [command]), "--help"],
            capture_output=True, text=True, timeout=patience(60),
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), (command, done.stderr)
        assert f"./lab {command}" in done.stdout or command == "jupyter"
    assert not (tmp_path / ".venv").exists()


def test_a_signal_is_passed_on_and_the_program_is_waited_for(tmp_path):
    """Of a program that is more than this script's last step: a linter, a step of the installation."""
    program = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    print('ends', flush=True); time.sleep(0.5); print('ended', flush=True); sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, end); signal.signal(signal.SIGINT, end)\n"
        "print('runs', flush=True); time.sleep(600)"
    )
    runner = (
        "import signal, sys; sys.dont_write_bytecode = True\n"
        # Whoever started the tests may have had a signal ignored, as nohup does with SIGHUP.
        "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n"
        "    signal.signal(number, signal.SIG_DFL)\n"
        "from importlib.machinery import SourceFileLoader\n"
        f"lab = SourceFileLoader('lab_script', {str(SCRIPT)!r}).load_module()\n"
        f"try: lab.wait_for([sys.executable, '-c', {program!r}])\n"
        "except lab.Stopped as stopped: sys.exit(stopped.args[0])"
    )
    for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        command = [sys.executable, "-W", "ignore", "-c", runner]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
        with started(command, **pipes) as process:
            assert process.stdout.readline() == "runs\n"
            process.send_signal(sent)
            assert process.stdout.read() == "ends\nended\n", sent
            assert process.wait(patience(60)) == 128 + sent


# Ctrl-C comes from the terminal that controls a program.
IN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


KERNEL = """
from pushlab import Lab
lab = Lab(port=0, push_port=0)
browser = lab.open("chromium", headless=True)
browser.subscribe()
"""


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal")
def test_ctrl_c_asks_jupyterlab_s_own_question_and_leaves_nothing(
    tmp_path, short_path, chromium_installed
):
    """``./lab`` in a terminal without a screen, with a kernel that has a browser open."""
    import pty

    import psutil

    folders = {"TMPDIR": short_path, "HOME": tmp_path, "PUSHLAB_DATA": tmp_path / "data"}
    folders |= {f"JUPYTER_{name}_DIR": tmp_path / name for name in ("CONFIG", "DATA")}
    folders["JUPYTER_RUNTIME_DIR"] = runtime = short_path / "runtime"
    environ = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environ |= {name: str(folder) for name, folder in folders.items()}
    ours, theirs = pty.openpty()
    command = [sys.executable, str(SCRIPT), "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    # By default a kernel that takes more than 2.5 s to end is ended, and leaves a folder to be swept.
    command.append(f"--KernelManager.shutdown_wait_time={patience(120)}")
    if kernels.connection(runtime / f"kernel-{uuid4()}-ipc"):
        command.append("--KernelManager.transport=ipc")
    process = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, *command], stdin=theirs, stdout=theirs, stderr=theirs,
        env=environ, cwd=tmp_path, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said = Terminal(ours)
    try:
        found = said.until(
            r"(http://127\.0\.0\.1:\d+/)lab/tree/notebooks/00_start_here\.ipynb\?token=(\w+)"
        )
        # JupyterLab prints the address before it listens there.
        while not is_listening(urlsplit(found[1]).port):
            assert process.poll() is None, said.text
            time.sleep(0.1)
        headers = {"Authorization": f"token {found[2]}"}
        asks = urllib.request.Request(f"{found[1]}lab", headers=headers)
        with urllib.request.urlopen(asks, timeout=patience(60)) as page:
            assert re.search(rb'"disabledExtensions": \[[^]]*:announcements"', page.read())
        request = urllib.request.Request(f"{found[1]}api/kernels", b"{}", headers)
        with urllib.request.urlopen(request, timeout=patience(60)) as answer:
            number = json.load(answer)["id"]
        with kernels.attached(runtime / f"kernel-{number}.json") as client:
            kernels.printed(client, KERNEL)
        children = psutil.Process(process.pid).children(recursive=True)
        assert list(folders["TMPDIR"].glob("pushlab-chromium-*"))
        os.write(ours, b"\x03y\n")  # The question waits five seconds for its answer, and no longer.
        said.until(r"Shut ?down this Jupyter server \(y/\[n\]\)\?")
        said.until(None)
        assert process.wait(patience(120)) == 0, said.text
        _, alive = psutil.wait_procs(children, timeout=patience(60))
        assert not alive and not list(folders["TMPDIR"].glob("pushlab-*"))
        assert "Traceback" not in said.text
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    with closing(sqlite3.connect(tmp_path / "data" / "appserver.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM subscriptions").fetchone() == (0,)
    with closing(sqlite3.connect(tmp_path / "DATA" / "nbsignatures.db")) as signatures:
        assert signatures.execute("SELECT count(*) FROM nbsignatures").fetchone()[0] > 10


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Terminal:
    """What a program writes to its terminal."""

    def __init__(self, number: int):
        self.number, self.text, self._from = number, "", 0

    def until(self, pattern: str | None):
        """Read until the pattern comes, and return its match; without one, to the end."""
        while pattern is None or not (found := re.compile(pattern).search(self.text, self._from)):
            assert select.select([self.number], [], [], patience(120))[0], self.text
            try:
                more = os.read(self.number, 65536)
            except OSError:  # Linux says so when nobody has the terminal open any more.
                more = b""
            if not more:
                assert pattern is None, self.text
                return None
            self.text += more.decode("utf-8", "replace")
        self._from = found.end()
        return found


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


@pytest.mark.parametrize(
    ("arguments", "extras"),
    [
        (["setup", "--scale"], "scale"),
        (["serve", "--processes", "2"], "scale"),
        (["serve", "--port=0", "--cluster=tls://192.0.2.7:8786"], "scale"),
        (["serve", "--database", "postgresql+psycopg://lab@127.0.0.1/lab"], "scale"),
        (["serve", "--database=sqlite:////tmp/a.sqlite3"], ""),
        (["serve"], ""),
    ],
)
def test_dask_is_installed_for_whoever_asks_for_it(script, monkeypatch, arguments, extras):
    asked = []
    monkeypatch.setattr(script, "environment", lambda extras: asked.append(extras) or "python")
    monkeypatch.setattr(script, "run", lambda command: 0)
    assert script.main(arguments) == 0 and asked == [extras]


def test_an_environment_of_conda_gets_dask_too(script, monkeypatch):
    steps = []
    monkeypatch.setattr(script, "installed_here", lambda: True)
    monkeypatch.setattr(script, "step", steps.append)
    monkeypatch.setattr(script, "has", lambda module: False)
    assert script.environment("scale") == script.environment("") == sys.executable
    assert [step[-1] for step in steps] == [f"{ROOT}[scale]"]
    monkeypatch.setattr(script, "has", lambda module: True)
    script.environment("scale")
    assert len(steps) == 1


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
        ("", {"tornado", "jupyter-core", "hatchling", "certifi"}, {"playwright", "mypy", "dask"}),
        ("scale", {"tornado", "distributed", "dask", "psycopg-binary"}, {"playwright", "mypy"}),
        ("test", {"tornado", "pytest", "playwright", "greenlet", "dask"}, {"mypy", "atheris"}),
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
def test_each_file_is_checked_and_pushlab_itself_comes_alone(script, monkeypatch, tmp_path, uv):
    steps = []
    monkeypatch.setattr(script, "VENV", tmp_path)
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
    assert [command[1:3] for command in started] == [["-m", "pushlab.cli.jupyterlab"]] * 2
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb" in started[1]
    assert "--ServerApp.port=8899" in started[0]
