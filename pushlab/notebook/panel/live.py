"""Two small threads that keep a panel alive without ever keeping the kernel waiting.

ipywidgets calls a button's callback in a thread that differs between versions of ipykernel, and a
callback that waits blocks the next cell. So a callback only hands work to a ``Worker``. The journal
is written in the lab's thread, which must go on serving; so what is new is shown by a ``Painter``.
"""

import queue
import threading
from collections.abc import Callable

Failed = Callable[[Exception], None]


class Worker:
    """Do one thing after the other, in a daemon thread. ``failed`` is told of every exception.

    >>> done = threading.Event()
    >>> worker = Worker(failed=print)
    >>> worker.do(done.set)
    >>> done.wait(5)
    True
    >>> worker.close()
    """

    def __init__(self, failed: Failed):
        self._todo: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._failed = failed
        self._thread = threading.Thread(target=self._serve, name="pushlab-worker", daemon=True)
        self._thread.start()

    def do(self, task: Callable[[], None]) -> None:
        """Put a task at the end of the queue and return at once."""
        self._todo.put(task)

    def close(self) -> None:
        """End the thread once the tasks before this call are done."""
        self._todo.put(None)

    def _serve(self) -> None:
        while task := self._todo.get():
            try:
                task()
            except Exception as error:
                self._failed(error)


class Painter:
    """Call ``paint`` soon after ``touch``, at most once in ``pause`` seconds, in a daemon thread.

    A hundred touches in a row are painted once or twice, and the last of them is always painted.

    >>> painted = threading.Event()
    >>> painter = Painter(painted.set, failed=print)
    >>> painter.touch()
    >>> painted.wait(5)
    True
    >>> painter.close()
    """

    def __init__(self, paint: Callable[[], None], failed: Failed, pause: float = 0.1):
        self._paint, self._failed, self._pause = paint, failed, pause
        self._touched, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve, name="pushlab-painter", daemon=True)
        self._thread.start()

    def touch(self) -> None:
        """Ask for a painting and return at once. Any thread may ask."""
        self._touched.set()

    def close(self) -> None:
        """End the thread; what was touched before is not painted any more."""
        self._closed.set()
        self._touched.set()

    def _serve(self) -> None:
        while self._touched.wait() and not self._closed.is_set():
            self._touched.clear()
            try:
                self._paint()
            except Exception as error:
                self._failed(error)
            self._closed.wait(self._pause)
