"""The starter in a real Firefox and a real Chromium, on the lab's push service.

Each browser is started once. Each test begins with nobody logged in, no subscription and nothing shown.

A Chromium's endpoints name a vendor's host: the server reaches them as it would behind a company's
proxy, by the variables that requests knows.
"""

import asyncio
from functools import partial

import pytest

from pushlab.pushservice.app import PushService
from pushlab.settings import patience
from pushlab.useragent.chromium.browser import Chromium
from pushlab.useragent.firefox.browser import Firefox

from .conftest import tunnel


class ClickedFirefox(Firefox):
    """A Firefox whose own windows can be operated too: its notifications are such windows."""

    def _arguments(self, folder):
        return ["--remote-allow-system-access", *super()._arguments(folder)]

    async def click_notification(self):
        """Click on the notification as a person does."""
        tree = await self._command("browsingContext.getTree", {"moz:scope": "chrome"})
        alert = next(one["context"] for one in tree["contexts"] if "alert.xhtml" in one["url"])
        call = {
            "functionDeclaration": "() => document.getElementById('alertBox').click()",
            "awaitPromise": True,
            "target": {"context": alert},
        }
        await self._command("script.callFunction", call)

    async def tabs(self):
        tree = await self._command("browsingContext.getTree", {"maxDepth": 0})
        return sorted(one["url"] for one in tree["contexts"])

    async def close_others(self):
        tree = await self._command("browsingContext.getTree", {"maxDepth": 0})
        for one in tree["contexts"]:
            if one["context"] != self._tab:
                await self._command("browsingContext.close", {"context": one["context"]})


class ClickedChromium(Chromium):
    """A Chromium, whose notifications no program can click without a screen.

    So the worker's function is called, and what a browser allows only after a click is recorded.
    """

    opened: tuple[str, ...] = ()

    async def click_notification(self):
        targets = (await self._running().command("Target.getTargets"))["targetInfos"]
        worker = next(one["targetId"] for one in targets if one["type"] == "service_worker")
        attach = {"targetId": worker, "flatten": True}
        session = (await self._running().command("Target.attachToTarget", attach))["sessionId"]
        call = {"expression": CLICK, "awaitPromise": True, "returnByValue": True}
        answer = await self._running().command("Runtime.evaluate", call, sessionId=session)
        self.opened = tuple(answer["result"]["value"])

    async def tabs(self):
        return list(self.opened)

    async def close_others(self):
        self.opened = ()


CLICK = """(async () => {
  const done = [];
  WindowClient.prototype.focus = async function () { done.push(this.url); };
  Clients.prototype.openWindow = async (url) => { done.push(url); };
  const [notification] = await registration.getNotifications();
  await open(notification.data.url);
  return done;
})()"""
BROWSERS = {
    "firefox": lambda service: ClickedFirefox(service.ws_url),
    "chromium": lambda service: ClickedChromium(service.chromium),
}
STATUS = "() => document.getElementById('status').textContent"
FILL = """(name, password) => {
  document.getElementById("name").value = name;
  document.getElementById("password").value = password;
}"""
SUBMIT = """() => document.getElementById("login").requestSubmit()"""
CLEAR = """async () => {
  const registration = await navigator.serviceWorker.ready;
  for (const shown of await registration.getNotifications()) shown.close();
}"""
ENDPOINT = """async () => {
  const registration = await navigator.serviceWorker.ready;
  return (await registration.pushManager.getSubscription())?.endpoint ?? null;
}"""
LOG_IN_ELSEWHERE = """async (name, password) => {
  for (const [route, value] of [["logout", {}], ["login", { name, password }]]) {
    const headers = { "Content-Type": "application/json" };
    await fetch(route, { method: "POST", headers, body: JSON.stringify(value) });
  }
}"""
WATCH = """() => {
  window.subscribed = [];
  const { getNotifications } = ServiceWorkerRegistration.prototype;
  ServiceWorkerRegistration.prototype.getNotifications = async function () {
    subscribed.push(Boolean(await this.pushManager.getSubscription()));
    return getNotifications.call(this);
  };
}"""
LEAVE = """async () => {
  localStorage.clear();
  const registration = await navigator.serviceWorker.ready;
  await (await registration.pushManager.getSubscription())?.unsubscribe();
}"""
VISIBLE = """() => [...document.querySelectorAll("button")]
  .filter((button) => button.checkVisibility()).map((button) => button.id)"""


