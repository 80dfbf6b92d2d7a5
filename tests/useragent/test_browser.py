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

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.tcpserver import TCPServer
from tornado.web import Application, RequestHandler

from pushlab.errors import BrowserFailed, BrowserNotFound, TimedOut
from pushlab.useragent import browser, chromium, chromium_profile, firefox, firefox_profile
from pushlab.useragent.base import Notification
from pushlab.useragent.chromium import Chromium
from pushlab.useragent.firefox import Firefox

# Nothing listens at these, and these tests need nothing from there.
NO_PUSH = "ws://127.0.0.1:9/"
NO_DOOR = SimpleNamespace(
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
    ),
    Kind(
        name="Chromium",
        module=chromium,
        agent=Chromium,
        push=NO_DOOR,
        address_file="DevToolsActivePort",
        old_address="9\n/devtools/browser/0",
        kept_file="Default/Preferences",
        quit="Browser.close",
        not_granted=("default", "denied"),  # headless there is nobody to ask
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

FILES = {
    "": ("text/html", PAGE),
    "page.js": ("text/javascript", SCRIPT),
    "sw.js": ("text/javascript", "addEventListener('push', () => {});"),
    "favicon.ico": ("image/x-icon", ""),
    "bare": ("text/html", "<!doctype html><p>No state here.<script>undefinedFunction()</script>"),
}


class _Handler(RequestHandler):
    def get(self, name):
        kind, text = FILES[name]
        self.set_header("Content-Type", kind)
        self.finish(text)


class World:
    """A page, a browser that has it open, and the loop of both."""

    def __init__(self, kind):
        self.kind = kind
        self.runner = asyncio.Runner()
        self.run(self._serve())
        self.agent = kind()

    async def _serve(self):
        self.server = HTTPServer(Application([("/(.*)", _Handler)]))
        sockets = bind_sockets(0, "127.0.0.1")
        self.server.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"

    async def stop(self):
        await self.agent.close()
        self.server.stop()
        await self.server.close_all_connections()

    def run(self, coroutine, timeout=60):
        async def bounded():
            async with asyncio.timeout(timeout):
                return await coroutine

        return self.runner.run(bounded())


@pytest.fixture(scope="module")
def world(installed):
    world = World(installed)
    with world.runner:
        world.run(world.agent.start())
        yield world
        world.run(world.stop())


@pytest.fixture
def page(world):
    """The browser with the page freshly open."""
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
    with pytest.raises(BrowserNotFound, match=f"No {kind.name} was found. Install it .*{kind.name.lower()}"):
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
    monkeypatch.setattr(browser, "START_TIMEOUT", 1)
    never = kind()
    groups = []
    kill = browser.BrowserProcess.kill
    monkeypatch.setattr(
        browser.BrowserProcess, "kill", lambda self: groups.append(self._process.pid) or kill(self)
    )
    with pytest.raises(BrowserFailed, match="not ready after 1 s.*thinking"):
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
    with pytest.raises(BrowserFailed, match="cannot be started"):
        run(installed(profile=tmp_path / "file" / "profile").start())


def test_it_cannot_be_started_twice(world):
    with pytest.raises(BrowserFailed, match="started already"):
        world.run(world.agent.start())


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
    with pytest.raises(TimedOut, match="not through with notify-all. Its console is silent"):
        world.run(page.notify_all())


def test_another_page_times_out_and_its_console_is_quoted(world, page, monkeypatch):
    impatient(page, monkeypatch)
    with pytest.raises(TimedOut, match="shows no state.*undefinedFunction is not defined"):
        world.run(page.open(f"{world.url}bare"))
    page.console.clear()


def impatient(page, monkeypatch):
    """Have the page's promises waited for one second only."""
    session, command = page._session, page._session.command

    async def quick(method, params=None, timeout=30, **envelope):
        script = method.startswith(("script.", "Runtime."))
        return await command(method, params, 1 if script else timeout, **envelope)

    monkeypatch.setattr(session, "command", quick)


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


def test_nothing_but_this_machine_is_asked(world, monkeypatch):
    """Whatever the browser wants elsewhere goes to a proxy; here the test listens in its place."""
    asked = asyncio.Queue()

    class Proxy(TCPServer):
        async def handle_stream(self, stream, address):
            asked.put_nowait(await stream.read_until(b"\r\n"))
            stream.close()

    async def scenario():
        proxy = Proxy()
        sockets = bind_sockets(0, "127.0.0.1")
        proxy.add_sockets(sockets)
        port = sockets[0].getsockname()[1]
        for profile, ports in (
            (firefox_profile, {"network.proxy.http_port": port, "network.proxy.ssl_port": port}),
            (chromium_profile, {"proxy-server": f"http://127.0.0.1:{port}"}),
        ):
            monkeypatch.setattr(profile, "NETWORK", profile.NETWORK | ports)
        other = world.kind()
        await other.start()
        try:
            await other.open(world.url)
            await other.register()
            assert asked.empty()
            # The negative control: what a page asks for elsewhere does come here.
            with pytest.raises(BrowserFailed):
                await other.open("https://example.com/")
            assert (await asked.get()).startswith(b"CONNECT example.com:443")
        finally:
            await other.close()
            proxy.stop()

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


def test_close_leaves_no_process_and_no_folder_and_may_be_called_twice(world, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    async def scenario():
        other = world.kind()
        await other.start()
        group = other._process._process.pid
        (folder,) = tmp_path.iterdir()
        assert alive(group) and folder.name.startswith(f"pushlab-{world.kind.name.lower()}-")
        await other.open(world.url)
        await other.close()
        await ended(group)
        assert list(tmp_path.iterdir()) == []
        await other.close()
        with pytest.raises(BrowserFailed, match="not running"):
            await other.state()

    world.run(scenario())


def test_a_given_profile_is_kept_and_used_again(world, tmp_path):
    async def scenario():
        other = world.kind(profile=tmp_path / "kept")
        await other.start()
        await other.open(world.url)
        await other.register()
        await other.evaluate("() => { localStorage.kept = 'yes' }")
        await other.close()
        # What a browser leaves that was killed: the address at which it was driven.
        (tmp_path / "kept" / world.kind.address_file).write_text(world.kind.old_address)
        await other.start()
        await other.open(world.url)
        registered = "async () => Boolean(await navigator.serviceWorker.getRegistration())"
        assert await other.evaluate("() => localStorage.kept") == "yes"
        assert await other.evaluate(registered) is True
        await other.close()
        assert (tmp_path / "kept" / world.kind.kept_file).is_file()

    world.run(scenario())


def test_closed_returns_when_the_browser_has_been_quit_and_not_before(world):
    async def scenario():
        other = world.kind()
        await other.start()
        closed = asyncio.create_task(other.closed())
        await other.open(world.url)
        assert not closed.done()
        await other._session.command(world.kind.quit)
        await closed
        await other.close()

    world.run(scenario())


def test_closed_returns_when_the_last_window_is_closed_and_the_program_goes_on(
    kind, run, monkeypatch
):
    async def scenario():
        other = kind()
        counts = [2, 1, 0, 0]

        async def windows():
            return counts.pop(0)

        monkeypatch.setattr(other, "_windows", windows)
        await other.closed()
        assert counts == [0]

    run(scenario())


def test_a_browser_that_was_killed_is_noticed_and_cleaned_up(world):
    async def scenario():
        other = world.kind()
        await other.start()
        group = other._process._process.pid
        other._process._process.kill()
        await other.closed()
        with pytest.raises(BrowserFailed, match="gone"):
            await other.open(world.url)
        await other.close()
        await ended(group)

    world.run(scenario())


@pytest.mark.parametrize("ending", ["pass", "1 / 0", "os.kill(os.getpid(), 9)"])
def test_no_process_is_left_when_the_program_ends_without_a_close(installed, tmp_path, run, ending):
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
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    program = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=60,
    )
    assert program.stdout, program.stderr.decode()
    run(ended(int(program.stdout)))
    killed = program.returncode == -9  # who is killed cannot tidy up
    assert bool(list(tmp_path.glob(f"pushlab-{installed.name.lower()}-*"))) == killed
