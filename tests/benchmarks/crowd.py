"""A crowd: how a thousand browsers fare that are connected at once, and get one message each.

The servers are ``pushlab serve`` in a process of its own; the browsers are virtual ones in this
process, each with its own WebSocket, its own keys and a page that reports what it gets, as real ones
do. Everybody must get every message once and be able to read it, else there is no figure. Times are
from the POST to ``/notify-all`` until a browser has decrypted, so the slowest is the whole fan-out.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from report import Row
from tornado.httpclient import AsyncHTTPClient

from pushlab.server.connections import max_incoming, raise_file_limit
from pushlab.settings import patience
from pushlab.useragent.virtual import VirtualUserAgent

AT_ONCE = 50
"""How many browsers of the crowd connect, or subscribe, at one moment."""

PATIENCE = patience(120)
"""Seconds within which everybody must have everything."""


class Servers:
    """The process of ``pushlab serve``, and where it listens."""

    def __init__(self, process: subprocess.Popen):
        self._process = process
        line = process.stdout.readline()
        self.page, push = re.findall(r"https?://\S+", line)
        self.push = push.replace("http", "ws", 1)

    def memory(self) -> float:
        """Return what the process holds in memory now, in MB; 0 where the system does not say."""
        status = Path(f"/proc/{self._process.pid}/status")
        text = status.read_text() if status.is_file() else "VmRSS: 0"
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


@contextmanager
def servers() -> Iterator[Servers]:
    """Run both servers, with databases in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="pushlab-bench-") as data:
        command = [
            sys.executable,
            "-m",
            "pushlab",
            "serve",
            "--quiet",
            "--port",
            "0",
            "--push-port",
            "0",
        ]
        process = subprocess.Popen([*command, "--data", data], stdout=subprocess.PIPE, text=True)
        with process:
            try:
                yield Servers(process)
            finally:
                process.terminate()


def missing(count: int) -> str:
    """Return why there can be no crowd of this size here, or an empty string."""
    raise_file_limit()
    return (
        "" if max_incoming() >= count else f"{max_incoming()} open sockets are allowed here (ulimit -n)"
    )


async def everybody(
    crowd: Collection[VirtualUserAgent], do: Callable[[VirtualUserAgent], Awaitable], at_once: int
) -> None:
    """Let everybody do something, so many at a time."""
    turn = asyncio.Semaphore(at_once)

    async def one(agent: VirtualUserAgent) -> None:
        async with turn:
            await do(agent)

    await asyncio.gather(*map(one, crowd))


async def scene(where: Servers, count: int) -> dict[str, float]:
    """Gather a crowd, send to all of it, let it go; return the figures."""
    figures = {"MB before": where.memory()}
    crowd = [VirtualUserAgent(where.push, name=f"Number {number}") for number in range(count)]
    async with asyncio.timeout(PATIENCE):
        started = time.perf_counter()
        await everybody(crowd, VirtualUserAgent.start, AT_ONCE)
        figures["connect s"] = time.perf_counter() - started
        started = time.perf_counter()
        await everybody(crowd, lambda agent: enter(agent, where.page), AT_ONCE)
        figures["subscribe s"] = time.perf_counter() - started

        started = time.perf_counter()
        sending = asyncio.create_task(notify_all(where.page))
        times: list[float] = []

        async def receive(agent: VirtualUserAgent) -> None:
            await agent.wait_for_notification(body="ID: 1", timeout=PATIENCE)
            times.append(time.perf_counter() - started)

        await everybody(crowd, receive, count)
        counts = await sending
        figures["notify-all s"] = time.perf_counter() - started
        figures |= quantiles(times)
        figures["MB"] = where.memory()
        assert counts["accepted"] == count, f"{counts['accepted']} of {count} were accepted"
        await everybody(crowd, VirtualUserAgent.close, count)
    got = {len(agent.received) for agent in crowd}
    assert got == {1}, f"somebody got {max(got)} messages, somebody {min(got)}"
    return figures


async def enter(agent: VirtualUserAgent, page: str) -> None:
    """Open the page and subscribe there."""
    await agent.open(page)
    await agent.register()
    await agent.subscribe()


async def notify_all(page: str) -> dict:
    """Ask the application server to send to everybody; return its counts."""
    client = AsyncHTTPClient(force_instance=True)  # past the queue of the crowd's own requests
    headers = {"Content-Type": "application/json"}
    answer = await client.fetch(
        f"{page}notify-all", method="POST", body="{}", headers=headers, request_timeout=PATIENCE
    )
    client.close()
    return json.loads(answer.body)["data"]


def quantiles(times: list[float]) -> dict[str, float]:
    """Return how long half, 95 of 100 and all have waited, in ms.

    >>> quantiles([0.3, 0.1, 0.2])
    {'p50 ms': 200.0, 'p95 ms': 300.0, 'max ms': 300.0}
    """
    ordered = sorted(times)
    at = {"p50 ms": 0.5, "p95 ms": 0.95, "max ms": 1.0}
    last = len(ordered) - 1
    return {name: 1000 * ordered[min(last, int(part * len(ordered)))] for name, part in at.items()}


def measure(count: int) -> Row:
    """Run the servers, and gather a crowd of this size."""
    if why := missing(count):
        return Row("crowd", f"{count:,} virtual browsers", note=why)
    with servers() as where:
        figures = asyncio.run(scene(where, count))
    return Row("crowd", f"{count:,} virtual browsers", figures)


def main(quick: bool) -> Iterator[list[Row]]:
    """Measure crowds of several sizes."""
    yield [measure(count) for count in ([50] if quick else [100, 1000, 2000])]
