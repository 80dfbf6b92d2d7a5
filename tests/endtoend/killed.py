"""A lab in a process of its own, which can be killed and started again, and who sends to it."""

import asyncio
import json
import random
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError

from pushlab.appserver.delivery.client import LibcurlPushClient
from pushlab.appserver.delivery.egress import EgressPolicy
from pushlab.appserver.delivery.log import DeliveryLog
from pushlab.appserver.delivery.response import Response
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription, SubscriptionStore
from pushlab.protocol.delivery import PushOptions

from ..run import chance
from ..run.ports import free_port

NO_ANSWER = (OSError, HTTPStreamClosedError, HTTPTimeoutError)
"""How a request ends whose server is killed."""


def seeded() -> tuple[random.Random, str]:
    """Return a source of chance, and how to get the same one again."""
    return chance.source(), f"PUSHLAB_SEED={chance.seed()}"


@dataclass
class Reply:
    """What the application server answered."""

    status: int
    json: dict
    retry_after: str | None

    @property
    def error(self) -> tuple[int, str, str | None]:
        return self.status, self.json["error"]["id"], self.retry_after


class Sender:
    """An application server that is never killed, with the keys of the one that is."""

    def __init__(self, served: "Served"):
        keys = VapidKeys.load(served.data / "vapid.env")
        self._transport = CurlTransport(egress=EgressPolicy([served.push_url]))
        self._client = LibcurlPushClient(keys, self._transport)

    async def post(self, stored: StoredSubscription, text: bytes) -> Response:
        """Make one attempt to send one message."""
        options = PushOptions(ttl=3600)
        request = self._client.prepare(stored, text, options, DeliveryLog())
        return await self._client.send(request)

    async def close(self) -> None:
        await self._transport.close()


class Served:
    """``pushlab serve`` with ``data`` as its folder, at ports that stay the same."""

    def __init__(self, data: Path):
        self.data = data
        self._ports = [str(free_port()) for _ in range(2)]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> "Served":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            await self.kill()

    async def start(self) -> None:
        """Start it, and wait until it says where it is."""
        port, push_port = self._ports
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pushlab", "serve", "--port", port, "--push-port", push_port,
            "--data", str(self.data), "--quiet", stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        line = (await self._process.stdout.readline()).decode()
        self.page_url, self.push_url = re.findall(r"http://\S+/", line)

    async def kill(self) -> None:
        """End it as nothing can be prevented from: with no warning, and no last word."""
        self._process.send_signal(signal.SIGKILL)
        assert await self._process.wait() == -signal.SIGKILL
        self._process._transport.close()

    @property
    def ws_url(self) -> str:
        return self.push_url.replace("http", "ws", 1)

    async def ask(self, route: str, value: object = None, url: str = "") -> Reply:
        """Make one request. Raise NO_ANSWER."""
        post = {} if value is None else {"method": "POST", "body": json.dumps(value)}
        headers = {"Content-Type": "application/json"}
        request = HTTPRequest((url or self.page_url) + route, headers=headers, **post)
        client = AsyncHTTPClient(force_instance=True)
        try:
            answer = await client.fetch(request)
        except HTTPClientError as error:
            if error.response is None:
                raise
            answer = error.response
        finally:
            client.close()
        return Reply(answer.code, json.loads(answer.body), answer.headers.get("Retry-After"))

    def subscriptions(self) -> dict[str, StoredSubscription]:
        """Return what the application server has stored, by endpoint, from its file."""
        store = SubscriptionStore(f"sqlite:///{self.data / 'appserver.sqlite3'}")
        try:
            return {stored.subscription.endpoint: stored for stored in store.all()}
        finally:
            store.close()
