"""What a push service that keeps to the RFCs says to one request: nothing, or why it refuses it."""

from collections.abc import Callable

from pushlab.conformance.recipients import Recipient
from pushlab.errors import BadAudience, BadContentEncoding, BodyTooLarge, KeyReused, PushlabError
from pushlab.protocol import vapid
from pushlab.protocol.content_coding import keyid_of
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.encryption import MAX_BODY
from pushlab.protocol.origin import without_port
from pushlab.protocol.spelling.captured import Captured


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
    if keyid_of(request.body or b"") == credentials.k:
        raise KeyReused("the keyid of the body is the k of the Authorization header")


def _check_body(request: Captured) -> None:
    body = request.body or b""
    coding = (request.values("Content-Encoding") or [""])[0].strip().lower()
    if (body or coding) and coding != "aes128gcm":
        raise BadContentEncoding(f"Content-Encoding is {coding[:40] or 'missing'}")
    if len(body) > MAX_BODY:
        raise BodyTooLarge(f"the body is {len(body)} bytes long")
