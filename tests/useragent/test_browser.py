"""A real browser, started, driven and ended, with a page that the test serves.

Every test runs with Firefox and with Chromium, which are driven over different protocols and are
seen to behave alike. What they do with push messages is in ``tests/endtoend``.
"""

import asyncio
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import psutil
import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.tcpserver import TCPServer
from tornado.web import Application, RequestHandler

from pushlab.errors import BrowserFailed, BrowserNotFound, TimedOut, UnusableFolder
from pushlab.settings import patience
from pushlab.useragent import browser, remote
from pushlab.useragent.base import Notification
from pushlab.useragent.chromium import browser as chromium
from pushlab.useragent.chromium import profile as chromium_profile
from pushlab.useragent.chromium.browser import Chromium
from pushlab.useragent.firefox import browser as firefox
from pushlab.useragent.firefox import profile as firefox_profile
from pushlab.useragent.firefox.browser import Firefox
from pushlab.useragent.page import SETTLED, THROUGH

from ..run import chance
from ..run.programs import answers

# Nothing listens at these, and these tests need nothing from there.
NO_PUSH = "ws://127.0.0.1:9/"
NO_LISTENERS = SimpleNamespace(
    checkin_url="http://127.0.0.1:9/checkin",
    registration_url="http://127.0.0.1:9/c2dm/register3",
    mcs_url="https://127.0.0.1:9",
    spki="AAAA",
)


@dataclass(frozen=True)
class Kind:
    """What one browser has in its own way."""

    name: str
    module: ModuleType
    agent: type[browser.Browser]
    push: object
    address_file: str
    old_address: str
    kept_file: str
    quit: str
    not_granted: tuple[str, ...]
    ending: str
    """How a program ends by itself: one way is seen with each browser, and ``atexit`` knows no other."""

    @property
    def variable(self):
        return f"PUSHLAB_{self.name.upper()}"

    @property
    def push_as_source(self):
        return repr(self.push).replace("namespace", "SimpleNamespace")

    @property
    def installed(self):
        return f"{self.name.lower()}_installed"

    def __call__(self, **options):
        return self.agent(self.push, **options)


KINDS = [
    Kind(
        name="Firefox",
        module=firefox,
        agent=Firefox,
        push=NO_PUSH,
        address_file="WebDriverBiDiServer.json",
        old_address='{"ws_host": "127.0.0.1", "ws_port": 9}',
        kept_file="prefs.js",
        quit="browser.close",
        not_granted=("default",),
        ending="1 / 0",
    ),
    Kind(
        name="Chromium",
        module=chromium,
        agent=Chromium,
        push=NO_LISTENERS,
        address_file="DevToolsActivePort",
        old_address="9\n/devtools/browser/0",
        kept_file="Default/Preferences",
        quit="Browser.close",
        not_granted=("default", "denied"),  # headless there is nobody to ask
        ending="pass",
    ),
]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def kind(request):
    """A browser, installed or not."""
    return request.param


@pytest.fixture(scope="module")
def installed(request, kind):
    """A browser that is there."""
    request.getfixturevalue(kind.installed)
    return kind


PAGE = """<!doctype html>
<title>A page with the buttons of the client page</title>
<body data-busy="load">
<p id="outcome"></p>
<button id="register">Register</button>
<button id="unregister" disabled>Unregister</button>
<div style="height: 3000px"></div>
<button id="notify-me">Notify me</button>
<button id="notify-all">Notify all</button>
<script src="page.js"></script>
"""

SCRIPT = """
const { body } = document;
const outcome = document.getElementById("outcome");
function wire(id, action) {
  document.getElementById(id).addEventListener("click", async (event) => {
    body.dataset.busy = id;
    outcome.dataset.kind = "";
    const real = event.isTrusted && navigator.userActivation.isActive;
    await new Promise((resolve) => setTimeout(resolve, 50));
    try {
      outcome.textContent = await action(real);
      outcome.dataset.kind = "done";
    } catch (error) {
      outcome.textContent = error.message;
      outcome.dataset.kind = "error";
    }
    delete body.dataset.busy;
  });
}
wire("register", async (real) => {
  await navigator.serviceWorker.register("sw.js");
  await navigator.serviceWorker.ready;
  body.dataset.state = "registered";
  return real ? "a real click" : "no real click";
});
wire("notify-me", async () => { throw new Error("The push service is on holiday."); });
wire("notify-all", () => new Promise(() => {}));
setTimeout(() => {
  body.dataset.state = "unregistered";
  delete body.dataset.busy;
}, 50);
"""

