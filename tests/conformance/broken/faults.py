"""For each case of the examination, a sender that is wrong in this one thing and right in all others.

Each class replaces one step of Message, Sender or App, and its docstring says how such a fault comes
about. ``python -m tests.conformance.broken.sender --faults`` lists them.
"""

import asyncio
import base64
import json
import os
import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pycurl
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from tornado.curl_httpclient import CurlAsyncHTTPClient
from tornado.httpclient import HTTPRequest, HTTPResponse

from pushlab.protocol import base64url, content_coding, jws, p256
from pushlab.protocol.content_coding import Header, aead, derive
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.encryption import MAX_PLAINTEXT
from pushlab.protocol.subscription import PushSubscription

from .application import App
from .delivery import Answer, Outcome, Report, Sender
from .message import LIFETIME, Headers, Key, Message, TooLong

Faulty = type[Message] | type[Sender] | type[App]
One = TypeVar("One", bound=Faulty)

FAULTS: dict[str, Faulty] = {}
"""By the id of the case that notices it: the class that has the fault."""


def noticed_by(case: str) -> Callable[[One], One]:
    def enter(fault: One) -> One:
        assert case not in FAULTS
        FAULTS[case] = fault
        return fault

    return enter


# --- bytes ----------------------------------------------------------------------------------------


@noticed_by("bytes.ascii")
class Escaped(Message):
    """Escapes the payload for HTML, where nobody reads HTML."""

    def encode(self, payload: bytes) -> bytes:
        return payload.replace(b'"', b"&quot;")


@noticed_by("bytes.utf8")
class Decomposed(Message):
    """Normalizes text: é becomes e and an accent (NFD), as the names of files may."""

    def encode(self, payload: bytes) -> bytes:
        try:
            return unicodedata.normalize("NFD", payload.decode()).encode()
        except UnicodeDecodeError:
            return payload


@noticed_by("bytes.emoji")
class Surrogates(Message):
    """Encodes an emoji as two surrogates of three bytes each, as Java's modified UTF-8 does."""

    def encode(self, payload: bytes) -> bytes:
        try:
            units = payload.decode().encode("utf-16-be")
        except UnicodeDecodeError:
            return payload
        pairs = zip(units[::2], units[1::2], strict=True)
        return "".join(chr(high << 8 | low) for high, low in pairs).encode("utf-8", "surrogatepass")


@noticed_by("bytes.empty")
class Null(Message):
    """Sends the text null where there is nothing to send."""

    def encode(self, payload: bytes) -> bytes:
        return payload or b"null"


@noticed_by("bytes.one-byte")
class NothingForOne(Message):
    """Takes a payload of one byte for an empty one."""

    def encode(self, payload: bytes) -> bytes:
        return payload if len(payload) > 1 else b""


@noticed_by("bytes.largest")
class OneTooFew(Message):
    """Refuses a payload of 3993 bytes, which fits."""

    def fit(self, plaintext: bytes) -> bytes:
        if len(plaintext) == MAX_PLAINTEXT:
            raise TooLong("the payload is too long")
        return super().fit(plaintext)


@noticed_by("bytes.too-large")
class CutOff(Message):
    """Cuts off what does not fit, and tells nobody."""

    def fit(self, plaintext: bytes) -> bytes:
        return plaintext[:MAX_PLAINTEXT]


@noticed_by("bytes.one-record")
class EmptyLastRecord(Message):
    """Ends each body with an empty record, as an early coder did where a record was just full."""

    def seal(self, plaintext: bytes, ikm: bytes, salt: bytes, as_public: bytes) -> bytes:
        rs = len(plaintext) + content_coding.MIN_RECORD
        if not plaintext or 86 + rs + content_coding.MIN_RECORD > 4096:
            return super().seal(plaintext, ikm, salt, as_public)
        keys = derive(ikm, salt)
        records = [
            aead(keys.cek).encrypt(content_coding.record_nonce(keys.nonce, seq), data, None)
            for seq, data in enumerate((plaintext + content_coding.MORE, content_coding.LAST))
        ]
        return bytes(Header(salt, rs, as_public)) + b"".join(records)


