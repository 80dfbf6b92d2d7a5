"""The page behind a real jupyter-server-proxy, in real browsers, at /user/x/proxy/PORT/.

A JupyterHub looks like this from a browser: Jupyter at a path of its own, everything behind its
login, and the lab at no address but Jupyter's.
"""

import json
import re
import urllib.error
import urllib.request
from types import SimpleNamespace
from urllib.parse import urlsplit

import nbformat
import pytest
from playwright.sync_api import expect, sync_playwright

from pushlab.lab.runtime import LabRuntime
from pushlab.settings import DIRECT, patience
from pushlab.useragent.chromium.browser import Chromium
from pushlab.useragent.chromium.profile import switches
from pushlab.useragent.firefox.browser import Firefox

from ..run import kernels
from .jupyter import LOG, RUNTIME, TOKEN, be_patient, part, run_all, running

BASE = "/user/x/"
REGISTRATIONS = """async () => {
  const found = await navigator.serviceWorker.getRegistrations();
  return found.map((one) => [one.scope, one.active.scriptURL]);
}"""
# Resolves when the page's log of events says this.
TOLD = """(what) => new Promise((resolve) => {
  const log = document.getElementById("events");
  const observer = new MutationObserver(look);
  function look() {
    if (!log.textContent.includes(what)) return;
    observer.disconnect();
    resolve();
  }
  observer.observe(log, { childList: true, subtree: true, characterData: true });
  look();
})"""
CELLS = [
    # Run twice, it is one lab.
    "from pushlab import Lab\nlab = globals().get('lab') or Lab()\nprint(lab.page_url)",
    "lab.panel()",
]


@pytest.fixture(scope="module")
def jupyter(home, artifacts, notebook_kernel):
    """Give the address of a JupyterLab at /user/x/, with one notebook."""
    folder = home / "notebooks"
    folder.mkdir()
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "page.ipynb")
    with artifacts.offer(LOG, lambda: home / LOG), running(home, folder, BASE) as url:
        yield url


@pytest.fixture
def lab(tmp_path):
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        yield lab


def status_of(url: str) -> int:
    try:
        with DIRECT.open(url, timeout=patience(60)) as answer:
            assert answer.url == url or "login" in answer.url
            return answer.status if answer.url == url else 302
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_nobody_comes_past_jupyter_s_login(jupyter, lab):
    page = f"{jupyter}proxy/{lab.application_server.port}/"
    assert status_of(f"{page}health") in (302, 403)
    assert status_of(f"{page}health?token={TOKEN}") == 200


# With these ids both run in one process, which starts one JupyterLab (see tests/run/schedule.py).
@pytest.mark.parametrize("kind", ["firefox", "chromium"], ids="in_{}".format)
def test_a_push_is_received_and_shown(kind, jupyter, lab, request):
    request.getfixturevalue(f"{kind}_installed")
    service, port = lab.push_service, lab.application_server.port
    agent = Firefox(service.ws_url) if kind == "firefox" else Chromium(service.chromium)
    page = f"{jupyter}proxy/{port}/"
    lab.run(agent.start(), timeout=patience(120))
    try:
        # The token signs this browser in, as a hub's login does; from then on it has a cookie.
        lab.run(agent.open(f"{page}?token={TOKEN}"))
        lab.run(agent.open(page))
        lab.run(agent.register())
        assert lab.run(agent.evaluate(REGISTRATIONS)) == [[page, f"{page}sw.js"]]
        lab.run(agent.subscribe())
        assert lab.run(agent.state()) == "subscribed"
        assert len(lab.subscriptions()) == 1
        before = lab.journal.last
        lab.run(agent.notify_me())
        shown = lab.run(agent.wait_for_notification(title="Hello, Notifications!"))
        assert shown.body == "ID: 1"
        # The worker reports by its relative URL, so with the proxy's cookie.
        lab.wait_for("notification shown", before)
        assert "push received" in [event.what for event in lab.journal.events(before)]
        # The server-sent events pass as they come: the page's log has what has just happened.
        lab.run(agent.evaluate(TOLD, "notification shown"))
        # It controls nothing else of this origin: JupyterLab is there, too.
        lab.run(agent.evaluate("async (url) => { await fetch(url); }", f"{jupyter}api/status"))
        assert lab.run(agent.evaluate(REGISTRATIONS)) == [[page, f"{page}sw.js"]]
        scope = "() => navigator.serviceWorker.controller?.scriptURL ?? null"
        assert lab.run(agent.evaluate(scope)) == f"{page}sw.js"
        lab.run(agent.unsubscribe())
        assert lab.subscriptions() == []
    finally:
        lab.run(agent.close())


