"""What a push service that keeps to the RFCs says to one request: nothing, or why it refuses it."""

from collections.abc import Callable

from pushlab.conformance.recipients import Recipient
from pushlab.errors import BadAudience, BadContentEncoding, BodyTooLarge, KeyReused, PushlabError
from pushlab.protocol import vapid
from pushlab.protocol.content_coding import Header
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.origin import without_port
from pushlab.protocol.spelling.captured import Captured

MAX_BODY = 4096
"""Bytes of a body that every push service takes, RFC 8030 §7.2."""


class Headers(dict[str, str]):
    """The headers of a request with every repeated one, as ``PushOptions.from_headers`` reads them."""

    def __init__(self, request: Captured) -> None:
        super().__init__(request.headers)
        self.get_list: Callable[[str], list[str]] = request.values


def refusal(request: Captured, recipient: Recipient, now: float) -> PushlabError | None:
    """Return why the request is refused; None if it is accepted. ``now``: seconds since 1970."""
    try:
        check_token(request, recipient, now)
        PushOptions.from_headers(Headers(request))
        _check_body(request)
    except PushlabError as error:
        return error
    return None


def check_token(request: Captured, recipient: Recipient, now: float) -> None:
    """Check the token of a request, if it has one or needs one. Raises VapidError.

    An ``aud`` without the port is taken: it is right at the port of https, where vendors listen, and
    many libraries write it. Another case says so.
    """
    given = request.values("Authorization")
    if not given and recipient.key is None:
        return
    credentials = vapid.parse(given[0] if given else None)
    origin, key = recipient.origin, recipient.key
    try:
        vapid.verify(credentials, origin=origin, now=now, subscribed_key=key)
    except BadAudience:
        vapid.verify(credentials, origin=without_port(origin), now=now, subscribed_key=key)
    if key_in_body(request) == credentials.k:
        raise KeyReused("the keyid of the body is the k of the Authorization header")


def key_in_body(request: Captured) -> bytes | None:
    """Return the sender's key in the header of the body; None if there is no such header."""
    try:
        return Header.parse(request.body).keyid if request.body else None
    except PushlabError:
        return None


def _check_body(request: Captured) -> None:
    body = request.body or b""
    coding = (request.values("Content-Encoding") or [""])[0].strip().lower()
    if (body or coding) and coding != "aes128gcm":
        raise BadContentEncoding(f"Content-Encoding is {coding[:40] or 'missing'}")
    if len(body) > MAX_BODY:
        raise BodyTooLarge(f"the body is {len(body)} bytes long")
