"""A PostgreSQL server for the tests: a real one, started when the first test asks for it.

    PostgresServer.start()     initdb and pg_ctl, in a folder that is thrown away
    server.new_database()      an empty database of its own for each test, and its URL

Each process of a run has its own server, at 127.0.0.1 and in a folder. The user of the URL is no
superuser, and has a password, as anywhere else. PostgreSQL refuses to run as root, so root starts it
as the user postgres, whom its package makes.

Everything is in one folder: data, log, and the socket by which the superuser comes without a
password. It is gone at the end. Where pytest is killed, a shell, the guard, notices the end of a pipe
and does the same.
"""

import itertools
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

USER = "pushlab"
SUPERUSER = "postgres"

GUARD = """
read -r _
"$1" -D "$2/data" -m immediate -w stop
rm -rf -- "$2"
"""

SETTINGS = {"fsync": "off", "full_page_writes": "off", "listen_addresses": "127.0.0.1"}
"""No test cuts the power, and everything else survives without waiting for the disk."""


def find() -> Path | None:
    """Return the folder of PostgreSQL's programs, of the newest version; None if it cannot be run."""
    if os.name != "posix" or (os.geteuid() == 0 and not has_user(SUPERUSER)):
        return None
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(debian, key=lambda path: float(path.parts[-3]))[-1:]
    found = newest[0] if newest else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def has_user(name: str) -> bool:
    """Say whether this machine has a user of that name."""
    import pwd

    return name in (user.pw_name for user in pwd.getpwall())


class PostgresServer:
    """A server with its data in a folder of its own, at a TCP port. Close it, or leave it to the guard.

    ``programs``: the folder of initdb and pg_ctl.
    """

    def __init__(self, programs: Path, port: int):
        self.port, self.password = port, secrets.token_hex(8)
        self._pg_ctl, self._numbers = programs / "pg_ctl", itertools.count(1)
        # The path of a socket is short, and that of the usual temporary folder may not be.
        self.folder = Path(tempfile.mkdtemp(prefix="pushlab-pg-", dir="/tmp"))
        self._as: dict[str, Any] = {"cwd": self.folder}
        if os.geteuid() == 0:
            shutil.chown(self.folder, SUPERUSER, SUPERUSER)
            self._as |= {"user": SUPERUSER, "group": SUPERUSER, "extra_groups": []}
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "pushlab-guard", self._pg_ctl, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **self._as,
        )
        login = ("--auth-local=trust", "--auth-host=scram-sha-256", f"--username={SUPERUSER}")
        initdb = [programs / "initdb", "-D", "data", *login, "--no-sync", "--no-locale", "-E", "UTF8"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **self._as)
        self.start()
        self.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{self.password}'")

    def start(self, **settings: object) -> None:
        """Start the server, and wait until it accepts connections. ``settings``: postgresql.conf's."""
        given = SETTINGS | {"port": self.port, "unix_socket_directories": self.folder} | settings
        options = " ".join(f"-c {name}={value}" for name, value in given.items())
        self._control("-l", "log", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server as an administrator does ("fast"), or as if it had crashed ("immediate")."""
        self._control("-m", mode, "stop")

    @contextmanager
    def away(self, mode: str = "fast") -> Iterator[None]:
        """Stop the server for the time of a block."""
        self.stop(mode)
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let no process of the server run for the time of a block."""
        [pid, *_] = (self.folder / "data" / "postmaster.pid").read_text("utf-8").split()
        server = psutil.Process(int(pid))
        children: list[psutil.Process] = []
        server.suspend()
        try:
            # While their parent stands still, none is born, and one that ends stays as a zombie.
            children = server.children()
            for child in children:
                child.suspend()
            yield
        finally:
            for child in children:
                child.resume()
            server.resume()

    def close(self) -> None:
        """Stop the server, and delete its folder."""
        self._guard.communicate()  # The end of the pipe lets the guard do both.

    def execute(self, statement: str, database: str = "postgres") -> list[tuple]:
        """Run a statement as the superuser, and return its rows."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), port=self.port, user=SUPERUSER, dbname=database, autocommit=True
        ) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def url(self, database: str) -> str:
        """Return SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def new_database(self) -> Iterator[str]:
        """Make an empty database, yield its URL, and drop it. Nobody may be connected by then."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} OWNER {USER}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name}")  # PostgreSQL refuses if a connection was left open.

    def _control(self, *arguments: str) -> None:
        command = [self._pg_ctl, "-D", "data", "-w", "-s", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **self._as)
