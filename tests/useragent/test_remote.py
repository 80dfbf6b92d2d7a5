"""WebDriver BiDi and the Chrome DevTools Protocol, against a browser that the test plays."""

import asyncio

import pytest

from pushlab.errors import BrowserFailed, TimedOut
from pushlab.useragent.chromium.browser import Cdp
from pushlab.useragent.firefox.browser import Bidi


def test_a_command_gives_its_result(run, peer):
    async def scenario():
        async with peer() as browser:
            bidi = await Bidi.connect(browser.url)
            answer = asyncio.create_task(bidi.command("session.new", {"capabilities": {}}))
            heard = await browser.heard()
            assert heard == {"id": 1, "method": "session.new", "params": {"capabilities": {}}}
            await browser.say({"type": "success", "id": 1, "result": {"sessionId": "s"}})
            assert await answer == {"sessionId": "s"}
            await bidi.close()

    run(scenario())


def test_a_command_without_parameters_sends_an_empty_object(run, peer):
    async def scenario():
        async with peer() as browser:
            bidi = await Bidi.connect(browser.url)
            answer = asyncio.create_task(bidi.command("browser.close"))
            assert (await browser.heard())["params"] == {}
            await browser.say({"type": "success", "id": 1, "result": {}})
            await answer
            await bidi.close()

    run(scenario())


def test_answers_may_come_in_any_order(run, peer):
    async def scenario():
        async with peer() as browser:
            bidi = await Bidi.connect(browser.url)
            first = asyncio.create_task(bidi.command("first"))
            second = asyncio.create_task(bidi.command("second"))
            ids = {(heard := await browser.heard())["method"]: heard["id"] for _ in range(2)}
            for method in ("second", "first"):
                await browser.say({"type": "success", "id": ids[method], "result": {"of": method}})
            assert [await first, await second] == [{"of": "first"}, {"of": "second"}]
            await bidi.close()

    run(scenario())


def test_an_error_is_quoted_in_the_browser_s_own_words(run, peer):
    async def scenario():
        async with peer() as browser:
            bidi = await Bidi.connect(browser.url)
            answer = asyncio.create_task(bidi.command("browsingContext.navigate"))
            await browser.heard()
            await browser.say(
                {"type": "error", "id": 1, "error": "no such frame", "message": "It was closed"}
            )
            with pytest.raises(BrowserFailed, match="no such frame: It was closed"):
                await answer
            await bidi.close()

    run(scenario())


def test_a_silent_browser_times_out_and_its_late_answer_disturbs_nothing(run, peer):
    async def scenario():
        async with peer() as browser:
            bidi = await Bidi.connect(browser.url)
            with pytest.raises(TimedOut, match="did not answer slow within 0.05 s"):
                await bidi.command("slow", timeout=0.05)
            await browser.heard()
            await browser.say({"type": "success", "id": 1, "result": {"of": "slow"}})
            answer = asyncio.create_task(bidi.command("quick"))
            await browser.heard()
            await browser.say({"type": "success", "id": 2, "result": {"of": "quick"}})
            assert await answer == {"of": "quick"}
            await bidi.close()

    run(scenario())


def test_a_browser_that_goes_away_fails_what_waits_and_what_follows(run, peer):
    async def scenario():
        async with peer() as browser:
            bidi = await Bidi.connect(browser.url)
            answer = asyncio.create_task(bidi.command("browsingContext.navigate"))
            await browser.heard()
            assert not bidi.closed.is_set()
            browser.hang_up()
            with pytest.raises(BrowserFailed, match="has ended"):
                await answer
            assert bidi.closed.is_set()
            with pytest.raises(BrowserFailed, match="ended before browsingContext.getTree"):
                await bidi.command("browsingContext.getTree")
            await bidi.close()

    run(scenario())


def test_events_reach_their_listeners_only(run, peer):
    async def scenario():
        async with peer() as browser:
            bidi = await Bidi.connect(browser.url)
            loads, logs = [], asyncio.Queue()
            bidi.listen("browsingContext.load", loads.append)
            bidi.listen("log.entryAdded", logs.put_nowait)
            await browser.say({"type": "event", "method": "network.other", "params": {}})
            await browser.say({"type": "event", "method": "log.entryAdded", "params": {"text": "a"}})
            assert await logs.get() == {"text": "a"}
            assert loads == []
            await bidi.close()

    run(scenario())


def test_close_ends_the_connection_at_both_ends(run, peer):
    async def scenario():
        async with peer() as browser:
            bidi = await Bidi.connect(browser.url)
            await bidi.close()
            await browser.gone.wait()
            assert bidi.closed.is_set()

    run(scenario())


def test_nobody_at_the_url_is_said(run, unused_tcp_port):
    with pytest.raises(BrowserFailed, match="does not answer"):
        run(Bidi.connect(f"ws://127.0.0.1:{unused_tcp_port}/session"))


def test_what_is_no_websocket_is_said(run, serve):
    async def scenario():
        async with serve([]) as port:
            with pytest.raises(BrowserFailed, match="does not answer"):
                await Bidi.connect(f"ws://127.0.0.1:{port}/session")

    run(scenario())


# --- the Chrome DevTools Protocol's own: which tab a command is for ------------------------------


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
def test_a_chromium_s_error_is_quoted_in_its_own_words(run, peer, error, words):
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


def test_events_of_a_tab_reach_their_listeners_only(run, peer):
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


def test_a_chromium_that_goes_away_fails_what_waits_and_what_follows(run, peer):
    async def scenario():
        async with peer() as browser:
            cdp = await Cdp.connect(browser.url)
            answer = asyncio.create_task(cdp.command("Page.navigate"))
            await browser.heard()
            browser.hang_up()
            with pytest.raises(BrowserFailed, match="has ended"):
                await answer
            with pytest.raises(BrowserFailed, match="ended before Browser.close"):
                await cdp.command("Browser.close")
            await cdp.close()

    run(scenario())
