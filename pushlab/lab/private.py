"""A private lab: on a machine with several people, its addresses are known to its owner alone.

On a JupyterHub and on Binder every lab is private. There the browser reaches the page through Jupyter,
so no fixed port is needed, and each user's lab takes free ones. The secrets of both servers (see
``server.private``) and the ports are kept in the data folder: an origin has a browser's permission and
its worker, and an endpoint names a port.
"""

import json
import re
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pushlab import files
from pushlab.appserver import private_file
from pushlab.settings import PORTS

NAME = "private.json"

_SECRET = re.compile(r"[A-Za-z0-9_-]{32}")


def _secret() -> str:
    return secrets.token_urlsafe(24)  # 192 bits


@dataclass(frozen=True)
class PrivateAddresses:
    """What a private lab keeps: the secret and the port of its page's server and its push service.

    The secrets differ, because a Chromium's is on its command line, which others may see. Port 0 is any
    free one.
    """

    page_secret: str = field(default_factory=_secret, repr=False)
    push_secret: str = field(default_factory=_secret, repr=False)
    port: int = 0
    push_port: int = 0

    @classmethod
    def read(cls, folder: Path) -> "PrivateAddresses":
        """Return what a data folder has, or new secrets. Raises OSError."""
        try:
            kept = cls(**json.loads(files.read(folder / NAME)))
            secrets_fit = all(map(_SECRET.fullmatch, (kept.page_secret, kept.push_secret)))
            ports_fit = kept.port in PORTS and kept.push_port in PORTS
        except (FileNotFoundError, ValueError, TypeError):
            return cls()
        return kept if secrets_fit and ports_fit else cls()

    @property
    def is_private(self) -> bool:
        """Whether there are secrets: a lab that is not private has none, and keeps nothing."""
        return bool(self.page_secret)

    def write(self, folder: Path) -> None:
        """Write it into a data folder, for this user alone. Raises KeyFileError."""
        private_file.write(folder / NAME, json.dumps(asdict(self)).encode(), overwrite=True)


NOT_PRIVATE = PrivateAddresses("", "")
"""What a lab keeps that is not private."""
