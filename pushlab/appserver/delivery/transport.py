"""Send one request to a push service: libcurl on asyncio.

libcurl opens the sockets, speaks TLS and HTTP/1.1 or HTTP/2, and keeps connections for the next
message. It never blocks: it names the sockets it wants to be told about and the time when it wants
to be called, and the event loop does both. So one thread has hundreds of requests under way.

    send() ─ add_handle ─▶ CurlMulti ── "watch this socket" ──▶ loop.add_reader, add_writer
                              ▲     ╰── "wake me in 5 ms" ────▶ loop.call_later
                              ╰──────── socket_action() ◀─────── the loop, when it is time

An endpoint comes from a stranger, and so does every byte of the response. So a request connects to
public addresses only (see ``egress``), follows no redirect, uses no proxy of the environment, checks
the certificate, and is limited in time and size.

The parts of one request are in ``transfer``: its ResponseFuture, which the caller awaits; its Transfer,
which collects the response; and its SocketOpener, which libcurl asks for each new socket.

Whatever libcurl and the loop call here is passed through ``contain()``: what it raises is the outcome
of its own request, or of all that are under way if it concerns no single one.
"""

import asyncio
import os
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

import certifi
import pycurl

from pushlab.appserver.delivery.callbacks import contain, sending_error
from pushlab.appserver.delivery.egress import ConnectOverride, EgressPolicy
from pushlab.appserver.delivery.response import STOPPED, Response, failed
from pushlab.appserver.delivery.slots import Slots
from pushlab.appserver.delivery.transfer import SocketOpener, Transfer
from pushlab.errors import LabStopped
from pushlab.protocol.delivery import PushRequest
from pushlab.server.connections import max_outgoing

CONNECT_TIMEOUT = 10.0
"""Seconds to open a connection, TLS included."""

TIMEOUT = 30.0
"""Seconds for the whole request."""

CLOSE_SECONDS = 1.0
"""Seconds that close() waits for libcurl to end."""

MAX_STREAMS = 1000
"""Requests that may share an HTTP/2 connection. Push services set limits of their own, about 100."""


