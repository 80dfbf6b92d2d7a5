"""A class of thirty, each a process of its own, three of them real kernels that work on lessons.

The instructor's server and its board are the real ones. One kernel has a lab with a browser, and gets
a nudge; one is of lesson 03, which starts no lab; one goes on while the instructor's machine is away.
"""

import multiprocessing
import os
import sys
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

from pushlab.classroom.board import Board, BoardRow
from pushlab.settings import patience

from ..classroom.conftest import background, opened
from ..run.kernels import connection, printed
from ..run.kernels import folder as short_folder
from ..run.ports import free_port
from .participant import participant

__all__ = ["background"]  # a fixture

KERNELS = 3
PROCESSES = 27

WRONG = """
from pushlab import checks
from pushlab.errors import NotYet
for _ in range(3):
    try:
        checks.encrypt.derive(lambda *given: {"PRK_key": b"x"})
    except NotYet:
        pass
"""

RIGHT = """
from pushlab import checks
def body_length(text):
    octets = len(text.encode())
    if octets > 4096 - 103:
        raise ValueError("too long")
    return 86 + octets + 1 + 16
checks.start_here.body_length(body_length)
"""

JOIN = """
from pushlab import Lab
lab = Lab(port=0, push_port=0)
print(lab.join_class({url!r}, name={name!r}))
"""

BROWSER = """
browser = lab.open("virtual")
browser.subscribe()
print("subscribed")
"""

SHOWN = """
print(browser.wait_for_notification(body="look at the first byte of the header").title)
"""

WAITS = """
from pushlab.classroom.membership import MEMBERSHIP
print(MEMBERSHIP.joined is not None, MEMBERSHIP._reporter.waiting)
"""


class Kernel:
    """A real kernel, as JupyterLab starts one. ``run`` returns what a cell prints."""

    def __init__(self, folder: Path, data: Path) -> None:
        environment = os.environ | {
            "IPYTHONDIR": str(folder / "ipython"), "PUSHLAB_DATA": str(data),
            "PUSHLAB_BROWSER": "virtual",
        }  # fmt: skip
        self._manager = KernelManager(kernel_name="python3", **connection(folder / "kernel"))
        self._manager.kernel_spec.argv[0] = sys.executable
        self._manager.start_kernel(env=environment)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=patience(120))

    def run(self, code: str) -> str:
        return printed(self._client, code)

    def stop(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel()


@contextmanager
def kernels(folder: Path, count: int):
    """Start kernels, each with a data folder of its own."""
    with ExitStack() as undo:
        made = []
        for number in range(count):
            place = folder / str(number)
            place.mkdir()
            made.append(Kernel(place, folder / "data" / str(number)))
            undo.callback(made[-1].stop)
        yield made


@pytest.fixture
def folder():
    with short_folder() as path:
        yield path


def settled(room, holds) -> Board:
    """Wait for a board of which this holds."""
    changed = threading.Event()
    leave = room.classroom.changed.subscribe(changed.set)
    try:
        while not holds(board := room.classroom.board()):
            assert changed.wait(patience(60)), [(line.name, line.state) for line in board.lines]
            changed.clear()
        return board
    finally:
        leave()


def states(board: Board) -> Counter[str]:
    return Counter(line.state for line in board.lines)


def named(board: Board, name: str) -> BoardRow:
    [line] = [one for one in board.lines if one.name == name]
    return line


def test_thirty_participants_three_of_them_with_kernels(background, tmp_path, folder, notebook_kernel):
    database = tmp_path / "class.sqlite3"
    port = free_port()
    with kernels(folder, KERNELS) as (first, second, third):
        with opened(background, database, port) as room:
            # One server imports the kit, and each participant's process is a fork of it.
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([participant.__module__])
            crowd = [context.Process(target=participant, args=(room.url, n)) for n in range(PROCESSES)]
            for one in crowd:
                one.start()
            said = first.run(JOIN.format(url=room.url, name="Kernel 1") + BROWSER)
            assert "never sends your code" in said and "subscribed" in said
            first.run(WRONG)
            second.run(JOIN.format(url=room.url, name="Kernel 2") + RIGHT)
            third.run(JOIN.format(url=room.url, name="Kernel 3") + "lab.stop()")
            third.run(WRONG)  # As lesson 03 does, without a lab.
            for one in crowd:
                one.join(patience(120))
                assert one.exitcode == 0

            everybody = PROCESSES + KERNELS
            thirds = {"stuck": 9 + 2, "working": 9, "done": 9 + 1}
            board = settled(room, lambda board: states(board) == thirds)
            assert len(board.lines) == everybody
            assert list(states(board)) == ["stuck", "working", "done"], "who needs help is on top"
            [trip] = [one for one in board.trips if one.step == "PRK"]
            assert trip.people == 18
            assert [named(board, f"Kernel {n}").step for n in (1, 2, 3)] == ["PRK_key", "", "PRK_key"]

            assert room.classroom.nudge("look at the first byte of the header") == 11
            assert first.run(SHOWN).strip() == "From your instructor"
            settled(room, lambda board: named(board, "Kernel 1").nudge == "sent")
            before = room.classroom.export("json")

        # The instructor's machine is away: nobody notices, and nothing is lost.
        assert second.run(RIGHT) == ""
        assert second.run(WAITS).split() == ["True", "1"]
        with opened(background, database, port) as room:
            assert room.classroom.export("json").startswith(before.rstrip("]\n"))
            settled(room, lambda board: named(board, "Kernel 2").attempts == 2)
            second.run("lab.leave_class()")
            assert len(room.classroom.board().lines) == everybody - 1
            room.classroom.delete()
            assert room.classroom.board().lines == ()
