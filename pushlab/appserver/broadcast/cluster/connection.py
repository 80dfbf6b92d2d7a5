"""The connection to the workers: Dask's client, and the scheduler if it is started here.

A LocalCluster is a scheduler in this event loop, and processes of this machine. Whoever can connect to
a scheduler can run code in it. So it has throw-away certificates, which exist in the memory of these
processes alone: without them every user of this machine could read the private key.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from pushlab.appserver.broadcast.cluster.options import Cluster, Processes
from pushlab.errors import ClusterError, ClusterFailed, ClusterUnreachable, ScaleMissing
from pushlab.settings import patience

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

START_SECONDS = 60.0
"""Seconds that processes may take to start, or a scheduler to answer (times PUSHLAB_PATIENCE)."""

THREADS = 2
"""Ranges that a worker sends to at a time, so that the next begins before one has quite ended."""

IN_A_SCRIPT = (
    'Try again. A script of your own must call this under if __name__ == "__main__": each process '
    "imports it once more"
)

CLOSE_SECONDS = 10.0
"""Seconds that Dask may take to close (times PUSHLAB_PATIENCE)."""

SELF_OBSERVATION = {
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.worker.profile.enabled": False,
}
"""Dask's settings for the processes that are started here. By default it looks at itself fifty times a
second, for a dashboard that is not there: that takes a tenth of a core, even while nothing is sent."""


class Connection:
    """Dask's client, connected when it is first needed, and again after a scheduler has gone.

    ``where``: a number of processes to start here, or the scheduler to connect to.
    """

    def __init__(self, where: Processes | Cluster):
        self.where = where
        self._client: Client | None = None
        self._processes: LocalCluster | None = None
        self._changing = asyncio.Lock()

    @property
    def worker_pids(self) -> list[int]:
        """The process numbers of the workers that were started here."""
        nannies = self._processes.workers.values() if self._processes else ()
        return [nanny.pid for nanny in nannies if nanny.pid]

    async def client(self) -> "Client":
        """Return the client, which is connected. Raises ClusterError."""
        async with self._changing:
            if self._client is None or self._client.status != "running":
                await self._close()
                opening = asyncio.create_task(self._open())
                try:
                    await asyncio.shield(opening)
                except BaseException:
                    # Dask leaves processes behind if it is cancelled while it starts them. So it goes
                    # on, and all is closed then.
                    await asyncio.gather(opening, return_exceptions=True)
                    await self._close()
                    raise
            assert self._client
            return self._client

    async def ask(self, worker: str, message: dict[str, Any]) -> Any:
        """Return a worker's response to a message. Raises OSError, and what the worker raises.

        A process that was started here is asked itself, which takes less than half as long. Another one
        may be where only the scheduler can reach it.
        """
        assert self._client
        if self._processes is not None:
            operation = getattr(self._client.rpc(worker), message["op"])
            return await operation(**{key: what for key, what in message.items() if key != "op"})
        return await self._client.scheduler.proxy(worker=worker, msg=message)

    async def leave(self, server: str) -> None:
        """Let the workers forget the keys of an application server, unless they end anyway."""
        client = self._client
        if client is None or client.status != "running" or self._processes is not None:
            return
        message = {"op": "pushlab_leave", "server": server}
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(patience(CLOSE_SECONDS)):
                await client.scheduler.broadcast(msg=message, on_error="ignore")

    async def close(self) -> None:
        """Close the client, and end the processes that were started here. It may be called twice."""
        async with self._changing:
            await self._close()

    async def _open(self) -> None:
        try:
            import dask
            import distributed
        except ImportError:
            raise ScaleMissing from None
        from pushlab.appserver.broadcast.cluster.worker import Pushlab

        where = self.where
        async with _starting(where):
            if isinstance(where, Cluster):
                security = _security(where)
                self._client = distributed.Client(
                    where.address, security=security, asynchronous=True, set_as_default=False,
                    timeout=patience(START_SECONDS), name="pushlab",
                )  # fmt: skip
            else:
                with dask.config.set(SELF_OBSERVATION):  # The processes are given a copy.
                    self._processes = _local_cluster(where)
                    await self._processes
                # It tells everybody on this machine of tasks and logs, without a password.
                self._processes.scheduler.http_server.stop()
                self._client = distributed.Client(
                    self._processes, asynchronous=True, set_as_default=False, name="pushlab"
                )
            await self._client  # It is known already, and closed if this fails.
            await self._client.register_plugin(Pushlab(local=not isinstance(where, Cluster)))

    async def _close(self) -> None:
        client, self._client = self._client, None
        processes, self._processes = self._processes, None
        closings: list[Any] = [client, processes]
        for closing in filter(None, closings):
            with suppress(Exception):  # It may be half open, or what it talks to may be gone.
                async with asyncio.timeout(patience(CLOSE_SECONDS)):
                    await closing.close()


@asynccontextmanager
async def _starting(where: Processes | Cluster) -> AsyncIterator[None]:
    """Turn what Dask raises into our errors."""
    try:
        async with asyncio.timeout(patience(START_SECONDS)):
            yield
    except (ClusterError, asyncio.CancelledError):
        raise
    except Exception as error:  # noqa: BLE001 — Dask raises what its parts raise: OSError, RuntimeError, …
        said = f"{type(error).__name__}: {error}".strip(": ")
        if isinstance(where, Cluster):
            raise ClusterUnreachable(f"there is no connection to {where.address}: {said}") from None
        raise ClusterFailed(f"the processes could not be started: {said}", hint=IN_A_SCRIPT) from None


def _local_cluster(processes: Processes) -> "LocalCluster":
    from distributed import LocalCluster
    from distributed.security import Security

    return LocalCluster(
        n_workers=cores() if processes == "auto" else processes,
        threads_per_worker=THREADS,
        security=Security.temporary(),
        protocol="tls://",
        host="127.0.0.1",
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # or it would try 8787, and warn
        memory_limit=0,  # They keep a few thousand subscribers, however many there are.
        silence_logs=logging.CRITICAL,  # What goes wrong becomes an error of ours.
        asynchronous=True,
    )


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # A container may have fewer than the machine.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _security(cluster: Cluster) -> Any:
    """Return Dask's object for TLS: of the files that were given, or of its own configuration."""
    from distributed.security import Security

    if cluster.ca_file is None:
        return Security()
    return Security(
        tls_ca_file=str(cluster.ca_file),
        tls_client_cert=str(cluster.certfile),
        tls_client_key=str(cluster.keyfile),
        require_encryption=True,
    )
