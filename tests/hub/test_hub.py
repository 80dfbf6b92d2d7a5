"""Three people on one machine, as in a classroom: each has a lab, and nobody is in another's.

They log in to a real JupyterHub. The tests follow one another, as a lesson does.
"""

import json
import shutil
from contextlib import suppress
from urllib.parse import urlsplit

import nbformat
import pytest
from playwright.sync_api import expect, sync_playwright
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClosedError, websocket_connect

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.web.application import application
from pushlab.cli.join import listeners_of
from pushlab.lab.data_folder import holder_of
from pushlab.lab.loop import BackgroundLoop
from pushlab.lab.private import PrivateAddresses
from pushlab.settings import patience
from pushlab.useragent.chromium.browser import Chromium
from pushlab.useragent.firefox.browser import Firefox

from ..notebook.jupyter import SHUT_DOWN, faults, page_of, part, run_all
from ..notebook.lessons import solution
from .conftest import USERS

LESSON = "00_start_here"
START = "from pushlab import Lab\nlab = Lab()\nprint(lab.page_url)"
CELLS = [START, "lab.panel()"]
HELLO = {"messageType": "hello", "broadcasts": {}, "use_webpush": True}

# Send the form of the hub's login page, without leaving it, and say whether the hub leads on.
LOG_IN = """async (name) => {
  const form = document.querySelector("form");
  form.username.value = name;
  const sent = { method: "POST", body: new FormData(form), redirect: "manual" };
  return (await fetch(form.action, sent)).type === "opaqueredirect";
}"""


@pytest.fixture(scope="module")
def servers(hub):
    """Start the servers of all users."""
    for user in USERS:
        hub.api(f"users/{user}", "POST")
    hub.start(*USERS)


@pytest.fixture(scope="module")
def page(hub, servers, chromium_installed, artifacts):
    """Give JupyterLab in a Chromium, as Ada sees it when she has logged in. Her home has notebooks."""
    shutil.copy(solution(LESSON), hub.home / "ada")
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, hub.home / "ada" / "own.ipynb")
    login = f"{hub.url}hub/login?next=/user/ada/lab"
    with (
        sync_playwright() as playwright,
        page_of(playwright, chromium_installed, login, _log_in) as page,
    ):
        with artifacts.offer("jupyterlab.png", page.screenshot):
            yield page


def _log_in(page) -> None:
    page.fill("#username_input", "ada")
    page.click("#login_submit")


@pytest.fixture(scope="module")
def labs(hub, page):
    """Let each user run a lab, Ada in JupyterLab and the others in kernels; give what they print."""
    first, _ = run_all(page, "own.ipynb")
    others = {user: hub.run(user, START) for user in USERS if user != "ada"}
    return {"ada": first.outputs[0].text} | others


@pytest.fixture(scope="module")
def loop():
    loop = BackgroundLoop()
    yield loop
    loop.stop()


@pytest.fixture(scope="module")
def bens_firefox(hub, labs, loop, firefox_installed):
    """Give a lab Firefox that has received a push through the hub, and is closed at the end."""
    agent = Firefox(_push_service(hub, "ben"))
    loop.run(agent.start(), timeout=patience(120))
    try:
        loop.run(_receives_a_push(agent, hub, "ben"), timeout=patience(240))
        yield agent
    finally:
        loop.run(agent.close(), timeout=patience(120))


def _push_service(hub, user: str) -> str:
    return holder_of(hub.home / user / ".pushlab").push_service


def _kept(hub, user: str) -> PrivateAddresses:
    return PrivateAddresses.read(hub.home / user / ".pushlab")


def test_lesson_00_runs_whole(page):
    cells = run_all(page, f"{LESSON}.ipynb")
    assert faults(cells, page) == []
    page.evaluate(SHUT_DOWN)


def test_the_page_is_at_an_address_of_the_user_s_own(labs, hub):
    keys = set()
    for user, address in labs.items():
        assert address == f"/user/{user}/pushlab/\n"
        status, key = hub.ask(f"user/{user}/pushlab/vapid", token=hub.token_of(user))
        assert status == 200
        keys.add(key)
    assert len(keys) == len(USERS)


def test_the_panel_shows_the_page_at_that_address(labs, page, hub):
    link = part(page, "own-browser").locator("a")
    expect(link).to_have_attribute("href", "/user/ada/pushlab/")
    part(page, "show-iframe").click()
    frame = part(page, "iframe").frame_locator("iframe")
    frame.locator("#register").click()
    expect(frame.locator("#registration")).to_contain_text(f"Scope: {hub.url}user/ada/pushlab/")
    expect(frame.locator("#events")).to_contain_text("registered")  # It came as an event.


