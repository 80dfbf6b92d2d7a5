"""TCP ports for tests that must know a port before anybody listens at it.

Port 0 gives any free port, but whoever closes it again may find that another process has been given
the same one. These are below the ports that systems give (32768 and up on Linux, 49152 elsewhere), and
each process of a run has a thousand of its own. Another run on the same machine begins elsewhere in it.
"""

import itertools
import os
import re
import socket

from pushlab.server import http

FIRST, EACH = 20_000, 1_000

_worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % 12
_numbers = itertools.cycle(range(FIRST + EACH * _worker, FIRST + EACH * (_worker + 1)))
_numbers = itertools.islice(_numbers, os.getpid() % EACH, None)


def share(number: int, count: int) -> None:
    """Let process ``number`` of ``count`` look for free ports where no other process of the run does.

    Otherwise a server of another process might get the port of one that is stopped and started again.
    """
    part = len(http.FREE_PORTS) // count
    first = http.FREE_PORTS.start + part * number
    http.some_ports.__defaults__ = (range(first, first + part),)


def free_port() -> int:
    """Return a free port that the system gives to nobody who asks for any."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", next(_numbers)))
            except OSError:
                continue
            return probe.getsockname()[1]
