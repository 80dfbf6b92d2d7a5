"""Ask the lab's push service who is there: which user agents are connected, and what waits for them.

The room's table shows it, and only the push service knows it, so it is asked over HTTP each time the
table is made. What it says is right after a restart of either server, because nothing is kept here.
A vendor's push service tells nobody, and is not asked.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from pushlab.appserver.delivery.egress import ConnectOverride, override_for
from pushlab.protocol.subscription import PushSubscription
from pushlab.server.http import log

AT_ONCE = 100
"""Endpoints in one question. Between two questions both servers see to others."""

SECONDS = 5
"""How long the push service may take to answer."""


class Presence(NamedTuple):
    """Whether a user agent is connected, and how many messages wait for a subscription of its."""

    connected: bool
    waiting: int


class PresenceClient:
    """Ask the push services at ``origins``; what takes one of ``overrides`` is asked at the first.

    >>> import asyncio
    >>> asyncio.run(PresenceClient().ask([]))
    {}
    """

    def __init__(self, origins: Sequence[str] = (), overrides: Sequence[ConnectOverride] = ()):
        self._origins, self._connect_overrides = tuple(origins), tuple(overrides)
        self._client: SimpleAsyncHTTPClient | None = None

    async def ask(self, subscriptions: Iterable[PushSubscription]) -> Mapping[str, Presence]:
        """Return what is known, by endpoint. What no push service here knows is left out.

        A push service that does not answer costs its rows, and not the table.
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
        """Close the connections. It may ask again afterwards."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _origin_for(self, subscription: PushSubscription) -> str | None:
        if subscription.origin in self._origins:
            return subscription.origin
        routed = override_for(subscription.endpoint, self._connect_overrides)
        return self._origins[0] if routed and self._origins else None

    async def _ask(self, origin: str, endpoints: Collection[str]) -> Mapping[str, Presence] | None:
        """Ask once, and return None if there is no answer, or none that can be read."""
        if self._client is None:
            self._client = SimpleAsyncHTTPClient(force_instance=True)
        request = HTTPRequest(
            f"{origin}/presence",
            method="POST",
            headers={"Content-Type": "application/json"},
            body=json.dumps({"endpoints": endpoints}),
            connect_timeout=SECONDS,
            request_timeout=SECONDS,
            follow_redirects=False,
        )
        try:
            answer = json.loads((await self._client.fetch(request)).body)
            rows = zip(endpoints, answer["data"]["presence"], strict=True)
            return {one: Presence(row["connected"], row["waiting"]) for one, row in rows if row}
        except (OSError, HTTPClientError, ValueError, LookupError, TypeError) as reason:
            log.warning("the push service at %s does not say who is there: %s", origin, reason)
            return None
