"""The push endpoint that all senders post to: HTTPS on this machine, and it counts what arrives.

nginx where it is installed, which speaks HTTP/2 and is faster than any sender here; else a stand-in
of our own. ``software`` says which, and so does the table.

    sender ── HTTPS ──▶ nginx ── /push/… ──▶ 201, and a line in the access log
                          ╰──── /sample/… ──▶ the stand-in, which keeps the whole request

nginx cannot wait: where answers are to be late, it hands everything on to the stand-in, which can.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import trustme
from machine import pinned

from pushlab.settings import patience

HERE = Path(__file__).parent
PATIENCE = patience(60)
"""Seconds to wait for a server to be ready, and for its log to be complete."""

FLUSH = 0.05
"""Seconds after which both write to the log what they have, at the latest."""

CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes {workers};
events {{ worker_connections 4096; }}
http {{
    log_format arrival '$status $request_uri';
    access_log {folder}/access.log arrival buffer=64k flush=50ms;
    client_body_temp_path {folder}/temporary;
    proxy_temp_path {folder}/temporary;
    fastcgi_temp_path {folder}/temporary;
    uwsgi_temp_path {folder}/temporary;
    scgi_temp_path {folder}/temporary;
    client_body_buffer_size 16k;
    keepalive_requests 1000000;
    upstream stand_in {{ server 127.0.0.1:{keeper}; keepalive 1000; }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    server {{
        listen 127.0.0.1:{port} ssl http2 backlog=1024;
        ssl_certificate {folder}/leaf.pem;
        ssl_certificate_key {folder}/leaf.pem;
        location /push/ {{ {push}; }}
        location /sample/ {{ {hand_on}; }}
    }}
}}
"""


@dataclass(frozen=True)
class Arrivals:
    """What the endpoint counted: messages accepted, and to how many different subscribers."""

    accepted: int
    subscribers: int


class PushEndpoint:
    """Run a push endpoint in a ``with``; ``cores`` are its own, ``delay`` is in seconds.

    ``origin`` is where it listens, ``authority`` a PEM file that vouches for it. ``nginx`` is the
    program, or None for the stand-in alone.
    """

    def __init__(self, folder: Path, cores: list[int], delay: float = 0, nginx: str | None = "nginx"):
        self._folder, self._cores, self._delay = folder.resolve(), cores, delay
        self._log, self._kept = self._folder / "access.log", self._folder / "samples"
        self._nginx = nginx and shutil.which(nginx)
        self._resources = ExitStack()
        self._read = 0
        self.software = self.origin = ""
        self.authority = self._folder / "authority.pem"

    def __enter__(self) -> "PushEndpoint":
        for name in ("samples", "temporary"):
            (self._folder / name).mkdir(parents=True)
        self._log.touch()
        authority = trustme.CA(organization_name="pushlab bench")
        authority.cert_pem.write_to_path(self.authority)
        leaf = self._folder / "leaf.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(leaf)
        try:
            port = self._start_nginx() if self._nginx else self._start_stand_ins(leaf)
        except BaseException:
            self._resources.close()
            raise
        self.origin = f"https://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    # --- what arrived --------------------------------------------------------------------------

    def forget(self) -> None:
        """Count from here on, and throw away the kept requests."""
        self._read = self._log.stat().st_size
        for request in self._kept.iterdir():
            request.unlink()

    def arrivals(self, expected: int) -> Arrivals:
        """Return what came since ``forget``, once there are ``expected`` messages or time is out."""
        paths = list(self.paths(expected))
        return Arrivals(len(paths), len(set(paths)))

    def paths(self, expected: int) -> Iterator[bytes]:
        """Yield the path of each message that came since ``forget``, when ``arrivals`` would return."""
        deadline, accepted = time.monotonic() + PATIENCE, 0
        with self._log.open("rb") as log:
            log.seek(self._read)
            while True:
                late = accepted >= expected or time.monotonic() > deadline
                if late:
                    time.sleep(2 * FLUSH)  # What came twice may still be on its way into the log.
                rest = b""
                while read := log.read(1 << 20):
                    *lines, rest = (rest + read).split(b"\n")
                    for status, path in map(bytes.split, lines):
                        if status == b"201":
                            accepted += 1
                            yield path
                log.seek(-len(rest), os.SEEK_CUR)
                if late:
                    return
                time.sleep(0.02)

    def samples(self) -> list[dict]:
        """Return the kept requests: path, headers with names in lower case, body in hex."""
        return [json.loads(file.read_text("utf-8")) for file in self._kept.iterdir()]

    # --- the servers ---------------------------------------------------------------------------

    def _start_nginx(self) -> int:
        self._kept = self._folder / "keeper" / "samples"
        self._kept.mkdir(parents=True)
        keeper = self._stand_in(self._kept.parent)  # with a log of its own, which nobody counts
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        hand_on = "proxy_pass http://stand_in"
        text = CONFIGURATION.format(
            folder=self._folder, port=port, keeper=keeper, workers=max(1, len(self._cores)),
            push=hand_on if self._delay else "return 201", hand_on=hand_on,
        )  # fmt: skip
        configuration = self._folder / "nginx.conf"
        configuration.write_text(text, "utf-8")
        process = self._process([self._nginx, "-p", str(self._folder), "-c", str(configuration)])
        deadline = time.monotonic() + PATIENCE
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx does not start: {self._words()}")
            time.sleep(0.02)
        shown = subprocess.run([self._nginx, "-v"], capture_output=True, text=True).stderr
        version = re.search(r"nginx/([\d.]+)", shown)
        self.software = f"nginx {version[1] if version else ''}, HTTP/2{self._late()}"
        return port

    def _start_stand_ins(self, leaf: Path) -> int:
        port = 0
        count = max(1, len(self._cores)) if hasattr(socket, "SO_REUSEPORT") else 1
        for _ in range(count):
            port = self._stand_in(self._folder, port, leaf)
        plural = "es" if count > 1 else ""
        self.software = f"our stand-in ({count} process{plural}), HTTP/1.1{self._late()}"
        return port

    def _late(self) -> str:
        return f", answers after {self._delay * 1000:.0f} ms" if self._delay else ""

    def _stand_in(self, folder: Path, port: int = 0, leaf: Path | None = None) -> int:
        command = [sys.executable, str(HERE / "stand_in.py"), str(folder), str(port)]
        command += [str(self._delay), *([str(leaf)] if leaf else [])]
        process = self._process(command)
        if not (line := process.stdout.readline()):
            raise RuntimeError(f"the stand-in does not start: {self._words()}")
        return int(line)

    def _process(self, command: list[str]) -> subprocess.Popen:
        words = self._resources.enter_context((self._folder / "words.txt").open("ab"))
        process = subprocess.Popen(pinned(command, self._cores), stdout=subprocess.PIPE, stderr=words)
        self._resources.callback(_end, process)
        return process

    def _words(self) -> str:
        return (self._folder / "words.txt").read_text("utf-8", "replace")[-2000:]


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
