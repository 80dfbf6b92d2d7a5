"""Every parser of pushlab that reads what a stranger has written, in one table.

A ``Target`` takes bytes and reads them as one parser would. What may come out is a value for which
the target asserts what it can (what is printed and read again is the same), or one of the errors
that it names. Anything else is a finding, and so is an input that takes longer than
``INPUT_SECONDS``. Hypothesis, atheris and ``./lab fuzz`` all read this table.
"""

import asyncio
import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import examples
import servers
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tornado.httputil import HTTPHeaders, HTTPInputError

from pushlab.appserver import key_sources
from pushlab.appserver.delivery.response import NetworkFault, read_response
from pushlab.appserver.explain import outcome
from pushlab.appserver.keys import DEFAULT_SUBJECT, VapidKeys
from pushlab.appserver.keys import explained as key_explained
from pushlab.conformance import http1
from pushlab.doctor.claims import examine_claims
from pushlab.doctor.inspection import Receiver, inspect_request
from pushlab.doctor.keys import examine_keys
from pushlab.doctor.subscription import examine_subscription
from pushlab.errors import (
    BadResponse,
    DeliveryError,
    EncryptionError,
    FormatError,
    KeyFileError,
    PushlabError,
    RequestError,
    SubscriptionError,
    VapidError,
)
from pushlab.protocol import base64url, content_coding, encryption, jws, strict_json, utf8, vapid
from pushlab.protocol.content_coding import Header
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.spelling import (
    Kind,
    advise,
    captured,
    key_file_reader,
    others,
    recognize,
    times,
    wrapping,
)
from pushlab.protocol.spelling.body import body_of
from pushlab.protocol.spelling.paths import not_a_path
from pushlab.protocol.spelling.shapes import LENGTHS
from pushlab.protocol.subscription import PushSubscription
from pushlab.pushservice.chromium import checkin, messages, protobuf
from pushlab.settings import patience
from pushlab.text import json_line

INPUT_SECONDS = 2.0
"""How long a processor may work at one input. The slowest target needs some milliseconds."""

HANGS = 30
"""How many times as long an input may take if this process waits, or its turn does not come."""


@dataclass(frozen=True)
class Target:
    """One parser: ``read`` takes bytes, and may raise what is in ``errors``.

    ``seeds`` are valid examples, to begin with and to change.
    """

    name: str
    read: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    errors: tuple[type[PushlabError], ...] = ()

    def __call__(self, data: bytes) -> None:
        """Read one input. Whatever this raises is a finding."""
        with bounded(INPUT_SECONDS):
            try:
                self.read(data)
            except self.errors as error:
                str(error), error.to_json()  # what was raised must be fit to be shown


