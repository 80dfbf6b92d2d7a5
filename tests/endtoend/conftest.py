"""The three parties, all real, around one user agent of each kind."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.delivery.egress import ConnectOverride, EgressPolicy, override_for
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.keys import VapidKeys
from pushlab.journal import Journal
from pushlab.protocol import encryption, vapid
from pushlab.protocol.delivery import PushOptions, build_request
from pushlab.pushservice.app import PushService
from pushlab.pushservice.chromium.checkin import TOKEN_PREFIX
from pushlab.settings import patience
from pushlab.useragent.chromium.browser import Chromium
from pushlab.useragent.firefox.browser import Firefox
from pushlab.useragent.virtual import VirtualUserAgent


@dataclass(frozen=True)
class Kind:
    """One column of the table: how a user agent is made, and the little in which it differs."""

    name: str
    make: Callable[[PushService, Path | None], object]
    hosts: Callable[[PushService], set[str]]
    """The origins that its endpoints may have."""
    good: int | None
    """The code with which it acknowledges a message,"""
    corrupt: int | None
    """and one that it cannot decrypt."""


def lab(push_service):
    return {push_service.origin}


def vendors(push_service):
    return {f"https://{host}" for host in push_service.chromium.hosts}


KINDS = {
    kind.name: kind
    for kind in [
        Kind(
            "virtual",
            lambda service, profile: VirtualUserAgent(service.ws_url),
            lab,
            good=100,
            corrupt=101,
        ),
        Kind(
            "firefox",
            lambda service, profile: Firefox(service.ws_url, profile=profile),
            lab,
            good=100,
            corrupt=101,
        ),
        # Chromium's protocol has no codes. It acknowledges what it has received, before it decrypts, and
        # tells nobody how that went.
        Kind(
            "chromium",
            lambda service, profile: Chromium(service.chromium, profile=profile),
            vendors,
            good=None,
            corrupt=None,
        ),
    ]
}


class World:
    """The three parties, the journal that both servers write, and one user agent."""

    def __init__(self, kind, profile):
        self.kind = kind
        self.runner = asyncio.Runner()
        self.journal = Journal()
        self.push_service = PushService(journal=self.journal)
        self.run(self.push_service.start())
        listeners = self.push_service.chromium
        self.connect_overrides = [
            ConnectOverride(host, TOKEN_PREFIX, listeners.tls_port, listeners.ca_pem.decode())
            for host in listeners.hosts
        ]
        self.server = ApplicationServer(
            keys=VapidKeys.generate(),
            journal=self.journal,
            push_origins=[self.push_service.origin],
            connect_overrides=self.connect_overrides,
        )
        self.run(self.server.start())
        egress = EgressPolicy([self.push_service.origin])
        self.transport = CurlTransport(egress=egress)
        self.agent = kind.make(self.push_service, profile)

    def run(self, coroutine):
        async def bounded():
            async with asyncio.timeout(patience(120)):
                return await coroutine

        return self.runner.run(bounded())

    async def begin(self):
        """Have the page open and the agent subscribed; return its subscription."""
        if isinstance(self.agent, VirtualUserAgent):  # What an earlier message reports comes first.
            await asyncio.gather(*self.agent._reports)
        await self.agent.open(self.server.url)
        if await self.agent.state() == "unregistered":
            await self.agent.register()
        if await self.agent.state() == "registered":
            await self.agent.subscribe()
        return self.subscription()

    async def stop(self):
        await self.agent.close()
        await self.transport.close()
        await self.server.stop()
        await self.push_service.stop()

    def subscription(self):
        (stored,) = self.server.store.all()
        return stored.subscription

    def now(self):
        """Return the number of the last event, for ``wait_for`` and ``since``."""
        events = self.journal.events()
        return events[-1].number if events else 0

    def since(self, number):
        return self.journal.events(after=number)

    async def wait_for(self, what, after, count=1, **detail):
        """Wait until ``count`` events say ``what`` with this detail; return them."""
        news = asyncio.Event()
        unsubscribe = self.journal.subscribe(lambda event: news.set())
        try:
            while True:
                news.clear()
                found = [
                    event
                    for event in self.since(after)
                    if event.what == what
                    and all(event.detail.get(name) == value for name, value in detail.items())
                ]
                if len(found) >= count:
                    return found
                await news.wait()
        finally:
            unsubscribe()

    async def post(self, body, options=PushOptions()):
        """POST a body to the endpoint by hand, with a valid token; return the status."""
        subscription = self.subscription()
        now = self.push_service._clock()
        claims = vapid.Claims(aud=subscription.origin, exp=int(now) + 3600)
        token = vapid.sign(claims, self.server.keys.private_key)
        authorization = vapid.authorization(token, self.server.keys.public)
        request = build_request(subscription, body, authorization, options)
        return (await self.post_request(request)).status

    async def post_request(self, request):
        """POST a request to where its endpoint is in this lab; return the response."""
        override = override_for(request.url, self.connect_overrides)
        return await self.transport.send(request, override)

    def encrypt(self, plaintext):
        as_private = ec.generate_private_key(ec.SECP256R1())
        salt = os.urandom(16)
        return encryption.encrypt(plaintext, self.subscription(), as_private=as_private, salt=salt)

    async def send(self, payload, **options):
        """Send raw bytes, or no payload at all, through the application server's own sender."""
        (stored,) = self.server.store.all()
        outcome = await self.server.sender.send(stored, payload, PushOptions(**options))
        assert outcome.status == 201

    async def bodies(self):
        return {shown.body for shown in await self.agent.notifications()}


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS.keys())
def world(request, tmp_path_factory, artifacts):
    """The three parties, once with each user agent."""
    kind = request.param
    if kind.name != "virtual":
        request.getfixturevalue(f"{kind.name}_installed")
    world = World(kind, tmp_path_factory.mktemp("profile"))
    with world.runner:
        world.run(world.agent.start())
        with artifacts.offer_world(world.run, world.journal, world.agent):
            yield world
        world.run(world.stop())


def only(name):
    """Mark a test that has to do with one kind of user agent; it shares that one's world."""
    return pytest.mark.parametrize("world", [KINDS[name]], ids=[name], indirect=True)
