"""The routes that the page and its worker call.

A handler reads the request, calls the ApplicationServer, and writes the answer. A call of the
database may wait for a lock, so it runs in a thread.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from pushlab.appserver.explain.outcome import Outcome
from pushlab.appserver.participants import shown_name
from pushlab.appserver.web.handler import Handler
from pushlab.errors import (
    BadBase64url,
    BadEndpoint,
    BadField,
    BadPublicKey,
    NoEndpoint,
    PushServiceRefused,
    SubscriptionGone,
    UnknownSubscription,
)
from pushlab.journal import Party
from pushlab.protocol import base64url, p256
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.spelling import Kind, advise, wrapping
from pushlab.protocol.subscription import PushSubscription, label_of
from pushlab.settings import patience
from pushlab.text import show

OF_A_NOTIFICATION = {"shown", "clicked", "closed"}
"""Events that the service worker reports of a notification, and the journal names in full."""

MAX_EVENT = 64
"""Characters that the event of a report may have."""

MAX_CODE = 64
"""Characters of a code that are looked at."""

MAX_LABEL = 16
"""Characters of a label that are shown. Each subscription's has eight."""

MAX_DETAILS = 8
"""Members of a report's detail that are kept."""

SECRET = {"endpoint", "keys", "p256dh", "auth", "title", "body", "data", "digest"}
"""Members of a report's detail that must not be written into the journal."""

RESERVED = {"self", "source", "target", "what", "who", "label"}
"""Names that have another meaning in the journal."""


WITHOUT_KEYS = (
    "The subscription came without keys (p256dh and auth), so nothing can be encrypted for it. It is "
    "stored. Unless its keys were stored before, its messages go without a payload, and the worker "
    "shows a notification of its own."
)
"""The warning in the answer to such a subscription."""


FOR_ANOTHER_KEY = (
    "The subscription was made for another application server key than this server signs with. It is "
    "stored, but a push service refuses the messages to it. Let the page unsubscribe and subscribe "
    "again with the key of /vapid."
)


class VapidHandler(Handler):
    """``GET /vapid``: the public key, base64url."""

    recorded = True

    def get(self) -> None:
        self.record()
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(self.server.keys.application_server_key)


class HealthHandler(Handler):
    """``GET /health``: what this server is, where the lab's push service is, what is routed to it.

    In a ``room`` an instructor has a token. ``patience`` is PUSHLAB_PATIENCE: the page multiplies by it
    the 20 s in which its browser's push service or a service worker has to answer.
    """

    def get(self) -> None:
        self.succeed(
            name="pushlab",
            patience=patience(1),
            push_service=self.server.push_service_url,
            room=self.server.guard.token is not None,
            routes=[str(route) for route in self.server.connect_overrides],
        )


class AddSubscriptionHandler(Handler):
    """``POST /add-subscription``: 201 if it is new, 200 if it was stored already.

    With the subscription's members there may be ``name``, the participant's name in the room, and
    ``applicationServerKey`` or ``options`` with one, the key that the subscription was made for. Our
    page leaves that out: it sends only subscriptions that were made for this server's key. A
    subscription without keys, or for another key, is stored too, and the answer has a ``warning``.
    """

    recorded = True

    async def post(self) -> None:
        request = self.json()
        subscription = PushSubscription.from_json(request, keys_required=False)
        self.label = subscription.label
        display_name = shown_name(request.get("name")) or self.display_name
        made_for = key_in(request)
        new = await asyncio.to_thread(self.server.subscribe, subscription, display_name, made_for)
        self.server.room.joined(subscription.endpoint, self.browser)
        status = 201 if new else 200
        self.set_status(status)
        if not subscription.has_keys:
            self.record(status=status, keys="none")
            self.succeed(warning=WITHOUT_KEYS)
        elif made_for not in (None, self.server.keys.public):
            self.record(status=status, key="another")
            self.succeed(warning=FOR_ANOTHER_KEY)
        else:
            self.record(status=status)
            self.succeed()


def key_in(request: Mapping[str, Any]) -> bytes | None:
    """Return the key that a subscription was made for, or None if the request does not say.

    Raises BadBase64url, BadPublicKey.

    >>> key_in({"endpoint": "https://push.example.net/1"})
    """
    options = request.get("options")
    beside = options.get("applicationServerKey") if isinstance(options, Mapping) else None
    text = request.get("applicationServerKey", beside)
    if text is None:
        return None
    try:
        return p256.raw_public(p256.load_public(base64url.decode(text)))
    except (BadBase64url, BadPublicKey) as reason:
        found = advise(text, Kind.PUBLIC)
        detail = f"it is {found.what}" if found else reason.detail
        told = f"applicationServerKey cannot be read: {detail}"
        raise type(reason)(told, hint=found.turn if found else "") from None


class RemoveSubscriptionHandler(Handler):
    """``POST /remove-subscription``."""

    recorded = True

    async def post(self) -> None:
        endpoint = endpoint_in(self.json())
        self.label = label_of(endpoint)
        if not await asyncio.to_thread(self.server.store.remove, endpoint):
            raise UnknownSubscription
        self.record(status=200)
        server = Party.APPLICATION_SERVER
        names = self.display_name, self.label
        self.server.journal.record(server, server, "remove subscription", *names)
        self.succeed()