class TookTooLong(AssertionError):
    """An input took longer than it may."""


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raise TookTooLong after that time: at once where the system can interrupt, else afterwards.

    The seconds are those of the processor, so that a busy machine changes nothing.
    """
    interruptible = (
        hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    )

    def stop(*_) -> None:
        raise TookTooLong(f"over {seconds:g} s")

    before = time.process_time()
    if interruptible:
        was = {number: signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)}
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, patience(HANGS * seconds))
    try:
        yield
    finally:
        if interruptible:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in was.items():
                signal.signal(number, handler)
    if time.process_time() - before > seconds:
        raise TookTooLong(f"over {seconds:g} s")


def text_of(data: bytes) -> str:
    """Read bytes as text so that every character below 256 can occur."""
    return data.decode("latin-1")


# --- the protocol ---------------------------------------------------------------------------------


def read_base64url(data: bytes) -> None:
    text = text_of(data)
    assert base64url.encode(base64url.decode(text)) == text
    assert base64url.decode(base64url.encode(data)) == data


def read_subscription(data: bytes) -> None:
    read = PushSubscription.from_json(data)
    assert PushSubscription.from_json(json.dumps(read.to_json())) == read
    assert read.origin.startswith(("http://", "https://")) and read.label


def read_header(data: bytes) -> None:
    header = Header.parse(data)
    assert data.startswith(bytes(header)) and len(bytes(header)) == len(header)
    assert Header.parse(bytes(header)) == header


def read_body(data: bytes) -> None:
    encryption.decrypt(data, ua_private=examples.UA_PRIVATE, auth_secret=examples.AUTH)


def read_records(data: bytes) -> None:
    """Seal the input as it is, so that what is inside a record is read too.

    The first two bytes choose the record size, the rest is data, delimiters and padding.
    """
    rs, padded = max(18, int.from_bytes(data[:2], "big")), data[2:]
    header = Header(bytes(16), rs, b"")
    keys = content_coding.derive(bytes(16), header.salt)
    room = rs - 16
    pieces = [padded[start : start + room] for start in range(0, len(padded), room)]
    records = [
        AESGCM(keys.cek).encrypt(content_coding.record_nonce(keys.nonce, seq), piece, None)
        for seq, piece in enumerate(pieces)
    ]
    plaintext = content_coding.decrypt(bytes(header) + b"".join(records), ikm=bytes(16))
    expected = [piece.rstrip(b"\0")[:-1] for piece in pieces]
    assert plaintext == b"".join(expected)


def read_authorization(data: bytes) -> None:
    header = text_of(data)
    credentials = vapid.parse(header)
    again = vapid.authorization(credentials.t, credentials.k)
    if '"' not in header:  # a quoted t may hold what has to be quoted again
        assert vapid.parse(again) == credentials
    vapid.verify(header, origin=examples.ORIGIN, now=examples.NOW)


def read_claims(data: bytes) -> None:
    """Sign whatever it is: an application server may, and only then are its claims looked at."""
    token = jws.sign(vapid.HEADER, data, examples.AS_PRIVATE)
    header = vapid.authorization(token, examples.AS_PUBLIC)
    claims = vapid.verify(header, origin=examples.ORIGIN, now=examples.NOW)
    assert examples.NOW < claims.exp <= examples.NOW + 86400
    json.loads(claims.to_json())


def read_token(data: bytes) -> None:
    token = text_of(data)
    jws.verify(jws.split(token), examples.AS_PRIVATE.public_key())


def read_options(data: bytes) -> None:
    """Read headers as a push service does, however they come in; then the same as JSON."""
    try:
        headers = HTTPHeaders.parse(text_of(data))
    except HTTPInputError:
        return  # Tornado answers 400, and nobody of ours sees it.
    options = PushOptions.from_headers(headers)
    assert PushOptions.from_headers(options.to_headers()) == options


def read_json_options(data: bytes) -> None:
    options = PushOptions.from_json(strict_json.parse(data))
    assert PushOptions.from_headers(options.to_headers()) == options


def read_spelling(data: bytes) -> None:
    """Recognize bytes, and the same as text. Nothing that is said may repeat a part of the input."""
    for value in (data, text_of(data)):
        found = recognize(value)
        assert len(found.raw) in ((LENGTHS[found.kind],) if found.kind else (0,))
        said = [found.name, found.what, found.turn, repr(found)]
        said += [part for kind in Kind for part in advise(value, kind) or ()]
        said += [not_a_path(text_of(data))]
        assert not [text for text in said if not text.isprintable() or len(text) > 1000]
        _says_nothing_of(text_of(data), said)


RECEIVER = Receiver(bytes(31) + b"\1", examples.AUTH)


def read_captured(data: bytes) -> None:
    """Take apart whatever requests a file holds. What is shown must be printable."""
    for request in captured.read(data):
        inspection = inspect_request(request, now=0, receiver=RECEIVER)
        shown = [*str(inspection).splitlines(), repr(inspection)]
        assert not [line for line in shown if not line.isprintable()]
        json_text = json_line(inspection.to_json(secrets=True))
        assert json_text.isprintable()
    body_of(data)
    others.named(data)


def read_examined(data: bytes) -> None:
    """Read a request as the push service of an examination does, to the end of the connection."""
    reader = asyncio.StreamReader(limit=http1.MAX_HEAD, loop=mock.Mock())
    reader.feed_data(data)
    reader.feed_eof()
    try:
        http1.read_request(reader, mock.Mock(), "https://localhost:8188").send(None)
    except StopIteration as end:  # A coroutine that waits for nothing returns at once.
        request = end.value
    except (http1.NotHttp, asyncio.IncompleteReadError):
        return
    assert request is None or len(request.body) <= http1.MAX_BODY


def read_key_file(data: bytes) -> None:
    """Read a key file as each of its readers does: as ours, as any tool's, and as the doctor."""
    file = key_file_reader.read(data)
    _says_nothing_of(text_of(data), file.advice or ())
    findings, keys = examine_keys(data)
    assert findings and (keys is None or len(keys.public) == 65)
    try:
        ours = VapidKeys._from_bytes(data, DEFAULT_SUBJECT)
    except PushlabError as refused:
        key_explained("a file", data, refused)
    else:
        assert key_sources.convert(data)[0].public == ours.public
    key_sources.convert(data)


def read_wrapping(data: bytes) -> None:
    """Look for a subscription in any JSON, and examine it as the doctor does."""
    value = strict_json.parse(data)
    for place in (wrapping.find(value), isinstance(value, dict) and wrapping.find_keys(value)):
        assert not place or (place.what.isprintable() and place.turn)
    assert examine_subscription(data, examples.NOW)


def read_time(data: bytes) -> None:
    """Say what a number counts, as the doctor does of exp and expirationTime."""
    value = strict_json.parse(data)
    assert examine_claims({"aud": examples.ORIGIN, "exp": value}, examples.NOW)
    assert times.is_number_as_text(value) in (True, False)


def read_utf8(data: bytes) -> None:
    text = utf8.decode(data)
    assert utf8.decode_any(data) == text and utf8.decode(text.encode()) == text.removeprefix("\ufeff")


