"""Connections that one thread uses and another thread must be able to end.

A thread that waits for a response cannot be cancelled. It does return when its socket is shut down,
and any thread may do that. But the waiting thread may close the socket in the same moment, and the
system may have given its number to another file by then. So this module shuts down a duplicate of
the socket, which nothing else closes. TLS replaces the original socket by one of its own; the
duplicate stays the same.
"""

import socket
import threading
from contextlib import suppress

from pushlab.appserver.delivery.response import STOPPED
from pushlab.errors import LabStopped


class OpenConnections:
    """The connections that are open. Every method may be called from any thread.

    ``ended`` is true after end_all(), and then no more are opened.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._duplicates: set[socket.socket] = set()
        self.ended = False

    def check(self) -> None:
        """Raise LabStopped after end_all()."""
        if self.ended:
            raise LabStopped(STOPPED)

    def add(self, connected: socket.socket) -> socket.socket:
        """Keep a connection, and return the duplicate to give to remove().

        Raises LabStopped after end_all().
        """
        with self._lock:
            self.check()
            duplicate = connected.dup()
            self._duplicates.add(duplicate)
            return duplicate

    def remove(self, duplicate: socket.socket) -> None:
        """Note that a connection is closed. Calling it twice is harmless."""
        with self._lock:
            self._duplicates.discard(duplicate)
            duplicate.close()

    def end_all(self) -> None:
        """Shut every connection down and refuse new ones. A thread that waits gets an error at once."""
        with self._lock:
            self.ended = True
            for duplicate in self._duplicates:
                with suppress(OSError):  # The other side has ended it already.
                    duplicate.shutdown(socket.SHUT_RDWR)
