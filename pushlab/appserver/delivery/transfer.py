"""One request under way: the future of its response, the sockets it may open, and what has come.

An endpoint comes from a stranger, and so does every byte of the response. So the response is limited
here, and each new socket leads to an address that ``egress`` allows.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pycurl

from pushlab.appserver.delivery.callbacks import contain, sending_error
from pushlab.appserver.delivery.egress import ConnectOverride, EgressPolicy
from pushlab.appserver.delivery.response import (
    MAX_HEAD_LINES,
    NO_SOCKET,
    NO_SOCKET_ERRORS,
    NetworkFault,
    Response,
    read_response,
)
from pushlab.errors import BadResponse

MAX_BODY = 65536
"""Bytes of a response's body that are kept. What push services write there fits into 500."""


class ResponseFuture(asyncio.Future[Response]):
    """The future of one response. Cancelling it calls ``end_request()``, if that is still under way."""

    __slots__ = ("end_request",)

    end_request: Callable[[], None]

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the future and end the request."""
        if not self.done():
            self.end_request()
        return super().cancel(msg)


class SocketOpener:
    """Open sockets for one libcurl handle, as its CURLOPT_OPENSOCKETFUNCTION.

    libcurl asks after resolution, for each address and each time, so a name that has been given
    another address meanwhile is judged again. A connection that is kept open leads to where it led
    when it was opened. With an ``override`` there is one allowed address, and nothing is resolved;
    else ``egress`` judges.
    """

    def __init__(self, egress: EgressPolicy, override: ConnectOverride | None):
        self._egress, self._override = egress, override
        self._url, self._refused, self._exhausted = "", False, False

    def begin(self, url: str) -> None:
        """Set the URL of the next request."""
        self._url, self._refused, self._exhausted = url, False, False

    def open(self, purpose: int, address: tuple) -> int:
        """Return the number of a new socket, or SOCKET_BAD."""
        family, kind, protocol, where = address
        if self._override:
            host = self._override.host
            allowed = self._override.connect_to == f"{host}:443:{where[0]}:{where[1]}"
        else:
            allowed = self._egress.permits(self._url, where[0])
        if not allowed:
            self._refused = True
            return pycurl.SOCKET_BAD
        try:
            return socket.socket(family, kind, protocol).detach()
        except OSError as error:  # libcurl would print the exception, and go on.
            self._exhausted = error.errno in NO_SOCKET_ERRORS
            return pycurl.SOCKET_BAD

    def fault(self, code: int, message: str) -> NetworkFault:
        """Return libcurl's error, unless there was no socket because of what happened here.

        libcurl reports then that nobody listens. After a refused address that would be tried again,
        and its message holds the address; and where this machine opens no more sockets, it would be
        said of the push service.
        """
        if code == pycurl.E_COULDNT_CONNECT:
            if self._refused:
                return NetworkFault(pycurl.E_ABORTED_BY_CALLBACK)
            if self._exhausted:
                return NO_SOCKET
        return NetworkFault(code, message)


@dataclass(eq=False)
class Transfer:
    """One request under way, and the part of its response that has come so far.

    Its libcurl handle is used again for the next request, and so is this object. libcurl hands over
    the head line by line: the lines are only collected, and read once the transfer has ended.
    """

    curl: pycurl.Curl
    override: ConnectOverride | None
    opener: SocketOpener
    headers: dict[str, str] | None = field(default=None, repr=False)
    origin: str = ""
    response: ResponseFuture = field(init=False, repr=False)
    head: list[bytes] = field(default_factory=list, repr=False)
    body: bytearray = field(default_factory=bytearray, repr=False)
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.finish = contain(self.end, self.end_with, None)

    def begin(
        self, loop: asyncio.AbstractEventLoop, abandon: Callable[["Transfer"], None]
    ) -> ResponseFuture:
        """Return the future of the next response; ``abandon`` ends the request."""
        self.response = ResponseFuture(loop=loop)
        self.response.end_request = partial(abandon, self)
        return self.response

    def on_head(self, line: bytes) -> int:
        """Take a line of a head or of trailers: libcurl bounds their bytes, to 300 KiB in all.

        Raises BadResponse for a line beyond MAX_HEAD_LINES.
        """
        if len(self.head) == MAX_HEAD_LINES:
            raise BadResponse(f"the answer has more than {MAX_HEAD_LINES} lines")
        self.head.append(line)
        return len(line)

    def on_body(self, data: bytes) -> int:
        """Take a piece of the body. Taking less than all of it ends the transfer."""
        taken = data[: MAX_BODY - len(self.body)]
        self.body += taken
        return len(taken)

    def fail(self, error: Exception) -> None:
        """Note what one of libcurl's calls has raised. libcurl ends the transfer by itself."""
        self.error = self.error or error

    @property
    def multiplexes(self) -> bool | None:
        """Whether the response came in HTTP/2, or None if none came."""
        return self.head[0].startswith(b"HTTP/2") if self.head else None

    def end(self, code: int = 0, message: str = "") -> None:
        """Give the future its result: the response, or libcurl's error ``code``.

        A status counts once its head is complete, whatever happens to the body then: sending an
        accepted message again would show its notification twice.
        """
        response = read_response(self.head, bytes(self.body))
        if response is None and self.error:
            raise self.error
        self.response.set_result(response or self.opener.fault(code, message))

    def end_with(self, error: Exception) -> None:
        """Give the future an error, unless it has its result."""
        if not self.response.done():
            self.response.set_exception(sending_error(error))

    def clear(self) -> None:
        """Forget the response, which may be large, and get ready for the next request."""
        self.head.clear()
        self.body.clear()
        self.error = None
