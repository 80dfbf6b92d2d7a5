"""One examination: a sender, the push service that it meets, and what is known of it so far."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pushlab.conformance.answer import STRICT, Plan
from pushlab.conformance.exchange import Exchange, Message
from pushlab.conformance.senders.base import Sender
from pushlab.conformance.service import ExaminationService
from pushlab.errors import PushlabError
from pushlab.protocol import vapid
from pushlab.text import show

T = TypeVar("T")

PAYLOAD = b'{"title":"Conformance","options":{"body":"Sent by the sender that is examined"}}'
"""The payload where a case is about something else."""


@dataclass(frozen=True)
class Timing:
    """How long the examination waits, in seconds.

    ``arrival``: for a message to come; ``pause``: the Retry-After that it gives; ``retry``: for
    another attempt, beyond the pause; ``quiet``: without a request, after which no more is expected;
    ``patience``: for a sender that waits for an answer; ``case``, ``total``: for one case, for all.
    ``messages``: how many are compared for their salts; ``fresh``: seconds that these may take.
    """

    arrival: float = 5.0
    pause: int = 1
    retry: float = 15.0
    quiet: float = 5.0
    patience: float = 20.0
    case: float = 60.0
    total: float = 300.0
    messages: int = 200
    fresh: float = 20.0


class Unreached(Exception):
    """A case cannot be judged, because something that it needs did not happen."""

    def __init__(self, why: str, exchange: Exchange | None = None) -> None:
        self.why, self.exchange = why, exchange
        super().__init__(why)


class Examination:
    """What the cases share. ``key``: the sender's public key, once it is known.

    ``seed``: of what is random; ``clock``: seconds since 1970.
    """

    def __init__(
        self,
        sender: Sender,
        service: ExaminationService,
        *,
        key: bytes | None = None,
        timing: Timing | None = None,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sender, self.service, self.key = sender, service, key
        self.timing, self.clock = timing or Timing(), clock
        self.chance = random.Random(seed)
        self.sent: list[Exchange] = []
        self._slots = asyncio.Semaphore(sender.at_once)
        self._shared: dict[str, asyncio.Task[Any]] = {}

    async def send(
        self,
        payload: bytes = PAYLOAD,
        *,
        plan: Plan = STRICT,
        service: int = 0,
        ahead: float = 0.0,
        ttl: int = 60,
        urgency: str = "normal",
        topic: str = "",
        measured: bool = False,
    ) -> Exchange:
        """Let the sender send one message to a new subscription, and wait until it has come.

        ``service``: which of the two push services. Raises Unreached if the sender cannot be asked.
        """
        recipient = self.service.recipient(service, key=self.key, plan=plan, ahead=ahead)
        message = Message(recipient, payload, ttl, urgency, topic, measured)
        async with self._slots:
            said = await self.sender.send(message)
        exchange = Exchange(message, said)
        self.sent.append(exchange)
        if said.fault:
            raise Unreached(said.fault, exchange)
        # What a command sends may still be on its way when it has ended.
        refused = self.sender.ends and said.accepted is False
        await recipient.wait_for(1, 0.2 if refused else self.timing.arrival)
        return exchange

    async def shared(self, name: str, observe: Callable[[], Awaitable[T]]) -> T:
        """Return what ``observe`` gives; it is called once for all cases that ask by this name."""
        if name not in self._shared:

            async def call() -> T:
                return await observe()

            self._shared[name] = asyncio.create_task(call())
        observation: asyncio.Task[T] = self._shared[name]
        return await asyncio.shield(observation)

    async def ordinary(self) -> Exchange:
        """Return the ordinary message, by which most of the cases judge. Raises Unreached."""
        exchange = await self.shared("ordinary", self.send)
        if not exchange.requests:
            raise Unreached(nothing_came(exchange, self.service), exchange)
        return exchange

    async def learn_key(self) -> None:
        """Learn the sender's public key from its first message. Raises Unreached."""
        exchange = await self.ordinary()
        given = exchange.requests[0].header("Authorization")
        try:
            self.key = vapid.parse(given).k
        except PushlabError:
            return  # The cases of the token say what is wrong with it; subscriptions stay unrestricted.

    async def close(self) -> None:
        """End what is still under way."""
        for task in self._shared.values():
            task.cancel()
        await asyncio.gather(*self._shared.values(), return_exceptions=True)


def nothing_came(exchange: Exchange, service: ExaminationService) -> str:
    """Say that no request came, and what is known of the reason."""
    said, why = exchange.said, ""
    if service.broken:
        why = f": {service.broken[-1]}"
    elif said.text.strip():
        why = f": {last_line(said.text)}"
    status = f" ({said.status})" if said.status else ""
    return f"no request came{status}{why}"


def last_line(text: str) -> str:
    """Return the last line of an output that says something, at most 200 characters of it."""
    lines = [line for line in text.splitlines() if line.strip()]
    return show(lines[-1], limit=200) if lines else ""
