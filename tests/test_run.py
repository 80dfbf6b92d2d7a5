"""How a run is organised: what goes together, what --quick leaves out, what a failure leaves behind."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pushlab.settings import patience

from .run import artifacts, chance, kernels, schedule
from .run.ports import EACH, free_port
from .run.programs import answers

HERE = Path(__file__).parent
OWN = (
    "conftest.py",
    "postgres.py",
    *(f"run/{path.name}" for path in sorted((HERE / "run").glob("*.py"))),
)

# Modules of a project that has this one's conftest: they fail, and draw, need a browser, leave a socket.
PROJECT = {
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--import-mode=importlib'\n",
    "tests/test_one.py": """
import os
import pytest
from hypothesis import given, settings, strategies as st
from .run import chance

@pytest.fixture(scope="module")
def browser(artifacts):
    with artifacts.offer("page.png", lambda: b"a picture"):
        with artifacts.offer("log.txt", lambda: "GET /#token=0123456789abcdef"):
            with artifacts.offer("late.txt", lambda: 1 / 0):
                yield

def test_good(browser): print("nothing is kept of it")
def test_bad(browser):
    raise ValueError("on purpose")
def test_drawn():
    raise ValueError(f"drawn {chance.source().randrange(10**9)} {os.environ['PUSHLAB_DATA'][-3:]}")
tried = []
@settings(max_examples=5)
@given(st.integers(0, 10**9))
def test_tried(number): tried.append(number)
def test_tried_what(): raise ValueError(f"tried {tried}")
""",
    "tests/test_two.py": """
import pytest
def test_asks_in_its_signature(chromium_installed): raise AssertionError
@pytest.mark.parametrize("kind", ["firefox"])
def test_asks_when_it_runs(kind, request): request.getfixturevalue(f"{kind}_installed")
def test_needs_nothing(): pass
""",
    "tests/test_leaves.py": """
import socket
def test_a_socket():
    circle = [socket.socket()]
    circle.append(circle)
""",
    "tests/test_shares.py": """
import pytest
@pytest.fixture(scope="session")
def shared():
    circle = [open(__file__)]
    circle.append(circle)
    yield
def test_a_file(shared): pass
""",
}


@pytest.fixture
def project(tmp_path, programs):
    """Run pytest in a project that has this one's conftest; give the output."""
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    for name in OWN:
        copy = tmp_path / "tests" / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(HERE / name, copy)

    def run(*arguments: str, **settings: str) -> str:
        command = [sys.executable, "-m", "pytest", "-p", "no:nbval", "-p", "no:cacheprovider"]
        environment = os.environ | {"PUSHLAB_DATA": str(tmp_path / "data")} | settings
        environment.pop("PUSHLAB_SEED" if "PUSHLAB_SEED" not in settings else "", None)
        done = subprocess.run(
            [*command, *arguments], cwd=tmp_path, env=environment,
            capture_output=True, text=True, timeout=patience(120),
        )  # fmt: skip
        return done.stdout + done.stderr

    run.folder = tmp_path
    return run


def test_a_failure_says_what_it_left_and_where(project):
    said = project("tests/test_one.py", "-k", "good or bad")
    assert "1 failed, 1 passed" in said, said
    [folder] = (project.folder / ".pushlab" / "test-failures").glob("*/*")
    assert folder.name == "tests_test_one.py_test_bad"
    kept = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert kept == {
        "page.png": "a picture",
        "log.txt": "GET /#token=(left out)",
        "late.txt.missing": "ZeroDivisionError: division by zero",
    }
    for path in folder.iterdir():
        assert str(path.relative_to(project.folder)) in said


def test_the_seed_of_a_run_repeats_what_is_random_in_every_process(project):
    def drawn(said: str) -> list[str]:
        return re.findall(r"PUSHLAB_SEED=\d+|drawn \d+|tried \[.*?\]", said)

    first = project("tests/test_one.py", "-k", "drawn or tried")
    seed, *rest = dict.fromkeys(drawn(first))
    assert len(rest) == 2, first
    again = project("-n", "2", "tests", "-k", "drawn or tried", PUSHLAB_SEED=seed.split("=")[1])
    assert dict.fromkeys(drawn(again)) == dict.fromkeys([seed, *rest]), again
    assert re.search(r"drawn \d+ gw\d", again), "each process has a folder of its own"


def test_without_xdist_the_tests_run_one_after_the_other(project):
    said = project("-p", "no:xdist", "tests/test_two.py", "-k", "nothing")
    assert "1 passed, 2 deselected" in said, said


