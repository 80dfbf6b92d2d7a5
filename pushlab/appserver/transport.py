"""One request carried to a push service: libcurl on asyncio.

libcurl opens the sockets, speaks TLS and HTTP/1.1 or HTTP/2, and keeps connections for the next
message. It does not wait: it says which sockets it wants to hear of and when it wants to be woken,
and the event loop sees to both. So one thread has hundreds of requests under way.

    send() ─ add_handle ─▶ CurlMulti ── "watch this socket" ──▶ loop.add_reader, add_writer
                              ▲     ╰── "wake me in 5 ms" ────▶ loop.call_later
                              ╰──────── socket_action() ◀─────── the loop, when it is time

An endpoint comes from a stranger, and so does every byte of the answer. Nothing is followed, no
proxy of the environment is used, certificates are checked, and time and size have an end.
"""

import asyncio
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field

import certifi
import pycurl

from pushlab.appserver.route import Route, route_of
from pushlab.errors import LabStopped
from pushlab.protocol.delivery import PushRequest

CONNECT_TIMEOUT = 10.0
"""Seconds until the connection stands, TLS included."""

TIMEOUT = 30.0
"""Seconds for the whole request."""

MAX_BODY = 65536
"""Bytes of an answer's body that are kept. Push services say what they have to say in 500."""


@dataclass(frozen=True, repr=False)
class PushResponse:
    """What a push service answered.

    ``headers``: (name, value) in the order they came, repeated ones too; ``body``: at most 64 KiB
    of it; ``reason``: the words after the status, which HTTP/2 does not have. Printed, it does not
    show their values: ``Location`` is a URL that only the sender may know.

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


@dataclass(frozen=True)
class NetworkFault:
    """No answer: libcurl's error ``code`` (CURLE_…), and its words for people."""

    code: int
    message: str = ""


Answer = PushResponse | NetworkFault


@dataclass(eq=False)
class Transfer:
    """One request under way, and what has come back of it so far."""

    done: "asyncio.Future[Answer]"
    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    complete: bool = False
    body: bytearray = field(default_factory=bytearray)

    def on_header(self, raw: bytes) -> None:
        """Take one line of the head."""
        line = raw.decode("latin-1").rstrip("\r\n")
        if self.complete:
            return  # A trailer, after the body. Nobody asked for one.
        if line.startswith("HTTP/"):
            # 100 Continue and its like have a head of their own, and only the last head counts.
            _, status, reason = [*line.split(" ", 2), "", ""][:3]
            self.status = int(status) if status.isdecimal() else 0
            self.reason, self.headers = reason, []
        elif line:
            name, _, value = line.partition(":")
            self.headers.append((name.strip(), value.strip()))
        else:
            self.complete = self.status >= 200

    def on_body(self, data: bytes) -> int:
        """Take a piece of the body; taking less than all of it ends the transfer."""
        taken = data[: MAX_BODY - len(self.body)]
        self.body += taken
        return len(taken)

    def answer(self, code: int = 0, message: str = "") -> Answer:
        """Return what came of it.

        A status stands once its head is complete, whatever happens to the body then: to send again
        what has been accepted would show the notification twice.
        """
        if self.complete:
            return PushResponse(self.status, tuple(self.headers), bytes(self.body), self.reason)
        return NetworkFault(code, message)


