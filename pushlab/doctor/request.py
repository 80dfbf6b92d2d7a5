"""A request that somebody has at hand: what a push service, and then a user agent, would say to it."""

import re
from collections.abc import Iterator
from dataclasses import replace

from pushlab.doctor.authorization import examine_authorization, of_firebase
from pushlab.doctor.findings import Finding, bad, hint, of_error, ok
from pushlab.doctor.options import examine_options
from pushlab.doctor.subscription import examine_endpoint
from pushlab.doctor.text import vendor as vendor_of
from pushlab.errors import BadContentEncoding, BodyTooLarge, DeliveryError, EncryptionError
from pushlab.protocol import encryption
from pushlab.protocol.content_coding import mixes_codings
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.encryption import MAX_BODY
from pushlab.protocol.spelling.body import text_of, went_through_text
from pushlab.protocol.spelling.captured import Captured
from pushlab.protocol.strict_json import kind
from pushlab.text import origins_only

US = "application server"
SHORT = 19
"""Characters of a value that is shown. An auth secret has 22."""

LIKE_A_SECRET = re.compile(rf"'([^'\s]{{{SHORT + 1},}})'")

SINGLE = ("Authorization", "Content-Encoding", "Content-Length", "Content-Type")
"""Headers that a request has once. TTL, Urgency and Topic are counted where they are read."""


def examine_request(request: Captured, now: float) -> list[Finding]:
    """Examine one request to a push service: method, endpoint, headers, token and body.

    ``now``: seconds since 1970, by which the token is judged.

    >>> request = Captured("raw HTTP", "GET", "https://push.example.net/p", (), None)
    >>> [finding.code for finding in examine_request(request, now=0)][:1]
    ['request-method']
    """
    not_text = [_not_text(name, value) for name, value in request.headers if not isinstance(value, str)]
    headers = tuple((str(name), _text(value)) for name, value in request.headers)
    request = replace(request, headers=headers)
    if (firebase := of_firebase(request)) is not None:
        return [firebase]  # The rules of web push say nothing of it.
    findings = [
        *not_text,
        *_examine_method(request),
        *_examine_host(request),
        *(examine_endpoint(request.url, now) if request.url else ()),
        *_examine_headers(request, now),
        *_examine_coding(request),
        *_examine_body(request),
        *examine_authorization(request, now),
    ]
    # Anything may stand in a header, even an endpoint or a key.
    return [replace(one, seen=origins_only(one.seen)) for one in findings]


def _examine_method(request: Captured) -> Iterator[Finding]:
    if request.method != "POST":
        seen = f"the method is {_short(request.method)}"
        yield bad("request-method", seen, US, "RFC 8030 §5", "Send a message with POST.")


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _not_text(name: object, value: object) -> Finding:
    """Report a header that Python's code gives as a number or as bytes."""
    what = "bytes" if isinstance(value, bytes) else kind(value)
    seen = f"the header {_short(str(name))} is {what}, not text"
    return bad("header-not-text", seen, US, "RFC 9110 §5.5", "Write it in quotes, or with str().")


def _short(value: str) -> str:
    """Return a short word as it is, and say how long another text is. It may be a key."""
    return value if len(value) <= SHORT else f"a text of {len(value)} characters"


def _examine_host(request: Captured) -> Iterator[Finding]:
    # Headers alone have no request line either: nothing is known of the endpoint then.
    if not request.url and request.form != "headers" and not any(map(str.strip, request.values("Host"))):
        seen = "no Host header says to which push service the request goes"
        fix = "Copy the Host header too: if none was sent, any server answers 400."
        yield bad("host-missing", seen, US, "RFC 9112 §3.2", fix)


class _Headers(dict[str, str]):
    """The headers with every repeated one, as Tornado keeps them for PushOptions.from_headers()."""

    def __init__(self, request: Captured):
        super().__init__(request.headers)
        self.get_list = request.values


