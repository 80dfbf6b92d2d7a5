"""Send, and see it through: again if need be, never for ever, and forget what is gone.

A courier makes one message ready and one attempt at a time. What is left is policy, the same for
every courier: 429, 5xx and network faults are tried again, as late as Retry-After says and with
ever longer pauses, up to a number of attempts and a total time; 404 and 410 remove the
subscription.
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from urllib.parse import urlsplit

from pushlab.appserver.courier import Attempt, Courier, DetoursOnly, PushlabCourier, Story
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.outcome import Outcome, explain, seconds_of
from pushlab.appserver.route import Route
from pushlab.appserver.store import StoredSubscription, SubscriptionStore
from pushlab.appserver.transport import CurlTransport
from pushlab.errors import LabStopped, PushlabError, StoreError
from pushlab.journal import Journal
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.subscription import PushSubscription

WORKERS = 100
"""Messages under way at a time. With one connection of HTTP/2 that is a hundred streams of it."""

ATTEMPTS = 4
"""Requests for one message, the first included."""

PATIENCE = 20.0
"""Seconds from the first attempt after which no other is begun."""

FIRST_PAUSE = 0.5
"""Seconds. Each pause is twice the one before, less a random part that is at most half of it."""


@dataclass(frozen=True)
class Counts:
    """What came of one message to many subscriptions.

    Each subscription is ``accepted``, ``gone`` or ``failed``; ``retried`` says how many of them
    needed more than one attempt. ``id`` is the number in the default notification.
    """

    accepted: int = 0
    gone: int = 0
    retried: int = 0
    failed: int = 0
    id: int = 0

    @property
    def done(self) -> int:
        """How many subscriptions these counts speak of."""
        return self.accepted + self.gone + self.failed


class Sender:
    """Send to stored subscriptions.

    ``lab_origins`` are push services that keep the journal of their own requests, and ``routes`` lead
    to one; ``clock`` gives
    seconds since 1970, ``sleep`` waits for seconds, and ``chance`` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        keys: VapidKeys,
        store: SubscriptionStore,
        courier: Courier,
        *,
        journal: Journal | None = None,
        lab_origins: Collection[str] = (),
        routes: Sequence[Route] = (),
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        workers: int = WORKERS,
    ):
        self._keys = keys
        self._store = store
        self._courier = courier
        self._told = Story(journal, lab_origins, routes)
        self._journal, self._routes = journal, routes
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._workers = workers

    async def send(
        self, stored: StoredSubscription, payload: bytes | None, options: PushOptions
    ) -> Outcome:
        """Send one message and return what came of it, after the last attempt.

        ``payload``: plaintext of at most 3993 bytes, or None. The subscription is removed on 404
        and 410. What fails is an Outcome too; only LabStopped is raised.
        """
        outcome = await self._send(stored, payload, options, self._told)
        if outcome.kind == "gone":
            self._told.step("remove subscription", stored.who)
        return outcome

    async def send_all(
        self,
        payload: bytes | None,
        options: PushOptions,
        progress: Callable[[Counts], None] | None = None,
    ) -> Counts:
        """Send one message to every stored subscription.

        A fixed number of workers takes from the store, so memory stays the same for any number of
        subscribers. ``progress`` is called with the counts so far. Raises UnableToReadDatabase and
        LabStopped.
        """
        total = await asyncio.to_thread(self._store.count)
        self._told.step(f"send to {total} subscription{'' if total == 1 else 's'}")
        rows = Rows(self._store.batches())
        # The first message stands for all of them in the journal; a detour is told in any case.
        stories = chain([self._told], repeat(DetoursOnly(self._journal, self._routes)))
        tally: Counter[str] = Counter()

        async def work() -> None:
            while stored := await rows.take():
                outcome = await self._send(stored, payload, options, next(stories))
                column = outcome.kind if outcome.kind in ("accepted", "gone") else "failed"
                tally.update([column] if outcome.attempts == 1 else [column, "retried"])
                if progress:
                    progress(Counts(**tally))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._workers, total)):
                    group.create_task(work())
        except ExceptionGroup as reasons:
            raise reasons.exceptions[0] from None
        if tally["gone"]:
            self._told.step("remove subscription", count=tally["gone"])
        return Counts(**tally)

    async def close(self) -> None:
        """Close the connections."""
        await self._courier.close()

    async def _send(
        self,
        stored: StoredSubscription,
        payload: bytes | None,
        options: PushOptions,
        story: Story,
    ) -> Outcome:
        try:
            attempt = self._courier.prepare(stored, payload, options, story)
            outcome = await self._see_through(stored, attempt, story)
        except LabStopped:
            raise
        except PushlabError as error:
            # One message that cannot be sent must not keep the others from being sent.
            return explain(error)
        if outcome.kind == "gone":
            return await self._remove(stored, outcome)
        return self._compare_keys(stored, outcome)

    async def _see_through(
        self, stored: StoredSubscription, attempt: Attempt, story: Story
    ) -> Outcome:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        hidden = secrets_of(stored.subscription.endpoint)
        for number in range(1, ATTEMPTS + 1):
            outcome = replace(explain(await attempt(), hidden), attempts=number)
            if outcome.kind != "retry":
                break
            asked = seconds_of(outcome.retry_after, self._clock()) or 0.0
            pause = max(asked, FIRST_PAUSE * 2 ** (number - 1) * (1 - self._chance() / 2))
            if number == ATTEMPTS or loop.time() + pause > deadline:
                times = "once" if number == 1 else f"{number} times"
                return replace(outcome, text=f"{outcome.text} Tried {times}, then given up.")
            story.step("try again", stored.who, seconds=round(pause, 1))
            await self._sleep(pause)
        return outcome

    async def _remove(self, stored: StoredSubscription, outcome: Outcome) -> Outcome:
        try:
            known = await asyncio.to_thread(self._store.remove, stored.subscription.endpoint)
        except StoreError as error:
            return replace(outcome, text=f"{outcome.text} It is not removed yet: {error.detail}.")
        return replace(outcome, text=f"{outcome.text} It is removed here.") if known else outcome

    def _compare_keys(self, stored: StoredSubscription, outcome: Outcome) -> Outcome:
        ours, theirs = self._keys.application_server_key, stored.application_server_key
        # Which of the three a wrong key gets depends on the vendor.
        if outcome.status not in (400, 401, 403) or ours == theirs:
            return outcome
        return replace(
            outcome,
            text=f"{outcome.text} This subscription was made for another application server key "
            f"({theirs[:8]}…) than the one that signs now ({ours[:8]}…). Put the old keys back, or "
            "let the page unsubscribe and subscribe again.",
        )


