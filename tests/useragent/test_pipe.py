"""The two pipes over which a Chromium is driven, to a program that plays it."""

import asyncio
import os
import sys
import textwrap
from contextlib import ExitStack, contextmanager

import pytest

from pushlab.errors import BrowserFailed
from pushlab.useragent import remote
from pushlab.useragent.chromium.browser import Cdp
from pushlab.useragent.pipe import BrowserPipes
from pushlab.useragent.process import BrowserProcess

PLAYER = """
    import json, os, sys
    commands, answers = os.fdopen(3, "rb"), os.fdopen(4, "wb")
    rest = b""
    while True:
        *messages, rest = (rest + os.read(3, 7)).split(b"\\0")
        for command in map(json.loads, messages):
            if command["method"] == "end":
                sys.exit(0)
            text = json.dumps({"id": command["id"], "result": {"of": command["method"]}}).encode()
            length = command["params"].get("length", 0)
            for piece in (text[:9], text[9:] + length * b" ", b"\\0"):
                answers.write(piece)
                answers.flush()
"""


def open_files() -> list[str]:
    """Return the numbers of what this process has open, but for the folder that is read here."""
    numbers = os.listdir("/proc/self/fd")
    return [number for number in numbers if os.path.lexists(f"/proc/self/fd/{number}")]


@contextmanager
def played():
    """Start the program; give the pipes to it, and what else it has open."""
    with ExitStack() as stack:
        pipes = BrowserPipes()
        stack.callback(pipes.close)
        process = BrowserProcess([sys.executable, "-c", textwrap.dedent(PLAYER)], {}, pipes=pipes)
        stack.callback(process.close)
        yield pipes


def test_commands_and_answers_go_over_them_whatever_pieces_they_come_in(run):
    async def scenario():
        with played() as pipes:
            cdp = await Cdp.over(pipes)
            first, second = await asyncio.gather(cdp.command("first"), cdp.command("sec\u00f6nd"))
            assert (first, second) == ({"of": "first"}, {"of": "sec\u00f6nd"})
            long = await cdp.command("long", {"length": 300_000})
            assert long == {"of": "long"}
            await cdp.close()

    run(scenario())


def test_the_end_of_the_program_is_the_end_of_the_connection(run):
    async def scenario():
        with played() as pipes:
            cdp = await Cdp.over(pipes)
            assert await cdp.command("first") == {"of": "first"}
            with pytest.raises(BrowserFailed, match="has ended"):
                await cdp.command("end")
            await cdp.closed.wait()
            with pytest.raises(BrowserFailed, match="ended before second"):
                await cdp.command("second")
            await cdp.close()

    run(scenario())


def test_a_message_without_an_end_is_cut_off(run, monkeypatch):
    monkeypatch.setattr(remote, "MAX_MESSAGE", 100_000)

    async def scenario():
        with played() as pipes:
            cdp = await Cdp.over(pipes)
            with pytest.raises(BrowserFailed, match="has ended"):
                await cdp.command("long", {"length": 1_000_000})

    run(scenario())


def test_nothing_stays_open_whether_or_not_it_was_connected(run):
    before = open_files()
    pipes = BrowserPipes()
    assert len(open_files()) == len(before) + 4
    assert min(pipes.theirs) >= 5, "the numbers 3 and 4 are the browser's"
    pipes.close()
    pipes.close()
    assert open_files() == before

    async def scenario():
        during = open_files()
        with played() as pipes:
            cdp = await Cdp.over(pipes)
            await cdp.command("first")
            await cdp.close()
        assert open_files() == during

    run(scenario())
