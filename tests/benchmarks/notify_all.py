"""notify-all over HTTPS: ours and its peers against one push endpoint, in the same run.

In each round every sender sends to the same subscribers, one sender after the other, so that a
machine that slows down slows all of them. The sender has one core for itself and the endpoint the
others. A round counts only if the endpoint got exactly one message for each subscriber, and if the
sampled ones can be read and carry a valid token.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count as numbers
from pathlib import Path

from endpoint import PushEndpoint
from machine import cores, run
from report import CPU, Rounds, Row
from subscribers import NOTIFICATION, PAYLOAD, Audience

from pushlab.appserver.broadcast.runs import Runs
from pushlab.appserver.store import SubscriptionStore

HERE = Path(__file__).parent
LOOP = 200
"""Messages that ``webpush()`` in a loop sends at most: the others would make it no faster."""


@dataclass(frozen=True)
class Contestant:
    """One sender: how it is called in the table, in senders.py, and how many it has in flight.

    Several ``processes`` have no core of their own: they share all of them with the endpoint.
    """

    name: str
    sender: str
    in_flight: int = 50
    at_most: int = 10**9
    processes: int = 1

    @property
    def is_ours(self) -> bool:
        """Whether it sends from a database, and records the outcomes there."""
        return self.sender.startswith("pushlab")


OURS = Contestant("pushlab notify_all", "pushlab")
OURS_TWICE = Contestant("pushlab notify_all, two processes", "pushlab_processes", processes=2)
ENCRYPTION = Contestant("pushlab, encryption only", "encryption_only")
LOOPED = Contestant("pywebpush webpush() in a loop", "webpush", at_most=LOOP)
NODE = Contestant("node web-push, 50 in flight", "node")
FAST = (
    OURS,
    OURS_TWICE,
    ENCRYPTION,
    Contestant("pywebpush webpush_async, 50 in flight", "webpush_async"),
    Contestant("  two processes, 25 each in flight", "webpush_async_processes", 25, processes=2),
    Contestant("  the same, VAPID key parsed once", "webpush_async_tuned"),
    NODE,
    LOOPED,
)
SLOW = (
    OURS,
    Contestant("webpush_async, key parsed, 100 in flight", "webpush_async_tuned", 100),
    Contestant("webpush_async, key parsed, 200 in flight", "webpush_async_tuned", 200),
    Contestant("webpush_async, key parsed, 400 in flight", "webpush_async_tuned", 400),
    Contestant("node web-push, 200 in flight", "node", 200),
)
DELAY = 0.1
"""Seconds until a slow push service answers."""


def node_with_web_push() -> str | None:
    """Return the Node that finds the package web-push (NODE_PATH says where else to look)."""
    node = shutil.which("node")
    look = [node, "-e", "require('web-push')"]
    return node if node and subprocess.run(look, capture_output=True).returncode == 0 else None


def recorded(database: Path) -> dict[str, int]:
    """Return the outcomes of the last notify-all that a database has a record of."""
    store = SubscriptionStore(f"sqlite:///{database}")
    try:
        return Runs(store).all()[-1].outcomes
    finally:
        store.close()


class Stage:
    """An endpoint, an audience, and senders that are sent onto it one by one."""

    def __init__(self, folder: Path, endpoint: PushEndpoint, most: int, core: list[int]):
        self.endpoint, self._folder, self._core = endpoint, folder, core
        self.audience = Audience(folder, endpoint.origin, most)
        self._node = node_with_web_push()
        self._numbers = numbers(1)

    def missing(self, one: Contestant) -> str:
        """Return why a contestant cannot take part, or an empty string."""
        absent = one.sender == "node" and not self._node
        absent |= one is OURS_TWICE and find_spec("distributed") is None
        return "not installed" if absent else ""

    def perform(self, one: Contestant, count: int) -> dict:
        """Let one sender send to the first ``count`` subscribers, and check what arrived.

        Return its figures, and ``count`` and ``samples``, how many messages there were and how
        many of them were read. Raise AssertionError if anything is not as it should be.
        """
        count = min(count, one.at_most)
        # A database of its own for each run: what a run has recorded must not help the next.
        database = self._folder / f"run-{next(self._numbers)}.sqlite3"
        if one.is_ours:
            shutil.copyfile(self.audience.database(count), database)
        job = {
            "keys": str(self.audience.keys_file),
            "authority": str(self.endpoint.authority),
            "origin": self.endpoint.origin,
            "database": str(database),
            "lines": str(self.audience.lines()),
            "count": count,
            "in_flight": one.in_flight,
            "processes": one.processes,
            "notification": NOTIFICATION,
            "payload": PAYLOAD.decode(),
        }
        command = [sys.executable, str(HERE / "senders.py"), one.sender]
        if one.sender == "node":
            keys = self.audience.keys
            job["vapid"] = {"subject": keys.subject, "publicKey": keys.application_server_key}
            job["vapid"]["privateKey"] = keys.to_jwk()["d"]
            command = [self._node, str(HERE / "web_push.cjs")]
        self.endpoint.forget()
        trusted = str(self.endpoint.authority)
        core = self._core if one.processes == 1 else []
        output = run(command, core, json.dumps(job), SSL_CERT_FILE=trusted)
        figures = json.loads(output.splitlines()[-1])
        if one.is_ours:
            assert recorded(database) == {"accepted": count}, "not every outcome is recorded"
        for file in self._folder.glob(f"{database.name}*"):
            file.unlink()
        expected = 0 if one.sender == "encryption_only" else count
        arrived = self.endpoint.arrivals(expected)
        assert figures["accepted"] == count, f"{one.name}: {figures['accepted']} of {count}"
        assert arrived.accepted == arrived.subscribers == expected, f"{one.name}: {arrived}"
        samples = self.audience.check(self.endpoint.samples(), expected)
        return figures | {"count": count, "samples": samples}


def compare(
    benchmark: str, contestants: Sequence[Contestant], sizes: Sequence[tuple[int, int]],
    *, delay: float = 0, nginx: str | None = "nginx",
) -> Iterator[list[Row]]:  # fmt: skip
    """Run every contestant for each of ``sizes``: (subscribers, rounds). Yield the rows of each."""
    sender_core, endpoint_cores = cores()
    with tempfile.TemporaryDirectory(prefix="pushlab-bench-") as folder:
        place = Path(folder)
        with PushEndpoint(place / "endpoint", endpoint_cores, delay, nginx) as endpoint:
            stage = Stage(place, endpoint, max(count for count, _ in sizes), sender_core)
            for count, times in sizes:
                rounds = Rounds()
                present = [one for one in contestants if not stage.missing(one)]
                for number in range(times):
                    # Who comes first in one round comes last in the next.
                    for one in present if number % 2 == 0 else present[::-1]:
                        rounds.add(one.name, _figures(stage.perform(one, count)))
                absent = {one.name: stage.missing(one) for one in contestants}
                yield rounds.rows(
                    benchmark, OURS.name, "messages/s", absent,
                    where=endpoint.software, subscribers=count,
                )  # fmt: skip


def _figures(result: dict) -> dict[str, float]:
    count = result["count"]
    return {
        "messages/s": count / result["seconds"],
        CPU: result["cpu"] / count * 1e6,
        "peak MB": result["peak"],
        "growth MB": result["growth"],
    }


def fast(quick: bool) -> Iterator[list[Row]]:
    """Compare at an endpoint that answers at once."""
    sizes = [(100, 2), (400, 1)] if quick else [(100, 5), (2000, 5), (20_000, 3)]
    yield from compare("notify-all", FAST, sizes)


def slow(quick: bool) -> Iterator[list[Row]]:
    """Compare at an endpoint that takes its time."""
    sizes = [(400, 1)] if quick else [(2000, 3)]
    yield from compare("slow endpoint", SLOW, sizes, delay=DELAY, nginx=None)
    if shutil.which("nginx"):
        yield from compare("slow endpoint", SLOW, sizes, delay=DELAY)
