"""What a notebook's own functions have failed with, until the notebook can show it.

Such a function runs in a thread of the lab. Jupyter would show another thread's text below whichever
cell ran last. So the main thread says it, at the end of its next call of the lab.
"""

import sys
import threading
from collections import deque

MAX_FAULTS = 20
"""Errors of a notebook's functions that wait to be shown."""


class Faults:
    """The errors that wait to be shown, the oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque(maxlen=MAX_FAULTS)

    def add(self, text: str) -> None:
        """Keep the text of an error. Any thread may call this."""
        self._waiting.append(text)

    def show(self) -> None:
        """Write each on standard error, once. It does nothing in another thread than the main one."""
        while self._waiting and threading.current_thread() is threading.main_thread():
            print(self._waiting.popleft(), file=sys.stderr, flush=True)
