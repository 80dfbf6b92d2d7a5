"""A daemon thread with an event loop of its own, so that servers answer while a kernel is busy."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any

from pushlab.errors import LabStopped, TimedOut


class BackgroundLoop:
    """Start the thread. Nothing is ever printed from it: the text would land in any cell.

    >>> loop = BackgroundLoop()
    >>> loop.run(asyncio.sleep(0, "done"))
    'done'
    >>> loop.stop()
    """

    def __init__(self) -> None:
        # libcurl and Tornado watch sockets with add_reader, which Windows' default loop lacks.
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._serve, name="pushlab", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._cancel_what_is_left()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()

    def _cancel_what_is_left(self) -> None:
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    @property
    def alive(self) -> bool:
        """Say whether the thread still serves."""
        return self._thread.is_alive()

    def submit(self, coroutine: Coroutine) -> concurrent.futures.Future:
        """Start a coroutine and return its future at once. Raise LabStopped after ``stop``."""
        if not self._thread.is_alive():
            coroutine.close()
            raise LabStopped()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine, timeout: float = 30) -> Any:
        """Run a coroutine, wait at most ``timeout`` seconds, return its result. Raise TimedOut."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("the lab's own thread cannot wait for itself: await the coroutine")
        future = self.submit(coroutine)
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError:
            if not future.cancel():  # It has ended by itself: the time-out is the coroutine's own.
                raise
            raise TimedOut(f"the lab did not answer within {timeout:g} s") from None

    def stop(self) -> None:
        """End the loop and the thread; what still runs there is cancelled."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
