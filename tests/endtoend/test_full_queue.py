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

ABSENT, HONEST = chance.examples(199), chance.examples(150)
FEWER = {"pushlab": 1, "pywebpush": 3}
"""Threads are slower, and how a broadcast goes on after refusals is the same with both clients."""


class Town:
    """A push service with user agents that are away: some with a full queue, the honest with room.

    A Topic replaces the message before it, so the honest have room for each test's message. In a
    queue that is full without one, nothing is replaced.
    """

    def __init__(self, service: PushService):
        self.service, self.keys = service, VapidKeys.generate()
        self.honest: list[PushSubscription] = []
        self.many_of_one: list[PushSubscription] = []
        self.one_of_each: list[PushSubscription] = []

    async def settle(self) -> None:
        self.honest = [one for _ in range(HONEST) for one in await self.leave(1)]
        self.many_of_one = await self.leave(ABSENT)
        self.one_of_each = [one for _ in range(3) for one in await self.leave(1)]
        async with self.server() as server:
            for endpoint in {one.endpoint for one in (self.many_of_one[0], *self.one_of_each)}:
                store(server, [one for one in self.absent if one.endpoint == endpoint])
                for _ in range(LIMIT):
                    outcome = await server.notify(endpoint, "Filling", "up")
                    assert outcome.kind == "accepted"

    @property
    def absent(self) -> list[PushSubscription]:
        return self.many_of_one + self.one_of_each

    async def leave(self, channels: int) -> list[PushSubscription]:
        """Subscribe this many channels of one user agent, which goes away."""
        agent = UserAgent(await websocket_connect(self.service.ws_url))
        await agent.hello()
        subscriptions = [
            await agent.subscribe(self.keys.public, f"channel-{n}") for n in range(channels)
        ]
        await agent.disconnect()
        return subscriptions

    @asynccontextmanager
    async def server(self, sender="pushlab", flavour=Flavour.STRICT):
        self.service.flavour = flavour
        server = ApplicationServer(keys=self.keys, push_origins=[self.service.origin], sender=sender)
        await server.start()
        try:
            yield server
        finally:
            await server.stop()


def store(server: ApplicationServer, subscriptions: list[PushSubscription]) -> None:
    for subscription in subscriptions:
        server.store.save(subscription, server.keys.application_server_key)


async def notify_all(server: ApplicationServer) -> Counts:
    return await server.notify_all("Hello", "all", PushOptions(topic="all"))


@pytest.fixture(scope="module")
def town(run_in_one_loop):
    town = Town(PushService(message_limit=LIMIT))
    run_in_one_loop(town.service.start())
    run_in_one_loop(town.settle())
    yield town
    run_in_one_loop(town.service.stop())


ORDERS = {
    "first": lambda absent, honest: absent + honest,
    "last": lambda absent, honest: honest + absent,
    "mixed": lambda absent, honest: chance.source().sample(both := absent + honest, len(both)),
}


@pytest.mark.parametrize("sender", FEWER)
@pytest.mark.parametrize("order", ORDERS)
def test_many_channels_of_one_user_agent_silence_nobody(town, run_in_one_loop, order, sender):
    absent, honest = ABSENT // FEWER[sender], HONEST // FEWER[sender]

    async def scenario():
        async with town.server(sender) as server:
            store(server, ORDERS[order](town.many_of_one[:absent], town.honest[:honest]))
            counts = await notify_all(server)
            assert (counts.accepted, counts.failed) == (honest, absent)
            assert server.runs()[-1].outcomes == {"accepted": honest, "retried": absent}
            # Each of them has an outcome of its own: a resume reaches those whose queue has room again.
            assert server.store.count() == absent + honest

    run_in_one_loop(scenario())


def test_three_who_are_away_silence_nobody(town, run_in_one_loop):
    async def scenario():
        async with town.server() as server:
            store(server, town.one_of_each + town.honest)
            counts = await notify_all(server)
            assert (counts.accepted, counts.failed, counts.not_sent) == (HONEST, 3, 0)

    run_in_one_loop(scenario())


@pytest.mark.parametrize("flavour", list(Flavour))
def test_nor_do_they_in_the_words_of_any_vendor(town, run_in_one_loop, flavour):
    async def scenario():
        async with town.server(flavour=flavour) as server:
            store(server, town.many_of_one[: ABSENT // 3] + town.honest[: HONEST // 3])
            assert (await notify_all(server)).accepted == HONEST // 3

    run_in_one_loop(scenario())
