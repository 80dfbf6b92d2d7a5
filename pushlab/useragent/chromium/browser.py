"""A real Chromium (or Chrome, or Edge) that uses the lab's push service.

``profile`` writes its profile and its switches. What all real browsers have in common is in
``useragent.browser``, and what is done with the page in ``useragent.page``.

Chromium is driven over the Chrome DevTools Protocol (https://chromedevtools.github.io/):

    → {"id": 1, "method": "Target.attachToTarget", "params": {"targetId": …, "flatten": true}}
    ← {"id": 1, "result": {"sessionId": "5F3A…"}}
    → {"id": 2, "method": "Page.navigate", "params": {"url": …}, "sessionId": "5F3A…"}
    ← {"id": 2, "error": {"code": -32602, "message": "Invalid parameters"}, "sessionId": "5F3A…"}
    ← {"method": "Runtime.consoleAPICalled", "params": {…}, "sessionId": "5F3A…"}

A command with a ``sessionId`` beside its parameters is for one tab; a command without is for the
browser as a whole.

The commands go over two pipes, which nobody else can open. On Windows, which has no such pipes, Chromium
takes them at a port of 127.0.0.1 without a password.

Weakens, on Windows: it refuses commands from a web page, and takes them from any program of the machine.
"""

import asyncio
import base64
import json
import sys
from collections import deque
from pathlib import Path
from typing import Any

from pushlab.errors import BrowserFailed, TimedOut
from pushlab.protocol.origin import origin_of
from pushlab.settings import patience
from pushlab.useragent.base import Notification
from pushlab.useragent.browser import QUIT, Browser, find_program
from pushlab.useragent.chromium import offline
from pushlab.useragent.chromium import profile as chromium_profile
from pushlab.useragent.chromium.profile import ChromiumListeners
from pushlab.useragent.pipe import BrowserPipes
from pushlab.useragent.process import WINDOWS
from pushlab.useragent.remote import Remote

AFTER_DISPLAY = 0.3
"""Seconds after a notification was made until the page may ask for it (see ``notifications``)."""

DISPLAYED_KEPT = 1000
"""Notifications that are remembered until somebody asks for them. A page may show them without end."""

FIRST_ANSWER = 0.5
"""Seconds that the first answer is waited for, until it is looked whether Chromium still runs."""

STARTUP = 10
"""Seconds that are waited for the end of Chromium's start (times PUSHLAB_PATIENCE)."""

PLACES = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "microsoft-edge-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "~/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"%ProgramFiles%\Google\Chrome\Application\chrome.exe",
    r"%ProgramFiles(x86)%\Google\Chrome\Application\chrome.exe",
    r"%LocalAppData%\Google\Chrome\Application\chrome.exe",
    r"%LocalAppData%\Chromium\Application\chrome.exe",
    r"%ProgramFiles(x86)%\Microsoft\Edge\Application\msedge.exe",
]

INSTALL = {
    "darwin": "brew install --cask google-chrome",
    "win32": "winget install Google.Chrome",
}

LOADED = """() => new Promise((resolve) => {
  if (document.readyState === "complete") resolve();
  else addEventListener("load", () => resolve(), { once: true });
})"""

MIDDLE = """(id) => {
  const { x, y, width, height } = document.getElementById(id).getBoundingClientRect();
  return { x: x + width / 2, y: y + height / 2 };
}"""


def find() -> Path:
    """Return the Chromium, Chrome or Edge of this machine; PUSHLAB_CHROMIUM names another one.

    Raises BrowserNotFound, which says how to install one.
    """
    install = INSTALL.get(sys.platform, "sudo apt install chromium")
    return find_program("Chromium", "PUSHLAB_CHROMIUM", PLACES, install)


class Cdp(Remote):
    """One connection to a Chromium. Make it with ``await Cdp.over(pipes)``, or ``connect(url)``."""

    def _words(self, message: dict) -> str:
        error = message["error"]
        return ": ".join(error[part] for part in ("message", "data") if error.get(part))


