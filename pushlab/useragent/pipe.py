"""Two pipes over which a program drives the browser that it has started, and nobody else can.

Chromium reads commands from file descriptor 3 and writes to 4 (``--remote-debugging-pipe``). Each
message is JSON, and a zero byte ends it. A port could be opened by every program of the machine; a pipe
belongs to the two processes that have its ends. Windows has no such descriptors.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence

from pushlab.useragent import descriptors

HIGH = 5
"""The lowest number that a descriptor of ours gets: one that is 3 or 4 would be overwritten."""


class BrowserPipes:
    """Both pipes, from when they are made until ``close``. Raises OSError if no file can be opened."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        theirs_reads, ours_writes = self._pipe()
        ours_reads, theirs_writes = self._pipe()
        self.theirs = (theirs_reads, theirs_writes)
        self._ours = (ours_reads, ours_writes)

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command that starts a program with its ends of the pipes at 3 and 4."""
        return [sys.executable, "-I", "-S", descriptors.__file__, *map(str, self.theirs), *command]

    def hand_over(self) -> None:
        """Close the browser's ends here: the pipes are to end with the browser."""
        self._close(*self.theirs)

    async def connect(self, receive: Callable[[bytes | None], None], longest: int) -> "PipeConnection":
        """Return our ends as a connection. It calls ``receive`` with each message, and last with None.

        ``longest``: bytes of a message, beyond which the connection is closed.
        """
        loop, connection = asyncio.get_running_loop(), PipeConnection(receive, longest)
        reads, writes = self._ours
        self._open -= {reads, writes}  # the transports close them
        await loop.connect_read_pipe(lambda: connection, os.fdopen(reads, "rb", 0))
        connection.sink, _ = await loop.connect_write_pipe(
            asyncio.BaseProtocol, os.fdopen(writes, "wb", 0)
        )
        return connection

    def close(self) -> None:
        """Close what is open and not connected. A second call does nothing."""
        self._close(*self._open)

    def _pipe(self) -> tuple[int, int]:
        import fcntl  # which Windows does not have

        ends = os.pipe()
        try:
            high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, HIGH) for end in ends]
        finally:
            for end in ends:
                os.close(end)
        self._open.update(high)
        return high[0], high[1]

    def _close(self, *ends: int) -> None:
        for end in set(ends) & self._open:
            self._open.discard(end)
            os.close(end)


class PipeConnection(asyncio.Protocol):
    """Messages in both directions."""

    def __init__(self, receive: Callable[[bytes | None], None], longest: int):
        self._receive, self._longest = receive, longest
        self._pieces: list[bytes] = []
        self._length = 0
        self._source: asyncio.ReadTransport | None = None
        self.sink: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.ReadTransport)
        self._source = transport

    def data_received(self, data: bytes) -> None:
        *ends, rest = data.split(b"\0")
        for end in ends:
            message = b"".join([*self._pieces, end])
            self._pieces, self._length = [], 0
            self._receive(message)
        self._pieces.append(rest)
        self._length += len(rest)
        if self._length > self._longest:
            self.close()

    def connection_lost(self, _reason: Exception | None) -> None:
        self.close()
        self._receive(None)

    async def write_message(self, text: str) -> None:
        """Send one message. Raises BrokenPipeError if the browser has gone."""
        if self.sink is None or self.sink.is_closing():
            raise BrokenPipeError
        self.sink.write(text.encode("utf-8") + b"\0")

    def close(self) -> None:
        """Close both directions."""
        for transport in (self._source, self.sink):
            if transport is not None:
                transport.close()