class Rows:
    """Hand out stored subscriptions one by one, and read the next batch when one is used up.

    The database is read in a thread: the event loop never waits for a disk or a lock.
    """

    def __init__(self, batches: Iterator[list[StoredSubscription]]):
        self._batches = batches
        self._rows: deque[StoredSubscription] = deque()
        self._reading = asyncio.Lock()

    async def take(self) -> StoredSubscription | None:
        """Return the next, or None at the end. Raises UnableToReadDatabase."""
        async with self._reading:
            if not self._rows:
                self._rows.extend(await asyncio.to_thread(next, self._batches, []))
            return self._rows.popleft() if self._rows else None


def secrets_of(endpoint: str) -> list[str]:
    """Return what must not be shown of an endpoint: all of it, its path, the end of its path.

    >>> secrets_of("https://push.example.net/v2/JzLQ3raZ")
    ['https://push.example.net/v2/JzLQ3raZ', '/v2/JzLQ3raZ', 'JzLQ3raZ']
    """
    url = urlsplit(endpoint)
    paths = [f"{url.path}?{url.query}", url.path] if url.query else [url.path]
    parts = [part for path in paths for part in (path, path.rsplit("/", 1)[-1])]
    # A shorter part is a word, such as "push", and would be found in any sentence.
    return [endpoint, *(part for part in parts if len(part) >= 8)]


async def send_once(
    keys: VapidKeys,
    subscription: PushSubscription,
    payload: bytes | None,
    options: PushOptions,
) -> Outcome:
    """Send one message to a subscription that is stored nowhere, and return what came of it."""
    store = SubscriptionStore()
    sender = Sender(keys, store, PushlabCourier(keys, CurlTransport()))
    stored = StoredSubscription(subscription, keys.application_server_key, "", time.time())
    try:
        return await sender.send(stored, payload, options)
    finally:
        await sender.close()
        store.close()
