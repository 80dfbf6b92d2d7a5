"""A room's network, made of the kernel's own parts: machines, a switch, cables that can be pulled.

Each machine is a network namespace, each cable a veth pair. One end is the machine's ``eth0``, the
other a port of the switch, a bridge within the instructor's machine, which has the address 10.77.0.1.
Nothing else is connected: no route leads out, and no name can be resolved.
"""

import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

from pushlab.settings import patience

INSTRUCTOR = "10.77.0.1"
SEAT = Path(__file__).with_name("seat.py")
ROOMS = itertools.count(1)


def why_not() -> str:
    """Say why no network can be made here; empty if one can."""
    if shutil.which("ip") is None:
        return "The command ip is not installed (apt install iproute2)."
    name = f"pushlab-{os.getpid()}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        return f"No network namespace can be made (it takes root): {made.stderr.strip()}."
    _ip("netns", "delete", name)
    return ""


def _ip(*arguments: str) -> None:
    command = ["ip", *arguments]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=patience(60))


class Network:
    """Machines by name, the first of them the instructor's. ``with`` it, or machines are left over."""

    def __init__(self, *names: str):
        room = f"pushlab-{os.getpid()}-{next(ROOMS)}"
        self._spaces = {name: f"{room}-{name}" for name in names}
        self._ports = {name: f"port{number}" for number, name in enumerate(names)}
        self._resources = ExitStack()

    def __enter__(self) -> "Network":
        with ExitStack() as undo:
            for space in self._spaces.values():
                _ip("netns", "add", space)
                undo.callback(_ip, "netns", "delete", space)
                _ip("-n", space, "link", "set", "lo", "up")
            desk, *seats = self._spaces
            self._at(desk, "link", "add", "switch", "type", "bridge")
            self._at(desk, "address", "add", f"{INSTRUCTOR}/24", "dev", "switch")
            self._at(desk, "link", "set", "switch", "up")
            for number, seat in enumerate(seats, 2):
                port, space = self._ports[seat], self._spaces[seat]
                self._at(desk, "link", "add", port, "type", "veth", "peer", "eth0", "netns", space)
                self._at(desk, "link", "set", port, "master", "switch", "up")
                self._at(seat, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
                self._at(seat, "link", "set", "eth0", "up")
            self._resources = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def _at(self, name: str, *arguments: str) -> None:
        _ip("-n", self._spaces[name], *arguments)

    def pull(self, name: str) -> None:
        """Pull the cable of a machine out of the switch: both ends lose their carrier."""
        self._at(next(iter(self._spaces)), "link", "set", self._ports[name], "down")

    def plug_in(self, name: str) -> None:
        """Put the cable back."""
        self._at(next(iter(self._spaces)), "link", "set", self._ports[name], "up")

    def start(self, name: str, *command: str, **pipes) -> subprocess.Popen:
        """Start a program on a machine; it is ended with the network, if it has not ended before."""
        whole = ["ip", "netns", "exec", self._spaces[name], *command]
        process = subprocess.Popen(whole, text=True, stdout=subprocess.PIPE, **pipes)
        self._resources.callback(_end, process)
        return process

    def sit(self, name: str) -> "SeatAt":
        """Start ``seat.py`` on a machine."""
        return SeatAt(self.start(name, sys.executable, str(SEAT), stdin=subprocess.PIPE), name)


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(patience(60))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(patience(60))
    with suppress(BrokenPipeError):  # What was still to be told to it is of no use any more.
        if process.stdin:
            process.stdin.close()
    process.stdout.close()


class SeatAt:
    """The test's end of a ``seat.py``."""

    def __init__(self, process: subprocess.Popen, name: str):
        self._process, self._name = process, name
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def begin(self, do: str, **told: object) -> None:
        """Tell the seat to do something; ``end`` waits for it."""
        self._process.stdin.write(json.dumps({"do": do} | told) + "\n")
        self._process.stdin.flush()

    def end(self) -> object:
        """Return what came of it. Raise AssertionError with what went wrong."""
        line = self._answers.get(timeout=patience(180))
        assert line, f"{self._name} has ended"
        answer = json.loads(line)
        assert "error" not in answer, f"{self._name}: {answer['error']}"
        return answer["done"]

    def do(self, do: str, **told: object) -> object:
        """Tell the seat to do something and return what came of it."""
        self.begin(do, **told)
        return self.end()