def _says_nothing_of(text: str, said: Iterable[str]) -> None:
    """Check that no long run of letters of the input is in what is said: it may be a private key."""
    secrets = set(re.findall(r"[A-Za-z0-9+/_-]{40,}", text))
    assert not [secret for secret in secrets for one in said if secret in one]


# --- the application server -----------------------------------------------------------------------


def read_object(data: bytes) -> None:
    value = strict_json.parse(data)
    assert strict_json.parse(json.dumps(value).encode()) == value


def read_push_service_answer(data: bytes) -> None:
    """Read a whole answer of a push service, and say in words what it means."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line + b"\r\n" for line in head.split(b"\r\n")] + [b"\r\n"]
    answer = read_response(lines, body)
    if answer is None:
        fault = outcome.explain(NetworkFault(len(data), text_of(data)), [text_of(body)])
        assert fault.kind in ("retry", "failed") and fault.text.isprintable()
        return
    secret = "https://push.example.net/very-secret"
    said = outcome.explain(answer, [secret])
    assert said.kind in ("accepted", "gone", "retry", "refused", "failed")
    assert said.text.isprintable() and len(said.text) < 3000 and secret not in said.text
    for value in answer.header_list("Retry-After"):
        seconds = outcome.seconds_of(value, examples.NOW)
        assert seconds is None or 0 <= seconds < float("inf")


def read_retry_after(data: bytes) -> None:
    seconds = outcome.seconds_of(text_of(data), examples.NOW)
    assert seconds is None or 0 <= seconds < float("inf")


# --- the push service -----------------------------------------------------------------------------

KINDS = (
    messages.CHECKIN_REQUEST,
    messages.LOGIN_REQUEST,
    messages.HEARTBEAT,
    messages.IQ_STANZA,
    messages.DATA_MESSAGE_STANZA,
)


def read_protobuf(data: bytes) -> None:
    """Read a message of each kind. The first byte chooses, the rest is the message."""
    kind = KINDS[data[0] % len(KINDS)] if data else KINDS[0]
    read = kind.decode(data[1:])
    assert kind.decode(kind.encode(**read)) == read


def read_varint(data: bytes) -> None:
    number, end = protobuf.read_varint(data)
    assert protobuf.read_varint(protobuf.varint(number)) == (number, len(protobuf.varint(number)))
    assert 0 < end <= protobuf.MAX_VARINT


def read_form(data: bytes) -> None:
    form = checkin._form(data)
    assert all(isinstance(value, str) and value for value in form.values())


# A table, with several values in a line.
# fmt: off
_TABLE = (
    Target("base64url", read_base64url, examples.BASE64URL, (FormatError,)),
    Target("utf-8", read_utf8, examples.FILES, (FormatError,)),
    Target("spelling", read_spelling, examples.SPELLINGS),
    Target("captured-request", read_captured, examples.CAPTURED),
    Target("examined-request", read_examined, examples.EXAMINED),
    Target("key-file", read_key_file, examples.FILES, (FormatError, KeyFileError, VapidError)),
    Target("wrapping", read_wrapping, examples.WRAPPED, (RequestError,)),
    Target("time", read_time, examples.TIMES, (RequestError,)),
    Target("subscription", read_subscription, examples.SUBSCRIPTIONS, (SubscriptionError,)),
    Target("aes128gcm-header", read_header, examples.BODIES, (EncryptionError,)),
    Target("aes128gcm-body", read_body, examples.BODIES, (EncryptionError,)),
    Target("aes128gcm-records", read_records, examples.RECORDS, (EncryptionError,)),
    Target("vapid-authorization", read_authorization, examples.AUTHORIZATIONS, (VapidError,)),
    Target("vapid-claims", read_claims, examples.CLAIMS, (VapidError,)),
    Target("vapid-token", read_token, examples.TOKENS, (VapidError,)),
    Target("delivery-headers", read_options, examples.HEADERS, (DeliveryError,)),
    Target("delivery-options", read_json_options, examples.OPTIONS, (DeliveryError, RequestError)),
    Target("json-object", read_object, examples.OBJECTS, (RequestError,)),
    Target("push-service-answer", read_push_service_answer, examples.ANSWERS, (BadResponse,)),
    Target("retry-after", read_retry_after, examples.RETRY_AFTER),
    Target("protobuf", read_protobuf, examples.PROTOBUF, (RequestError,)),
    Target("varint", read_varint, examples.VARINTS, (RequestError,)),
    Target("registration-form", read_form, examples.FORMS, (RequestError,)),
    # Whole servers: an error becomes an answer there, so nothing may come out.
    Target("websocket-frames", servers.autopush_frames, examples.FRAMES),
    Target("mcs-frames", servers.mcs_frames, examples.MCS),
    Target("push-service-http", servers.push_service_http, examples.DELIVERIES),
    Target("registration-http", servers.registration_http, examples.REGISTRATIONS),
    Target("application-server-http", servers.application_server_http, examples.PAGE_REQUESTS),
)
# fmt: on
TARGETS: dict[str, Target] = {target.name: target for target in _TABLE}
