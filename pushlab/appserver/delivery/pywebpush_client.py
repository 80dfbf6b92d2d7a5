"""The same message, by the field's own library: pywebpush.

pywebpush encrypts, signs and posts in one call, and it is synchronous, so each call has a thread.
What it does not do by itself is done around it here:

- it writes into the claims that it is given: each call gets a dict of its own;
- it sends without a time-out, follows redirects and uses proxies unless its session does not;
- it connects to whatever address a name has: here each is looked at first (see ``addresses``);
- it reads an answer to its end, however long;
- it splits a long plaintext into two records, which RFC 8291 §4 forbids: the length is checked;
- a call cannot be cancelled: its connection is shut down under it (see ``connections``);
- an error's response is false for 4xx, so it is compared with None.
"""

import asyncio
import io
import queue
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from pushlab.appserver.delivery.client import Attempt, Story
from pushlab.appserver.delivery.connections import OpenConnections
from pushlab.appserver.delivery.egress import ConnectOverride, EgressPolicy, override_for, place_of
from pushlab.appserver.delivery.response import NetworkFault, PushResponse, Response
from pushlab.appserver.delivery.transport import CONNECT_TIMEOUT, MAX_BODY, TIMEOUT, trusted_file
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import EncryptionError, LabStopped, PlaintextTooLong, VapidError
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.encryption import MAX_PLAINTEXT

THREADS = 16
"""Calls at a time. Each holds a thread and mostly waits."""

ORIGINS = 4
"""Push services to which one call after the other may use the same connection. So many stay open for
each of the threads."""

OVERHEAD = 103
"""Bytes that encryption adds: header, delimiter and tag, RFC 8291 §4."""


class NotPublic(Exception):
    """A name has led to an address that is not public."""


