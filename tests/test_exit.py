"""Python ends while a lab is open: no traceback, nothing left, whatever the lab was used for.

Each use is played in an interpreter that comes to the end of its program, and in a real kernel that
its Jupyter shuts down. Neither calls ``lab.stop()``.

To import the three parties takes ten times as long as most uses. So one interpreter imports them and
does nothing else, and each use is played in a copy of that one (fork(2)), which ends as any interpreter
does. The copy itself imports ``Lab``, which then has the end of this process announced to it. What
starts processes of its own is played in an interpreter that is new.
"""

import json
import os
import queue
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from jupyter_client.manager import KernelManager

from pushlab.settings import patience

from .run.kernels import connection
from .run.programs import started

BEGIN = """
from pushlab import Lab
lab = Lab(port=0, push_port=0, data={data!r}, sender={sender!r})
"""
END = """
import psutil
children = psutil.Process().children(recursive=True)
print([[child.pid, child.create_time()] for child in children], flush=True)
"""

SUBSCRIBED = """
browser = lab.open("virtual")
browser.subscribe()
"""
SENT = (
    SUBSCRIBED
    + """
browser.notify_me()
browser.wait_for_notification()
"""
)
# Some messages are still on their way to these, and the reports of others, when the program ends.
SENT_TO_MANY = """
browsers = [lab.open("virtual", name=f"Ada {number}") for number in range(20)]
for browser in browsers:
    browser.subscribe()
lab.notify_all()
"""
NOTIFIED_ALL = (
    SUBSCRIBED
    + """
assert lab.notify_all().accepted == 1
"""
)
UNDER_WAY = """
import asyncio
from pushlab.protocol.examples import RFC8291
from pushlab.protocol.subscription import PushSubscription

class Away:
    display_name = "Away"
    def __init__(self, number):
        self.user_agent = f"user agent {number}"

async def subscribe_many():
    keys = RFC8291.subscription
    for number in range(300):
        token = lab.push_service.broker.subscribe(Away(number), "channel", None).token
        endpoint = lab.push_service.endpoint(token)
        lab.application_server.subscribe(PushSubscription(endpoint, keys.p256dh, keys.auth))

lab.run(subscribe_many())
over_at_the_first = []

async def notify_all():
    run = asyncio.ensure_future(lab.application_server.notify_all())
    lab.journal.subscribe(
        lambda event: event.what.startswith("201") and over_at_the_first.append(run.done())
    )
    await run

lab.submit(notify_all())
lab.wait_for("201")
assert not any(over_at_the_first[:1])
"""
ITS_OWN_AGENT = """
from pushlab.useragent.virtual import VirtualUserAgent

agent = VirtualUserAgent(lab.push_service.ws_url, name="Ada")
for step in (agent.start, lambda: agent.open(lab.application_server.url),
             agent.register, agent.subscribe, agent.notify_me):
    lab.run(step())
"""
REAL = """
for browser in [lab.open(kind, headless=True) for kind in ("firefox", "chromium")]:
    browser.subscribe()
    browser.notify_me()
    browser.wait_for_notification()
"""
PANEL = (
    SENT
    + """
from IPython.display import display
display(lab.panel())
lab.panel().buttons["notify-all"].click()
lab.wait_for("send to all")
"""
)

USES = {
    "nothing": "",
    "subscribed": SUBSCRIBED,
    "sent": SENT,
    "sent to many": SENT_TO_MANY,
    "notified all": NOTIFIED_ALL,
    "run under way": UNDER_WAY,
    "a user agent of one's own": ITS_OWN_AGENT,
    "stopped": SENT + "lab.stop()\n",
}
WITH_PYWEBPUSH = ("sent", "notified all", "run under way")
CASES = [(use, "pushlab") for use in USES] + [(use, "pywebpush") for use in WITH_PYWEBPUSH]
# A kernel takes far longer to start: what can end in one kernel together does. What these leave out,
# the kernel with a panel does as well.
IN_A_KERNEL = [
    (["nothing"], "pushlab"),
    (["sent to many", "a user agent of one's own"], "pushlab"),
    (["run under way"], "pushlab"),
    (["run under way"], "pywebpush"),
    (["stopped"], "pushlab"),
]


