"""A thousand recipients at three push services, which answer in any mix: who can be reached, is.

Time is virtual. Each recipient has a way to answer that is its own, in front of the others, behind
them, or among them. A push service may be overloaded for a while, or dead; then it answers everybody
in the same way.
"""

import asyncio
import math
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pushlab.appserver.broadcast.origin_queue import (
    CLOSE_AFTER,
    CLOSE_AT_LAST,
    MANY,
    PROBES_PER_SECOND,
)
from pushlab.appserver.broadcast.sender import BroadcastSender, Counts
from pushlab.appserver.delivery.response import NetworkFault, PushResponse, Response
from pushlab.appserver.delivery.sender import Sender
from pushlab.appserver.explain.outcome import explain
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription, SubscriptionStore, subscriptions
from pushlab.protocol import p256
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.subscription import PushSubscription

from ...run.chance import examples
from ..virtual_time import run

ORIGINS = [f"https://{name}.example.net" for name in ("one", "two", "three")]
RECIPIENTS = 333
"""At each push service."""

YEAR = "31536000"
TIMEOUT = 30.0
RESUMES = 4
LONGEST = 600.0
"""Seconds after which each run has come to its end."""

UNLUCKY = 1 - 1e-6 ** (1 / MANY)
"""If so large a part of those who wait would be served, MANY at random all miss it once in a million."""


def later(status: int, seconds: str | None = None) -> PushResponse:
    return PushResponse(status, (("Retry-After", seconds),) if seconds else ())


HEALTHY = PushResponse(201)
ODD = {
    "gone": PushResponse(410),
    "too large": PushResponse(413),
    "wrong key": PushResponse(403),
    "moved": PushResponse(302, (("Location", "https://else.example.net/"),)),
    "429": later(429),
    "429, soon": later(429, "3"),
    "429, a minute": later(429, "60"),
    "429, a year": later(429, YEAR),
    "503": later(503),
    "503, soon": later(503, "2"),
    "503, a year": later(503, YEAR),
    "500": later(500),
    "resets": NetworkFault(56),
    "not HTTP": NetworkFault(1),
}
SLOW = {"times out": NetworkFault(28), "drips": NetworkFault(28)}


@dataclass
class Service:
    """How a push service answers. Before ``until`` it is overloaded, and says how long that lasts."""

    odd: list[str]
    share: float
    order: str
    slow: list[str]
    since: float = 0.0
    until: float = 0.0
    dead: float | None = None

    def answers(self, chance: random.Random) -> list[str]:
        """Return how each recipient answers, in their order. An empty text is a healthy one."""
        strange = [chance.choice(self.odd) for _ in range(int(self.share * RECIPIENTS))]
        strange += self.slow
        healthy = [""] * (RECIPIENTS - len(strange))
        if self.order == "last":
            return healthy + strange
        if self.order == "mixed":
            chance.shuffle(both := strange + healthy)
            return both
        return strange + healthy


services = st.builds(
    Service,
    odd=st.lists(st.sampled_from(list(ODD)), min_size=1, max_size=4),
    share=st.sampled_from([0.0, 0.01, 0.1, 0.5, 0.8]),
    order=st.sampled_from(["first", "mixed", "last"]),
    slow=st.lists(st.sampled_from(list(SLOW)), max_size=3),
    since=st.sampled_from([0.0, 0.05, 1.0]),
    until=st.sampled_from([0.0, 0.0, 2.0, 9.0, 15.0]),
    dead=st.sampled_from([None, None, None, 0.01, TIMEOUT]),
)


class Request(NamedTuple):
    stored: StoredSubscription
    options: PushOptions
    size: int = 0
    override: None = None


