"""One request under way: what libcurl is told of it, and what has come back so far."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import pycurl

from pushlab.appserver.delivery.response import Answer, read_answer
from pushlab.appserver.delivery.route import Route
from pushlab.appserver.delivery.sockets import SocketOpener

MAX_BODY = 65536
"""Bytes of an answer's body that are kept. Push services say what they have to say in 500."""


class Reply(asyncio.Future[Answer]):
    """What will have come back of one request. Who cancels it ends the request."""

    __slots__ = ("abandon",)

    def cancel(self, msg: str | None = None) -> bool:
        """Cancel the future, and with it the request, if that is still under way."""
        if not self.done():
            self.abandon()
        return super().cancel(msg)


@dataclass(eq=False)
class Transfer:
    """One request under way, and what has come back of it so far.

    Its libcurl handle is used again for the next request, and so is this object. libcurl hands over
    the head line by line: the lines are only put away, and read once the transfer has ended.
    """

    curl: pycurl.Curl
    route: Route | None
    opener: SocketOpener
    headers: dict[str, str] | None = None
    origin: str = ""
    reply: Reply | None = None
    head: list[bytes] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    def begin(
        self, loop: asyncio.AbstractEventLoop, abandon: Callable[["Transfer"], None]
    ) -> Reply:
        """Forget the last answer, and return the next; ``abandon`` ends the request before that."""
        self.head.clear()
        self.body.clear()
        self.reply = Reply(loop=loop)
        self.reply.abandon = partial(abandon, self)
        return self.reply

    def on_body(self, data: bytes) -> int:
        """Take a piece of the body; taking less than all of it ends the transfer."""
        taken = data[: MAX_BODY - len(self.body)]
        self.body += taken
        return len(taken)

    @property
    def multiplexes(self) -> bool | None:
        """Whether the answer came in HTTP/2, or None if none came."""
        return self.head[0].startswith(b"HTTP/2") if self.head else None

    def end(self, code: int = 0, message: str = "") -> None:
        """Tell whoever waits what came of it.

        A status stands once its head is complete, whatever happens to the body then: to send again
        what has been accepted would show the notification twice.
        """
        answer = read_answer(self.head, bytes(self.body))
        self.reply.set_result(answer or self.opener.fault(code, message))


def lines_of(headers: Mapping[str, str]) -> list[str]:
    """Return the lines of a request's head, as libcurl wants them.

    It adds headers of its own to a POST. A name without a value keeps it from that.

    >>> lines_of({"TTL": "60", "Content-Type": "application/octet-stream"})
    ['User-Agent: pushlab', 'TTL: 60', 'Content-Type: application/octet-stream', 'Expect:']
    """
    named = {"User-Agent": "pushlab"} | dict(headers)
    lines = [f"{name}: {value}" for name, value in named.items()]
    return lines + [f"{name}:" for name in ("Content-Type", "Expect") if name not in named]
