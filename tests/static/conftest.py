"""The client page in real browsers, before the real application server.

Browsers keep workers, permissions and subscriptions by origin. So one browser serves a whole
module, and each test gets a server on a port of its own: an origin that the browser has never seen.
(`listen` gives no port of a process twice.)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.web import Application, RequestHandler

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.journal import Journal
from pushlab.lab.loop import BackgroundLoop
from pushlab.server.http import listen
from pushlab.settings import patience

from ..run.artifacts import lines
from ..run.chromium import SWITCHES

SETTLED = "body[data-state]:not([data-busy])"


@pytest.fixture(scope="module")
def background():
    loop = BackgroundLoop()
    yield loop
    loop.stop()


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def server(background, journal, artifacts):
    """An application server that nobody has subscribed to yet."""
    server = ApplicationServer(keys=VapidKeys.generate(), journal=journal)
    background.run(server.start())
    with artifacts.offer("journal.txt", lambda: lines(journal.events())):
        yield server
    background.run(server.stop())


# ---- Chromium ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium(tmp_path_factory, chromium_installed):
    """A Chromium with a profile, because private windows have no push, and with no network."""
    rules = "MAP lab.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"),
            executable_path=chromium_installed,
            args=[*SWITCHES, f"--host-resolver-rules={rules}"],
            timeout=patience(120) * 1000,
        )
        context.set_default_timeout(patience(60) * 1000)
        expect.set_options(timeout=patience(60) * 1000)
        yield context
        context.close()


@pytest.fixture
def page(chromium: BrowserContext, artifacts):
    """An empty tab. Whatever a script throws, or the policy stops, fails the test."""
    page = chromium.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: "Content Security" in said.text and wrong.append(said.text))
    console: list[str] = []
    page.on("console", lambda said: console.append(said.text))
    with artifacts.offer("page.png", page.screenshot):
        with artifacts.offer("console.txt", lambda: lines(console)):
            yield page
    page.close()
    assert wrong == []


def settle(page: Page) -> None:
    """Wait until the page is idle and shows its state."""
    page.wait_for_selector(SETTLED)


def visit(page: Page, url: str) -> None:
    page.goto(url)
    settle(page)


def press(page: Page, button: str) -> None:
    """Click, and wait until the page is through with it."""
    page.click(f"#{button}")
    settle(page)


def permit(page: Page, url: str, setting: str) -> None:
    """Set the permission of notifications: ``granted``, ``denied`` or ``prompt``.

    It holds as long as the session that set it, which ends with the page.
    """
    session = page.context.new_cdp_session(page)
    session.send(
        "Browser.setPermission",
        {"permission": {"name": "notifications"}, "setting": setting, "origin": url.rstrip("/")},
    )


# ---- a proxy -------------------------------------------------------------------------------------


@dataclass
class Proxy:
    """What a JupyterHub does: the server is under ``prefix``, and the root belongs to others."""

    target: str
    prefix: str = "/user/alice/proxy/8292"
    url: str = ""
    elsewhere: list[str] = field(default_factory=list)
    """Paths outside the prefix that a browser has asked for."""
    answers: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    """Path below the prefix → (status, content type, body), given instead of the server's.
    A status of 302 leads to the body, and 0 is no answer: the connection ends."""
    dropped: set[str] = field(default_factory=set)
    """Headers of the server that do not pass, in lower case."""
    keeps_host: bool = True
    """Whether the server is told the Host that the browser asked for, as by jupyter-server-proxy."""


class Strip(RequestHandler):
    """Take the prefix off and pass the request on, piece by piece, as event streams need it."""

    def initialize(self, proxy: Proxy):
        self.proxy = proxy

    async def get(self):
        await self._pass_on(None)

    async def post(self):
        await self._pass_on(self.request.body)

    async def _pass_on(self, body: bytes | None):
        path = self.request.path.removeprefix(self.proxy.prefix)
        if not self.request.path.startswith(self.proxy.prefix + "/"):
            self.proxy.elsewhere.append(path)
            self.send_error(404)
        elif path in self.proxy.answers:
            status, content_type, text = self.proxy.answers[path]
            if status == 0:
                self.detach().close()
                return
            if status == 302:
                self.redirect(text)
                return
            self.set_status(status)
            self.set_header("Content-Type", content_type)
            self.write(text)
        else:
            headers = HTTPHeaders(self.request.headers)
            if not self.proxy.keeps_host:
                del headers["Host"]
            await AsyncHTTPClient().fetch(
                HTTPRequest(
                    self.proxy.target + path,
                    method=self.request.method,
                    headers=headers,
                    body=body,
                    request_timeout=0,
                    header_callback=self._header,
                    streaming_callback=self._piece,
                ),
                raise_error=False,
            )

    def _header(self, line: str):
        if line.startswith("HTTP/"):
            self.set_status(int(line.split()[1]))
        elif ": " in line:
            name, value = line.strip().split(": ", 1)
            if name.lower() not in {"transfer-encoding", "content-length"} | self.proxy.dropped:
                self.set_header(name, value)

    def _piece(self, piece: bytes):
        self.write(piece)
        self.flush()


@pytest.fixture
def proxy(background, server):
    """A proxy before the application server."""
    with before(server.url, background) as proxy:
        yield proxy


@contextmanager
def before(url: str, background: BackgroundLoop) -> Iterator[Proxy]:
    """A proxy before the application server at ``url``."""
    proxy = Proxy(url.rstrip("/"))

    async def start() -> HTTPServer:
        socket = listen(0, "127.0.0.1")
        listener = HTTPServer(Application([(r".*", Strip, {"proxy": proxy})]))
        listener.add_socket(socket)
        proxy.url = f"http://127.0.0.1:{socket.getsockname()[1]}{proxy.prefix}/"
        return listener

    listener = background.run(start())
    yield proxy

    async def stop():
        listener.stop()
        await listener.close_all_connections()

    background.run(stop())
