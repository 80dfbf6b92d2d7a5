"""One message made ready for one subscription: encrypt it, sign for it, describe the request.

Each of the three is a line here and a module of pushlab.protocol there. That code is pure, so this
is where clock and randomness come in: a key pair and a salt for each message (RFC 8291 §3.1), the
time for the token.
"""

import os
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.appserver.delivery.egress import ConnectOverride, override_for
from pushlab.appserver.delivery.response import NetworkFault, Response
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription
from pushlab.journal import Journal, Party
from pushlab.protocol import p256, vapid
from pushlab.protocol.delivery import PushOptions, build_request
from pushlab.protocol.encryption import encrypt

TOKEN_LIFETIME = 12 * 3600
"""Seconds. 24 hours are allowed (RFC 8292 §2), and half of that leaves room for wrong clocks."""

RENEW_BEFORE = 3600
"""Seconds before its end in which a token is made anew."""

Attempt = Callable[[], Awaitable[Response]]
"""Send the message once. To send it again, call again."""

Ephemeral = Callable[[], tuple[ec.EllipticCurvePrivateKey, bytes]]
"""Make a key pair and a salt (16 bytes) for one message alone."""


class PushClient(Protocol):
    """Whoever brings a message to a push service: this module, or pywebpush."""

    def prepare(
        self,
        stored: StoredSubscription,
        payload: bytes | None,
        options: PushOptions,
        story: "Story",
    ) -> Attempt:
        """Make a message ready. Raises PlaintextTooLong and VapidError."""

    async def close(self) -> None:
        """Close the connections."""


class Story:
    """What is written into the journal about one message.

    The lab's own push service writes down what passes it, so requests are written down here only if
    they go elsewhere. ``overrides`` lead there too. A journal of None makes a story that nobody tells.
    """

    def __init__(
        self,
        journal: Journal | None,
        lab_origins: Collection[str] = (),
        overrides: Sequence[ConnectOverride] = (),
    ):
        self._journal = journal
        self._lab_origins = lab_origins
        self._connect_overrides = overrides

    def _detour(self, route: ConnectOverride, who: str) -> None:
        Story.step(self, "route", who, host=route.host, address=f"{route.address}:{route.port}")

    def _told_here(self, stored: StoredSubscription) -> bool:
        lab = stored.subscription.origin in self._lab_origins
        return bool(self._journal) and not lab and not self._route(stored)

    def _route(self, stored: StoredSubscription) -> ConnectOverride | None:
        return override_for(stored.subscription.endpoint, self._connect_overrides)

    def step(self, what: str, who: str = "", **detail: str | int) -> None:
        """Tell a step that the application server takes alone."""
        if self._journal:
            server = Party.APPLICATION_SERVER
            self._journal.record(server, server, what, who, **detail)

    async def told(
        self, stored: StoredSubscription, options: PushOptions, size: int, send: Attempt
    ) -> Response:
        """Send, and tell of the request and of what came back. ``size``: bytes of the body."""
        self._request(stored, options, size)
        answer = await send()
        self._answer(stored, answer)
        return answer

    def _request(self, stored: StoredSubscription, options: PushOptions, size: int) -> None:
        if route := self._route(stored):
            self._detour(route, stored.display_name)
        if self._told_here(stored):
            detail = {"bytes": size, "ttl": options.ttl, "urgency": str(options.urgency)}
            if options.topic is not None:
                detail["topic"] = options.topic
            self._journal.record(
                Party.APPLICATION_SERVER, Party.PUSH_SERVICE, "POST message", stored.display_name, **detail
            )

    def _answer(self, stored: StoredSubscription, answer: Response) -> None:
        # Of no answer, too: nobody else knows of that.
        if isinstance(answer, NetworkFault):
            self.step("no answer", stored.display_name, error=answer.code)
        elif self._told_here(stored):
            what = f"{answer.status} {answer.reason}".strip()[:100]
            self._journal.record(Party.PUSH_SERVICE, Party.APPLICATION_SERVER, what, stored.display_name)


class DetoursOnly(Story):
    """Of many messages tell nothing but the overrides that they take, each once."""

    def __init__(self, journal: Journal | None, overrides: Sequence[ConnectOverride]):
        super().__init__(journal, (), overrides)
        self._taken: set[ConnectOverride] = set()

    def step(self, what: str, who: str = "", **detail: str | int) -> None:
        """Tell nothing."""

    def told(
        self, stored: StoredSubscription, options: PushOptions, size: int, send: Attempt
    ) -> Awaitable[Response]:
        """Send, and tell of a detour at most."""
        if route := self._route(stored):
            self._detour(route, stored.display_name)
        return send()

    def _detour(self, route: ConnectOverride, who: str) -> None:
        if route not in self._taken:
            self._taken.add(route)
            super()._detour(route, who)


class Signer:
    """Sign for origins, and keep each Authorization header until its token nears its end.

    Source: RFC 8292 §2; §5 asks senders to use a token again.

    >>> signer = Signer(VapidKeys.from_raw(bytes(31) + b"\\1"), clock=lambda: 0)
    >>> header = signer.authorization("https://push.example.net")
    >>> signer.authorization("https://push.example.net") is header
    True
    """

    def __init__(self, keys: VapidKeys, clock: Callable[[], float] = time.time):
        self._keys = keys
        self._clock = clock
        self._headers: dict[str, tuple[str, int]] = {}

    def authorization(self, origin: str, story: Story | None = None) -> str:
        """Return the Authorization header for one origin. Raises BadSubject."""
        now = int(self._clock())
        header, exp = self._headers.get(origin, ("", 0))
        # A clock that was set back would make the kept token last longer than 24 hours.
        if RENEW_BEFORE <= exp - now <= TOKEN_LIFETIME:
            return header
        exp = now + TOKEN_LIFETIME
        token = vapid.sign(vapid.Claims(origin, exp, self._keys.subject), self._keys.private_key)
        header = vapid.authorization(token, self._keys.public)
        # Origins come from strangers: those that were not sent to for a day make room.
        self._headers = {o: kept for o, kept in self._headers.items() if kept[1] > now}
        self._headers[origin] = (header, exp)
        if story:
            story.step("sign", aud=origin)
        return header


def ephemeral() -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """Make a key pair and a salt for one message alone. Source: RFC 8291 §3.1, §3.4."""
    return ec.generate_private_key(p256.CURVE), os.urandom(16)


class LibcurlPushClient:
    """Encrypt, sign and send with our own protocol code and libcurl.

    ``clock``: seconds since 1970; ``ephemeral``: makes what a message needs at random.
    """

    def __init__(
        self,
        keys: VapidKeys,
        transport: CurlTransport,
        clock: Callable[[], float] = time.time,
        ephemeral: Ephemeral = ephemeral,
    ):
        self._signer = Signer(keys, clock)
        self._transport = transport
        self._ephemeral = ephemeral

    def prepare(
        self,
        stored: StoredSubscription,
        payload: bytes | None,
        options: PushOptions,
        story: Story,
    ) -> Attempt:
        """Encrypt, sign and describe the request. Raises PlaintextTooLong, BadSubject."""
        body = None
        if payload:
            as_private, salt = self._ephemeral()
            body = encrypt(payload, stored.subscription, as_private=as_private, salt=salt)
            story.step("encrypt", stored.display_name, plaintext=len(payload), body=len(body))
        authorization = self._signer.authorization(stored.subscription.origin, story)
        request = build_request(stored.subscription, body, authorization, options)
        send = partial(self._transport.send, request)
        return partial(story.told, stored, options, len(request.body), send)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()
