"""The other ends, played by the test: a WebSocket peer that says what the test tells it to say."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from ..run.ports import free_port


@asynccontextmanager
async def serve(routes):
    """Serve these routes at a free port of 127.0.0.1, and give the port."""
    server = HTTPServer(Application(routes, log_function=lambda handler: None))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


class Peer:
    """The other end of one WebSocket connection after the other."""

    def __init__(self):
        self.url = ""
        self.headers = []
        self.subprotocols = []
        self.socket = None
        self._frames = asyncio.Queue()
        self.gone = asyncio.Event()

    async def heard(self):
        """Return the next message that was said to us."""
        return json.loads(await self._frames.get())

    def silent(self):
        """Tell whether nothing has been said that was not heard."""
        return self._frames.empty()

    async def say(self, message):
        await self.socket.write_message(json.dumps(message))

    def hang_up(self):
        """Cut the connection, without a word."""
        self.socket.ws_connection.stream.close()


class _Socket(WebSocketHandler):
    def initialize(self, peer):
        self.peer = peer

    def select_subprotocol(self, subprotocols):
        self.peer.subprotocols = subprotocols
        return subprotocols[0] if subprotocols else None

    def open(self, *_):
        self.peer.socket = self
        self.peer.headers.append(self.request.headers)
        self.peer.gone.clear()

    def on_message(self, frame):
        self.peer._frames.put_nowait(frame)

    def on_close(self):
        self.peer.gone.set()


@asynccontextmanager
async def _peer():
    peer = Peer()
    async with serve([("/(session)?", _Socket, {"peer": peer})]) as port:
        peer.url = f"ws://127.0.0.1:{port}/"
        yield peer


@pytest.fixture
def peer():
    """``async with peer() as p``: a WebSocket server that the test speaks through."""
    return _peer


@pytest.fixture(name="serve")
def serve_fixture():
    """``async with serve(routes) as port``: an HTTP server."""
    return serve


@pytest.fixture
def unused_tcp_port():
    """A port of 127.0.0.1 at which nothing listens."""
    return free_port()