MOVING = """<!doctype html>
<title>Buttons that move</title>
<body data-state="registered" style="margin: 0">
<p id="outcome"></p>
<div id="space" style="height: 0"></div>
<button id="notify-me" style="display: block; height: 40px">Notify me</button>
<button id="notify-all" style="display: block; height: 40px">Notify all</button>
<div style="height: 3000px"></div>
<script>
const pressed = [];
for (const button of document.querySelectorAll("button"))
  button.addEventListener("click", () => {
    pressed.push(button.id);
    document.getElementById("outcome").dataset.kind = "done";
  });
</script>
"""

FILES = {
    "": ("text/html", PAGE),
    "page.js": ("text/javascript", SCRIPT),
    "sw.js": ("text/javascript", "addEventListener('push', () => {});"),
    "favicon.ico": ("image/x-icon", ""),
    "moving": ("text/html", MOVING),
    "bare": ("text/html", "<!doctype html><p>No state here.<script>undefinedFunction()</script>"),
}


class _Handler(RequestHandler):
    def get(self, name):
        kind, text = FILES[name]
        self.set_header("Content-Type", kind)
        self.finish(text)


class _Proxy(TCPServer):
    """Listens where the browser's proxy is said to be, and notes what it is asked for."""

    def __init__(self):
        super().__init__()
        self.asked = asyncio.Queue()

    async def handle_stream(self, stream, address):
        self.asked.put_nowait(await stream.read_until(b"\r\n"))
        stream.close()


class World:
    """A page, a browser that has it open, and the loop of both.

    Starting a browser takes seconds, so one serves the whole module. Its profile is in ``folder``,
    which is the folder for temporary files as long as it starts.
    """

    def __init__(self, kind, folder):
        self.kind, self.folder = kind, folder
        self.runner = asyncio.Runner()
        self.run(self._serve())
        self.agent = kind()

    async def _serve(self):
        self.server = HTTPServer(Application([("/(.*)", _Handler)]))
        self.port = self._listen(self.server)
        self.url = f"http://127.0.0.1:{self.port}/"
        self.proxy = _Proxy()
        self.proxy_port = self._listen(self.proxy)

    @staticmethod
    def _listen(server):
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        return sockets[0].getsockname()[1]

    def start(self):
        """Start the browser. Whatever it wants elsewhere, it has to ask the test's proxy for."""
        port = self.proxy_port
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tempfile.tempdir", str(self.folder))
            for profile, ports in (
                (firefox_profile, {"network.proxy.http_port": port, "network.proxy.ssl_port": port}),
                (chromium_profile, {"proxy-server": f"http://127.0.0.1:{port}"}),
            ):
                patch.setattr(profile, "NETWORK", profile.NETWORK | ports)
            self.run(self.agent.start())

    async def stop(self):
        await self.agent.close()
        self.proxy.stop()
        self.server.stop()
        await self.server.close_all_connections()

    def run(self, coroutine):
        async def bounded():
            async with asyncio.timeout(patience(120)):
                return await coroutine

        return self.runner.run(bounded())


@pytest.fixture(scope="module")
def world(installed, tmp_path_factory, artifacts):
    world = World(installed, tmp_path_factory.mktemp("browser"))
    picture = lambda: world.run(asyncio.wait_for(world.agent.screenshot(), patience(10)))
    with world.runner:
        world.start()
        with artifacts.offer("page.png", picture):
            yield world
        world.run(world.stop())


@pytest.fixture
def page(world):
    """The browser with the page freshly open."""
    if world.agent._process is None:  # The test of close() may have come before.
        world.start()
    world.run(world.agent.open(world.url))
    return world.agent


# --- which browser -----------------------------------------------------------------------------------


