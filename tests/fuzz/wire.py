"""A request without a socket: it is handed to the application where Tornado would hand it over."""

import asyncio
import json
from functools import cache
from types import SimpleNamespace

import examples
from tornado.httputil import HTTPConnection, HTTPHeaders, RequestStartLine
from tornado.web import Application


@cache
def loop() -> asyncio.AbstractEventLoop:
    """Return the loop in which the servers live, until the process ends."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    return made


def clock() -> float:
    return examples.NOW


class Wire(HTTPConnection):
    """Tornado's side of a connection, which keeps what is written."""

    def __init__(self):
        self.context = SimpleNamespace(remote_ip="127.0.0.1", protocol="http")
        self.status, self.headers, self.body = 0, HTTPHeaders(), b""
        self.finished = loop().create_future()

    def set_close_callback(self, callback) -> None:
        """Nobody hangs up here."""

    def set_max_body_size(self, size: int) -> None:
        """The body is as long as the input is."""

    def set_body_timeout(self, timeout: float | None) -> None:
        """The whole body is here already."""

    def write_headers(self, start_line, headers, chunk=None):
        self.status, self.headers = start_line.code, headers
        return self.write(chunk or b"")

    def write(self, chunk):
        self.body += chunk
        done = loop().create_future()
        done.set_result(None)
        return done

    def finish(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)


async def ask(application: Application, method: str, path: str, headers: HTTPHeaders, body: bytes):
    """Hand one request to an application and return the Wire with its answer."""
    wire = Wire()
    delegate = application.start_request(object(), wire)
    line = RequestStartLine(method, path, "HTTP/1.1")
    if (ready := delegate.headers_received(line, headers)) is not None:
        await ready
    if body and not wire.finished.done():
        if (taken := delegate.data_received(body)) is not None:
            await taken
    if not wire.finished.done():
        delegate.finish()
    await wire.finished
    return wire


def check(wire: Wire, documented: set[int]) -> None:
    """Assert what every client may rely on."""
    assert wire.status in documented, f"status {wire.status}: {wire.body[:300]!r}"
    if wire.status >= 400:
        error = json.loads(wire.body)["error"]
        assert error["id"] and error["message"]
