"""One user agent's queue is full, and everybody else has their message: the three parties over HTTP.

The push service refuses what is too much for one user agent, in the words of each vendor. Mozilla's
word is 503, as if the whole push service were overloaded.
"""

from contextlib import asynccontextmanager

import pytest
from tornado.websocket import websocket_connect

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.broadcast.sender import Counts
from pushlab.appserver.keys import VapidKeys
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.subscription import PushSubscription
from pushlab.pushservice.app import PushService
from pushlab.pushservice.flavours import Flavour

from ..pushservice.conftest import UserAgent
from ..run import chance

LIMIT = 3
"""Messages that may wait for one user agent."""


class Room:
    """A push service, an application server, and user agents that are away."""

    def __init__(self, service: PushService, server: ApplicationServer):
        self.service, self.server = service, server

    async def leave(self, channels: int) -> list[PushSubscription]:
        """Subscribe this many channels of one user agent, which goes away."""
        agent = UserAgent(await websocket_connect(self.service.ws_url))
        await agent.hello()
        key = self.server.keys.public
        subscriptions = [await agent.subscribe(key, f"channel-{n}") for n in range(channels)]
        await agent.disconnect()
        return subscriptions

    async def leave_with_full_queue(self, channels: int) -> list[PushSubscription]:
        """Do the same, and fill the user agent's queue."""
        subscriptions = await self.leave(channels)
        self.server.store.save(subscriptions[0], self.server.keys.application_server_key)
        for _ in range(LIMIT):
            outcome = await self.server.notify(subscriptions[0].endpoint, "Filling", "up")
            assert outcome.kind == "accepted"
        self.server.store.remove(subscriptions[0].endpoint)
        return subscriptions

    def store(self, subscriptions: list[PushSubscription]) -> None:
        for subscription in subscriptions:
            self.server.store.save(subscription, self.server.keys.application_server_key)

    async def notify_all(self, resume: int | None = None) -> Counts:
        return await self.server.notify_all("Hello", "all", PushOptions(), resume=resume)


@pytest.fixture
def room(run):
    """Run a scenario in a room. ``flavour`` names the vendor; ``sender`` is the application server's."""

    @asynccontextmanager
    async def opened(flavour, sender):
        service = PushService(flavour=flavour, message_limit=LIMIT)
        await service.start()
        try:
            origins = [service.origin]
            server = ApplicationServer(keys=VapidKeys.generate(), push_origins=origins, sender=sender)
            await server.start()
            try:
                yield Room(service, server)
            finally:
                await server.stop()
        finally:
            await service.stop()

    def running(scenario, flavour="strict", sender="pushlab"):
        async def whole():
            async with opened(flavour, sender) as room:
                await scenario(room)

        run(whole())

    return running


@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
@pytest.mark.parametrize("order", ["first", "last", "mixed"])
def test_many_channels_of_one_user_agent_silence_nobody(room, order, sender):
    async def scenario(room):
        absent = await room.leave_with_full_queue(199)
        honest = [one for _ in range(150) for one in await room.leave(1)]
        everybody = honest + absent if order == "last" else absent + honest
        if order == "mixed":
            chance.source().shuffle(everybody)
        room.store(everybody)
        counts = await room.notify_all()
        assert (counts.accepted, counts.failed) == (150, 199)
        assert room.server.runs()[-1].outcomes == {"accepted": 150, "retried": 199}
        # Each of them has an outcome of its own: a resume reaches those whose queue has room again.
        assert room.server.store.count() == 349

    room(scenario, sender=sender)


def test_three_who_are_away_silence_nobody(room):
    async def scenario(room):
        room.store([one for _ in range(3) for one in await room.leave_with_full_queue(1)])
        room.store([one for _ in range(200) for one in await room.leave(1)])
        counts = await room.notify_all()
        assert (counts.accepted, counts.failed, counts.not_sent) == (200, 3, 0)

    room(scenario)


@pytest.mark.parametrize("flavour", list(Flavour))
def test_nor_do_they_in_the_words_of_any_vendor(room, flavour):
    async def scenario(room):
        absent = await room.leave_with_full_queue(199)
        honest = [one for _ in range(150) for one in await room.leave(1)]
        room.store(absent + honest)
        counts = await room.notify_all()
        assert counts.accepted == 150

    room(scenario, flavour)
