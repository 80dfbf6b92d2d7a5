"""A command that sends one message: it is run once for each, in a process group of its own.

Its subscription comes as a file, as an argument or by standard input, the payload as a file. Exit status
0 says that the message was accepted. Whatever it starts is ended with it.
"""

import asyncio
import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

import psutil
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pushlab.appserver.keys import VapidKeys
from pushlab.conformance.exchange import Message, SenderReport
from pushlab.conformance.senders.template import PLACEHOLDER
from pushlab.errors import BadArgument
from pushlab.protocol import base64url, p256
from pushlab.pushservice.certificates import TRUST
from pushlab.settings import patience
from pushlab.throwaway import ThrowAwayFolder
from pushlab.useragent.process import WINDOWS, guard

SUBSCRIPTION = {"subscription", "subscription_json", "endpoint"}
"""Placeholders of the subscription. A command that names none of them reads it from standard input."""

NAMES = SUBSCRIPTION | {
    "payload", "p256dh", "auth", "ttl", "urgency", "topic", "vapid_public", "vapid_private", "vapid_pem",
    "subject",
}  # fmt: skip

OUTPUT_KEPT = 2**16
"""Bytes of its output that are kept. What comes after them is read and forgotten."""

MARK = "PUSHLAB_CONFORMANCE"
"""The variable by which everything is found that the command has started and left."""

LIKE_A_PLACEHOLDER = re.compile(r"(?<!\$)\{(\w+)\}")
"""A word in braces that is no variable of a shell."""

KILL_SECONDS = 10
"""How long what is killed may take to be gone (times PUSHLAB_PATIENCE)."""

LOOK_EVERY = 0.02
"""Seconds between two looks at whether it has ended, and at its memory."""


class CommandSender:
    """Run ``command`` for each message. ``authority``: PEM of the examination's authority, if any.

    ``limit``: seconds after which a run is ended; ``keys``: for the placeholders ``vapid_…``.
    Raises BadArgument for a placeholder that is misspelled.
    """

    form = "command"
    ends = reports = True

    def __init__(
        self,
        command: Sequence[str],
        *,
        authority: bytes | None = None,
        keys: VapidKeys | None = None,
        limit: float = 45.0,
        at_once: int | None = None,
    ) -> None:
        self.command, self.limit = tuple(command), limit
        for part in command:
            _check(part)
        self.keys = keys or VapidKeys.generate()
        self.named = {name for part in command for name in PLACEHOLDER.findall(part)} & NAMES
        self.sets = frozenset(self.named & {"payload", "ttl", "urgency", "topic"})
        self.at_once = at_once or max(4, 2 * (os.cpu_count() or 1))
        self._authority = authority
        self._mark = secrets.token_hex(16)
        self._folder: ThrowAwayFolder | None = None
        self._number = 0

    @property
    def uses_our_keys(self) -> bool:
        """Whether the private key is handed over by a placeholder."""
        return bool(self.named & {"vapid_private", "vapid_pem"})

    async def open(self) -> None:
        """Make the folder of the files that the command is given."""
        self._folder = ThrowAwayFolder("conformance")
        if self._authority is not None:
            (self._folder.path / "ca.pem").write_bytes(self._authority)
        pem = self._folder.path / "vapid.pem"
        pem.touch(0o600)
        pem.write_bytes(
            self.keys.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )

    async def close(self) -> None:
        """End every process that a run has left, and delete the files."""
        await asyncio.to_thread(_end_marked, self._mark)
        if self._folder is not None:
            self._folder.delete()

    async def send(self, message: Message) -> SenderReport:
        """Run the command once."""
        assert self._folder is not None, "open() comes first"
        self._number += 1
        files = self._folder.path / str(self._number)
        files.mkdir()
        values = self._values(message, files)
        arguments = [PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), part)
                     for part in self.command]  # fmt: skip
        given = b"" if self.named & SUBSCRIPTION else values["subscription_json"].encode()
        return await self._run(arguments, given, message.measured)

    def _values(self, message: Message, files: Path) -> dict[str, str]:
        subscription = message.recipient.subscription
        text = json.dumps(subscription.to_json())
        (files / "subscription.json").write_text(text, encoding="utf-8")
        (files / "payload").write_bytes(message.payload)
        assert self._folder is not None
        return {
            "subscription": str(files / "subscription.json"),
            "subscription_json": text,
            "payload": str(files / "payload"),
            "endpoint": subscription.endpoint,
            "p256dh": base64url.encode(subscription.p256dh or b""),
            "auth": base64url.encode(subscription.auth or b""),
            "ttl": str(message.ttl),
            "urgency": message.urgency,
            "topic": message.topic,
            "vapid_public": self.keys.application_server_key,
            "vapid_private": base64url.encode(p256.raw_private(self.keys.private_key)),
            "vapid_pem": str(self._folder.path / "vapid.pem"),
            "subject": self.keys.subject,
        }

    def _environment(self) -> Mapping[str, str]:
        environment = dict(os.environ) | {MARK: self._mark}
        if self._authority is not None and self._folder is not None:
            environment |= dict.fromkeys(TRUST, str(self._folder.path / "ca.pem"))
        return environment

    async def _run(self, arguments: list[str], given: bytes, measured: bool) -> SenderReport:
        began = time.monotonic()
        try:
            run = Run(arguments, self._environment())
        except (OSError, ValueError) as error:
            return SenderReport(
                fault=f"{arguments[0]} cannot be run: {getattr(error, 'strerror', error)}"
            )
        try:
            reading = asyncio.create_task(run.read())
            run.feed(given)
            ended = await run.ended(self.limit, measured)
            run.end_group()
            # Whoever left the group may hold the pipe open.
            await asyncio.wait([reading], timeout=1)
        finally:
            run.close()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return SenderReport(
            accepted=ended and run.status == 0,
            text=run.output.decode("utf-8", "replace"),
            status=run.described if ended else f"it had not ended after {self.limit:g} s, and was ended",
            seconds=time.monotonic() - began,
            memory=run.peak,
        )


