"""A daemon thread with an event loop of its own, so that servers answer while a kernel is busy."""

import asyncio
import concurrent.futures
import concurrent.futures.thread
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from pushlab.errors import LabStopped, TimedOut
from pushlab.reader import Advice, advice
from pushlab.settings import patience

NOTICE_SECONDS = 10
"""After how many seconds a wait is first reported (times PUSHLAB_PATIENCE)."""

SLICE = 0.5  # seconds

TO_STOP_WAITING = Advice("press Ctrl-C", notebook="interrupt the kernel")

STOP_SECONDS = 30
"""How long the thread may take to end after its loop was stopped (times PUSHLAB_PATIENCE)."""

log = logging.getLogger("pushlab")


class BackgroundLoop:
    """A daemon thread and its event loop, started at once.

    The thread never prints: Jupyter would show the text below whichever cell ran last. So asyncio's
    own reports go to the log. Only ``stop`` ends the loop. A callback or a task that raises SystemExit
    ends a usual loop, and here both servers would end with it.

    >>> loop = BackgroundLoop()
    >>> loop.run(asyncio.sleep(0, "done"))
    'done'
    >>> loop.stop()
    """

    def __init__(self) -> None:
        # libcurl and Tornado watch sockets with add_reader, which Windows' default loop lacks.
        self._loop = asyncio.SelectorEventLoop()
        self._loop.set_exception_handler(_log_fault)
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="pushlab", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._run_until_stopped()
            self._cancel_all_tasks()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()

    def _run_until_stopped(self) -> None:
        while not self._stopping:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:  # asyncio catches every other one.
                log.error("a callback raised %s", type(error).__name__, exc_info=error)

    def _cancel_all_tasks(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    @property
    def alive(self) -> bool:
        """Say whether the thread is running."""
        return self._thread.is_alive()

    @property
    def is_current(self) -> bool:
        """Say whether the caller runs in this thread, which cannot wait for itself."""
        return threading.current_thread() is self._thread

    def submit(self, coroutine: Coroutine) -> concurrent.futures.Future:
        """Start a coroutine and return its future at once. Raises LabStopped after ``stop``."""
        with suppress(RuntimeError):  # The loop is closed just before its thread ends.
            if self._thread.is_alive():
                return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        coroutine.close()
        raise LabStopped

    def run(self, coroutine: Coroutine, timeout: float | None = None, doing: str = "") -> Any:
        """Run a coroutine and return its result.

        If it takes long, the main thread says on standard error what is going on: ``doing`` is a
        clause such as ``"Firefox is starting"``. The kernel's interrupt, or Ctrl-C, cancels the
        coroutine.

        ``timeout`` is in seconds. Without it only the coroutine itself ends the wait; every coroutine
        that waits for another party has a time limit of its own.

        Raises TimedOut after ``timeout``, and LabStopped if the lab is stopped meanwhile.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("the lab's own thread cannot wait for itself: await the coroutine")
        work = _Work(coroutine)
        try:
            try:
                future = self.submit(work.run())
            except LabStopped:
                coroutine.close()
                raise
            return self._wait(future, timeout, doing or "The lab is at work")
        except (KeyboardInterrupt, TimedOut):
            # An interrupt may come before there is a future, so the work is what is cancelled.
            with suppress(RuntimeError):  # The loop has ended meanwhile, and the work with it.
                self._loop.call_soon_threadsafe(work.cancel)
            raise

    def _wait(self, future: concurrent.futures.Future, timeout: float | None, doing: str) -> Any:
        began, notice = time.monotonic(), patience(NOTICE_SECONDS)
        ends = math.inf if timeout is None else began + timeout
        while True:
            try:
                # In slices, because on Windows Ctrl-C does not interrupt a wait without a time limit.
                return future.result(max(0, min(SLICE, ends - time.monotonic())))
            except concurrent.futures.TimeoutError:
                if future.done():
                    return future.result()  # It is the coroutine's own TimeoutError.
            except concurrent.futures.CancelledError:
                raise LabStopped from None
            now = time.monotonic()
            if not self._thread.is_alive() and not future.done():
                raise LabStopped
            if now >= ends:
                raise TimedOut(f"the lab did not answer within {timeout:g} s")
            if now - began >= notice:
                _report_wait(doing, notice)
                notice *= 2

    def stop(self) -> None:
        """End the loop and the thread; cancel the coroutines that still run there.

        Raises TimedOut if the thread does not end in time.
        """
        if self._thread.is_alive():
            self._stopping = True
            with suppress(RuntimeError):  # Another thread has stopped it meanwhile.
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(patience(STOP_SECONDS))
            if self._thread.is_alive():
                raise TimedOut(f"the lab's thread did not end within {patience(STOP_SECONDS):g} s")


def _log_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.error("the lab's loop reports: %s", context["message"], exc_info=context.get("exception"))


class _Work:
    """A coroutine that can be cancelled even before it has a task."""

    def __init__(self, coroutine: Coroutine):
        self._coroutine = coroutine
        self._task: asyncio.Task | None = None
        self._cancelled = False

    async def run(self) -> Any:
        if self._cancelled:
            self._coroutine.close()
            raise asyncio.CancelledError
        self._task = asyncio.current_task()
        return await self._coroutine

    def cancel(self) -> None:
        """Cancel the coroutine. This is called on the loop."""
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()


def _report_wait(doing: str, seconds: float) -> None:
    # Jupyter would show another thread's text below whichever cell ran last.
    if threading.current_thread() is threading.main_thread():
        stop = advice(TO_STOP_WAITING)
        print(f"{doing}: {seconds:g} s so far. To stop waiting, {stop}.", file=sys.stderr, flush=True)


def call_at_exit(stop: Callable[[], None]) -> None:
    """Call ``stop()`` when Python ends, while threads and executors still work.

    ``atexit`` functions are called too late: by then Python has closed every executor, and a
    coroutine that uses ``asyncio.to_thread`` or looks up a host's name raises RuntimeError. This is
    the order in which Python ends:

        1. Python calls what was registered with threading, the latest first: ``stop()``, then the
           functions that close the executors.
        2. Every thread that is not a daemon ends.
        3. Python calls what was registered with atexit.

    Python has no public function for step 1. Its own executors register with the same function, at
    the import of ``concurrent.futures.thread``; that import is above, so ``stop()`` comes first.
    An error of ``stop()`` is printed, and the other functions of step 1 are called all the same. A
    forked process does not call ``stop()``, because it has none of its parent's threads.
    """
    registered_by = os.getpid()

    def call() -> None:
        if os.getpid() != registered_by:
            return
        try:
            stop()
        except Exception:  # noqa: BLE001  # It is printed, and Python goes on ending.
            sys.excepthook(*sys.exc_info())

    threading._register_atexit(call)  # type: ignore[attr-defined]  # There is no public one.
