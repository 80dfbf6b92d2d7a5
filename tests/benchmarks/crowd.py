"""A crowd: how thousands of browsers fare that are connected at once, and get one message each.

Three kinds of processes take part, as in life, where decrypting costs the server nothing:

    pushlab serve         the push service and the application server
    crowd.py, twice       half of the virtual browsers each: a WebSocket, keys and a page for each
    this one              asks them to connect, to subscribe, and POSTs to /notify-all

Everybody must get every message once and be able to read it, else there is no figure. Times are from
the POST to ``/notify-all`` until a browser has decrypted, so the slowest is the whole fan-out.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any

from machine import memory, processor_seconds
from report import Row

from pushlab.server.connections import max_incoming, raise_file_limit
from pushlab.settings import DIRECT, patience
from pushlab.useragent.virtual import VirtualUserAgent

AT_ONCE = 50
"""How many browsers of one process connect, or subscribe, at one moment."""

PROCESSES = 2
"""Processes that hold the browsers."""

PATIENCE = patience(180)
"""Seconds within which everybody must have everything."""

BODY = "ID: 1"
"""The first notification of a server that has sent none."""


class Process:
    """A process of the scene: what it says, what it holds in memory, how long it has worked."""

    def __init__(self, process: subprocess.Popen):
        self._process = process

    def memory(self) -> float:
        """Return what the process holds in memory now, in MB; 0 where the system does not say."""
        return memory(self._process.pid)

    def cpu(self) -> float:
        """Return for how many seconds processors have worked for it."""
        return processor_seconds(self._process.pid)


class Servers(Process):
    """The process of ``pushlab serve``, and where it listens."""

    def __init__(self, process: subprocess.Popen):
        super().__init__(process)
        self.page, push = re.findall(r"https?://\S+", process.stdout.readline())
        self.push = push.replace("http", "ws", 1)


class Part(Process):
    """A process with a part of the crowd, which does what it is told."""

    def do(self, what: str, at_once: int = AT_ONCE) -> Any:
        """Let everybody in it do something; return the answer when all have done it."""
        self._process.stdin.write(f"{what} {at_once}\n")
        self._process.stdin.flush()
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"a part of the crowd did not {what}")
        return json.loads(line)


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen]:
    """Run a Python program that is asked to end at the end of the block."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, *command], stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def servers() -> Iterator[Servers]:
    """Run both servers, with databases in a folder of their own."""
    serve = ["-m", "pushlab", "serve", "--quiet", "--port", "0", "--push-port", "0"]
    with tempfile.TemporaryDirectory(prefix="pushlab-bench-") as data:
        with running([*serve, "--data", data]) as process:
            yield Servers(process)


def missing(count: int) -> str:
    """Return why there can be no crowd of this size here, or an empty string."""
    raise_file_limit()
    return (
        "" if max_incoming() >= count else f"{max_incoming()} open sockets are allowed here (ulimit -n)"
    )


# --- in the process with a part of the crowd -----------------------------------------------------


async def everybody(
    crowd: list[VirtualUserAgent], do: Callable[[VirtualUserAgent], Awaitable], at_once: int
) -> list:
    """Let everybody do something, so many at a time."""
    turn = asyncio.Semaphore(at_once)

    async def one(agent: VirtualUserAgent) -> object:
        async with turn:
            return await do(agent)

    return await asyncio.gather(*map(one, crowd))


async def enter(agent: VirtualUserAgent, page: str) -> None:
    """Open the page and subscribe there."""
    await agent.open(page)
    await agent.register()
    await agent.subscribe()


async def receive(agent: VirtualUserAgent) -> float:
    """Wait for the message; return when it came, by a clock that all processes share."""
    await agent.wait_for_notification(body=BODY, timeout=PATIENCE)
    return time.time()


async def leave(agent: VirtualUserAgent) -> int:
    """Close the browser; return how many messages it has got."""
    await agent.close()
    return len(agent.received)


async def play(push: str, page: str, first: int, count: int) -> None:
    """Do what the lines of standard input say, one after the other."""
    raise_file_limit()
    crowd = [VirtualUserAgent(push, name=f"Number {first + number}") for number in range(count)]
    acts: dict[str, Callable[[VirtualUserAgent], Awaitable]] = {
        "connect": VirtualUserAgent.start,
        "subscribe": lambda agent: enter(agent, page),
        "receive": receive,
        "leave": leave,
    }
    while line := await asyncio.to_thread(sys.stdin.readline):
        what, at_once = line.split()
        print(json.dumps(await everybody(crowd, acts[what], int(at_once))), flush=True)


# --- in the process that measures ----------------------------------------------------------------


def scene(where: Servers, parts: list[Part], count: int) -> dict[str, float]:
    """Let the crowd gather, send to all of it, let it go; return the figures."""
    figures = {"MB before": where.memory()}
    with ThreadPoolExecutor(len(parts) + 1) as threads:

        def together(what: str, at_once: int = AT_ONCE) -> list:
            answers = threads.map(lambda part: part.do(what, at_once), parts)
            return [one for answer in answers for one in answer]

        def timed(step: str, act: Callable[[], Any]) -> Any:
            started, cpu = time.perf_counter(), where.cpu()
            answer = act()
            figures[f"{step} s"] = time.perf_counter() - started
            figures[f"CPU {step}"] = where.cpu() - cpu
            return answer

        timed("connect", lambda: together("connect"))
        figures["MB connected"] = where.memory()
        timed("subscribe", lambda: together("subscribe"))

        receiving = threads.submit(together, "receive", count)
        started = time.time()
        counts = timed("notify-all", lambda: notify_all(where.page))
        figures |= quantiles([came - started for came in receiving.result()])
        figures["MB"] = where.memory()
        assert counts["accepted"] == count, f"{counts['accepted']} of {count} were accepted"
        got = set(together("leave"))
    assert got == {1}, f"somebody got {max(got)} messages, somebody {min(got)}"
    return figures


def notify_all(page: str) -> dict:
    """Ask the application server to send to everybody; return its counts."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{page}notify-all", b"{}", headers)
    with DIRECT.open(request, timeout=PATIENCE) as answer:
        return json.load(answer)["data"]


def quantiles(times: list[float]) -> dict[str, float]:
    """Return how long half, 95 of 100 and all have waited, in ms.

    >>> quantiles([0.3, 0.1, 0.2])
    {'p50 ms': 200.0, 'p95 ms': 300.0, 'max ms': 300.0}
    """
    ordered = sorted(times)
    at = {"p50 ms": 0.5, "p95 ms": 0.95, "max ms": 1.0}
    last = len(ordered) - 1
    return {name: 1000 * ordered[min(last, int(part * len(ordered)))] for name, part in at.items()}


def measure(count: int, processes: int = PROCESSES) -> Row:
    """Run the servers, and gather a crowd of this size."""
    if why := missing(count):
        return Row("crowd", f"{count:,} virtual browsers", note=why)
    with ExitStack() as stage:
        where = stage.enter_context(servers())
        bounds = [count * number // processes for number in range(processes + 1)]
        parts = [
            Part(
                stage.enter_context(
                    running([__file__, where.push, where.page, str(first), str(end - first)])
                )
            )
            for first, end in pairwise(bounds)
        ]
        figures = scene(where, parts, count)
    return Row("crowd", f"{count:,} virtual browsers", figures)


def main(quick: bool) -> Iterator[list[Row]]:
    """Measure crowds of several sizes."""
    yield [measure(count) for count in ([50] if quick else [1000, 10_000])]


if __name__ == "__main__":
    asyncio.run(play(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