def program(folder, text, name="browser"):
    """Write an executable script; return its path."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
    path.chmod(0o755)
    return path


def test_the_environment_names_the_browser(kind, monkeypatch, tmp_path):
    path = program(tmp_path, "")
    monkeypatch.setenv(kind.variable, str(path))
    assert kind.module.find() == path


def test_a_named_browser_that_is_not_there_is_not_replaced_by_another(kind, monkeypatch, tmp_path):
    monkeypatch.setenv(kind.variable, str(tmp_path / "nowhere"))
    with pytest.raises(BrowserNotFound, match=f"{kind.variable} names .*nowhere"):
        kind.module.find()


def test_without_a_browser_the_error_tells_how_to_get_one(kind, monkeypatch, tmp_path):
    monkeypatch.delenv(kind.variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(kind.module, "PLACES", ["browser", "~/no/such/browser"])
    how = f"No {kind.name} was found.*Install it .*{kind.name.lower()}"
    with pytest.raises(BrowserNotFound, match=how):
        kind.module.find()
    path = program(tmp_path, "")
    assert kind.module.find() == path


# --- how it starts -----------------------------------------------------------------------------------


def test_a_browser_that_ends_at_once_is_quoted(kind, monkeypatch, tmp_path, run):
    script = """
        import sys
        print("cannot open display", file=sys.stderr)
        sys.exit(3)
    """
    monkeypatch.setenv(kind.variable, str(program(tmp_path, script)))
    with pytest.raises(BrowserFailed, match="status 3 before it was ready.*cannot open display"):
        run(kind().start())


def test_a_browser_that_never_gets_ready_is_given_up_and_ended(kind, monkeypatch, tmp_path, run):
    script = """
        import time
        print("thinking", flush=True)
        time.sleep(600)
    """
    monkeypatch.setenv(kind.variable, str(program(tmp_path, script)))
    monkeypatch.setattr(browser, "START_TIMEOUT", 0.2)
    never = kind()
    groups = []

    reach = never._reach

    async def reach_one_that_thinks(*arguments):
        while "thinking" not in never._process.last_words():  # Python, too, needs its time to start.
            await asyncio.sleep(0.01)
        return await reach(*arguments)

    monkeypatch.setattr(never, "_reach", reach_one_that_thinks)
    kill = browser.BrowserProcess.kill
    monkeypatch.setattr(
        browser.BrowserProcess, "kill", lambda self: groups.append(self._process.pid) or kill(self)
    )
    with pytest.raises(BrowserFailed, match=f"not ready after {patience(0.2):g} s.*thinking"):
        run(never.start())
    assert groups
    run(ended(groups[0]))


def test_a_window_needs_a_screen(installed, monkeypatch, run):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(BrowserFailed, match="no screen: neither DISPLAY nor WAYLAND_DISPLAY"):
        run(installed(headless=False).start())


def test_a_profile_that_cannot_be_written_is_said(installed, tmp_path, run):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UnusableFolder, match="the profile .* cannot be used"):
        run(installed(profile=tmp_path / "file" / "profile").start())


def test_it_cannot_be_started_twice(world):
    with pytest.raises(BrowserFailed, match="started already"):
        world.run(world.agent.start())


def test_a_chromium_is_driven_over_pipes_and_listens_nowhere(world):
    """A port is open to every user of the machine. Firefox has one, and takes one session alone."""
    group = psutil.Process(world.agent._process._process.pid)
    processes = [group, *group.children(recursive=True)]
    ports = {
        connection.laddr.port
        for connections in answers(processes, lambda process: process.net_connections("tcp"))
        for connection in connections
        if connection.status == psutil.CONN_LISTEN
    }
    assert len(ports) == {"Chromium": 0, "Firefox": 1}[world.kind.name]


def test_nothing_runs_that_the_page_does_not_need(world, page):
    """A browser's own pages, its extensions, and a process for each site double the cost of a start."""
    if world.kind.name == "Chromium":
        targets = world.run(page._session.command("Target.getTargets"))["targetInfos"]
        assert {target["url"].partition(world.url)[0] for target in targets} <= {"", "about:blank"}
    else:
        group = psutil.Process(page._process._process.pid)
        names = set(answers(group.children(recursive=True), psutil.Process.name))
        assert "Web Content" in names
        assert not {name for name in names if name.startswith(("WebExtensions", "Isolated"))}


# --- the page ----------------------------------------------------------------------------------------


def test_open_waits_until_the_page_shows_its_state(world, page):
    assert world.run(page.state()) == "unregistered"
    assert world.run(page.evaluate("() => 'busy' in document.body.dataset")) is False