@noticed_by("bytes.record-size")
class ExactRecordSize(Message):
    """Writes the length of the record as rs, which has to be greater (RFC 8291 §4)."""

    def seal(self, plaintext: bytes, ikm: bytes, salt: bytes, as_public: bytes) -> bytes:
        body = super().seal(plaintext, ikm, salt, as_public)
        rs = max(content_coding.MIN_RS, len(body) - 86)
        return body[:16] + rs.to_bytes(4, "big") + body[20:]


@noticed_by("bytes.keyid-length")
class HybridKey(Message):
    """Writes the key in the hybrid form of X9.62, which begins with 06 or 07 and not with 04."""

    def seal(self, plaintext: bytes, ikm: bytes, salt: bytes, as_public: bytes) -> bytes:
        hybrid = bytes([6 + as_public[-1] % 2]) + as_public[1:]
        return super().seal(plaintext, ikm, salt, hybrid)


@noticed_by("bytes.header-length")
class StrayByte(Message):
    """Writes a line end between the header and the record."""

    def seal(self, plaintext: bytes, ikm: bytes, salt: bytes, as_public: bytes) -> bytes:
        body = super().seal(plaintext, ikm, salt, as_public)
        return body if len(body) == 4096 else body[:86] + b"\n" + body[86:]


@noticed_by("bytes.fresh-salt")
class SameSalt(Message):
    """Makes the salt once, when the program starts."""

    salt = os.urandom(16)

    def ephemeral(self) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
        return super().ephemeral()[0], self.salt


@noticed_by("bytes.fresh-key")
class SameKeyPair(Message):
    """Makes the key pair of a message once, when the program starts."""

    as_private = ec.generate_private_key(p256.CURVE)

    def ephemeral(self) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
        return self.as_private, super().ephemeral()[1]


@noticed_by("bytes.padding")
class PaddedWithSpaces(Message):
    """Pads with spaces after the delimiter, where zeros have to be (RFC 8188 §2)."""

    def seal(self, plaintext: bytes, ikm: bytes, salt: bytes, as_public: bytes) -> bytes:
        keys = derive(ikm, salt)
        padding = b" " * min(16, MAX_PLAINTEXT - len(plaintext))
        record = aead(keys.cek).encrypt(keys.nonce, plaintext + content_coding.LAST + padding, None)
        return bytes(Header(salt, 4096, as_public)) + record


@noticed_by("bytes.coding")
class OldCoding(Message):
    """Encrypts with aesgcm, the draft that came before RFC 8291."""

    def encrypt(self, plaintext: bytes, subscription: PushSubscription) -> tuple[Headers, bytes]:
        ua_public, p256dh, auth = subscription.ua_public, subscription.p256dh, subscription.auth
        assert ua_public is not None and p256dh is not None
        as_private, salt = self.ephemeral()
        as_public = p256.raw_public(as_private)

        def hkdf(salt: bytes | None, ikm: bytes, info: bytes, length: int) -> bytes:
            return HKDF(hashes.SHA256(), length, salt, info).derive(ikm)

        secret = as_private.exchange(ec.ECDH(), ua_public)
        ikm = hkdf(auth, secret, b"Content-Encoding: auth\0", 32)
        keys = b"P-256\0" + b"".join(b"\0A" + key for key in (p256dh, as_public))
        cek = hkdf(salt, ikm, b"Content-Encoding: aesgcm\0" + keys, 16)
        nonce = hkdf(salt, ikm, b"Content-Encoding: nonce\0" + keys, 12)
        coding = [
            ("Content-Encoding", "aesgcm"),
            ("Encryption", f"salt={base64url.encode(salt)}"),
            ("Crypto-Key", f"dh={base64url.encode(as_public)}"),
        ]
        return coding, AESGCM(cek).encrypt(nonce, b"\0\0" + plaintext, None)


# --- token ----------------------------------------------------------------------------------------


