"""The client page in a real browser: operated as a person would, and read as a person would.

Buttons are pressed with the mouse, because browsers ask for permission only while they handle a
real click. Then ``<body>`` tells when the page is through: ``data-busy`` is there while an action
runs, ``data-state`` is what came of it, and ``#outcome`` says it in words.

This half needs two things of a browser, ``evaluate`` and ``click``, and works with any that has them.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque

from pushlab.errors import BrowserFailed, TimedOut
from pushlab.useragent.base import Notification

# Resolves when the page is idle and shows its state; given a button's id, when the page is through
# with what a click on that button has begun.
SETTLED = """(id) => new Promise((resolve) => {
  const { body } = document;
  const observer = new MutationObserver(look);
  function look() {
    if (!body.dataset.state || "busy" in body.dataset) return;
    observer.disconnect();
    const outcome = document.getElementById("outcome");
    resolve({ kind: outcome?.dataset.kind, text: outcome?.textContent });
  }
  function begin() {
    observer.observe(body, { attributes: true });
    look();
  }
  if (id) document.getElementById(id).addEventListener("click", begin, { once: true });
  else begin();
})"""

# Scrolls to the button, so that the mouse can reach it, and tells whether it can be pressed.
REACH = """(id) => {
  const button = document.getElementById(id);
  button.scrollIntoView({ block: "nearest", behavior: "instant" });
  return !button.disabled;
}"""

STATE = "() => document.body.dataset.state ?? ''"

NOTIFICATIONS = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  const notifications = (await registration?.getNotifications()) ?? [];
  return notifications.map(({ title, body, tag, data }) => ({ title, body, tag, data }));
}"""


class ClientPage(ABC):
    """The page's part of a user agent."""

    def __init__(self) -> None:
        self.console: deque[str] = deque(maxlen=20)
        """The last errors in the page's console."""

    @abstractmethod
    async def evaluate(self, function: str, *arguments: object) -> object:
        """Call a JavaScript ``function`` in the page; return what it, or its promise, comes to.

        Arguments and result are JSON values. Raise BrowserFailed with what the function throws.
        """

    @abstractmethod
    async def click(self, element_id: str) -> None:
        """Click with the mouse on the middle of an element that is in view."""

    async def settled(self) -> None:
        """Wait until the page is idle and shows its state."""
        try:
            await self.evaluate(SETTLED)
        except TimedOut:
            raise TimedOut(f"The page shows no state. {self._console_says()}") from None

    async def press(self, button: str) -> None:
        """Press the button with this id and wait until the page is through with it.

        Raise BrowserFailed when the button is disabled, or with what the page says went wrong.
        """
        if not await self.evaluate(REACH, button):
            raise BrowserFailed(f"The button {button} is disabled in state {await self.state()}")
        watch = asyncio.ensure_future(self.evaluate(SETTLED, button))
        try:
            outcome, _ = await asyncio.gather(watch, self.click(button))
        except TimedOut:
            raise TimedOut(f"The page is not through with {button}. {self._console_says()}") from None
        finally:
            watch.cancel()
        if outcome["kind"] == "error":
            raise BrowserFailed(f"The page says: {outcome['text']}")

    async def state(self) -> str:
        """Return the state that the page shows; empty where the page is another one."""
        return await self.evaluate(STATE)

    async def register(self) -> None:
        """Press Register service worker."""
        await self.press("register")

    async def unregister(self) -> None:
        """Press Unregister."""
        await self.press("unregister")

    async def subscribe(self) -> None:
        """Press Subscribe to push."""
        await self.press("subscribe")

    async def unsubscribe(self) -> None:
        """Press Unsubscribe from push."""
        await self.press("unsubscribe")

    async def notify_me(self) -> None:
        """Press Notify me."""
        await self.press("notify-me")

    async def notify_all(self) -> None:
        """Press Notify all."""
        await self.press("notify-all")

    async def notifications(self) -> list[Notification]:
        """Return what the browser says it shows for the page's service worker."""
        return [Notification(**shown) for shown in await self.evaluate(NOTIFICATIONS)]

    async def wait_for_notification(
        self, body: str | None = None, title: str | None = None, timeout: float = 15
    ) -> Notification:
        """Wait at most ``timeout`` seconds for a notification with this body and title."""
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            shown = await self.notifications()
            for notification in reversed(shown):
                if notification.matches(body, title):
                    return notification
            if asyncio.get_running_loop().time() > deadline:
                raise TimedOut(f"No such notification in {timeout:g} s; {len(shown)} others are shown")
            await asyncio.sleep(0.05)  # no event tells a page that a notification has appeared

    def _console_says(self) -> str:
        return f"Its console says: {self.console[-1]}" if self.console else "Its console is silent."
