"""kill -9 at any moment, and a start again: what was answered 201 arrives, and is shown once.

Both servers are one process of ``pushlab serve``, and die together. The user agents and the senders
live on, as they do when a kernel is restarted.
"""

import asyncio
import os
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from functools import partial
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.appserver.delivery.response import PushResponse
from pushlab.errors import BrowserFailed, TimedOut
from pushlab.protocol import p256
from pushlab.protocol.subscription import PushSubscription
from pushlab.settings import patience
from pushlab.useragent.chromium.browser import Chromium
from pushlab.useragent.firefox import profile as firefox_profile
from pushlab.useragent.firefox.browser import Firefox
from pushlab.useragent.virtual import VirtualUserAgent

from .killed import NO_ANSWER, Sender, Served, seeded

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")

AGENTS, MESSAGES, SENDERS = 10, 1000, 4

SENDING, DELIVERING = 3, 3
"""Kills."""

QUEUED = 8
"""Messages for a real browser before each kill."""


class Progress:
    """How much has happened, for whoever waits for a moment."""

    def __init__(self):
        self.made, self.news = 0, asyncio.Event()

    def note(self) -> None:
        self.made += 1
        self.news.set()

    def has_come_to(self, moment: int) -> bool:
        return self.made >= moment

    async def until(self, condition) -> None:
        while not condition():
            self.news.clear()
            await self.news.wait()


class Watched(VirtualUserAgent):
    """A virtual user agent that comes back by itself, as a browser does, and says what it shows."""

    def __init__(self, push_url: str, name: str, progress: Progress):
        super().__init__(push_url, name=name)
        self._progress = progress

    def _on_push(self, plaintext) -> None:
        super()._on_push(plaintext)
        self._progress.note()

    async def stay(self) -> None:
        """Be connected as long as there is somebody to be connected to."""
        while True:
            try:
                await self.connect()
            except (BrowserFailed, TimedOut):
                await asyncio.sleep(0.02)
            else:
                await self._push._closed.wait()

    @property
    def bodies(self) -> Counter:
        return Counter(self.received)


class Sent:
    """A thousand messages to ten user agents, and what was answered to each."""

    def __init__(self, served: Served, agents: list[Watched], progress: Progress):
        self.served, self.agents, self.progress = served, agents, progress
        self.sender = Sender(served)
        self._stored = served.subscriptions()
        self.posted = 0
        self.accepted: dict[Watched, list[bytes]] = {agent: [] for agent in agents}
        self.subscribed: list[str] = []

    @property
    def count(self) -> int:
        return sum(map(len, self.accepted.values()))

    async def post(self, agent: Watched) -> bool:
        """Make one attempt to send the next message, and return whether it was accepted."""
        self.posted += 1
        text = b"message %d" % self.posted
        stored = self._stored[agent.subscription.endpoint]
        answer = await self.sender.post(stored, text)
        if isinstance(answer, PushResponse):
            assert answer.status == 201, answer
            self.accepted[agent].append(text)
            self.progress.note()
            return True
        await asyncio.sleep(0.02)  # Nobody is there. Whether this one arrives, nobody knows.
        return False

    async def send(self) -> None:
        while self.count < MESSAGES:
            await self.post(self.agents[self.posted % len(self.agents)])

    async def subscribe(self) -> None:
        """Add one subscription after the other."""
        while True:
            endpoint = f"https://push.example.net/{len(self.subscribed)}"
            point = p256.raw_public(ec.generate_private_key(ec.SECP256R1()))
            value = PushSubscription(endpoint, point, os.urandom(16)).to_json()
            try:
                reply = await self.served.ask("add-subscription", value)
            except NO_ANSWER:
                await asyncio.sleep(0.02)
            else:
                assert reply.status in (200, 201)
                self.subscribed.append(endpoint)


async def all_shown(sent: Sent, seed: str) -> None:
    """Wait until every message that was answered 201 is shown."""

    def missing() -> int:
        return sum(len(set(texts) - agent.bodies.keys()) for agent, texts in sent.accepted.items())

    try:
        async with asyncio.timeout(patience(120)):
            await sent.progress.until(lambda: not missing())
    except TimeoutError:
        raise AssertionError(f"{missing()} messages were answered 201 and are lost; {seed}") from None