@noticed_by("token.scheme")
class JwtScheme(Message):
    """Names the scheme JWT, as some other services have it."""

    def credentials(self, token: str, public: bytes) -> str:
        return super().credentials(token, public).replace("vapid", "JWT", 1)


@noticed_by("token.k")
class PaddedKey(Message):
    """Writes k in base64url with padding, which RFC 8292 §3.2 does not have."""

    def credentials(self, token: str, public: bytes) -> str:
        return super().credentials(token, public) + "="


@noticed_by("token.signature-form")
class DerSignature(Message):
    """Signs in DER, which is what cryptographic libraries give, and not in r ‖ s."""

    def sign(self, claims: dict[str, Any], key: Key) -> str:
        token = super().sign(claims, key)
        signed, _, signature = token.rpartition(".")
        return f"{signed}.{base64url.encode(jws.der_signature(base64url.decode(signature)))}"


@noticed_by("token.signature")
class AnotherKey(Message):
    """Signs with another key than the one that k shows: two configurations, one for each half."""

    another = Key(ec.generate_private_key(p256.CURVE))

    def sign(self, claims: dict[str, Any], key: Key) -> str:
        return super().sign(claims, self.another)


@noticed_by("token.aud-exact")
class TrailingSlash(Message):
    """Ends aud with a slash, as a URL has it and an origin does not."""

    def claims(self, origin: str) -> dict[str, Any]:
        return super().claims(origin) | {"aud": f"{origin}/"}


@noticed_by("token.aud-two-services")
class FirstAudience(Message):
    """Keeps the claims of the first message, and so its aud, for every push service."""

    first = ""

    def claims(self, origin: str) -> dict[str, Any]:
        self.first = self.first or origin
        return super().claims(self.first)


@noticed_by("token.aud-port")
class NoPort(Message):
    """Leaves the port out of aud, as many libraries do."""

    def claims(self, origin: str) -> dict[str, Any]:
        url = urlsplit(origin)
        return super().claims(origin) | {"aud": f"{url.scheme}://{url.hostname}"}


@noticed_by("token.exp-integer")
class TextualExpiry(Message):
    """Writes exp in quotes, as a well-known article shows it."""

    def claims(self, origin: str) -> dict[str, Any]:
        claims = super().claims(origin)
        return claims | {"exp": str(claims["exp"])}


@noticed_by("token.exp-within-24h")
class TwoDays(Message):
    """Makes a token for two days, where one is the most."""

    def claims(self, origin: str) -> dict[str, Any]:
        claims = super().claims(origin)
        return claims | {"exp": claims["exp"] - LIFETIME + 48 * 3600}


@noticed_by("token.sub")
class SpaceInSubject(Message):
    """Writes a space after mailto:, as the README of a library does."""

    def claims(self, origin: str) -> dict[str, Any]:
        return super().claims(origin) | {"sub": self.subject.replace("mailto:", "mailto: ")}


@noticed_by("token.reused")
class TokenPerMessage(Message):
    """Makes a token for each message, and every one is different."""

    def authorization(self, origin: str) -> str:
        self.tokens.clear()
        return super().authorization(origin)

    def claims(self, origin: str) -> dict[str, Any]:
        return super().claims(origin) | {"jti": base64url.encode(os.urandom(8))}


@noticed_by("token.renewed")
class TwoMinutes(Message):
    """Makes a token for two minutes, which is less than clocks differ by."""

    def claims(self, origin: str) -> dict[str, Any]:
        return super().claims(origin) | {"exp": int(self.clock()) + 120}


