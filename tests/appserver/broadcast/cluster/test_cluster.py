"""A notify-all by the workers of a Dask scheduler, all of them programs of their own, over TLS."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
import trustme

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.broadcast.cluster import connection, orders
from pushlab.appserver.broadcast.cluster.options import Cluster
from pushlab.errors import ClusterLost, ClusterUnreachable
from pushlab.journal import Journal
from pushlab.protocol import base64url, p256
from pushlab.settings import patience

from ....run.ports import free_port
from ....run.programs import spawned
from ...sending import always, fill, reached

pytestmark = pytest.mark.usefixtures("programs")


class Programs:
    """A Dask scheduler and two workers, started as the documentation says, with logs that tell all."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = free_port()
        self.address = f"tls://127.0.0.1:{self.port}"
        authority = trustme.CA()
        self.ca, self.pem = folder / "ca.pem", folder / "node.pem"
        authority.cert_pem.write_to_path(self.ca)
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(self.pem)
        self.cluster = Cluster(self.address, self.ca, self.pem, self.pem)
        self.programs: list[subprocess.Popen] = []

    def start(self, kind: str, *arguments: str) -> subprocess.Popen:
        files = ["--tls-ca-file", self.ca, "--tls-cert", self.pem, "--tls-key", self.pem]
        environment = os.environ | {
            "DASK_LOGGING__DISTRIBUTED": "debug",
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": f"{patience(10):g}s",
            "PYTHONPATH": str(Path(orders.__file__).parents[4]),
        }
        log = (self.folder / f"{kind}.log").open("ab")
        program = subprocess.Popen(
            [sys.executable, "-m", "dask", kind, *arguments, "--no-dashboard", *files],
            stdout=log, stderr=log, env=environment, cwd=self.folder,
        )  # fmt: skip
        log.close()
        self.programs.append(program)
        return program

    def start_scheduler(self) -> None:
        """Start it, and wait until it listens: workers that cannot connect for long give up, and end."""
        ready = self.folder / "scheduler.json"
        ready.unlink(missing_ok=True)
        program = self.start("scheduler", "--host", "127.0.0.1", "--port", str(self.port),
                             "--scheduler-file", str(ready))  # fmt: skip
        deadline = time.monotonic() + patience(60)
        while not ready.exists():
            assert program.poll() is None and time.monotonic() < deadline, self.logs()[-2000:]
            time.sleep(0.05)

    def start_workers(self) -> None:
        self.start("worker", self.address, "--nworkers", "2", "--nthreads", "2", "--host", "127.0.0.1",
                   "--local-directory", str(self.folder / "dask"))  # fmt: skip

    def kill_a_worker(self) -> None:
        [*_, one] = spawned(psutil.Process(self.programs[1].pid))
        one.kill()

    def stop(self) -> None:
        for program in reversed(self.programs):  # A worker without a scheduler waits for one.
            program.terminate()
            program.wait(patience(30))

    def logs(self) -> str:
        return "".join(path.read_text("utf-8", "replace") for path in self.folder.glob("*.log"))


@pytest.fixture(scope="module")
def programs_of_dask(tmp_path_factory):
    programs = Programs(tmp_path_factory.mktemp("dask"))
    programs.start_scheduler()
    programs.start_workers()
    yield programs
    programs.stop()


def serving(keys, service, database, cluster):
    if isinstance(database, Path):
        database = f"sqlite:///{database}/a.sqlite3"
    return ApplicationServer(
        keys=keys, database=database, journal=Journal(),
        push_origins=[service.origin], cluster=cluster,
    )  # fmt: skip


def test_over_tls_and_the_key_is_written_nowhere(
    run, keys, push_service, subscriber, tmp_path, programs_of_dask, monkeypatch
):
    monkeypatch.setattr(orders, "RANGE", 40)
    raw = p256.raw_private(keys.private_key)
    shown = [raw, repr(raw)[2:-1].encode(), raw.hex().encode(), base64url.encode(raw).encode()]

    async def scenario():
        async with push_service() as service:
            under_way, go_on = asyncio.Event(), asyncio.Event()

            async def answer(handler, number):
                under_way.set()
                await go_on.wait()
                handler.set_status(201)

            service.answer = answer
            server = serving(keys, service, tmp_path, programs_of_dask.cluster)
            await server.start()
            try:
                fill(server.store, service, subscriber, [f"201-{n:03}" for n in range(300)])
                sending = asyncio.ensure_future(server.notify_all())
                await reached(under_way, sending)
                [sender] = server._cluster_senders._senders.values()
                client = await sender._connection.client()
                # While the tasks are there: all that scheduler and workers would show of themselves.
                await client.dump_cluster_state(str(tmp_path / "dump"), format="yaml")
                go_on.set()
                assert (await sending).accepted == 300
            finally:
                go_on.set()
                await server.stop()

    run(scenario())
    dumped = b"".join(path.read_bytes() for path in tmp_path.glob("dump*"))
    logs = programs_of_dask.logs().encode()
    # They tell of everything else: of the message that the keys are in, and of each task.
    assert b"pushlab_begin" in logs and b"pushlab-1-" in logs and b"pushlab-1-" in dumped
    for secret in shown:
        assert secret not in dumped and secret not in logs


