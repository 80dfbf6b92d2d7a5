"""One examination: a sender, the push service that it meets, and what is known of it so far."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from pushlab.conformance.answer import ACCEPTED, STRICT, Plan, always
from pushlab.conformance.exchange import Exchange, Message
from pushlab.conformance.senders.app import AppSender
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
    another attempt, beyond the pause; ``hasty``: an attempt that comes earlier after an answer was
    made without a pause; ``quiet``: without a request, after which no more is expected;
    ``patience``: for a sender that waits for an answer; ``case``, ``total``: for one case, for all.
    ``messages``: how many are compared for their salts; ``fresh``: seconds that these may take;
    ``subscribers``: the most that one message goes to.
    """

    arrival: float = 5.0
    pause: int = 1
    retry: float = 15.0
    hasty: float = 0.1
    quiet: float = 5.0
    patience: float = 35.0
    case: float = 90.0
    total: float = 300.0
    messages: int = 200
    fresh: float = 20.0
    subscribers: int = 2000


class Unreached(Exception):
    """A case cannot be judged, because something that it needs did not happen."""

    def __init__(self, why: str, exchange: Exchange | None = None) -> None:
        self.why, self.exchange = why, exchange
        super().__init__(why)


class Examination:
    """What the cases share. ``key``: the sender's public key, once it is known.

    ``clock``: seconds since 1970. ``unopened``: why the first message did not come; then no case can
    be judged.
    """

    def __init__(
        self,
        sender: Sender,
        service: ExaminationService,
        *,
        key: bytes | None = None,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sender, self.service, self.key = sender, service, key
        self.timing, self.clock = timing or Timing(), clock
        self.sent: list[Exchange] = []
        self.unopened = ""
        self.keeper = sender if isinstance(sender, AppSender) else None
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

    def require(self, exchange: Exchange) -> Exchange:
        """Return an exchange in which a request has come. Raises Unreached."""
        if not exchange.requests:
            raise Unreached(nothing_came(exchange, self.service), exchange)
        return exchange

    async def ordinary(self) -> Exchange:
        """Return the ordinary message, by which most of the cases judge. Raises Unreached."""
        return self.require(await self.shared("ordinary", self.send))

    async def second(self) -> Exchange:
        """Return a message to a second subscription. Raises Unreached."""
        return self.require(await self.shared("second", self.send))

    async def elsewhere(self) -> Exchange:
        """Return a message to the second push service. Raises Unreached."""
        return self.require(await self.shared("elsewhere", lambda: self.send(service=1)))

    async def learn(self) -> None:
        """Learn the sender's public key, and whether an app sends to all. Raises Unreached."""
        exchange = await self.ordinary()
        if self.key is None:
            # The cases of the token say what is wrong with it; subscriptions stay unrestricted then.
            with suppress(PushlabError):
                self.key = vapid.parse(exchange.requests[0].header("Authorization")).k
        if self.keeper is not None and not self.keeper.sends_to_all:
            await self.second()
            await exchange.message.recipient.wait_for(2, min(0.5, self.timing.quiet))
            if len(exchange) > 1:
                self.keeper.sends_to_all, self.keeper.at_once = True, 1

    # --- apps ---------------------------------------------------------------------------------------

    async def notify(self, exchange: Exchange) -> None:
        """Let an app send once more to a subscription that it was given. Raises Unreached."""
        assert self.keeper is not None
        async with self._slots:
            said = await self.keeper.notify(exchange.message.recipient, exchange.message)
        if said.fault:
            raise Unreached(said.fault, exchange)

    async def witness(self) -> None:
        """Wait until a message has come that was sent last: what was to come before it has come.

        Where each message goes to all, another one would be a second message for all: time has to do.
        """
        if self.keeper is not None and self.keeper.sends_to_all:
            await asyncio.sleep(self.timing.quiet)
        else:
            self.require(await self.send(plan=always(ACCEPTED)))
            await asyncio.sleep(min(0.3, self.timing.quiet))

    async def forget(self) -> None:
        """Let an app forget the subscriptions until now: a message to all is no concern of theirs.

        Without a route that removes, they are answered 410 from now on.
        """
        retired = iter(self.service.retire())
        keeper = self.keeper
        if keeper is None or not keeper.removes:
            return

        async def forget_some() -> None:
            for recipient in retired:
                await keeper.unsubscribe_with(recipient.subscription.to_json())

        with suppress(TimeoutError):
            async with asyncio.timeout(self.timing.fresh):
                await asyncio.gather(*(forget_some() for _ in range(keeper.at_once)))

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