@noticed_by("token.one-key")
class KeyPerService(Message):
    """Makes a key pair for each push service: no subscription can be restricted to all of them."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.keys: dict[str, Key] = {}

    def key_for(self, origin: str) -> Key:
        if not self.keys:
            self.keys[origin] = self.key
        return self.keys.setdefault(origin, Key(ec.generate_private_key(p256.CURVE)))


@noticed_by("token.key-apart")
class KeyForBoth(Message):
    """Encrypts the first message with the VAPID key: the only key pair that there is by then."""

    is_first = True

    def ephemeral(self) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
        as_private, salt = super().ephemeral()
        if self.is_first:
            self.is_first, as_private = False, self.key.private
        return as_private, salt


# --- headers --------------------------------------------------------------------------------------


@noticed_by("headers.ttl-present")
class NoTtl(Message):
    """Sends no TTL, which RFC 8030 §5.2 requires."""

    def ttl(self, options: PushOptions) -> Headers:
        return []


@noticed_by("headers.ttl-value")
class FractionalTtl(Message):
    """Writes TTL as a number with a fraction, as a language without integers may."""

    def ttl(self, options: PushOptions) -> Headers:
        return [("TTL", f"{options.ttl:.1f}")]


@noticed_by("headers.urgency")
class UnknownUrgency(Message):
    """Writes an urgency that RFC 8030 does not have."""

    def urgency(self, options: PushOptions) -> Headers:
        return [("Urgency", "urgent")]


@noticed_by("headers.topic")
class LongTopic(Message):
    """Writes a topic that is longer than 32 characters."""

    def topic(self, options: PushOptions) -> Headers:
        return [("Topic", options.topic.ljust(33, "0"))] if options.topic else []


@noticed_by("headers.content-encoding")
class NoContentEncoding(Message):
    """Does not say how the body is encoded."""

    def encrypt(self, plaintext: bytes, subscription: PushSubscription) -> tuple[Headers, bytes]:
        return [], super().encrypt(plaintext, subscription)[1]


@noticed_by("headers.content-length")
class Chunked(Sender):
    """Sends the body in chunks, and its length nowhere."""

    async def post(self, url: str, headers: Headers, body: bytes) -> Answer:
        return await super().post(url, [*headers, ("Transfer-Encoding", "chunked")], body)


@noticed_by("headers.duplicates")
class ContentTypeTwice(Message):
    """Sends Content-Type twice: once from the library and once from its caller."""

    def headers(self, authorization: str, coding: Headers, options: PushOptions) -> Headers:
        headers = super().headers(authorization, coding, options)
        return [*headers, ("Content-Type", "application/json")]


# --- answers --------------------------------------------------------------------------------------


def not_a_success(status: int, doc: str) -> type[Sender]:
    class NotASuccess(Sender):
        __doc__ = doc

        def accepts(self, got: int) -> bool:
            return got != status and super().accepts(got)

    return NotASuccess


def not_an_end(status: int, doc: str) -> type[Sender]:
    class NotAnEnd(Sender):
        __doc__ = doc

        def ends(self, got: int) -> bool:
            return got != status and super().ends(got)

    return NotAnEnd


def an_end(status: int, doc: str) -> type[Sender]:
    class AnEnd(Sender):
        __doc__ = doc

        def ends(self, got: int) -> bool:
            return got == status or super().ends(got)

    return AnEnd


def tried_again(status: int, doc: str) -> type[Sender]:
    class TriedAgain(Sender):
        __doc__ = doc

        def is_temporary(self, answer: Answer) -> bool:
            return answer.status == status or super().is_temporary(answer)

    return TriedAgain


def given_up(fits: Callable[[Answer], bool], doc: str) -> type[Sender]:
    class GivenUp(Sender):
        __doc__ = doc

        def is_temporary(self, answer: Answer) -> bool:
            return not fits(answer) and super().is_temporary(answer)

    return GivenUp


def at_once(status: int, fits: Callable[[str], bool], doc: str) -> type[Sender]:
    class AtOnce(Sender):
        __doc__ = doc

        def delay(self, answer: Answer, attempts: int) -> float | None:
            delay = super().delay(answer, attempts)
            hasty = answer.status == status and fits(answer.headers.get("Retry-After", ""))
            return 0.0 if hasty and delay is not None else delay

    return AtOnce


def followed(status: int, doc: str) -> type[Sender]:
    class Followed(Sender):
        __doc__ = doc

        async def post(self, url: str, headers: Headers, body: bytes) -> Answer:
            answer = await super().post(url, headers, body)
            if answer.status != status or "Location" not in answer.headers:
                return answer
            return await super().post(answer.headers["Location"], headers, body)

    return Followed


def is_date(text: str) -> bool:
    return bool(text) and not text.isdecimal()


FAULTS |= {
    "answers.200": not_a_success(200, "Takes only the codes of RFC 8030 for a success."),
    "answers.202": not_a_success(202, "Takes no 202, which RFC 8030 §5.1 has for receipts."),
    "answers.404": not_an_end(404, "Removes a subscription after 410 alone."),
    "answers.410": not_an_end(410, "Removes a subscription after 404 alone."),
    "answers.400": an_end(400, "Removes a subscription because the request was wrong."),
    "answers.401": an_end(401, "Removes a subscription because the token was missing."),
    "answers.403": an_end(403, "Removes every subscription when the key is wrong."),
    "answers.413": tried_again(413, "Sends a message again that is too long, and stays so."),
    "answers.429-seconds": at_once(429, str.isdecimal, "Does not wait as long as 429 asks for."),
    "answers.429-date": at_once(429, is_date, "Cannot read a date in Retry-After of a 429."),
    "answers.429-bare": at_once(429, lambda text: not text, "Tries again at once after a 429."),
    "answers.503-seconds": at_once(503, str.isdecimal, "Does not wait as long as 503 asks for."),
    "answers.503-date": at_once(503, is_date, "Cannot read a date in Retry-After of a 503."),
    "answers.503-bare": at_once(503, lambda text: not text, "Tries again at once after a 503."),
    "answers.500": given_up(lambda answer: answer.status == 500, "Gives up after a 500."),
    "answers.502": given_up(lambda answer: answer.status == 502, "Gives up after a 502."),
    "answers.301": followed(301, "Follows a permanent redirect."),
    "answers.307": followed(307, "Follows a redirect that keeps the method."),
}


class OnFreshConnections(Sender):
    """Open a connection for each request: on an old one, libcurl itself tries again and says nothing."""

    def limit(self, curl: pycurl.Curl) -> None:
        super().limit(curl)
        curl.setopt(pycurl.FRESH_CONNECT, 1)


@noticed_by("answers.reset")
class GivesUpAtReset(OnFreshConnections):
    """Gives up when the connection is reset."""

    def is_temporary(self, answer: Answer) -> bool:
        return "reset" not in answer.text and super().is_temporary(answer)


@noticed_by("answers.hang-up")
class GivesUpAtHangUp(OnFreshConnections):
    """Gives up when the connection is closed without an answer."""

    def is_temporary(self, answer: Answer) -> bool:
        hung_up = "mpty reply" in answer.text or "eof" in answer.text
        return not hung_up and super().is_temporary(answer)


@noticed_by("answers.201")
class WaitsForReceipt(Sender):
    """Takes 201 for half a success: it waits for a receipt that nobody has asked for."""

    async def send(self, subscription: PushSubscription, payload: bytes, options: PushOptions) -> Report:
        report = await super().send(subscription, payload, options)
        if (report.status, report.attempts) == (201, 1):
            return Report(Outcome.FAILED, 201, "no receipt has come")
        return report


@noticed_by("answers.time-out")
class WaitsForEver(Sender):
    """Limits the time of an answer from when it begins, and waits for that as long as it takes."""

    def limit(self, curl: pycurl.Curl) -> None:
        began = time.monotonic()

        def progress(_: int, received: int, *__: int) -> int:
            return int(received > 0 and time.monotonic() - began > self.timeout)

        curl.setopt(pycurl.TIMEOUT_MS, 0)
        curl.setopt(pycurl.NOPROGRESS, 0)
        curl.setopt(pycurl.XFERINFOFUNCTION, progress)


@noticed_by("answers.body-50mb")
class ReadsAll(Sender):
    """Reads an answer to its end, however long it is."""

    most = 2**30

    def keep(self, chunk: bytes, read: bytearray) -> int:
        read[:] = (read + chunk)[:4096]
        return len(chunk)


@noticed_by("answers.slow-drip")
class PatientWithDrips(Sender):
    """Limits the time between two bytes and not that of the whole answer."""

    def limit(self, curl: pycurl.Curl) -> None:
        last = 0, time.monotonic()

        def progress(_: int, received: int, *__: int) -> int:
            nonlocal last
            now = time.monotonic()
            if received > last[0]:
                last = received, now
            return int(now - last[1] > self.timeout)

        curl.setopt(pycurl.TIMEOUT_MS, 0)
        curl.setopt(pycurl.NOPROGRESS, 0)
        curl.setopt(pycurl.XFERINFOFUNCTION, progress)
        # libcurl asks progress() each second where a speed limit is set too, and nothing else goes on.
        curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
        curl.setopt(pycurl.LOW_SPEED_TIME, 3600)

    async def fetch(self, request: HTTPRequest) -> HTTPResponse:
        client = CurlAsyncHTTPClient(force_instance=True, max_clients=1)
        try:
            return await client.fetch(request, raise_error=False)
        finally:
            client.close()


@noticed_by("answers.garbage")
class TakesGarbage(Sender):
    """Takes an answer without a status line for a success, as HTTP/0.9 had none."""

    async def post(self, url: str, headers: Headers, body: bytes) -> Answer:
        answer = await super().post(url, headers, body)
        unread = "HTTP/0.9" in answer.text or "status line" in answer.text
        return Answer(200) if unread else answer


def flavour(case: str, doc: str, hears: Callable[[Answer], bool]) -> None:
    @noticed_by(case)
    class Deaf(Sender):
        __doc__ = doc

        def reason(self, answer: Answer) -> str:
            return super().reason(answer) if hears(answer) else ""


def members(answer: Answer) -> set[str]:
    """Return the names in an answer that is a JSON object; none of any other answer."""
    try:
        return set(json.loads(answer.body))
    except (ValueError, TypeError):
        return set()


flavour(
    "answers.flavour-mozilla",
    "Drops what autopush says: a JSON object with errno.",
    lambda answer: "errno" not in members(answer),
)
flavour(
    "answers.flavour-fcm",
    "Drops what FCM says: text that is not JSON.",
    lambda answer: bool(members(answer)) or not answer.body,
)
flavour(
    "answers.flavour-apple",
    "Drops what Apple says: a JSON object with the member reason.",
    lambda answer: "reason" not in members(answer),
)
flavour(
    "answers.flavour-wns",
    "Reads no headers, in which WNS says all it has to say.",
    lambda answer: bool(answer.body or answer.text),
)


# --- many -----------------------------------------------------------------------------------------


class InTurn(App):
    """Begin the next message when the one before has an answer, or after ``patience`` seconds."""

    patience: float | None = None

    def __init__(self, sender: Sender, *args: Any):
        super().__init__(sender, *args)
        self.awaited: dict[str, asyncio.Future[Answer]] = {}  # by endpoint: its first answer
        post = sender.post

        async def noting(url: str, headers: Headers, body: bytes) -> Answer:
            answer = await post(url, headers, body)
            if (first := self.awaited.pop(url, None)) and not first.done():
                first.set_result(answer)
            return answer

        sender.post = noting

    def stops(self, answer: Answer) -> bool:
        """Say whether nobody gets the message after this answer."""
        return False

    async def notify_all(self, payload: bytes, options: PushOptions) -> list[Report]:
        begun = []
        for subscription in list(self.subscriptions):
            first = self.awaited[subscription.endpoint] = asyncio.Future()
            begun.append(asyncio.create_task(self.notify(subscription, payload, options)))
            with suppress(TimeoutError):
                if self.stops(await asyncio.wait_for(first, self.patience)):
                    break
        return list(await asyncio.gather(*begun))


@noticed_by("many.one-slow")
class OneAfterTheOther(InTurn):
    """Waits for each answer before the next message is sent."""


class Stopping(InTurn):
    """Goes on without an answer while there is still time for the messages behind it."""

    patience = 6.0


@noticed_by("many.one-dead")
class StopsAtTheDead(Stopping):
    """Stops when a subscription has ended: the error leaves the loop."""

    def stops(self, answer: Answer) -> bool:
        return self.sender.ends(answer.status)


@noticed_by("many.one-refused")
class StopsAtTheRefused(Stopping):
    """Stops when a connection fails: the error leaves the loop."""

    def stops(self, answer: Answer) -> bool:
        return answer.status == 0 and "timed out" not in answer.text


@noticed_by("many.each-once")
class LastPage(App):
    """Reads the subscriptions in pages of 16, and begins the last page one too early."""

    async def notify_all(self, payload: bytes, options: PushOptions) -> list[Report]:
        pages, rest = divmod(len(self.subscriptions), 16)
        twice = self.subscriptions[16 * pages - 1 :][:1] if pages and rest else []
        reports = await super().notify_all(payload, options)
        return reports + [await self.notify(one, payload, options) for one in twice]


@noticed_by("many.two-thousand")
class AllAtOnce(Sender):
    """Opens a connection for each subscriber, all at the same time."""

    in_flight = 2500


# --- safety ---------------------------------------------------------------------------------------


@noticed_by("safety.endpoint-http")
class PlainHttp(App):
    """Takes an endpoint without TLS for one of a test, and looks no further."""

    def check(self, endpoint: str) -> None:
        if not endpoint.startswith("http:"):
            super().check(endpoint)

    def permits(self, url: str, address: str) -> bool:
        return url.startswith("http:") or super().permits(url, address)


@noticed_by("safety.endpoint-private")
class PrivateAddresses(App):
    """Stores an endpoint in the network that the server is in. (It is never connected to.)"""

    def may_be_stored(self, host: str) -> bool:
        return super().may_be_stored(host) or host.startswith(("10.", "192.168.", "fd"))


@noticed_by("safety.endpoint-link-local")
class LinkLocalAddresses(App):
    """Stores an endpoint at 169.254.169.254, where clouds keep secrets. (It is never connected to.)"""

    def may_be_stored(self, host: str) -> bool:
        return super().may_be_stored(host) or host.startswith("169.254.")


@noticed_by("safety.endpoint-loopback")
class LoopbackAddresses(App):
    """Sends to whatever listens at this machine."""

    def may_be_stored(self, host: str) -> bool:
        return super().may_be_stored(host) or self.is_loopback(host)

    def permits(self, url: str, address: str) -> bool:
        return super().permits(url, address) or self.is_loopback(address)

    def is_loopback(self, host: str) -> bool:
        return host.startswith("127.") or host == "::1"


@noticed_by("safety.endpoint-redirect")
class FollowsAnywhere(Sender):
    """Follows a 302 to wherever it leads, and looks at addresses only before that."""

    async def post(self, url: str, headers: Headers, body: bytes) -> Answer:
        answer = await super().post(url, headers, body)
        if answer.status == 302 and "Location" in answer.headers:
            self.permits = lambda url, address: True
            await super().post(answer.headers["Location"], headers, body)
        return answer


@noticed_by("safety.same-endpoint-twice")
class StoresTwice(App):
    """Stores a subscription each time that a page sends it."""

    def knows(self, endpoint: str) -> bool:
        return False


@noticed_by("safety.junk-subscriptions")
class FailsOnJunk(App):
    """Does not expect that a stranger may post anything: it answers 500."""

    def read(self, text: bytes) -> PushSubscription:
        members = json.loads(text)
        keys = {name: base64.urlsafe_b64decode(key + "==") for name, key in members["keys"].items()}
        return PushSubscription(members["endpoint"], keys["p256dh"], keys["auth"])


@noticed_by("safety.foreign-origin")
class AnyOrigin(App):
    """Does what any page on the web asks it to do."""

    def trusts(self, origin: str | None, host: str) -> bool:
        return True


@noticed_by("safety.foreign-removal")
class RemovesByPattern(App):
    """Removes by LIKE, where part of an endpoint, or %, is enough."""

    def remove(self, endpoint: str) -> bool:
        return self.forget(lambda one: endpoint.strip("%*") in one.endpoint)
