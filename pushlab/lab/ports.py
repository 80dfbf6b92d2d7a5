"""Who holds a TCP port that the lab wants: nobody, another lab, or which other program."""

import os
from contextlib import suppress

import psutil

from pushlab import settings
from pushlab.errors import FetchFailed
from pushlab.fetch import fetch_data, is_text
from pushlab.text import one_line

SECONDS = 2
"""How long a lab may take to say that it is one (times PUSHLAB_PATIENCE)."""


def holder(host: str, *ports: int) -> str:
    """Return a sentence about who holds one of these ports, or nothing. Port 0 is skipped.

    Another program's process is named where this user may see it.
    """
    for port in filter(None, ports):
        process = _process_at(port)
        if process == os.getpid():
            continue  # The other port is the one that is taken.
        who = "another lab" if is_lab(host, port) else "another program"
        named = _named(process)
        if named or who == "another lab":
            return f"{who} holds port {port}{f': {named}' if named else ''}"
    return ""


def is_lab(host: str, port: int) -> bool:
    """Say whether a lab answers at a port. Whatever else answers there is no lab."""
    seconds = settings.patience(SECONDS)
    with suppress(FetchFailed):
        health = fetch_data(f"http://{host}:{port}/health", seconds=seconds, name=is_text)
        return health == {"name": "pushlab"}
    return False


def _process_at(port: int) -> int | None:
    """Return the number of the process that listens at a port, or None if nobody may know."""
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                return connection.pid
    return None


def _named(process: int | None) -> str:
    if process is None:
        return ""
    try:
        return f"{one_line(psutil.Process(process).name())} (process {process})"
    except psutil.Error:
        return f"process {process}"