class World:
    """The lab's push service, the starter's server, and one browser."""

    def __init__(self, name: str, make_server, tmp_path_factory):
        self.runner = asyncio.Runner()
        self.service = PushService()
        self.run(self.service.start())
        listeners = self.service.chromium
        targets = dict.fromkeys(listeners.hosts, listeners.tls_port)
        proxy = self.run(asyncio.start_server(partial(tunnel, targets=targets), "127.0.0.1", 0))
        authority = tmp_path_factory.mktemp("authority") / "ca.pem"
        authority.write_bytes(listeners.ca_pem)
        self.proxy = proxy
        self.server = make_server(
            TEST_PUSH_ORIGIN=self.service.origin,
            HTTPS_PROXY=f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}",
            REQUESTS_CA_BUNDLE=str(authority),
        )
        self.browser = BROWSERS[name](self.service)

    def run(self, coroutine):
        async def bounded():
            async with asyncio.timeout(patience(120)):
                return await coroutine

        return self.runner.run(bounded())

    async def stop(self):
        await self.browser.close()
        self.proxy.close()
        await self.service.stop()

    async def visit(self):
        await self.browser._open(self.server.url)
        await self.until(STATUS, "Ready.")

    async def begin_anew(self):
        """Leave nothing of the test before: with a session go its subscription and messages."""
        self.server.execute("DELETE FROM sessions")
        await self.visit()
        await self.browser.evaluate(LEAVE)
        await self.clear()

    async def until(self, function: str, wanted: object):
        """Ask the page until it gives this; fail with what it gives in the end."""
        await self._until(lambda: self.browser.evaluate(function), wanted)

    async def shows(self, *wanted: tuple[str, str, str]):
        """Wait until the browser shows just these: title, body and URL of each.

        A page that asks by itself could make Chromium forget one: see ``Chromium.notifications``.
        """

        async def shown():
            listed = await self.browser.notifications()
            return [(one.title, one.body, (one.data or {}).get("url")) for one in listed]

        await self._until(shown, list(wanted))

    async def clear(self):
        """Close what is shown. Chromium's record counts what it has not been asked about as shown."""
        await self.browser.notifications()
        await self.browser.evaluate(CLEAR)
        await self.shows()

    async def _until(self, ask, wanted: object):
        found = None
        try:
            async with asyncio.timeout(patience(20)):
                while (found := await ask()) != wanted:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"{found!r} is not {wanted!r}; the server says: {self.server.lines[-5:]}")

    async def press(self, button: str, wanted: str):
        await self.browser.click(button)
        await self.until(STATUS, wanted)

    async def log_in(self, name: str):
        await self.browser.evaluate(FILL, name, f"{name}'s password")
        await self.browser.evaluate(SUBMIT)
        await self.until(STATUS, "You are logged in.")

    async def turn_on(self, name: str):
        await self.log_in(name)
        await self.press("on", "Notifications are on.")

    async def buttons(self):
        return await self.browser.evaluate(VISIBLE)


@pytest.fixture(scope="module", params=BROWSERS)
def running(request, make_server, tmp_path_factory):
    request.getfixturevalue(f"{request.param}_installed")
    world = World(request.param, make_server, tmp_path_factory)
    with world.runner:
        world.run(world.browser.start())
        yield world
        world.run(world.stop())


@pytest.fixture
def world(running):
    running.run(running.begin_anew())
    return running


def test_a_person_turns_notifications_on_gets_one_and_turns_them_off(world, person):
    async def scenario():
        assert await world.buttons() == [""], "the log-in's alone"
        await world.log_in("alice")
        assert await world.buttons() == ["on", "logout"]
        await world.press("on", "Notifications are on.")
        assert await world.buttons() == ["off", "test", "logout"]
        await world.press("test", "It is on its way.")
        await world.shows(("Hello", "This is a test.", world.server.url))
        await world.press("off", "Notifications are off.")
        assert await world.browser.evaluate(ENDPOINT) is None
        assert await world.buttons() == ["on", "logout"]

    world.run(scenario())
    elsewhere = person(world.server, "alice")
    assert elsewhere.log_in("alice's password") == 200
    assert elsewhere.say("notify-me") == 409


PAYLOADS = {
    "": ("News", "", ""),  # pywebpush sends a message without a payload
    "The bus is late": ("News", "The bus is late", ""),
    '{"title": "The b': ("News", '{"title": "The b', ""),
    '["title"]': ("News", '["title"]', ""),
    '{"title": 7}': ("News", '{"title": 7}', ""),
    '{"title": "Bus", "url": "https://evil.example/"}': ("Bus", "", ""),
    '{"title": "Tram", "body": 9, "url": "?tram=9", "tag": null}': ("Tram", "9", "?tram=9"),
}


def test_every_payload_shows_something_and_leads_to_a_page_of_ours(world):
    insert = """INSERT INTO messages (endpoint, host, payload, expires, due)
        SELECT endpoint, 'test', ?, unixepoch() + 600, 0 FROM subscriptions"""

    async def scenario():
        await world.turn_on("alice")
        for payload, (title, body, page) in PAYLOADS.items():
            world.server.execute(insert, payload)
            shown = await world.browser.wait_for_notification(body, title)
            if shown.data:  # what Chromium itself reports has none
                assert shown.data["url"] == world.server.url + page

    world.run(scenario())


