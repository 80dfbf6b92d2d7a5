"""The browsers that a lab has open: each is started once, and all are closed side by side.

Cells, the panel and ``lab.stop()`` may run in several threads. Everything here runs on the lab's one
event loop, so a start and a stop take turns there: a browser whose start ends after the stop has
begun is closed like the others.

Nothing that a browser does keeps the lab from stopping. One that hangs has CLOSE_SECONDS to end, and
the error of one does not keep the others from being closed.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any

from pushlab.errors import BrowserFailed, LabStopped, TimedOut
from pushlab.lab.browser import LabBrowser
from pushlab.settings import patience
from pushlab.useragent.base import UserAgent

CLOSE_SECONDS = 120
"""How long the browsers may take to close when the lab stops (times PUSHLAB_PATIENCE)."""

Key = tuple[str, str]  # the kind and the name with which a cell asks for a browser


class OpenBrowsers:
    """The browsers of one lab, the newest last.

    ``run`` runs a coroutine on the lab's loop and returns its result. ``gone(browser)`` is called, in
    a thread, when a person has closed a browser's window.
    """

    def __init__(self, run: Callable[..., Any], gone: Callable[[LabBrowser], object]):
        self._run, self._gone = run, gone
        self._open: dict[Key, LabBrowser] = {}
        self._locks: defaultdict[Key, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._opening: set[asyncio.Task[Any]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._stopping = False

    def all(self) -> list[LabBrowser]:
        """Return the open browsers, the newest last. Any thread may ask."""
        return list(self._open.values())

    async def open(
        self,
        kind: str,
        name: str,
        page_url: str,
        *,
        installed: Sequence[str],
        make: Callable[[str, str], UserAgent],
        keeps_profile: bool,
    ) -> LabBrowser:
        """Load the page in the browser of this kind and name, which is started if it is not open.

        The kind ``"another"`` stands for the first of ``installed`` that is not open.
        ``make(kind, name)`` makes the user agent that is then started.

        Raises BrowserNotFound or BrowserFailed, and LabStopped once the lab is stopping.
        """
        if self._stopping:
            raise LabStopped
        key = self._another(installed) if kind == "another" else (kind, name)
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        self._opening.add(task)
        try:
            # Two cells, or a cell and the panel, may ask for the same browser at one time.
            async with self._locks[key]:
                if browser := self._open.pop(key, None):
                    self._open[key] = browser  # It is the newest now.
                    try:
                        await browser.agent.open(page_url)
                        return browser
                    except BrowserFailed:  # A person has closed its window.
                        await self.close(browser, unsubscribe=False)
                        await asyncio.to_thread(self._gone, browser)
                agent = make(*key)
                await self._start(agent)
                browser = LabBrowser(
                    agent, *key, keeps_profile=keeps_profile, run=self._run, close=self.close
                )
                self._open[key] = browser
                await agent.open(page_url)
                return browser
        finally:
            self._opening.discard(task)

    async def endpoints(self, name: str) -> AsyncIterator[tuple[str, LabBrowser]]:
        """Yield the endpoint of each browser that is thrown away and may be the one of this name.

        A participant can be called anything, so without a browser of that name any real one may be.
        """
        thrown_away = [browser for browser in self.all() if not browser.keeps_profile]
        named = [browser for browser in thrown_away if browser.name == name]
        for browser in named or [one for one in thrown_away if one.kind != "virtual"]:
            with suppress(BrowserFailed, TimedOut):  # It is being closed.
                if endpoint := await browser.agent.endpoint():
                    yield endpoint, browser

    async def _start(self, agent: UserAgent) -> None:
        try:
            await agent.start()
            if self._stopping:
                raise LabStopped
        except BaseException:
            await agent.close()
            raise

    def _another(self, installed: Sequence[str]) -> Key:
        """Return a kind and a name that are neither open nor being opened."""
        taken = set(self._open) | {key for key, lock in self._locks.items() if lock.locked()}
        for kind in installed:
            if kind not in {taken_kind for taken_kind, _ in taken}:
                return kind, ""
        # Any number of virtual ones can be open, if each has a name of its own.
        names = (f"Virtual {number}" for number in itertools.count(len(taken) + 1))
        return "virtual", next(name for name in names if ("virtual", name) not in taken)

    async def close(self, browser: LabBrowser, unsubscribe: bool = True) -> None:
        """Close one browser, and take it off the list at once. See ``LabBrowser.close``."""
        await self._begin_to_close(browser, unsubscribe)

    def _begin_to_close(self, browser: LabBrowser, unsubscribe: bool = True) -> asyncio.Task[None]:
        key = browser.kind, browser.label
        if self._open.get(key) is browser:  # By now another one may have its place.
            del self._open[key]
        task = asyncio.create_task(browser.end(unsubscribe), name=browser.name)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task

    async def close_all(self) -> None:
        """Cancel what is being opened, close every browser, and open none any more.

        When all the others have been closed, raises what closing one has raised, or TimedOut for one
        that hangs; an ExceptionGroup if there are several.
        """
        self._stopping = True
        opening = set(self._opening)
        for task in opening:
            task.cancel()  # A browser that is starting is closed by _start.
        for browser in self.all():
            self._begin_to_close(browser)
        closing = set(self._closing)
        if not opening | closing:
            return
        seconds = patience(CLOSE_SECONDS)
        done, hanging = await asyncio.wait(opening | closing, timeout=seconds)
        errors: list[BaseException] = []
        for task in hanging:
            task.cancel()
            name = task.get_name() if task in closing else "A browser that was starting"
            errors.append(TimedOut(f"{name} has not closed within {seconds:g} s"))
        # The thread that called open() gets the error of an opening.
        for task in done & closing:
            if not task.cancelled() and (error := task.exception()):
                errors.append(error)
        if len(errors) > 1:
            raise BaseExceptionGroup("several browsers could not be closed", errors)
        if errors:
            raise errors[0]
