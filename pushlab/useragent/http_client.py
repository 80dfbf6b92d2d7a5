"""The HTTP connections of all virtual user agents of one event loop.

A browser keeps its connections and uses them again. Virtual ones do so together: thousands of them in
one process need no connection each, and a kept one costs both ends half as much as a new one. Tornado's
client on libcurl keeps them; its own client, SimpleAsyncHTTPClient, opens one for each request.
"""

import asyncio
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import pycurl
from tornado.curl_httpclient import CurlAsyncHTTPClient
from tornado.httpclient import HTTPResponse

from pushlab.errors import BrowserFailed
from pushlab.settings import patience

MAX_BODY = 256 * 1024
"""Bytes of an answer that are read. The page has some thousand."""

MAX_HEAD = 64 * 1024
"""Bytes of the head of an answer. libcurl itself reads some hundred thousand, and no more."""

MAX_REQUESTS = 100
"""Requests that are under way at one time. Further ones wait for their turn."""

MAX_BACKGROUND = 1
"""User agents that report a push message at one time. Such a report is for the journal alone. In a
crowd it would take half of the time of both ends, while others still wait for their message."""

ANSWER_SECONDS = 30
"""How long a server may take to answer (times PUSHLAB_PATIENCE)."""


class HttpClient:
    """The client of one event loop: ``join`` returns it, and it is closed when everybody has left."""

    _clients: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, "HttpClient"]] = WeakKeyDictionary()

    def __init__(self) -> None:
        # Not Tornado's own shared instance: a notebook may use that too, with ten requests at a time.
        self._curl = CurlAsyncHTTPClient(force_instance=True, max_clients=MAX_REQUESTS)
        self._loop = asyncio.get_running_loop()
        self._users = 0
        self.background = asyncio.Semaphore(MAX_BACKGROUND)

    @classmethod
    def join(cls) -> "HttpClient":
        """Return the client of the running loop. Whoever has joined must call ``leave`` once."""
        loop = asyncio.get_running_loop()
        client = cls._clients.get(loop)
        if client is None:
            client = cls._clients[loop] = cls()
        client._users += 1
        return client

    def leave(self) -> None:
        """Close the connections, unless somebody else uses them."""
        self._users -= 1
        if not self._users:
            del self._clients[self._loop]
            self._curl.close()

    async def fetch(self, url: str, **request: Any) -> HTTPResponse:
        """Make one request, whatever the answer's status. Raises what Tornado raises, BrowserFailed."""
        seconds = patience(ANSWER_SECONDS)
        # Another program may answer there: nothing of it is followed or unpacked.
        request |= {"follow_redirects": False, "decompress_response": False}
        request |= {"connect_timeout": seconds, "request_timeout": seconds}
        self._users += 1  # Closed meanwhile, the client would never answer.
        try:
            response = await self._curl.fetch(
                url, raise_error=False, prepare_curl_callback=_restrict, **request
            )
        finally:
            self.leave()
        if len(str(response.headers)) > MAX_HEAD:
            raise BrowserFailed(f"its answer has a head of over {MAX_HEAD} bytes")
        return response


def _restrict(curl: pycurl.Curl) -> None:
    """Have libcurl read no more than MAX_BODY, and ask no proxy."""
    curl.setopt(pycurl.MAXFILESIZE, MAX_BODY)
    curl.setopt(pycurl.NOPROXY, "*")
