"""How the kernels of the tests are spoken to: over sockets in a folder, and not over TCP ports.

Jupyter finds five free TCP ports for a kernel by opening and closing them, and the kernel opens them
about a second later. If another process gets one of them in between, the kernel ends at its start, and
all that is said is "Kernel died before replying to kernel_info".
"""

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pushlab.settings import patience

if TYPE_CHECKING:
    from jupyter_client.blocking import BlockingKernelClient

LONGEST = 100
"""Bytes of a path that are sure to do for a socket: systems allow 104 or 108 (unix(7)), with a NUL."""

ENDING = len("-99")
"""Bytes that jupyter_client adds, to tell the five sockets apart."""


def connection(path: Path) -> dict[str, str]:
    """Return what a KernelManager is told, so that its sockets are at ``path``.

    Where there are no such sockets, or none with so long a path, that is nothing: it takes TCP ports.
    """
    if os.name != "posix" or len(os.fsencode(path)) + ENDING > LONGEST:
        return {}
    return {"transport": "ipc", "ip": str(path)}


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder with a short path; take it away at the end."""
    with tempfile.TemporaryDirectory(prefix="pushlab-") as path:
        yield Path(path)


@contextmanager
def attached(path: Path) -> Iterator["BlockingKernelClient"]:
    """Speak to a kernel that a Jupyter server has started, by its connection file; leave it running."""
    from jupyter_client.blocking import BlockingKernelClient  # A third of a second.

    client = BlockingKernelClient(connection_file=str(path))
    client.load_connection_file()
    # With the heartbeat, a kernel that is busy for a second would count as dead.
    client.start_channels(hb=False)
    try:
        client.wait_for_ready(timeout=patience(120))
        yield client
    finally:
        client.stop_channels()


def printed(client: "BlockingKernelClient", code: str) -> str:
    """Run a cell, and return what it prints."""
    said: list[str] = []

    def hear(message: dict) -> None:
        content = message["content"]
        if message["msg_type"] == "error":
            raise AssertionError("\n".join(content["traceback"]))
        if message["msg_type"] == "stream":
            said.append(content["text"])

    client.execute_interactive(code, timeout=patience(180), output_hook=hear)
    return "".join(said)


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "nbval", False):
        teach_nbval(config)


def teach_nbval(config: pytest.Config) -> None:
    """Let nbval make kernels with sockets of their own. It knows no option for that."""
    from nbval import kernel

    stack = ExitStack()
    config.add_cleanup(stack.close)
    at = stack.enter_context(folder())
    make, numbers = kernel.KernelManager, itertools.count()
    kernel.KernelManager = lambda **options: make(**options, **connection(at / str(next(numbers))))
