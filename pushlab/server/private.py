"""A server whose address holds a secret, for a machine that several people share.

Everybody on a machine can open its ports, and jupyter-server-proxy opens them for everybody on a hub.
So all paths of a private server begin with a secret. A page whose URLs are relative needs nothing
else: a browser, a worker and a program that have the address have the secret. Without it they find
what is outside.

    http://127.0.0.1:41213/SECRET/vapid      inside, as /vapid
    http://127.0.0.1:41213/vapid             outside

The routes inside see their paths without the secret, so nothing that they write down has it.
Source: W3C TAG, Good Practices for Capability URLs.
"""

import hmac
from typing import Any

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router
from tornado.web import Application


class PrivateAddress(Router):
    """Serve ``inside`` to whoever has the secret, and ``outside`` to everybody else.

    ``path`` is what the address begins with: ``/SECRET``.
    """

    def __init__(self, path: str, inside: Application, outside: Application):
        self._path = path.encode()
        self._inside, self._outside = inside, outside

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate:
        """Return what handles a request."""
        length = len(self._path)
        given, path = request.path[:length], request.path[length:]
        # The time that this takes does not show how many characters of the secret were right.
        if hmac.compare_digest(given.encode(), self._path) and path.startswith("/"):
            request.path, request.uri = path, (request.uri or "")[length:]
            return self._inside.find_handler(request)
        return self._outside.find_handler(request)
