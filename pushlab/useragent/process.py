"""A browser's processes: started as one group, watched, and ended as one group.

A browser is a dozen processes. In a group of their own they can all be ended with one number, and
Ctrl-C in a terminal does not reach them. We use ``subprocess.Popen`` and not asyncio's subprocess: the
lab's loop runs in a thread, where asyncio may be unable to watch a child.

A program that ends by itself calls its ``atexit`` functions. One that is killed, as kernels are, calls
nothing. So a shell, the guard, waits for the end of a pipe. The system closes the pipe however this
program ends, and then the guard ends the group, and deletes a profile that is thrown away: it holds
subscriptions. (Windows has no such groups, and no guard.)
"""

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from pushlab.settings import patience
from pushlab.useragent.pipe import BrowserPipes

WINDOWS = sys.platform == "win32"
FLAGS = 0
if sys.platform == "win32":
    FLAGS = subprocess.CREATE_NEW_PROCESS_GROUP
KILLED = 10  # seconds, times PUSHLAB_PATIENCE, that a killed process may take to be gone
LAST_WORDS = 2000  # bytes of output that an error message quotes
PIPE, READS = 2**16, 16  # bytes that a pipe holds, and how often it is emptied at one time
LAST_WORDS_SECONDS = 1  # to read the end of it, which a program in another group may hold open

# The folder is empty for good once the processes that are being killed write no more into it.
GUARD = """
read -r _
kill -KILL "-$1"
[ -z "$2" ] && exit
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$2" && exit; sleep 1; done
"""


class BrowserProcess:
    """A running browser. ``environment`` is added to this program's own.

    ``throw_away``: a folder that is deleted if this program is killed. ``pipes``: over which the browser
    is driven. Raises OSError when there is no such program.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        throw_away: Path | None = None,
        pipes: BrowserPipes | None = None,
    ):
        self._process = subprocess.Popen(
            pipes.command(arguments) if pipes else arguments,
            pass_fds=pipes.theirs if pipes else (),
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,  # no meaning on Windows, where the flag does its work
            creationflags=FLAGS,
        )
        self._closed = False
        try:
            if pipes:
                pipes.hand_over()
            assert self._process.stdout, "it is a pipe"
            self._output = _Output(self._process.stdout)
            self._guard = None if WINDOWS else guard(self._process.pid, throw_away)
        except BaseException:
            self._end()  # Nobody else can: the caller gets no object.
            raise

    @property
    def exit_status(self) -> int | None:
        """The exit status, or ``None`` while the browser runs."""
        return self._process.poll()

    def last_words(self) -> str:
        """Return the end of what the browser has written to its output."""
        return self._output.last().decode(errors="replace").strip()

    async def ended(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds for the browser to end by itself; say whether it did."""
        deadline = asyncio.get_running_loop().time() + timeout
        while self.exit_status is None:
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    def kill(self) -> None:
        """End the processes that are left of the group by force. After ``close`` it does nothing.

        It returns at once; the system may need a while to end them (see ``ended``).
        """
        if self._closed:
            return  # by now another group may have this number
        if WINDOWS:
            command = ["taskkill", "/F", "/T", "/PID", str(self._process.pid)]
            subprocess.run(command, capture_output=True, check=False, timeout=patience(30))
        else:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # the whole group has ended by itself

    def close(self) -> None:
        """End the group, wait until it is gone, and close its files and its guard. Blocks."""
        if self._closed:
            return
        self._end()
        self._closed = True
        self._output.join(LAST_WORDS_SECONDS)
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()

    def _end(self) -> None:
        self.kill()
        try:
            self._process.wait(patience(KILLED))
        except subprocess.TimeoutExpired:
            pass  # The system ends it once it can: a process that waits for the disk ends later.


class _Output(threading.Thread):
    """What a program writes: read as it comes, and the last of it is kept.

    A pipe that nobody reads would fill up and block the program. A file would grow, and a program may
    write without end.
    """

    def __init__(self, pipe: IO[bytes]):
        super().__init__(name="pushlab-output", daemon=True)
        self._pipe, self._lock = pipe, threading.Lock()
        self._last, self._ended = b"", False
        if not WINDOWS:
            os.set_blocking(pipe.fileno(), False)
        self.start()

    def run(self) -> None:
        with self._pipe:
            if WINDOWS:  # No thread can be told there that a pipe can be read.
                while not self._ended:
                    self._keep(self._pipe.read(PIPE))
                return
            poll = select.poll()
            poll.register(self._pipe, select.POLLIN)
            while not self._ended:
                poll.poll()
                self._read()

    def last(self) -> bytes:
        """Return the last LAST_WORDS bytes of what has been written until now."""
        if not WINDOWS:
            self._read()
        return self._last

    def _read(self) -> None:
        """Read what is there. A program that writes faster than this reads holds nobody up."""
        with self._lock:
            for _ in range(READS):
                if self._ended or (piece := self._pipe.read(PIPE)) is None:
                    return
                self._keep(piece)

    def _keep(self, piece: bytes) -> None:
        self._last, self._ended = (self._last + piece)[-LAST_WORDS:], not piece


async def off_the_loop(work: Callable[[], object]) -> None:
    """Call ``work()``, which may block, in a thread, so that the loop goes on.

    Python starts no more threads when it is about to end; then the loop has to wait.
    """
    try:
        done = asyncio.get_running_loop().run_in_executor(None, work)
    except RuntimeError:
        work()
    else:
        await done


def guard(group: int, throw_away: Path | None = None) -> subprocess.Popen[bytes]:
    """Start the shell that ends a process group when this program has ended, however it ends."""
    return subprocess.Popen(
        ["/bin/sh", "-c", GUARD, "pushlab-guard", str(group), str(throw_away or "")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
