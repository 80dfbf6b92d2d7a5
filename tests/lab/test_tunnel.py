"""The proxy for programs that the lab runs: whom it leads where, and what it makes of anything else."""

import asyncio

import pytest

from pushlab.lab import tunnel as module
from pushlab.lab.tunnel import Tunnel
from pushlab.settings import patience

HOST = "fcm.googleapis.com"


async def echo(reader, writer):
    while piece := await reader.read(2**16):
        writer.write(piece.upper())
        await writer.drain()
    writer.close()


async def answer_at_the_end(reader, writer):
    writer.write((await reader.read()).upper())
    writer.close()


async def ask(tunnel: Tunnel, head: bytes):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(tunnel.url.rpartition(":")[2]))
    writer.write(head)
    return reader, writer


@pytest.fixture
def scenario(run, leaves_nothing):
    """Run a coroutine function with a tunnel to a server that writes back in capitals."""

    def play(steps, serve=echo):
        async def whole():
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            tunnel = Tunnel({HOST: server.sockets[0].getsockname()[1], "gone.example": 9})
            await tunnel.start()
            try:
                async with asyncio.timeout(patience(60)):
                    await steps(tunnel)
            finally:
                await tunnel.stop()
                server.close()

        with leaves_nothing():
            run(whole())

    return play


def test_bytes_go_both_ways_until_one_side_closes(scenario):
    async def steps(tunnel):
        reader, writer = await ask(tunnel, f"CONNECT {HOST}:443 HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 OK\r\n\r\n"
        for size in (1, 2**20):
            writer.write(b"a" * size)
            assert await reader.readexactly(size) == b"A" * size
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()

    scenario(steps)


def test_who_has_said_everything_still_gets_the_answer(scenario):
    async def steps(tunnel):
        reader, writer = await ask(tunnel, f"CONNECT {HOST}:443 HTTP/1.1\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"all of it")
        writer.write_eof()
        assert await reader.read() == b"ALL OF IT"
        serving = set(tunnel._serving)
        await asyncio.gather(*serving)  # Both directions have ended, and so has the connection.
        assert not tunnel._serving
        writer.close()

    scenario(steps, serve=answer_at_the_end)


def test_who_goes_away_is_forgotten_on_both_sides(scenario):
    gone = asyncio.Event()

    async def serve(reader, writer):
        await reader.read()
        writer.close()
        gone.set()

    async def steps(tunnel):
        reader, writer = await ask(tunnel, f"CONNECT {HOST}:443 HTTP/1.1\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        serving = set(tunnel._serving)
        writer.close()
        await gone.wait()
        await asyncio.gather(*serving)

    scenario(steps, serve=serve)


def test_anything_else_is_refused_or_cut(scenario, monkeypatch):
    monkeypatch.setattr(module, "HEAD_SECONDS", 2)
    heads = {
        b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n": b"HTTP/1.1 403",
        f"CONNECT {HOST}:22 HTTP/1.1\r\n\r\n".encode(): b"HTTP/1.1 403",
        f"CONNECT {HOST.upper()}:443 HTTP/1.1\r\n\r\n".encode(): b"HTTP/1.1 403",
        b"GET http://127.0.0.1/ HTTP/1.1\r\n\r\n": b"HTTP/1.1 403",
        b"\x16\x03\x01\r\n\r\n": b"HTTP/1.1 403",
        b"CONNECT gone.example:443 HTTP/1.1\r\n\r\n": b"",  # nobody listens there
        b"x" * 2**17: b"",
        b"CONNECT ": b"",  # and nothing more
    }

    async def steps(tunnel):
        for head, said in heads.items():
            reader, writer = await ask(tunnel, head)
            try:
                answer = await reader.read(1000)
            except ConnectionResetError:
                answer = b""
            assert answer.startswith(said) and bool(answer) == bool(said), head[:40]
            writer.close()

    scenario(steps)


def test_its_end_cuts_what_is_under_way(scenario):
    async def steps(tunnel):
        reader, writer = await ask(tunnel, f"CONNECT {HOST}:443 HTTP/1.1\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        await tunnel.stop()
        assert await reader.read() == b""
        writer.close()

    scenario(steps)
