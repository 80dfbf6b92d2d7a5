"""The client page in a real browser, operated and read as a person would.

Buttons are pressed with the mouse, because browsers ask for permission only while they handle a
real click. Then ``<body>`` shows when the page has finished: ``data-busy`` is there while an action
runs, ``data-state`` is its result, and ``#outcome`` says it in words.

A click can miss. The driver asks where the button is and then sends the mouse there. In between, the
page may move: its log gets another line, or a screenshot lays the page out anew. So opening the page,
clicking and taking a screenshot wait for each other (``_turn``). And each click is aimed: the page
lets the click through only to its button, and says at once whether it arrived.

This class needs four things of a browser (``evaluate``, ``click``, ``_open``, ``_capture``), and works
with any browser that has them.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

from pushlab.errors import BrowserFailed, TimedOut
from pushlab.settings import patience
from pushlab.useragent.base import NOTIFICATION_SECONDS, Notification

CLICKS = 5
"""How often a click is aimed anew at a button that moves away from the mouse."""

# Resolves when the page is idle and shows its state, with the kind and the text of #outcome.
SETTLED = """() => new Promise((resolve) => {
  const { body } = document;
  const observer = new MutationObserver(look);
  function look() {
    if (!body.dataset.state || "busy" in body.dataset) return;
    observer.disconnect();
    const outcome = document.getElementById("outcome");
    resolve({ kind: outcome?.dataset.kind, text: outcome?.textContent });
  }
  observer.observe(body, { attributes: true });
  look();
})"""

# Scrolls to the button, so that the mouse can reach it, and returns whether it can be pressed. From
# then on a click on anything else is stopped. The first click on the button begins to watch the page,
# after the page's own listeners have run.
AIM = """(id) => {
  const settled = SETTLED;
  const button = document.getElementById(id);
  button.scrollIntoView({ block: "nearest", behavior: "instant" });
  if (button.disabled) return false;
  const abort = new AbortController();
  const aim = { hit: false, landed: "", abort };
  window[Symbol.for("pushlab.aim")] = aim;
  addEventListener("click", (event) => {
    aim.hit = event.composedPath().includes(button);
    if (aim.hit) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const { target } = event;
    aim.landed = target.id ? `#${target.id}` : `<${target.localName}>`;
  }, { capture: true, once: true, signal: abort.signal });
  const watch = () => { aim.settled = settled(); };
  button.addEventListener("click", watch, { once: true, signal: abort.signal });
  return true;
}""".replace("SETTLED", SETTLED)

# Returns whether the click arrived, and what it reached in place of the button. From now on no click is
# stopped.
ARRIVED = """() => {
  const { hit, landed, abort } = window[Symbol.for("pushlab.aim")];
  abort.abort();
  return { hit, landed };
}"""

# Resolves when the page has finished the action that the click began.
THROUGH = """() => window[Symbol.for("pushlab.aim")].settled"""

STATE = "() => document.body.dataset.state ?? ''"

ENDPOINT = """async () => {
  const registration = await navigator.serviceWorker?.getRegistration();
  const subscription = await registration?.pushManager.getSubscription();
  return subscription?.endpoint ?? null;
}"""

# The lock is the one that the page and its worker take: see `notificationsShown` in static/push.js.
NOTIFICATIONS = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  const ask = () => registration?.getNotifications() ?? [];
  const notifications = await navigator.locks.request("notifications", ask);
  return notifications.map(({ title, body, tag, data }) => ({ title, body, tag, data }));
}"""


