"""The second PushClient: the same message, by the field's own library, pywebpush.

pywebpush encrypts, signs and posts in one call, and it is synchronous, so each call has a thread.
This module adds what pywebpush does not do by itself:

- it writes into the claims that it is given: each call gets a dict of its own;
- it waits for whatever its session waits for: the session here has limits (see ``requests_session``);
- it splits a long plaintext into two records, which RFC 8291 §4 forbids: the length is checked;
- a call cannot be cancelled: its connection is shut down instead (see ``connections``);
- an error's response is false for 4xx, so it is compared with None.

The event loop decides when a call begins and when its time is over; a thread only makes it. So no
call that has begun waits for a thread that is stuck, and Python's end does not wait for one either. A
call that has not begun may wait for one: a thread that is resolving a name keeps its place among the
THREADS until it returns.
"""

import asyncio
import http.client
import queue
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pushlab.appserver.delivery.callbacks import contain, sending_error
from pushlab.appserver.delivery.connections import OpenConnections
from pushlab.appserver.delivery.egress import ConnectOverride, EgressPolicy, override_for
from pushlab.appserver.delivery.log import DeliveryLog
from pushlab.appserver.delivery.response import (
    NO_SOCKET,
    NO_SOCKET_ERRORS,
    STOPPED,
    NetworkFault,
    PushResponse,
    Response,
    failed,
)
from pushlab.appserver.delivery.transport import CONNECT_TIMEOUT, TIMEOUT
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import EncryptionError, LabStopped, PlaintextTooLong, VapidError
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.encryption import MAX_PLAINTEXT, OVERHEAD
from pushlab.protocol.subscription import PushSubscription

if TYPE_CHECKING:
    import requests

THREADS = 16
"""Calls at a time. Each holds a thread and mostly waits."""

GRACE = 1.0
"""Seconds that a thread has to return after its connections were shut down. One that is resolving a
name does not return by then, and is not waited for."""


class PywebpushRequest(NamedTuple):
    """The arguments of one call. ``size``: bytes that the encrypted body will have."""

    stored: StoredSubscription
    payload: bytes | None
    options: PushOptions
    size: int
    override: ConnectOverride | None

    def __repr__(self) -> str:
        # The payload may be somebody's message.
        return f"<PywebpushRequest {self.stored.subscription.origin}/… {self.size} bytes>"


@dataclass(eq=False)
class Call:
    """One request, the future of its response, and the timer that ends it."""

    request: PywebpushRequest
    response: asyncio.Future[Response]
    timer: asyncio.TimerHandle | None = None


class Worker:
    """A thread that makes one call at a time, with sessions and connections of its own.

    requests does not promise that threads can share a session. It is a daemon, because Python's end
    must not wait for one that is resolving a name.
    """

    def __init__(self, egress: EgressPolicy) -> None:
        self.connections = OpenConnections()
        self.head: PushResponse | None = None  # of the present call's response, without its body
        self._egress = egress
        self._sessions: dict[ConnectOverride | None, requests.Session] = {}
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="pywebpush", daemon=True)
        self._thread.start()

    def do(self, job: Callable[[], None], seconds: float) -> None:
        """Have the thread make a call, which may take so long."""
        self.head = None
        self.connections.begin(seconds)
        self._jobs.put(job)

    def end(self) -> None:
        """End the call under way, and then the thread."""
        self.connections.end_all()
        self._jobs.put(None)

    def join(self, timeout: float) -> None:
        """Wait until the thread has ended, at most so many seconds."""
        self._thread.join(timeout)

    def session(self, override: ConnectOverride | None) -> "requests.Session":
        """Return the session for endpoints that have this override. The thread itself calls this."""
        from pushlab.appserver.delivery.requests_session import make_session

        if override not in self._sessions:
            self._sessions[override] = make_session(
                override, self._egress, self.connections, self._on_head
            )
        return self._sessions[override]

    def _on_head(self, response: "requests.Response") -> None:
        self.head = push_response(response)

    def _run(self) -> None:
        while job := self._jobs.get():
            job()
        for session in self._sessions.values():
            session.close()
        self.connections.close()


