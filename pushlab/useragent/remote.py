"""How a program drives a real browser: commands and events over one WebSocket, or over two pipes.

Firefox speaks WebDriver BiDi and Chromium the Chrome DevTools Protocol, and the two are alike in this.
JSON goes both ways, and no driver program stands in between. A command has an ``id``, and its answer
has the same one; an event has none and may come at any time. They differ in how they word an error.
"""

import asyncio
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Self

from tornado.httpclient import HTTPClientError
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    websocket_connect,
)

from pushlab.errors import BrowserFailed, TimedOut
from pushlab.settings import patience
from pushlab.useragent.pipe import BrowserPipes, PipeConnection

CONNECT_SECONDS = 60
"""How long a browser that has started may take to accept a connection (times PUSHLAB_PATIENCE)."""

ANSWER_SECONDS = 120
"""How long a browser may take to answer before it counts as hanging (times PUSHLAB_PATIENCE).

An answer may depend on the page: a Chromium whose page is busy begins to subscribe after a minute.
"""

# A screenshot is one message; base64 of a large screen in colour stays below this.
MAX_MESSAGE = 64 * 1024 * 1024


class Remote(ABC):
    """One connection to a browser. Make it with ``await Bidi.connect(url)``, or with ``Cdp``'s."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict]] = {}
        self._listeners: dict[str, list[Callable[[dict], None]]] = {}
        self._channel: WebSocketClientConnection | PipeConnection | None = None

    @classmethod
    async def connect(cls, url: str) -> Self:
        """Connect to the browser at a ``ws:`` URL of this machine.

        Raises BrowserFailed when nothing answers there.
        """
        self = cls()
        try:
            self._channel = await websocket_connect(
                url,
                connect_timeout=patience(CONNECT_SECONDS),
                on_message_callback=self._receive,
                max_message_size=MAX_MESSAGE,
            )
        except (OSError, HTTPClientError, WebSocketError) as error:
            raise BrowserFailed(f"The browser does not answer at {url}: {error}") from error
        return self

    @classmethod
    async def over(cls, pipes: BrowserPipes) -> Self:
        """Use the pipes of a browser that has been started with them."""
        self = cls()
        self._channel = await pipes.connect(self._receive, MAX_MESSAGE)
        return self

    @abstractmethod
    def _words(self, message: dict) -> str:
        """Return the text of an error message of this protocol."""

    async def command(
        self,
        method: str,
        params: Mapping[str, object] | None = None,
        timeout: float | None = None,
        **envelope: str,
    ) -> dict:
        """Send one command and return its result. ``envelope`` goes beside ``params``.

        Raises BrowserFailed if the browser refuses, in its own words, or goes away. Raises TimedOut
        after ``timeout`` seconds; without it, after ANSWER_SECONDS.
        """
        timeout = patience(ANSWER_SECONDS) if timeout is None else timeout
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        text = json.dumps({"id": number, "method": method, "params": params or {}} | envelope)
        try:
            async with asyncio.timeout(timeout):
                await self._connected().write_message(text)
                return await answer
        except TimeoutError:
            raise TimedOut(f"The browser did not answer {method} within {timeout:g} s") from None
        except (WebSocketClosedError, BrokenPipeError):
            raise BrowserFailed(f"The browser ended before {method}") from None
        finally:
            del self._answers[number]

    def listen(self, event: str, callback: Callable[[dict], None]) -> None:
        """Call ``callback(params)`` at each ``event`` that the browser has been asked to report."""
        self._listeners.setdefault(event, []).append(callback)

    async def close(self) -> None:
        """Close the connection and wait until it is closed.

        Tornado cuts off a browser that leaves the Close frame unanswered for 5 seconds.
        """
        self._connected().close()
        await self.closed.wait()

    def _connected(self) -> WebSocketClientConnection | PipeConnection:
        assert self._channel is not None, "connect() or over() makes the connection"
        return self._channel

    def _receive(self, text: str | bytes | None) -> None:
        if text is None:  # Tornado's way to say that the connection is closed, and that of the pipes
            if self._channel is not None:
                self._channel.close()  # our end of it, too
            self.closed.set()
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(BrowserFailed("The browser has ended"))
            return
        message = json.loads(text)
        if "id" not in message:
            for callback in self._listeners.get(message["method"], []):
                callback(message["params"])
            return
        answer = self._answers.get(message["id"])
        if answer is None or answer.done():
            return  # the answer to a command that has timed out
        if "error" in message:
            answer.set_exception(BrowserFailed(self._words(message)))
        else:
            answer.set_result(message["result"])
