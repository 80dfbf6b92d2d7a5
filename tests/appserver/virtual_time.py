"""An event loop whose time passes only while nothing else is to be done, and then at once."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any


class NothingWillHappen(AssertionError):
    """Everything waits, and nothing is left that could end it."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Jump to the next timer instead of waiting for it, and run in place what belongs in a thread.

    A pause of an hour takes no time, and the same things happen in the same order each time.
    """

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float | None) -> None:
        if seconds is None:
            raise NothingWillHappen
        self._now += seconds

    def run_in_executor(self, executor: Any, func: Callable, *args: Any) -> asyncio.Future:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 — it belongs to whoever awaits the future
            future.set_exception(error)
        return future


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTimeLoop):
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list:
        self._loop.jump(timeout)
        return []


def run(coroutine: Coroutine) -> Any:
    """Run a coroutine to its end in virtual time. Raises NothingWillHappen if it has none."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)
