"""Write outcomes into the database: collected, and in a thread.

A transaction costs the same for one row as for some thousand, and sending must not wait for any. So
outcomes are written twice a second, and a process that is killed leaves at most half a second of
them without a record.
"""

import asyncio
from collections.abc import Callable, Sequence

from pushlab.appserver.broadcast.runs import RecordedOutcome, Runs, name_of
from pushlab.appserver.explain.outcome import Outcome
from pushlab.errors import StoreError, UnableToWriteDatabase

INTERVAL = 0.5
"""Seconds that an outcome waits for others, to be written together."""


class Recorder:
    """Record the outcomes of one notify-all as they come.

    ``again``: some may have a record already, because it is a resumed one; ``written`` is called with
    the outcomes that are in the database.
    """

    def __init__(
        self,
        runs: Runs,
        run: int,
        again: bool = False,
        written: Callable[[Sequence[RecordedOutcome]], None] = lambda outcomes: None,
    ):
        self._runs, self._run, self._again, self._written = runs, run, again, written
        self._noted: list[RecordedOutcome] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._fault: StoreError | None = None

    def note(self, subscription: int, outcome: Outcome) -> None:
        """Take the outcome of a subscription, by its number, and return at once."""
        self._noted.append(
            RecordedOutcome(subscription, name_of(outcome.kind), outcome.status, outcome.attempts)
        )
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._begin_writing)

    async def close(self) -> None:
        """Write what is left. Raises UnableToWriteDatabase if that fails."""
        await self.flush()

    async def flush(self) -> None:
        """Write what has been noted until now. Raises UnableToWriteDatabase if that fails."""
        self._cancel_timer()
        if self._writing:
            await self._writing
        await self._write()
        if self._fault and self._noted:
            raise UnableToWriteDatabase(
                f"{len(self._noted)} outcomes could not be recorded, so to go on would mean sending to "
                f"these recipients twice: {self._fault.detail}"
            )

    def _begin_writing(self) -> None:
        self._cancel_timer()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    def _cancel_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    async def _write(self) -> None:
        async with self._one_at_a_time:
            batch, self._noted = self._noted, []
            try:
                await asyncio.to_thread(self._runs.record, self._run, batch)
            except StoreError as error:
                # Another program may lock the database for a while. The next write tries again.
                self._noted, self._fault = batch + self._noted, error
            else:
                self._fault = None
                self._written(batch)
