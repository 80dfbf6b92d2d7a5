"""An application server that keeps subscriptions in memory and sends to them, over HTTP.

    GET  /vapid                                          the public key, base64url
    POST /add-subscription     a PushSubscription        201 new, 200 known, 400 refused
    POST /remove-subscription  {"endpoint"}              200, 404 unknown, 403 of somebody else
    POST /notify-me            {"endpoint", "payload"}   what became of the message
    POST /notify-all           {"payload"}               what became of each message

``payload`` is text; ``payload64`` in its place is base64 of bytes. Both may have ``ttl``, ``urgency``
and ``topic`` beside them. The cookie ``owner`` says whose subscription it is.
"""

import asyncio
import base64
import ipaddress
import json
import secrets
from collections.abc import Iterable
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
        self.owners: dict[str, str] = {}  # by endpoint

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
        [socket] = bind_sockets(port, "127.0.0.1")
        self.server.add_socket(socket)
        return f"http://127.0.0.1:{socket.getsockname()[1]}"

    async def stop(self) -> None:
        self.server.stop()
        await self.server.close_all_connections()
        self.sender.close()

    # --- what is stored -------------------------------------------------------------------------

    def add(self, text: bytes, owner: str) -> bool:
        """Store a subscription, and return whether it is new. Raises Refused."""
        subscription = self.read(text)
        self.check(subscription.endpoint)
        if self.knows(subscription.endpoint):
            return False
        self.subscriptions.append(subscription)
        self.owners.setdefault(subscription.endpoint, owner)
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
        if url.scheme not in self.schemes():
            raise Refused("the endpoint is not https")
        if url.hostname == "localhost":
            raise Refused("the endpoint is at this machine")
        if not self.permits(endpoint, url.hostname or ""):
            raise Refused("the endpoint is at no public address")

    def schemes(self) -> set[str]:
        return {"https"}

    def permits(self, url: str, address: str) -> bool:
        """Say whether a URL may be connected to at an address. A name is no address yet: it may."""
        if origin_of(url) in self.allowed:
            return True
        try:
            return self.is_public(ipaddress.ip_address(address.strip("[]")))
        except ValueError:
            return True

    def is_public(self, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return ip.is_global and not ip.is_multicast

    def find(self, endpoint: str) -> PushSubscription | None:
        return next((one for one in self.subscriptions if one.endpoint == endpoint), None)

    def knows(self, endpoint: str) -> bool:
        return self.find(endpoint) is not None

    def remove(self, endpoint: str, owner: str) -> bool:
        """Remove a subscription, and return whether there was one. Raises Refused."""
        if not self.owns(owner, endpoint):
            raise Refused("this is the subscription of somebody else")
        return self.forget(endpoint)

    def owns(self, owner: str, endpoint: str) -> bool:
        return self.owners.get(endpoint, owner) == owner

    def forget(self, endpoint: str) -> bool:
        count = len(self.subscriptions)
        self.subscriptions = [one for one in self.subscriptions if one.endpoint != endpoint]
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
            self.forget(subscription.endpoint)
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


def print_none(handler: RequestHandler) -> None:
    """Log nothing of a request: the examination tells what it has sent."""


class Handler(RequestHandler):
    def initialize(self, app: App) -> None:
        self.app = app

    def prepare(self) -> None:
        if not self.app.trusts(self.request.headers.get("Origin"), self.request.host):
            raise HTTPError(403)

    def owner(self) -> str:
        """Return whose request this is; who has no cookie gets one."""
        if not (owner := self.get_cookie("owner")):
            owner = secrets.token_urlsafe()
            self.set_cookie("owner", owner, httponly=True, samesite="Lax")
        return owner

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
            is_new = self.app.add(self.request.body, self.owner())
        except Refused as reason:
            self.set_status(400)
            self.finish({"error": str(reason)})
        else:
            self.set_status(201 if is_new else 200)
            self.finish({})


class RemoveSubscription(Handler):
    def post(self) -> None:
        try:
            was_there = self.app.remove(str(self.json().get("endpoint")), self.owner())
        except Refused as reason:
            self.set_status(403)
            self.finish({"error": str(reason)})
        else:
            self.set_status(200 if was_there else 404)
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