class NotifyMeHandler(Handler):
    """``POST /notify-me``: one message to the subscription of the request."""

    recorded = True

    async def post(self) -> None:
        request = self.json()
        endpoint = endpoint_in(request)
        self.label = label_of(endpoint)
        await self.notify(endpoint, request)

    async def notify(self, endpoint: str, request: Mapping[str, Any]) -> None:
        """Send the message of the request to one subscription, and answer with its outcome."""
        options = options_in(request)
        self.record()
        outcome = await self.server.notify(
            endpoint, options=options, notification=request.get("notification")
        )
        if outcome.kind == "accepted":
            self.succeed(status=outcome.status, outcome=outcome.kind, message=outcome.text)
        else:
            self._refuse(outcome)

    def _refuse(self, outcome: Outcome) -> None:
        error = SubscriptionGone if outcome.kind == "gone" else PushServiceRefused
        self.set_status(502)
        self.finish({"error": {"id": error.code, "message": outcome.text, "status": outcome.status}})


class NotifyOneHandler(NotifyMeHandler):
    """``POST /notify-one``: one message to the subscription with this label, for the instructor.

    The list of participants has no endpoints, because they are secrets.
    """

    instructor_only = True

    async def post(self) -> None:
        request = self.json()
        label = request.get("label")
        if not isinstance(label, str):
            raise BadField("label is missing, or not text")
        self.label = show(label, limit=MAX_LABEL)
        await self.notify(await asyncio.to_thread(self.server.endpoint_of, label), request)


class NotifyAllHandler(Handler):
    """``POST /notify-all``: one message to every subscription."""

    recorded = instructor_only = True

    async def post(self) -> None:
        request = self.json()
        options = options_in(request)
        self.record()
        counts = await self.server.notify_all(options=options, notification=request.get("notification"))
        not_sent = {"not_sent": counts.not_sent} if counts.not_sent else {}
        self.succeed(
            accepted=counts.accepted,
            gone=counts.gone,
            retried=counts.retried,
            failed=counts.failed,
            id=counts.id,
            **not_sent,
        )


class SubscriptionsHandler(Handler):
    """``GET /subscriptions``: the participants in the room. The answer contains no endpoint."""

    instructor_only = True

    async def get(self) -> None:
        rows = await self.server.participants()
        self.succeed(participants=[row.to_json() for row in rows])


class InstructorHandler(Handler):
    """``POST /instructor``: exchange the code of an instructor's link for the token of a session."""

    recorded = True

    async def post(self) -> None:
        code = self.json().get("code")
        if not isinstance(code, str):
            raise BadField("code is missing, or not text")
        token = self.server.access.exchange(code[:MAX_CODE], self.request.remote_ip)
        self.record(status=200)
        self.succeed(token=token)


class ReportHandler(Handler):
    """``POST /report``: an event in the user agent, which no server can observe."""

    def post(self) -> None:
        request = self.json()
        event, detail = request.get("event"), request.get("detail")
        if not isinstance(event, str) or not event.strip():
            raise BadField("event is missing, or not text")
        if len(event) > MAX_EVENT:
            raise BadField(f"event is {len(event)} characters long, over {MAX_EVENT}")
        if not isinstance(detail, str | dict | None):
            raise BadField("detail is neither text nor an object")
        if event == "push received" and isinstance(detail, dict):
            endpoint, digest = detail.get("endpoint"), detail.get("digest")
            if isinstance(endpoint, str) and isinstance(digest, str):
                self.server.room.received(endpoint, digest, self.browser)
                self.label = label_of(endpoint)
        agent = Party.USER_AGENT
        what, detail = event_of(show(event), detail)
        names = self.display_name, self.label
        self.server.journal.record(agent, agent, what, *names, **detail)
        self.set_status(204)
        self.finish()


def event_of(event: str, detail: str | dict[str, Any] | None) -> tuple[str, dict[str, Any]]:
    """Return a report's event as the journal names it, and the part of its detail that may be shown.

    >>> event_of("permission", "granted")
    ('permission granted', {})
    >>> event_of("error", {"name": "AbortError", "endpoint": "https://push.example.net/secret"})
    ('error', {'name': 'AbortError'})
    """
    if event == "permission" and isinstance(detail, str):
        return f"permission {show(detail)[:MAX_EVENT]}", {}
    if isinstance(detail, str):
        detail = {"detail": detail}
    kept: dict[str, Any] = {}
    for name, value in list((detail or {}).items())[:MAX_DETAILS]:
        name = show(name)[:MAX_EVENT]
        if name in SECRET | RESERVED or not isinstance(value, str | int | float | None):
            continue
        if name in kept:
            name = f"{name} ({len(kept)})"  # Two names may be shown alike.
        kept[name] = show(value) if isinstance(value, str) else value
    return f"notification {event}" if event in OF_A_NOTIFICATION else event, kept


def endpoint_in(request: Mapping[str, Any]) -> str:
    """Return the endpoint of a request. Raises NoEndpoint, BadEndpoint."""
    endpoint = request.get("endpoint")
    if endpoint is None or endpoint == "":
        place = wrapping.find(request)
        where = f": {place.what}" if place else ""
        raise NoEndpoint(f"there is no member endpoint{where}", hint=place.turn if place else "")
    if not isinstance(endpoint, str):
        raise BadEndpoint("endpoint is not text")
    return endpoint


def options_in(request: Mapping[str, Any]) -> PushOptions:
    """Return the options of a request, or the default ones.

    Raises BadField, BadTtl, BadUrgency, BadTopic.
    """
    options = request.get("options")
    return PushOptions() if options is None else PushOptions.from_json(options)