def test_what_a_module_leaves_open_is_told_at_its_end_and_what_all_share_at_the_end_of_the_run(project):
    tests = ("tests/test_leaves.py", "tests/test_shares.py", "tests/test_two.py")
    said = project("-W", "error", *tests, "-k", "socket or file or nothing")
    assert "ERROR tests/test_leaves.py::test_a_socket" in said, said
    assert "3 passed" in said and "1 error" in said, said
    assert "ResourceWarning: unclosed file" in said.partition("3 passed")[2], said


def test_quick_leaves_out_who_asks_for_a_browser(project):
    for processes in ((), ("-n", "2")):
        said = project("tests/test_two.py", "--quick", "-ra", *processes)
        assert "1 passed" in said and "SKIPPED" not in said, said
        assert (
            said.splitlines()[-2] == f"{schedule.LEFT_OUT}: 2 of the tests. ./lab test runs them too."
        ), said


def test_every_module_is_in_a_part_of_what_is_collected():
    parts = [Path(part) for part in schedule.parts_of(str(HERE))]
    found = [path for part in parts for path in ([part] if part.is_file() else part.rglob("test_*.py"))]
    assert sorted(found) == sorted(HERE.rglob("test_*.py"))
    for argument in ("tests/test_run.py::test_x", "tests/testing"):
        assert schedule.parts_of(argument) == [argument]


def test_what_is_kept_of_a_text_has_no_secret():
    secret = "c2VjcmV0LXNlY3JldA"
    for text in (
        f"http://10.77.0.1:8292/?access_token={secret}", f"Authorization: Bearer {secret}",
        f"vapid t={secret}, k=BP4z", f'{{"auth": "{secret}"}}', f"POST /wpush/v2/{secret}",
        f"POST /push/{secret} 201", f"https://fcm.googleapis.com/fcm/send/{secret}",
    ):  # fmt: skip
        assert secret not in artifacts.without_secrets(text).decode(), text
    assert artifacts.without_secrets(b"\x89PNG token=abcdefgh") == b"\x89PNG token=abcdefgh"


def test_a_new_run_keeps_the_last_failures_and_throws_the_old_ones_away(project):
    kept = project.folder / ".pushlab" / "test-failures"
    for day in range(1, 10):
        (kept / f"2026010{day}-000000").mkdir(parents=True)
    project("--co", "-q")
    assert sorted(path.name[7] for path in kept.iterdir()) == list("56789")


ASKS_FOR_PORTS = f"""
from tests.run.ports import free_port
print(*(free_port() for _ in range({2 * EACH})), flush=True)
input()
"""


def test_processes_of_two_runs_have_no_free_port_in_common():
    """Each asks twice for all it can get. The other one is there meanwhile, and so is this one."""
    ours = {free_port() for _ in range(2 * EACH)}
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", ASKS_FOR_PORTS],
            cwd=HERE.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    try:
        first, second = [set(map(int, program.stdout.readline().split())) for program in programs]
    finally:
        for program in programs:
            program.communicate("\n", timeout=patience(60))
    assert min(map(len, (ours, first, second))) > EACH / 2
    assert not ours & first and not first & second and not second & ours


@pytest.mark.skipif(os.name != "posix", reason="Windows' kernels have TCP ports")
def test_a_kernel_has_sockets_of_its_own_if_their_path_is_short_enough(tmp_path):
    with kernels.folder() as folder:
        assert kernels.connection(folder / "0") == {"transport": "ipc", "ip": f"{folder}/0"}
    assert kernels.connection(tmp_path / ("x" * 100)) == {}


STANDS = """
import subprocess, sys
measure = [
    "import time",
    "before, longest = time.monotonic(), 0",
    "while longest < 0.1: now = time.monotonic(); before, longest = now, max(longest, now - before)",
    "print('stood', flush=True)",
    "time.sleep(600)",
]
child = subprocess.Popen([sys.executable, "-c", "\\n".join(measure)], stdout=subprocess.PIPE, text=True)
assert child.stdout.readline() == "stood\\n"
sys.stdout.write(str(child.pid))
"""


@pytest.mark.skipif(os.name != "posix", reason="suspends processes with signals")
def test_programs_stand_still_and_all_go_on_at_the_end():
    command = [sys.executable, HERE / "run" / "standstill.py", sys.executable, "-c", STANDS]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=patience(60), check=True)
    child = psutil.Process(int(done.stdout))
    try:
        assert child.status() != psutil.STATUS_STOPPED
    finally:
        child.kill()


def test_a_program_that_ends_between_two_questions_has_no_answer():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as ended:
        programs = [psutil.Process(ended.pid), psutil.Process()]
        assert answers(programs, lambda one: one.pid) == [ended.pid, os.getpid()]
    for question in (psutil.Process.name, psutil.Process.cmdline, psutil.Process.net_connections):
        assert len(answers(programs, question)) == 1


@pytest.mark.parametrize("module", [artifacts, chance, schedule])
def test_the_examples(module):
    assert doctest.testmod(module).failed == 0
