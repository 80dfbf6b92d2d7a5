"""A sender with its store and its journal, for the tests of one message and of one to all."""

import asyncio

from pushlab.appserver.broadcast.sender import BroadcastSender
from pushlab.appserver.delivery.client import LibcurlPushClient
from pushlab.appserver.delivery.egress import EgressPolicy
from pushlab.appserver.delivery.sender import Sender
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.store import StoredSubscription, SubscriptionStore, subscriptions
from pushlab.errors import UnableToWriteDatabase
from pushlab.journal import Journal


class World:
    """A sender whose pauses are noted and not waited for. ``broadcast``: options of the one to all."""

    def __init__(
        self, keys, service, database="sqlite://", chance=lambda: 0.0, broadcast=None, **options
    ):
        self.keys, self.service = keys, service
        self.store = SubscriptionStore(database, [service.origin])
        self.journal = Journal()
        self.pauses: list[float] = []
        self.transport = CurlTransport(egress=EgressPolicy([service.origin]))
        self.sender = Sender(
            keys, self.store, LibcurlPushClient(keys, self.transport), journal=self.journal,
            lab_origins=[service.origin], sleep=self.sleep, chance=chance, **options,
        )  # fmt: skip
        self.everybody = BroadcastSender(self.sender, **broadcast or {})

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def add(self, someone, key=None) -> StoredSubscription:
        self.store.save(someone.subscription, key or self.keys.application_server_key, "Firefox")
        return self.store.get(someone.endpoint)

    async def close(self) -> None:
        await self.everybody.close()
        await self.sender.close()
        self.store.close()

    @property
    def recorded(self) -> list[str]:
        return [event.what for event in self.journal.events()]


def in_a_world(run, keys, push_service):
    """Return a function that runs a scenario with a push service and a sender to it."""

    def running(scenario, **options):
        async def whole():
            async with push_service() as service:
                world = World(options.pop("keys", keys), service, **options)
                try:
                    return await scenario(world, service)
                finally:
                    await world.close()

        return run(whole())

    return running


def always(status: int, **headers: str):
    def answer(handler, number):
        handler.set_status(status)
        for name, value in headers.items():
            handler.set_header(name.replace("_", "-"), value)

    return answer


def fill(store, service, subscriber, names):
    """Let these be the subscribers, and nobody else. The names are in their endpoints."""
    someone = subscriber(service.endpoint())
    people = {}
    for name in names:
        people[name] = subscriber(service.endpoint(name), someone.private, someone.auth)
    rows = [
        {
            "endpoint": one.endpoint, "p256dh": someone.subscription.p256dh, "auth": someone.auth,
            "application_server_key": "KEY", "who": "", "created_at": 0.0,
        }
        for one in people.values()
    ]  # fmt: skip
    store.run(lambda connection: connection.execute(subscriptions.delete()), UnableToWriteDatabase)
    store.run(lambda connection: connection.execute(subscriptions.insert(), rows), UnableToWriteDatabase)
    return people


async def reached(event, sending):
    """Wait for an event in the middle of a notify-all, which may fail before."""
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait([waiting, sending], return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        raise AssertionError(f"it ended before: {sending.result()}")
