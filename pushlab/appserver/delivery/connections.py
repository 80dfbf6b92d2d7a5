"""The connections of one thread, which makes one call at a time, and which others must be able to end.

A thread that waits for a response cannot be cancelled, and a time-out of its socket counts anew with
each byte that comes. It does return when its socket is shut down, and any thread may do that. But the
waiting thread may close the socket in the same moment, and the system may have given its number to
another file by then. So this module shuts down a duplicate of the socket, which nothing else closes.
TLS replaces the original socket by one of its own; the duplicate stays the same.
"""

import math
import socket
import threading
import time
from contextlib import suppress

from pushlab.appserver.delivery.response import STOPPED
from pushlab.errors import LabStopped


class OpenConnections:
    """The connections that one thread has open, and the time that its present call has left.

    Whoever gives the thread a call says ``begin()`` first, and may say ``end_call()`` and
    ``end_all()`` later: each of these two lets the waiting thread return at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._duplicates: set[socket.socket] = set()
        self._left: set[socket.socket] = set()
        self._deadline = math.inf
        self._late = self._ended = False

    def __len__(self) -> int:
        return len(self._duplicates)

    def begin(self, seconds: float) -> None:
        """Let a call begin that may take so long."""
        with self._lock:
            self._late, self._deadline = False, time.monotonic() + seconds

    def seconds_left(self) -> float:
        """Return what is left for this call. Raises TimeoutError if nothing is, and LabStopped."""
        if self._ended:
            raise LabStopped(STOPPED)
        seconds = self._deadline - time.monotonic()
        if self._late or seconds <= 0:
            raise TimeoutError
        return seconds

    def add(self, opened: socket.socket) -> socket.socket:
        """Keep a connection, and return the duplicate to give to leave().

        Raises TimeoutError, LabStopped.
        """
        with self._lock:
            self.seconds_left()
            duplicate = opened.dup()
            self._duplicates.add(duplicate)
            return duplicate

    def leave(self, duplicate: socket.socket) -> None:
        """Note that a connection is used for nothing more than the response of this call.

        http.client closes a connection when the head of its last response has come, and the body is
        read all the same: until the call has ended, it may have to be shut down.
        """
        with self._lock:
            if duplicate in self._duplicates:
                self._left.add(duplicate)

    def call_ended(self) -> None:
        """Close what was left in this call. The thread itself calls this, after each call."""
        with self._lock:
            self._duplicates -= self._left
            for duplicate in self._left:
                with suppress(OSError):  # It is closed by both sides already.
                    duplicate.shutdown(socket.SHUT_RDWR)
                duplicate.close()
            self._left.clear()

    def close(self) -> None:
        """Close all that is left, when the thread ends. A pool may be collected, and say so, later."""
        with self._lock:
            self._left |= self._duplicates
        self.call_ended()

    def end_call(self) -> None:
        """End the present call: shut every connection down, and refuse new ones until begin()."""
        with self._lock:
            self._late = True
            self._shut_down()

    def end_all(self) -> None:
        """End the present call, and refuse all later ones."""
        with self._lock:
            self._ended = True
            self._shut_down()

    def _shut_down(self) -> None:
        for duplicate in self._duplicates:
            with suppress(OSError):  # The other side has ended it already.
                duplicate.shutdown(socket.SHUT_RDWR)
