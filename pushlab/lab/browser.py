"""A user agent as a notebook drives it: every method is synchronous, and no protocol is visible."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from pushlab.errors import BrowserFailed, BrowserNotFound, TimedOut
from pushlab.lab import network
from pushlab.protocol.origin import origin_of
from pushlab.settings import patience
from pushlab.useragent import chromium, firefox
from pushlab.useragent.base import Notification, UserAgent
from pushlab.useragent.chromium import profile as chromium_profile

KINDS = ("firefox", "chromium", "virtual")

UNSUBSCRIBE_SECONDS = 30
"""How long a browser may take to unsubscribe before it is closed (times PUSHLAB_PATIENCE)."""


def installed_browsers() -> list[str]:
    """Return the kinds of real browsers on this machine, else ``["virtual"]``.

    If PUSHLAB_BROWSER is set, return only that kind.
    """
    if chosen := os.environ.get("PUSHLAB_BROWSER"):
        return [chosen]
    found = []
    for kind, module in (("firefox", firefox), ("chromium", chromium)):
        try:
            module.find()
        except BrowserNotFound:
            continue
        found.append(kind)
    return found or ["virtual"]


def real_browser(
    kind: str,
    page_url: str,
    push_url: str,
    listeners: chromium_profile.ChromiumListeners | None,
    *,
    certificate: bytes = b"",
    **wanted,
) -> firefox.Firefox | chromium.Chromium:
    """Make a browser for the page and its push service, whether here or across a room.

    ``push_url`` is what a Firefox connects to, ``listeners`` what a Chromium needs; ``certificate``
    is the page's, in DER, if the browser would not trust it by itself; ``wanted`` is ``profile``,
    ``headless`` and ``grant``. Raises BrowserNotFound if there is no such kind.

    Every browser treats a page of its own machine as secure. A page that comes over the network with
    plain http is not secure and may have no service worker. So its origin, and no other, is made an
    exception.
    """
    here = network.is_loopback(urlsplit(page_url).hostname or "")
    wanted["page"] = "" if here and not certificate else origin_of(page_url)
    wanted["certificate"] = certificate
    if kind == "firefox":
        return firefox.Firefox(push_url, **wanted)
    if kind == "chromium":
        assert listeners is not None, "a Chromium needs to know them"
        return chromium.Chromium(listeners, **wanted)
    raise BrowserNotFound(f"there is no user agent of kind {kind!r}, only {', '.join(KINDS)}")


def trusted_origin(page_url: str) -> str:
    """Return the origin to treat as secure, or an empty text if the page is secure already.

    >>> trusted_origin("http://192.168.1.20:8292/"), trusted_origin("http://127.0.0.1:8292/")
    ('http://192.168.1.20:8292', '')
    """
    url = urlsplit(page_url)
    if url.scheme != "http" or network.is_loopback(url.hostname or ""):
        return ""
    return origin_of(page_url)


class LabBrowser:
    """A user agent as a notebook drives it: each call waits until the page shows its effect.

    ``run`` runs a coroutine on the lab's loop and returns its result. ``close(browser, unsubscribe)``
    is the coroutine with which the lab closes it.
    """

    def __init__(
        self,
        agent: UserAgent,
        kind: str,
        label: str,
        *,
        keeps_profile: bool,
        run: Callable[..., Any],
        close: Callable[["LabBrowser", bool], Coroutine[Any, Any, None]],
    ):
        self.agent, self.kind, self.label = agent, kind, label
        self.keeps_profile = keeps_profile
        self._run, self._close = run, close

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def name(self) -> str:
        """The name of this user agent in the journal."""
        return self.agent.name

    @property
    def state(self) -> str:
        """The state that the page shows: unregistered, registered, subscribed, denied, unsupported."""
        return self._run(self.agent.state())

    @property
    def endpoint(self) -> str | None:
        """The endpoint of its subscription, which is a secret, or None if it is not subscribed."""
        return self._run(self.agent.endpoint())

    def register(self) -> None:
        """Press Register service worker."""
        self._do(self.agent.register(), "registers its service worker")

    def unregister(self) -> None:
        """Press Unregister."""
        self._do(self.agent.unregister(), "unregisters its service worker")

    def subscribe(self) -> None:
        """Press Subscribe to push, and Register service worker before it if there is none."""
        if (state := self.state) == "subscribed":
            return  # A cell may be run again, and the page has disabled the button.
        if state == "unregistered":
            self.register()
        self._do(self.agent.subscribe(), "subscribes")

    def unsubscribe(self) -> None:
        """Press Unsubscribe from push."""
        self._do(self.agent.unsubscribe(), "unsubscribes")

    def notify_me(self) -> None:
        """Press Notify me."""
        self._do(self.agent.notify_me(), "asks for a message")

    def notify_all(self) -> None:
        """Press Notify all."""
        self._do(self.agent.notify_all(), "asks for a message to all")

    def notifications(self) -> list[Notification]:
        """Return the notifications that the user agent itself says it shows."""
        return self._run(self.agent.notifications())

    def wait_for_notification(
        self, body: str | None = None, title: str | None = None, timeout: float | None = None
    ) -> Notification:
        """Wait until the user agent shows a notification (with this body and title, if given).

        Raises TimedOut after ``timeout`` seconds; without it, after as many as a slow machine needs.
        """
        wait = self.agent.wait_for_notification(body=body, title=title, timeout=timeout)
        return self._run(wait, doing=f"{self.name} shows no such notification yet")

    def screenshot(self) -> bytes | None:
        """Return a PNG of the page. The virtual user agent has no screen, and returns None."""
        return None if self.kind == "virtual" else self._run(self.agent.screenshot())

    def close(self, unsubscribe: bool = True) -> None:
        """Close the browser. One whose profile is deleted unsubscribes first.

        Otherwise the servers would keep a subscription whose messages nobody can ever read. A browser
        that cannot unsubscribe is closed all the same: it is cut off, its window is gone, or it
        hangs. With ``unsubscribe=False`` it does not try.
        """
        self._do(self._close(self, unsubscribe), "is closing")

    async def end(self, unsubscribe: bool) -> None:
        """Do on the lab's loop what ``close`` promises."""
        try:
            if unsubscribe and not self.keeps_profile:
                async with asyncio.timeout(patience(UNSUBSCRIBE_SECONDS)):
                    if await self.agent.state() == "subscribed":
                        await self.agent.unsubscribe()
        except (BrowserFailed, TimedOut, TimeoutError):
            pass  # It cannot unsubscribe, and nothing else can do it in its place.
        finally:
            await self.agent.close()

    def _do(self, coroutine: Coroutine, doing: str) -> None:
        self._run(coroutine, doing=f"{self.name} {doing}")
