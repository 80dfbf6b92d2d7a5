"""Presence: which user agents are connected. The lab asks this; no vendor's push service answers it.

An instructor wants to see which browsers of the room are connected, and how many messages wait for
each. Only the push service knows this. An application server asks for many endpoints at once:

    POST /presence   {"endpoints": ["http://127.0.0.1:8030/wpush/v2/…", …]}
                     {"data": {"presence": [{"connected": true, "waiting": 0}, null, …]}}

The answers are in the order of the endpoints; null stands for one that this service does not know.
The endpoints are the only authorization: they are secrets, and whoever knows one may also send to
it. The request is not written to the journal, because it carries no push message.
"""

import asyncio
from collections.abc import Callable

from pushlab.errors import BadField, RequestTooLarge
from pushlab.protocol import strict_json
from pushlab.server.http import StreamedBody

MAX_ENDPOINTS = 500
"""Endpoints in one request."""

MAX_REQUEST = 64 * 1024
"""Bytes of a request: 500 endpoints of this service, which have fewer than 128 characters."""


class PresenceHandler(StreamedBody):
    """``POST /presence``: answer, for each endpoint, whether its user agent is connected."""

    body_limit = MAX_REQUEST

    def initialize(self, presence: Callable[[str], tuple[bool, int] | None]) -> None:
        self.presence = presence

    async def post(self) -> None:
        named: list[dict | None] = []
        for endpoint in self._endpoints():
            there = self.presence(endpoint)
            named.append(there and {"connected": there[0], "waiting": there[1]})
            await asyncio.sleep(0)  # To count a full queue 500 times takes 50 ms.
        self.finish({"data": {"presence": named}})

    def _endpoints(self) -> list[str]:
        if self.length > MAX_REQUEST:
            raise RequestTooLarge(f"the body is longer than {MAX_REQUEST} bytes")
        value = strict_json.parse(bytes(self.body))
        endpoints = value.get("endpoints") if isinstance(value, dict) else None
        if not isinstance(endpoints, list) or not all(isinstance(one, str) for one in endpoints):
            raise BadField("endpoints is not a list of texts")
        if len(endpoints) > MAX_ENDPOINTS:
            raise BadField(f"{len(endpoints)} endpoints are asked for, over {MAX_ENDPOINTS}")
        return endpoints
