"""The starter as its readers run it: a program of its own, ``python server.py``."""

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from pushlab.settings import patience

from ..run.ports import free_port

STARTER = Path(__file__).parents[2] / "notebooks" / "starter"


class Server:
    """A process that runs server.py, with a data folder of its own; it may be restarted."""

    def __init__(self, folder: Path, **settings: str):
        self.port, self.folder = free_port(), folder
        self.url = f"http://127.0.0.1:{self.port}/"
        self.lines: list[str] = []
        self._settings = {"DATA": str(folder), "PORT": str(self.port)} | settings
        self._news = threading.Condition()

    def start(self) -> None:
        clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        self._process = subprocess.Popen(
            [sys.executable, "server.py"],
            cwd=STARTER,
            env=clean | self._settings,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.wait_for(re.escape(self.url))

    def _read(self) -> None:
        for line in self._process.stderr:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()

    def wait_for(self, pattern: str) -> str:
        """Wait until the log since the last start has a line like this, and return it."""

        def found():
            return next((line for line in self.lines if re.search(pattern, line)), None)

        with self._news:
            assert self._news.wait_for(found, patience(60)), "\n".join(self.lines)
            return found()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(patience(30))
        self._reader.join()
        self._process.stderr.close()
        assert status == 0, "\n".join(self.lines)

    def restart(self) -> None:
        self.stop()
        self.lines.clear()
        self.start()

    def execute(self, statement: str, *values: object) -> None:
        """Change the database behind the server's back."""
        with contextlib.closing(sqlite3.connect(self.folder / "push.sqlite3")) as database, database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute(statement, values)


class Person(requests.Session):
    """Somebody with a browser: a cookie jar, and the Origin that a browser sends."""

    def __init__(self, server: Server, name: str):
        super().__init__()
        self.trust_env, self._server, self.name = False, server, name
        self.headers["Origin"] = server.url.rstrip("/")

    def say(self, route: str, value: object = None, **headers: str) -> int:
        """POST JSON, and return the status."""
        url = self._server.url + route
        return self.post(url, json={} if value is None else value, headers=headers).status_code

    def log_in(self, password: str = "correct horse") -> int:
        return self.say("login", {"name": self.name, "password": password})


@pytest.fixture(scope="module")
def person():
    return Person


@pytest.fixture(scope="module")
def make_server(tmp_path_factory, programs):
    """Give a function that starts servers, each with a folder of its own; all are stopped."""
    started = []

    def make(**settings: str) -> Server:
        server = Server(tmp_path_factory.mktemp("data"), **settings)
        server.start()
        started.append(server)
        return server

    yield make
    for server in started:
        server.stop()


async def tunnel(reader, writer, targets: dict[str, int]) -> None:
    """Serve one CONNECT: what is meant for these hosts goes to ports of this machine."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    host = re.match(r"CONNECT ([^:]+):443 ", head)[1]
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", targets[host])
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    async def pass_on(source, target):
        while piece := await source.read(65536):
            target.write(piece)
        target.close()

    with contextlib.suppress(asyncio.CancelledError):  # the loop ends before the server's connection
        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))
