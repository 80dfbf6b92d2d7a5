"""What only Chromium can tell: what became of a message between its arrival and the push event.

Its BackgroundService domain is the record that a person sees in the developer tools under
Application, Background services, Push messaging.
"""

import asyncio

from pushlab.protocol.delivery import PushOptions


class Record:
    """What Chromium notes of the push messages that it gets."""

    def __init__(self, agent):
        self._agent = agent
        self._news = asyncio.Queue()
        self.noted = []

    async def begin(self):
        """Have Chromium record, and tell what it records."""
        self._agent._session.listen(
            "BackgroundService.backgroundServiceEventReceived",
            lambda params: self._news.put_nowait(params["backgroundServiceEvent"]),
        )
        service = {"service": "pushMessaging"}
        await self._agent._command("BackgroundService.startObserving", service)
        await self._agent._command(
            "BackgroundService.setRecording", {"shouldRecord": True} | service
        )

    async def until(self, name):
        """Wait for the next event with this name; return what is noted beside it."""
        while True:
            event = await self._news.get()
            self.noted.append(event["eventName"])
            if event["eventName"] == name:
                return {entry["key"]: entry["value"] for entry in event["eventMetadata"]}


def test_chromium_says_what_it_decrypts_and_what_it_cannot(chromium_world):
    world = chromium_world

    async def scenario():
        await world.begin()
        record = Record(world.agent)
        await record.begin()

        assert await world.post(world.encrypt(b"good")) == 201
        received = await record.until("Push message received")
        assert received == {"Success": "Yes", "Payload": "good", "Was Encrypted": "Yes"}
        assert await record.until("Push event dispatched") == {"Payload": "good"}
        assert await record.until("Push event completed") == {"Status": "Success"}
        await world.agent.wait_for_notification("good")

        record.noted.clear()
        body = bytearray(world.encrypt(b"corrupt"))
        body[-1] ^= 1
        assert await world.post(bytes(body)) == 201
        assert await record.until("Push message received") == {
            "Success": "No",
            "Was Encrypted": "Yes",
            "Error Reason": "AES-GCM decryption failed",
        }
        # What is dispatched next is the good one: nothing was for the other.
        assert await world.post(world.encrypt(b"good again")) == 201
        assert await record.until("Push event dispatched") == {"Payload": "good again"}
        assert record.noted == ["Push message received"] * 2 + ["Push event dispatched"]
        await world.agent.wait_for_notification("good again")

        # The negative control: a message without a payload is not encrypted.
        await world.send(None)
        received = await record.until("Push message received")
        assert received == {"Success": "Yes", "Was Encrypted": "No"}

    world.run(scenario())


def test_one_notify_all_reaches_two_browsers_with_the_same_number(chromium_world, another):
    world = chromium_world

    async def scenario():
        await world.begin()
        firefox = another("firefox")
        await firefox.start()
        try:
            await firefox.open(world.server.url)
            await firefox.register()
            await firefox.subscribe()
            start = world.now()
            counts = await world.server.notify_all()
            assert (counts.accepted, counts.gone, counts.failed) == (2, 0, 0)
            for agent in (world.agent, firefox):
                await agent.wait_for_notification(f"ID: {counts.id}", "Hello, Notifications!")
            shown = await world.wait_for("notification shown", after=start, count=2)
            pushed = await world.wait_for("push message", after=start, count=2)
            for told in (shown, pushed):
                assert sorted(event.who for event in told) == ["Chromium", "Firefox"]
            await firefox.unsubscribe()
        finally:
            await firefox.close()

    world.run(scenario())


def test_two_chromiums_get_their_own_messages(chromium_world, another):
    world = chromium_world

    async def scenario():
        await world.begin()
        (first,) = world.server.store.all()
        other = another("chromium")
        await other.start()
        try:
            await other.open(world.server.url)
            await other.register()
            await other.subscribe()
            assert world.server.store.count() == 2
            await other.notify_me()
            await other.wait_for_notification(title="Hello, Notifications!")
            (shown,) = await other.notifications()
            outcome = await world.server.sender.send(first, b"for the first alone", PushOptions())
            assert outcome.status == 201
            await world.agent.wait_for_notification("for the first alone")
            assert shown.body not in await world.bodies()
            assert await other.notifications() == [shown]
            await other.unsubscribe()
        finally:
            await other.close()

    world.run(scenario())
