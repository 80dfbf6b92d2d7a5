"""A real Firefox that uses the lab's push service, and is driven as a person would drive it.

It is started with a profile of its own (``firefox_profile``), in a group of processes of its own
(``process``), and driven over WebDriver BiDi (``bidi``). What is done with the page is in ``page``.

Weakens: a driven browser takes orders at a port of 127.0.0.1 without asking for a password. It has
room for one session, which is ours; its address bar is striped to say that it is driven.
"""

import asyncio
import atexit
import base64
import json
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from pushlab.errors import BrowserFailed, BrowserNotFound, TimedOut
from pushlab.useragent import firefox_profile
from pushlab.useragent.bidi import Bidi
from pushlab.useragent.page import ClientPage
from pushlab.useragent.process import BrowserProcess

START_TIMEOUT = 60  # seconds; a slow machine needs ten for a new profile

ENVIRONMENT = {
    "MOZ_CRASHREPORTER_DISABLE": "1",  # no window that asks to send a crash report
    "MOZ_REMOTE_SETTINGS_DEVTOOLS": "1",  # or the preference of that name is not obeyed
}

PLACES = [
    # Ubuntu's snap: the program within, because the snap itself does not see a profile in /tmp.
    "/snap/firefox/current/usr/lib/firefox/firefox",
    "firefox",
    "firefox-esr",
    "/Applications/Firefox.app/Contents/MacOS/firefox",
    "~/Applications/Firefox.app/Contents/MacOS/firefox",
    r"%ProgramFiles%\Mozilla Firefox\firefox.exe",
    r"%ProgramFiles(x86)%\Mozilla Firefox\firefox.exe",
    r"%LocalAppData%\Mozilla Firefox\firefox.exe",
]

INSTALL = {
    "darwin": "brew install --cask firefox",
    "win32": "winget install Mozilla.Firefox",
}


def find() -> Path:
    """Return the Firefox of this machine; PUSHLAB_FIREFOX names another one.

    Raise BrowserNotFound, which tells how to install it.
    """
    chosen = os.environ.get("PUSHLAB_FIREFOX")
    for place in [chosen] if chosen else PLACES:
        if program := shutil.which(os.path.expanduser(os.path.expandvars(place))):
            return Path(program)
    if chosen:
        raise BrowserNotFound(f"PUSHLAB_FIREFOX names {chosen}, and no such program is there")
    install = INSTALL.get(sys.platform, "sudo apt install firefox-esr (or firefox)")
    raise BrowserNotFound(
        f"No Firefox was found. Install it ({install}) or set PUSHLAB_FIREFOX to the program"
    )