def test_a_click_focuses_the_page_or_opens_it(world):
    async def tabs(*wanted):
        async with asyncio.timeout(patience(20)):
            while await world.browser.tabs() != sorted(wanted):
                await asyncio.sleep(0.05)

    async def scenario():
        await world.turn_on("alice")
        home = world.server.url
        for page, also in ((home, []), (home + "me", [home + "me"])):
            await world.press("test", "It is on its way.")
            await world.browser.wait_for_notification("This is a test.")
            await world.browser._open(page)
            await world.browser.click_notification()
            await tabs(home, *(also if world.browser.name == "Firefox" else []))
            await world.browser.close_others()
            await world.visit()
            await world.clear()

    world.run(scenario())


def test_the_server_forgets_and_the_next_visit_mends_it(world, person):
    elsewhere = person(world.server, "alice")
    elsewhere.log_in("alice's password")

    async def scenario():
        await world.turn_on("alice")
        endpoint = await world.browser.evaluate(ENDPOINT)
        world.server.execute("DELETE FROM subscriptions")
        await asyncio.to_thread(world.server.restart)
        assert elsewhere.say("notify-me") == 409
        await world.visit()
        assert await world.browser.evaluate(ENDPOINT) == endpoint
        assert elsewhere.say("notify-me") == 202
        await world.shows(("Hello", "This is a test.", world.server.url))

    world.run(scenario())


def test_with_a_new_key_the_next_visit_subscribes_again(world, person):
    elsewhere = person(world.server, "alice")
    elsewhere.log_in("alice's password")

    async def scenario():
        await world.turn_on("alice")
        endpoint = await world.browser.evaluate(ENDPOINT)
        (world.server.folder / "vapid.pem").unlink()
        await asyncio.to_thread(world.server.restart)
        # With the old subscription the new key is refused: the control.
        assert elsewhere.say("notify-me") == 202
        await asyncio.to_thread(world.server.wait_for, "look at our key")
        await world.visit()
        assert await world.browser.evaluate(ENDPOINT) not in (None, endpoint)
        await world.shows()
        assert elsewhere.say("notify-me") == 202
        await world.shows(("Hello", "This is a test.", world.server.url))

    world.run(scenario())


def test_the_next_person_at_this_machine_gets_nothing_of_the_one_before(world, person):
    elsewhere = person(world.server, "alice")
    elsewhere.log_in("alice's password")

    async def scenario():
        await world.turn_on("alice")
        assert elsewhere.say("notify-me") == 202
        # Firefox lists a notification some moments after it has shown it, and closes only listed ones.
        await world.shows(("Hello", "This is a test.", world.server.url))
        await world.browser.evaluate(WATCH)
        await world.press("logout", "You are logged out.")
        # What is shown is closed when nothing more can arrive, and not before.
        assert await world.browser.evaluate("() => subscribed") == [False]
        await world.shows()
        assert await world.browser.evaluate(ENDPOINT) is None
        assert elsewhere.say("notify-me") == 409
        await world.log_in("bob")
        assert await world.buttons() == ["on", "logout"]
        await world.press("on", "Notifications are on.")
        assert elsewhere.say("notify-me") == 409
        # Bob's session ends without a log-out, and Alice comes: his subscription ends.
        world.server.execute("DELETE FROM sessions")
        await world.visit()
        await world.log_in("alice")
        assert await world.browser.evaluate(ENDPOINT) is None
        assert await world.buttons() == ["on", "logout"]

    world.run(scenario())


def test_another_tab_has_logged_in_as_somebody_else(world):
    async def scenario():
        await world.log_in("alice")
        await world.browser.evaluate(LOG_IN_ELSEWHERE, "bob", "bob's password")
        await world.press("on", "Notifications are on.")
        await world.visit()
        assert await world.buttons() == ["off", "test", "logout"], "they are Bob's, and stay on"

    world.run(scenario())


def test_the_push_service_forgets_and_both_browsers_subscribe_again(world, person):
    """Firefox fires pushsubscriptionchange. Chromium keeps the dead one, until the next visit."""
    elsewhere = person(world.server, "alice")
    elsewhere.log_in("alice's password")

    async def scenario():
        await world.turn_on("alice")
        endpoint = await world.browser.evaluate(ENDPOINT)
        port = world.service.port
        await world.service.stop()  # with it goes its database, which is in memory
        await world.service.start(port)
        if world.browser.name == "Chromium":
            assert elsewhere.say("notify-me") == 202
            await asyncio.to_thread(world.server.wait_for, "404, subscription removed")
            assert await world.browser.evaluate(ENDPOINT) == endpoint
            await world.visit()
        async with asyncio.timeout(patience(60)):
            while await world.browser.evaluate(ENDPOINT) in (None, endpoint):
                await asyncio.sleep(0.1)
            # The browser has the new one before the server has: until then a message is in vain.
            while not any(line.endswith(": 201") for line in world.server.lines):
                elsewhere.say("notify-me")
                await asyncio.sleep(0.5)

    world.server.lines.clear()
    world.run(scenario())
