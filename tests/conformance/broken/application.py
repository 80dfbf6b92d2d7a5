"""An application server that keeps subscriptions in memory and sends to them, over HTTP.

    GET  /vapid                                          the public key, base64url
    POST /add-subscription     a PushSubscription        201 new, 200 known, 400 refused
    POST /remove-subscription  {"endpoint"}              200, 404 unknown
    POST /notify-me            {"endpoint", "payload"}   what became of the message
    POST /notify-all           {"payload"}               what became of each message

``payload`` is text; ``payload64`` in its place is base64 of bytes. Both may have ``ttl``, ``urgency``
and ``topic`` beside them.
"""

import asyncio
import base64
import ipaddress
import json
import socket
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from pushlab.errors import PushlabError
from pushlab.protocol import base64url
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.origin import origin_of
from pushlab.protocol.subscription import PushSubscription

from .delivery import Outcome, Report, Sender


class Refused(Exception):
    """This subscription is not stored."""


class App:
    """The store, and how it is sent to. ``allowed``: origins that need not be public, nor https."""

    def __init__(self, sender: Sender, allowed: Iterable[str] = ()):
        self.sender, self.allowed = sender, frozenset(allowed)
        self.sender.permits = self.permits
        self.subscriptions: list[PushSubscription] = []

    async def start(self, port: int = 0) -> str:
        """Listen at 127.0.0.1, and return the app's origin."""
        routes = [
            ("/vapid", Vapid),
            ("/add-subscription", AddSubscription),
            ("/remove-subscription", RemoveSubscription),
            ("/notify-me", NotifyMe),
            ("/notify-all", NotifyAll),
        ]
        settings = {"app": self}
        self.server = HTTPServer(
            Application([(path, handler, settings) for path, handler in routes], log_function=print_none)
        )
        [listener] = bind_sockets(port, "127.0.0.1")
        self.server.add_socket(listener)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def stop(self) -> None:
        self.server.stop()
        await self.server.close_all_connections()
        self.sender.close()

    # --- what is stored -------------------------------------------------------------------------

    def add(self, text: bytes) -> bool:
        """Store a subscription, and return whether it is new. Raises Refused."""
        subscription = self.read(text)
        self.check(subscription.endpoint)
        if self.knows(subscription.endpoint):
            return False
        self.subscriptions.append(subscription)
        return True

    def read(self, text: bytes) -> PushSubscription:
        """Read what a page posts. Raises Refused."""
        try:
            return PushSubscription.from_json(text)
        except PushlabError as reason:
            raise Refused(str(reason)) from None

    def check(self, endpoint: str) -> None:
        """Check that the endpoint is at a push service. Raises Refused."""
        url = urlsplit(endpoint)
        if origin_of(endpoint) in self.allowed:
            return
        if url.scheme != "https":
            raise Refused("the endpoint is not https")
        if url.hostname == "localhost" or not self.may_be_stored(url.hostname or ""):
            raise Refused("the endpoint is at no public address")

    def may_be_stored(self, host: str) -> bool:
        """Say whether an endpoint's host is public. A name is judged when it is connected to."""
        return is_public(host, otherwise=True)

    def permits(self, url: str, address: str) -> bool:
        """Say whether a URL may be connected to at this address."""
        return origin_of(url) in self.allowed or is_public(address, otherwise=False)

    def knows(self, endpoint: str) -> bool:
        return self.find(endpoint) is not None

    def find(self, endpoint: str) -> PushSubscription | None:
        return next((one for one in self.subscriptions if one.endpoint == endpoint), None)

    def remove(self, endpoint: str) -> bool:
        """Remove a subscription, and return whether there was one."""
        return self.forget(lambda one: one.endpoint == endpoint)

    def forget(self, fits: Callable[[PushSubscription], bool]) -> bool:
        count = len(self.subscriptions)
        self.subscriptions = [one for one in self.subscriptions if not fits(one)]
        return len(self.subscriptions) < count

    def trusts(self, origin: str | None, host: str) -> bool:
        """Say whether a request may come from a page of this origin. Programs send none."""
        return origin is None or urlsplit(origin).netloc == host

    # --- what is sent ---------------------------------------------------------------------------

    async def notify(
        self, subscription: PushSubscription, payload: bytes, options: PushOptions
    ) -> Report:
        """Send to one, and forget it if it has ended."""
        report = await self.sender.send(subscription, payload, options)
        if report.outcome is Outcome.GONE:
            self.remove(subscription.endpoint)
        return report

    async def notify_all(self, payload: bytes, options: PushOptions) -> list[Report]:
        """Send to all, several at one time: who is slow, gone or refused keeps nobody waiting."""
        rest = iter(list(self.subscriptions))
        reports = []

        async def work() -> None:
            for subscription in rest:
                reports.append(await self.notify(subscription, payload, options))

        await asyncio.gather(*(work() for _ in range(self.sender.in_flight)))
        return reports


def is_public(host: str, *, otherwise: bool) -> bool:
    """Say whether an address is public; ``otherwise``: the answer for a name."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        try:
            ip = ipaddress.IPv4Address(socket.inet_aton(host))  # 2130706433 and 0x7f.1 are 127.0.0.1
        except OSError:
            return otherwise
    return ip.is_global and not ip.is_multicast


def print_none(handler: RequestHandler) -> None:
    """Log nothing of a request: the examination tells what it has sent."""


class Handler(RequestHandler):
    def initialize(self, app: App) -> None:
        self.app = app

    def prepare(self) -> None:
        if not self.app.trusts(self.request.headers.get("Origin"), self.request.host):
            raise HTTPError(403)

    def json(self) -> dict:
        try:
            body = json.loads(self.request.body)
        except ValueError:
            raise HTTPError(400) from None
        if not isinstance(body, dict):
            raise HTTPError(400)
        return body

    def message(self) -> tuple[bytes, PushOptions]:
        """Return what is to be sent."""
        body = self.json()
        try:
            if "payload64" in body:
                payload = base64.b64decode(body["payload64"])
            else:
                payload = body.get("payload", "").encode()
            return payload, PushOptions.from_json({k: v for k, v in body.items() if v not in (None, "")})
        except (PushlabError, ValueError, AttributeError, TypeError):
            raise HTTPError(400) from None


class Vapid(Handler):
    def get(self) -> None:
        self.finish(base64url.encode(self.app.sender.message.key.public))


class AddSubscription(Handler):
    def post(self) -> None:
        try:
            is_new = self.app.add(self.request.body)
        except Refused as reason:
            self.set_status(400)
            self.finish({"error": str(reason)})
        else:
            self.set_status(201 if is_new else 200)
            self.finish({})


class RemoveSubscription(Handler):
    def post(self) -> None:
        endpoint = self.json().get("endpoint")
        self.set_status(200 if isinstance(endpoint, str) and self.app.remove(endpoint) else 404)
        self.finish({})


class NotifyMe(Handler):
    async def post(self) -> None:
        payload, options = self.message()
        subscription = self.app.find(str(self.json().get("endpoint")))
        if subscription is None:
            raise HTTPError(404)
        report = await self.app.notify(subscription, payload, options)
        self.set_status(200 if report.outcome is Outcome.ACCEPTED else 502)
        self.finish({"report": str(report)})


class NotifyAll(Handler):
    async def post(self) -> None:
        payload, options = self.message()
        reports = await self.app.notify_all(payload, options)
        self.finish({"reports": [str(report) for report in reports]})
