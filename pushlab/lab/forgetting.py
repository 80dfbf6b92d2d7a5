"""Subscriptions whose profile is thrown away: they are forgotten when their browser is gone.

A browser with a profile of its own that is deleted at the end can never show another message. It
unsubscribes when it is closed in order. A kernel that is killed closes nothing, and then the
application server would send to nobody for ever, and a lesson would count one subscription too many.
So the lab writes down the endpoints of these browsers. At its end, and at the next start with the same
data folder, they are removed. A browser that keeps its profile, a phone, and whoever has joined from
elsewhere are never in that list.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from pushlab.journal import Event, Journal

NAME = "throw-away-subscriptions.txt"


class KeepsProfile(Protocol):
    """The browser of a subscription: whether its profile outlives it."""

    keeps_profile: bool


EndpointsOf = Callable[[str], AsyncIterator[tuple[str, KeepsProfile]]]


class ThrowAwaySubscriptions:
    """The list in a data folder, an endpoint a line, for this user alone: endpoints are secrets.

    ``remove(endpoint)`` deletes a subscription from the application server's database.
    """

    def __init__(self, folder: Path, remove: Callable[[str], object]) -> None:
        self._path, self._remove = folder / NAME, remove
        self._browsers: dict[str, KeepsProfile] = {}
        self._remembering: set[asyncio.Task[None]] = set()
        self._lock = threading.Lock()

    def follow(self, journal: Journal, endpoints_of: EndpointsOf) -> Callable[[], None]:
        """Write down the endpoint of each browser that subscribes; return a function that ends this.

        ``endpoints_of(name)`` gives, on the lab's loop, the endpoints that may be of this name.
        """

        async def remember(name: str) -> None:
            async for endpoint, browser in endpoints_of(name):
                await asyncio.to_thread(self.remember, endpoint, browser)

        def note(event: Event) -> None:
            if event.what == "POST /add-subscription":  # Recorded on the loop, as every request is.
                task = asyncio.get_running_loop().create_task(remember(event.who))
                self._remembering.add(task)
                task.add_done_callback(self._remembering.discard)

        return journal.subscribe(note)

    def remember(self, endpoint: str, browser: KeepsProfile) -> None:
        """Write down the endpoint of a browser's subscription. Raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        with self._lock:  # forget() would take a line without its browser for one of a killed lab.
            if endpoint in self._browsers:
                return
            with os.fdopen(os.open(self._path, flags, 0o600), "a", encoding="utf-8") as file:
                file.write(f"{endpoint}\n")
            self._browsers[endpoint] = browser

    def forget(self) -> None:
        """Remove the subscriptions of the list, and then the list. Raises StoreError.

        A browser that has been told to keep its profile meanwhile keeps its subscription.
        """
        with self._lock:
            self._remove_listed()
            self._browsers.clear()

    def _remove_listed(self) -> None:
        with suppress(OSError):  # There is no list, or it cannot be read: then nothing is removed.
            for endpoint in self._path.read_text("utf-8", errors="replace").splitlines():
                browser = self._browsers.get(endpoint)
                if browser is None or not browser.keeps_profile:
                    self._remove(endpoint)
            self._path.unlink()

    def forget_of(self, browser: KeepsProfile) -> None:
        """Remove the subscriptions of one browser, which is gone. Raises StoreError."""
        for endpoint, its in list(self._browsers.items()):
            if its is browser and not browser.keeps_profile:
                self._remove(endpoint)
