"""Ask the lab's push service which user agents are connected, and how many messages wait for them.

The table of participants shows this, and only the push service knows it, so it is asked over HTTP
each time the table is made. Nothing is kept here, so the answer is right even after a restart of
either server. A vendor's push service gives no such information, and is not asked.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from tornado.httpclient import HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from pushlab.appserver.delivery.egress import ConnectOverride, override_for
from pushlab.protocol import strict_json
from pushlab.protocol.subscription import PushSubscription
from pushlab.server.http import log
from pushlab.settings import patience
from pushlab.text import show

AT_ONCE = 100
"""Endpoints in one request. Between two requests both servers can do other work."""

MAX_ENDPOINT = 500
"""Characters of an endpoint that is asked for. The lab's own have fewer than 128, but anybody may
subscribe with one that is longer, and the push service reads no more than 64 KiB."""

MAX_BODY = 64 * 1024
"""Bytes of an answer that are read. A row has some forty."""

SECONDS = 5
"""How long the push service may take to answer (times PUSHLAB_PATIENCE)."""


class Presence(NamedTuple):
    """Whether a user agent is connected, and how many messages wait for its subscription."""

    connected: bool
    waiting: int


class PresenceClient:
    """Ask the push services at ``origins``. An endpoint of ``overrides`` is asked for at the first.

    ``path`` is what the paths of a private push service begin with.

    >>> import asyncio
    >>> asyncio.run(PresenceClient().ask([]))
    {}
    """

    def __init__(
        self, origins: Sequence[str] = (), overrides: Sequence[ConnectOverride] = (), path: str = ""
    ):
        self._origins, self._overrides, self._path = tuple(origins), tuple(overrides), path
        self._client: SimpleAsyncHTTPClient | None = None

    async def ask(self, subscriptions: Iterable[PushSubscription]) -> Mapping[str, Presence]:
        """Return what is known, by endpoint. An endpoint that no push service here knows is left out.

        If a push service does not answer, only its endpoints are left out.
        """
        known: dict[str, Presence] = {}
        silent: set[str] = set()
        left = iter(subscriptions)
        while some := list(islice(left, AT_ONCE)):
            asked: dict[str, list[str]] = {}
            for subscription in some:
                if origin := self._origin_for(subscription):
                    asked.setdefault(origin, []).append(subscription.endpoint)
            for origin in asked.keys() - silent:
                answer = await self._ask(origin, asked[origin])
                known |= answer or {}
                if answer is None:
                    silent.add(origin)
        return known

    def close(self) -> None:
        """Close the connections. ask() may be called again afterwards."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _origin_for(self, subscription: PushSubscription) -> str | None:
        if len(subscription.endpoint) > MAX_ENDPOINT:
            return None
        if subscription.origin in self._origins:
            return subscription.origin
        override = override_for(subscription.endpoint, self._overrides)
        return self._origins[0] if override and self._origins else None

    async def _ask(self, origin: str, endpoints: Collection[str]) -> Mapping[str, Presence] | None:
        """Ask once. Return None if no answer comes, or none that can be read."""
        if self._client is None:
            self._client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=MAX_BODY)
        request = HTTPRequest(
            f"{origin}{self._path}/presence",
            method="POST",
            headers={"Content-Type": "application/json"},
            body=json.dumps({"endpoints": endpoints}),
            connect_timeout=patience(SECONDS),
            request_timeout=patience(SECONDS),
            follow_redirects=False,
            decompress_response=False,
        )
        try:
            answer: Any = strict_json.parse((await self._client.fetch(request)).body)
            rows = zip(endpoints, answer["data"]["presence"], strict=True)
            return {one: _presence(row) for one, row in rows if row}
        except Exception as reason:  # noqa: BLE001 — whatever an answer makes Tornado or a row raise
            log.warning(
                "the push service at %s does not tell which user agents are connected: %s",
                origin,
                show(str(reason)),
            )
            return None


def _presence(row: Any) -> Presence:
    """Read one row of the answer. Raises LookupError, TypeError."""
    connected, waiting = row["connected"], row["waiting"]
    if type(connected) is not bool or type(waiting) is not int:
        raise TypeError("a row is not of the types that it should have")
    return Presence(connected, waiting)
