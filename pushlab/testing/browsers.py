"""Browsers for the tests of others: a virtual one, and the real ones, with any page in them.

Every method blocks until it is done. In a test that is a coroutine, and whose own loop serves the page,
call it in a thread: ``await asyncio.to_thread(firefox.open, url)``.
"""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from pushlab.errors import TimedOut
from pushlab.lab.browser import real_browser
from pushlab.protocol.subscription import PushSubscription
from pushlab.settings import patience
from pushlab.testing.service import WAIT_SECONDS, Key, RunningPushService, raw_key
from pushlab.useragent.autopush_client import AutopushClient
from pushlab.useragent.base import Notification
from pushlab.useragent.chromium import Chromium
from pushlab.useragent.virtual import read

# A Chromium writes its vendor's host into each endpoint, and no switch changes that. The same push
# resource is at the push service's own origin, which every sender reaches.
OWN_ENDPOINTS = """(() => {
  const prototype = globalThis.PushSubscription?.prototype;
  if (!prototype) return;
  const own = (endpoint) => endpoint && ENDPOINT + endpoint.slice(endpoint.lastIndexOf("/") + 1);
  const { get } = Object.getOwnPropertyDescriptor(prototype, "endpoint");
  const { toJSON } = prototype;
  Object.defineProperty(prototype, "endpoint", { get() { return own(get.call(this)); } });
  prototype.toJSON = function () {
    const members = toJSON.call(this);
    return { ...members, endpoint: own(members.endpoint) };
  };
})();"""

INTO_VIEW = """(id) => {
  const element = document.getElementById(id);
  if (!element) throw new Error(`no element has the id ${id}`);
  element.scrollIntoView({ block: "nearest", behavior: "instant" });
}"""


class VirtualBrowser:
    """A user agent in Python, with one subscription: a browser without page, worker and screen.

    It speaks with the push service as Firefox does, so it can be offline while a message waits.
    """

    def __init__(self, push_service: RunningPushService):
        self._push_service = push_service
        self._client = AutopushClient(push_service.ws_url, "pushlab-testing", self._on_push)
        self._plaintexts: list[bytes | None] = []
        self._news = asyncio.Event()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.disconnect()

    def connect(self) -> None:
        """Be online: the push service delivers what has waited."""
        self._push_service.run(self._client.connect())

    def disconnect(self) -> None:
        """Be offline. The subscription stays, and the push service keeps messages for their TTL."""
        self._push_service.run(self._client.disconnect())

    def subscribe(self, application_server_key: Key) -> PushSubscription:
        """Do what ``pushManager.subscribe()`` does. The key is VapidKeys, 65 bytes, or base64url."""
        key = raw_key(application_server_key)
        assert key is not None, "a browser has to know the key"
        return self._push_service.run(self._client.subscribe(key))

    def unsubscribe(self) -> None:
        """End the subscription: its endpoint is answered 410 from now on."""
        self._push_service.run(self._client.unsubscribe())

    def notifications(self) -> list[Notification]:
        """Return what the lab's service worker would show for the messages, oldest first."""
        return [read(plaintext)[1] for plaintext in self._plaintexts]

    def received(self, count: int = 1, timeout: float | None = None) -> list[bytes | None]:
        """Wait until ``count`` messages have arrived, and return the plaintexts of all that have.

        The plaintext of a message without payload is None. Raises TimedOut after ``timeout`` seconds.
        """
        __tracebackhide__ = True
        return self._push_service.run(self._received(count, timeout))

    async def areceived(self, count: int = 1, timeout: float | None = None) -> list[bytes | None]:
        """Do the same in a test that is a coroutine."""
        return await self._push_service.arun(self._received(count, timeout))

    async def _received(self, count: int, timeout: float | None) -> list[bytes | None]:
        seconds = patience(WAIT_SECONDS) if timeout is None else timeout
        try:
            async with asyncio.timeout(seconds):
                while len(self._plaintexts) < count:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise self._push_service.nothing_came(len(self._plaintexts), count, seconds) from None
        return list(self._plaintexts)

    def _on_push(self, plaintext: bytes | None) -> None:
        self._plaintexts.append(plaintext)
        self._news.set()


class RealBrowser:
    """A Firefox or a Chromium without a window, with a new profile and one tab.

    Every page may show notifications: nobody has to answer the question.
    """

    def __init__(self, kind: str, push_service: RunningPushService):
        self._push_service = push_service
        service = push_service.service
        self.agent = real_browser(kind, service.origin, service.ws_url, service.chromium, headless=True)

    def __repr__(self) -> str:
        return f"<{self.agent.name}>"

    def start(self) -> None:
        """Start the browser. Raises BrowserNotFound, BrowserFailed."""
        self._run(self.agent.start(), "starts")
        if isinstance(self.agent, Chromium):
            endpoint = f'"{self._push_service.service.endpoint("")}"'
            script = OWN_ENDPOINTS.replace("ENDPOINT", endpoint)
            self._run(self.agent.run_in_every_page(script), "is prepared")

    def close(self) -> None:
        """End the browser, and delete its profile."""
        self._run(self.agent.close(), "is closing")

    def open(self, url: str) -> None:
        """Load a page, which must be on this machine, or come by https."""
        self._run(self.agent.visit(url), "loads a page")

    def evaluate(self, function: str, *arguments: object) -> Any:
        """Call a JavaScript function in the page; return its result, or that of its promise.

        Arguments and result are JSON values. Raises BrowserFailed with what the function throws.
        """
        return self._run(self.agent.evaluate(function, *arguments), "calls a function in its page")

    def wait_until(self, function: str, *arguments: object, timeout: float | None = None) -> Any:
        """Wait until a JavaScript function in the page returns something true; return that.

        Raises TimedOut after ``timeout`` seconds, and what ``evaluate`` raises.
        """
        seconds = patience(WAIT_SECONDS) if timeout is None else timeout
        wait = self._until(function, arguments, seconds)
        __tracebackhide__ = True
        return self._run(wait, "does not yet show what the test waits for")

    async def _until(self, function: str, arguments: tuple[object, ...], seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                # No event tells that a page has come so far.
                while not (value := await self.agent.evaluate(function, *arguments)):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                return value
        except TimeoutError:
            last = (
                f" The last error in its console: {self.agent.console[-1]}" if self.agent.console else ""
            )
            raise TimedOut(f"{function} was not true within {seconds:g} s.{last}") from None

    def click(self, element_id: str) -> None:
        """Click with the mouse on the element with this id. Raises BrowserFailed if there is none."""
        self.evaluate(INTO_VIEW, element_id)
        self._run(self.agent.click(element_id), "clicks")

    def notifications(self) -> list[Notification]:
        """Return the notifications of the page's service worker that the browser says it shows."""
        return self._run(self.agent.notifications(), "lists its notifications")

    def wait_for_notification(
        self, body: str | None = None, title: str | None = None, timeout: float | None = None
    ) -> Notification:
        """Wait for a notification with this body and title; None stands for any. Raises TimedOut."""
        wait = self.agent.wait_for_notification(body, title, timeout)
        __tracebackhide__ = True
        return self._run(wait, "shows no such notification yet")

    def screenshot(self) -> bytes:
        """Return a PNG of the whole page."""
        return self._run(self.agent.screenshot(), "takes a screenshot")

    def _run(self, coroutine: Coroutine[Any, Any, Any], doing: str) -> Any:
        __tracebackhide__ = True
        return self._push_service.run(coroutine, f"{self.agent.name} {doing}")
