"""How many connections a process may have, when a silent one counts as gone, and what they cost Python.

The number follows from the number of files that the process may open. Beyond that number ``accept``
fails again and again, and a server would do nothing else. The connections that the process itself
opens to push services have a part of that number reserved for them.
"""

import gc
import socket
import threading
from collections.abc import Callable

MAX_INCOMING = 20_000
"""Connections that one process accepts where the system sets no lower limit."""

MAX_OUTGOING = 800
"""Connections to other servers, all together, that one process opens."""

RESERVED_FILES = 200
"""Files that are left for other things: databases, browsers, the look-up of host names."""

MAX_FILES = MAX_INCOMING + MAX_OUTGOING + RESERVED_FILES
"""Files that one process opens at most."""

MAX_SHARE = 0.75
"""Part of all connections that one server may have: a flood at one server leaves room at the other."""

KEEPALIVE_SECONDS = 10
"""Seconds, about, after which a silent peer counts as gone. A computer that loses its network sends
nothing, and the room's table should show that it has left."""

GARBAGE = 20_000
"""New objects after which Python looks for unreachable ones. A connection has about 130 objects."""


def collect_garbage_rarely() -> None:
    """Let Python search GARBAGE new objects at a time for unreachable ones, and not 700.

    A burst of requests makes more than 700 objects that are still in use. After enough of them Python
    expects as many more to stay, and searches all objects that there are: with 10,000 connections that
    takes most of a second, and a fifth of a notify-all. This is for a program that only serves; in
    others' programs the library leaves Python's collector as it is.
    """
    gc.set_threshold(GARBAGE, *gc.get_threshold()[1:])


def open_files() -> int:
    """Return how many files this process may have open."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return MAX_FILES
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_FILES if soft == resource.RLIM_INFINITY else soft


def max_outgoing() -> int:
    """Return how many connections to other servers this process may open, all together."""
    return min(MAX_OUTGOING, max(1, open_files() // 4))


def max_incoming() -> int:
    """Return how many connections this process may accept: its files, less those it needs itself."""
    files = open_files()
    return min(MAX_INCOMING, files - max_outgoing() - min(RESERVED_FILES, files // 4))


def raise_file_limit() -> None:
    """Raise the limit of open files as far as a process without special rights may.

    The default is low for the sake of programs that use select(2). None does here.
    """
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (ValueError, OSError):
            return  # macOS may refuse a limit that it reports as allowed. The lower one stays.


class ConnectionCounter:
    """Count the connections of a process, server by server.

    ``limit``: returns how many there may be together.

    >>> counter = ConnectionCounter(limit=lambda: 4)
    >>> [counter.acquire("page") for _ in range(4)], counter.acquire("push service")
    ([True, True, True, False], True)
    """

    def __init__(self, limit: Callable[[], int]):
        self._limit, self._lock = limit, threading.Lock()
        self._taken: dict[object, int] = {}

    def acquire(self, server: object) -> bool:
        """Count one more connection of a server if there is room for it, and return whether."""
        with self._lock:
            limit, taken = max(1, self._limit()), self._taken.get(server, 0)
            if sum(self._taken.values()) >= limit or taken >= max(1, int(limit * MAX_SHARE)):
                return False
            self._taken[server] = taken + 1
            return True

    def release(self, server: object) -> None:
        """Count one connection less."""
        with self._lock:
            self._taken[server] -= 1
            if not self._taken[server]:
                del self._taken[server]


CONNECTIONS = ConnectionCounter(max_incoming)
"""The connections that this process has accepted."""


def enable_keepalive(connection: socket.socket) -> bool:
    """Have the operating system end a connection whose peer is silent for KEEPALIVE_SECONDS.

    Return False if the system refuses, because the peer has closed the connection already.
    """
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return True  # Both ends of a Unix socket are on this machine.
    # Not every system has each of these options; macOS and Windows wait longer.
    options = (
        ("TCP_KEEPIDLE", KEEPALIVE_SECONDS // 2),
        ("TCP_KEEPINTVL", KEEPALIVE_SECONDS // 5),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", KEEPALIVE_SECONDS * 1000),
    )
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options:
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except OSError:
        return False
    return True