def ended_well(data: Path, children: str = "[]") -> None:
    """Assert that both servers have closed their databases, and that no process is left.

    ``children`` is what END printed.
    """
    assert sorted(path.name for path in data.glob("*.sqlite3*")) == [
        "appserver.sqlite3",
        "pushservice.sqlite3",
    ], "SQLite takes its write-ahead log away when a database is closed"
    for pid, began in json.loads(children):
        try:
            child = psutil.Process(pid)
            assert child.create_time() != began or child.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            continue


def subscriptions(data: Path) -> int:
    with closing(sqlite3.connect(data / "appserver.sqlite3")) as database:
        return database.execute("SELECT count(*) FROM subscriptions").fetchone()[0]


pytestmark = pytest.mark.usefixtures("programs")

# --- an interpreter -------------------------------------------------------------------------------


# On a slow machine the lab says what takes long, and that is not what is looked for here.
PATIENT = {"PUSHLAB_PATIENCE": "100"}


def run(program: str) -> subprocess.CompletedProcess:
    """Run a program in an interpreter of its own, to its end."""
    command, environment = [sys.executable, "-c", program], os.environ | PATIENT
    pipes = {"capture_output": True, "text": True}
    return subprocess.run(command, env=environment, timeout=patience(180), **pipes)


def interpreter(program: str) -> str:
    """Run a program that must end without a word; return what it printed."""
    done = run(program)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# Each line that it reads is a program and the file for what is printed: it copies itself, and the copy
# goes on to the end of this program, and so to the end of an interpreter.
FORKING = """
import json, os, sys, threading
import pushlab.appserver.app, pushlab.pushservice.app, pushlab.useragent.virtual
for line in sys.stdin:
    program, output = json.loads(line)
    assert threading.active_count() == 1, "a copy has this one thread alone"
    if copy := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]), flush=True)
        continue
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1), os.dup2(file, 2)
    exec(program)
    break
"""


@pytest.fixture(scope="module")
def copied():
    """Run a program in a copy of the interpreter; it must end without a word."""
    command, environment = [sys.executable, "-c", FORKING], os.environ | PATIENT
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with started(command, env=environment, **pipes) as forking:

        def run_copy(program: str, output: Path) -> None:
            print(json.dumps([program, str(output)]), file=forking.stdin, flush=True)
            status, said = forking.stdout.readline(), output.read_text()
            assert (status, said) == ("0\n", ""), said

        yield run_copy


@pytest.mark.parametrize(("use", "sender"), CASES)
def test_an_interpreter_ends_without_a_word(copied, tmp_path, use, sender):
    data = tmp_path / "data"
    copied(BEGIN.format(data=str(data), sender=sender) + USES[use], tmp_path / "said")
    ended_well(data)


def test_an_error_in_a_copy_is_seen(copied, tmp_path):
    """The control: were what a copy says lost, it would seem to end without a word."""
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        copied("1 / 0", tmp_path / "said")


def test_a_lab_that_is_open_at_the_end_says_goodbye_for_its_browsers(copied, tmp_path):
    """Nobody could ever read what is sent to a subscription whose profile has been thrown away."""
    data = tmp_path / "data"
    begin = BEGIN.format(data=str(data), sender="pushlab")
    copied(begin + SUBSCRIBED, tmp_path / "said")
    assert subscriptions(data) == 0
    copied(begin + SUBSCRIBED + "browser.keeps_profile = True", tmp_path / "said")
    assert subscriptions(data) == 1


@pytest.mark.usefixtures("firefox_installed", "chromium_installed")
def test_an_interpreter_ends_its_real_browsers(tmp_path):
    begin = BEGIN.format(data=str(tmp_path), sender="pushlab")
    told = interpreter(begin + REAL + END)
    assert json.loads(told), "browsers ran"
    ended_well(tmp_path, told)
    assert subscriptions(tmp_path) == 0


