"""For application servers: RFC 8030's push resource and message resource, over HTTP.

    POST   /wpush/v2/TOKEN   send a message; the URL is the endpoint in the subscription   §5
    GET    /m/ID             read back a message that still waits                          §6
    DELETE /m/ID             acknowledge it, or withdraw it                                §6.2

Chromium's endpoints have other paths, at hosts of its vendor: see ``chromium.listeners``.

In the flavour ``strict`` the responses follow the RFCs, with the reason in the body; ``flavours``
holds the responses of the others. A request is checked in this order: does the subscription exist,
may this application server send to it, are the options valid, is the body in a valid coding? What
passes is answered 201, or as a test has planned (see ``answers``).
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from tornado.httputil import HTTPServerRequest, format_timestamp, responses

from pushlab.errors import (
    BadAudience,
    BadContentEncoding,
    BadUrgency,
    BodyTooLarge,
    DeliveryError,
    KeyReused,
    PushlabError,
    UnknownPath,
)
from pushlab.journal import Party
from pushlab.protocol import vapid
from pushlab.protocol.content_coding import keyid_of, mixes_codings
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.encryption import MAX_BODY
from pushlab.protocol.origin import without_port
from pushlab.pushservice import mozilla
from pushlab.pushservice.answers import PlannedAnswer, PlannedAnswers
from pushlab.pushservice.broker import Broker
from pushlab.pushservice.flavours import Flavour
from pushlab.pushservice.mailbox import Message, OldCoding, Subscription
from pushlab.server.http import ANSWER_HEADERS, StreamedBody

AS, PS = Party.APPLICATION_SERVER, Party.PUSH_SERVICE

T = TypeVar("T")


class PushResource(StreamedBody):
    """The resource that an endpoint names: an application server POSTs messages to it."""

    body_limit = MAX_BODY
    default_headers = ANSWER_HEADERS  # No page reads this, and no other push service sends the others.

    def initialize(
        self,
        broker: Broker,
        origin: Callable[[HTTPServerRequest], str],
        now: Callable[[], float],
        flavour: Callable[[], Flavour],
        answers: PlannedAnswers,
        aud_without_port: bool = False,
    ) -> None:
        """``origin(request)`` is that of the endpoint: the ``aud`` of its tokens (RFC 8292 §2).

        ``aud_without_port``: whether a token that leaves out the origin's port is taken too.
        """
        self.aud_without_port = aud_without_port
        self.broker, self.now, self.flavour, self.answers = broker, now, flavour(), answers
        self.origin = origin(self.request)

    async def post(self, token: str) -> None:
        # The journal names the subscription and the options of every POST, so both are read first.
        # Where one cannot be read, its error is raised at its place in the order of the checks.
        subscription = _value_or_error(lambda: self.broker.mailbox.subscription(token))
        options = _value_or_error(self.requested_options)
        self._record_request(subscription, options)
        try:
            if isinstance(subscription, DeliveryError):
                raise subscription
            signer = self._authenticate(subscription)
            if isinstance(options, DeliveryError):
                raise options
            self.flavour.check_options(options)
            if self.length > MAX_BODY:
                raise BodyTooLarge(f"the body is {self.length} bytes long")
            old = self._coding()
            if old is None:
                self._compare_keys(signer)
            planned, message = self.answers.next_for(token), None
            if planned is None or planned.accepts:
                # A plan is for so many messages: no other one may be answered meanwhile.
                message = await self.broker.accept(
                    subscription, bytes(self.body), options, old, at_once=planned is not None
                )
        except PushlabError as error:
            status = self.flavour.answer(error).status
            self._record_answer(subscription, status, error=error.code)
            raise
        if planned is not None:
            self.answers.use(token)
            self._answer_as_planned(planned)
            self._record_answer(subscription, planned.status, planned=True)
        elif message is not None:
            self._answer_created(message)
            self._record_answer(subscription, 201)
        if message is not None:
            self.broker.dispatch(subscription, message)

    def requested_options(self) -> PushOptions:
        """Read the headers TTL, Urgency and Topic. Raises what PushOptions.from_headers raises."""
        headers = self.flavour.option_headers(self.request.headers)
        try:
            return PushOptions.from_headers(headers)
        except BadUrgency as error:
            if not self.flavour.overlooks(error):
                raise
        others = headers.copy()
        del others["Urgency"]
        return PushOptions.from_headers(others)

    def _authenticate(self, subscription: Subscription) -> bytes | None:
        """Return the public key that signed the token; None if there is no token and none is needed.

        A subscription that is restricted to a key needs one (RFC 8292 §4.2). Raises VapidError.
        """
        headers = self.request.headers
        if headers.get("Authorization") is None and subscription.key is None:
            return None
        credentials = self.flavour.credentials(headers)
        self.flavour.check_claims(self._verified(credentials, subscription.key))
        return credentials.k

    def _verified(self, credentials: vapid.Credentials, key: bytes | None) -> vapid.Claims:
        verify = partial(vapid.verify, credentials, now=self.now(), subscribed_key=key)
        try:
            return verify(origin=self.origin)
        except BadAudience:
            if self.aud_without_port:
                with suppress(BadAudience):
                    return verify(origin=without_port(self.origin))
            raise

    def _coding(self) -> OldCoding | None:
        """Return the headers of the older coding, or None if the body is in aes128gcm, or empty.

        In aes128gcm, the salt and the key are in the body. A sender that puts them into headers too
        mixes two codings, and the user agent could decrypt with either (RFC 8291 §4). Raises
        BadContentEncoding.
        """
        headers = self.request.headers
        if self.flavour.takes_aesgcm:
            return mozilla.coding(headers) if self.body else None
        named = headers.get("Content-Encoding")
        if not self.body and not named:
            return None
        if (named or "").strip().lower() != "aes128gcm":
            raise BadContentEncoding(f"Content-Encoding is {(named or 'missing')[:40]}")
        if mixes_codings(headers.get("Encryption", ""), headers.get("Crypto-Key", "")):
            raise BadContentEncoding("Encryption and Crypto-Key belong to aesgcm, not to aes128gcm")
        return None

    def _compare_keys(self, signer: bytes | None) -> None:
        """Refuse a body that was encrypted with the key that signs (RFC 8292 §3.2).

        A push service cannot decrypt a message, so it accepts a malformed body. The user agent finds
        the fault and drops the message (RFC 8291 §4).
        """
        if signer and keyid_of(bytes(self.body)) == signer:
            error = KeyReused("the keyid of the body is the k of the Authorization header")
            if not self.flavour.overlooks(error):
                raise error

    def _answer_created(self, message: Message) -> None:
        self.set_status(201)
        self.set_header("Location", f"{self.origin}/m/{message.id}")
        self.set_header("TTL", str(message.ttl))
        self.clear_header("Content-Type")
        self.finish()

    def _answer_as_planned(self, planned: PlannedAnswer) -> None:
        self._clear_our_headers()
        for name, value in planned.headers.items():
            self.set_header(name, value)
        self.set_status(planned.status)
        self.finish(planned.body or None)

    def _clear_our_headers(self) -> None:
        """Leave the headers to the vendor, or to the plan: a sender could come to rely on ours."""
        for name in ("Content-Type", *ANSWER_HEADERS):
            self.clear_header(name)

    def write_error(self, status_code: int, **kwargs) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        if not isinstance(error, PushlabError):
            super().write_error(status_code, **kwargs)
            return
        status, headers, body, _source = self.flavour.answer(error)
        if body is not None:
            self._clear_our_headers()
        for name, value in headers.items():
            self.set_header(name, value)
        if body is None:
            super().write_error(status_code, **kwargs)
        else:
            self.set_status(status)
            self.finish(body)

    def _record_request(
        self, subscription: Subscription | DeliveryError, options: PushOptions | DeliveryError
    ) -> None:
        detail: dict[str, object] = {"bytes": self.length}
        if isinstance(options, PushOptions):
            detail |= {"ttl": options.ttl, "topic": options.topic, "urgency": str(options.urgency)}
        name = _display_name(subscription)
        self.broker.journal.record(AS, PS, "POST message", name, "", **detail)

    def _record_answer(
        self, subscription: Subscription | DeliveryError, status: int, **detail: Any
    ) -> None:
        what, name = f"{status} {responses.get(status, 'Unknown')}", _display_name(subscription)
        self.broker.journal.record(PS, AS, what, name, **detail)


def _value_or_error(read: Callable[[], T]) -> T | DeliveryError:
    """Return what ``read`` returns, or the DeliveryError that it raises."""
    try:
        return read()
    except DeliveryError as error:
        return error


def _display_name(subscription: Subscription | DeliveryError) -> str:
    return subscription.display_name if isinstance(subscription, Subscription) else ""


class MessageResource(StreamedBody):
    """The resource that ``Location`` names in the response to a POST; its URL is a secret too."""

    def initialize(self, broker: Broker) -> None:
        self.broker = broker

    def get(self, id: str) -> None:
        message = self._find(id)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Last-Modified", format_timestamp(message.posted_at))
        if message.body:
            self.set_header("Content-Encoding", message.headers["encoding"])
        if message.old:
            self.set_header("Encryption", message.old.encryption)
            if message.old.crypto_key:
                self.set_header("Crypto-Key", message.old.crypto_key)
        self.finish(message.body)

    def delete(self, id: str) -> None:
        self.broker.withdraw(self._find(id))
        self.set_status(204)
        self.finish()

    def _find(self, id: str) -> Message:
        message = self.broker.message(id)
        if message is None:
            raise UnknownPath("no message waits here: it was acknowledged, it expired, or never was")
        return message
