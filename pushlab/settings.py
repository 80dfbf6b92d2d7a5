"""What the environment decides, in one place.

    PUSHLAB_PORT         TCP port of the application server   8292
    PUSHLAB_PUSH_PORT    TCP port of the push service         8030
    PUSHLAB_DATA         folder of keys, databases, profiles  .pushlab in the checkout
    PUSHLAB_BROWSER      what Lab.open("auto") starts         the real browser that is installed
    PUSHLAB_FIREFOX      the Firefox to start                 the one that is found

The ports are fixed, because permission belongs to an origin and a subscription to a scope: at
another port the browser asks again. Each server listens at the number of the RFC that describes it.
"""

import os
import sys
from pathlib import Path

import pushlab

APPLICATION_SERVER_PORT = 8292
PUSH_SERVICE_PORT = 8030


def ports(port: int | None = None, push_port: int | None = None) -> tuple[int, int]:
    """Return both ports: the ones given, else the environment's, else the fixed ones.

    >>> ports(0, 9000)
    (0, 9000)
    """
    if port is None:
        port = int(os.environ.get("PUSHLAB_PORT", APPLICATION_SERVER_PORT))
    if push_port is None:
        push_port = int(os.environ.get("PUSHLAB_PUSH_PORT", PUSH_SERVICE_PORT))
    return port, push_port


def data_folder(folder: str | Path | None = None) -> Path:
    """Return the folder given, else PUSHLAB_DATA, else ``.pushlab`` in the checkout or right here."""
    if chosen := folder or os.environ.get("PUSHLAB_DATA"):
        return Path(chosen)
    checkout = Path(pushlab.__file__).resolve().parents[1]
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / ".pushlab"


def sqlite(path: Path) -> str:
    """Return SQLAlchemy's URL of a SQLite file."""
    return f"sqlite:///{path.resolve()}"


def has_screen() -> bool:
    """Say whether a browser window can be seen on this machine."""
    if sys.platform != "linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
