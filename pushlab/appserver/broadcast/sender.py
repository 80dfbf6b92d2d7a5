"""Send one message to every stored subscription, and record each outcome.

A Broadcast decides when the message to each subscription begins. A Recorder writes the outcomes into
the database, so that a notify-all that was killed can be resumed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, repeat

from pushlab.appserver.broadcast.broadcast import NOT_SENT, Broadcast, Queue
from pushlab.appserver.broadcast.congestion import MAX_IN_FLIGHT
from pushlab.appserver.broadcast.outage import PASSING, outlast
from pushlab.appserver.broadcast.recorder import MAX_BEHIND, Recorder, how_to_resume
from pushlab.appserver.broadcast.runs import Runs, UnderWay, never_sent, not_accepted
from pushlab.appserver.delivery.delivery import Delivery
from pushlab.appserver.delivery.log import tell_outcome
from pushlab.appserver.delivery.sender import PendingWork, Sender
from pushlab.appserver.explain.outcome import Outcome, explain
from pushlab.appserver.participants import MAX_REMEMBERED
from pushlab.appserver.store import Batch, StoredSubscription
from pushlab.errors import PushlabError, UnableToReadDatabase
from pushlab.protocol.delivery import PushOptions

ORIGINS_TOLD = 10
"""Push services that the journal names, at most, as those that nothing was sent to."""


@dataclass(frozen=True)
class Counts:
    """How the messages of one notify-all ended.

    Each subscription is ``accepted``, ``gone`` or ``failed``; ``retried`` says how many of them
    needed more than one attempt, and ``not_sent`` how many of those that failed were sent nothing,
    because their push service had refused everybody for a while. ``id`` is the number in the default
    notification. ``total`` is how many subscriptions there were at the beginning. ``run`` is the number
    with which this notify-all can be resumed.

    >>> Counts(accepted=3, gone=1, total=10).done
    4
    """

    accepted: int = 0
    gone: int = 0
    retried: int = 0
    failed: int = 0
    id: int = 0
    not_sent: int = field(default=0, compare=False)
    total: int = field(default=0, compare=False)
    run: int = field(default=0, compare=False)

    @property
    def done(self) -> int:
        """How many subscriptions have an outcome."""
        return self.accepted + self.gone + self.failed


class BroadcastSender:
    """Send to all stored subscriptions, by the client, the store and the log of ``sender``.

    ``max_in_flight`` is how many messages may be under way to one push service at most. Close it
    before the sender. Raises UnableToWriteDatabase.
    """

    def __init__(self, sender: Sender, *, max_in_flight: int = MAX_IN_FLIGHT):
        self.runs = Runs(sender.store, sender.context.clock)
        self._context, self._store, self._log = sender.context, sender.store, sender.log
        self._max_in_flight = max_in_flight
        self._broadcasts: dict[Broadcast, Recorder] = {}
        self._work = PendingWork()

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

        Only some subscriptions are in memory at a time, however many there are. ``progress`` is
        called with the counts so far, once a subscription; it must return at once. ``number`` is
        recorded beside the outcomes. ``run`` resumes a notify-all that was killed, with the same
        payload: a subscription recorded as accepted is not sent to again, and one whose message was
        under way at the kill is. Raises UnableToReadDatabase, UnableToWriteDatabase, BadField (a run
        that is not known, or was of another payload), RunUnderWay, LabStopped.

        >>> from tqdm import tqdm                                          # doctest: +SKIP
        >>> with tqdm() as bar:                                            # doctest: +SKIP
        ...     await sender.send_all(b"Hello", PushOptions(), lambda counts: bar.update())
        """
        with self._work.call(), self.runs.sending(run) as mark:
            return await self._send_all(payload, options, progress, mark, number)

    async def _send_all(
        self,
        payload: bytes | None,
        options: PushOptions,
        progress: Callable[[Counts], None] | None,
        mark: UnderWay,
        number: int,
    ) -> Counts:
        total, run = await asyncio.to_thread(self.runs.start, payload, mark, number)
        self._work.check()
        self._log.record("send to all", subscriptions=total)
        # The first message stands for all of them in the journal.
        logs = chain([self._log], repeat(self._log.quiet()))
        # The others would be forgotten before the end: to remember them first is work for nothing.
        unremembered = replace(self._context, participants=None)
        contexts = chain(repeat(unremembered, max(0, total - MAX_REMEMBERED)), repeat(self._context))
        recorder = Recorder(self.runs, run)
        tally = {"accepted": 0, "gone": 0, "retried": 0, "failed": 0, "not_sent": 0}
        not_sent: Counter[str] = Counter()

        def note(stored: StoredSubscription, outcome: Outcome) -> None:
            tally[outcome.kind if outcome.kind in ("accepted", "gone") else "failed"] += 1
            tally["retried"] += outcome.attempts > 1
            if outcome is NOT_SENT:
                tally["not_sent"] += 1
                not_sent[stored.subscription.origin] += 1
            recorder.note(stored.number, outcome)
            tell_outcome(stored, outcome)
            if progress:
                progress(Counts(**tally, total=total, run=run))

        def delivery(stored: StoredSubscription, queue: Queue) -> Delivery:
            return Delivery(next(contexts), stored, payload, options, next(logs), queue)

        def unreadable(subscription: int, error: PushlabError) -> None:
            tally["failed"] += 1
            recorder.note(subscription, explain(error))
            if progress:
                progress(Counts(**tally, total=total, run=run))

        if mark.resumed:
            batches = await outlast(partial(self._left, run, unreadable))
            self._work.check()  # close() may have been called meanwhile: it could not end this one.
        else:
            batches = self._store.batches(unreadable=unreadable)
        broadcast = Broadcast(
            batches, delivery, note, self._max_in_flight, self._context.sleep,
            partial(recorder.catch_up, MAX_BEHIND), self._context.chance,
        )  # fmt: skip
        self._broadcasts[broadcast] = recorder
        try:
            try:
                await broadcast.run()
                await recorder.finish()
            finally:
                await recorder.close()
        except PASSING as fault:
            done = f"notify-all {run} has stopped after {tally['accepted']} of {total}"
            raise UnableToReadDatabase(
                f"{done}: {fault.detail}", fault.fault, hint=how_to_resume(run)
            ) from None
        finally:
            del self._broadcasts[broadcast]
        for origin, count in not_sent.most_common(ORIGINS_TOLD):
            self._log.record("not sent", push_service=origin, count=count)
        if tally["gone"]:
            self._log.record("remove subscription", count=tally["gone"])
        return Counts(**tally, total=total, run=run)

    async def close(self) -> None:
        """End every notify-all that is under way, and record the outcomes so far.

        When it returns, each notify-all has its record. The calls that were under way raise
        LabStopped, and so does every later one. Calling it twice is harmless.
        """
        self._work.refuse_more()
        for broadcast, recorder in self._broadcasts.items():
            broadcast.stop()
            recorder.stop()
        await self._work.ended()

    def _left(
        self, run: int, unreadable: Callable[[int, PushlabError], None]
    ) -> Iterator[Iterable[StoredSubscription]]:
        """Give whom a notify-all has still to be sent to: first those to whom nothing was sent.

        The others were refused, and may be so again; nobody is to wait behind them twice. Raises
        UnableToReadDatabase.
        """
        tried = self.runs.tried_in_vain(run)

        def of_the_others(batch: Batch) -> Iterator[StoredSubscription]:
            return (stored for stored in batch if stored.number in tried)

        # These are all that are left, so only here a row is told of that is none.
        left = self._store.batches(where=not_accepted(run), unreadable=unreadable)
        # No generator: one that has raised cannot be asked again.
        return chain(self._store.batches(where=never_sent(run)), map(of_the_others, left))
