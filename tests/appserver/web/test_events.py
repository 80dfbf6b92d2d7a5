"""GET /events: every event once and in order, across broken connections and from any thread."""

import asyncio
import json
import threading

import pytest

from pushlab.appserver.web import events as module
from pushlab.appserver.web.events import EventsHandler
from pushlab.journal import Party
from pushlab.server.stream import RETRY_SECONDS
from pushlab.settings import patience

UA = Party.USER_AGENT


class Stream:
    """A client of server-sent events, byte by byte."""

    async def open(self, server, **headers: str) -> "Stream":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", server.port)
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.writer.write(f"GET /events HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        self.head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        self.text = ""
        return self

    async def block(self) -> str:
        """Return the next block: what stands before an empty line. An empty one is the end."""
        while "\n\n" not in self.text:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            self.text += (await self.reader.readexactly(size)).decode()
            await self.reader.readexactly(2)
            if not size:
                return ""
        block, self.text = self.text.split("\n\n", 1)
        return block

    async def event(self) -> dict:
        number, data = (await self.block()).split("\n")
        value = json.loads(data.removeprefix("data: "))
        assert number == f"id: {value['number']}"
        return value

    async def whats(self, count: int) -> list[str]:
        return [(await self.event())["what"] for _ in range(count)]


def write(server, *whats: str) -> None:
    for what in whats:
        server.journal.record(UA, UA, what, "Firefox")


def test_past_events_come_first_and_then_new_ones(run, serving):
    async def scenario():
        async with serving() as server:
            write(server, "one", "two")
            stream = await Stream().open(server)
            assert stream.head.startswith("HTTP/1.1 200 OK")
            assert "Content-Type: text/event-stream" in stream.head
            assert "Cache-Control: no-store, private" in stream.head
            assert await stream.whats(2) == ["one", "two"]
            write(server, "three é")
            assert await stream.event() == server.journal.events()[2].to_json()
            stream.writer.close()

    run(scenario())


def test_only_the_last_events_come_first(run, serving):
    async def scenario():
        async with serving() as server:
            write(server, *map(str, range(module.PAST_EVENTS + 50)))
            stream = await Stream().open(server)
            assert (await stream.whats(module.PAST_EVENTS))[0] == "50"
            write(server, "live")
            assert await stream.whats(1) == ["live"]
            stream.writer.close()

    run(scenario())


@pytest.mark.parametrize(
    ("last", "first"),
    [("2", "three"), ("0", "one"), ("", "one"), ("nonsense", "one"), ("-1", "one"), ("²", "one"),
     ("3", "live"), ("4", "one"), ("9" * 15, "one"), ("9" * 5000, "one")],
)  # fmt: skip
def test_last_event_id_is_honoured(run, serving, last, first):
    async def scenario():
        async with serving() as server:
            write(server, "one", "two", "three")
            stream = await Stream().open(server, Last_Event_ID=last)
            write(server, "live")
            assert await stream.whats(1) == [first]
            stream.writer.close()

    run(scenario())


def test_many_streams_and_many_threads_lose_nothing(run, serving):
    async def scenario():
        async with serving() as server:
            streams = [await Stream().open(server) for _ in range(3)]
            threads = [
                threading.Thread(target=write, args=(server, *(f"{n}-{m}" for m in range(50))))
                for n in range(4)
            ]
            for thread in threads:
                thread.start()
            numbers = [[(await stream.event())["number"] for _ in range(200)] for stream in streams]
            for thread in threads:
                thread.join()
            assert numbers == [list(range(1, 201))] * 3
            for stream in streams:
                stream.writer.close()

    run(scenario())


def test_an_idle_stream_sends_a_comment(run, serving, monkeypatch):
    monkeypatch.setattr(EventsHandler, "heartbeat", 0.01)

    async def scenario():
        async with serving() as server:
            stream = await Stream().open(server)
            assert [await stream.block() for _ in range(3)] == [": still here"] * 3
            write(server, "one")
            while (block := await stream.block()).startswith(":"):
                pass
            assert block.startswith("id: 1\n")
            stream.writer.close()

    run(scenario())


async def until(condition) -> None:
    """Give the loop its turns until a condition holds."""
    async with asyncio.timeout(patience(60)):
        while not condition():
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)


def test_a_client_that_disconnects_is_forgotten(run, serving):
    async def scenario():
        async with serving() as server:
            stays, goes = await Stream().open(server), await Stream().open(server)
            assert len(server.streams) == len(server.journal._subscribers) == 2
            goes.writer.close()
            await until(lambda: len(server.streams) == 1)
            assert len(server.journal._subscribers) == 1
            write(server, "one")
            assert await stays.whats(1) == ["one"]
            stays.writer.close()

    run(scenario())


def test_a_client_that_does_not_read_delays_no_other_client(run, serving):
    async def scenario():
        async with serving() as server:
            slow, quick = await Stream().open(server), await Stream().open(server)
            for number in range(300):
                write(server, "x" * 50_000)
                assert (await quick.event())["number"] == number + 1
            waiting = [stream.request.connection.stream._write_buffer for stream in server.streams]
            assert sum(map(len, waiting)) < 1_000_000, "of 15 MB hardly anything waits for it"
            slow.writer.transport.abort()
            await until(lambda: len(server.streams) == 1)
            quick.writer.close()

    run(scenario())


def test_a_client_that_never_reads_again_is_cut_off(run, serving, monkeypatch):
    monkeypatch.setattr(module, "READER_SECONDS", patience(2))

    async def scenario():
        async with serving() as server:
            slow, quick = await Stream().open(server), await Stream().open(server)
            for number in range(300):
                write(server, "x" * 50_000)
                assert (await quick.event())["number"] == number + 1
            await until(lambda: len(server.streams) == 1)
            write(server, "on it goes")
            assert await quick.whats(1) == ["on it goes"]
            quick.writer.close()
            slow.writer.transport.abort()

    run(scenario())


def test_one_stream_too_many(run, serving, fetch, monkeypatch):
    monkeypatch.setattr(module, "MAX_STREAMS", 2)

    async def scenario():
        async with serving() as server:
            first, second = await Stream().open(server), await Stream().open(server)
            refused = await fetch(server.url + "events")
            assert refused.error == (503, "too-many-connections")
            assert refused.headers["Retry-After"] == str(RETRY_SECONDS)
            first.writer.close()
            await until(lambda: len(server.streams) == 1)
            third = await Stream().open(server)
            write(server, "one")
            assert await second.whats(1) == await third.whats(1) == ["one"]
            for stream in (second, third):
                stream.writer.close()

    run(scenario())


def test_stop_ends_a_stream_after_its_last_events(run, serving):
    async def scenario():
        async with serving() as server:
            stream = await Stream().open(server)
            write(server, "the last words")
            await server.stop()
            assert await stream.whats(1) == ["the last words"]
            assert await stream.block() == ""
            assert server.journal._subscribers == [] and server.streams == set()
            stream.writer.close()
            write(server, "nobody listens")

    run(scenario())
