"""What the lab's browsers answer the panel: and what each answered last, while its page is late."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from pushlab import settings
from pushlab.errors import BrowserFailed, TimedOut
from pushlab.lab.browser import LabBrowser
from pushlab.useragent.base import Notification

LOOK_SECONDS = 3
"""How long a page may take to answer the panel (times PUSHLAB_PATIENCE).

It is short, because “Notify me” waits for the endpoint of every browser, and because a page that hangs
holds up the notifications of the others.
"""

ASKED_AGAIN = (
    "It may be loading or busy, or a dialog or a debugger has stopped it. The panel asks again by itself"
)


@dataclass(frozen=True)
class Look:
    """What a browser shows, and why it is not the newest if its page did not answer in time.

    ``notifications`` is None if the browser has never answered; ``picture`` is a PNG.
    """

    notifications: list[Notification] | None = field(repr=False)
    picture: bytes | None = field(repr=False)
    late: TimedOut | None


class Answers:
    """Ask the lab's browsers. ``run`` waits for a coroutine in the lab's thread, as ``Lab.run`` does."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._run = run
        self._endpoints: WeakKeyDictionary[LabBrowser, str | None] = WeakKeyDictionary()
        self._notifications: WeakKeyDictionary[LabBrowser, list[Notification]] = WeakKeyDictionary()
        self._pictures: WeakKeyDictionary[LabBrowser, bytes] = WeakKeyDictionary()

    def endpoint(self, browser: LabBrowser) -> str | None:
        """Return the endpoint of a browser: the last one known if its page does not answer in time."""
        try:
            self._endpoints[browser] = self._ask(browser, browser.agent.endpoint)
        except BrowserFailed:
            return None  # A person has closed its window.
        except TimedOut:
            pass  # A debugger or a dialog may have stopped the page. The subscription is still there.
        return self._endpoints.get(browser)

    def look(self, browser: LabBrowser, *, picture: bool) -> Look:
        """Return what a browser shows: the last that is known if its page does not answer in time.

        Without ``picture``, no picture of the page is taken. Raises BrowserFailed.
        """
        late = None
        try:
            self._notifications[browser] = self._ask(browser, browser.agent.notifications)
            if picture:
                self._pictures[browser] = self._ask(browser, browser.agent.screenshot)
        except TimedOut as error:
            late = error
        seen = self._pictures.get(browser) if picture else None
        return Look(self._notifications.get(browser), seen, late)

    def _ask(self, browser: LabBrowser, question: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Return a browser's answer. Raises TimedOut after LOOK_SECONDS: it may never come."""
        seconds = settings.patience(LOOK_SECONDS)

        async def answer() -> Any:
            try:
                async with asyncio.timeout(seconds):
                    return await question()
            except TimeoutError:
                detail = f"the page in {browser.name} did not answer within {seconds:g} s"
                raise TimedOut(detail, fault="the page, or a busy machine", hint=ASKED_AGAIN) from None

        return self._run(answer())