@dataclass
class World:
    """The client of a sender: it answers for three push services, and counts what it is asked."""

    services: dict[str, Service]
    answers: dict[str, str]
    latency: float
    accepted: Counter = field(default_factory=Counter)
    asked: Counter = field(default_factory=Counter)
    while_overloaded: Counter = field(default_factory=Counter)
    under_way: Counter = field(default_factory=Counter)
    most: int = 0
    # At each push service: since when it has refused everybody, and for how long at most.
    refusing: dict[str, float] = field(default_factory=dict)
    refused_for: Counter = field(default_factory=Counter)

    def agree(self, subscription): ...

    def prepare(self, stored, payload, options, log, agreed) -> Request:
        return Request(stored, options)

    def send(self, request: Request) -> asyncio.Future:
        return asyncio.ensure_future(self._answer(request.stored.subscription))

    async def close(self) -> None:
        assert not +self.under_way

    async def _answer(self, subscription: PushSubscription):
        origin, endpoint = subscription.origin, subscription.endpoint
        self.under_way[origin] += 1
        self.most = max(self.most, self.under_way[origin])
        try:
            self.asked[endpoint] += 1
            answer = await self._answer_of(self.services[origin], origin, endpoint)
            self._note(origin, answer)
            return answer
        finally:
            self.under_way[origin] -= 1

    def _note(self, origin: str, answer: Response) -> None:
        now = asyncio.get_running_loop().time()
        if explain(answer).asks_for_less:
            refused_for = now - self.refusing.setdefault(origin, now)
            self.refused_for[origin] = max(self.refused_for[origin], refused_for)
        else:
            self.refusing.pop(origin, None)

    def may_leave(self, origin: str) -> float:
        """Return how many recipients may be left at a push service that has refused everybody.

        Its queue is closed then: after CLOSE_AFTER if MANY were picked at random, and at
        CLOSE_AT_LAST however few they were, because each took so long.
        """
        if self.refused_for[origin] < CLOSE_AFTER:
            return 0
        return UNLUCKY * RECIPIENTS if self.refused_for[origin] < CLOSE_AT_LAST else RECIPIENTS

    async def _answer_of(self, service: Service, origin: str, endpoint: str):
        now = asyncio.get_running_loop().time()
        if service.dead is not None:
            await asyncio.sleep(service.dead)
            return NetworkFault(7 if service.dead < TIMEOUT else 28)
        if service.since <= now < service.until:
            self.while_overloaded[origin] += 1
            await asyncio.sleep(self.latency)
            return later(503, str(math.ceil(service.until - now)))
        name = self.answers[endpoint]
        await asyncio.sleep(TIMEOUT if name in SLOW else self.latency)
        if not name:
            self.accepted[endpoint] += 1
        return (ODD | SLOW).get(name, HEALTHY)


KEYS = VapidKeys.generate()
POINT = p256.raw_public(ec.generate_private_key(ec.SECP256R1()))
AUTH = os.urandom(16)


def filled(keys: VapidKeys, endpoints: list[str]) -> SubscriptionStore:
    """Make a store of these recipients, in one transaction."""
    store = SubscriptionStore("sqlite://")
    store.save(PushSubscription(endpoints[0], POINT, AUTH), keys.application_server_key)
    with store._engine.begin() as connection:
        [row] = connection.execute(subscriptions.select()).mappings()
        values = {name: value for name, value in row.items() if name != "number"}
        rows = [values | {"endpoint": endpoint} for endpoint in endpoints[1:]]
        connection.execute(subscriptions.insert(), rows)
    return store


async def notify_all(
    world: World, store: SubscriptionStore, limit: int, chance: random.Random, resume=None
) -> Counts:
    loop = asyncio.get_running_loop()
    began = loop.time()
    sender = Sender(KEYS, store, world, clock=loop.time, chance=chance.random)
    everybody = BroadcastSender(sender, max_in_flight=limit)
    try:
        counts = await everybody.send_all(b"Hello", PushOptions(), run=resume)
    finally:
        await everybody.close()
        await sender.close()
    assert loop.time() - began <= LONGEST, "it comes to its end"
    assert world.most <= limit
    assert counts.done == counts.total, "everybody has an outcome"
    return counts


@given(
    st.lists(services, min_size=3, max_size=3),
    st.sampled_from([1, 7, 100, 800]),
    st.sampled_from([0.001, 0.05]),
    st.integers(0, 2**32),
)
@settings(max_examples=examples(15), phases=[Phase.generate])  # One takes a second: no shrinking.
def test_everybody_who_can_be_reached_is(three, limit, latency, seed):
    chance = random.Random(seed)
    answers = {
        f"{origin}/{number}": answer
        for origin, service in zip(ORIGINS, three, strict=True)
        for number, answer in enumerate(service.answers(chance))
    }
    world = World(dict(zip(ORIGINS, three, strict=True)), answers, latency)
    healthy = {endpoint for endpoint, answer in answers.items() if not answer}

    async def scenario():
        in_turn = [f"{origin}/{number}" for number in range(RECIPIENTS) for origin in ORIGINS]
        store = filled(KEYS, in_turn)
        counts = await notify_all(world, store, limit, chance)
        alive = {e for e in healthy if world.services[e.rpartition("/")[0]].dead is None}
        left = Counter(e.rpartition("/")[0] for e in alive - set(world.accepted))
        for origin, count in left.items():
            assert count <= world.may_leave(origin), f"{count} not reached at {origin}"
        for origin, service in world.services.items():
            most = MANY + (service.until + 1) * PROBES_PER_SECOND
            assert world.while_overloaded[origin] <= max(most, limit), "it is left alone meanwhile"
            if service.dead is not None:
                asked = sum(n for e, n in world.asked.items() if e.startswith(origin))
                assert asked <= 2 * MANY + (CLOSE_AT_LAST + TIMEOUT) * PROBES_PER_SECOND
        # The dead come back, and are reached, nobody of them twice. Where nearly all who are left are
        # refused for reasons of their own, that may take more than one resume.
        for service in three:
            service.dead = None
        for _ in range(RESUMES):
            await notify_all(world, store, limit, chance, resume=counts.run)
        assert set(world.accepted) == healthy
        assert set(world.accepted.values()) <= {1}, "nobody is sent to again after success"
        store.close()

    run(scenario())
