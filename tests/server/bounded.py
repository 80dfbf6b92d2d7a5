"""A server with limits, and a client that sends byte by byte."""

import asyncio
import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

from tornado.web import Application

from pushlab.server import connections, limits
from pushlab.server.connections import ConnectionCounter
from pushlab.server.http import StreamedBody, listen
from pushlab.server.limits import BoundedHTTPServer

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Echo(StreamedBody):
    """Answer with the length of the body, after ``pause`` seconds."""

    pause = 0.0

    def get(self) -> None:
        self.finish({"length": self.length})

    async def post(self) -> None:
        await asyncio.sleep(self.pause)
        self.get()


@asynccontextmanager
async def opened(handlers=(), **options):
    """Start a server; yield its port, and how many connections it counts."""
    application = Application([("/", Echo), *handlers], log_function=lambda handler: None)
    server = BoundedHTTPServer(application, **options)
    listener = listen(0, "127.0.0.1")
    server.add_socket(listener)
    counted = lambda: limits.CONNECTIONS._taken.get(server, 0)
    port, clients = listener.getsockname()[1], []
    try:
        yield SimpleNamespace(port=port, counted=counted, server=server, clients=clients)
    finally:
        for client in clients:
            await client.close()
        server.stop()
        await server.close_all_connections()
        assert counted() == 0, "a connection that has ended is still counted"


class Client:
    """A connection, byte by byte."""

    @classmethod
    async def connect(cls, bounded, sent: bytes = b"", **options) -> "Client":
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", bounded.port, **options)
        self.writer.write(sent)
        bounded.clients.append(self)
        return self

    async def close(self) -> None:
        self.writer.transport.abort()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return  # The server had cut the connection before.

    async def response(self) -> tuple[int, dict, dict]:
        """Return status, headers and JSON of the next response."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split(" ")[1]), headers, json.loads(body)

    async def error(self) -> tuple[int, str]:
        """Return status and id of an error, after which the connection must end."""
        status, headers, body = await self.response()
        assert body["error"]["message"] and headers["content-type"].startswith("application/json")
        # A reset would raise an error here: on some systems it takes the response with it.
        assert await self.reader.read() == b""
        return status, body["error"]["id"]

    async def rest(self) -> bytes:
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def assert_serves(bounded, **options) -> None:
    """Assert that a correct request gets a response."""
    client = await Client.connect(bounded, GET, **options)
    assert (await client.response())[0] == 200
    await client.close()


def allow(monkeypatch, count: int) -> None:
    """Let one server have ``count`` connections."""
    monkeypatch.setattr(limits, "CONNECTIONS", ConnectionCounter(lambda: 100))
    monkeypatch.setattr(connections, "MAX_SHARE", count / 100)