@pytest.mark.usefixtures("programs")
def test_a_thousand_messages_and_a_kill_every_now_and_then(run, tmp_path):
    chance, seed = seeded()
    # Counted in messages accepted and messages shown. While they are sent half of them are shown, too;
    # then come those who were away, and a hundred messages are on their way to each of them.
    all_sent = MESSAGES + MESSAGES // 2
    moments = sorted(chance.sample(range(20, all_sent), SENDING))
    moments += sorted(chance.sample(range(all_sent, 2 * MESSAGES - 50), DELIVERING))

    async def scenario(served: Served, progress: Progress):
        agents = [Watched(served.ws_url, f"Agent {n}", progress) for n in range(AGENTS)]
        for agent in agents:
            await agent.start()
            await agent.open(served.page_url)
            await agent.register()
            await agent.subscribe()
            agent._page_url = ""  # The page is closed: only the push service knows it from now on.
        sent = Sent(served, agents, progress)
        # Half of them stay; the others are away until all is sent, and then have a hundred each.
        present, away = agents[: AGENTS // 2], agents[AGENTS // 2 :]
        for agent in away:
            await agent.disconnect()

        async def kill() -> None:
            for moment in moments:
                await progress.until(partial(progress.has_come_to, moment))
                await served.kill()
                await served.start()

        async with asyncio.TaskGroup() as group:
            staying = [group.create_task(agent.stay()) for agent in present]
            subscribing = group.create_task(sent.subscribe())
            killing = group.create_task(kill())
            await asyncio.gather(*(sent.send() for _ in range(SENDERS)))
            staying += [group.create_task(agent.stay()) for agent in away]
            await killing
            subscribing.cancel()
            await all_shown(sent, seed)
            for task in staying:
                task.cancel()

        # Once more, with everybody there: what is acknowledged stays acknowledged. The last message
        # is behind whatever would be sent again.
        await served.kill()
        await served.start()
        for agent in agents:
            await agent.disconnect()
            await agent.connect()
            while not await sent.post(agent):
                continue  # Its connection was to the one that is dead.
        await all_shown(sent, seed)
        assert sent.count >= MESSAGES + AGENTS
        for agent in agents:
            twice = sum(times > 1 for times in agent.bodies.values())
            assert not twice, f"{agent.name} has shown {twice} messages twice; {seed}"
        lost = set(sent.subscribed) - served.subscriptions().keys()
        assert sent.subscribed and not lost, f"{len(lost)} subscriptions are lost; {seed}"
        for agent in agents:
            await agent.close()
        await sent.sender.close()
        await served.kill()
        for name in ("pushservice", "appserver"):
            with closing(sqlite3.connect(tmp_path / f"{name}.sqlite3")) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        print(f"{sent.posted} posted, {sent.count} answered 201, {progress.made - sent.count} shown, "
              f"{len(sent.subscribed)} subscriptions, {len(moments) + 1} kills")  # fmt: skip

    async def whole():
        async with Served(tmp_path) as served:
            await scenario(served, Progress())

    run(whole(), timeout=240)


class Real:
    """A real browser, what it has been sent, and what it has displayed."""

    def __init__(self, served: Served, agent: Firefox | Chromium):
        self.agent, self.bodies = agent, []
        self._served, self._endpoint = served, ""
        self._displayed, self._progress = Counter(), Progress()

    async def come(self) -> None:
        """Open the page and subscribe."""
        before = self._served.subscriptions().keys()
        await self.agent.start()
        await self.agent.open(self._served.page_url)
        await self.agent.register()
        await self.agent.subscribe()
        [self._endpoint] = self._served.subscriptions().keys() - before
        if isinstance(self.agent, Chromium):
            # Its page forgets notifications now and then; its own record has them all.
            event = "BackgroundService.backgroundServiceEventReceived"
            self.agent._session.listen(event, self._note)

    def _note(self, params: dict) -> None:
        event = params["backgroundServiceEvent"]
        if event["eventName"] == "Notification displayed":
            told = {entry["key"]: entry["value"] for entry in event["eventMetadata"]}
            self._displayed[told["Body"]] += 1
            self._progress.note()

    async def send(self, count: int) -> None:
        """Have the application server send so many messages to it."""
        for _ in range(count):
            body = f"message {len(self.bodies)}"
            # Firefox takes a notification away after 20 seconds, unless it asks for a click; of those
            # it shows three at a time, unless a preference says otherwise.
            options = {"body": body, "requireInteraction": True}
            message = {"title": "Kept", "options": options}
            request = {"endpoint": self._endpoint, "notification": message}
            assert (await self._served.ask("notify-me", request)).status == 200
            self.bodies.append(body)

    async def until_all_is_shown(self) -> None:
        """Wait until all that was sent to it has been displayed."""
        for body in self.bodies:
            if isinstance(self.agent, Chromium):
                async with asyncio.timeout(patience(120)):
                    await self._progress.until(lambda body=body: self._displayed[body])
            else:
                await self.agent.wait_for_notification(body, timeout=patience(120))

    async def shown(self) -> Counter:
        """Count what it has displayed, by its body."""
        if isinstance(self.agent, Chromium):
            return self._displayed
        return Counter(notification.body for notification in await self.agent.notifications())

    async def is_subscribed(self) -> bool:
        """Say whether it is, and with the subscription that it had at the beginning."""
        stored = self._served.subscriptions()
        return await self.agent.state() == "subscribed" and self._endpoint in stored


def test_real_browsers_come_back_by_themselves_and_show_each_message_once(
    firefox_installed, chromium_installed, run, tmp_path, monkeypatch
):
    """Both at once, because a Chromium that has lost its service twice lets half a minute pass."""
    monkeypatch.setitem(firefox_profile.QUIET, "dom.webnotifications.requireinteraction.count", 100)

    async def scenario(served: Served):
        listeners = (await served.ask("chromium", url=served.push_url)).json["data"]
        agents = [Firefox(served.ws_url), Chromium(SimpleNamespace(**listeners))]
        browsers = [Real(served, agent) for agent in agents]
        try:
            for browser in browsers:
                await browser.come()
                await browser.send(1)
                await browser.until_all_is_shown()
            for browser in browsers:
                await browser.send(QUEUED)  # Some are acknowledged at the kill, and some are not.
            await served.kill()
            await served.start()
            for browser in browsers:
                await browser.send(QUEUED)  # These wait, for nobody is back yet.
            await served.kill()
            await served.start()
            for browser in browsers:
                await browser.until_all_is_shown()
                await browser.send(1)
                await browser.until_all_is_shown()
            for browser in browsers:
                assert await browser.shown() == dict.fromkeys(browser.bodies, 1)
                assert await browser.is_subscribed()
            assert len(served.subscriptions()) == len(browsers)
        finally:
            for agent in agents:
                await agent.close()

    async def whole():
        async with Served(tmp_path) as served:
            await scenario(served)

    run(whole(), timeout=300)
