"""A push server that somebody else has written, in any language: run as its own users would run it."""

import asyncio
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from pushlab.errors import LabStopped, PortTaken, ProgramFailed
from pushlab.lab.tunnel import Tunnel
from pushlab.pushservice.app import PushService
from pushlab.pushservice.certificates import TRUST
from pushlab.server.http import FREE_PORTS, TRIES, some_ports
from pushlab.settings import patience
from pushlab.text import show
from pushlab.throwaway import ThrowAwayFolder
from pushlab.useragent.process import BrowserProcess, off_the_loop

START_SECONDS = 30
"""How long it may take to listen at its port (times PUSHLAB_PATIENCE)."""

LOOPBACK = "127.0.0.1"

PORTS = range(FREE_PORTS.stop, 20_000)
"""Where a program listens. A server of ours never takes one meanwhile, before the program does."""

DIRECT = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "")
"""This machine's own services are reached without a proxy."""


class Program:
    """Run ``command`` until ``stop``: the path of a Python file, or a list of arguments.

    Its environment is this program's own, ``environment``, and what it needs to know:

        PORT                the TCP port of 127.0.0.1 at which it is to listen
        DATA                an empty folder for its database and its keys, which is thrown away
        TEST_PUSH_ORIGINS   the push services of this machine that it may send to, with spaces between
        TEST_PUSH_ORIGIN    the first of them
    """

    def __init__(
        self,
        command: str | Path | Sequence[str],
        push_origins: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if isinstance(command, str | Path):
            command = [sys.executable, str(command)]
        self._arguments = list(command)
        self._environment = DIRECT | {
            "NO_PROXY": f"localhost,{LOOPBACK},::1",
            "no_proxy": f"localhost,{LOOPBACK},::1",
            "PYTHONUNBUFFERED": "1",
            "TEST_PUSH_ORIGINS": " ".join(push_origins),
            "TEST_PUSH_ORIGIN": push_origins[0],
            **(environment or {}),
        }
        self._process: BrowserProcess | None = None
        self._data: ThrowAwayFolder | None = None
        self._words = ""
        self.port = 0

    def __repr__(self) -> str:
        state = "runs" if self._process is not None else "has ended"
        return f"<Program {Path(self._arguments[-1]).name}, which {state}>"

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"http://{LOOPBACK}:{self.port}/"

    @property
    def log(self) -> str:
        """The end of what it has written to its standard output and standard error."""
        return self._words if self._process is None else self._process.last_words()

    async def start(self) -> None:
        """Start it, and wait until it listens. Raises ProgramFailed, with its last line; PortTaken."""
        self.port = _free_port()
        self._data = ThrowAwayFolder("program")
        told = {"PORT": str(self.port), "DATA": str(self._data.path)}
        try:
            self._process = BrowserProcess(self._arguments, self._environment | told, self._data.path)
        except OSError as error:
            self.stop()
            raise ProgramFailed(f"{self._arguments[0]} cannot be run: {error.strerror}") from None
        try:
            await self._wait_until_it_listens(self._process)
        except BaseException:
            await off_the_loop(self.stop)
            raise

    async def _wait_until_it_listens(self, process: BrowserProcess) -> None:
        seconds = patience(START_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                while not await self._listens():
                    if process.exit_status is not None:
                        raise _failed("it ended before it listened", process)
                    await asyncio.sleep(0.02)  # no event tells that another program listens
        except TimeoutError:
            raise _failed(
                f"it did not listen at the port in PORT within {seconds:g} s", process
            ) from None

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, self.port)
        except OSError:
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True

    def stop(self) -> None:
        """End it and all that it has started. Blocks. Calling it twice is harmless."""
        # Two threads may call it. The one that ends the process deletes its folder, after that.
        process, self._process = self._process, None
        data, self._data = self._data, None
        if process is not None:
            self._words = process.last_words()
            process.close()
        if data is not None:
            data.delete()


def _failed(what: str, process: BrowserProcess) -> ProgramFailed:
    lines = [line for line in process.last_words().splitlines() if line.strip()]
    return ProgramFailed(f"{what}; it says: {show(lines[-1].strip(), limit=200)}" if lines else what)


class Programs:
    """The programs that a lab runs: each may send to its push service, as whichever vendor.

    A Chromium's endpoints name its vendor's host, so each program gets a proxy that leads there.

    Cells and ``lab.stop()`` may run in several threads. A program that is still starting when the stop
    begins is ended like the others.
    """

    def __init__(self, push_service: PushService) -> None:
        self._push_service = push_service
        self._programs: list[Program] = []  # Those that are starting too.
        self._tunnel: Tunnel | None = None
        self._folder: ThrowAwayFolder | None = None
        self._changing = asyncio.Lock()
        self._stopping = False

    async def start(self, command: str | Path | Sequence[str]) -> Program:
        """Start a program, and wait until it listens.

        Raises ProgramFailed, PortTaken, and LabStopped once the lab is stopping.
        """
        async with self._changing:
            if self._stopping:
                raise LabStopped
            environment = await self._environment()
            program = Program(command, [self._push_service.origin], environment)
            self._programs.append(program)
        try:
            await program.start()
        except BaseException as error:
            self._programs.remove(program)
            if self._stopping and isinstance(error, ProgramFailed):
                raise LabStopped from None  # It has failed because stop() has ended it.
            raise
        if self._stopping:
            raise LabStopped
        return program

    async def _environment(self) -> dict[str, str]:
        """Return how a program reaches the push service; the first one has the proxy started for it."""
        chromium = self._push_service.chromium
        if self._tunnel is None:
            tunnel = Tunnel(dict.fromkeys(chromium.hosts, chromium.tls_port))
            await tunnel.start()
            self._tunnel = tunnel
        if self._folder is None:
            self._folder = ThrowAwayFolder("programs")
        authority = self._folder.path / "ca.pem"
        authority.write_bytes(chromium.ca_pem)
        proxy = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), self._tunnel.url)
        return proxy | dict.fromkeys(TRUST, str(authority))

    async def stop(self) -> None:
        """End all of them, and start none any more. An error of one is raised when all have ended."""
        self._stopping = True
        async with self._changing, AsyncExitStack() as undo:
            if self._folder is not None:
                undo.callback(self._folder.delete)
            if self._tunnel is not None:
                undo.push_async_callback(self._tunnel.stop)
            for program in self._programs:
                undo.push_async_callback(off_the_loop, program.stop)


def _free_port() -> int:
    """Return a free port for a program. Raises PortTaken."""
    for port in some_ports(PORTS):
        with suppress(OSError), socket.socket() as probe:
            probe.bind((LOOPBACK, port))
            return port
    raise PortTaken(
        f"the {TRIES} ports from {PORTS[0]} to {PORTS[-1]} that were tried are all taken",
        hint=f"End some of the programs that listen at {LOOPBACK}",
    )
