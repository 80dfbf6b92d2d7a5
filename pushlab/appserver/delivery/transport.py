"""One request carried to a push service: libcurl on asyncio.

libcurl opens the sockets, speaks TLS and HTTP/1.1 or HTTP/2, and keeps connections for the next
message. It does not wait: it says which sockets it wants to hear of and when it wants to be woken,
and the event loop sees to both. So one thread has hundreds of requests under way.

    send() ─ add_handle ─▶ CurlMulti ── "watch this socket" ──▶ loop.add_reader, add_writer
                              ▲     ╰── "wake me in 5 ms" ────▶ loop.call_later
                              ╰──────── socket_action() ◀─────── the loop, when it is time

An endpoint comes from a stranger, and so does every byte of the answer. Only public addresses are
connected to (see ``addresses``), nothing is followed, no proxy of the environment is used,
certificates are checked, and time and size have an end.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import certifi
import pycurl

from pushlab.appserver.delivery.egress import ConnectOverride, EgressPolicy, override_for
from pushlab.appserver.delivery.response import STOPPED, NetworkFault, Response, read_response
from pushlab.appserver.delivery.slots import Slots
from pushlab.errors import LabStopped
from pushlab.protocol.delivery import PushRequest
from pushlab.server.limits import max_outgoing

CONNECT_TIMEOUT = 10.0
"""Seconds until the connection stands, TLS included."""

TIMEOUT = 30.0
"""Seconds for the whole request."""

MAX_STREAMS = 1000
"""Requests that share a connection of HTTP/2. Push services set limits of their own, about 100."""

MAX_BODY = 65536
"""Bytes of an answer's body that are kept. Push services say what they have to say in 500."""


class Reply(asyncio.Future[Response]):
    """What will have come back of one request. Who cancels it ends the request."""

    __slots__ = ("abandon",)

    def cancel(self, msg: str | None = None) -> bool:
        """Cancel the future, and with it the request, if that is still under way."""
        if not self.done():
            self.abandon()
        return super().cancel(msg)


class SocketOpener:
    """Open sockets for one libcurl handle, as its CURLOPT_OPENSOCKETFUNCTION.

    ``egress`` knows the allowed addresses. On a ``route`` there is one, and nothing is resolved.
    """

    def __init__(self, egress: EgressPolicy, route: ConnectOverride | None):
        self._egress, self._route = egress, route
        self._url, self._refused = "", False

    def begin(self, url: str) -> None:
        """Expect to be asked for the request to this URL."""
        self._url, self._refused = url, False

    def open(self, purpose: int, address: tuple) -> int:
        """Return the number of a new socket, or SOCKET_BAD."""
        family, kind, protocol, where = address
        if self._route:
            host = self._route.host
            allowed = self._route.connect_to == f"{host}:443:{where[0]}:{where[1]}"
        else:
            allowed = self._egress.permits(self._url, where[0])
        if not allowed:
            self._refused = True
            return pycurl.SOCKET_BAD
        try:
            return socket.socket(family, kind, protocol).detach()
        except OSError:  # Too many are open. What is raised here would be printed, and lost.
            return pycurl.SOCKET_BAD

    def fault(self, code: int, message: str) -> NetworkFault:
        """Return what libcurl says, but for what was refused here.

        Of that it says that nobody listens, which would be tried again, and it tells the address.
        """
        if self._refused and code == pycurl.E_COULDNT_CONNECT:
            return NetworkFault(pycurl.E_ABORTED_BY_CALLBACK)
        return NetworkFault(code, message)


@dataclass(eq=False)
class Transfer:
    """One request under way, and what has come back of it so far.

    Its libcurl handle is used again for the next request, and so is this object. libcurl hands over
    the head line by line: the lines are only put away, and read once the transfer has ended.
    """

    curl: pycurl.Curl
    route: ConnectOverride | None
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
        answer = read_response(self.head, bytes(self.body))
        self.reply.set_result(answer or self.opener.fault(code, message))