def _examine_headers(request: Captured, now: float) -> Iterator[Finding]:
    for name in (name for name, _ in request.headers if name != name.rstrip()):
        seen = f"there is a space between {_short(name.strip())} and its colon: servers refuse that"
        yield bad("header-space", seen, US, "RFC 9112 §5.1", "Write the colon right after the name.")
    for name in SINGLE:
        if (count := len(request.values(name))) > 1:
            seen = f"{name} is there {count} times"
            yield bad("header-repeated", seen, US, "RFC 9110 §5.3", f"Send {name} once.")
    try:
        options = PushOptions.from_headers(_Headers(request))
    except DeliveryError as error:
        finding = of_error(error)
        yield replace(finding, seen=LIKE_A_SECRET.sub(lambda found: _short(found[1]), finding.seen))
        return
    members = {"ttl": options.ttl, "urgency": str(options.urgency)}
    if options.topic is not None:
        members["topic"] = options.topic
    yield from examine_options(members, vendor_of(request.url), now)


def _coding(request: Captured) -> tuple[str, list[str]]:
    """Return the content coding, and which headers of the older coding are there."""
    coding = (request.values("Content-Encoding") or [""])[0].strip().lower()
    return coding, [name for name in ("Encryption", "Crypto-Key") if request.values(name)]


def _examine_coding(request: Captured) -> Iterator[Finding]:
    coding, old = _coding(request)
    if coding == "aesgcm":
        seen = "Content-Encoding is aesgcm, the coding of a draft: salt and key are in headers"
        fix = "Use a library that writes aes128gcm; Apple takes nothing else."
        yield bad("coding-aesgcm", seen, US, BadContentEncoding.rfc, fix)
    elif coding != "aes128gcm" and (request.body or coding):
        seen = f"Content-Encoding is {_short(coding) or 'missing'}"
        yield bad("coding", seen, US, BadContentEncoding.rfc, f"{BadContentEncoding.hint}.")
    elif old and coding:
        # Senders for both schemes of VAPID still put p256ecdsa there, and no push service minds.
        values = (",".join(request.values(name)) for name in ("Encryption", "Crypto-Key"))
        level = bad if mixes_codings(*values) else hint
        seen = f"the request has {' and '.join(old)}, which belong to aesgcm, beside aes128gcm"
        fix = "Leave these headers out: in aes128gcm, salt and key are in the body."
        yield level("coding-mixed", seen, US, "RFC 8291 §4", fix)


def _examine_body(request: Captured) -> Iterator[Finding]:
    body = request.body
    if body is None:
        fix = "Give the body by itself, with body=… or --body FILE."
        yield hint("body-missing", f"{request.without}: it was not examined", "", "", fix)
        return
    length = (request.values("Content-Length") or [""])[0]
    if length and length != str(len(body)):
        seen = f"Content-Length is {_short(length)}, and the body has {len(body)} bytes"
        fix = "Let the HTTP library count, and keep the body as bytes, never as text."
        yield bad("body-length", seen, US, "RFC 9110 §8.6", fix)
    if len(body) > MAX_BODY:
        seen = f"the body has {len(body)} bytes; push services need accept only {MAX_BODY}"
        yield bad("body-too-large", seen, US, BodyTooLarge.rfc, f"{BodyTooLarge.hint}.")
    coding, old = _coding(request)
    if not body:
        yield ok("body-empty", "no body: the message only wakes the service worker")
    elif went_through_text(body):
        seen = "the bytes of the body were read as text and written as UTF-8"
        why = "the body is valid UTF-8, which an encrypted body never is"
        fix = "Keep it as bytes, from the encryption to the socket: no decode(), no toString(), no text."
        yield bad("body-through-text", f"{seen}: {why}", US, "RFC 8291 §4", fix)
    elif text := text_of(body):
        fix = "Encrypt the payload as RFC 8291 says, and send the bytes that come out, not text."
        yield bad("body-is-text", f"the body is {text}", US, "RFC 8291 §4", fix)
    elif coding == "aes128gcm" or not (old or coding == "aesgcm"):
        try:
            encryption.read_header(body)
        except EncryptionError as error:
            yield of_error(error, "body-header")
        else:
            yield ok("body", f"the body is one aes128gcm record: {len(body)} bytes")