def test_an_error_at_the_end_is_shown_and_keeps_no_executor_open(tmp_path):
    """What others have left to do at the end is done all the same."""
    program = BEGIN.format(data=str(tmp_path), sender="pushlab") + (
        "import concurrent.futures, threading\n"
        "async def fail(): raise RuntimeError('this browser fails')\n"
        "lab.open('virtual').agent.close = fail\n"
        "begin = threading.Event()\n"
        "pool = concurrent.futures.ThreadPoolExecutor(1)\n"
        "pool.submit(lambda: (begin.wait(), print('done', flush=True)))\n"
        "begin.set()"
    )
    done = run(program)
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.rstrip().endswith("RuntimeError: this browser fails")
    assert done.stdout == "done\n"
    ended_well(tmp_path)


def test_a_forked_process_leaves_its_parent_s_lab_alone(tmp_path):
    program = BEGIN.format(data=str(tmp_path), sender="pushlab") + (
        "import multiprocessing, urllib.request\n"
        "child = multiprocessing.get_context('fork').Process(target=len, args=('',))\n"
        "child.start(); child.join(30)\n"
        "assert child.exitcode == 0, child.exitcode\n"
        "urllib.request.urlopen(lab.page_url).read()"
    )
    interpreter(program)
    ended_well(tmp_path)


# --- a kernel -------------------------------------------------------------------------------------

# ipykernel 7.4 alone says this: its control thread flushes once more after it has answered the
# shutdown, and if the loop of its IOPub thread has stopped in between, that waits for ten seconds.
# (Seen with no pushlab in the kernel, when that loop takes half a second to close.)
OF_IPYKERNEL = "IOStream.flush timed out\n"


def kernel(code: str, folder: Path) -> str:
    """Run code in a real kernel, shut the kernel down, and return what the code printed.

    Once it is ready, the kernel must say nothing but that, to its client or to its terminal.
    """
    environment = os.environ | PATIENT | {"IPYTHONDIR": str(folder / "ipython")}
    manager = KernelManager(kernel_name="python3", **connection(folder / "kernel"))
    manager.kernel_spec.argv[0] = sys.executable
    terminal = folder / "terminal"
    with terminal.open("w") as file:
        manager.start_kernel(env=environment, stdout=file, stderr=file)
    process = manager.provisioner.process
    client = manager.client()
    client.start_channels()
    printed, errors = [], []

    def hear(message: dict) -> None:
        content = message["content"]
        if message["msg_type"] == "stream":
            (printed if content["name"] == "stdout" else errors).append(content["text"])
        elif message["msg_type"] == "error":
            errors.extend(content["traceback"])

    try:
        client.wait_for_ready(timeout=patience(120))
        begin = terminal.read_text()  # ipykernel warns that its connections are not encrypted.
        client.execute_interactive(code, timeout=patience(180), output_hook=hear)
        client.shutdown()
        process.wait(patience(120))
        while True:
            try:
                hear(client.get_iopub_msg(timeout=0.2))
            except queue.Empty:
                break
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(30)
        client.stop_channels()
        manager.cleanup_resources()
    said = terminal.read_text().removeprefix(begin).replace(OF_IPYKERNEL, "")
    assert (process.returncode, "".join(errors), said) == (0, "", "")
    return "".join(printed)


@pytest.mark.parametrize(("uses", "sender"), IN_A_KERNEL)
def test_a_kernel_ends_without_a_word(tmp_path, notebook_kernel, uses, sender):
    data = tmp_path / "data"
    kernel(BEGIN.format(data=str(data), sender=sender) + "".join(map(USES.get, uses)), tmp_path)
    ended_well(data)


@pytest.mark.usefixtures("firefox_installed", "chromium_installed")
def test_a_kernel_ends_its_real_browsers(tmp_path, notebook_kernel):
    data = tmp_path / "data"
    begin = BEGIN.format(data=str(data), sender="pushlab")
    told = kernel(begin + REAL + END, tmp_path)
    assert json.loads(told), "browsers ran"
    ended_well(data, told)


def test_a_kernel_with_a_panel_ends_without_a_word(tmp_path, notebook_kernel):
    data = tmp_path / "data"
    begin = BEGIN.format(data=str(data), sender="pushlab")
    kernel(begin + PANEL, tmp_path)
    ended_well(data)
