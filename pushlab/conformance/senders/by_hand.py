"""Whatever is sent by hand: a subscription is printed for each message, which is then waited for."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

from pushlab.conformance.exchange import Message, SenderReport
from pushlab.text import json_line
from pushlab.throwaway import ThrowAwayFolder

MAX_SHOWN = 200
"""Bytes of a payload that is printed; a longer one is in a file."""


class ByHand:
    """Ask a person, in a terminal, for each message.

    ``say`` prints a text; ``answers``: the lines that the person types, where an empty one skips a
    message; ``limit``: seconds to wait for a message. After two messages that did not come, no more
    are asked for.
    """

    form = "by hand"
    sets = frozenset({"payload", "ttl", "urgency", "topic"})
    at_once = 1
    ends = reports = False

    def __init__(
        self, say: Callable[[str], None], answers: TextIO | None, *, limit: float = 120.0
    ) -> None:
        self._say, self._answers, self.limit = say, answers, limit
        self._skip = asyncio.Event()
        self._missed = self._number = 0
        self._folder: ThrowAwayFolder | None = None

    async def open(self) -> None:
        """Begin to listen for lines."""
        self._folder = ThrowAwayFolder("conformance")
        if self._answers is not None:
            loop = asyncio.get_running_loop()
            # A thread that waits for a terminal cannot be ended, so it must not keep the program alive.
            threading.Thread(target=self._read, args=(loop,), daemon=True).start()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            for _ in self._answers or ():
                loop.call_soon_threadsafe(self._skip.set)
        except (OSError, ValueError, RuntimeError):
            return  # The terminal, or the loop, has been closed.

    async def close(self) -> None:
        """Delete the files of long payloads."""
        if self._folder is not None:
            self._folder.delete()

    async def send(self, message: Message) -> SenderReport:
        """Print what is to be sent, and wait until something comes."""
        if self._missed >= 2:
            return SenderReport(fault="two messages in a row did not come, and no more were asked for")
        self._number += 1
        self._skip.clear()  # A line that was typed before skips nothing.
        self._say("\n".join(self._instructions(message)))
        waiting = {
            asyncio.create_task(message.recipient.wait_for(1, self.limit)),
            asyncio.create_task(self._skip.wait()),
        }
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        if message.recipient.arrived:
            self._missed = 0
            return SenderReport()
        self._missed += not self._skip.is_set()
        return SenderReport(fault="it was skipped" if self._skip.is_set() else "nothing was sent")

    def _instructions(self, message: Message) -> Iterator[str]:
        yield ""
        yield f"{self._number}. Send this message to this subscription. Enter skips it, Ctrl-C ends."
        yield f"   {json.dumps(message.recipient.subscription.to_json())}"
        yield f"   payload: {self._shown(message.payload)}"
        topic = f", Topic {message.topic}" if message.topic else ""
        yield f"   TTL {message.ttl}, Urgency {message.urgency}{topic}"

    def _shown(self, payload: bytes) -> str:
        if len(payload) > MAX_SHOWN and self._folder is not None:
            path = self._folder.path / f"payload-{self._number}"
            path.write_bytes(payload)
            return f"{len(payload)} bytes, in the file {path}"
        return json_line(payload.decode()) if payload else "none"
