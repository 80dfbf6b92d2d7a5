"""What libcurl asks before it opens a connection: a socket, please, to this address.

It asks after resolution, for each address and each time, so a name that meanwhile leads elsewhere is
looked at again. A connection that is kept open leads to where it led when it was opened.
"""

import socket

import pycurl

from pushlab.appserver.delivery.egress import Reach
from pushlab.appserver.delivery.response import NetworkFault
from pushlab.appserver.delivery.route import Route


class SocketOpener:
    """Open sockets for one libcurl handle, as its CURLOPT_OPENSOCKETFUNCTION.

    ``reach`` knows the allowed addresses. On a ``route`` there is one, and nothing is resolved.
    """

    def __init__(self, reach: Reach, route: Route | None):
        self._reach, self._route = reach, route
        self._url, self._refused = "", False

    def begin(self, url: str) -> None:
        """Expect to be asked for the request to this URL."""
        self._url, self._refused = url, False

    def open(self, purpose: int, address: tuple) -> int:
        """Return the number of a new socket, or SOCKET_BAD."""
        family, kind, protocol, where = address
        if self._route:
            host = self._route.host
            allowed = self._route.connect_to == f"{host}:443:{where[0]}:{where[1]}"
        else:
            allowed = self._reach.permits(self._url, where[0])
        if not allowed:
            self._refused = True
            return pycurl.SOCKET_BAD
        try:
            return socket.socket(family, kind, protocol).detach()
        except OSError:  # Too many are open. What is raised here would be printed, and lost.
            return pycurl.SOCKET_BAD

    def fault(self, code: int, message: str) -> NetworkFault:
        """Return what libcurl says, but for what was refused here.

        Of that it says that nobody listens, which would be tried again, and it tells the address.
        """
        if self._refused and code == pycurl.E_COULDNT_CONNECT:
            return NetworkFault(pycurl.E_ABORTED_BY_CALLBACK)
        return NetworkFault(code, message)
