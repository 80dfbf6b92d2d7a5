"""The page at an address of Jupyter's own, where no other user of the machine can open it.

jupyter-server-proxy passes on every port of a machine, and on a hub it does so for each of its users. A
Unix socket it passes on only if the server has an entry that names it. This package brings that entry
(``jupyter_serverproxy_servers`` in pyproject.toml), so each user's server has one of its own:

    ada's browser ── /user/ada/pushlab/ ──▶ ada's Jupyter server ── Unix socket ──▶ ada's lab

The socket is in a folder of mode 0700. Jupyter's server makes it when it starts, and tells it to its
kernels and terminals in a variable of their environment. The address has no port, so it stays the same
after a restart, and with it the page's permission, its worker and its subscription.

One lab has the socket at a time. Another lab of the same user has its page at a port, whose address
holds a secret. So has a lab whose Jupyter server does not have this package.
"""

import atexit
import os
import socket
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pushlab.filelock import lock, open_for_lock
from pushlab.server.http import BACKLOG
from pushlab.throwaway import ThrowAwayFolder

VARIABLE = "PUSHLAB_PAGE_SOCKET"
"""The variable in which a Jupyter server tells the path of the socket to what it starts."""

ENTRY = "pushlab"
"""The name of the entry in pyproject.toml, and so the path below the server's address."""


def server_entry() -> dict[str, Any]:
    """Return the entry for jupyter-server-proxy, which calls this in each Jupyter server that starts.

    Raises OSError; the server then starts without the entry, and says so in its log.
    """
    folder = ThrowAwayFolder("page")
    atexit.register(folder.delete)
    os.environ[VARIABLE] = path = str(folder.path / "socket")
    return {
        "command": [],  # The kernel starts the lab.
        "unix_socket": path,
        "absolute_url": False,
        "launcher_entry": {"enabled": False},
    }


class PageSocket:
    """The socket of this user's Jupyter server, until ``release()``. ``take()`` makes it."""

    def __init__(self, path: Path) -> None:
        with ExitStack() as undo:
            lock(undo.enter_context(open_for_lock(path.with_name("lab.lock"))))
            path.unlink(missing_ok=True)  # That of a lab that was killed.
            self.listener = undo.enter_context(socket.socket(socket.AF_UNIX))
            self.listener.bind(os.fspath(path))
            undo.callback(path.unlink, missing_ok=True)
            path.chmod(0o600)
            self.listener.listen(BACKLOG)
            self.listener.setblocking(False)
            self._undo = undo.pop_all()

    @classmethod
    def take(cls) -> "PageSocket | None":
        """Listen at the socket. Return None if there is none, or another lab has it."""
        path = os.environ.get(VARIABLE)
        try:
            return cls(Path(path)) if path and _is_private(Path(path).parent) else None
        except OSError:
            return None

    def release(self) -> None:
        """Listen no more. A second call does nothing."""
        self._undo.close()


def _is_private(folder: Path) -> bool:
    """Say whether a folder is this user's alone, and no link. Raises OSError if it is not there."""
    if not hasattr(socket, "AF_UNIX"):
        return False
    found = folder.lstat()
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return mine and not stat.S_IMODE(found.st_mode) & 0o077
