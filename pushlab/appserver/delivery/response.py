"""What a request to a push service ends with: its response, or the fault that kept one from coming."""

import asyncio
import errno
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from pushlab.errors import BadResponse

STOPPED = "the application server stops"
"""The text of LabStopped where a request was ended, or not begun, because the server stops."""

MAX_HEAD_LINES = 256
"""Lines of the heads of one response, the interim ones (1xx) included. Push services send about ten."""

# https://www.rfc-editor.org/rfc/rfc9112#section-4 and, as libcurl writes it, HTTP/2
STATUS_LINE = re.compile(r"HTTP/[0-9](?:\.[0-9])? ([0-9]{3})(?: (.*))?")


@dataclass(frozen=True, repr=False, slots=True)
class PushResponse:
    """A push service's response.

    ``headers``: (name, value) in the order they came, repeated ones too; ``body``: at most 64 KiB
    of it; ``reason``: the words after the status, which HTTP/2 does not have. Printed, it shows the
    names of its headers without their values: ``Location`` is a URL that only the sender may know.

    >>> PushResponse(201, (("TTL", "60"),)).header("ttl")
    '60'
    >>> PushResponse(201, (("TTL", "60"),), reason="Created")
    <PushResponse 201 Created, headers: TTL, 0 bytes of body>
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    reason: str = ""

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self.headers) or "none"
        status = f"{self.status} {self.reason}".strip()
        return f"<PushResponse {status}, headers: {names}, {len(self.body)} bytes of body>"

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        return next(iter(self.header_list(name)), None)

    def header_list(self, name: str) -> list[str]:
        """Return every value of a header, in the order they came."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def text(self) -> str:
        """Return the body as text, without a byte order mark; U+FFFD stands for what is not UTF-8.

        >>> PushResponse(403, body=b"BadJwtToken").text()
        'BadJwtToken'
        """
        return self.body.decode("utf-8-sig", "replace")

    def json(self) -> object:
        """Return the value of a body that is JSON, or None.

        >>> PushResponse(403, body=b'{"reason": "BadJwtToken"}').json()
        {'reason': 'BadJwtToken'}
        >>> PushResponse(403, body=b"BadJwtToken").json()
        """
        return _json_of(self.body)


@lru_cache(maxsize=8)  # A refusal is asked for it several times.
def _json_of(body: bytes) -> object:
    try:
        value: object = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
    return value


@dataclass(frozen=True)
class NetworkFault:
    """The reason why no response came: libcurl's error ``code`` (CURLE_…), and its own ``message``."""

    code: int
    message: str = ""


NO_SOCKET = NetworkFault(2)
"""The fault of a machine that opens no more sockets: CURLE_FAILED_INIT, which means resources too."""

NO_SOCKET_ERRORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
"""What the operating system says then."""

Response: TypeAlias = PushResponse | NetworkFault


def read_response(head: Iterable[bytes], body: bytes = b"") -> PushResponse | None:
    """Return the response that these lines begin, or None if its head is not complete.

    ``head``: the lines as they came, each with its end. Lines after the empty one are trailers, which
    come after the body; they are ignored. Raises BadResponse if a head does not begin with a status
    line.

    >>> read_response([b"HTTP/1.1 201 Created\\r\\n", b"TTL: 60\\r\\n", b"\\r\\n"])
    <PushResponse 201 Created, headers: TTL, 0 bytes of body>
    >>> read_response([b"HTTP/1.1 201 Created\\r\\n", b"TTL: 60\\r\\n"])
    """
    status: int | None = None
    headers: list[tuple[str, str]] = []
    for line in b"".join(head).replace(b"\r\n", b"\n").decode("latin-1").split("\n")[:-1]:
        if status is None:
            found = STATUS_LINE.fullmatch(line)
            if found is None:
                raise BadResponse("the answer does not begin with a status line")
            status, reason, headers = int(found[1]), found[2] or "", []
        elif line:
            name, _, value = line.partition(":")
            headers.append((name.strip(), value.strip()))
        elif 100 <= status < 200:
            status = None  # 103 Early Hints and its like: another head follows, and the last counts.
        else:
            return PushResponse(status, tuple(headers), body, reason)
    return None


def failed(error: Exception) -> asyncio.Future[Response]:
    """Return a future that has this error already: the request was not begun."""
    future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future