def test_a_button_is_pressed_with_a_real_click_and_its_effect_awaited(world, page):
    world.run(page.register())
    assert world.run(page.state()) == "registered"
    outcome = "() => document.getElementById('outcome').textContent"
    assert world.run(page.evaluate(outcome)) == "a real click"


def test_what_the_page_says_went_wrong_is_raised_even_from_below_the_window_s_edge(world, page):
    with pytest.raises(BrowserFailed, match="The page says: The push service is on holiday"):
        world.run(page.notify_me())


def test_a_disabled_button_is_said(world, page):
    with pytest.raises(BrowserFailed, match="unregister is disabled in state unregistered"):
        world.run(page.unregister())


def test_a_button_that_is_not_there_is_said(world, page):
    with pytest.raises(BrowserFailed, match="In the page: TypeError"):
        world.run(page.subscribe())


def test_a_page_that_never_gets_through_times_out(world, page, monkeypatch):
    impatient(page, monkeypatch)
    with pytest.raises(TimedOut, match="not finished with notify-all. Its console is silent"):
        world.run(page.notify_all())


def test_another_page_times_out_and_its_console_is_quoted(world, page, monkeypatch):
    impatient(page, monkeypatch, once=lambda: page.console)
    with pytest.raises(TimedOut, match="shows no state.*undefinedFunction is not defined"):
        world.run(page.open(f"{world.url}bare"))
    page.console.clear()


def impatient(page, monkeypatch, once=lambda: True):
    """Let a wait for the page end after a moment, once ``once()`` is true. Other waits stay long."""
    evaluate = page.evaluate

    async def quick(function, *arguments):
        with pytest.MonkeyPatch.context() as patch:
            if function in (SETTLED, THROUGH):
                async with asyncio.timeout(patience(30)):
                    while not once():
                        await asyncio.sleep(0.01)
                patch.setattr(remote, "ANSWER_SECONDS", 0.5)
            return await evaluate(function, *arguments)

    monkeypatch.setattr(page, "evaluate", quick)


def test_nobody_at_the_page_s_url_is_said(world, page, unused_tcp_port):
    with pytest.raises(BrowserFailed, match="CONNECTION_REFUSED"):
        world.run(page.open(f"http://127.0.0.1:{unused_tcp_port}/"))


@pytest.mark.parametrize(
    ("function", "arguments", "value"),
    [
        ("() => undefined", (), None),
        ("() => null", (), None),
        ("(a, b) => a + b", (1, 2), 3),
        ("async (x) => ({ x, ok: true })", (["ä", None],), {"x": ["ä", None], "ok": True}),
    ],
)
def test_evaluate_speaks_json(world, page, function, arguments, value):
    assert world.run(page.evaluate(function, *arguments)) == value


def test_what_a_function_throws_is_raised(world, page):
    with pytest.raises(BrowserFailed, match="In the page: RangeError: too far"):
        world.run(page.evaluate("() => { throw new RangeError('too far') }"))


def test_permission_is_granted_for_the_page_s_origin_before_it_opens(world, page, monkeypatch):
    permission = "() => Notification.permission"
    assert world.run(page.evaluate(permission)) == "granted"
    # The negative control: an origin for which nobody has granted anything.
    monkeypatch.setattr(page, "_grant", False)
    world.run(page.open(f"http://localhost:{world.port}/"))
    assert world.run(page.evaluate(permission)) in world.kind.not_granted


def test_notifications_are_read_as_the_browser_reports_them(world, page):
    show = """async (title, options) => {
      const registration = await navigator.serviceWorker.getRegistration();
      await registration.showNotification(title, options);
    }"""
    world.run(page.register())
    assert world.run(page.notifications()) == []
    options = {"body": "Körper", "tag": "t", "data": {"n": 1}}
    world.run(page.evaluate(show, "Titel", options))
    world.run(page.evaluate(show, "Bare", {}))
    shown = world.run(page.wait_for_notification("Körper"))
    assert shown == Notification("Titel", "Körper", "t", {"n": 1})
    assert world.run(page.wait_for_notification(title="Bare")) == Notification("Bare")
    assert len(world.run(page.notifications())) == 2
    with pytest.raises(TimedOut, match="in 0.2 s; 2 others are shown") as caught:
        world.run(page.wait_for_notification("absent", timeout=0.2))
    assert "Körper" not in str(caught.value)