def test_the_scheduler_dies_and_a_resume_goes_on(
    run, keys, push_service, subscriber, tmp_path, programs_of_dask, monkeypatch
):
    monkeypatch.setattr(orders, "RANGE", 40)

    async def scenario():
        async with push_service() as service:
            dead, half = asyncio.Event(), asyncio.Event()

            def answer(handler, number):
                handler.set_status(201)
                if number == 150:
                    half.set()
                return dead.wait() if number >= 150 else None

            service.answer = answer
            server = serving(keys, service, tmp_path, programs_of_dask.cluster)
            await server.start()
            try:
                people = fill(server.store, service, subscriber, [f"201-{n:03}" for n in range(400)])
                sending = asyncio.ensure_future(server.notify_all(title="Hello"))
                await reached(half, sending)
                programs_of_dask.programs[0].kill()
                began = time.monotonic()
                with pytest.raises(ClusterLost, match="notify-all 1") as lost:
                    await sending
                assert time.monotonic() - began < patience(15)
                assert "resume=" in str(lost.value)
                dead.set()
                service.answer = always(201)
                programs_of_dask.programs[0].wait()
                programs_of_dask.programs[1].wait(patience(60))  # Workers without a scheduler end.
                programs_of_dask.programs.clear()
                programs_of_dask.start_scheduler()
                programs_of_dask.start_workers()
                [record] = server.runs()
                before = {r.path for r in service.received}
                counts = await server.notify_all(title="Hello", resume=record.run)
                after = [record.outcomes for record in server.runs()]
                assert after == [{"accepted": 400}]
                assert counts.accepted == 400 - record.outcomes.get("accepted", 0)
                assert {r.path for r in service.received} - before, "there were some left"
                assert len({r.path for r in service.received}) == len(people)
            finally:
                dead.set()
                await server.stop()

    run(scenario())


def test_postgresql_is_away_in_the_middle_and_a_worker_is_killed(
    run, keys, push_service, subscriber, postgres_server, postgres_url, programs_of_dask, monkeypatch
):
    monkeypatch.setattr(orders, "RANGE", 40)

    async def scenario():
        async with push_service() as service:
            half, back = asyncio.Event(), asyncio.Event()

            def answer(handler, number):
                handler.set_status(201)
                if number == 150:
                    half.set()
                return back.wait() if number >= 150 else None

            service.answer = answer
            server = serving(keys, service, postgres_url, programs_of_dask.cluster)
            await server.start()
            try:
                fill(server.store, service, subscriber, [f"201-{n:03}" for n in range(300)])
                sending = asyncio.ensure_future(server.notify_all())
                await reached(half, sending)
                with postgres_server.away():
                    programs_of_dask.kill_a_worker()
                    back.set()
                    await asyncio.sleep(1)
                assert (await sending).accepted == 300
                times = Counter(r.path for r in service.received)
                assert len(times) == 300 and max(times.values()) <= 2
                assert [record.outcomes for record in server.runs()] == [{"accepted": 300}]
            finally:
                back.set()
                await server.stop()

    run(scenario())


def test_a_program_without_the_certificates_has_no_connection(
    run, keys, push_service, subscriber, tmp_path, programs_of_dask, monkeypatch
):
    monkeypatch.setattr(connection, "START_SECONDS", 1.0)
    stranger = trustme.CA()
    ca, pem = tmp_path / "ca.pem", tmp_path / "node.pem"
    stranger.cert_pem.write_to_path(ca)
    stranger.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)

    async def scenario():
        async with push_service() as service:
            server = serving(keys, service, tmp_path, Cluster(programs_of_dask.address, ca, pem, pem))
            await server.start()
            try:
                fill(server.store, service, subscriber, ["201-a"])
                with pytest.raises(ClusterUnreachable, match="no connection to tls://127"):
                    await server.notify_all()
                assert service.received == [] and server.runs() == []
            finally:
                await server.stop()

    run(scenario())