class Chromium(Browser):
    """A Chromium for the push service that ``listeners`` describes.

    ``profile`` is a folder to keep; without one the profile is deleted at the end. ``headless=False``
    shows a window, and needs a screen. With ``grant=False`` a person answers the permission prompt.
    ``page`` is the origin of a page elsewhere, such as ``http://192.168.1.20:8292``, and
    ``certificate`` what to accept from it (``profile.switches`` says what that weakens).
    """

    name = "Chromium"

    def __init__(
        self,
        listeners: ChromiumListeners,
        *,
        profile: Path | None = None,
        headless: bool = True,
        grant: bool = True,
        page: str = "",
        certificate: bytes = b"",
    ):
        super().__init__(profile, headless, grant)
        self._listeners, self._page, self._certificate = listeners, page, certificate
        self._granted: set[str] = set()
        self._opened: Cdp | None = None

    # --- from the start to the end -----------------------------------------------------------------

    async def close(self) -> None:
        """End Chromium and everything it has started. A second call does nothing."""
        opened, self._opened = self._opened, None
        try:
            await super().close()
        finally:
            # A Chromium that never got ready has a connection all the same, and no session.
            if opened is not None:
                await opened.close()
        if self._profile is not None and self._granted:
            chromium_profile.grant(self._profile, self._granted)

    def _find(self) -> Path:
        return find()

    def _prepare(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        _address_file(folder).unlink(missing_ok=True)  # a Chromium that was killed leaves it behind

    def _arguments(self, folder: Path) -> list[str]:
        return chromium_profile.switches(
            self._listeners, folder, self._headless, self._page, self._certificate
        )

    def _program(self, program: Path) -> list[str]:
        if offline.is_offline():
            return [sys.executable, "-I", "-S", offline.__file__, str(program)]
        return [str(program)]

    def _pipes(self) -> BrowserPipes | None:
        return None if WINDOWS else BrowserPipes()

    async def _reach(self, folder: Path, pipes: BrowserPipes | None) -> Remote | None:
        if pipes is None:
            return await self._reach_port(folder)
        if self._opened is None:
            self._opened = await Cdp.over(pipes)
        try:
            await self._opened.command("Browser.getVersion", timeout=FIRST_ANSWER)
        except (BrowserFailed, TimedOut):
            return None  # It has ended, or is still starting.
        return self._opened

    async def _reach_port(self, folder: Path) -> Remote | None:
        try:
            port, path = _address_file(folder).read_text(encoding="utf-8").split("\n")
        except (FileNotFoundError, ValueError):
            return None  # not there, or only half written
        return await Cdp.connect(f"ws://127.0.0.1:{port}{path}")

    async def _connect(self, session: Remote) -> None:
        # A tab of our own: Chromium may load a page of its own into the first tab, over ours.
        tab = await session.command("Target.createTarget", {"url": "about:blank"})
        attached = await session.command("Target.attachToTarget", tab | {"flatten": True})
        self._tab = attached["sessionId"]
        session.listen("Runtime.consoleAPICalled", self._note_call)
        session.listen("Runtime.exceptionThrown", self._note_exception)
        for domain in ("Runtime", "Page"):
            await self._command(f"{domain}.enable", {})
        await self._record_notifications()
        await self._startup_complete()

    async def _startup_complete(self) -> None:
        """Wait until Chromium considers its start complete: only then does it contact a push service.

        Chromium defers what is not urgent until the first visible page has been idle for a while, or
        for more than a minute if the page is busy. The empty tab is idle at once. Chromium records one
        of its histograms at that moment, so the histogram shows that the start is complete.
        """
        query = {"query": "Startup.AfterStartupTask"}
        deadline = asyncio.get_running_loop().time() + patience(STARTUP)
        while not (await self._running().command("Browser.getHistograms", query))["histograms"]:
            if asyncio.get_running_loop().time() > deadline:
                return  # This Chromium has no such histogram: subscribing may take longer.
            await asyncio.sleep(0.05)

    # --- notifications -----------------------------------------------------------------------------

    async def _record_notifications(self) -> None:
        """Have Chromium report from now on when it displays a notification, and when one disappears."""
        self._shown: list[Notification] = []
        self._displayed: deque[Notification] = deque(maxlen=DISPLAYED_KEPT)
        self._news: float | None = None
        self._asking = asyncio.Lock()
        self._running().listen("BackgroundService.backgroundServiceEventReceived", self._note_event)
        service = {"service": "notifications"}
        await self._command("BackgroundService.clearEvents", service)
        await self._command("BackgroundService.startObserving", service)
        await self._command("BackgroundService.setRecording", {"shouldRecord": True} | service)

    def _note_event(self, params: dict) -> None:
        event = params["backgroundServiceEvent"]
        if event["service"] != "notifications":
            return
        if event["eventName"] == "Notification displayed":
            shown = {entry["key"]: entry["value"] for entry in event["eventMetadata"]}
            self._displayed.append(Notification(shown.get("Title", ""), shown.get("Body", "")))
            self._news = asyncio.get_running_loop().time()
        elif event["eventName"] == "Notification closed":  # It does not say which one.
            self._news = asyncio.get_running_loop().time()

    async def notifications(self) -> list[Notification]:
        """Return the notifications that Chromium says it shows.

        If a page asks after a notification was made and before the system shows it, Chromium forgets
        the notification. The lab's page and worker take turns; another page's worker may not. So the
        page is asked only when Chromium's own record has changed, and AFTER_DISPLAY seconds later. A
        notification that is in the record and that the page does not know counts as shown.
        """
        async with self._asking:
            while (news := self._news) is not None:
                if (wait := news + AFTER_DISPLAY - asyncio.get_running_loop().time()) > 0:
                    await asyncio.sleep(wait)
                    continue
                self._news, displayed = None, list(self._displayed)
                self._displayed.clear()
                try:
                    known = await super().notifications()
                except BaseException:
                    # This call tells nobody. The next one does, and what has come since is after these.
                    self._news = self._news or news
                    self._displayed = deque([*displayed, *self._displayed], DISPLAYED_KEPT)
                    raise
                unknown = [d for d in displayed if not any(k.matches(d.body, d.title) for k in known)]
                self._shown = known + unknown
        return self._shown

    async def _tabs(self) -> list[str]:
        targets = (await self._running().command("Target.getTargets"))["targetInfos"]
        return [target["targetId"] for target in targets if target["type"] == "page"]

    async def _windows(self) -> int:
        return len(await self._tabs())

    async def _ask_to_quit(self, session: Remote) -> None:
        await session.command("Browser.close", timeout=patience(QUIT))

    # --- the page ----------------------------------------------------------------------------------

    async def open(self, page_url: str) -> None:
        """Open the client page and wait until it shows its state."""
        await super().open(page_url)
        # Ask the page: notifications may be shown that are older than the record.
        self._news = asyncio.get_running_loop().time()

    async def _open(self, page_url: str) -> None:
        if self._grant:
            await self._allow_notifications(page_url)
        answer = await self._command("Page.navigate", {"url": page_url})
        if error := answer.get("errorText"):
            raise BrowserFailed(f"{self.name} cannot open the page: {error}")
        await self.evaluate(LOADED)

    async def _allow_notifications(self, page_url: str) -> None:
        origin = origin_of(page_url)
        permission = {"permission": {"name": "notifications"}, "setting": "granted", "origin": origin}
        await self._running().command("Browser.setPermission", permission)
        self._granted.add(origin)

    async def run_in_every_page(self, script: str) -> None:
        """Run a script in each page that is opened from now on, before the page's own scripts."""
        await self._command("Page.addScriptToEvaluateOnNewDocument", {"source": script})

    async def _capture(self) -> bytes:
        size = (await self._command("Page.getLayoutMetrics", {}))["cssContentSize"]
        shot = {"captureBeyondViewport": True, "clip": size | {"scale": 1}}
        return base64.b64decode((await self._command("Page.captureScreenshot", shot))["data"])

    async def evaluate(self, function: str, *arguments: object) -> Any:
        """Call a JavaScript ``function`` in the page, with JSON values (see ``ClientPage``)."""
        call = {
            "expression": f"(async () => ({function})(...{json.dumps(arguments)}))()",
            "awaitPromise": True,
            "returnByValue": True,
        }
        answer = await self._command("Runtime.evaluate", call)
        if thrown := answer.get("exceptionDetails"):
            raise BrowserFailed(f"In the page: {_words(thrown)}")
        return answer["result"].get("value")  # undefined has none

    async def click(self, element_id: str) -> None:
        """Click with the mouse on the middle of an element that is in view (see ``ClientPage``)."""
        middle = await self.evaluate(MIDDLE, element_id)
        left: dict[str, object] = {"button": "left", "clickCount": 1}
        no_button: dict[str, object] = {}
        for kind, button in (("mouseMoved", no_button), ("mousePressed", left), ("mouseReleased", left)):
            await self._command("Input.dispatchMouseEvent", {"type": kind} | middle | button)

    async def _command(self, method: str, params: dict) -> dict:
        return await self._running().command(method, params, sessionId=self._tab)

    def _note_call(self, call: dict) -> None:
        if call["type"] == "error":
            words = [str(part.get("value", part.get("description", ""))) for part in call["args"]]
            self.console.append(" ".join(words))

    def _note_exception(self, event: dict) -> None:
        self.console.append(_words(event["exceptionDetails"]))


def _words(thrown: dict) -> str:
    """Return an exception's message, without its stack."""
    exception = thrown.get("exception", {})
    text = exception.get("description") or exception.get("value") or thrown["text"]
    return str(text).partition("\n")[0]


def _address_file(folder: Path) -> Path:
    """Return the file into which Chromium writes the port and path of its WebSocket."""
    return folder / "DevToolsActivePort"
