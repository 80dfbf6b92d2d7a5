"""One message to one push service: the POST, what its answer means, and whether to try again."""

import asyncio
import email.utils
import random
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

import pycurl
from tornado.curl_httpclient import CurlAsyncHTTPClient, CurlError
from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders

from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.subscription import PushSubscription

from .message import Headers, Message, TooLong

BACKOFF = (0.5, 1.0, 2.0)

LONGEST_WAIT = 60.0
"""Seconds. Who asks for more is not sent to again."""

IN_FLIGHT = 50
"""Requests that are under way at one time."""


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    GONE = "gone"
    FAILED = "failed"


@dataclass(frozen=True)
class Answer:
    """What came back. ``status``: 0 if nothing did, and ``text`` says why."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    text: str = ""


@dataclass(frozen=True)
class Report:
    """What became of a message, for the log or for whoever asked to send it."""

    outcome: Outcome
    status: int
    why: str = ""
    attempts: int = 1

    def __str__(self) -> str:
        return f"{self.outcome}: {self.status or 'no answer'} {self.why}".rstrip()


class Sender:
    """Send messages, and try again where that helps.

    ``cafile``: the authorities to trust, PEM; ``timeout``: seconds of one attempt; ``backoff``: seconds
    before each further attempt, where the push service names no time; ``permits``: says whether an
    address may be connected to.
    """

    most = 4096
    """Bytes of an answer that are read."""

    in_flight = IN_FLIGHT

    def __init__(
        self,
        message: Message,
        *,
        cafile: str | None = None,
        timeout: float = 5.0,
        backoff: tuple[float, ...] = BACKOFF,
        permits: Callable[[str, str], bool] = lambda url, address: True,
    ):
        self.message, self.cafile, self.permits = message, cafile, permits
        self.timeout, self.backoff = timeout, backoff
        self.client = CurlAsyncHTTPClient(force_instance=True, max_clients=self.in_flight)

    def close(self) -> None:
        self.client.close()

    async def send(self, subscription: PushSubscription, payload: bytes, options: PushOptions) -> Report:
        """Send a message, with as many attempts as it takes and is sensible."""
        for attempts in count(1):
            try:
                headers, body = self.message.request(subscription, payload, options)
            except TooLong as reason:
                return Report(Outcome.FAILED, 0, str(reason))
            answer = await self.post(subscription.endpoint, headers, body)
            if self.accepts(answer.status):
                return Report(Outcome.ACCEPTED, answer.status, attempts=attempts)
            if self.ends(answer.status):
                return Report(Outcome.GONE, answer.status, self.reason(answer), attempts)
            delay = self.delay(answer, attempts)
            if delay is None:
                return Report(Outcome.FAILED, answer.status, self.reason(answer), attempts)
            await asyncio.sleep(delay)
        raise AssertionError("there is always another number")

    # --- what an answer means -------------------------------------------------------------------

    def accepts(self, status: int) -> bool:
        """Say whether the push service has the message."""
        return status in (200, 201, 202)

    def ends(self, status: int) -> bool:
        """Say whether the subscription has ended, and has to be removed."""
        return status in (404, 410)

    def is_temporary(self, answer: Answer) -> bool:
        """Say whether the same message may be accepted later."""
        return answer.status in (0, 429) or answer.status >= 500

    def delay(self, answer: Answer, attempts: int) -> float | None:
        """Return the seconds until the next attempt after so many, or None if there is none."""
        if attempts > len(self.backoff) or not self.is_temporary(answer):
            return None
        asked = self.retry_after(answer)
        if asked is None:
            return self.backoff[attempts - 1] * random.uniform(1, 1.25)
        return asked if asked <= LONGEST_WAIT else None

    def retry_after(self, answer: Answer) -> float | None:
        """Return the seconds that Retry-After asks for: a number, or a date (RFC 9110 §10.2.3)."""
        text = answer.headers.get("Retry-After", "")
        if text.isdecimal():
            return float(text)
        try:
            date = email.utils.parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0.0, date.timestamp() - time.time()) + 0.05  # not a moment too early

    def reason(self, answer: Answer) -> str:
        """Return what the push service says: in the body, or in headers of its own."""
        said = [answer.body.decode("utf-8", "replace"), answer.text]
        said += [f"{name}: {text}" for name, text in answer.headers.items() if "Wns" in name]
        return " ".join(filter(None, said))

    # --- the POST -------------------------------------------------------------------------------

    async def post(self, url: str, headers: Headers, body: bytes) -> Answer:
        """Send one request, and return the answer: as much of it as was read."""
        lines: list[str] = []
        read = bytearray()

        def prepare(curl: pycurl.Curl) -> None:
            curl.setopt(pycurl.OPENSOCKETFUNCTION, lambda _, address: self.connect(url, address))
            curl.setopt(pycurl.WRITEFUNCTION, lambda chunk: self.keep(chunk, read))
            self.limit(curl)

        request = HTTPRequest(
            url, "POST", HTTPHeaders(), body, user_agent="push-sender",
            follow_redirects=False, ca_certs=self.cafile, header_callback=lines.append,
            prepare_curl_callback=prepare, decompress_response=False,
        )  # fmt: skip
        for name, value in headers:
            request.headers.add(name, value)
        try:
            response = await self.fetch(request)
        except CurlError as error:
            # An answer that was not read to its end has a status all the same.
            status = int(lines[0].split(" ")[1]) if lines else 0
            return Answer(status, body=bytes(read), text=error.message or "")
        return Answer(response.code, response.headers, bytes(read))

    async def fetch(self, request: HTTPRequest) -> HTTPResponse:
        """Let libcurl send a request. Raises CurlError."""
        return await self.client.fetch(request, raise_error=False)

    def connect(self, url: str, address: tuple) -> int:
        """Return the number of a socket for libcurl, if the address may be connected to."""
        family, kind, protocol, place = address
        if not self.permits(url, place[0]):
            return pycurl.SOCKET_BAD
        return socket.socket(family, kind, protocol).detach()

    def keep(self, chunk: bytes, read: bytearray) -> int:
        """Keep what the server sends; return 0, which ends the transfer, when it is too much."""
        read += chunk[: self.most - len(read)]
        return len(chunk) if len(read) < self.most else 0

    def limit(self, curl: pycurl.Curl) -> None:
        """Limit the time of one attempt, whatever the server does in it."""
        curl.setopt(pycurl.TIMEOUT_MS, int(self.timeout * 1000))