class PywebpushClient:
    """Send with pywebpush. It is imported with the first message, which takes 0.4 s.

    ``overrides``: which endpoints are the lab's, and where the lab listens; ``timeout``: seconds for
    a whole call; ``egress`` says which addresses are allowed.
    """

    def __init__(
        self,
        keys: VapidKeys,
        overrides: Sequence[ConnectOverride] = (),
        *,
        timeout: float = TIMEOUT,
        egress: EgressPolicy | None = None,
    ):
        self._overrides, self._egress = tuple(overrides), egress or EgressPolicy()
        self._keys = keys
        self._timeout = timeout
        self._closed = False
        self._waiting: deque[Call] = deque()
        self._busy: dict[Worker, Call] = {}
        self._idle: list[Worker] = []

    def agree(self, subscription: PushSubscription) -> None:
        """Do nothing: pywebpush does it in send()."""

    def prepare(
        self,
        stored: StoredSubscription,
        payload: bytes | None,
        options: PushOptions,
        log: DeliveryLog,
        agreed: None = None,
    ) -> PywebpushRequest:
        """Check the length. Raises PlaintextTooLong.

        pywebpush encrypts and signs in each send(), so each attempt sends other bytes. The journal has
        both here, once, before they happen.
        """
        size = 0
        if payload:
            if len(payload) > MAX_PLAINTEXT:
                raise PlaintextTooLong(
                    f"the plaintext is {len(payload)} bytes long, over {MAX_PLAINTEXT}"
                )
            size = len(payload) + OVERHEAD
            log.record("encrypt", stored, plaintext=len(payload), body=size)
        log.record("sign", aud=stored.subscription.origin)
        override = override_for(stored.subscription.endpoint, self._overrides)
        return PywebpushRequest(stored, payload, options, size, override)

    def send(self, request: PywebpushRequest) -> asyncio.Future[Response]:
        """Call pywebpush in a thread, and return the future of the response.

        Cancelling the future ends a call that waits for a thread. One that has a thread goes on.
        """
        if self._closed:
            return failed(LabStopped(STOPPED))
        call = Call(request, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._begin_waiting()
        return call.response

    async def close(self) -> None:
        """End the calls under way and the threads, and close every connection.

        After that nothing is sent any more: a call raises LabStopped. A thread that is resolving a
        name is not waited for longer than GRACE; it gets no connection afterwards.
        """
        self._closed = True
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        for worker in workers:
            worker.end()
        await asyncio.to_thread(_join, workers)
        for call in [*self._waiting, *self._busy.values()]:
            self._end(call, LabStopped(STOPPED))
        self._waiting.clear()
        self._busy.clear()

    # --- in the event loop ------------------------------------------------------------------------

    def _begin_waiting(self) -> None:
        """Give the calls that wait to threads, as long as there is one that is free."""
        while self._waiting and (self._idle or len(self._busy) < THREADS):
            call = self._waiting.popleft()
            if call.response.cancelled():
                continue
            try:
                worker = self._idle.pop() if self._idle else Worker(self._egress)
            except RuntimeError as error:  # The system starts no more threads.
                if self._busy:
                    self._waiting.appendleft(call)
                    return
                self._end(call, error)
                continue
            self._busy[worker] = call
            call.timer = call.response.get_loop().call_later(self._timeout, self._on_time, worker, call)
            worker.do(partial(self._make, worker, call), self._timeout)

    def _on_time(self, worker: Worker, call: Call) -> None:
        """Break a call off whose time is over: its thread then returns what it has."""
        worker.connections.end_call()
        call.timer = call.response.get_loop().call_later(GRACE, self._give_up, worker, call)

    def _give_up(self, worker: Worker, call: Call) -> None:
        """End a call whose thread has not returned. A status that has come counts."""
        self._end(call, worker.head or NetworkFault(28))

    def _returned(self, worker: Worker, call: Call, result: Response | Exception) -> None:
        """Take the result of a call, and give its thread to the next one."""
        self._end(call, result)
        if self._busy.pop(worker, None) and not self._closed:
            self._idle.append(worker)
            self._begin_waiting()

    def _end(self, call: Call, result: Response | Exception) -> None:
        if call.timer:
            call.timer.cancel()
        if call.response.done():
            return
        if isinstance(result, Exception):
            call.response.set_exception(sending_error(result))
        else:
            call.response.set_result(result)

    # --- in a thread ------------------------------------------------------------------------------

    def _make(self, worker: Worker, call: Call) -> None:
        """Make one call, and hand its result to the event loop, unless that has ended."""
        faults: list[Exception] = []
        response = contain(self._post, faults.append, None)(worker, call.request)
        worker.connections.call_ended()
        with suppress(RuntimeError):
            loop = call.response.get_loop()
            loop.call_soon_threadsafe(self._returned, worker, call, response or faults[0])

    def _post(self, worker: Worker, request: PywebpushRequest) -> Response:
        from py_vapid import Vapid, VapidException
        from pywebpush import WebPushException, webpush

        connections, subscription = worker.connections, request.stored.subscription
        headers = request.options.to_headers()
        del headers["TTL"]  # webpush() has an argument for it.
        try:
            response = webpush(
                subscription.to_json(),
                request.payload,
                vapid_private_key=Vapid(self._keys.private_key),
                vapid_claims={"sub": self._keys.subject, "aud": subscription.origin},
                ttl=request.options.ttl,
                headers=headers,
                timeout=(min(CONNECT_TIMEOUT, self._timeout), self._timeout),
                requests_session=worker.session(request.override),
            )
        except WebPushException as reason:
            if reason.response is None:
                raise EncryptionError(f"pywebpush says: {reason.message}") from None
            response = reason.response
        except VapidException as reason:
            raise VapidError(f"pywebpush says: {reason}") from None
        except Exception as reason:
            try:
                connections.seconds_left()  # Was the connection shut down?
            except TimeoutError:
                return NetworkFault(28)
            code = _code_of(reason)
            if code is None:
                raise
            return NetworkFault(code)
        return push_response(response, response.content)


def push_response(response: "requests.Response", body: bytes = b"") -> PushResponse:
    """Return a response of requests as one of ours."""
    headers = tuple(response.headers.items())
    return PushResponse(response.status_code, headers, body, response.reason or "")


def _code_of(error: Exception) -> int | None:
    """Return libcurl's code for what requests has raised, or None if it is no fault of the network.

    requests and urllib3 wrap what has happened, each in an error of its own: the innermost that is in
    this table tells.
    """
    from requests.exceptions import InvalidURL, RequestException
    from urllib3.exceptions import NameResolutionError, NewConnectionError

    from pushlab.appserver.delivery.requests_session import NotPublic

    codes: list[tuple[type[Exception], int]] = [
        (NotPublic, 42),
        (UnicodeError, 3),
        (InvalidURL, 3),
        (NameResolutionError, 6),
        (socket.gaierror, 6),
        (ssl.SSLCertVerificationError, 60),
        (ssl.SSLError, 35),
        (TimeoutError, 28),
        (http.client.RemoteDisconnected, 52),
        (http.client.IncompleteRead, 56),
        (http.client.HTTPException, 8),
        (NewConnectionError, 7),
        (RequestException, 56),
        (OSError, 77),  # requests wraps every other one
    ]
    found = list(_causes(error))
    if any(isinstance(e, OSError) and e.errno in NO_SOCKET_ERRORS for e in found):
        return NO_SOCKET.code
    return next((code for kind, code in codes if any(isinstance(e, kind) for e in found)), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it wraps, as a cause or as an argument."""
    seen: list[BaseException] = [error]
    for one in seen:  # It grows meanwhile.
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        seen += [e for e in inner if isinstance(e, BaseException) and e not in seen]
    yield from seen


def _join(workers: Sequence[Worker]) -> None:
    """Wait until the threads have ended, all together at most GRACE."""
    ends = time.monotonic() + GRACE
    for worker in workers:
        worker.join(max(0.0, ends - time.monotonic()))
