"""What all real browsers have in common: how one is found, started, waited for and ended.

A browser has a profile and a group of processes of its own (``process``). Once it is ready, a program
drives it over one WebSocket at an address that it has written into a file, or over two pipes
(``remote``). What is done with the page is in ``page``; what only one browser has is in ``firefox`` and
``chromium``.
"""

import asyncio
import atexit
import errno
import os
import shutil
import sys
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from pushlab.errors import BrowserFailed, BrowserNotFound, TimedOut, UnusableFolder
from pushlab.reader import Advice
from pushlab.settings import patience
from pushlab.throwaway import ThrowAwayFolder
from pushlab.useragent.page import ClientPage
from pushlab.useragent.pipe import BrowserPipes
from pushlab.useragent.process import BrowserProcess, off_the_loop
from pushlab.useragent.remote import Remote

# Seconds, times PUSHLAB_PATIENCE, before a browser counts as hanging.
START_TIMEOUT = 120  # a slow machine needs ten for a new profile
QUIT = 15  # to answer that it will end
SAVE = 30  # to write its profile to the disk, and end


def find_program(name: str, variable: str, places: Iterable[str], install: str) -> Path:
    """Return the first program at these places; the environment's ``variable`` names another one.

    Raises BrowserNotFound, which says how to ``install`` one.
    """
    chosen = os.environ.get(variable)
    for place in [chosen] if chosen else places:
        # Path.expanduser() fails for a user without a home, as some containers have it.
        if program := shutil.which(os.path.expanduser(os.path.expandvars(place))):  # noqa: PTH111
            return Path(program)
    if chosen:
        raise BrowserNotFound(
            f"{variable} names {chosen}, and that program does not exist",
            hint=f"Set {variable} to the program, or unset it",
        )
    raise BrowserNotFound(
        f"No {name} was found",
        hint=f"Install it ({install}), set {variable} to the program, or use the virtual user agent",
    )


class Browser(ClientPage):
    """A real browser's processes and connection, from the start to the end.

    ``profile`` is a folder to keep; without one the profile is deleted at the end. ``headless=False``
    shows a window, and needs a screen. With ``grant=False`` a person answers the permission prompt.
    """

    name: str
    environment: Mapping[str, str] = {}
    """Variables that are added to this program's environment for the process."""

    def __init__(self, profile: Path | None, headless: bool, grant: bool):
        super().__init__()
        self._profile, self._headless, self._grant = profile, headless, grant
        self._resources = ExitStack()  # the process and the folder
        self._process: BrowserProcess | None = None
        self._session: Remote | None = None
        self._tab = ""

    # --- what differs between the browsers ---------------------------------------------------------

    @abstractmethod
    def _find(self) -> Path:
        """Return the program. Raises BrowserNotFound."""

    @abstractmethod
    def _prepare(self, folder: Path) -> None:
        """Write the profile, and delete the address file that a killed browser has left."""

    @abstractmethod
    def _arguments(self, folder: Path) -> list[str]:
        """Return the program's arguments for the profile in ``folder``."""

    def _program(self, program: Path) -> list[str]:
        """Return the command that starts the program: itself, unless another program must start it."""
        return [str(program)]

    def _pipes(self) -> BrowserPipes | None:
        """Return the pipes over which the browser is driven, or None if it listens at an address."""
        return None

    @abstractmethod
    async def _reach(self, folder: Path, pipes: BrowserPipes | None) -> Remote | None:
        """Return a connection to the browser, or None as long as it is not ready."""

    @abstractmethod
    async def _connect(self, session: Remote) -> None:
        """Prepare the browser that has been reached; set the tab to use, ``_tab``."""

    @abstractmethod
    async def _windows(self) -> int:
        """Return how many tabs are open."""

    @abstractmethod
    async def _ask_to_quit(self, session: Remote) -> None:
        """Ask the browser to quit."""

    def _keep(self, folder: Path) -> None:
        """Keep what another profile can use, of the profile of a browser that has ended in order."""

    # --- from the start to the end -----------------------------------------------------------------

    async def start(self) -> None:
        """Start the browser and connect to it. Raises BrowserNotFound, BrowserFailed or TimedOut."""
        if self._process is not None:
            raise BrowserFailed(f"This {self.name} has been started already")
        program = self._find()
        if not self._headless:
            _require_screen()
        atexit.register(self._resources.close)
        try:
            self._session = await self._launch(program)
            await self._connect(self._session)
        except OSError as error:
            await self.close()
            raise BrowserFailed(f"{program} cannot be started: {error}") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the browser and all its processes. A second call does nothing.

        A browser that hangs is ended by force. Neither that nor one that has gone away is an error.
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
                # Deleting a large profile takes a while, and the servers must answer meanwhile.
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
            pass  # A person has closed it, and it may still be writing its profile.
        await process.ended(patience(SAVE))

    async def closed(self) -> None:
        """Wait until a person has closed the browser's last window."""
        try:
            # On macOS a program runs on without a window, so its process does not tell.
            while await self._windows():  # noqa: ASYNC110  # half a second is soon enough for a person
                await asyncio.sleep(0.5)
        except BrowserFailed:
            return

    async def _launch(self, program: Path) -> Remote:
        """Start the process, and return the connection over which the browser is driven."""
        if self._profile is None:
            throw_away = ThrowAwayFolder(self.name.lower())
            self._resources.callback(throw_away.delete)
            folder = throw_away.path
        else:
            folder = make_profile(self._profile)
        self._prepare(folder)
        arguments = [*self._program(program), *self._arguments(folder)]
        guarded = folder if self._profile is None else None
        if pipes := self._pipes():
            self._resources.callback(pipes.close)
        self._process = BrowserProcess(arguments, self.environment, guarded, pipes)
        self._resources.callback(self._after, self._process, folder)
        self._resources.callback(self._process.close)
        seconds = patience(START_TIMEOUT)
        deadline = asyncio.get_running_loop().time() + seconds
        while (session := await self._reach(folder, pipes)) is None:
            if self._process.exit_status is not None:
                raise BrowserFailed(
                    f"{program} ended with status {self._process.exit_status} before it was ready. "
                    f"It said: {self._process.last_words()}"
                )
            if asyncio.get_running_loop().time() > deadline:
                raise BrowserFailed(
                    f"{program} was not ready after {seconds:g} s. Check whether another {self.name} "
                    f"uses the profile. It said: {self._process.last_words()}"
                )
            await asyncio.sleep(0.02)
        return session

    def _after(self, process: BrowserProcess, folder: Path) -> None:
        if process.exit_status == 0:
            self._keep(folder)

    def _running(self) -> Remote:
        """Return the connection. Raises BrowserFailed when there is none."""
        if self._session is None:
            raise BrowserFailed(f"This {self.name} is not running")
        return self._session


def make_profile(folder: Path) -> Path:
    """Make the folder of a profile that is kept, and return its absolute path. Raises UnusableFolder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return folder.resolve()
    except OSError as reason:
        raise UnusableFolder(f"the profile {folder} cannot be used: {reason.strerror}") from None


def _require_screen() -> None:
    """Raise BrowserFailed if this machine has no screen."""
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        raise BrowserFailed(
            "This machine has no screen: neither DISPLAY nor WAYLAND_DISPLAY is set",
            hint=Advice(
                "Use headless=True, and look with screenshot()",
                terminal="Add --headless, and the browser runs without a window",
            ),
        )
