"""Send one message to one stored subscription, and remove the subscription if it is gone.

A Delivery takes the message to its outcome. The Sender acts on the outcome: 404 and 410 remove the
subscription, and nothing else does.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from pushlab.appserver.delivery.client import LibcurlPushClient, PushClient
from pushlab.appserver.delivery.contact import ContactWarning
from pushlab.appserver.delivery.delivery import Delivery, DeliveryContext, NoQueue
from pushlab.appserver.delivery.egress import EgressPolicy
from pushlab.appserver.delivery.log import DeliveryLog, tell_outcome
from pushlab.appserver.delivery.response import STOPPED
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.explain.outcome import Outcome
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.participants import Participants
from pushlab.appserver.store import StoredSubscription, SubscriptionStore
from pushlab.errors import LabStopped, StoreError
from pushlab.journal import Journal
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.subscription import PushSubscription


class PendingWork:
    """The calls that are under way, for close() to wait for.

    >>> async def example():
    ...     work = PendingWork()
    ...     with work.call():
    ...         print(len(work))
    ...     work.refuse_more()
    ...     await work.ended()
    ...     print(len(work))
    >>> asyncio.run(example())
    1
    0
    """

    def __init__(self) -> None:
        # A future for each call, which is done when the call has ended.
        self._calls: set[asyncio.Future[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._calls)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count this block as under way. Raises LabStopped after refuse_more()."""
        self.check()
        ended = asyncio.get_running_loop().create_future()
        self._calls.add(ended)
        try:
            yield
        finally:
            self._calls.remove(ended)
            ended.set_result(None)

    def check(self) -> None:
        """Raise LabStopped after refuse_more()."""
        if self._closed:
            raise LabStopped(STOPPED)

    def refuse_more(self) -> None:
        """Let every later call raise LabStopped. Calling it twice is harmless."""
        self._closed = True

    async def ended(self) -> None:
        """Wait until every call has ended."""
        await asyncio.gather(*self._calls)


class Sender:
    """Send to stored subscriptions, one message at a time, and remove those that are gone.

    ``lab_origins`` are push services that record their own requests in the same ``journal``;
    ``participants`` remember what was sent to whom; ``clock`` gives seconds since 1970, ``sleep``
    waits for seconds, and ``chance`` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        keys: VapidKeys,
        store: SubscriptionStore,
        client: PushClient[Any],
        *,
        journal: Journal | None = None,
        lab_origins: Collection[str] = (),
        participants: Participants | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ):
        self.store = store
        self.log = DeliveryLog(journal, lab_origins, ContactWarning(keys.subject))
        self.context = DeliveryContext(client, participants or Participants(clock), clock, sleep, chance)
        self._keys = keys
        self._work = PendingWork()
        self._timeouts: set[asyncio.Timeout] = set()

    async def send(
        self, stored: StoredSubscription, payload: bytes | None, options: PushOptions
    ) -> Outcome:
        """Send one message and return its outcome, after the last attempt.

        ``payload``: plaintext of at most 3993 bytes, or None. The subscription is removed on 404
        and 410. A failure is an Outcome too; only LabStopped is raised.
        """
        with self._work.call():
            delivery = Delivery(self.context, stored, payload, options, self.log, NoQueue())
            async with self._until_close():
                outcome = await delivery.deliver()
            outcome = self._compare_keys(stored, outcome)
            if outcome.kind == "gone":
                outcome = await self._remove(stored, outcome)
            tell_outcome(stored, outcome)
            return outcome

    async def close(self) -> None:
        """End every message that is under way, and close the connections.

        When it returns, nothing is sent any more. The calls that were under way raise LabStopped, and
        so does every later one. Calling it twice is harmless.
        """
        self._work.refuse_more()
        now = asyncio.get_running_loop().time()
        for timeout in self._timeouts:
            if not timeout.expired():
                timeout.reschedule(now)
        await self.context.client.close()
        await self._work.ended()

    @asynccontextmanager
    async def _until_close(self) -> AsyncIterator[None]:
        """Run this block until close() at most, whatever it waits for; then raise LabStopped.

        It is a time-out without a time, which close() sets. So it needs no task.
        """
        try:
            async with asyncio.timeout(None) as timeout:
                self._timeouts.add(timeout)
                try:
                    yield
                finally:
                    self._timeouts.remove(timeout)
        except TimeoutError:
            if not timeout.expired():
                raise
            raise LabStopped(STOPPED) from None

    async def _remove(self, stored: StoredSubscription, outcome: Outcome) -> Outcome:
        try:
            known = await asyncio.to_thread(self.store.remove, stored.subscription.endpoint)
        except StoreError as error:
            return outcome.adding(f"It is not removed yet: {error.detail}.")
        if not known:
            return outcome
        self.log.record("remove subscription", stored)
        return outcome.adding("The application server has removed it.")

    def _compare_keys(self, stored: StoredSubscription, outcome: Outcome) -> Outcome:
        ours, theirs = self._keys.application_server_key, stored.application_server_key
        # Which of the three statuses a wrong key gets depends on the vendor.
        if outcome.status not in (400, 401, 403) or ours == theirs:
            return outcome
        return outcome.adding(
            f"This subscription was made for another application server key "
            f"({theirs[:8]}…), and {ours[:8]}… signs now. Put the old keys back, or "
            "let the page unsubscribe and subscribe again."
        )


async def send_once(
    keys: VapidKeys,
    subscription: PushSubscription,
    payload: bytes | None,
    options: PushOptions,
    allowed_origins: Collection[str] = (),
) -> Outcome:
    """Send one message to a subscription that is stored nowhere, and return its outcome.

    ``allowed_origins`` may have addresses that are not public.
    """
    store = SubscriptionStore()
    transport = CurlTransport(egress=EgressPolicy(allowed_origins))
    sender = Sender(keys, store, LibcurlPushClient(keys, transport))
    stored = StoredSubscription(subscription, keys.application_server_key, "", time.time())
    try:
        return await sender.send(stored, payload, options)
    finally:
        await sender.close()
        store.close()
