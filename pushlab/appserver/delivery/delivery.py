"""One message on its way to one subscription, from the first attempt to its outcome.

    prepare() ─▶ attempt() ── response ──▶ classify() ── accepted, gone, refused ──▶ the outcome
                    ▲                          │
                    ╰── retry(): a pause ◀─────╯ retry

``deliver()`` is the whole way of one message, in a coroutine. A notify-all calls the same steps from
callbacks: most of its messages need one attempt, and such a message costs no coroutine and no task.
Only the pause of a message that is tried again needs a task.

408, 425, 429, 5xx and network faults are tried again, as late as Retry-After says and with ever longer
pauses, up to a number of attempts and a total time. What such a refusal means for other messages to
the same push service is decided by the queue that the message comes from.
"""

import asyncio
import random
import re
import time
from asyncio import Future
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from pushlab.appserver.delivery.callbacks import sending_error
from pushlab.appserver.delivery.client import PushClient
from pushlab.appserver.delivery.log import DeliveryLog, PreparedRequest
from pushlab.appserver.delivery.proxies import unused_proxy
from pushlab.appserver.delivery.response import NetworkFault, Response, failed
from pushlab.appserver.explain.outcome import Outcome, explain, seconds_of
from pushlab.appserver.explain.scope import Scope
from pushlab.appserver.participants import Participants
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import LabStopped, PushlabError
from pushlab.protocol.delivery import PushOptions

ATTEMPTS = 4
"""Requests for one message, the first included."""

FIRST_PAUSE = 0.5
"""Seconds. Each pause is twice the one before, less a random part that is at most half of it."""

WITHOUT_PAYLOAD = (
    "The message went without its payload: this subscription has no keys (p256dh and auth), so nothing "
    "can be encrypted for it. The worker shows a notification of its own. Let the page subscribe "
    "again, and store all that JSON.stringify(subscription) gives."
)
"""What the outcome of an accepted message says then."""

RETRY_DEADLINE = 20.0
"""Seconds after which no further attempt for a message begins."""


NO_WORD = re.compile(r"[0-9A-Z]")
"""A sign that a part of a path is no word."""


class DeliveryQueue(Protocol):
    """The queue that a message of a notify-all comes from. It learns from the message's responses.

    ``now`` is the time of the event loop's clock, in seconds.
    """

    def answered(self, now: float) -> None:
        """Learn of a response that asks for nothing."""

    def refused(self, now: float, about: Scope, asked: float) -> None:
        """Learn of a response that asks for less, or of no response.

        ``about``: what it concerns; ``asked``: seconds, of its Retry-After, or 0.
        """


class NoQueue:
    """Stand for the queue of a message that is sent alone."""

    def answered(self, now: float) -> None: ...
    def refused(self, now: float, about: Scope, asked: float) -> None: ...


@dataclass
class DeliveryContext:
    """What all deliveries of one sender share.

    ``participants`` remember each message, or nobody does; ``clock`` gives seconds since 1970,
    ``sleep`` waits for seconds, ``chance`` gives numbers from 0 to 1.
    """

    client: PushClient[Any]
    participants: Participants | None = field(default_factory=Participants)
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random


