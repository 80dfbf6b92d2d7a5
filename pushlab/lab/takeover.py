"""One lab stops another, of the same user and with the same data folder.

A data folder has one lab at a time. A learner opens a second notebook, and the first one's kernel still
has it. ``Lab(take_over=True)`` asks that lab to stop, as its own ``lab.stop()`` would do it:

    POST /stop                          at 127.0.0.1, at the port that the lock file names
    Authorization: Bearer SECRET        from the lock file, which this user alone may read
    {"by": "the notebook 02_subscribe.ipynb"}

So nothing is ended by force, and nothing is asked of a program that is no lab. Whoever can read the
lock file may stop the lab; and whoever can read it, could end its process as well.
"""

import hmac
import http.client
import json
import secrets
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack

from tornado.web import Application

from pushlab.errors import BadField, RequestError
from pushlab.lab.network import LOOPBACK
from pushlab.protocol import strict_json
from pushlab.server.http import StreamedBody, UnknownPathHandler, listen
from pushlab.server.limits import BoundedHTTPServer
from pushlab.text import show

MAX_REQUEST = 1000
"""Bytes of a request."""


class StopRequests:
    """Listen for a request to stop this lab; ``stop(by)`` is then called in a thread of its own.

    ``secret`` is what a request must show. ``port`` exists from ``start()`` on.
    """

    port: int

    def __init__(self, stop: Callable[[str], None]) -> None:
        self.secret = secrets.token_urlsafe(32)
        self._stop = stop
        self._undo = AsyncExitStack()

    async def start(self) -> None:
        """Listen at a free port of this machine. Raises PortTaken."""
        async with AsyncExitStack() as undo:
            listener = undo.enter_context(listen(0, LOOPBACK))
            self.port = listener.getsockname()[1]
            parts = {"secret": self.secret, "stop": self._stop}
            server = BoundedHTTPServer(
                Application(
                    [(r"/stop", StopHandler, parts)],
                    default_handler_class=UnknownPathHandler,
                    log_function=lambda handler: None,
                )
            )
            undo.push_async_callback(server.close_all_connections)
            undo.callback(server.stop)
            server.add_socket(listener)
            self._undo = undo.pop_all()

    async def stop(self) -> None:
        """Listen no more. A second call does nothing."""
        undo, self._undo = self._undo, AsyncExitStack()
        await undo.aclose()


class StopHandler(StreamedBody):
    """``POST /stop``: stop the lab for somebody who knows the secret."""

    body_limit = MAX_REQUEST

    def initialize(self, secret: str, stop: Callable[[str], None]) -> None:
        self.secret, self.stop = secret, stop

    async def post(self) -> None:
        shown = self.request.headers.get("Authorization", "")
        if not hmac.compare_digest(shown.encode(), f"Bearer {self.secret}".encode()):
            raise RequestError("the secret of the lock file is not shown")
        value = strict_json.parse(bytes(self.body))
        by = value.get("by") if isinstance(value, dict) else None
        if not isinstance(by, str):
            raise BadField("by is not text")
        await self.finish({"data": {"success": True}})
        # The lab's own thread, in which this runs, cannot wait for its own end.
        threading.Thread(target=self.stop, args=(show(by, limit=80),), name="pushlab-stop").start()


def ask_to_stop(port: int, secret: str, by: str, seconds: float) -> bool:
    """Ask the lab that listens for it at this port to stop; return whether it will.

    ``by``: who asks, for its user; ``seconds``: for each step of the exchange.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=seconds)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/stop", json.dumps({"by": by}), headers)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
