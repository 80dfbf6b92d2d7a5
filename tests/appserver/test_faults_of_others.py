"""A push service that misbehaves: the right outcome, the subscription kept, the others served."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import pytest
import trustme
from sqlalchemy import select

from pushlab.appserver.broadcast.runs import deliveries
from pushlab.appserver.delivery.client import LibcurlPushClient
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.store import subscriptions
from pushlab.settings import patience

from .rude import NAMES, TIMEOUT, Rude, faults, listening

POLITE = 60


class TwoTransports:
    """Wait a moment for those who never answer, and with patience for everybody else."""

    def __init__(self, egress, silent: set[str]):
        self._short = CurlTransport(timeout=TIMEOUT, egress=egress)
        self._long = CurlTransport(timeout=patience(60), egress=egress)
        self._silent = silent

    def send(self, request, override):
        transport = self._short if request.url in self._silent else self._long
        return transport.send(request, override)

    async def close(self) -> None:
        await self._short.close()
        await self._long.close()


@pytest.fixture
def world(run, serving, push_service, subscriber, everywhere, tmp_path, monkeypatch):
    """Run a scenario with an application server, a good push service, and some rude ones."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    @asynccontextmanager
    async def opened(names, extra):
        async with AsyncExitStack() as stack:
            polite = await stack.enter_async_context(push_service())
            rude = {
                name: fault for name, fault in faults(polite.endpoint("else")).items() if name in names
            }
            rude |= extra
            endpoints = {
                name: await stack.enter_async_context(listening(fault, authority))
                for name, fault in rude.items()
            }
            origins = {f"http://{urlsplit(url).netloc}" for url in endpoints.values()}
            server = await stack.enter_async_context(serving(polite.origin, *origins))
            await server.sender.context.client.close()
            silent = {endpoints[name] for name, fault in rude.items() if fault.silent}
            transport = TwoTransports(everywhere, silent)
            server.sender.context.client = LibcurlPushClient(server.keys, transport)
            server.pauses = []

            async def sleep(seconds: float) -> None:
                server.pauses.append(seconds)

            server.sender.context.sleep = sleep
            for endpoint in endpoints.values():
                server.subscribe(subscriber(endpoint).subscription)
            yield server, polite, rude, endpoints

    def running(scenario, names=(), extra=None):
        async def whole():
            async with opened(names, extra or {}) as parts:
                await scenario(*parts)

        run(whole())

    return running


def recorded(server) -> dict[str, tuple]:
    """Return what is recorded of the last notify-all, by endpoint: outcome, status, attempts."""
    columns = deliveries.c.outcome, deliveries.c.status, deliveries.c.attempts
    same = deliveries.c.subscription == subscriptions.c.number
    query = select(subscriptions.c.endpoint, *columns).join(deliveries, same)
    with server.store._engine.connect() as connection:
        rows = connection.execute(query.where(deliveries.c.run == server.runs()[-1].run))
        return {endpoint: tuple(rest) for endpoint, *rest in rows}


KINDS = {"retried": "retry"}


@pytest.mark.parametrize("name", NAMES)
def test_each_fault_has_its_outcome_in_words(world, name):
    async def scenario(server, polite, rude, endpoints):
        [fault], [endpoint] = rude.values(), endpoints.values()
        outcome = await server.notify(endpoint)
        assert outcome.kind == KINDS.get(fault.outcome, fault.outcome), str(outcome)
        assert (outcome.status, outcome.attempts) == (fault.status, fault.attempts)
        assert fault.words in outcome.text and len(outcome.text) < 2000
        assert urlsplit(endpoint).path not in outcome.text
        expected = 0 if fault.tls else fault.attempts
        # A silent server gets a second for each attempt. On a busy machine it may not even read in that.
        assert fault.asked <= expected if fault.silent else fault.asked == expected
        assert len(server.pauses) == fault.attempts - 1
        assert server.store.get(endpoint), "only 404 and 410 remove a subscription"
        assert polite.received == [], "a redirect is not followed"

    world(scenario, [name])


def test_pauses_grow_and_a_longer_one_that_is_asked_for_is_kept(world):
    async def scenario(server, polite, rude, endpoints):
        await server.notify(endpoints["503"])
        assert server.pauses == [7, 7, 7]
        server.pauses.clear()
        server.sender.context.chance = lambda: 0.0
        await server.notify(endpoints["500"])
        assert server.pauses == [0.5, 1, 2]

    world(scenario, ["503", "500"])


def test_while_they_misbehave_all_others_are_served(world, subscriber):
    gate, asked = asyncio.Event(), asyncio.Event()

    async def slow(reader, writer):
        asked.set()
        await gate.wait()
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def scenario(server, polite, rude, endpoints):
        good = [polite.endpoint(str(number)) for number in range(POLITE)]
        for endpoint in good:
            server.subscribe(subscriber(endpoint).subscription)
        served = asyncio.Event()

        def progress(counts) -> None:
            if len(polite.received) == POLITE and counts.accepted >= POLITE:
                served.set()

        sending = asyncio.create_task(server.notify_all(progress=progress))
        await served.wait()
        await asked.wait()
        # Everybody else has the message, and the slow one has not answered yet.
        assert not sending.done()
        gate.set()
        counts = await sending

        wanted = {
            endpoints[name]: (fault.outcome, fault.status, fault.attempts)
            for name, fault in rude.items()
        }
        wanted |= dict.fromkeys(good, ("accepted", 201, 1))
        known = recorded(server)
        assert known == wanted
        outcomes = [outcome for outcome, _, _ in wanted.values()]
        [run] = server.runs()
        assert run.outcomes == {name: outcomes.count(name) for name in set(outcomes)}
        assert run.ended_at is not None
        assert counts.accepted == outcomes.count("accepted") == POLITE + 2
        assert (counts.gone, counts.done) == (0, len(wanted))
        assert server.store.count() == len(wanted), "only 404 and 410 remove a subscription"
        assert len(polite.received) == POLITE, "a redirect is not followed"

    world(scenario, NAMES, {"slow": Rude(slow, "accepted", 201, 1, "")})


def test_what_was_not_accepted_can_be_gone_on_with_when_they_behave_again(world):
    async def scenario(server, polite, rude, endpoints):
        counts = await server.notify_all("Hello", "again")
        assert (counts.accepted, counts.failed) == (1, 3)
        for fault in rude.values():
            fault.answer, fault.asked = faults("")["a huge success"].answer, 0
        counts = await server.notify_all("Hello", "again", resume=counts.run)
        assert (counts.accepted, counts.failed) == (3, 0)
        assert rude["a huge success"].asked == 0, "it had the message"
        assert [run.outcomes for run in server.runs()] == [{"accepted": 4}]

    world(scenario, ["503", "resets", "301", "a huge success"])
