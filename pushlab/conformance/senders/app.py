"""An app over HTTP: it keeps subscriptions, and sends when it is asked to."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin, urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import HTTPTimeoutError

from pushlab.conformance.exchange import Message, SenderReport
from pushlab.conformance.recipients import Recipient
from pushlab.conformance.senders import template
from pushlab.conformance.senders.template import Template
from pushlab.text import show

MAX_REPLY = 2**20
"""Bytes of a reply that is read."""

AT_ONCE = 8
"""Messages that the app is asked for at the same time."""

NO_HEADERS: Mapping[str, str] = {}

CLIENTS = 32
"""Requests to the app that may be under way at the same time."""


@dataclass(frozen=True)
class Routes:
    """The addresses of an app's routes; "" for one that it does not have."""

    subscribe: str
    send: str
    send_all: str = ""
    unsubscribe: str = ""

    @classmethod
    def of(cls, subscribe: str, send: str = "", send_all: str = "", unsubscribe: str = "") -> "Routes":
        """Return the routes that are given, and for the others those of the lab.

        >>> Routes.of("http://127.0.0.1:8292").send
        'http://127.0.0.1:8292/notify-me'
        """
        if urlsplit(subscribe).path.strip("/"):
            return cls(subscribe, send or urljoin(subscribe, "notify-me"), send_all, unsubscribe)
        names = "add-subscription", "notify-me", "notify-all", "remove-subscription"
        usual = cls(*(urljoin(f"{subscribe.rstrip('/')}/", name) for name in names))
        given = {"send": send, "send_all": send_all, "unsubscribe": unsubscribe}
        return replace(usual, **{name: url for name, url in given.items() if url})


