"""Two kinds of thread that keep a panel up to date and never block the kernel.

ipywidgets calls a button's callback in a thread that differs between versions of ipykernel, and a
callback that waits blocks the next cell. So a callback only gives a task to a ``Worker``. The
journal calls its listeners in the lab's thread, which must go on serving requests. So a ``Painter``
shows new events in a thread of its own.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence

Failed = Callable[[Exception], None]


class Worker:
    """Run tasks one after another in a daemon thread. ``failed`` is called with every exception.

    >>> done = threading.Event()
    >>> worker = Worker(failed=print)
    >>> worker.do(done.set)
    >>> done.wait(5)
    True
    >>> worker.close()
    """

    def __init__(self, failed: Failed) -> None:
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
            except Exception as error:  # noqa: BLE001 - the thread goes on, and the panel shows it
                self._failed(error)


class Painter:
    """Call ``paint`` soon after ``touch``, at most once in ``pause`` seconds, in a daemon thread.

    A hundred touches in a row lead to one or two calls, and a call always follows the last touch. If
    nothing happens after that, it is called once more after each of the seconds in ``again``: for what
    comes late and tells nobody. If ``paint`` returns True, something is still missing: then it is called
    again and again, at the last of these seconds, until it returns something else.

    >>> painted = threading.Event()
    >>> painter = Painter(painted.set, failed=print)
    >>> painter.touch()
    >>> painted.wait(5)
    True
    >>> painter.close()
    """

    def __init__(
        self,
        paint: Callable[[], bool | None],
        failed: Failed,
        pause: float = 0.1,
        again: Sequence[float] = (),
    ) -> None:
        self._paint, self._failed, self._pause, self._again = paint, failed, pause, again
        self._touched, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve, name="pushlab-painter", daemon=True)
        self._thread.start()

    def touch(self) -> None:
        """Ask for a call of ``paint``, and return at once. Any thread may do this."""
        self._touched.set()

    def close(self) -> None:
        """End the thread. Earlier touches no longer lead to a call."""
        self._closed.set()
        self._touched.set()

    def _serve(self) -> None:
        later: deque[float] = deque()
        while True:
            if self._touched.wait(later.popleft() if later else None):
                self._touched.clear()
                later = deque(self._again)
            if self._closed.is_set():
                return
            try:
                if self._paint() and not later:
                    later.extend(self._again[-1:])
            except Exception as error:  # noqa: BLE001 - the thread goes on, and the panel shows it
                self._failed(error)
            self._closed.wait(self._pause)
