"""The settings that come from environment variables.

    PUSHLAB_PORT         TCP port of the application server   8292; on a hub any free one
    PUSHLAB_PUSH_PORT    TCP port of the push service         8030; on a hub any free one
    PUSHLAB_DATA         folder of keys, databases, profiles  .pushlab in the checkout; on a hub, at home
    PUSHLAB_BROWSER      what Lab.open("auto") starts         the real browser that is installed
    PUSHLAB_FIREFOX      the Firefox to start                 the one that is found
    PUSHLAB_TOKEN        the instructor's token in a room, 12 characters or more   a new one
    PUSHLAB_PATIENCE     factor for waits that guard against a hang   1
    SSL_CERT_FILE        PEM file of the authorities trusted for push services   this system's

The ports are fixed, because a permission belongs to an origin, and a subscription to a scope: at
another port the browser asks for permission again. Each port is the number of the RFC that describes
its server.
"""

import math
import os
import re
import secrets
import sys
import urllib.request
from pathlib import Path
from typing import TypeVar

from pushlab.errors import BadArgument, BadPort, LabError

APPLICATION_SERVER_PORT = 8292
PUSH_SERVICE_PORT = 8030
PORTS = range(2**16)
PortOrNone = TypeVar("PortOrNone", int, int | None)
MIN_TOKEN = 12  # characters of an instructor's token that a person chooses

# Requests of the lab to itself go to no proxy, even if the environment names one.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ports(
    port: int | None = None, push_port: int | None = None, *, fixed: bool = True
) -> tuple[int, int]:
    """Return both ports: the ones given, else the environment's, else the fixed ones.

    Without ``fixed`` the last are 0: any free port. A private lab has no fixed ones.
    Raises BadPort for a value that is not a port, and says where it was given.

    >>> ports(0, 9000)
    (0, 9000)
    """
    both = (
        _port("port", port, "PUSHLAB_PORT", APPLICATION_SERVER_PORT if fixed else 0),
        _port("push_port", push_port, "PUSHLAB_PUSH_PORT", PUSH_SERVICE_PORT if fixed else 0),
    )
    if both[0] == both[1] != 0:
        raise BadPort(f"port and push_port are both {both[0]}, and each server needs its own")
    return both


def checked_port(argument: str, given: PortOrNone) -> PortOrNone:
    """Return an argument that is a port, or None. Raises BadPort, which names the argument."""
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given not in PORTS:
        raise BadPort(f"{argument} is {given!r}, which is not a port")
    return given


def _port(argument: str, given: int | None, variable: str, usual: int) -> int:
    if given is not None:
        return checked_port(argument, given)
    text = os.environ.get(variable)
    if text is None:
        return usual
    if not text.strip():
        raise BadPort(f"{variable} is set, and empty")
    # int() accepts more than a port should be: "8_292", and the digits of every script.
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) not in PORTS:
        raise BadPort(f"{variable} is {text[:20]!r}, which is not a port")
    return int(text)


def data_folder(folder: str | Path | None = None) -> Path:
    """Return the given folder, else PUSHLAB_DATA, else ``.pushlab`` in the checkout or here.

    On a hub it is in the user's home: all users may have one checkout.
    Raises BadArgument for what cannot be the name of a folder.
    """
    if chosen := folder or os.environ.get("PUSHLAB_DATA"):
        if not isinstance(chosen, str | os.PathLike) or "\0" in str(chosen):
            raise BadArgument(f"data is {chosen!r}, which names no folder")
        return Path(chosen)
    if on_a_hub():
        return Path.home() / ".pushlab"
    checkout = Path(__file__).resolve().parents[1]
    return (checkout if (checkout / "pyproject.toml").is_file() else Path()) / ".pushlab"


def on_a_hub() -> bool:
    """Say whether this process belongs to a user of a JupyterHub, or of Binder, which is one."""
    return bool(os.environ.get("JUPYTERHUB_SERVICE_PREFIX"))


def instructor_token() -> str:
    """Return PUSHLAB_TOKEN, else a new token of 192 random bits.

    Raises LabError if it has characters that a header may not have, or is too short. Source: RFC 6750
    §2.1; RFC 6749 §10.10 asks for 128 bits where nobody has to remember the token.
    """
    token = os.environ.get("PUSHLAB_TOKEN") or secrets.token_urlsafe(24)
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token):
        raise LabError("PUSHLAB_TOKEN has other characters than letters, digits and -._~+/")
    if len(token) < MIN_TOKEN:
        raise LabError(
            f"PUSHLAB_TOKEN has {len(token)} characters, and needs {MIN_TOKEN}: whoever guesses it may "
            "send to everybody. Without PUSHLAB_TOKEN the lab makes one that nobody guesses"
        )
    return token


def patience(seconds: float) -> float:
    """Return how long to wait before something counts as hanging: ``seconds`` x PUSHLAB_PATIENCE.

    Only a wait that guards against a hang is multiplied. An action that usually takes a second gets a
    minute, because a slow or busy machine is not a fault; on an even slower machine, set the factor.
    A pause, and a time that a protocol or the documentation promises, is not multiplied.

    Raises LabError if PUSHLAB_PATIENCE is not a number above 0.

    >>> patience(60) / patience(30)
    2.0
    """
    text = os.environ.get("PUSHLAB_PATIENCE") or "1"
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise LabError(f"PUSHLAB_PATIENCE is {text!r}, which is not a number above 0")
    return seconds * factor


def has_screen() -> bool:
    """Say whether a browser window can be seen on this machine."""
    if sys.platform != "linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
