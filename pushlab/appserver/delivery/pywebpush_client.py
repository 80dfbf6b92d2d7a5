"""The second PushClient: the same message, by the field's own library, pywebpush.

pywebpush encrypts, signs and posts in one call, and it is synchronous, so each call has a thread.
This module adds what pywebpush does not do by itself:

- it writes into the claims that it is given: each call gets a dict of its own;
- it sends without a time-out, follows redirects and uses proxies unless its session does not;
- it connects to whatever address a name has: here each is checked first (see ``egress``);
- it reads a response to its end, however long;
- it splits a long plaintext into two records, which RFC 8291 §4 forbids: the length is checked;
- a call cannot be cancelled: its connection is shut down instead (see ``connections``);
- an error's response is false for 4xx, so it is compared with None.
"""

import asyncio
import io
import queue
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from pushlab.appserver.delivery.connections import OpenConnections
from pushlab.appserver.delivery.egress import (
    ConnectOverride,
    EgressPolicy,
    override_for,
    place_of,
)
from pushlab.appserver.delivery.log import DeliveryLog
from pushlab.appserver.delivery.response import (
    STOPPED,
    NetworkFault,
    PushResponse,
    Response,
    failed,
)
from pushlab.appserver.delivery.transport import CONNECT_TIMEOUT, MAX_BODY, TIMEOUT, trusted_file
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import EncryptionError, LabStopped, PlaintextTooLong, VapidError
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.encryption import MAX_PLAINTEXT

if TYPE_CHECKING:
    import requests

THREADS = 16
"""Calls at a time. Each holds a thread and mostly waits."""

ORIGINS = 4
"""Push services to which each of the threads keeps a connection for its next call."""

OVERHEAD = 103
"""Bytes that encryption adds: header, delimiter and tag, RFC 8291 §4."""


class NotPublic(Exception):
    """A name has led to an address that is not public."""


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


