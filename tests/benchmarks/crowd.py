"""A crowd: how thousands of browsers fare that are connected at once, and get one message each.

Each party is a process of its own, as in life, where nobody's work costs another one time:

    crowd.py push-service         WebSockets, and a database in a file
    crowd.py application-server   the page, the subscriptions in a file, and the sender
    crowd.py browsers, twice      half of the virtual browsers each: a WebSocket, keys and a page
    this one                      asks them to connect, to subscribe, and POSTs to /notify-all

The pages report to the application server what they received. That is the lab's, and no part of push, so
the reports wait until everybody has the message.

Everybody must get every message once and be able to read it, else there is no figure. Times are from
the POST to ``/notify-all`` until a browser has decrypted, so the slowest is the whole fan-out.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

from machine import memory, processor_seconds
from report import Row

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.pushservice.app import PushService
from pushlab.server.connections import collect_garbage_rarely, max_incoming, raise_file_limit
from pushlab.server.database_url import sqlite_url
from pushlab.settings import DIRECT, patience
from pushlab.useragent.http_client import HttpClient
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


class Server(Process):
    """The process of a server, and the addresses that it has printed."""

    def __init__(self, process: subprocess.Popen):
        super().__init__(process)
        self.addresses = process.stdout.readline().split()


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
def running(party: str, *arguments: object) -> Iterator[subprocess.Popen]:
    """Run the process of a party, which is ended at the end of the block."""
    command, pipe = [sys.executable, __file__, party, *map(str, arguments)], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def missing(count: int) -> str:
    """Return why there can be no crowd of this size here, or an empty string."""
    raise_file_limit()
    return (
        "" if max_incoming() >= count else f"{max_incoming()} open sockets are allowed here (ulimit -n)"
    )


# --- in the process of a server --------------------------------------------------------------------


async def push_service(folder: str) -> None:
    """Be the push service, until the process is ended."""
    service = PushService(database=sqlite_url(Path(folder, "push.sqlite3")))
    await service.start()
    print(service.origin, service.ws_url, flush=True)
    await asyncio.Event().wait()


async def application_server(folder: str, push_origin: str) -> None:
    """Be the application server, until the process is ended."""
    database = sqlite_url(Path(folder, "subscriptions.sqlite3"))
    server = ApplicationServer(keys=VapidKeys.generate(), database=database, push_origins=[push_origin])
    await server.start()
    print(server.url, flush=True)
    await asyncio.Event().wait()


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


async def browsers(push: str, page: str, first: str, end: str) -> None:
    """Do what the lines of standard input say, one after the other."""
    raise_file_limit()
    numbers = range(int(first), int(end))
    crowd = [VirtualUserAgent(push, name=f"Number {number}") for number in numbers]
    acts: dict[str, Callable[[VirtualUserAgent], Awaitable]] = {
        "connect": VirtualUserAgent.start,
        "subscribe": lambda agent: enter(agent, page),
        "receive": receive,
        "leave": leave,
    }
    http = HttpClient.join()
    while line := await asyncio.to_thread(sys.stdin.readline):
        what, at_once = line.split()
        async with http.background if what == "receive" else nullcontext():
            answer = await everybody(crowd, acts[what], int(at_once))
        print(json.dumps(answer), flush=True)


# --- in the process that measures ----------------------------------------------------------------


def scene(servers: dict[str, Server], page: str, parts: list[Part], count: int) -> dict[str, float]:
    """Let the crowd gather, send to all of it, let it go; return the figures."""
    figures: dict[str, float] = {}
    with ThreadPoolExecutor(len(parts) + 1) as threads:

        def together(what: str, at_once: int = AT_ONCE) -> list:
            answers = threads.map(lambda part: part.do(what, at_once), parts)
            return [one for answer in answers for one in answer]

        def timed(step: str, act: Callable[[], Any]) -> Any:
            started, before = time.perf_counter(), cpu(servers.values())
            answer = act()
            figures[f"{step} s"] = time.perf_counter() - started
            figures[f"CPU {step}"] = cpu(servers.values()) - before
            return answer

        timed("connect", lambda: together("connect"))
        timed("subscribe", lambda: together("subscribe"))

        receiving = threads.submit(together, "receive", count)
        parties = {name: [one] for name, one in servers.items()} | {"browsers": parts}
        started, before = time.time(), {name: cpu(group) for name, group in parties.items()}
        counts = timed("notify-all", lambda: notify_all(page))
        figures |= quantiles([came - started for came in receiving.result()])
        for name, group in parties.items():
            figures[f"{name} µs"] = 1e6 * (cpu(group) - before[name]) / count
        for name, server in servers.items():
            figures[f"{name} MB"] = server.memory()
        assert counts["accepted"] == count, f"{counts['accepted']} of {count} were accepted"
        got = set(together("leave"))
    assert got == {1}, f"somebody got {max(got)} messages, somebody {min(got)}"
    return figures


def cpu(processes: Iterable[Process]) -> float:
    """Return for how many seconds processors have worked for all of them."""
    return sum(process.cpu() for process in processes)


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
        folder = stage.enter_context(tempfile.TemporaryDirectory(prefix="pushlab-bench-"))

        def run(party: str, *arguments: object) -> subprocess.Popen:
            return stage.enter_context(running(party, *arguments))

        service = Server(run("push-service", folder))
        push_origin, push = service.addresses
        server = Server(run("application-server", folder, push_origin))
        [page] = server.addresses
        bounds = [count * number // processes for number in range(processes + 1)]
        parts = [Part(run("browsers", push, page, *part)) for part in pairwise(bounds)]
        servers = {"push service": service, "application server": server}
        figures = scene(servers, page, parts, count)
    return Row("crowd", f"{count:,} virtual browsers", figures)


def main(quick: bool) -> Iterator[list[Row]]:
    """Measure crowds of several sizes."""
    yield [measure(count) for count in ([50] if quick else [1000, 10_000])]


PARTIES: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "push-service": push_service,
    "application-server": application_server,
    "browsers": browsers,
}

if __name__ == "__main__":
    collect_garbage_rarely()  # as pushlab serve does
    asyncio.run(PARTIES[sys.argv[1]](*sys.argv[2:]))