async def _receives_a_push(agent, hub, user: str) -> None:
    page = f"{hub.url}user/{user}/pushlab/"
    await agent.visit(f"{hub.url}hub/login")
    assert await agent.evaluate(LOG_IN, user)
    await agent.open(page)
    await agent.register()
    scopes = "async () => (await navigator.serviceWorker.getRegistrations()).map((one) => one.scope)"
    assert await agent.evaluate(scopes) == [page]
    await agent.subscribe()
    await agent.notify_me()
    await agent.wait_for_notification(title="Hello, Notifications!")


def test_a_lab_browser_of_each_receives_a_push_through_the_hub(labs, hub, loop, bens_firefox):
    assert loop.run(bens_firefox.state(), timeout=patience(60)) == "subscribed"
    for user in ("ada", "cleo"):
        agent = Chromium(listeners_of(_push_service(hub, user)))
        loop.run(agent.start(), timeout=patience(120))
        try:
            loop.run(_receives_a_push(agent, hub, user), timeout=patience(240))
            loop.run(agent.unsubscribe(), timeout=patience(120))
        finally:
            loop.run(agent.close(), timeout=patience(120))


def test_no_neighbour_gets_in(labs, hub):
    """Ben may do in his server whatever he likes; his server passes on every port of the machine."""
    ben, ada = hub.token_of("ben"), _kept(hub, "ada")
    table = application(ApplicationServer(keys=VapidKeys.generate())).wildcard_router.rules
    routes = [rule.matcher.regex.pattern.strip("/$") for rule in table]
    assert {"notify-all", "subscriptions", "events"} < set(routes)
    for route in [*routes[:-1], "", "index.html", "sw.js", f"{'x' * 32}/vapid"]:
        for method in ("GET", "POST"):
            for port in (ada.port, ada.push_port):
                status, body = hub.ask(f"user/ben/proxy/{port}/{route}", method, ben)
                assert (status, json.loads(body)["error"]["id"]) == (403, "private-lab"), route
            status, body = hub.ask(f"user/ada/pushlab/{route}", method, ben)
            assert status == 403 and b"pushlab" not in body, route
            status, _ = hub.ask(f"user/ada/pushlab/{route}", method)
            assert status in (302, 403), "nobody has logged in"
    # The control: the same requests of their owner.
    status, _ = hub.ask(f"user/ada/proxy/{ada.port}/{ada.page_secret}/vapid", token=hub.token_of("ada"))
    assert status == 200


def test_no_neighbour_poses_as_a_browser(labs, hub, loop):
    ben, ada, own = hub.token_of("ben"), _kept(hub, "ada"), _kept(hub, "ben")
    base = f"{hub.url.replace('http', 'ws', 1)}user/ben/proxy"

    async def hello(url: str) -> str | None:
        request = HTTPRequest(url, headers={"Authorization": f"token {ben}"})
        connection = await websocket_connect(request)
        try:
            with suppress(WebSocketClosedError):  # A refusal may be here before hello is sent.
                await connection.write_message(json.dumps(HELLO))
            return await connection.read_message()
        finally:
            connection.close()

    def answer(port: int, path: str) -> str | None:
        return loop.run(hello(f"{base}/{port}/{path}"), timeout=patience(60))

    assert answer(ada.push_port, "") is None
    assert answer(ada.push_port, f"{own.push_secret}/") is None
    assert json.loads(answer(own.push_port, f"{own.push_secret}/"))["status"] == 200


def test_a_lab_comes_back_when_the_hub_starts_a_server_again(labs, hub, loop, bens_firefox):
    before = _kept(hub, "ben")
    hub.stop("ben")
    assert hub.ask("user/ben/pushlab/health", token=hub.token_of("ben"))[0] != 200
    hub.wait(lambda: holder_of(hub.home / "ben" / ".pushlab") is None)  # its kernel has ended
    hub.start("ben")
    assert hub.run("ben", START) == labs["ben"]
    assert _kept(hub, "ben") == before
    assert urlsplit(_push_service(hub, "ben")).port == before.push_port
    # The browser has stayed open, with its worker and its subscription.
    loop.run(bens_firefox.open(f"{hub.url}user/ben/pushlab/"), timeout=patience(120))
    assert loop.run(bens_firefox.state(), timeout=patience(60)) == "subscribed"
    loop.run(bens_firefox.notify_me(), timeout=patience(120))
    shown = loop.run(bens_firefox.wait_for_notification(body="ID: 1"), timeout=patience(120))
    assert shown.title == "Hello, Notifications!"