def test_a_screenshot_is_a_png_of_the_whole_page(world, page):
    png = world.run(page.screenshot())
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    height = int.from_bytes(png[20:24])
    assert height > 3000


def test_nothing_but_this_machine_is_asked(world, page):
    """Neither at its start nor since, with all that the tests above have made it do."""

    async def scenario():
        await page.register()
        assert world.proxy.asked.empty()
        # The negative control: what a page asks for elsewhere does come to the proxy.
        with pytest.raises(BrowserFailed):
            await page.open("https://example.com/")
        assert (await world.proxy.asked.get()).startswith(b"CONNECT example.com:443")

    world.run(scenario())
    while not world.proxy.asked.empty():  # A browser asks again before it gives up.
        assert world.proxy.asked.get_nowait().startswith(b"CONNECT example.com:443")


# --- a button that moves while it is pressed ---------------------------------------------------------

# A click takes two messages: one asks where the button is, one sends the mouse there. These tests put
# something in between on purpose: a picture of the page, and a page that moves its buttons.

# As soon as the mouse moves, the buttons go up by the height of one: what was pressed is below now.
MOVE_UP_ONCE = """() => {
  const space = document.getElementById("space");
  space.style.height = "40px";
  addEventListener("mousemove", () => { space.style.height = "0"; }, { once: true });
}"""

COVER = """() => {
  const cover = document.createElement("div");
  cover.id = "cover";
  cover.style.cssText = "position: fixed; inset: 0";
  document.body.append(cover);
}"""

PRESSED = "() => pressed"


@pytest.fixture
def moving(world, page):
    """The browser with a page open whose buttons move."""
    world.run(page.open(f"{world.url}moving"))
    return page


def test_no_picture_comes_between_the_aim_and_the_click(world, moving, monkeypatch):
    async def scenario():
        sent, pictures = [], []
        command, click = moving._session.command, moving.click

        async def noted(method, *arguments, **options):
            sent.append(method)
            return await command(method, *arguments, **options)

        async def click_while_a_picture_is_asked_for(button):
            pictures.append(asyncio.ensure_future(moving.screenshot()))
            await asyncio.sleep(0)  # the picture is under way as far as it may go
            await click(button)
            assert not [method for method in sent if "capture" in method]

        monkeypatch.setattr(moving._session, "command", noted)
        monkeypatch.setattr(moving, "click", click_while_a_picture_is_asked_for)
        await moving.notify_me()
        assert await moving.evaluate(PRESSED) == ["notify-me"]
        (picture,) = await asyncio.gather(*pictures)
        assert picture.startswith(b"\x89PNG")
        assert [method for method in sent if "capture" in method]  # and then it was taken

    world.run(scenario())


def test_a_picture_that_nobody_waits_for_any_more_keeps_its_turn(world, moving, monkeypatch):
    async def scenario():
        begun, go_on, capture = asyncio.Event(), asyncio.Event(), moving._capture

        async def capture_slowly():
            begun.set()
            await go_on.wait()
            return await capture()

        monkeypatch.setattr(moving, "_capture", capture_slowly)
        looking = asyncio.ensure_future(moving.screenshot())
        await begun.wait()
        looking.cancel()
        await asyncio.wait([looking])
        assert looking.cancelled() and moving._turn.locked()
        pressing = asyncio.ensure_future(moving.notify_me())
        assert await moving.evaluate(PRESSED) == []
        go_on.set()
        await pressing
        assert await moving.evaluate(PRESSED) == ["notify-me"] and not moving._turn.locked()

    world.run(scenario())


def test_pictures_one_after_the_other_cost_no_click(world, moving):
    rounds = chance.examples(6)

    async def scenario():
        ended = asyncio.Event()

        async def look():
            while not ended.is_set():
                await moving.screenshot()

        looking = asyncio.ensure_future(look())
        for _ in range(rounds):
            await moving.notify_me()
            await moving.notify_all()
        ended.set()
        await looking
        assert await moving.evaluate(PRESSED) == ["notify-me", "notify-all"] * rounds

    world.run(scenario())


def test_a_click_that_misses_presses_nothing_else_and_is_aimed_anew(world, moving):
    async def scenario():
        await moving.evaluate(MOVE_UP_ONCE)
        await moving.notify_me()
        assert await moving.evaluate(PRESSED) == ["notify-me"]

    world.run(scenario())