class Firefox(ClientPage):
    """A Firefox for the push service at ``push_url``, such as ``ws://127.0.0.1:8030/``.

    ``profile`` is a folder to keep; without one the profile is thrown away at the end.
    ``headless=False`` shows a window, and needs a screen. ``grant=False`` leaves the permission
    prompt to the person in front of it.
    """

    name = "Firefox"

    def __init__(
        self,
        push_url: str,
        *,
        profile: Path | None = None,
        headless: bool = True,
        grant: bool = True,
    ):
        super().__init__()
        self._push_url, self._profile = push_url, profile
        self._headless, self._grant = headless, grant
        self._resources = ExitStack()  # the process and the folder, as long as they are there
        self._process: BrowserProcess | None = None
        self._session: Bidi | None = None
        self._tab = ""

    # --- from the start to the end -----------------------------------------------------------------

    async def start(self) -> None:
        """Start Firefox and connect to it. Raise BrowserNotFound, BrowserFailed or TimedOut."""
        if self._process is not None:
            raise BrowserFailed("This Firefox has been started already")
        program = find()
        if not self._headless:
            _require_screen()
        atexit.register(self._resources.close)
        try:
            self._session = await Bidi.connect(await self._launch(program))
            await self._session.command("session.new", {"capabilities": {}})
            self._session.listen("log.entryAdded", self._note)
            await self._session.command("session.subscribe", {"events": ["log.entryAdded"]})
            tree = await self._session.command("browsingContext.getTree", {"maxDepth": 0})
            self._tab = tree["contexts"][0]["context"]
        except OSError as error:
            await self.close()
            raise BrowserFailed(f"{program} cannot be started: {error}") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End Firefox and everything it has started. A second call does nothing."""
        session, self._session = self._session, None
        try:
            if session is not None:
                await self._quit(session)
        finally:
            self._resources.close()
            atexit.unregister(self._resources.close)
            self._process = None
        if session is not None:
            await session.close()

    async def _quit(self, session: Bidi) -> None:
        try:
            await session.command("browser.close", timeout=5)
        except (BrowserFailed, TimedOut):
            pass  # A person has closed it, or it hangs: then its processes are ended by force.
        await self._process.ended(10)  # it writes its profile to the disk

    async def closed(self) -> None:
        """Wait until a person has closed the browser's last window."""
        try:
            # On macOS a program goes on without a window, so the end of the process is no sign.
            while (await self._command("browsingContext.getTree", {"maxDepth": 0}))["contexts"]:
                await asyncio.sleep(0.5)
        except BrowserFailed:
            return

    async def _launch(self, program: Path) -> str:
        """Start the process; return the URL at which it is driven."""
        if self._profile is None:
            folder = Path(tempfile.mkdtemp(prefix="pushlab-firefox-"))
            self._resources.callback(shutil.rmtree, folder, ignore_errors=True)
        else:
            folder = self._profile.resolve()
        firefox_profile.write(folder, self._push_url)
        where = folder / "WebDriverBiDiServer.json"
        where.unlink(missing_ok=True)  # a Firefox that was killed leaves it behind
        arguments = [str(program), "--no-remote", "--profile", str(folder)]
        arguments += ["--remote-debugging-port", "0", "about:blank"]
        if self._headless:
            arguments.insert(1, "--headless")
        if sys.platform == "win32":
            arguments.insert(1, "--wait-for-browser")  # or the process started here ends at once
        self._process = BrowserProcess(arguments, ENVIRONMENT)
        self._resources.callback(self._process.kill)
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT
        while (url := _session_url(where)) is None:
            if self._process.exit_status is not None:
                raise BrowserFailed(
                    f"{program} ended with status {self._process.exit_status} before it was ready. "
                    f"It said: {self._process.last_words()}"
                )
            if asyncio.get_running_loop().time() > deadline:
                raise BrowserFailed(
                    f"{program} was not ready after {START_TIMEOUT} s. Does another Firefox use "
                    f"the profile? It said: {self._process.last_words()}"
                )
            await asyncio.sleep(0.02)
        return url

    # --- the page ----------------------------------------------------------------------------------

    async def open(self, page_url: str) -> None:
        """Open the client page and wait until it shows its state."""
        if self._grant:
            parts = urlsplit(page_url)
            permission = {
                "descriptor": {"name": "notifications"},
                "state": "granted",
                "origin": f"{parts.scheme}://{parts.netloc}",
            }
            await self._command("permissions.setPermission", permission)
        where = {"context": self._tab, "url": page_url, "wait": "complete"}
        await self._command("browsingContext.navigate", where)
        await self.settled()

    async def screenshot(self) -> bytes:
        """Return a PNG of the whole page, also of what is below the edge of the window."""
        shot = {"context": self._tab, "origin": "document"}
        return base64.b64decode((await self._command("browsingContext.captureScreenshot", shot))["data"])

    async def evaluate(self, function: str, *arguments: object) -> object:
        """Call a JavaScript ``function`` in the page, with JSON values (see ``ClientPage``)."""
        wrapped = f"async (text) => JSON.stringify(await ({function})(...JSON.parse(text)))"
        call = {
            "functionDeclaration": wrapped,
            "awaitPromise": True,
            "target": {"context": self._tab},
            "arguments": [{"type": "string", "value": json.dumps(arguments)}],
        }
        answer = await self._command("script.callFunction", call)
        if answer["type"] == "exception":
            raise BrowserFailed(f"In the page: {answer['exceptionDetails']['text']}")
        text = answer["result"].get("value")  # undefined has none
        return None if text is None else json.loads(text)

    async def click(self, element_id: str) -> None:
        """Click with the mouse on the middle of an element that is in view."""
        locator = {"type": "css", "value": f"#{element_id}"}
        found = await self._command(
            "browsingContext.locateNodes", {"context": self._tab, "locator": locator}
        )
        element = {"type": "element", "element": {"sharedId": found["nodes"][0]["sharedId"]}}
        click = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": element},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "actions": click}
        await self._command("input.performActions", {"context": self._tab, "actions": [mouse]})

    async def _command(self, method: str, params: dict) -> dict:
        if self._session is None:
            raise BrowserFailed("This Firefox is not running")
        return await self._session.command(method, params)

    def _note(self, entry: dict) -> None:
        if entry["level"] == "error":
            self.console.append(entry["text"])


def _session_url(where: Path) -> str | None:
    """Return the URL that Firefox has written down, or None as long as it has not."""
    try:
        server = json.loads(where.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None  # not there, or not yet written to its end
    return f"ws://{server['ws_host']}:{server['ws_port']}/session"


def _require_screen() -> None:
    """Raise BrowserFailed where a window could not be seen."""
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        raise BrowserFailed(
            "This machine has no screen: neither DISPLAY nor WAYLAND_DISPLAY is set. "
            "Use headless=True, and look with screenshot()"
        )
