"""TCP ports for tests that must know a port before anybody listens at it.

Port 0 gives any free port, but whoever closes it again may find that another process has been given
the same one. These are below the ports that systems give (32768 and up on Linux, 49152 elsewhere), and
each process has some to itself: its own, also beside another run on the same machine.
"""

import itertools
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache

from pushlab.server import http

PORTS, EACH = range(20_000, 32_500), 250

HOST = "127.0.0.1"


def share(number: int, count: int) -> None:
    """Let process ``number`` of ``count`` look for free ports where no other process of the run does.

    Otherwise a server of another process might get the port of one that is stopped and started again.
    """
    part = len(http.FREE_PORTS) // count
    first = http.FREE_PORTS.start + part * number
    http.some_ports.__defaults__ = (range(first, first + part),)


def free_port() -> int:
    """Return a free port that neither the system nor another process of tests gives to anybody."""
    _, numbers = _own_ports()
    while True:
        with suppress(OSError), socket.socket() as probe:
            probe.bind((HOST, next(numbers)))
            return probe.getsockname()[1]


@cache
def _own_ports() -> tuple[socket.socket, Iterator[int]]:
    """Return EACH ports less one, and the socket at the first: while it is open, they are held."""
    for first in PORTS[::EACH]:
        holder = socket.socket()
        try:
            holder.bind((HOST, first))
        except OSError:
            holder.close()
        else:
            return holder, itertools.cycle(range(first + 1, first + EACH))
    raise RuntimeError(f"{len(PORTS[::EACH])} other processes of tests are running")