@pytest.fixture(scope="module")
def playwright():
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def notebook(playwright, home, jupyter, chromium_installed, tmp_path_factory, artifacts):
    """Give JupyterLab in a Chromium that uses the push service of the notebook's own lab."""
    # Which push service that is the kernel says, so the notebook has its kernel before the browser.
    session = {"path": "page.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    started = urllib.request.Request(
        f"{jupyter}api/sessions?token={TOKEN}", json.dumps(session).encode()
    )
    with DIRECT.open(started, timeout=patience(60)) as answer:
        number = json.load(answer)["kernel"]["id"]
    with kernels.attached(home / RUNTIME / f"kernel-{number}.json") as client:
        page_url = kernels.printed(client, CELLS[0]).strip()
    assert page_url.startswith(f"{BASE}proxy/")
    origin = f"http://{urlsplit(jupyter).netloc}"
    with DIRECT.open(f"{origin}{page_url}health?token={TOKEN}", timeout=patience(60)) as answer:
        push_service = json.load(answer)["data"]["push_service"].replace("ws", "http", 1)
    with DIRECT.open(f"{push_service}chromium", timeout=patience(60)) as answer:
        listeners = SimpleNamespace(**json.load(answer)["data"])
    profile = tmp_path_factory.mktemp("chromium")
    # Playwright says itself where the profile is and how it drives, and waits for a first window.
    theirs = ("--remote", "--user-data-dir", "--no-startup-window")
    every = switches(listeners, profile, headless=True)
    told = [one for one in every if not one.startswith(theirs)]
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=chromium_installed, args=told, permissions=["notifications"],
        viewport={"width": 1400, "height": 1300}, timeout=1000 * patience(120),
    )  # fmt: skip
    page = context.new_page()
    be_patient(page)
    page.goto(f"{jupyter}lab?token={TOKEN}")
    page.wait_for_function("window.jupyterapp")
    run_all(page, "page.ipynb")
    with artifacts.offer("jupyterlab.png", page.screenshot):
        yield SimpleNamespace(page=page, client=f"{origin}{page_url}")
    context.close()


def subscribe(client) -> None:
    """Press the page's buttons, unless the browser is subscribed already."""
    body = client.locator("body")
    expect(body).to_have_attribute("data-state", re.compile("^(subscribed|unregistered)$"))
    if body.get_attribute("data-state") == "unregistered":
        client.locator("#register").click()
        client.locator("#subscribe").click()
    expect(body).to_have_attribute("data-state", "subscribed")


def test_the_page_in_an_iframe_of_the_notebook_works_whole(notebook):
    page = notebook.page
    link = part(page, "own-browser").locator("a")
    expect(link).to_have_attribute("href", urlsplit(notebook.client).path)
    part(page, "show-iframe").click()
    expect(part(page, "result")).to_contain_text("The page opened below")
    client = part(page, "iframe").frame_locator("iframe")
    subscribe(client)
    expect(client.locator("#registration")).to_contain_text(f"Scope: {notebook.client}")
    client.locator("#notify-me").click()
    expect(client.locator("#notifications")).to_contain_text("Hello, Notifications!")
    expect(part(page, "subscriptions")).to_contain_text("Chromium")
    # JupyterLab itself has no worker: the scope is the page's folder.
    assert page.evaluate("() => navigator.serviceWorker.controller") is None
    part(page, "show-iframe").click()
    expect(part(page, "iframe").locator("iframe")).to_have_count(0)


def test_the_frame_is_there_in_a_second_view_as_well(notebook):
    """What the panel says then: a view of the output stays in sight while the notebook scrolls."""
    page = notebook.page
    part(page, "show-iframe").click()
    expect(part(page, "iframe").locator("iframe")).to_be_visible()
    subscribe(part(page, "iframe").frame_locator("iframe"))
    page.evaluate("() => jupyterapp.commands.execute('notebook:create-output-view')")
    frames = part(page, "iframe").locator("iframe")
    expect(frames).to_have_count(2)
    for frame in frames.all():
        expect(frame.content_frame.locator("body")).to_have_attribute("data-state", "subscribed")
        assert frame.bounding_box()["width"] > 300
