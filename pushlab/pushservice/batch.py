"""Group commit: the changes of many user agents are written in one transaction.

A transaction costs several times what one row in it costs. The requests that arrive together are served
in one turn of the event loop, and their changes wait for its end. Nobody is answered before.

    accept, acknowledge ──▶ Batch ── one Change ──▶ store, mailbox ──▶ each goes on, or gets the error

A change was decided when it was added. So it must still be right when it is written: a batch holds at
most one change of each user agent. Whoever decides about a user agent that has one, or about all of
them, flushes the batch before.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from pushlab.pushservice.mailbox import Change


class _Waiting(NamedTuple):
    change: Change
    then: Callable[[], None]
    written: asyncio.Future[None]

    def settle(self, error: Exception | None) -> None:
        if self.written.done():  # It was cancelled.
            return
        try:
            if error is not None:
                raise error
            self.then()
        except Exception as reason:  # noqa: BLE001 — whoever waits gets it
            self.written.set_exception(reason)
        else:
            self.written.set_result(None)


class Batch:
    """The changes that are decided and not yet written, at most one of each user agent.

    ``commit(change)`` writes all of a change or nothing, and raises StoreError.
    """

    def __init__(self, commit: Callable[[Change], None]):
        self._commit = commit
        self._waiting: dict[str, _Waiting] = {}  # by user agent

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, user_agent: str) -> bool:
        return user_agent in self._waiting

    def add(
        self, user_agent: str, change: Change, then: Callable[[], None] = lambda: None
    ) -> asyncio.Future[None]:
        """Write a change with the others of this turn; the future has a result when it is written.

        ``user_agent`` is in no other change of the batch; ``then()`` is called before the future has
        its result. The future raises UnableToWriteDatabase, DatabaseLocked, and whatever else a write
        fails with, and then nothing has changed. If it is cancelled, the change is written all the same,
        and nothing is called.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(change, then, loop.create_future())
        if not change:
            waiting.settle(None)
            return waiting.written
        if not self._waiting:
            loop.call_soon(self.flush)
        self._waiting[user_agent] = waiting
        return waiting.written

    def flush(self) -> None:
        """Write the batch now. An error is for those who wait, and not for the caller."""
        waiting, self._waiting = list(self._waiting.values()), {}
        if not waiting:
            return
        error = None
        try:
            self._commit(Change.together([one.change for one in waiting]))
        except Exception as reason:  # noqa: BLE001 — no other caller would ever tell those who wait
            error = reason
        for one in waiting:
            one.settle(error)