def _check(argument: str) -> None:
    """Raise BadArgument if a word in braces is almost a placeholder. Others may be the program's own."""
    for word in LIKE_A_PLACEHOLDER.findall(argument):
        if word not in NAMES and (meant := get_close_matches(word.lower(), NAMES, n=1, cutoff=0.8)):
            raise BadArgument(f"there is no {{{word}}}", hint=f"Write {{{meant[0]}}}")


class Run:
    """One run of the command, in a process group that ends with this program. Raises OSError.

    ``output``: the beginning of what it wrote; ``peak``: the most memory that was seen, in bytes.
    asyncio's own subprocess waits for the pipes too, which a child in the background holds open.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        self._guard = None if WINDOWS else guard(self._process.pid)
        self._pipe: asyncio.BaseTransport | None = None
        self.output = bytearray()
        self.peak = 0

    @property
    def status(self) -> int | None:
        """The exit status; negative for a signal, None while it runs."""
        return self._process.poll()

    @property
    def described(self) -> str:
        """How it has ended."""
        status = self.status or 0
        return f"exit status {status}" if status >= 0 else f"ended by signal {-status}"

    def feed(self, given: bytes) -> None:
        """Write its standard input, which a pipe holds whole."""
        assert self._process.stdin is not None
        with suppress(OSError):  # It may have closed its standard input, or ended.
            self._process.stdin.write(given)
            self._process.stdin.flush()
        with suppress(OSError):
            self._process.stdin.close()

    async def read(self) -> None:
        """Read to the end, and keep the beginning: a pipe that nobody reads stops the command."""
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        self._pipe, _ = await loop.connect_read_pipe(lambda: protocol, self._process.stdout)
        while piece := await reader.read(2**16):
            self.output += piece[: max(0, OUTPUT_KEPT - len(self.output))]

    async def ended(self, seconds: float, measured: bool) -> bool:
        """Wait until it has ended, for at most ``seconds``; say whether it has."""
        end = time.monotonic() + seconds
        while self.status is None:
            if time.monotonic() > end:
                return False
            if measured:
                self.peak = max(self.peak, await asyncio.to_thread(_memory, self._process.pid))
            await asyncio.sleep(LOOK_EVERY)
        return True

    def end_group(self) -> None:
        """End the command, and all that it has started in its group."""
        if WINDOWS:
            self._process.kill()
        else:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End everything, and close its pipes and its guard."""
        self.end_group()
        self._process.wait()
        if self._pipe is not None:
            self._pipe.close()
        elif self._process.stdout is not None:
            self._process.stdout.close()
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()


def _memory(pid: int) -> int:
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += one.memory_info().rss
    return total


def _end_marked(mark: str) -> None:
    """End the processes that left their group: each has the mark of this examination."""
    killed = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.pid != os.getpid():
                process.kill()
                killed.append(process)
    psutil.wait_procs(killed, timeout=patience(KILL_SECONDS))
