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
import ssl
from collections.abc import Sequence
from itertools import chain

import certifi
import pycurl

from pushlab.appserver.delivery.egress import Reach
from pushlab.appserver.delivery.response import STOPPED, Answer
from pushlab.appserver.delivery.route import Route, route_of
from pushlab.appserver.delivery.slots import Slots
from pushlab.appserver.delivery.sockets import SocketOpener
from pushlab.appserver.delivery.transfer import Transfer, lines_of
from pushlab.errors import LabStopped
from pushlab.server.limits import max_outgoing
from pushlab.protocol.delivery import PushRequest

CONNECT_TIMEOUT = 10.0
"""Seconds until the connection stands, TLS included."""

TIMEOUT = 30.0
"""Seconds for the whole request."""

MAX_STREAMS = 1000
"""Requests that share a connection of HTTP/2. Push services set limits of their own, about 100."""


class CurlTransport:
    """Send requests from the event loop that runs, and keep connections for the next.

    ``connect_timeout`` and ``timeout`` are seconds; ``routes`` lead to the lab; ``reach`` knows which
    addresses are allowed; ``connections`` is how many there may be at one time to all push services
    together, of which one that speaks HTTP/1.1 may have half. After close() nothing is sent any
    more. A selector event loop is needed: on Windows, ``asyncio.SelectorEventLoop``.
    """

    def __init__(
        self,
        connect_timeout: float = CONNECT_TIMEOUT,
        timeout: float = TIMEOUT,
        routes: Sequence[Route] = (),
        reach: Reach | None = None,
        connections: int | None = None,
    ):
        self._connections = connections
        self._closed = False
        self._routes = tuple(routes)
        self._reach = reach or Reach()
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._multi: pycurl.CurlMulti | None = None
        self._loop: asyncio.AbstractEventLoop
        self._trusted_file: str
        self._slots: Slots[Transfer]
        self._transfers: dict[pycurl.Curl, Transfer] = {}
        self._idle: dict[Route | None, list[Transfer]] = {}
        self._watched: set[int] = set()
        self._timer: asyncio.Handle | None = None

    def send(self, request: PushRequest) -> asyncio.Future[Answer]:
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
        route = route_of(request.url, self._routes)
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

    def _new_transfer(self, route: Route | None) -> Transfer:
        curl = pycurl.Curl()
        transfer = Transfer(curl, route, SocketOpener(self._reach, route))
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


def trusted_file() -> str:
    """Return the file of certificate authorities that are believed.

    SSL_CERT_FILE if it is set, else what this Python's ssl module believes, else certifi's. libcurl
    inside a wheel would look where its builder's system had them.
    """
    return (
        os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or certifi.where()
    )