class CurlTransport:
    """Send requests from the event loop that runs, and keep connections for the next.

    ``connect_timeout`` and ``timeout`` are seconds; ``overrides`` lead to the lab; ``egress`` knows which
    addresses are allowed; ``connections`` is how many there may be at one time to all push services
    together, of which one that speaks HTTP/1.1 may have half. After close() nothing is sent any
    more. A selector event loop is needed: on Windows, ``asyncio.SelectorEventLoop``.
    """

    def __init__(
        self,
        connect_timeout: float = CONNECT_TIMEOUT,
        timeout: float = TIMEOUT,
        overrides: Sequence[ConnectOverride] = (),
        egress: EgressPolicy | None = None,
        connections: int | None = None,
    ):
        self._connections = connections
        self._closed = False
        self._connect_overrides = tuple(overrides)
        self._egress = egress or EgressPolicy()
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._multi: pycurl.CurlMulti | None = None
        self._loop: asyncio.AbstractEventLoop
        self._trusted_file: str
        self._slots: Slots[Transfer]
        self._transfers: dict[pycurl.Curl, Transfer] = {}
        self._idle: dict[ConnectOverride | None, list[Transfer]] = {}
        self._watched: set[int] = set()
        self._timer: asyncio.Handle | None = None

    def send(self, request: PushRequest) -> asyncio.Future[Response]:
        """Begin to send one request, and return the future of what comes back: await it.

        Raises LabStopped, from the future, if the transport is closed or is closed meanwhile. Who
        cancels the future ends the request.
        """
        if self._closed:
            refused = asyncio.get_running_loop().create_future()
            refused.set_exception(LabStopped(STOPPED))
            return refused
        if self._multi is None:
            self._open()
        transfer = self._transfer_for(request)
        reply = transfer.begin(self._loop, self._abandon)
        if self._slots.take(transfer.origin, transfer):
            self._begin(transfer)
        return reply

    async def close(self) -> None:
        """End what is under way, close every connection and leave nothing in the loop."""
        self._closed = True
        if self._multi is None:
            return
        multi, self._multi = self._multi, None
        for curl in self._transfers:
            multi.remove_handle(curl)
        for transfer in [*self._transfers.values(), *self._slots.leave_all()]:
            transfer.curl.close()
            transfer.reply.set_exception(LabStopped(STOPPED))
        self._transfers.clear()
        for transfer in chain.from_iterable(self._idle.values()):
            transfer.curl.close()
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
        # As many streams share a connection as the push service allows. HTTP/1.1 has connections
        # instead: with more requests than there are slots for connections, a request waits its turn.
        self._multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, MAX_STREAMS)
        total = max_outgoing() if self._connections is None else self._connections
        self._slots = Slots(total, each=max(1, total // 2))
        # Connections that are kept for later count too: libcurl closes the oldest to make room.
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, total)

    def _begin(self, transfer: Transfer) -> None:
        self._transfers[transfer.curl] = transfer
        self._multi.add_handle(transfer.curl)

    def _transfer_for(self, request: PushRequest) -> Transfer:
        """Take an idle handle, or make one, and tell it what is different in this request."""
        route = override_for(request.url, self._connect_overrides)
        idle = self._idle.setdefault(route, [])
        transfer = idle.pop() if idle else self._new_transfer(route)
        setopt = transfer.curl.setopt
        setopt(pycurl.URL, request.url)
        transfer.origin = request.url[: request.url.find("/", len("https://"))]
        transfer.opener.begin(request.url)
        setopt(pycurl.POSTFIELDS, request.body)
        if request.headers != transfer.headers:  # Most messages of a notify-all have the same.
            setopt(pycurl.HTTPHEADER, lines_of(request.headers))
            transfer.headers = dict(request.headers)
        # The first request to a service opens a connection, and the others wait to see whether
        # they can share it: TLS says so at once. Without TLS they would wait for an answer.
        setopt(pycurl.PIPEWAIT, int(request.url.startswith("https:")))
        return transfer

    def _new_transfer(self, route: ConnectOverride | None) -> Transfer:
        curl = pycurl.Curl()
        transfer = Transfer(curl, route, SocketOpener(self._egress, route))
        for option, value in {
            pycurl.PATH_AS_IS: 1,  # An endpoint is used as the browser gave it.
            pycurl.POST: 1,
            pycurl.HEADERFUNCTION: transfer.head.append,
            pycurl.WRITEFUNCTION: transfer.on_body,
            pycurl.CONNECTTIMEOUT_MS: int(self._connect_timeout * 1000),
            pycurl.TIMEOUT_MS: int(self._timeout * 1000),
            pycurl.NOSIGNAL: 1,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            # After a redirect a POST would be a GET of some other place, and a success of nothing.
            pycurl.FOLLOWLOCATION: 0,
            pycurl.NOPROXY: "*",
            pycurl.OPENSOCKETFUNCTION: transfer.opener.open,
            pycurl.SSL_VERIFYPEER: 1,
            pycurl.SSL_VERIFYHOST: 2,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_2TLS,
            pycurl.CAINFO: self._trusted_file,
        }.items():
            curl.setopt(option, value)
        if route:
            curl.setopt(pycurl.CONNECT_TO, [route.connect_to])
            curl.setopt(pycurl.CAINFO_BLOB, route.authority)
        return transfer

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
            if milliseconds == 0 and not isinstance(self._timer, asyncio.TimerHandle):
                return  # It is woken soon anyway. To be asked again must not put that off.
            self._timer.cancel()
            self._timer = None
        # Never at once, even for 0: libcurl asks from within a call that has not returned.
        if milliseconds == 0:
            self._timer = self._loop.call_soon(self._on_timer)
        elif milliseconds > 0:
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

    def _abandon(self, transfer: Transfer) -> None:
        """End a request that is not wanted any more, whether it is under way or waits for a slot."""
        if self._transfers.pop(transfer.curl, None) is None:
            self._slots.leave(transfer.origin, transfer)
        else:
            self._multi.remove_handle(transfer.curl)
            self._begin_others(transfer)
        transfer.curl.close()

    def _finish(self, curl: pycurl.Curl, code: int = 0, message: str = "") -> None:
        self._multi.remove_handle(curl)
        transfer = self._transfers.pop(curl)
        self._begin_others(transfer)
        self._idle[transfer.route].append(transfer)
        transfer.end(code, message)

    def _begin_others(self, ended: Transfer) -> None:
        for transfer in self._slots.give_back(ended.origin, ended.multiplexes):
            self._begin(transfer)


def lines_of(headers: Mapping[str, str]) -> list[str]:
    """Return the lines of a request's head, as libcurl wants them.

    It adds headers of its own to a POST. A name without a value keeps it from that.

    >>> lines_of({"TTL": "60", "Content-Type": "application/octet-stream"})
    ['User-Agent: pushlab', 'TTL: 60', 'Content-Type: application/octet-stream', 'Expect:']
    """
    named = {"User-Agent": "pushlab"} | dict(headers)
    lines = [f"{name}: {value}" for name, value in named.items()]
    return lines + [f"{name}:" for name in ("Content-Type", "Expect") if name not in named]


def trusted_file() -> str:
    """Return the file of certificate authorities that are believed.

    SSL_CERT_FILE if it is set, else what this Python's ssl module believes, else certifi's. libcurl
    inside a wheel would look where its builder's system had them.
    """
    return (
        os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or certifi.where()
    )