class CurlTransport:
    """Send requests from the event loop that runs, and keep connections for the next.

    ``connect_timeout`` and ``timeout`` are seconds; ``routes`` lead to the lab. After close() it can
    be used again. A selector event loop is needed: on Windows, ``asyncio.SelectorEventLoop``.
    """

    def __init__(
        self,
        connect_timeout: float = CONNECT_TIMEOUT,
        timeout: float = TIMEOUT,
        routes: Sequence[Route] = (),
    ):
        self._routes = tuple(routes)
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._multi: pycurl.CurlMulti | None = None
        self._loop: asyncio.AbstractEventLoop
        self._trusted_file: str
        self._transfers: dict[pycurl.Curl, Transfer] = {}
        self._idle: list[pycurl.Curl] = []
        self._watched: set[int] = set()
        self._timer: asyncio.Handle | None = None

    async def send(self, request: PushRequest) -> Answer:
        """Send one request and return the answer, or what kept it from coming.

        Raises LabStopped if the transport is closed meanwhile.
        """
        if self._multi is None:
            self._open()
        curl = self._idle.pop() if self._idle else pycurl.Curl()
        transfer = Transfer(self._loop.create_future())
        self._set_up(curl, request, transfer)
        self._transfers[curl] = transfer
        self._multi.add_handle(curl)
        try:
            return await transfer.done
        finally:
            # Still there: whoever waited was cancelled, and the request is not wanted any more. (A
            # handle may have another transfer by now: it was idle before this line was reached.)
            if self._transfers.get(curl) is transfer:
                del self._transfers[curl]
                self._multi.remove_handle(curl)
                curl.close()

    async def close(self) -> None:
        """End what is under way, close every connection and leave nothing in the loop."""
        if self._multi is None:
            return
        multi, self._multi = self._multi, None
        for curl, transfer in self._transfers.items():
            multi.remove_handle(curl)
            curl.close()
            if not transfer.done.done():
                transfer.done.set_exception(LabStopped("the application server stops"))
        self._transfers.clear()
        for curl in self._idle:
            curl.close()
        self._idle.clear()
        for fd in list(self._watched):
            self._forget(fd)
        multi.close()
        self._wake_in(-1)

    def _open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._trusted_file = trusted_file()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._wake_in)

    def _set_up(self, curl: pycurl.Curl, request: PushRequest, transfer: Transfer) -> None:
        headers = {"User-Agent": "pushlab"} | dict(request.headers)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        # libcurl adds headers of its own to a POST. A name without a value keeps it from that.
        lines += [f"{name}:" for name in ("Content-Type", "Expect") if name not in headers]
        for option, value in {
            pycurl.URL: request.url,
            pycurl.PATH_AS_IS: 1,  # An endpoint is used as the browser gave it.
            pycurl.POST: 1,
            pycurl.POSTFIELDS: request.body,
            pycurl.HTTPHEADER: lines,
            pycurl.HEADERFUNCTION: transfer.on_header,
            pycurl.WRITEFUNCTION: transfer.on_body,
            pycurl.CONNECTTIMEOUT_MS: int(self._connect_timeout * 1000),
            pycurl.TIMEOUT_MS: int(self._timeout * 1000),
            pycurl.NOSIGNAL: 1,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            # After a redirect a POST would be a GET of some other place, and a success of nothing.
            pycurl.FOLLOWLOCATION: 0,
            pycurl.NOPROXY: "*",
            pycurl.SSL_VERIFYPEER: 1,
            pycurl.SSL_VERIFYHOST: 2,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_2TLS,
            # The first request to a service opens a connection, and the others wait to see whether
            # they can share it: TLS says so at once. Without TLS they would wait for an answer.
            pycurl.PIPEWAIT: int(request.url.startswith("https:")),
            pycurl.CAINFO: self._trusted_file,
        }.items():
            curl.setopt(option, value)
        if route := route_of(request.url, self._routes):
            curl.setopt(pycurl.CONNECT_TO, [route.connect_to])
            curl.setopt(pycurl.CAINFO_BLOB, route.authority)

    # --- what libcurl asks of the loop ----------------------------------------------------------

    def _on_socket(self, event: int, fd: int, multi: pycurl.CurlMulti, data: object) -> None:
        # libcurl may close a socket and get the same number for the next. Whatever was watched
        # under it is forgotten first: epoll has already lost it.
        self._forget(fd)
        if self._multi is None:
            return  # A connection that takes its leave while all is closed: nobody waits for it.
        if event in (pycurl.POLL_IN, pycurl.POLL_INOUT):
            self._loop.add_reader(fd, self._act, fd, pycurl.CSELECT_IN)
            self._watched.add(fd)
        if event in (pycurl.POLL_OUT, pycurl.POLL_INOUT):
            self._loop.add_writer(fd, self._act, fd, pycurl.CSELECT_OUT)
            self._watched.add(fd)

    def _forget(self, fd: int) -> None:
        if fd in self._watched:
            self._watched.remove(fd)
            self._loop.remove_reader(fd)
            self._loop.remove_writer(fd)

    def _wake_in(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if milliseconds >= 0:
            # Never at once, even for 0: libcurl asks from within a call that has not returned.
            self._timer = self._loop.call_later(milliseconds / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._act(pycurl.SOCKET_TIMEOUT, 0)
        # The loop's clock may be a hair ahead of libcurl's. Then nothing was due yet, and libcurl,
        # for which nothing has changed, does not ask again.
        if self._multi is not None and self._timer is None:
            self._wake_in(self._multi.timeout())

    def _act(self, fd: int, events: int) -> None:
        if self._multi is None:
            return
        self._multi.socket_action(fd, events)
        left = 1
        while left:
            left, finished, failed = self._multi.info_read()
            for curl in finished:
                self._finish(curl)
            for curl, code, message in failed:
                self._finish(curl, code, message)

    def _finish(self, curl: pycurl.Curl, code: int = 0, message: str = "") -> None:
        self._multi.remove_handle(curl)
        transfer = self._transfers.pop(curl)
        curl.reset()  # It forgets the endpoint, the token and the transfer; the connection stays.
        self._idle.append(curl)
        if not transfer.done.done():
            transfer.done.set_result(transfer.answer(code, message))


def trusted_file() -> str:
    """Return the file of certificate authorities that are believed.

    SSL_CERT_FILE if it is set, else what this Python's ssl module believes, else certifi's. libcurl
    inside a wheel would look where its builder's system had them.
    """
    return (
        os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or certifi.where()
    )
