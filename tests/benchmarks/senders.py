"""The senders that are compared, each run in a process of its own.

    python senders.py NAME < job.json

The job: ``keys`` and ``authority`` (files), ``database`` or ``lines`` (the subscribers), ``count``,
``in_flight``, ``notification`` (JSON) and ``payload`` (the same as text). The last line of output
is the result as JSON. Keys are loaded and libraries imported before the clock starts; reading the
subscribers is part of the work. Peers are used as their documentation says: the VAPID key is text,
which pywebpush reads again for each message. webpush_async gets a session that keeps connections.
"""

import asyncio
import itertools
import json
import multiprocessing
import os
import signal
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from machine import peak_memory, processor_seconds

from pushlab.appserver.keys import VapidKeys

if TYPE_CHECKING:
    from py_vapid import Vapid

TTL = 10_000
"""Seconds, as PushOptions has it when nothing is said."""


class Measured:
    """Measure what is done in a ``with``: time, processor time and memory."""

    def __enter__(self) -> "Measured":
        self._memory = peak_memory()
        self._cpu, self._start = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start
        self.cpu = time.process_time() - self._cpu  # of all threads
        self.peak = peak_memory()
        self.growth = self.peak - self._memory

    def result(self, accepted: int) -> dict:
        """Return the figures; ``accepted`` is how many messages the sender counts as sent."""
        return {
            "seconds": self.seconds,
            "cpu": self.cpu,
            "peak": self.peak,
            "growth": self.growth,
            "accepted": accepted,
        }


def subscriptions(job: dict) -> Iterator[dict]:
    """Yield the JSON of one subscription after the other, without holding them all."""
    with Path(job["lines"]).open(encoding="utf-8") as lines:
        first = job.get("first", 0)
        yield from map(json.loads, itertools.islice(lines, first, first + job["count"]))


def database_url(job: dict) -> str:
    """Return SQLAlchemy's URL of our database: the job names a file, or has the URL itself."""
    return job.get("url") or f"sqlite:///{job['database']}"


def pushlab(job: dict) -> dict:
    """Ours: everything that POST /notify-all does, on a database in a file."""
    from pushlab.appserver.app import ApplicationServer
    from pushlab.server.connections import collect_garbage_rarely

    collect_garbage_rarely()  # as pushlab serve does

    async def scenario() -> dict:
        server = ApplicationServer(
            keys=VapidKeys.load(job["keys"]),
            database=database_url(job),
            allowed_origins=[job["origin"]],
        )
        await server.start()
        try:
            with Measured() as measured:
                counts = await server.notify_all(notification=job["notification"])
        finally:
            await server.stop()
        return measured.result(counts.accepted)

    return asyncio.run(scenario())


def pushlab_processes(job: dict) -> dict:
    """Ours in ``processes`` workers, which have been started before. ``kill``: one, half-way.

    ``peaks`` has the peak memory of each process, this one first and then a worker that was killed.
    """
    from pushlab.appserver.broadcast.cluster.connection import Connection
    from pushlab.appserver.broadcast.cluster.orders import Equipment
    from pushlab.appserver.broadcast.cluster.sender import ClusterSender
    from pushlab.appserver.broadcast.runs import Runs
    from pushlab.appserver.broadcast.sender import Counts
    from pushlab.appserver.delivery.log import DeliveryLog
    from pushlab.appserver.notification import Notification
    from pushlab.appserver.store import SubscriptionStore
    from pushlab.protocol.delivery import PushOptions

    async def scenario() -> dict:
        keys, url = VapidKeys.load(job["keys"]), database_url(job)
        connection, store = Connection(job["processes"]), SubscriptionStore(url)
        equipment = Equipment.of(keys, url, allowed_origins=(job["origin"],))
        sender = ClusterSender(connection, equipment, store, Runs(store), DeliveryLog())
        client = await connection.client()
        workers = set((await client.run(os.getpid)).values())
        victim, dead = min(workers) if job.get("kill") else 0, []

        def progress(counts: Counts) -> None:
            if victim and not dead and counts.done >= job["count"] / 2:
                dead.append((processor_seconds(victim), peak_memory(victim)))
                os.kill(victim, signal.SIGKILL)

        before = sum(map(processor_seconds, workers))
        payload = Notification.from_json(job["notification"]).payload()
        try:
            with Measured() as measured:
                counts = await sender.send_all(payload, PushOptions(), progress)
            living = set((await client.run(os.getpid)).values())
            cpu = sum(map(processor_seconds, living)) + sum(cpu for cpu, _ in dead) - before
            peaks = [measured.peak, *(peak for _, peak in dead), *map(peak_memory, living)]
        finally:
            await sender.close()
            store.close()
        result = measured.result(counts.accepted)
        return result | {"cpu": result["cpu"] + cpu, "peak": max(peaks), "peaks": peaks}

    return asyncio.run(scenario())


