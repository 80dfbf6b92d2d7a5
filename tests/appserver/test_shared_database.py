"""Two application servers with one database, behind each other's back: in SQLite and in PostgreSQL."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial

import pytest

from pushlab.appserver.broadcast.runs import Runs
from pushlab.appserver.store import SubscriptionStore
from pushlab.errors import UnableToSaveSubscription, UnableToWriteDatabase, UnknownSubscription
from pushlab.settings import patience

PEOPLE = 60


@pytest.fixture
def sharing(run, serving, push_service, database_url):
    """Run a scenario with a push service and two servers on one database."""

    def running(scenario):
        async def whole():
            async with AsyncExitStack() as stack:
                service = await stack.enter_async_context(push_service())
                options = {"allowed_origins": [service.origin], "database": database_url}
                two = [await stack.enter_async_context(serving(**options)) for _ in range(2)]
                await scenario(service, *two)

        run(whole())

    return running


async def together(*calls):
    """Call functions in threads of their own that begin at one moment; return their results."""
    begin = threading.Barrier(len(calls))

    def call(function):
        begin.wait(patience(20))
        return function()

    with ThreadPoolExecutor(len(calls)) as threads:
        return await asyncio.gather(
            *(asyncio.get_running_loop().run_in_executor(threads, call, one) for one in calls)
        )


def test_what_one_is_told_the_other_knows(sharing, subscriber, fetch):
    async def scenario(service, one, other):
        someone = subscriber(service.endpoint())
        endpoint = {"endpoint": someone.endpoint}
        body = someone.subscription.to_json()
        assert (await fetch(f"{one.url}add-subscription", body)).status == 201
        assert (await fetch(f"{other.url}add-subscription", body)).status == 200
        assert (await fetch(f"{other.url}notify-me", endpoint)).status == 200
        assert someone.read(service.received[0].body)
        assert [row.label for row in await other.participants()] == [someone.subscription.label]
        assert (await fetch(f"{other.url}remove-subscription", endpoint)).status == 200
        unknown = (404, "unknown-subscription")
        assert (await fetch(f"{one.url}notify-me", endpoint)).error == unknown
        assert (await fetch(f"{one.url}remove-subscription", endpoint)).error == unknown
        assert (await fetch(f"{one.url}notify-all", {})).error == (409, "no-subscriptions")
        assert len(service.received) == 1

    sharing(scenario)


def test_the_same_endpoint_at_the_same_moment_is_new_once(sharing, subscriber):
    async def scenario(service, one, other):
        for number in range(10):
            someone = subscriber(service.endpoint(str(number))).subscription
            new = await together(*(partial(server.subscribe, someone) for server in (one, other) * 2))
            assert sorted(new) == [False, False, False, True]
        assert one.store.count() == other.store.count() == 10

    sharing(scenario)


def test_saved_and_removed_at_the_same_moment_is_one_or_the_other(sharing, subscriber):
    async def scenario(service, one, other):
        someone = subscriber(service.endpoint()).subscription
        for _ in range(15):
            new, removed = await together(
                lambda: one.subscribe(someone), lambda: other.store.remove(someone.endpoint)
            )
            assert new and other.store.count() == (0 if removed else 1)
            other.store.remove(someone.endpoint)

    sharing(scenario)


def test_two_notify_alls_at_once_reach_everybody_twice_and_remove_who_is_gone_once(sharing, subscriber):
    async def scenario(service, one, other):
        for number in range(PEOPLE):
            name = "gone" if number % 10 == 0 else "here"
            one.subscribe(subscriber(service.endpoint(f"{name}-{number}")).subscription)
        service.answer = lambda handler, _: handler.set_status(
            410 if "/gone" in handler.request.path else 201
        )
        counts = await asyncio.gather(one.notify_all(), other.notify_all())
        assert counts[0].run != counts[1].run
        assert [(each.accepted, each.failed) for each in counts] == [(PEOPLE * 9 // 10, 0)] * 2
        paths = Counter(received.path for received in service.received)
        assert {paths[path] for path in paths if "/here" in path} == {2}
        assert one.store.count() == PEOPLE * 9 // 10
        for known in other.runs():
            assert known.ended_at and known.outcomes["accepted"] == PEOPLE * 9 // 10

    sharing(scenario)


def test_who_is_removed_during_a_notify_all_harms_nobody(sharing, subscriber):
    async def scenario(service, one, other):
        people = [subscriber(service.endpoint(str(number))).subscription for number in range(PEOPLE)]
        for someone in people:
            one.subscribe(someone)
        all_but_one = asyncio.Event()

        async def answer(handler, number):
            handler.set_status(410 if number % 2 else 201)
            if number == PEOPLE:
                all_but_one.set()
            await all_but_one.wait()

        service.answer = answer
        sending = asyncio.ensure_future(one.notify_all())
        await all_but_one.wait()
        for someone in people:
            await asyncio.to_thread(other.store.remove, someone.endpoint)
        counts = await sending
        assert (counts.accepted, counts.gone, counts.failed) == (PEOPLE // 2, PEOPLE // 2, 0)
        with pytest.raises(UnknownSubscription):
            await one.notify(people[0].endpoint)

    sharing(scenario)


def test_both_may_start_on_an_empty_database_at_the_same_moment(database_url, run):
    def start():
        store = SubscriptionStore(database_url)
        try:
            return Runs(store).all()
        finally:
            store.close()

    for _ in range(3):
        assert run(together(*[start] * 5)) == [[]] * 5


# --- when PostgreSQL does not want --------------------------------------------------------------


def test_while_the_database_is_away_each_route_says_so_and_the_page_still_loads(
    run, serving, push_service, subscriber, fetch, postgres_server, postgres_url
):
    async def scenario():
        async with push_service() as service:
            options = {"allowed_origins": [service.origin], "database": postgres_url}
            async with serving(**options) as server:
                someone = subscriber(service.endpoint())
                subscription, endpoint = someone.subscription.to_json(), {"endpoint": someone.endpoint}
                assert (await fetch(f"{server.url}add-subscription", subscription)).status == 201
                asked = {
                    "add-subscription": subscription, "remove-subscription": endpoint,
                    "notify-me": endpoint, "notify-all": {}, "subscriptions": None,
                }  # fmt: skip
                await asyncio.to_thread(postgres_server.stop)
                try:
                    for route, body in asked.items():
                        reply = await fetch(f"{server.url}{route}", body)
                        assert reply.error == (503, "database-unreachable"), route
                        assert int(reply.headers["Retry-After"]) > 0
                        message = reply.json["error"]["message"]
                        assert "Start the database's server" in message
                        for secret in (postgres_server.password, str(postgres_server.port), "127.0.0.1"):
                            assert secret not in message
                    for route in ("", "health", "vapid"):
                        assert (await fetch(f"{server.url}{route}")).status == 200
                finally:
                    await asyncio.to_thread(postgres_server.start)
                assert (await fetch(f"{server.url}notify-all", {})).status == 200
                assert len(service.received) == 1, "while it was away, nothing was sent"

    run(scenario())


def test_a_replica_can_be_read_and_says_where_to_write(
    run, serving, push_service, subscriber, postgres_server, postgres_url
):
    name = postgres_url.rpartition("/")[2]

    async def scenario():
        async with push_service() as service:
            options = {"allowed_origins": [service.origin], "database": postgres_url}
            someone = subscriber(service.endpoint()).subscription
            async with serving(**options) as server:
                server.subscribe(someone)
            postgres_server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            async with serving(**options) as server:
                assert [row.label for row in await server.participants()] == [someone.label]
                with pytest.raises(UnableToSaveSubscription, match="replica.*that may be written"):
                    server.subscribe(someone, "Ada")
                with pytest.raises(UnableToWriteDatabase, match="replica"):
                    await server.notify_all()
                assert not service.received

    run(scenario())