class AppSender:
    """Post to an app's routes.

    ``subscribe_body``, ``send_body`` and ``unsubscribe_body`` are templates of what it takes;
    ``limit``: seconds that a reply may take. Raises BadArgument for a template that cannot be read.
    """

    form = "app"
    ends = False
    at_once = AT_ONCE

    def __init__(
        self,
        routes: Routes,
        *,
        subscribe_body: str = template.SUBSCRIBE,
        send_body: str = template.SEND,
        unsubscribe_body: str = template.UNSUBSCRIBE,
        limit: float = 45.0,
    ) -> None:
        self.routes, self.limit = routes, limit
        self._subscribe = Template(subscribe_body, template.OF_A_SUBSCRIPTION)
        self._send = Template(send_body, template.OF_A_MESSAGE)
        self._unsubscribe = Template(unsubscribe_body, template.OF_A_SUBSCRIPTION)
        self.sets = frozenset(self._send.names & {"payload", "ttl", "urgency", "topic"})
        self.sends_to_all = not self._send.names & template.OF_A_SUBSCRIPTION
        self._client: AsyncHTTPClient | None = None

    @property
    def reports(self) -> bool:
        """Whether its reply says what became of a message: not, if it sends to all."""
        return not self.sends_to_all

    @property
    def removes(self) -> bool:
        """Whether it has a route that removes a subscription."""
        return bool(self.routes.unsubscribe)

    @property
    def has_notify_all(self) -> bool:
        """Whether one request reaches everybody."""
        return self.sends_to_all or bool(self.routes.send_all)

    async def open(self) -> None:
        """Get ready."""
        self._client = AsyncHTTPClient(force_instance=True, max_clients=CLIENTS, max_body_size=MAX_REPLY)

    async def close(self) -> None:
        """Close the client; the app runs on."""
        if self._client is not None:
            self._client.close()

    async def send(self, message: Message) -> SenderReport:
        """Subscribe, and let the app send."""
        said = await self.subscribe(message.recipient)
        if said.fault or not said.accepted:
            origin = message.recipient.origin
            allow = f". Has it been told to allow endpoints at {origin}?" if said.status else ""
            why = said.fault or f"the app refuses the subscription: {said.status} {show(said.text)}"
            return replace(said, fault=f"{why}{allow}")
        return await self.notify(message.recipient, message)

    async def subscribe(self, recipient: Recipient) -> SenderReport:
        """Hand over a subscription."""
        return await self.subscribe_with(recipient.subscription.to_json())

    async def subscribe_with(
        self, value: object, headers: Mapping[str, str] = NO_HEADERS
    ) -> SenderReport:
        """Hand over any value in place of a subscription."""
        body, media_type = self._subscribe.fill(_members(value))
        return await self._post(self.routes.subscribe, body, media_type, headers)

    async def notify(
        self, recipient: Recipient, message: Message, headers: Mapping[str, str] = NO_HEADERS
    ) -> SenderReport:
        """Let the app send to a subscription that it has."""
        body, media_type = self._send.fill(_values(recipient, message))
        said = await self._post(self.routes.send, body, media_type, headers)
        return replace(said, accepted=None) if said.accepted and self.sends_to_all else said

    async def notify_all(self, message: Message) -> SenderReport:
        """Let the app send to everybody."""
        url = self.routes.send if self.sends_to_all else self.routes.send_all
        return await self._post(url, *self._send.fill(_values(message.recipient, message)))

    async def notify_at(self, subscription: Mapping[str, Any]) -> SenderReport:
        """Let the app send to any subscription that it has taken."""
        values: dict[str, Any] = {"payload": "Examined", "ttl": 60, "urgency": "normal", "topic": ""}
        values |= _members(subscription)
        return await self._post(self.routes.send, *self._send.fill(values))

    async def unsubscribe_with(self, value: object) -> None:
        """Let the app forget a subscription, or any value in its place, if it has a route for that."""
        if self.removes:
            await self._post(self.routes.unsubscribe, *self._unsubscribe.fill(_members(value)))

    async def subscribe_raw(self, body: bytes) -> SenderReport:
        """Post any bytes in place of the body with a subscription."""
        return await self._post(self.routes.subscribe, body, "application/json")

    async def _post(
        self, url: str, body: bytes, media_type: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> SenderReport:
        assert self._client is not None, "open() comes first"
        began = time.monotonic()
        request = HTTPRequest(
            url,
            method="POST",
            body=body,
            headers={"Content-Type": media_type, **headers},
            follow_redirects=False,
            decompress_response=False,
            connect_timeout=self.limit,
            request_timeout=self.limit,
            validate_cert=False,  # It is on this machine, often with a certificate that it has signed.
        )
        path = urlsplit(url).path
        # A case may cancel its wait. Tornado would log whatever then becomes of the request.
        reply = asyncio.ensure_future(self._client.fetch(request, raise_error=False))
        reply.add_done_callback(_seen)
        try:
            response = await asyncio.shield(reply)
        except HTTPTimeoutError:
            return SenderReport(fault=f"POST {path} had no reply after {self.limit:g} s")
        except HTTPClientError as error:
            return SenderReport(fault=f"POST {path}: {error.message}")
        except (OSError, asyncio.IncompleteReadError) as error:
            why = getattr(error, "strerror", None) or str(error)
            return SenderReport(fault=f"the app at {_host(url)} cannot be reached: {why}")
        except Exception as error:  # noqa: BLE001 — whatever a reply makes Tornado raise is a fault of the app
            return SenderReport(fault=f"POST {path}: the reply cannot be read ({type(error).__name__})")
        return _said(response, path, time.monotonic() - began)


def _host(url: str) -> str:
    """Return the host and the port of a URL, without a password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _members(value: object) -> dict[str, Any]:
    """Return what the templates of a subscription can name, of any value in its place."""
    members = value if isinstance(value, Mapping) else {}
    keys = members.get("keys")
    keys = keys if isinstance(keys, Mapping) else {}
    return {
        "subscription": value,
        "subscription_json": json.dumps(value),
        "endpoint": members.get("endpoint"),
        "p256dh": keys.get("p256dh"),
        "auth": keys.get("auth"),
    }


def _seen(reply: asyncio.Future[HTTPResponse]) -> None:
    """Take the error of a request that nobody waits for any more."""
    if not reply.cancelled():
        reply.exception()


def _values(recipient: Recipient, message: Message) -> dict[str, Any]:
    subscription = recipient.subscription.to_json()
    return _members(subscription) | {
        "payload": message.payload.decode(),
        "ttl": message.ttl,
        "urgency": message.urgency,
        "topic": message.topic,
    }


def _said(response: HTTPResponse, path: str, seconds: float) -> SenderReport:
    if isinstance(response.error, OSError) or response.code == 599:
        fault = f"the app cannot be reached: {response.error}"
        return SenderReport(fault=fault, seconds=seconds)
    if 300 <= response.code < 400:
        return SenderReport(
            fault=f"POST {path} was answered {response.code}, a redirect: name the route itself"
        )
    html = "html" in response.headers.get("Content-Type", "")
    return SenderReport(
        accepted=200 <= response.code < 300,
        text=response.body.decode("utf-8", "replace"),
        status=f"HTTP {response.code}{', an HTML page' if html else ''}",
        seconds=seconds,
    )