def encryption_only(job: dict) -> dict:
    """Ours without signing and sending: the limit that no sender of this process can pass."""
    from pushlab.appserver.delivery.client import ephemeral
    from pushlab.protocol.encryption import encrypt
    from pushlab.protocol.subscription import PushSubscription

    people = [PushSubscription.from_json(one) for one in subscriptions(job)]
    for one in people:
        assert one.ua_public is not None  # parsed now, not within the measurement
    payload = job["payload"].encode()
    with Measured() as measured:
        for one in people:
            as_private, salt = ephemeral()
            encrypt(payload, one, as_private=as_private, salt=salt)
    return measured.result(len(people))


def webpush(job: dict) -> dict:
    """pywebpush in a loop: a connection for each message, since nothing else was asked for."""
    os.environ["REQUESTS_CA_BUNDLE"] = job["authority"]
    from pywebpush import webpush

    keys, accepted = VapidKeys.load(job["keys"]), 0
    private = keys.to_jwk()["d"]
    with Measured() as measured:
        for one in subscriptions(job):
            response = webpush(
                one,
                job["payload"],
                vapid_private_key=private,
                vapid_claims={"sub": keys.subject},  # it writes into the dict
                ttl=TTL,
            )
            accepted += response.status_code == 201
    return measured.result(accepted)


def webpush_async(job: dict) -> dict:
    """pywebpush on asyncio: one session, and a fixed number of workers."""
    return _webpush_async(job, VapidKeys.load(job["keys"]).to_jwk()["d"])


def webpush_async_tuned(job: dict) -> dict:
    """The same with a VAPID key that is parsed once, which the interface allows too."""
    from py_vapid import Vapid

    return _webpush_async(job, Vapid(VapidKeys.load(job["keys"]).private_key))


def webpush_async_processes(job: dict) -> dict:
    """The same in several processes, each with a part of the subscribers and of those in flight."""
    parts, spawn = job["processes"], multiprocessing.get_context("spawn")
    bounds = [job["count"] * number // parts for number in range(parts + 1)]
    jobs = [job | {"first": first, "count": last - first} for first, last in pairwise(bounds)]
    with ExitStack() as stack:
        # A pool each, so that none gets two parts.
        pools = [stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn)) for _ in jobs]
        for pool in pools:
            pool.submit(_import_webpush_async).result()
        with Measured() as measured:
            sending = [pool.submit(webpush_async, one) for pool, one in zip(pools, jobs, strict=True)]
            results = [one.result() for one in sending]
    whole = measured.result(sum(result["accepted"] for result in results))
    sums = {name: sum(result[name] for result in results) for name in ("cpu", "growth")}
    return whole | sums | {"peak": max(result["peak"] for result in results)}


def _import_webpush_async() -> None:
    import aiohttp  # noqa: F401 — before the clock starts
    import pywebpush  # noqa: F401 — before the clock starts


def _webpush_async(job: dict, private: "str | Vapid") -> dict:
    import aiohttp
    from pywebpush import webpush_async

    subject = VapidKeys.load(job["keys"]).subject

    async def work(rows: Iterator[dict], session: aiohttp.ClientSession) -> int:
        accepted = 0
        for one in rows:
            response = await webpush_async(
                one,
                job["payload"],
                vapid_private_key=private,
                vapid_claims={"sub": subject},
                ttl=TTL,
                aiohttp_session=session,
            )
            accepted += response.status == 201
        return accepted

    async def scenario() -> dict:
        trusted = ssl.create_default_context(cafile=job["authority"])
        connector = aiohttp.TCPConnector(limit=job["in_flight"], ssl=trusted)
        async with aiohttp.ClientSession(connector=connector) as session:
            with Measured() as measured:
                rows = subscriptions(job)
                workers = (work(rows, session) for _ in range(min(job["in_flight"], job["count"])))
                accepted = sum(await asyncio.gather(*workers))
        return measured.result(accepted)

    return asyncio.run(scenario())


SENDERS: dict[str, Callable[[dict], dict]] = {
    sender.__name__: sender
    for sender in (
        pushlab,
        pushlab_processes,
        encryption_only,
        webpush,
        webpush_async,
        webpush_async_tuned,
        webpush_async_processes,
    )
}

if __name__ == "__main__":
    print(json.dumps(SENDERS[sys.argv[1]](json.load(sys.stdin))))
