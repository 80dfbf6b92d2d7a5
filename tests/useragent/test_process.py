"""A browser's processes, played by a program that says what the test tells it to say."""

import asyncio
import os
import sys

from pushlab.settings import patience
from pushlab.useragent.process import LAST_WORDS, BrowserProcess, off_the_loop

# It says each line that comes through a pipe.
ECHO = """
import sys
for line in open(sys.argv[1]):
    print(line, end="", flush=True)
"""


def test_reading_the_output_does_not_make_the_browser_write_over_it(tmp_path, run):
    """The two programs share the file's position: the browser writes where a seek has moved it."""
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
