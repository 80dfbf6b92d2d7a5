"""Write outcomes into the database: collected, and in a thread.

A transaction costs the same for one row as for some thousand, and sending must not wait for any. So
outcomes are written twice a second, and a process that is killed leaves at most half a second of
them without a record.

While the database is away, outcomes are kept and written later. But who is sent to and has no record
gets the message twice if the notify-all is resumed. So sending goes no further ahead of the record than
MAX_BEHIND, and stops when the database has been away for too long (see ``outage.py``).
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from pushlab.appserver.broadcast.outage import PAUSE, Outage, outlast
from pushlab.appserver.broadcast.runs import RecordedOutcome, Runs, name_of
from pushlab.appserver.explain.outcome import Outcome
from pushlab.errors import StoreError, UnableToWriteDatabase
from pushlab.reader import Advice

INTERVAL = 0.5
"""Seconds that an outcome waits for others, to be written together."""

MAX_BEHIND = 5000
"""Outcomes without a record, from which on no more subscribers are read."""


def how_to_resume(run: int) -> Advice:
    """Say how a notify-all is gone on with whose database was away for too long."""
    back, call = "When the database can be written again", f"notify_all(THE SAME MESSAGE, resume={run})"
    return Advice(
        f"{back}, send to the others: {call}",
        terminal=f"{back}, send to the others in a notebook whose lab has it and these keys: lab.{call}",
    )


class Recorder:
    """Record the outcomes of one notify-all as they come.

    ``written`` is called with the outcomes that are in the database.
    """

    def __init__(
        self,
        runs: Runs,
        run: int,
        written: Callable[[Sequence[RecordedOutcome]], None] = lambda outcomes: None,
    ):
        self._runs, self._run, self._written = runs, run, written
        self._noted: list[RecordedOutcome] = []
        self._notes = self._records = 0  # in all
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._outage = Outage()

    def note(self, subscription: int, outcome: Outcome) -> None:
        """Take the outcome of a subscription, by its number, and return at once."""
        self._noted.append(
            RecordedOutcome(subscription, name_of(outcome.kind), outcome.status, outcome.attempts)
        )
        self._notes += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._begin_writing)

    async def catch_up(self, most: int = 0) -> None:
        """Wait until of what has been noted until now at most ``most`` outcomes have no record.

        Raises StoreError if the database does not take them, or has been away for too long.
        """
        goal = self._notes - most
        while self._records < goal:
            await self._write_now()
            if self._outage.fault:
                self._outage.check()
                await asyncio.sleep(PAUSE)

    async def finish(self) -> None:
        """Record what is left, and that the notify-all has come to its end. Raises StoreError."""
        await self.catch_up()
        await outlast(partial(self._runs.end, self._run), self._outage)

    def stop(self) -> None:
        """Wait no longer for a database that is away."""
        self._outage.longest = 0

    async def close(self) -> None:
        """Write what is left, at once. Raises UnableToWriteDatabase if that fails."""
        # When one write ends, the timer may begin another one in the same turn of the loop.
        while self._writing and not self._writing.done():
            await asyncio.wait([self._writing])
        if self._noted:
            await self._write_now()
        self._cancel_timer()
        if self._noted and self._outage.fault:
            raise UnableToWriteDatabase(
                f"{len(self._noted)} outcomes could not be recorded, so to go on would mean sending to "
                f"these recipients twice: {self._outage.fault.detail}",
                hint=how_to_resume(self._run),
            )

    async def _write_now(self) -> None:
        writing = self._begin_writing()
        # It goes on even if whoever waits here is cancelled: no outcome is lost.
        await asyncio.wait([writing])
        writing.result()

    def _begin_writing(self) -> asyncio.Task[None]:
        self._cancel_timer()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return self._writing

    def _cancel_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    async def _write(self) -> None:
        batch, self._noted = self._noted, []
        try:
            await asyncio.to_thread(self._runs.record, self._run, batch)
        except StoreError as fault:
            self._noted = batch + self._noted
            self._outage.goes_on(fault)
        except BaseException:  # Whoever waits is told, and what is not written is not lost.
            self._noted = batch + self._noted
            raise
        else:
            self._records += len(batch)
            self._outage.is_over()
            self._written(batch)
