"""The signals that end a command, and how the main thread hears of them.

Signal handlers run in the main thread. While that thread waits, a signal wakes it only if the system
delivers it to this very thread. But a process that was stopped and goes on may get a signal in any of
its threads, and a signal may come just before a wait begins. The main thread would then wait for ever.
Python also writes the number of each signal into a socket, whichever thread got it. So a thread reads
that socket, and wakes the main thread by a signal that has no effect.
"""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PAUSES = (0.0, 0.1, 1.0)
"""Seconds before each time that the main thread is woken. It may have begun to wait in between."""


@contextmanager
def ending() -> Iterator[list[int]]:
    """End a command at SIGTERM and SIGHUP as at Ctrl-C, so that it closes its browsers and databases.

    Yields a list of the signals that have come.
    """
    received: list[int] = []

    def end(number: int, frame: object) -> None:
        received.append(number)
        # asyncio sets its own handler for Ctrl-C while it runs. A background program may have none.
        interrupt = signal.getsignal(signal.SIGINT)
        (interrupt if callable(interrupt) else signal.default_int_handler)(signal.SIGINT, None)

    before = {}
    blocked: set[int] = set()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and hasattr(signal, "pthread_sigmask"):
        # A background job of a script. asyncio replaces only Python's own handler, so Ctrl-C is
        # blocked here, and no longer ignored.
        blocked.add(signal.SIGINT)
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        with suppress(ValueError):
            before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            with suppress(ValueError):  # Not in the main thread.
                before[number] = signal.signal(number, end)
    try:
        with waking():
            yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if blocked:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)


@contextmanager
def waking() -> Iterator[None]:
    """Wake the main thread after each signal, whichever thread has got it."""
    main = threading.main_thread()
    if threading.current_thread() is not main or not hasattr(signal, "pthread_kill"):
        yield  # On Windows, Ctrl-C comes in a thread of its own, and Python wakes the main thread.
        return
    told, written = socket.socketpair()
    over = threading.Event()

    def wake() -> None:
        while numbers := told.recv(64):
            if set(numbers) <= {signal.SIGURG}:
                continue
            for pause in PAUSES:
                if not over.wait(pause):
                    signal.pthread_kill(main.ident or 0, signal.SIGURG)

    with told, written:
        written.setblocking(False)
        thread = threading.Thread(target=wake, name="pushlab-signals", daemon=True)
        thread.start()
        before = signal.signal(signal.SIGURG, lambda number, frame: None)
        # A full socket means that the thread has enough to do.
        others = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(others)
            over.set()
            written.shutdown(socket.SHUT_WR)
            thread.join()
            signal.signal(signal.SIGURG, before)
