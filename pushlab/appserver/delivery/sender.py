"""Send, and see it through: again if need be, never for ever, and forget what is gone.

A client makes one message ready and one attempt at a time, and a Message is seen through to what
came of it. What is left is what the store learns from that: 404 and 410 remove the subscription,
and every outcome of a notify-all is recorded.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

from pushlab.appserver.broadcast.broadcast import Broadcast
from pushlab.appserver.broadcast.congestion import MAX_IN_FLIGHT, OriginQueue
from pushlab.appserver.broadcast.recorder import Recorder
from pushlab.appserver.broadcast.runs import Runs, not_accepted
from pushlab.appserver.delivery.client import DetoursOnly, LibcurlPushClient, PushClient, Story
from pushlab.appserver.delivery.delivery import Means, Message
from pushlab.appserver.delivery.egress import ConnectOverride, EgressPolicy
from pushlab.appserver.delivery.response import STOPPED
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.explain.outcome import Outcome
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription, SubscriptionStore
from pushlab.errors import BadField, LabStopped, StoreError
from pushlab.journal import Journal
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.subscription import PushSubscription


@dataclass(frozen=True)
class Counts:
    """What came of one message to many subscriptions.

    Each subscription is ``accepted``, ``gone`` or ``failed``; ``retried`` says how many of them
    needed more than one attempt. ``id`` is the number in the default notification. ``total`` is how
    many subscriptions there were at the beginning, and ``run`` what to give to go on with this.

    >>> Counts(accepted=3, gone=1, total=10).done
    4
    """

    accepted: int = 0
    gone: int = 0
    retried: int = 0
    failed: int = 0
    id: int = 0
    total: int = field(default=0, compare=False)
    run: int = field(default=0, compare=False)

    @property
    def done(self) -> int:
        """How many subscriptions these counts speak of."""
        return self.accepted + self.gone + self.failed


class Sender:
    """Send to stored subscriptions, and record in the store what comes of it.

    ``lab_origins`` are push services that keep the journal of their own requests, and ``overrides``
    lead to one; ``clock`` gives seconds since 1970, ``sleep`` waits for seconds, and ``chance``
    gives numbers from 0 to 1; ``workers`` is how many messages may be under way to one push service
    at most. Raises UnableToWriteDatabase.
    """

    def __init__(
        self,
        keys: VapidKeys,
        store: SubscriptionStore,
        client: PushClient,
        *,
        journal: Journal | None = None,
        lab_origins: Collection[str] = (),
        overrides: Sequence[ConnectOverride] = (),
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        workers: int = MAX_IN_FLIGHT,
    ):
        self.runs = Runs(store, clock)
        self._keys = keys
        self._store = store
        self._means = Means(client, clock, sleep, chance)
        self._told = Story(journal, lab_origins, overrides)
        self._journal, self._connect_overrides = journal, overrides
        self._workers = workers
        self._broadcasts: set[Broadcast] = set()
        # What close() can end early, and a future for each message and each notify-all under way,
        # which is done when nothing of it is left.
        self._waiting: set[asyncio.Timeout] = set()
        self._under_way: set[asyncio.Future[None]] = set()
        self._closed = False

    async def send(
        self, stored: StoredSubscription, payload: bytes | None, options: PushOptions
    ) -> Outcome:
        """Send one message and return what came of it, after the last attempt.

        ``payload``: plaintext of at most 3993 bytes, or None. The subscription is removed on 404
        and 410. What fails is an Outcome too; only LabStopped is raised.
        """
        with self._delivery():
            message = Message(self._means, stored, payload, options, self._told, OriginQueue())
            async with self._until_close():
                outcome = await message.send()
            outcome = self._compare_keys(stored, outcome)
            if outcome.kind == "gone":
                outcome = await self._remove(stored, outcome)
                self._told.step("remove subscription", stored.display_name)
            return outcome

    async def send_all(
        self,
        payload: bytes | None,
        options: PushOptions,
        progress: Callable[[Counts], None] | None = None,
        *,
        run: int | None = None,
        number: int = 0,
    ) -> Counts:
        """Send one message to every stored subscription.

        Only some of them are in memory at a time, however many there are. ``progress`` is called
        with the counts so far, once a subscription: let it be quick. ``number`` is recorded beside
        the outcomes. ``run`` goes on with a notify-all that was killed, with the same payload: who
        is recorded as accepted is left out, and what was under way at the kill is sent again.
        Raises UnableToReadDatabase, UnableToWriteDatabase, BadField (a run that is not known, or was
        of another payload), LabStopped.

        >>> from tqdm import tqdm                                          # doctest: +SKIP
        >>> with tqdm() as bar:                                            # doctest: +SKIP
        ...     await sender.send_all(b"Hello", PushOptions(), lambda counts: bar.update())
        """
        with self._delivery():
            return await self._send_all(payload, options, progress, run, number)

    async def _send_all(
        self,
        payload: bytes | None,
        options: PushOptions,
        progress: Callable[[Counts], None] | None,
        run: int | None,
        number: int,
    ) -> Counts:
        again = run is not None
        total, run = await asyncio.to_thread(self._begin_run, payload, run, number)
        self._check_open()
        self._told.step("send to all", subscriptions=total)
        # The first message stands for all of them in the journal; a detour is told in any case.
        stories = chain([self._told], repeat(DetoursOnly(self._journal, self._connect_overrides)))
        recorder = Recorder(self.runs, run, again)
        tally = {"accepted": 0, "gone": 0, "retried": 0, "failed": 0}

        def note(stored: StoredSubscription, outcome: Outcome) -> None:
            tally[outcome.kind if outcome.kind in ("accepted", "gone") else "failed"] += 1
            tally["retried"] += outcome.attempts > 1
            recorder.note(stored.number, outcome)
            if progress:
                progress(Counts(**tally, total=total, run=run))

        def message(stored: StoredSubscription, queue: OriginQueue) -> Message:
            return Message(self._means, stored, payload, options, next(stories), queue)

        left = {"where": not_accepted(run)} if again else {}
        broadcast = Broadcast(self._store.batches(**left), message, note, self._workers)
        self._broadcasts.add(broadcast)
        try:
            try:
                await broadcast.run()
            finally:
                await recorder.close()
            await asyncio.to_thread(self.runs.end, run)
        finally:
            self._broadcasts.remove(broadcast)
        if tally["gone"]:
            self._told.step("remove subscription", count=tally["gone"])
        return Counts(**tally, total=total, run=run)

    async def close(self) -> None:
        """End what is under way, record what has come of it, and close the connections.

        When it returns, nothing is sent any more, and each notify-all has its record. What was
        under way raises LabStopped, and so does every later call. Calling it twice is harmless.
        """
        self._closed = True
        for broadcast in self._broadcasts:
            broadcast.stop()
        now = asyncio.get_running_loop().time()
        for waiting in self._waiting:
            if not waiting.expired():
                waiting.reschedule(now)
        await self._means.client.close()
        await asyncio.gather(*self._under_way)

    def _check_open(self) -> None:
        if self._closed:
            raise LabStopped(STOPPED)

    @contextmanager
    def _delivery(self) -> Iterator[None]:
        """Let close() wait for this block. Raises LabStopped after close()."""
        self._check_open()
        ended = asyncio.get_running_loop().create_future()
        self._under_way.add(ended)
        try:
            yield
        finally:
            self._under_way.remove(ended)
            ended.set_result(None)

    @asynccontextmanager
    async def _until_close(self) -> AsyncIterator[None]:
        """Break this block off at close(), whatever it waits for, and raise LabStopped.

        It is a time-out without a time, which close() sets. So no task is needed.
        """
        try:
            async with asyncio.timeout(None) as waiting:
                self._waiting.add(waiting)
                try:
                    yield
                finally:
                    self._waiting.remove(waiting)
        except TimeoutError:
            if not waiting.expired():
                raise
            raise LabStopped(STOPPED) from None

    def _begin_run(self, payload: bytes | None, run: int | None, number: int) -> tuple[int, int]:
        """Return how many subscriptions there are to send to, and the number of the notify-all."""
        digest = hashlib.sha256(payload or b"").digest()
        if run is None:
            return self._store.count(), self.runs.begin(digest, number)
        if self.runs.get(run).digest != digest:
            raise BadField(f"notify-all {run} was of another message")
        return self._store.count(not_accepted(run)), run

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


async def send_once(
    keys: VapidKeys,
    subscription: PushSubscription,
    payload: bytes | None,
    options: PushOptions,
    allowed_origins: Collection[str] = (),
) -> Outcome:
    """Send one message to a subscription that is stored nowhere, and return what came of it.

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
