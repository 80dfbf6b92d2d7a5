"""A browser's processes, played by a program that says what the test tells it to say."""

import asyncio
import errno
import os
import signal
import sys

import pytest

from pushlab.settings import patience
from pushlab.useragent import process as module
from pushlab.useragent.process import LAST_WORDS, BrowserProcess, off_the_loop

# It says each line that comes through a pipe.
ECHO = """
import sys
for line in open(sys.argv[1]):
    print(line, end="", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it has no limit of the size of a file")
def test_what_a_program_writes_without_end_takes_no_room(run):
    # The shell may make no file of more than 50 KB, and writes a megabyte.
    script = "ulimit -f 100; head -c 1000000 /dev/zero | tr '\\0' x; echo; echo done"

    async def scenario():
        process = BrowserProcess(["/bin/sh", "-c", script], {})
        try:
            assert await process.ended(patience(10))
            return process.last_words()
        finally:
            await off_the_loop(process.close)

    said = run(scenario())
    assert said.endswith("xxx\ndone") and len(said) < LAST_WORDS


def test_the_end_of_the_output_can_be_read_while_it_grows(tmp_path, run):
    pipe = tmp_path / "lines"
    os.mkfifo(pipe)
    said = [f"line {number}" for number in range(LAST_WORDS // 4)]

    async def read_while_it_writes():
        process = BrowserProcess([sys.executable, "-c", ECHO, str(pipe)], {})
        try:
            with await asyncio.to_thread(pipe.open, "w", buffering=1) as lines:
                for line in said:
                    print(line, file=lines)
                    async with asyncio.timeout(patience(10)):
                        while not process.last_words().endswith(line):
                            await asyncio.sleep(0)
            assert await process.ended(patience(10))
            return process.last_words()
        finally:
            await off_the_loop(process.close)

    everything = "".join(f"{line}\n" for line in said)
    assert len(everything) > LAST_WORDS
    assert run(read_while_it_writes()) == everything[-LAST_WORDS:].strip()


@pytest.mark.skipif(sys.platform == "win32", reason="it has no guard, and no such groups")
def test_without_a_guard_no_browser_is_left(monkeypatch):
    groups = []

    def no_guard(group, throw_away):
        groups.append(group)
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(module, "guard", no_guard)
    try:
        with pytest.raises(OSError, match="no more processes"):
            BrowserProcess([sys.executable, "-c", "import signal; signal.pause()"], {})
        [group] = groups
        with pytest.raises(ProcessLookupError):
            os.killpg(group, 0)
        groups.clear()
    finally:
        for group in groups:
            os.killpg(group, signal.SIGKILL)
