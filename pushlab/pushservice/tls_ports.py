"""A certificate and ports that stay the same after a restart: the store keeps them.

A browser and a sender are told once which certificate or authority to trust, and an endpoint names a
port. So both outlive the process, also one that was killed, if the database is the same.
"""

import json
import logging
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack

from pushlab.errors import LabStopped, PortTaken, StoreError
from pushlab.pushservice.certificates import Certificates
from pushlab.pushservice.store import Store
from pushlab.server.http import listen, log

# A client that does not trust the certificate ends the handshake. Tornado logs that, and without a
# handler the line would be printed to the terminal.
logging.getLogger("tornado.general").addHandler(logging.NullHandler())


class TlsPorts:
    """The ports of servers that speak TLS with one certificate.

    ``name``: under which the store keeps them; ``count``: of the ports; ``lost``: what somebody has to
    do again after a restart if they cannot be kept, for the log.
    """

    def __init__(self, name: str, count: int, lost: str):
        self._name, self._lost = name, lost
        self._certificates: Certificates | None = None
        self.numbers = (0,) * count

    @property
    def certificates(self) -> Certificates:
        """What serves TLS, and what trusts it. Raises LabStopped before the first ``open``."""
        if self._certificates is None:
            raise LabStopped("the push service has not been started")
        return self._certificates

    def remember(self, store: Store, names: Sequence[str]) -> None:
        """Read the certificate and the ports from the store, if it has them.

        For other ``names`` a new certificate is made. Raises UnableToReadDatabase.
        """
        if self._certificates is not None and self._certificates.names == tuple(names):
            return
        self._certificates = None
        if kept := json.loads(store.kept(self._name) or b"{}"):
            self.numbers = tuple(kept["ports"])
            if kept["names"] == list(names):
                self._certificates = Certificates.from_json(kept)

    def open(
        self,
        store: Store,
        names: Sequence[str],
        host: str,
        undo: AsyncExitStack,
        port: int | None = None,
    ) -> list[socket.socket]:
        """Listen at the ports, and keep them and the certificate in the store. ``undo`` closes them.

        A port that another program has taken meanwhile is replaced by a free one. ``port``: the one to
        listen at in place of the kept one; 0 is any free one. Raises PortTaken for that one, BadPort.
        """
        if self._certificates is None:
            self._certificates = Certificates.make(names)
        if port is not None:
            opened = [undo.enter_context(listen(port, host))]
        else:
            opened = [undo.enter_context(_listen(number, host)) for number in self.numbers]
        self.numbers = tuple(one.getsockname()[1] for one in opened)
        self._keep(store)
        return opened

    def _keep(self, store: Store) -> None:
        told = self.certificates.to_json() | {"ports": self.numbers}
        value = json.dumps(told).encode("ascii")
        try:
            if value != store.kept(self._name):
                store.keep(self._name, value)
        except StoreError as error:
            log.warning("%s after a restart: %s", self._lost, error)


def _listen(port: int, host: str) -> socket.socket:
    try:
        return listen(port, host)
    except PortTaken:
        return listen(0, host)
