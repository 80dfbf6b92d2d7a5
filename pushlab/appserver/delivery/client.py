"""Make one message ready for one subscription, and send it.

    agree()     with the user agent       pushlab.protocol.encryption   RFC 8291 §3.1
    prepare()   encrypt the payload       pushlab.protocol.encryption   RFC 8291
                sign for the origin       pushlab.protocol.vapid        RFC 8292
                describe the request      pushlab.protocol.delivery     RFC 8030
    send()      one POST                  CurlTransport

The protocol code is pure. This module gives it what it takes from outside: a new key pair and a new
salt for each message (RFC 8291 §3.1), and the time for the token.

A PushClient is what a Delivery needs. There are two: LibcurlPushClient here, and PywebpushClient.
"""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.appserver.delivery.egress import ConnectOverride, override_for
from pushlab.appserver.delivery.log import DeliveryLog, PreparedRequest
from pushlab.appserver.delivery.response import Response
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription
from pushlab.protocol import p256, vapid
from pushlab.protocol.delivery import PushOptions, PushRequest, build_request
from pushlab.protocol.encryption import Agreement, agree, encrypt_agreed
from pushlab.protocol.subscription import PushSubscription

TOKEN_LIFETIME = 12 * 3600
"""Seconds. 24 hours are allowed (RFC 8292 §2), and half of that leaves room for wrong clocks."""

RENEW_BEFORE = 3600
"""Seconds before the end of a token from which on a new one is made."""

MAX_TOKENS = 1000
"""Origins whose tokens are kept. Strangers choose the origins, and vendors have a few."""

Ephemeral = Callable[[], tuple[ec.EllipticCurvePrivateKey, bytes]]
"""Makes a key pair and a salt (16 bytes) for one message alone."""

Request = TypeVar("Request", bound=PreparedRequest)


class PushClient(Protocol[Request]):
    """Sends messages to push services. Each client has its own type of prepared request."""

    def agree(self, subscription: PushSubscription) -> Any:
        """Do the part of prepare() that takes longest, for a message with a payload.

        Whoever prepares many messages calls this for all of them first, and gives prepare() the result.
        """

    def prepare(
        self,
        stored: StoredSubscription,
        payload: bytes | None,
        options: PushOptions,
        log: DeliveryLog,
        agreed: Any = None,
    ) -> Request:
        """Make a message ready, and send nothing yet. Raises PlaintextTooLong, VapidError.

        ``agreed``: what agree() has returned; if it is None, prepare() does that part too.
        """

    def send(self, request: Request) -> asyncio.Future[Response]:
        """Begin to send a request, and return the future of its response.

        A request may be sent again. It is the same message then, though not always the same bytes:
        see each client. Cancelling the future ends the request. The future raises LabStopped once the
        client is closed.
        """

    async def close(self) -> None:
        """End every request and close the connections."""


class Signer:
    """Sign for origins, and keep each Authorization header until its token nears its end.

    The ``MAX_TOKENS`` that were used last are kept. Source: RFC 8292 §2; §5 asks senders to use a
    token again.

    >>> signer = Signer(VapidKeys.from_raw(bytes(31) + b"\\1"), clock=lambda: 0)
    >>> header = signer.authorization("https://push.example.net")
    >>> signer.authorization("https://push.example.net") is header
    True
    """

    def __init__(self, keys: VapidKeys, clock: Callable[[], float] = time.time):
        self._keys = keys
        self._clock = clock
        self._headers: OrderedDict[str, tuple[str, int]] = OrderedDict()  # the last used at the end

    def authorization(self, origin: str, log: DeliveryLog | None = None) -> str:
        """Return the Authorization header for one origin. Raises BadSubject."""
        now = int(self._clock())
        header, exp = self._headers.get(origin, ("", 0))
        # A clock that was set back would make the kept token last longer than 24 hours.
        if RENEW_BEFORE <= exp - now <= TOKEN_LIFETIME:
            self._headers.move_to_end(origin)
            return header
        exp = now + TOKEN_LIFETIME
        token = vapid.sign(vapid.Claims(origin, exp, self._keys.subject), self._keys.private_key)
        header = vapid.authorization(token, self._keys.public)
        self._make_room(now)
        self._headers[origin] = (header, exp)
        self._headers.move_to_end(origin)
        if log:
            log.record("sign", aud=origin)
        return header

    def _make_room(self, now: int) -> None:
        """Remove the token that was used longest ago: if there are too many, or if it has ended."""
        while self._headers:
            _, exp = next(iter(self._headers.values()))
            if len(self._headers) < MAX_TOKENS and exp > now:
                return
            self._headers.popitem(last=False)


def ephemeral() -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """Make a key pair and a salt for one message alone. Source: RFC 8291 §3.1, §3.4."""
    return ec.generate_private_key(p256.CURVE), os.urandom(16)


class LibcurlRequest(NamedTuple):
    """A request that LibcurlPushClient has prepared: ``http`` is what goes over the wire."""

    stored: StoredSubscription
    options: PushOptions
    http: PushRequest
    override: ConnectOverride | None

    @property
    def size(self) -> int:
        """Bytes of the encrypted body."""
        return len(self.http.body)


class LibcurlPushClient:
    """Encrypt, sign and send with our own protocol code and libcurl.

    ``overrides``: which endpoints are the lab's, and where the lab listens; ``clock``: seconds since
    1970; ``ephemeral``: makes the key pair and the salt of each message.
    """

    def __init__(
        self,
        keys: VapidKeys,
        transport: CurlTransport,
        overrides: Sequence[ConnectOverride] = (),
        *,
        clock: Callable[[], float] = time.time,
        ephemeral: Ephemeral = ephemeral,
    ):
        self._signer = Signer(keys, clock)
        self._transport = transport
        self._overrides = tuple(overrides)
        self._ephemeral = ephemeral

    def agree(self, subscription: PushSubscription) -> tuple[Agreement, bytes]:
        """Agree on the secret of one message, and return it with the message's salt. Raises NoKeys."""
        as_private, salt = self._ephemeral()
        return agree(subscription, as_private), salt

    def prepare(
        self,
        stored: StoredSubscription,
        payload: bytes | None,
        options: PushOptions,
        log: DeliveryLog,
        agreed: tuple[Agreement, bytes] | None = None,
    ) -> LibcurlRequest:
        """Encrypt, sign and describe the request, so that each attempt sends the same bytes.

        Raises PlaintextTooLong, BadSubject.
        """
        subscription = stored.subscription
        body = None
        if payload:
            agreement, salt = agreed or self.agree(subscription)
            body = encrypt_agreed(payload, subscription, agreement, salt=salt)
            log.record("encrypt", stored, plaintext=len(payload), body=len(body))
        authorization = self._signer.authorization(subscription.origin, log)
        http = build_request(subscription, body, authorization, options)
        return LibcurlRequest(stored, options, http, override_for(http.url, self._overrides))

    def send(self, request: LibcurlRequest) -> asyncio.Future[Response]:
        """Begin to send the request; cancelling the future ends it."""
        return self._transport.send(request.http, request.override)

    async def close(self) -> None:
        """End every request and close the connections."""
        await self._transport.close()
