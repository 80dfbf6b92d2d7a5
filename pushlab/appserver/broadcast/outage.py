"""A database that goes away while a notify-all is under way: it is waited for, but not for ever.

PostgreSQL is restarted, fails over to another machine, or another transaction holds a lock. Within
LONGEST it comes back as a rule, and then nothing is lost. After that the notify-all stops, with every
outcome recorded that can be, and can be resumed.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from pushlab.errors import DatabaseBusy, DatabaseLocked, DatabaseUnreachable, StoreError
from pushlab.server.http import log

Result = TypeVar("Result")

LONGEST = 30.0
"""Seconds that a database may be away."""

PAUSE = 0.5
"""Seconds before it is tried again."""

PASSING = (DatabaseBusy, DatabaseLocked, DatabaseUnreachable)
"""Faults that may pass by themselves. A full disk does not."""


class Outage:
    """Since when the database is away, and why.

    ``fault`` is None while it is there; ``longest`` is how many seconds it may be away.
    """

    def __init__(self) -> None:
        self.fault: StoreError | None = None
        self.longest = LONGEST
        self._since = 0.0

    def goes_on(self, fault: StoreError) -> None:
        """Note that it has failed."""
        if self.fault is None:
            self._since = asyncio.get_running_loop().time()
            log.warning("a notify-all waits: %s", fault.detail)
        self.fault = fault

    def is_over(self) -> None:
        """Note that it has worked."""
        self.fault = None

    def check(self) -> None:
        """Raise the last fault if waiting makes no sense, or makes none any more."""
        if self.fault is None:
            return
        away = asyncio.get_running_loop().time() - self._since
        if away >= self.longest or not isinstance(self.fault, PASSING):
            raise self.fault


async def outlast(call: Callable[[], Result], outage: Outage | None = None) -> Result:
    """Call ``call()`` in a thread, again while the database is away; return its result.

    Raises StoreError if it does not come back in time.
    """
    outage = outage or Outage()
    while True:
        try:
            result = await asyncio.to_thread(call)
        except StoreError as fault:
            outage.goes_on(fault)
        else:
            outage.is_over()
            return result
        outage.check()
        await asyncio.sleep(PAUSE)
