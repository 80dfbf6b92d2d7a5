"""A real Firefox that uses the lab's push service, and is operated as a person would operate it.

``profile`` writes its profile. What all real browsers have in common is in ``useragent.browser``, and
what is done with the page in ``useragent.page``.

Firefox is driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/):

    → {"id": 1, "method": "session.new", "params": {"capabilities": {}}}
    ← {"type": "success", "id": 1, "result": {"sessionId": …}}
    ← {"type": "error", "id": 2, "error": "no such node", "message": …}
    ← {"type": "event", "method": "browsingContext.load", "params": {…}}

Weakens: a driven browser takes commands at a port of 127.0.0.1 without a password. It accepts one
session, which is ours; its address bar is striped to show that a program drives it.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

from pushlab.errors import BrowserFailed
from pushlab.protocol.origin import origin_of
from pushlab.settings import patience
from pushlab.useragent.browser import QUIT, Browser, find_program
from pushlab.useragent.firefox import profile as firefox_profile
from pushlab.useragent.firefox import startup_cache
from pushlab.useragent.pipe import BrowserPipes
from pushlab.useragent.remote import Remote

ENVIRONMENT = {
    "MOZ_CRASHREPORTER_DISABLE": "1",  # no window that asks to send a crash report
    "MOZ_REMOTE_SETTINGS_DEVTOOLS": "1",  # or Firefox ignores the preference services.settings.server
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

    Raises BrowserNotFound, which says how to install one.
    """
    install = INSTALL.get(sys.platform, "sudo apt install firefox-esr (or firefox)")
    return find_program("Firefox", "PUSHLAB_FIREFOX", PLACES, install)


class Bidi(Remote):
    """One connection to a Firefox. Make it with ``await Bidi.connect(url)``."""

    def _words(self, message: dict) -> str:
        return f"{message['error']}: {message['message']}"


class Firefox(Browser):
    """A Firefox for the push service at ``push_url``, such as ``ws://127.0.0.1:8030/``.

    ``profile`` is a folder to keep; without one the profile is deleted at the end. ``headless=False``
    shows a window, and needs a screen. With ``grant=False`` a person answers the permission prompt.
    ``page`` is the origin of a page elsewhere, such as ``http://192.168.1.20:8292``, and
    ``certificate`` what to accept from it (``profile.write`` says what that weakens).
    """

    name = "Firefox"
    environment = ENVIRONMENT

    def __init__(
        self,
        push_url: str,
        *,
        profile: Path | None = None,
        headless: bool = True,
        grant: bool = True,
        page: str = "",
        certificate: bytes = b"",
    ):
        super().__init__(profile, headless, grant)
        self._restored = False
        self._push_url, self._page, self._certificate = push_url, page, certificate

    # --- from the start to the end -----------------------------------------------------------------

    def _find(self) -> Path:
        return find()

    def _prepare(self, folder: Path) -> None:
        firefox_profile.write(folder, self._push_url, self._page, self._certificate)
        _address_file(folder).unlink(missing_ok=True)  # a Firefox that was killed leaves it behind
        self._restored = startup_cache.restore(folder)

    def _keep(self, folder: Path) -> None:
        startup_cache.keep(folder)

    def _arguments(self, folder: Path) -> list[str]:
        arguments = ["--no-remote", "--profile", str(folder)]
        arguments += ["--remote-debugging-port", "0", "about:blank"]
        if self._restored:  # The profile is new: an older Firefox loses nothing in it.
            arguments.insert(0, "--allow-downgrade")
        if self._headless:
            arguments.insert(0, "--headless")
        if sys.platform == "win32":
            arguments.insert(0, "--wait-for-browser")  # or the process started here ends at once
        return arguments

    async def _reach(self, folder: Path, _pipes: BrowserPipes | None) -> Remote | None:
        try:
            server = json.loads(_address_file(folder).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None  # not there, or only half written
        return await Bidi.connect(f"ws://{server['ws_host']}:{server['ws_port']}/session")

    async def _connect(self, session: Remote) -> None:
        await session.command("session.new", {"capabilities": {}})
        session.listen("log.entryAdded", self._note)
        await session.command("session.subscribe", {"events": ["log.entryAdded"]})
        tree = await session.command("browsingContext.getTree", {"maxDepth": 0})
        self._tab = tree["contexts"][0]["context"]

    async def _windows(self) -> int:
        return len((await self._command("browsingContext.getTree", {"maxDepth": 0}))["contexts"])

    async def _ask_to_quit(self, session: Remote) -> None:
        await session.command("browser.close", timeout=patience(QUIT))

    # --- the page ----------------------------------------------------------------------------------

    async def _open(self, page_url: str) -> None:
        if self._grant:
            permission = {
                "descriptor": {"name": "notifications"},
                "state": "granted",
                "origin": origin_of(page_url),
            }
            await self._command("permissions.setPermission", permission)
        where = {"context": self._tab, "url": page_url, "wait": "complete"}
        await self._command("browsingContext.navigate", where)

    async def _capture(self) -> bytes:
        shot = {"context": self._tab, "origin": "document"}
        return base64.b64decode((await self._command("browsingContext.captureScreenshot", shot))["data"])

    async def evaluate(self, function: str, *arguments: object) -> Any:
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
        """Click with the mouse on the middle of an element that is in view (see ``ClientPage``)."""
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
        return await self._running().command(method, params)

    def _note(self, entry: dict) -> None:
        if entry["level"] == "error":
            self.console.append(entry["text"])


def _address_file(folder: Path) -> Path:
    """Return the file into which Firefox writes the host and port of its WebSocket."""
    return folder / "WebDriverBiDiServer.json"