class CurlTransport:
    """Send requests from the running event loop, and keep connections for later ones.

    ``connect_timeout`` and ``timeout`` are seconds; ``egress`` says which addresses are allowed;
    ``connections`` is how many there may be at one time to all push services together, half of them
    to one that speaks HTTP/1.1. After close() nothing is sent any more. It needs a selector event
    loop: on Windows, ``asyncio.SelectorEventLoop``.
    """

    def __init__(
        self,
        connect_timeout: float = CONNECT_TIMEOUT,
        timeout: float = TIMEOUT,
        egress: EgressPolicy | None = None,
        connections: int | None = None,
    ):
        self._connections = connections
        self._closed = False
        self._egress = egress or EgressPolicy()
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._multi: Any = None  # a pycurl.CurlMulti, from the first request on
        self._loop: asyncio.AbstractEventLoop
        self._trusted_file: str
        self._slots: Slots[Transfer]
        self._transfers: dict[pycurl.Curl, Transfer] = {}
        self._idle: dict[ConnectOverride | None, list[Transfer]] = {}
        self._watched: set[int] = set()
        self._timer: asyncio.Handle | None = None

    def send(
        self, request: PushRequest, override: ConnectOverride | None = None
    ) -> asyncio.Future[Response]:
        """Begin to send one request, and return the future of its response.

        ``override``: where to connect to in place of the URL's host. Cancelling the future ends the
        request. The future raises LabStopped if the transport is closed, or is closed meanwhile.
        """
        if self._closed:
            return failed(LabStopped(STOPPED))
        try:
            if self._multi is None:
                self._open()
            transfer = self._transfer_for(request, override)
            response = transfer.begin(self._loop, self._abandon)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is the outcome of this message
            return failed(sending_error(error))
        if self._slots.take(transfer.origin, transfer):
            self._begin(transfer)
        return response

    async def close(self) -> None:
        """End every request, close every connection and leave nothing in the event loop."""
        self._closed = True
        if self._multi is not None:
            closing = self._end_all(self._multi, LabStopped(STOPPED))
            await asyncio.to_thread(closing.join, CLOSE_SECONDS)

    def _end_all(self, multi: pycurl.CurlMulti, error: Exception) -> threading.Thread:
        """End every request with an error, and close libcurl; the next request opens it again.

        libcurl does not end while it resolves a name, and the owner of a name may let it wait long.
        So it is closed in a thread, which is returned, and which Python's end does not wait for.
        """
        closing = threading.Thread(target=multi.close, name="libcurl", daemon=True)
        self._multi = None
        for curl in self._transfers:
            with suppress(pycurl.error):  # One that could not be added cannot be removed.
                multi.remove_handle(curl)
        for transfer in [*self._transfers.values(), *self._slots.withdraw_all()]:
            transfer.curl.close()
            transfer.end_with(error)
        self._transfers.clear()
        for transfer in chain.from_iterable(self._idle.values()):
            transfer.curl.close()
        self._idle.clear()
        for fd in list(self._watched):
            self._forget(fd)
        self._cancel_timer()
        closing.start()
        return closing

    def _fail_all(self, error: Exception) -> None:
        """End every request soon: an error of the event loop concerns all of them."""
        # Not at once: libcurl may be in the middle of a call, and must not be closed within it.
        self._loop.call_soon(self._reset, self._multi, error)

    def _reset(self, multi: pycurl.CurlMulti | None, error: Exception) -> None:
        if multi is not None and multi is self._multi:  # else it was closed meanwhile
            self._end_all(multi, error)

    def _open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._trusted_file = trusted_file()
        self._multi = pycurl.CurlMulti()
        contained = partial(contain, fail=self._fail_all, otherwise=None)
        self._add_handle = contained(self._multi.add_handle)
        self._on_ready, self._on_time = contained(self._act), contained(self._on_timer)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, contained(self._on_socket))
        self._multi.setopt(pycurl.M_TIMERFUNCTION, contained(partial(self._on_timeout, self._multi)))
        # As many requests share an HTTP/2 connection as the push service allows. With HTTP/1.1 each
        # has a connection of its own, and with more requests than slots some have to wait.
        self._multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, MAX_STREAMS)
        total = max_outgoing() if self._connections is None else self._connections
        self._slots = Slots(total, each=max(1, total // 2))
        # A connection that is kept for later counts too: libcurl closes the oldest to make room.
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, total)

    def _begin(self, transfer: Transfer) -> None:
        self._transfers[transfer.curl] = transfer
        self._add_handle(transfer.curl)

    def _transfer_for(self, request: PushRequest, override: ConnectOverride | None) -> Transfer:
        """Take an idle handle, or make one, and set what is different in this request."""
        idle = self._idle.setdefault(override, [])
        transfer = idle.pop() if idle else self._new_transfer(override)
        setopt = transfer.curl.setopt
        setopt(pycurl.URL, request.url)
        transfer.origin = request.url[: request.url.find("/", len("https://"))]
        transfer.opener.begin(request.url)
        setopt(pycurl.POSTFIELDS, request.body)
        if request.headers != transfer.headers:  # Most messages of a notify-all have the same.
            setopt(pycurl.HTTPHEADER, lines_of(request.headers))
            transfer.headers = dict(request.headers)
        # The first request to a service opens a connection, and the others wait to see whether
        # they can share it: the TLS handshake tells. Without TLS they would wait for a response.
        setopt(pycurl.PIPEWAIT, int(request.url.startswith("https:")))
        return transfer

    def _new_transfer(self, override: ConnectOverride | None) -> Transfer:
        curl = pycurl.Curl()
        transfer = Transfer(curl, override, SocketOpener(self._egress, override))
        for option, value in {
            pycurl.PATH_AS_IS: 1,  # An endpoint is used as the browser gave it.
            pycurl.POST: 1,
            pycurl.HEADERFUNCTION: contain(transfer.on_head, transfer.fail, 0),
            pycurl.WRITEFUNCTION: contain(transfer.on_body, transfer.fail, 0),
            pycurl.CONNECTTIMEOUT_MS: int(self._connect_timeout * 1000),
            pycurl.TIMEOUT_MS: int(self._timeout * 1000),
            pycurl.NOSIGNAL: 1,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            # After a redirect the POST would become a GET of another URL, whose 200 means nothing.
            pycurl.FOLLOWLOCATION: 0,
            pycurl.NOPROXY: "*",
            pycurl.OPENSOCKETFUNCTION: contain(transfer.opener.open, transfer.fail, pycurl.SOCKET_BAD),
            pycurl.SSL_VERIFYPEER: 1,
            pycurl.SSL_VERIFYHOST: 2,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_2TLS,
            pycurl.CAINFO: self._trusted_file,
        }.items():
            curl.setopt(option, value)
        if override:
            curl.setopt(pycurl.CONNECT_TO, [override.connect_to])
            curl.setopt(pycurl.CAINFO_BLOB, override.authority)
        return transfer

    # --- what libcurl asks of the loop ----------------------------------------------------------

    def _on_socket(self, event: int, fd: int, multi: pycurl.CurlMulti, data: object) -> None:
        if multi is not self._multi:
            return  # It is being closed, in a thread, and nothing of it is watched any more.
        # libcurl may close a socket and get the same number for the next one. What was watched
        # under that number is forgotten first: epoll has already lost it.
        self._forget(fd)
        if event in (pycurl.POLL_IN, pycurl.POLL_INOUT):
            self._loop.add_reader(fd, self._on_ready, fd, pycurl.CSELECT_IN)
            self._watched.add(fd)
        if event in (pycurl.POLL_OUT, pycurl.POLL_INOUT):
            self._loop.add_writer(fd, self._on_ready, fd, pycurl.CSELECT_OUT)
            self._watched.add(fd)

    def _forget(self, fd: int) -> None:
        if fd in self._watched:
            self._watched.remove(fd)
            self._loop.remove_reader(fd)
            self._loop.remove_writer(fd)

    def _on_timeout(self, multi: pycurl.CurlMulti, milliseconds: int) -> None:
        if multi is self._multi:
            self._wake_in(milliseconds)

    def _wake_in(self, milliseconds: int) -> None:
        if self._timer is not None:
            if milliseconds == 0 and not isinstance(self._timer, asyncio.TimerHandle):
                return  # It will be called soon anyway, and a new call_soon() would put that off.
            self._cancel_timer()
        # Never at once, even for 0: libcurl calls this from within a call that has not returned.
        if milliseconds == 0:
            self._timer = self._loop.call_soon(self._on_time)
        elif milliseconds > 0:
            self._timer = self._loop.call_later(milliseconds / 1000, self._on_time)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        self._act(pycurl.SOCKET_TIMEOUT, 0)
        # The loop's clock may be slightly ahead of libcurl's. Then nothing was due yet, and libcurl,
        # for which nothing has changed, does not set its timer again.
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
        """End a request whose future is cancelled, whether it is under way or waits for a slot."""
        if self._transfers.pop(transfer.curl, None) is None:
            self._slots.withdraw(transfer.origin, transfer)
        else:
            self._multi.remove_handle(transfer.curl)
            self._begin_others(transfer)
        transfer.curl.close()

    def _finish(self, curl: pycurl.Curl, code: int = 0, message: str = "") -> None:
        transfer = self._transfers.pop(curl)
        transfer.finish(code, message)
        self._multi.remove_handle(curl)
        self._begin_others(transfer)
        transfer.clear()
        self._idle[transfer.override].append(transfer)

    def _begin_others(self, ended: Transfer) -> None:
        for transfer in self._slots.give_back(ended.origin, ended.multiplexes):
            self._begin(transfer)


def lines_of(headers: Mapping[str, str]) -> list[str]:
    """Return the lines of a request's head, as libcurl takes them.

    libcurl adds headers of its own to a POST. A name without a value keeps it from doing so.

    >>> lines_of({"TTL": "60", "Content-Type": "application/octet-stream"})
    ['User-Agent: pushlab', 'TTL: 60', 'Content-Type: application/octet-stream', 'Expect:']
    """
    named = {"User-Agent": "pushlab"} | dict(headers)
    lines = [f"{name}: {value}" for name, value in named.items()]
    return lines + [f"{name}:" for name in ("Content-Type", "Expect") if name not in named]


def trusted_file() -> str:
    """Return the file of the certificate authorities to trust.

    It is SSL_CERT_FILE if that is set, else the one of this Python's ssl module, else certifi's.
    libcurl inside a wheel would look where the system that built it had them.
    """
    return os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or certifi.where()
