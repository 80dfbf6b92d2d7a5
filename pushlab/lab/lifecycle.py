"""How a lab lives: one in a process, started step by step, and stopped whatever fails.

Each step of the start registers how it is undone. If one fails, those before it are undone at once;
otherwise ``stop()`` undoes them all, the last one first. The lab also stops when another one starts in
this process, when another program takes its data folder over, and when Python ends.
"""

import concurrent.futures
import os
import signal
import threading
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from pushlab import settings
from pushlab.errors import LabStopped
from pushlab.lab.data_folder import DataFolderLock, clock, is_same
from pushlab.lab.faults import Faults
from pushlab.lab.loop import BackgroundLoop, call_at_exit
from pushlab.lab.takeover import StopRequests
from pushlab.reader import Advice, command

STOP_SECONDS = 60
"""How long one server may take to stop (times PUSHLAB_PATIENCE)."""

TAKE_BACK = Advice(
    "To take it back: Lab(take_over=True)", terminal=f"To take it back: {command('serve --take-over')}"
)


class Lifecycle:
    """A lab that starts and stops. ``_start`` starts its parts, on the loop that is there by then."""

    data: Path

    _running: "Lifecycle | None" = None
    # A kernel has one lab at a time. A thread holds this lock while it starts or stops one.
    _changing = threading.RLock()

    why_stopped = ""
    """A clause that says who has taken this lab over, and when; else empty."""

    def __init__(self) -> None:
        self._faults = Faults()
        self._undo = ExitStack()
        self.on_taken_over: Callable[[], None] = lambda: None
        """Called in a thread of its own when another lab has taken this one over."""

    @abstractmethod
    def _prepare(self) -> None:
        """Do what can fail, once the data folder is locked and before another lab is stopped."""

    @abstractmethod
    def _start(self, undo: ExitStack) -> None:
        """Start the parts, and register with ``undo`` how each is stopped."""

    @abstractmethod
    def _addresses(self) -> dict[str, str]:
        """Return where the push service is, once it is started, for other programs of this user."""

    @abstractmethod
    def _close_first(self, undo: ExitStack) -> None:
        """Register with ``undo`` what has to be closed before the parts are stopped."""

    def _begin(self, take_over: bool) -> None:
        """Start the lab, and stop the one that this process had before.

        ``take_over``: whether a lab of another process that has the data folder is asked to stop.
        Raises DataFolderTaken, UnusableFolder, and what ``_start`` raises.
        """
        with Lifecycle._changing:
            # A server that has not started may be stopped, so an interrupt in the middle of a start
            # leaves nothing either.
            with ExitStack() as undo:
                self._lock = self._lock_data_folder(take_over)
                undo.callback(self._lock.release)
                self._prepare()
                if Lifecycle._running is not None:
                    Lifecycle._running.stop()
                self._thread = BackgroundLoop()
                undo.callback(self._thread.stop)
                self._start(undo)
                requests = StopRequests(self._be_taken_over)
                undo.callback(self._end, requests.stop)
                self.run(requests.start())
                self._close_first(undo)
                self._lock.note(requests.port, requests.secret, **self._addresses())
                self._undo = undo.pop_all()
            Lifecycle._running = self

    def _lock_data_folder(self, take_over: bool) -> DataFolderLock:
        """Lock the data folder. A lab of this process is stopped for it only if it has the same one."""
        before = Lifecycle._running
        if before is not None and is_same(before.data, self.data):
            before.stop()
        return DataFolderLock.take_over(self.data) if take_over else DataFolderLock(self.data)

    @property
    def running(self) -> bool:
        """Say whether the lab's servers are up."""
        return Lifecycle._running is self and self._thread.alive

    def stop(self) -> None:
        """Close the browsers and the servers, and free the ports. Calling it twice is harmless.

        If one of them raises an error, the others are stopped all the same; then the error is raised.
        """
        if self._thread.is_current:
            raise RuntimeError("the lab's own thread cannot wait for its own end")
        with Lifecycle._changing:
            if Lifecycle._running is self:
                Lifecycle._running = None
            undo, self._undo = self._undo, ExitStack()
            undo.close()

    def _stop_at_exit(self) -> None:
        """Stop the lab because Python ends."""
        self.stop()

    def _be_taken_over(self, by: str) -> None:
        self.why_stopped = f"{by} took it over at {clock()}"
        try:
            self.stop()
        finally:
            self.on_taken_over()

    def _end(self, stop: Callable[[], Coroutine]) -> None:
        # With a time limit, because Python itself may be ending, and then nobody can interrupt it.
        self.run(stop(), settings.patience(STOP_SECONDS), "The lab is stopping")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def submit(self, coroutine: Coroutine) -> concurrent.futures.Future:
        """Start a coroutine on the lab's loop and return its future; the caller does not wait.

        Raises LabStopped.
        """
        try:
            return self._thread.submit(coroutine)
        except LabStopped:
            raise self.stopped() from None

    def run(self, coroutine: Coroutine, timeout: float | None = None, doing: str = "") -> Any:
        """Run a coroutine on the lab's loop and return its result (see ``BackgroundLoop.run``).

        What a notebook's own functions have raised meanwhile is printed. Raises what the coroutine
        raises, TimedOut, LabStopped.
        """
        try:
            return self._thread.run(coroutine, timeout, doing)
        except LabStopped:
            raise self.stopped() from None
        finally:
            self._faults.show()

    def stopped(self) -> LabStopped:
        """Return the error for whoever uses this lab after its end. It says who took the lab over."""
        if not self.why_stopped:
            return LabStopped()
        return LabStopped(f"The lab has stopped: {self.why_stopped}", hint=TAKE_BACK)


def end_this_program() -> None:
    """End a command that waits in the main thread, as SIGTERM does."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGINT)


def _stop_the_one_that_runs() -> None:
    if (lab := Lifecycle._running) is not None:
        lab._stop_at_exit()


call_at_exit(_stop_the_one_that_runs)