class PywebpushClient:
    """Send with pywebpush. It is imported with the first message, which takes 0.4 s.

    ``timeout``: seconds; ``overrides`` lead to the lab; ``egress`` knows which addresses are allowed.
    """

    def __init__(
        self,
        keys: VapidKeys,
        timeout: float = TIMEOUT,
        overrides: Sequence[ConnectOverride] = (),
        egress: EgressPolicy | None = None,
    ):
        self._connect_overrides, self._egress = overrides, egress or EgressPolicy()
        self._keys = keys
        self._timeout = timeout
        self._threads: ThreadPoolExecutor | None = None
        self._calls: set[Future[Response]] = set()
        self._open = OpenConnections()
        # requests does not promise that threads can share a session, so each call borrows one.
        self._sessions: queue.SimpleQueue = queue.SimpleQueue()

    def prepare(
        self,
        stored: StoredSubscription,
        payload: bytes | None,
        options: PushOptions,
        story: Story,
    ) -> Attempt:
        """Check the length; all else happens in the attempt. Raises PlaintextTooLong."""
        size = 0
        if payload:
            if len(payload) > MAX_PLAINTEXT:
                raise PlaintextTooLong(
                    f"the plaintext is {len(payload)} bytes long, over {MAX_PLAINTEXT}"
                )
            size = len(payload) + OVERHEAD
            story.step("encrypt", stored.display_name, plaintext=len(payload), body=size)
        story.step("sign", aud=stored.subscription.origin)
        call = partial(self._call, stored, payload, options)
        return partial(story.told, stored, options, size, partial(self._in_thread, call))

    async def _in_thread(self, call: Callable[[], Response]) -> Response:
        self._open.check()
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "pywebpush")
        running = self._threads.submit(call)
        self._calls.add(running)
        running.add_done_callback(self._calls.discard)
        answer = await asyncio.wrap_future(running)
        # Its connection was shut down under it. What it has come to otherwise stands.
        if isinstance(answer, NetworkFault):
            self._open.check()
        return answer

    async def close(self) -> None:
        """Break off the calls under way, wait until they have ended, and close every connection.

        After that nothing is sent any more: a call raises LabStopped. A call that still resolves a
        name, which nothing can break off, is not waited for longer than CONNECT_TIMEOUT; it is
        refused its connection then.
        """
        self._open.end_all()
        calls = [asyncio.wrap_future(call) for call in tuple(self._calls)]
        with suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await asyncio.gather(*calls, return_exceptions=True)
        if self._threads is not None:
            self._threads.shutdown(wait=False)
        while not self._sessions.empty():
            self._sessions.get().close()

    def _call(
        self, stored: StoredSubscription, payload: bytes | None, options: PushOptions
    ) -> Response:
        import requests
        from py_vapid import Vapid, VapidException
        from pywebpush import WebPushException, webpush

        self._open.check()
        headers = options.to_headers()
        try:
            session = self._sessions.get_nowait()
        except queue.Empty:
            session = _make_session(self._connect_overrides, self._egress, self._open)
        try:
            response = webpush(
                stored.subscription.to_json(),
                payload,
                vapid_private_key=Vapid(self._keys.private_key),
                vapid_claims={"sub": self._keys.subject, "aud": stored.subscription.origin},
                ttl=int(headers.pop("TTL")),
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
            session.close() if self._open.ended else self._sessions.put(session)
        return PushResponse(
            response.status_code, tuple(response.headers.items()), response.content, response.reason
        )


def _connect(
    url: str, egress: EgressPolicy, timeout: float | None, opened: OpenConnections
) -> socket.socket:
    """Resolve a name once, look at every address, and connect to the first that answers.

    Raises NotPublic, LabStopped, and OSError for a name or an address that does not answer.
    """
    host, port = place_of(url)[1:]
    found = [where for *_, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not all(egress.permits(url, where[0]) for where in found):
        raise NotPublic
    for where in found[:-1]:
        opened.check()
        try:
            return socket.create_connection(where[:2], timeout)
        except OSError:
            continue
    opened.check()
    return socket.create_connection(found[-1][:2], timeout)


def _make_session(overrides: Sequence[ConnectOverride], egress: EgressPolicy, opened: OpenConnections):
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
        """Pools whose connections look at each address that they are led to."""

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
        """Connect to where one may, and read no more of an answer than is worth reading."""

        def __init__(self, egress: EgressPolicy):
            super().__init__(pool_connections=ORIGINS)
            self.poolmanager.pool_classes_by_scheme = pools(egress)

        def build_response(self, req, resp):
            response = super().build_response(req, resp)
            try:
                body = resp.read(MAX_BODY, decode_content=False)
            except HTTPError:
                body = b""  # The status has come, and it stands.
            response.raw = io.BytesIO(body)
            resp.release_conn() if resp.length_remaining == 0 else resp.close()
            return response

    class RoutedAdapter(BoundedAdapter):
        """Connect to the lab in place of the URL's host, and check the certificate for that host."""

        def __init__(self, route: ConnectOverride):
            self._route = route
            self._context = ssl.create_default_context(cadata=route.authority)
            super().__init__(EgressPolicy([f"https://127.0.0.1:{route.port}"]))

        def build_connection_pool_key_attributes(self, request, verify, cert=None):
            host, options = super().build_connection_pool_key_attributes(request, verify, cert)
            name = self._route.host
            options |= {"ssl_context": self._context}
            options |= {"server_hostname": name, "assert_hostname": name}
            return host | {"host": self._route.address, "port": self._route.port}, options

        def add_headers(self, request, **options):
            request.headers["Host"] = self._route.host

    class Session(requests.Session):
        """Follow nothing, and take the lab's overrides."""

        def get_adapter(self, url):
            route = override_for(url, overrides)
            return adapters[route] if route else super().get_adapter(url)

        def get_redirect_target(self, resp):
            return None

    adapters = {route: RoutedAdapter(route) for route in overrides}
    session = Session()
    # The environment would add proxies, and a .netrc an Authorization in place of ours.
    session.trust_env = False
    session.verify = trusted_file()
    session.mount("https://", BoundedAdapter(egress))
    session.mount("http://", BoundedAdapter(egress))
    return session
