"""A push endpoint of our own: it answers every POST with 201, if wanted after a delay.

    python stand_in.py FOLDER PORT DELAY [CERTIFICATE]

PORT 0 takes any free one and prints it; DELAY is in seconds; with CERTIFICATE (PEM, chain and key)
it speaks TLS. HTTP/1.1 with connections that are kept: all that a sender needs, and no more.
FOLDER/access.log gets a line "201 /path" for each message, FOLDER/samples/ the whole of those
requests whose path begins with /sample/. Several may share a port and a folder.
"""

import asyncio
import json
import re
import signal
import socket
import ssl
import sys
import uuid
from pathlib import Path

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
HEAD_END = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """One sender's connection: whole requests are taken from it and answered in order."""

    def __init__(self, folder: Path, log, delay: float):
        self._folder, self._log, self._delay = folder, log, delay
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while HEAD_END in self._buffer:
            head, _, rest = self._buffer.partition(HEAD_END)
            length = LENGTH.search(head + b"\r\n")
            if length is None:
                self._transport.write(REFUSED)
                self._transport.close()
                return
            if len(rest) < int(length[1]):
                return
            body, self._buffer = rest[: int(length[1])], rest[int(length[1]) :]
            self._take(head.decode("latin-1"), body)

    def _take(self, head: str, body: bytes) -> None:
        first, *lines = head.split("\r\n")
        path = first.split(" ")[1]
        if path.startswith("/sample/"):
            pairs = (line.split(":", 1) for line in lines)
            headers = {name.lower(): value.strip() for name, value in pairs}
            request = {"path": path, "headers": headers, "body": body.hex()}
            file = self._folder / "samples" / f"{uuid.uuid4()}.json"
            file.write_text(json.dumps(request), "utf-8")
        asyncio.get_running_loop().call_later(self._delay, self._answer, path)

    def _answer(self, path: str) -> None:
        if not self._transport.is_closing():
            self._log.write(f"201 {path}\n")
            self._transport.write(CREATED)


async def serve(folder: Path, port: int, delay: float, certificate: str | None) -> None:
    """Serve until asked to end."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    door.bind(("127.0.0.1", port))
    with (folder / "access.log").open("a", encoding="ascii") as log:
        server = await loop.create_server(
            lambda: Connection(folder, log, delay), sock=door, ssl=context, backlog=1024
        )
        print(door.getsockname()[1], flush=True)
        while not stop.is_set():
            log.flush()
            try:
                await asyncio.wait_for(stop.wait(), 0.05)
            except TimeoutError:
                continue
        server.close()


if __name__ == "__main__":
    where, number, seconds, *tls = sys.argv[1:]
    asyncio.run(serve(Path(where), int(number), float(seconds), tls[0] if tls else None))
