"""The door of the application servers: RFC 8030's push resource and message resource, over HTTP.

    POST   /wpush/v2/TOKEN   send a message; the URL is the endpoint in the subscription   §5
    GET    /m/ID             read back a message that still waits                          §6
    DELETE /m/ID             acknowledge it, or withdraw it                                §6.2

Chromium's endpoints have paths of their own, at hosts of its vendor's: see ``chromium``.

The answers follow the RFCs, and the reason is in the body. What a request may be refused for is
checked in the order in which a reader would ask: is there such a subscription, who are you, what do
you want of me, and what have you sent?
"""

from collections.abc import Callable

from tornado.httputil import format_timestamp, responses

from pushlab.errors import (
    BadContentEncoding,
    BodyTooLarge,
    DeliveryError,
    EncryptionError,
    KeyReused,
    PushlabError,
    QueueFull,
    UnknownPath,
)
from pushlab.journal import Party
from pushlab.protocol import vapid
from pushlab.protocol.content_coding import Header
from pushlab.protocol.delivery import PushOptions
from pushlab.pushservice.mailbox import Message, Subscription
from pushlab.pushservice.office import PostOffice
from pushlab.web import StreamedBody

AS, PS = Party.APPLICATION_SERVER, Party.PUSH_SERVICE

MAX_BODY = 4096
"""Bytes of a message that a push service must take (RFC 8030 §7.2), and that this one takes."""

RETRY_AFTER = 60
"""Seconds that a sender is asked to wait when too many messages wait for its user agent."""


class PushResource(StreamedBody):
    """The resource that an endpoint names: an application server POSTs messages to it."""

    body_limit = MAX_BODY

    def initialize(
        self, office: PostOffice, origin: Callable[[], str], now: Callable[[], float]
    ) -> None:
        self.office, self.origin, self.now = office, origin, now

    def post(self, token: str) -> None:
        who = self.office.who(token)
        self.office.journal.record(
            AS, PS, "POST message", who, bytes=self.length, **self._wishes()
        )
        try:
            message = self._take(token)
        except PushlabError as error:
            self._tell_answer(who, error.status, error=error.code)
            raise
        self._answer_created(message)
        self._tell_answer(who, 201)
        self.office.dispatch(message)

    def _take(self, token: str) -> Message:
        signer = self._authenticate(self.office.mailbox.subscription(token))
        options = PushOptions.from_headers(self.request.headers)
        return self.office.post(token, self._checked_body(signer), options)

    def _wishes(self) -> dict:
        """Return what the headers ask for, for the journal; nothing if they cannot be read."""
        try:
            options = PushOptions.from_headers(self.request.headers)
        except DeliveryError:
            return {}
        return {"ttl": options.ttl, "topic": options.topic, "urgency": str(options.urgency)}

    def _authenticate(self, subscription: Subscription) -> bytes | None:
        """Return the key that signed, or None if nobody did and nobody had to (RFC 8292 §4.2)."""
        authorization = self.request.headers.get("Authorization")
        if authorization is None and subscription.key is None:
            return None
        credentials = vapid.parse(authorization)
        vapid.verify(
            credentials, origin=self.origin(), now=self.now(), subscribed_key=subscription.key
        )
        return credentials.k

    def _checked_body(self, signer: bytes | None) -> bytes:
        if self.length > MAX_BODY:
            raise BodyTooLarge(f"the body is {self.length} bytes long")
        coding = self.request.headers.get("Content-Encoding")
        if (self.body or coding) and (coding or "").strip().lower() != "aes128gcm":
            raise BadContentEncoding(f"Content-Encoding is {(coding or 'missing')[:40]}")
        body = bytes(self.body)
        if signer and _keyid(body) == signer:
            raise KeyReused("the keyid of the body is the k of the Authorization header")
        return body

    def _answer_created(self, message: Message) -> None:
        self.set_status(201)
        self.set_header("Location", f"{self.origin()}/m/{message.id}")
        self.set_header("TTL", str(message.ttl))
        self.clear_header("Content-Type")
        self.finish()

    def write_error(self, status_code: int, **kwargs) -> None:
        if isinstance(kwargs.get("exc_info", (None, None))[1], QueueFull):
            self.set_header("Retry-After", str(RETRY_AFTER))
        super().write_error(status_code, **kwargs)

    def _tell_answer(self, who: str, status: int, **detail: str) -> None:
        self.office.journal.record(PS, AS, f"{status} {responses[status]}", who, **detail)


def _keyid(body: bytes) -> bytes | None:
    """Return the key that encrypted a body, or None if there is none to be seen.

    A push service cannot read a message, so a body that is malformed passes: it is the user agent
    that finds out, and drops it (RFC 8291 §4).
    """
    try:
        return Header.parse(body).keyid
    except EncryptionError:
        return None


class MessageResource(StreamedBody):
    """The resource that ``Location`` named in the answer to a POST; its URL is a secret too."""

    def initialize(self, office: PostOffice) -> None:
        self.office = office

    def get(self, id: str) -> None:
        message = self._find(id)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Last-Modified", format_timestamp(message.posted_at))
        if message.body:
            self.set_header("Content-Encoding", "aes128gcm")
        self.finish(message.body)

    def delete(self, id: str) -> None:
        self.office.withdraw(self._find(id))
        self.set_status(204)
        self.finish()

    def _find(self, id: str) -> Message:
        message = self.office.message(id)
        if message is None:
            raise UnknownPath("no message waits here: it was acknowledged, it expired, or never was")
        return message