class PywebpushClient:
    """Send with pywebpush. It is imported with the first message, which takes 0.4 s.

    ``overrides``: which endpoints are the lab's, and where the lab listens; ``timeout``: seconds;
    ``egress`` says which addresses are allowed.
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
        self._threads: ThreadPoolExecutor | None = None
        self._calls: set[Future[Response]] = set()
        self._open = OpenConnections()
        # requests does not promise that threads can share a session, so each call borrows one.
        self._sessions: dict[ConnectOverride | None, queue.SimpleQueue] = {
            override: queue.SimpleQueue() for override in (None, *self._overrides)
        }

    def prepare(
        self,
        stored: StoredSubscription,
        payload: bytes | None,
        options: PushOptions,
        log: DeliveryLog,
    ) -> PywebpushRequest:
        """Check the length; pywebpush encrypts and signs in send(). Raises PlaintextTooLong."""
        size = 0
        if payload:
            if len(payload) > MAX_PLAINTEXT:
                raise PlaintextTooLong(
                    f"the plaintext is {len(payload)} bytes long, over {MAX_PLAINTEXT}"
                )
            size = len(payload) + OVERHEAD
            log.record("encrypt", stored.display_name, plaintext=len(payload), body=size)
        log.record("sign", aud=stored.subscription.origin)
        override = override_for(stored.subscription.endpoint, self._overrides)
        return PywebpushRequest(stored, payload, options, size, override)

    def send(self, request: PywebpushRequest) -> asyncio.Future[Response]:
        """Call pywebpush in a thread, and return the future of the response.

        Cancelling the future ends a call that waits for a thread. One that has a thread goes on.
        """
        if self._open.ended:
            return failed(LabStopped(STOPPED))
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "pywebpush")
        call = self._threads.submit(self._call, request)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return asyncio.wrap_future(call)

    async def close(self) -> None:
        """End the calls under way, wait for them, and close every connection.

        After that nothing is sent any more: a call raises LabStopped. A call that is resolving a
        name cannot be ended. It is not waited for longer than CONNECT_TIMEOUT, and it gets no
        connection afterwards.
        """
        self._open.end_all()
        calls = [asyncio.wrap_future(call) for call in tuple(self._calls)]
        with suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await asyncio.gather(*calls, return_exceptions=True)
        if self._threads is not None:
            self._threads.shutdown(wait=False)
        for sessions in self._sessions.values():
            while not sessions.empty():
                sessions.get().close()

    def _call(self, request: PywebpushRequest) -> Response:
        response = self._post(request)
        # The fault may be that close() shut the connection down.
        if isinstance(response, NetworkFault):
            self._open.check()
        return response

    def _post(self, request: PywebpushRequest) -> Response:
        import requests
        from py_vapid import Vapid, VapidException
        from pywebpush import WebPushException, webpush

        self._open.check()
        subscription, override = request.stored.subscription, request.override
        headers = request.options.to_headers()
        del headers["TTL"]  # webpush() has an argument for it.
        try:
            session = self._sessions[override].get_nowait()
        except queue.Empty:
            session = _make_session(override, self._egress, self._open)
        try:
            response = webpush(
                subscription.to_json(),
                request.payload,
                vapid_private_key=Vapid(self._keys.private_key),
                vapid_claims={"sub": self._keys.subject, "aud": subscription.origin},
                ttl=request.options.ttl,
                headers=headers,
                timeout=(min(CONNECT_TIMEOUT, self._timeout), self._timeout),
                requests_session=session,
            )
        except WebPushException as reason:
            if reason.response is None:
                raise EncryptionError(f"pywebpush says: {reason.message}") from None
            response = reason.response
        except VapidException as reason:
            raise VapidError(f"pywebpush says: {reason}") from None
        except NotPublic:
            return NetworkFault(42)
        except requests.Timeout:
            return NetworkFault(28)
        except requests.exceptions.SSLError:
            return NetworkFault(60)
        except requests.ConnectionError as reason:
            # requests has one error for most faults; the name of the cause tells them apart.
            return NetworkFault(6 if "NameResolutionError" in repr(reason) else 7)
        except requests.RequestException:
            return NetworkFault(56)
        finally:
            session.close() if self._open.ended else self._sessions[override].put(session)
        return PushResponse(
            response.status_code, tuple(response.headers.items()), response.content, response.reason
        )


def _connect(
    url: str, egress: EgressPolicy, timeout: float | None, opened: OpenConnections
) -> socket.socket:
    """Resolve a name once, check every address, and connect to the first that answers.

    Raises NotPublic, LabStopped, and OSError for a name or an address that does not answer.
    """
    host, port = place_of(url)[1:]
    resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(where[0]) for *_, where in resolved]
    if not all(egress.permits(url, address) for address in addresses):
        raise NotPublic
    for address in addresses[:-1]:
        opened.check()
        try:
            return socket.create_connection((address, port), timeout)
        except OSError:
            continue
    opened.check()
    return socket.create_connection((addresses[-1], port), timeout)


def _make_session(
    override: ConnectOverride | None, egress: EgressPolicy, opened: OpenConnections
) -> "requests.Session":
    """Make a session for endpoints that have this override, or None."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.exceptions import (
        ConnectTimeoutError,
        HTTPError,
        NameResolutionError,
        NewConnectionError,
    )

    def pools(egress: EgressPolicy) -> dict:
        """Return pools whose connections check each address before they are opened."""

        def connect(connection, scheme: str) -> socket.socket:
            host = f"[{connection.host}]" if ":" in connection.host else connection.host
            url = f"{scheme}://{host}:{connection.port}"
            try:
                connected = _connect(url, egress, connection.timeout, opened)
            except socket.gaierror as reason:
                raise NameResolutionError(connection.host, connection, reason) from None
            except TimeoutError:
                raise ConnectTimeoutError(connection, "timed out") from None
            except OSError as reason:
                raise NewConnectionError(connection, str(reason)) from None
            try:
                connection.duplicate = opened.add(connected)
            except LabStopped:
                connected.close()
                raise
            return connected

        class Counted:
            duplicate = None

            def close(self):
                super().close()
                if self.duplicate:
                    opened.remove(self.duplicate)
                    self.duplicate = None

        class Plain(Counted, HTTPConnection):
            def _new_conn(self):
                return connect(self, "http")

        class Secure(Counted, HTTPSConnection):
            def _new_conn(self):
                return connect(self, "https")

        plain = type("Pool", (HTTPConnectionPool,), {"ConnectionCls": Plain})
        secure = type("Pool", (HTTPSConnectionPool,), {"ConnectionCls": Secure})
        return {"http": plain, "https": secure}

    class BoundedAdapter(HTTPAdapter):
        """Connect to allowed addresses only, and read at most MAX_BODY of a response."""

        def __init__(self, egress: EgressPolicy):
            super().__init__(pool_connections=ORIGINS)
            self.poolmanager.pool_classes_by_scheme = pools(egress)

        def build_response(self, req, resp):
            response = super().build_response(req, resp)
            try:
                body = resp.read(MAX_BODY, decode_content=False)
            except HTTPError:
                body = b""  # The status has come, and it counts.
            response.raw = io.BytesIO(body)
            resp.release_conn() if resp.length_remaining == 0 else resp.close()
            return response

    class OverridingAdapter(BoundedAdapter):
        """Connect to the lab in place of the URL's host, and check the certificate for that host."""

        def __init__(self, override: ConnectOverride):
            self._override = override
            self._context = ssl.create_default_context(cadata=override.authority)
            super().__init__(EgressPolicy([f"https://{override.address}:{override.port}"]))

        def build_connection_pool_key_attributes(self, request, verify, cert=None):
            host, options = super().build_connection_pool_key_attributes(request, verify, cert)
            name = self._override.host
            options |= {"ssl_context": self._context}
            options |= {"server_hostname": name, "assert_hostname": name}
            return host | {"host": self._override.address, "port": self._override.port}, options

        def add_headers(self, request, **options):
            request.headers["Host"] = self._override.host

    class Session(requests.Session):
        """Follow no redirect."""

        def get_redirect_target(self, resp):
            return None

    session = Session()
    # The environment would add proxies, and a .netrc an Authorization in place of ours.
    session.trust_env = False
    session.verify = trusted_file()
    session.mount("https://", OverridingAdapter(override) if override else BoundedAdapter(egress))
    session.mount("http://", BoundedAdapter(egress))
    return session
