"""The Chrome DevTools Protocol, against a browser that the test plays.

What it has in common with WebDriver BiDi is in ``test_bidi.py``.
"""

import asyncio

import pytest

from pushlab.errors import BrowserFailed
from pushlab.useragent.chromium.cdp import Cdp


def test_a_command_about_the_browser_names_no_session(run, peer):
    async def scenario():
        async with peer() as browser:
            cdp = await Cdp.connect(browser.url)
            answer = asyncio.create_task(cdp.command("Target.getTargets"))
            assert await browser.heard() == {"id": 1, "method": "Target.getTargets", "params": {}}
            await browser.say({"id": 1, "result": {"targetInfos": []}})
            assert await answer == {"targetInfos": []}
            await cdp.close()

    run(scenario())


def test_a_command_about_a_tab_names_it_beside_the_parameters(run, peer):
    async def scenario():
        async with peer() as browser:
            cdp = await Cdp.connect(browser.url)
            navigate = cdp.command("Page.navigate", {"url": "about:blank"}, sessionId="5F3A")
            answer = asyncio.create_task(navigate)
            assert await browser.heard() == {
                "id": 1,
                "method": "Page.navigate",
                "params": {"url": "about:blank"},
                "sessionId": "5F3A",
            }
            await browser.say({"id": 1, "result": {"frameId": "f"}, "sessionId": "5F3A"})
            assert await answer == {"frameId": "f"}
            await cdp.close()

    run(scenario())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"code": -32602, "message": "Invalid parameters", "data": "url"}, "Invalid parameters: url"),
        ({"code": -32000, "message": "Not attached"}, "Not attached"),
    ],
)
def test_an_error_is_told_in_the_browser_s_own_words(run, peer, error, words):
    async def scenario():
        async with peer() as browser:
            cdp = await Cdp.connect(browser.url)
            answer = asyncio.create_task(cdp.command("Page.navigate"))
            await browser.heard()
            await browser.say({"id": 1, "error": error})
            with pytest.raises(BrowserFailed, match=f"^{words}\\. Fault"):
                await answer
            await cdp.close()

    run(scenario())


def test_events_of_a_tab_reach_those_who_listen_to_them_alone(run, peer):
    async def scenario():
        async with peer() as browser:
            cdp = await Cdp.connect(browser.url)
            calls, thrown = [], asyncio.Queue()
            cdp.listen("Runtime.consoleAPICalled", calls.append)
            cdp.listen("Runtime.exceptionThrown", thrown.put_nowait)
            await browser.say({"method": "Network.other", "params": {}, "sessionId": "s"})
            await browser.say({"method": "Runtime.exceptionThrown", "params": {"n": 1}})
            assert await thrown.get() == {"n": 1}
            assert calls == []
            await cdp.close()

    run(scenario())


def test_a_browser_that_goes_away_fails_what_waits_and_what_follows(run, peer):
    async def scenario():
        async with peer() as browser:
            cdp = await Cdp.connect(browser.url)
            answer = asyncio.create_task(cdp.command("Page.navigate"))
            await browser.heard()
            browser.hang_up()
            with pytest.raises(BrowserFailed, match="went away"):
                await answer
            with pytest.raises(BrowserFailed, match="gone before Browser.close"):
                await cdp.command("Browser.close")
            await cdp.close()

    run(scenario())
