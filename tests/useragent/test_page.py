"""A button that moves while it is pressed, in both real browsers.

A click takes two messages: one asks where the button is, one sends the mouse there. These tests put
something in between on purpose: a picture of the page, and a page that moves its buttons.
"""

import asyncio
from types import SimpleNamespace

import pytest
from tornado.web import RequestHandler

from pushlab.errors import BrowserFailed
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

PAGE = """<!doctype html>
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


class Page(RequestHandler):
    def get(self):
        self.finish(PAGE)


@pytest.fixture(scope="module", params=[(Firefox, NO_PUSH), (Chromium, NO_DOOR)], ids=["Firefox", "Chromium"])
def browser(request):
    """A real browser, with the loop in which it is driven."""
    agent, push = request.param
    request.getfixturevalue(f"{agent.name.lower()}_installed")
    with asyncio.Runner() as runner:
        started = agent(push)
        runner.run(started.start())
        yield started, runner.run
        runner.run(started.close())


@pytest.fixture
def page(browser, serve):
    """The browser with the page open: ``page(scenario)`` runs a scenario with it."""
    agent, run = browser

    def play(scenario):
        async def whole():
            async with serve([("/", Page)]) as port:
                await agent.open(f"http://127.0.0.1:{port}/")
                return await scenario(agent)

        return run(whole())

    return play


def test_no_picture_comes_between_the_aim_and_the_click(page, monkeypatch):
    async def scenario(agent):
        sent, pictures = [], []
        command, click = agent._session.command, agent.click

        async def noted(method, *arguments, **options):
            sent.append(method)
            return await command(method, *arguments, **options)

        async def click_while_a_picture_is_asked_for(button):
            pictures.append(asyncio.ensure_future(agent.screenshot()))
            await asyncio.sleep(0)  # the picture is under way as far as it may go
            await click(button)
            assert not [method for method in sent if "capture" in method]

        monkeypatch.setattr(agent._session, "command", noted)
        monkeypatch.setattr(agent, "click", click_while_a_picture_is_asked_for)
        await agent.notify_me()
        assert await agent.evaluate(PRESSED) == ["notify-me"]
        (picture,) = await asyncio.gather(*pictures)
        assert picture.startswith(b"\x89PNG")
        assert [method for method in sent if "capture" in method]  # and then it was taken

    page(scenario)


def test_a_hundred_pictures_cost_no_click(page):
    async def scenario(agent):
        ended = asyncio.Event()

        async def look():
            while not ended.is_set():
                await agent.screenshot()

        looking = asyncio.ensure_future(look())
        for _ in range(20):
            await agent.notify_me()
            await agent.notify_all()
        ended.set()
        await looking
        assert await agent.evaluate(PRESSED) == ["notify-me", "notify-all"] * 20

    page(scenario)


def test_a_click_that_misses_presses_nothing_else_and_is_aimed_anew(page):
    async def scenario(agent):
        await agent.evaluate(MOVE_UP_ONCE)
        await agent.notify_me()
        assert await agent.evaluate(PRESSED) == ["notify-me"]

    page(scenario)


def test_a_button_that_the_mouse_never_reaches_is_said(page):
    async def scenario(agent):
        await agent.evaluate(COVER)
        with pytest.raises(BrowserFailed, match="not reach the button notify-me: it reaches #cover"):
            await agent.notify_me()
        assert await agent.evaluate(PRESSED) == []
        # The control: without the cover, which no longer stops anything, the same press arrives.
        await agent.evaluate("() => document.getElementById('cover').remove()")
        await agent.notify_me()
        assert await agent.evaluate(PRESSED) == ["notify-me"]

    page(scenario)
