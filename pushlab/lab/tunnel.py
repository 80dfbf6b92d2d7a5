"""A proxy at this machine that leads a vendor's host to the lab, for programs that the lab runs.

A Chromium's endpoints name its vendor's host, whichever push service it uses. The lab's own sender is
told whom to connect to instead. A program in any language can be told of a proxy, as in a company's
network: the variable HTTPS_PROXY has its address. CONNECT is the one method (RFC 9110 §9.3.6), the
lab's hosts are the only targets, and no byte leaves this machine.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress

LOOPBACK = "127.0.0.1"
CONNECT = re.compile(rb"CONNECT ([a-z0-9.-]+):443 HTTP/1\.[01]\r\n")  # 1.0 from Python before 3.12
HEAD_SECONDS = 10
CHUNK = 2**16


class Tunnel:
    """Lead CONNECT to ``targets``: from the name of a host, port 443, to a port of this machine."""

    def __init__(self, targets: Mapping[str, int]) -> None:
        self._targets = targets
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Its address, as HTTPS_PROXY has it."""
        assert self._server is not None, "start() comes first"
        return f"http://{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)

    async def stop(self) -> None:
        """Close every connection, and listen no more."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await self._serve(reader, writer)
        except (asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
            pass  # stop() has asked for it, or one side has closed its connection.
        except (asyncio.LimitOverrunError, TimeoutError):
            pass  # What came is not a request.
        finally:
            self._serving.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HEAD_SECONDS):
            found = CONNECT.match(await reader.readuntil(b"\r\n\r\n"))
        port = self._targets.get(found[1].decode()) if found else None
        if port is None:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        far_reader, far_writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pass_on(reader, far_writer))
                both.create_task(_pass_on(far_reader, writer))
        except ExceptionGroup:
            pass  # One side has cut the connection.
        finally:
            far_writer.close()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(CHUNK):
        target.write(piece)
        await target.drain()
    with suppress(OSError):  # The other direction goes on: an answer may still come.
        target.write_eof()
