"""A real browser, whichever it is: found, started, waited for, ended.

It has a profile of its own and a group of processes of its own (``process``), writes down where it
can be driven once it is ready, and is driven over one WebSocket (``remote``). What is done with the
page is in ``page``. What is Firefox's or Chromium's own is in ``firefox`` and ``chromium``.
"""

import asyncio
import atexit
import os
import shutil
import sys
import tempfile
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from pushlab.errors import BrowserFailed, BrowserNotFound, TimedOut
from pushlab.settings import patience
from pushlab.useragent.page import ClientPage
from pushlab.useragent.process import BrowserProcess, off_the_loop
from pushlab.useragent.remote import Remote

# Seconds, times PUSHLAB_PATIENCE, before a browser counts as hanging.
START_TIMEOUT = 120  # a slow machine needs ten for a new profile
QUIT = 15  # to answer that it will end
SAVE = 30  # to write its profile to the disk, and end


def find_program(name: str, variable: str, places: Iterable[str], install: str) -> Path:
    """Return the first program at these places; the environment's ``variable`` names another one.

    Raise BrowserNotFound, which tells how to ``install`` it.
    """
    chosen = os.environ.get(variable)
    for place in [chosen] if chosen else places:
        if program := shutil.which(os.path.expanduser(os.path.expandvars(place))):
            return Path(program)
    if chosen:
        raise BrowserNotFound(f"{variable} names {chosen}, and no such program is there")
    raise BrowserNotFound(
        f"No {name} was found. Install it ({install}) or set {variable} to the program"
    )


class Browser(ClientPage):
    """The browser's own part of a user agent: from the start to the end.

    ``profile`` is a folder to keep; without one the profile is thrown away at the end.
    ``headless=False`` shows a window, and needs a screen. ``grant=False`` leaves the permission
    prompt to the person in front of it.
    """

    name: str
    environment: Mapping[str, str] = {}
    """What the process finds in its environment, beside this program's own."""

    def __init__(self, profile: Path | None, headless: bool, grant: bool):
        super().__init__()
        self._profile, self._headless, self._grant = profile, headless, grant
        self._resources = ExitStack()  # the process and the folder, as long as they are there
        self._process: BrowserProcess | None = None
        self._session: Remote | None = None
        self._tab = ""

    # --- what each browser has in its own way ------------------------------------------------------

    @abstractmethod
    def _find(self) -> Path:
        """Return the program. Raise BrowserNotFound."""

    @abstractmethod
    def _prepare(self, folder: Path) -> None:
        """Make the profile ready, and remove the address of a browser that was killed."""

    @abstractmethod
    def _arguments(self, folder: Path) -> list[str]:
        """Return what the program is started with, for the profile in ``folder``."""

    def _program(self, program: Path) -> list[str]:
        """Return what starts the program: itself, unless it needs another one to do it."""
        return [str(program)]

    @abstractmethod
    def _address(self, folder: Path) -> str | None:
        """Return where it can be driven, or None as long as it has not written that down."""

    @abstractmethod
    async def _connect(self, url: str) -> None:
        """Connect to the browser at ``url``, as ``_session``, and take its first tab, ``_tab``."""

    @abstractmethod
    async def _windows(self) -> int:
        """Return how many tabs are open."""

    @abstractmethod
    async def _ask_to_quit(self, session: Remote) -> None:
        """Tell the browser to end."""

    # --- from the start to the end -----------------------------------------------------------------

    async def start(self) -> None:
        """Start the browser and connect to it. Raise BrowserNotFound, BrowserFailed or TimedOut."""
        if self._process is not None:
            raise BrowserFailed(f"This {self.name} has been started already")
        program = self._find()
        if not self._headless:
            _require_screen()
        atexit.register(self._resources.close)
        try:
            await self._connect(await self._launch(program))
        except OSError as error:
            await self.close()
            raise BrowserFailed(f"{program} cannot be started: {error}") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the browser and everything it has started. A second call does nothing.

        A browser that hangs, or has gone away, is ended by force: closing raises nothing for it.
        """
        session, self._session = self._session, None
        process, self._process = self._process, None
        try:
            if session is not None and process is not None:
                await self._quit(session, process)
        finally:
            # Each step is done even if the one before it fails, or the closing is cancelled.
            try:
                if process is not None:
                    process.kill()
                    await process.ended(patience(SAVE))
            finally:
                # The profile may be large, and the servers answer meanwhile.
                await off_the_loop(self._resources.close)
                atexit.unregister(self._resources.close)
        if session is not None:
            await session.close()

    async def _quit(self, session: Remote, process: BrowserProcess) -> None:
        try:
            await self._ask_to_quit(session)
        except TimedOut:
            return  # It hangs.
        except BrowserFailed:
            pass  # A person has closed it, and it is writing its profile right now.
        await process.ended(patience(SAVE))

    async def closed(self) -> None:
        """Wait until a person has closed the browser's last window."""
        try:
            # On macOS a program goes on without a window, so the end of the process is no sign.
            while await self._windows():
                await asyncio.sleep(0.5)
        except BrowserFailed:
            return

    async def _launch(self, program: Path) -> str:
        """Start the process; return the URL at which it is driven."""
        if self._profile is None:
            folder = Path(tempfile.mkdtemp(prefix=f"pushlab-{self.name.lower()}-"))
            self._resources.callback(shutil.rmtree, folder, ignore_errors=True)
        else:
            folder = self._profile.resolve()
        self._prepare(folder)
        arguments = [*self._program(program), *self._arguments(folder)]
        self._process = BrowserProcess(arguments, self.environment)
        self._resources.callback(self._process.close)
        seconds = patience(START_TIMEOUT)
        deadline = asyncio.get_running_loop().time() + seconds
        while (url := self._address(folder)) is None:
            if self._process.exit_status is not None:
                raise BrowserFailed(
                    f"{program} ended with status {self._process.exit_status} before it was ready. "
                    f"It said: {self._process.last_words()}"
                )
            if asyncio.get_running_loop().time() > deadline:
                raise BrowserFailed(
                    f"{program} was not ready after {seconds:g} s. Does another {self.name} use "
                    f"the profile? It said: {self._process.last_words()}"
                )
            await asyncio.sleep(0.02)
        return url

    def _running(self) -> Remote:
        """Return the connection. Raise BrowserFailed when there is none."""
        if self._session is None:
            raise BrowserFailed(f"This {self.name} is not running")
        return self._session


def _require_screen() -> None:
    """Raise BrowserFailed where a window could not be seen."""
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        raise BrowserFailed(
            "This machine has no screen: neither DISPLAY nor WAYLAND_DISPLAY is set. "
            "Use headless=True, and look with screenshot()"
        )