class ClientPage(ABC):
    """What a user agent does with the client page."""

    def __init__(self) -> None:
        self.console: deque[str] = deque(maxlen=20)
        """The last errors in the page's console."""
        self._turn = asyncio.Lock()
        """Held while something may move the page: it is opened, clicked or photographed."""

    @abstractmethod
    async def evaluate(self, function: str, *arguments: object) -> Any:
        """Call a JavaScript ``function`` in the page; return its result, or that of its promise.

        Arguments and result are JSON values. Raises BrowserFailed with what the function throws.
        """

    @abstractmethod
    async def click(self, element_id: str) -> None:
        """Click with the mouse on the middle of an element that is in view.

        Returns when the page has handled the click, wherever it landed.
        """

    @abstractmethod
    async def _open(self, page_url: str) -> None:
        """Load the page."""

    @abstractmethod
    async def _capture(self) -> bytes:
        """Return a PNG of the whole page, also of what is below the edge of the window."""

    async def open(self, page_url: str) -> None:
        """Open the client page and wait until it shows its state."""
        async with self._turn:
            await self._open(page_url)
            await self.settled()

    async def visit(self, url: str) -> None:
        """Open any page and wait until it is loaded."""
        async with self._turn:
            await self._open(url)

    async def screenshot(self) -> bytes:
        """Return a PNG of the whole page, also of what is below the edge of the window."""
        await self._turn.acquire()
        capture = asyncio.ensure_future(self._capture())

        def end_turn(capture: asyncio.Future[bytes]) -> None:
            self._turn.release()
            if not capture.cancelled():
                capture.exception()  # Perhaps nobody waits for it any more.

        # The browser goes on, and lays the page out anew, even if nobody waits for the picture any more.
        capture.add_done_callback(end_turn)
        return await asyncio.shield(capture)

    async def settled(self) -> None:
        """Wait until the page is idle and shows its state."""
        try:
            await self.evaluate(SETTLED)
        except TimedOut:
            raise TimedOut(f"The page shows no state. {self._console_says()}") from None

    async def press(self, button: str) -> None:
        """Press the button with this id and wait until the page has finished the action.

        Raises BrowserFailed if the button is disabled, if the mouse does not reach it, or with the
        error that the page shows.
        """
        async with self._turn:
            await self._press(button)
        try:
            outcome = await self.evaluate(THROUGH)
        except TimedOut:
            raise TimedOut(f"The page has not finished with {button}. {self._console_says()}") from None
        if outcome.get("kind") == "error":
            raise BrowserFailed(f"The page says: {outcome['text']}")

    async def _press(self, button: str) -> None:
        for _ in range(CLICKS):
            if not await self.evaluate(AIM, button):
                raise BrowserFailed(f"The button {button} is disabled in state {await self.state()}")
            try:
                await self.click(button)
            finally:
                arrived = await self.evaluate(ARRIVED)
            if arrived["hit"]:
                return
        landed = f"it reaches {arrived['landed']}" if arrived["landed"] else "it reaches nothing"
        raise BrowserFailed(f"The mouse does not reach the button {button}: {landed}")

    async def state(self) -> str:
        """Return the state that the page shows; empty if another page is open."""
        return await self.evaluate(STATE)

    async def endpoint(self) -> str | None:
        """Return the endpoint of the page's subscription, or None if there is none."""
        return await self.evaluate(ENDPOINT)

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
        """Return the notifications that the browser says it shows for the page's service worker."""
        return [Notification(**shown) for shown in await self.evaluate(NOTIFICATIONS)]

    async def wait_for_notification(
        self, body: str | None = None, title: str | None = None, timeout: float | None = None
    ) -> Notification:
        """Wait at most ``timeout`` seconds for a notification with this body and title.

        Without ``timeout`` it waits as long as a slow machine may need.
        """
        timeout = patience(NOTIFICATION_SECONDS) if timeout is None else timeout
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            shown = await self.notifications()
            for notification in reversed(shown):
                if notification.matches(body, title):
                    return notification
            if asyncio.get_running_loop().time() > deadline:
                raise TimedOut(
                    f"No such notification was shown within {timeout:g} s; {len(shown)} others are shown"
                )
            await asyncio.sleep(0.05)  # no event tells a page that a notification has appeared

    def _console_says(self) -> str:
        return f"Its console says: {self.console[-1]}" if self.console else "Its console is silent."
