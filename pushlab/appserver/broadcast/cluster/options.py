"""Where the workers of a notify-all are: processes of this machine, or those of a Dask scheduler.

Dask is not imported here: wrong options are refused before anything is started.
"""

from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pushlab.errors import BadArgument, ClusterNotEncrypted, ScaleMissing

Processes = int | Literal["auto"]
"""How many processes send: ``"auto"`` is one for each core."""

MAX_PROCESSES = 1000


def checked_processes(value: object) -> Processes | None:
    """Return a number of processes, ``"auto"``, or None for this process alone. Raises BadArgument.

    >>> checked_processes(2), checked_processes("auto"), checked_processes(1)
    (2, 'auto', None)
    """
    if value is None or value == "auto":
        return value
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_PROCESSES:
        raise BadArgument(f"processes is {value!r}, and can be 'auto', or 1 to {MAX_PROCESSES}")
    return None if value == 1 else value


@dataclass(frozen=True)
class Cluster:
    """A Dask scheduler, at ``tls://HOST:PORT``, or at ``tcp://127.0.0.1:PORT``.

    ``ca_file``, ``certfile``, ``keyfile``: PEM files, the authority of the cluster, and this program's
    own certificate and key. Without them Dask's own configuration counts. Raises BadArgument, and
    ClusterNotEncrypted for a scheduler at another address that has no TLS.

    >>> Cluster("tcp://127.0.0.1:8786").address
    'tcp://127.0.0.1:8786'
    """

    address: str
    ca_file: Path | None = field(default=None, repr=False)
    certfile: Path | None = field(default=None, repr=False)
    keyfile: Path | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.address)
            good = parts.scheme in ("tcp", "tls") and parts.hostname and parts.port and not parts.path
        except ValueError:
            good = False
        if not good:
            raise BadArgument(f"cluster is {self.address!r}, and no address such as tls://HOST:8786")
        given = [file for file in (self.ca_file, self.certfile, self.keyfile) if file]
        if len(given) not in (0, 3):
            raise BadArgument("of the cluster's TLS, authority, certificate and key belong together")
        for file in given:
            if not Path(file).is_file():
                raise BadArgument(f"{file} of the cluster's TLS is not a file")
        check_encrypted(self.address, "the scheduler")


def checked_cluster(value: "str | Cluster | None") -> "Cluster | None":
    """Return the cluster at an address. Raises BadArgument, ClusterNotEncrypted."""
    return Cluster(value) if isinstance(value, str) else value


def check_installed() -> None:
    """Raise ScaleMissing if Dask is not installed. It is not imported."""
    if find_spec("distributed") is None:
        raise ScaleMissing


def check_encrypted(address: str, who: str) -> None:
    """Raise ClusterNotEncrypted unless an address of Dask's has TLS, or is at the loopback."""
    if not address.startswith("tls://") and not is_here(address):
        raise ClusterNotEncrypted(f"{who} is at {address}, which is not encrypted")


def is_here(address: str) -> bool:
    """Say whether an address of Dask's is at the loopback.

    >>> is_here("tcp://127.0.0.1:8786"), is_here("tls://192.0.2.7:8786")
    (True, False)
    """
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