def test_a_button_that_the_mouse_never_reaches_is_said(world, moving):
    async def scenario():
        await moving.evaluate(COVER)
        with pytest.raises(BrowserFailed, match="not reach the button notify-me: it reaches #cover"):
            await moving.notify_me()
        assert await moving.evaluate(PRESSED) == []
        # The control: without the cover, which no longer stops anything, the same press arrives.
        await moving.evaluate("() => document.getElementById('cover').remove()")
        await moving.notify_me()
        assert await moving.evaluate(PRESSED) == ["notify-me"]

    world.run(scenario())


# --- how it ends -------------------------------------------------------------------------------------


def alive(group):
    """Return the processes of the group that are left; the dead that nobody has buried do not count."""
    left = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            _, _, fields = (folder / "stat").read_text().rpartition(")")
        except OSError:
            continue  # it has ended meanwhile
        state, _, its_group = fields.split()[:3]
        if int(its_group) == group and state not in "ZX":
            left.append(folder.name)
    return left


async def ended(group):
    """Wait until nothing of the group is left: it takes the system a moment to end a process."""
    while alive(group):
        await asyncio.sleep(0.01)


def test_close_leaves_no_process_and_no_folder_and_may_be_called_twice(world, page):
    group = page._process._process.pid
    (folder,) = world.folder.iterdir()
    assert alive(group) and folder.name.startswith(f"pushlab-{world.kind.name.lower()}-")

    async def scenario():
        await page.close()
        await ended(group)
        assert list(world.folder.iterdir()) == []
        await page.close()
        with pytest.raises(BrowserFailed, match="not running"):
            await page.state()

    world.run(scenario())


def test_a_given_profile_is_kept_and_used_again_whoever_ends_the_browser_and_however(world, tmp_path):
    kind = world.kind

    async def scenario():
        other = kind(profile=tmp_path / "kept")
        await other.start()
        closed = asyncio.create_task(other.closed())
        await other.open(world.url)
        await other.register()
        await other.evaluate("() => { localStorage.kept = 'yes' }")
        assert not closed.done()
        await other._session.command(kind.quit)  # As a person does it.
        await closed
        await other.close()
        assert (tmp_path / "kept" / kind.kept_file).is_file()
        # What a browser leaves that was killed: the address at which it was driven.
        (tmp_path / "kept" / kind.address_file).write_text(kind.old_address)
        await other.start()
        await other.open(world.url)
        registered = "async () => Boolean(await navigator.serviceWorker.getRegistration())"
        assert await other.evaluate("() => localStorage.kept") == "yes"
        assert await other.evaluate(registered) is True
        # This time it is killed, which is noticed and cleaned up.
        group = other._process._process.pid
        other._process._process.kill()
        await other.closed()
        with pytest.raises(BrowserFailed, match="ended before"):
            await other.open(world.url)
        await other.close()
        await ended(group)
        assert (tmp_path / "kept" / kind.kept_file).is_file()

    world.run(scenario())


def test_closed_returns_when_the_last_window_is_closed_and_the_program_goes_on(kind, run, monkeypatch):
    async def scenario():
        other = kind()
        counts = [2, 1, 0, 0]

        async def windows():
            return counts.pop(0)

        monkeypatch.setattr(other, "_windows", windows)
        await other.closed()
        assert counts == [0]

    run(scenario())


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("killed", [False, True])
def test_no_process_is_left_when_the_program_ends_without_a_close(
    installed, tmp_path_factory, run, killed
):
    folder = tmp_path_factory.mktemp("t")  # Chromium makes a socket in it: a path of 107 bytes at most.
    ending = "os.kill(os.getpid(), 9)" if killed else installed.ending
    script = f"""
import asyncio, os
from types import SimpleNamespace
from {installed.module.__name__} import {installed.name}

agent = {installed.name}({installed.push_as_source})
loop = asyncio.new_event_loop()
loop.run_until_complete(agent.start())
print(agent._process._process.pid, flush=True)
{ending}
"""
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONWARNINGS": "ignore"}
    program = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=patience(120),
    )
    assert program.stdout, program.stderr.decode()
    run(ended(int(program.stdout)))
    assert (program.returncode == -9) == killed
    # Who is killed cannot tidy up, and the guard does it: a profile holds subscriptions.
    run(until(lambda: not list(folder.glob(f"pushlab-{installed.name.lower()}-*"))))