class Delivery:
    """One message to ``stored``. ``payload``: plaintext or None; ``queue`` learns from the responses."""

    __slots__ = (
        "_agreed", "_attempts", "_began", "_context", "_error", "_log", "_options", "_payload",
        "_request", "queue", "stored",
    )  # fmt: skip

    _request: PreparedRequest

    def __init__(
        self,
        context: DeliveryContext,
        stored: StoredSubscription,
        payload: bytes | None,
        options: PushOptions,
        log: DeliveryLog,
        queue: DeliveryQueue,
    ):
        self.stored, self.queue = stored, queue
        self._context, self._log = context, log
        self._payload, self._options = payload, options
        self._began = asyncio.get_running_loop().time()
        self._attempts = 0
        self._error: PushlabError | None = None
        self._agreed: Any = None

    async def deliver(self) -> Outcome:
        """Send the message, and return its outcome after the last attempt. Raises LabStopped."""
        self.prepare()  # client.prepare(): encrypt, sign, describe the request
        response = self.attempt()  # log.request(), then client.send(): a future
        await _ended(response)
        outcome = self.classify(response)  # log.response(), then explain()
        return await self.retry(outcome)  # as long as another attempt may help

    def agree(self) -> None:
        """Do the longest part of prepare(), which many messages do one after the other before it."""
        subscription = self.stored.subscription
        if not (self._payload and subscription.has_keys):
            return
        try:
            self._agreed = self._context.client.agree(subscription)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is the outcome of this message
            self._error = sending_error(error)

    def prepare(self) -> None:
        """Let the client make the message ready, once for all attempts."""
        context, stored, payload = self._context, self.stored, self._payload
        if payload and not stored.subscription.has_keys:
            self._log.record("leave out payload", stored, bytes=len(payload))
            payload = None
        if context.participants:
            context.participants.sending(stored.subscription.endpoint, payload)
        try:
            self._request = context.client.prepare(
                stored, payload, self._options, self._log, self._agreed
            )
        except Exception as error:  # noqa: BLE001 — whatever it is, it is the outcome of this message
            self._error = sending_error(error)

    def attempt(self) -> Future[Response]:
        """Begin one attempt, and return the future of its response."""
        if self._error:
            return failed(self._error)
        self._attempts += 1
        self._log.request(self._request)
        return self._context.client.send(self._request)

    def classify(self, attempt: Future[Response]) -> Outcome:
        """Return what the response of an attempt means, and let the queue learn from it.

        A message that cannot be sent must not keep the others of a notify-all from being sent, so
        every failure is an Outcome too. Raises LabStopped.
        """
        try:
            response = attempt.result()
        except LabStopped:
            raise
        except Exception as error:  # noqa: BLE001 — whatever it is, it is the outcome of this message
            return explain(sending_error(error), attempts=self._attempts)
        self._log.response(self._request, response)
        subscription, context = self.stored.subscription, self._context
        outcome = explain(
            response,
            Secrets(subscription.endpoint),
            self._attempts,
            origin=subscription.origin,
            clock=context.clock,
        )
        if isinstance(response, NetworkFault) and outcome.kind == "retry":
            if proxy := unused_proxy(subscription.origin):
                outcome = outcome.adding(proxy)
        now = asyncio.get_running_loop().time()
        if outcome.asks_for_less and outcome.about:
            self.queue.refused(now, outcome.about, self._asked(outcome))
        else:
            self.queue.answered(now)
        if outcome.kind == "accepted" and self._payload and not self.stored.subscription.has_keys:
            return outcome.adding(WITHOUT_PAYLOAD)
        return outcome

    async def retry(self, outcome: Outcome) -> Outcome:
        """Try again what may succeed later, and return the last outcome. Raises LabStopped."""
        while outcome.kind == "retry":
            pause = self.next_pause(outcome)
            if pause is None:
                return self.give_up(outcome)
            await self._context.sleep(pause)
            response = self.attempt()
            await _ended(response)
            outcome = self.classify(response)
        return outcome

    def next_pause(self, outcome: Outcome) -> float | None:
        """Return the seconds until the next attempt, or None if there is to be none."""
        context, asked = self._context, self._asked(outcome)
        pause = FIRST_PAUSE * 2 ** (self._attempts - 1) * (1 - context.chance() / 2)
        pause = max(asked, pause)
        now = asyncio.get_running_loop().time()
        if self._attempts == ATTEMPTS or now + pause > self._began + RETRY_DEADLINE:
            return None
        self._log.record("try again", self.stored, seconds=round(pause, 1))
        return pause

    def give_up(self, outcome: Outcome) -> Outcome:
        """Return the last outcome of a message that is not tried again."""
        times = "once" if self._attempts == 1 else f"{self._attempts} times"
        if self._asked(outcome) > RETRY_DEADLINE:
            limit = f"{RETRY_DEADLINE:g} seconds"
            return outcome.adding(
                f"The sender tried {times}, then gave up: it waits for {limit} at most, and is asked to "
                "wait for longer."
            )
        return outcome.adding(f"The sender tried {times}, then gave up.")

    def _asked(self, outcome: Outcome) -> float:
        """Return the seconds of an outcome's Retry-After, or 0."""
        if not outcome.retry_after:
            return 0.0
        return seconds_of(outcome.retry_after, self._context.clock()) or 0.0


async def _ended(response: Future[Response]) -> None:
    """Wait until an attempt has ended. Being cancelled ends the attempt too."""
    try:
        await asyncio.wait([response])
    except asyncio.CancelledError:
        # It may have ended in this very moment, with an exception that nobody looks at now.
        if not response.cancel() and not response.cancelled():
            response.exception()
        raise


class Secrets:
    """The parts of an endpoint that must not be shown: all of it, its path, and what only it has.

    A part that has a capital letter or a digit is not taken for a word. Each is hidden as it stands in
    the endpoint, and without its percent-encoding. They are worked out only when a text is to be shown,
    which for most responses is not the case.

    >>> list(Secrets("https://push.example.net/v2/JzLQ3raZ"))
    ['https://push.example.net/v2/JzLQ3raZ', '/v2/JzLQ3raZ', 'JzLQ3raZ']
    """

    def __init__(self, endpoint: str):
        self._endpoint = endpoint

    def __iter__(self) -> Iterator[str]:
        url = urlsplit(self._endpoint)
        paths = [f"{url.path}?{url.query}", url.path] if url.query else [url.path]
        parts = [part for path in paths for part in (path, path.rstrip("/").rsplit("/", 1)[-1])]
        parts += [part for part in url.path.split("/") if NO_WORD.search(part)]
        parts += [*re.split("[&=]", url.query), *re.split("[/&=]", url.query)]
        yield self._endpoint
        # A shorter part is a word, such as "push", and would be found in any sentence.
        for part in dict.fromkeys(part for part in parts if len(part) >= 8):
            yield part
            if (decoded := unquote(part)) != part:
                yield decoded
