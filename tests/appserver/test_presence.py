"""Who is there: the application server asks the lab's push service, over HTTP, each time."""

import logging

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from pushlab.appserver import presence as module
from pushlab.appserver.delivery.egress import ConnectOverride
from pushlab.appserver.presence import Presence, PresenceClient
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.examples import RFC8291
from pushlab.protocol.subscription import PushSubscription
from pushlab.pushservice.app import PushService
from pushlab.pushservice.chromium.checkin import TOKEN_PREFIX
from pushlab.useragent.virtual import VirtualUserAgent

VENDOR = "https://push.example.net/one"


def at(endpoint: str) -> PushSubscription:
    """A subscription with this endpoint, and the keys of RFC 8291's example."""
    example = RFC8291.subscription
    return PushSubscription(endpoint, example.p256dh, example.auth)


class Client:
    """Whoever subscribes at a push service, by whatever protocol."""

    def __init__(self, user_agent: str):
        self.user_agent = self.display_name = user_agent


def subscribed(service: PushService, name: str, prefix: str = "") -> str:
    """Let a user agent that is away subscribe; return the token."""
    return service.broker.subscribe(Client(name), "channel", None, prefix).token


def test_rows_are_right_after_a_restart_of_either_server(run, serving, tmp_path):
    async def scenario():
        database = f"sqlite:///{tmp_path}/push.sqlite3"
        service = PushService(database=database)
        await service.start()
        port = service.port
        agent = VirtualUserAgent(service.ws_url, name="Ada")

        async def row(server) -> tuple:
            (one,) = await server.participants()
            return one.connected, one.waiting

        subscriptions = f"sqlite:///{tmp_path}/subscriptions.sqlite3"
        async with serving(service.origin, database=subscriptions) as server:
            await agent.start()
            await agent.open(server.url)
            await agent.register()
            await agent.subscribe()
            assert await row(server) == (True, 0)
            await agent.disconnect()
            await server.notify_all()
            assert await row(server) == (False, 1)

            await service.stop()
            assert await row(server) == (None, None), "nobody is asked, and nobody answers"
            service = PushService(database=database)
            await service.start(port)
            assert await row(server) == (False, 1)
        async with serving(service.origin, database=subscriptions) as server:
            assert await row(server) == (False, 1)
            await agent.connect()
            await agent.wait_for_notification()
            assert (await row(server))[0] is True
        await agent.close()
        await service.stop()

    run(scenario())


def test_what_a_route_leads_to_the_lab_is_asked_there_and_a_vendor_is_not_asked(run):
    async def scenario():
        service = PushService()
        await service.start()
        host = service.chromium.hosts[0]
        route = ConnectOverride(host, TOKEN_PREFIX, service.chromium.tls_port, "", "127.0.0.1")
        token = subscribed(service, "Chromium", TOKEN_PREFIX)
        subscription = service.broker.mailbox.subscription(token)
        await service.broker.accept(subscription, b"", PushOptions(ttl=60))
        ours, vendors = f"https://{host}/fcm/send/{token}", f"https://{host}/fcm/send/of-another"
        client = PresenceClient([service.origin], [route])
        known = await client.ask(map(at, [VENDOR, vendors, ours]))
        assert known == {ours: Presence(False, 1)}
        assert await PresenceClient([], [route]).ask([at(ours)]) == {}
        client.close()
        await service.stop()

    run(scenario())


def test_many_are_asked_for_some_at_a_time(run):
    async def scenario():
        service = PushService()
        await service.start()
        endpoints = [
            service.endpoint(subscribed(service, f"ua {number}")) for number in range(module.AT_ONCE + 1)
        ]
        client = PresenceClient([service.origin])
        known = await client.ask(map(at, endpoints))
        assert known == dict.fromkeys(endpoints, Presence(False, 0))
        client.close()
        assert len(await client.ask([at(endpoints[0])])) == 1, "it may ask again after close()"
        client.close()
        await service.stop()

    run(scenario())


def test_long_endpoints_of_strangers_hide_nobody(run):
    """Anybody may subscribe with an endpoint at the lab's origin that the lab has not made."""

    async def scenario():
        service = PushService()
        await service.start()
        ours = service.endpoint(subscribed(service, "Ada"))
        made_up = [service.endpoint(f"{number}".rjust(2000, "x")) for number in range(90)]
        client = PresenceClient([service.origin])
        assert await client.ask(map(at, [*made_up, ours])) == {ours: Presence(False, 0)}
        client.close()
        await service.stop()

    run(scenario())


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (500, b"", 0),
        (404, b'{"error": {"id": "unknown-path"}}', 0),
        (302, b"", 0),
        (200, b"no JSON", 0),
        (200, b"[]", 0),
        (200, b'{"data": {"presence": []}}', 0),
        (200, b'{"data": {"presence": [7]}}', 0),
        (200, b'{"data": {"presence": [{"connected": true}]}}', 0),
        (200, b"", 70),
    ],
)
def test_a_push_service_that_says_nothing_of_use_costs_its_rows_alone(
    run, caplog, status, body, headers
):
    class Odd(RequestHandler):
        def post(self):
            self.set_status(status)
            for number in range(headers):
                self.set_header(f"X-{number}", "x" * 1000)
            self.finish(body)

    async def scenario():
        service = PushService()
        await service.start()
        odd = HTTPServer(Application([(".*", Odd)], log_function=lambda handler: None))
        sockets = bind_sockets(0, "127.0.0.1")
        odd.add_sockets(sockets)
        origin = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        good = service.endpoint(subscribed(service, "Ada"))
        client = PresenceClient([origin, service.origin])
        with caplog.at_level(logging.WARNING, "pushlab"):
            known = await client.ask([at(f"{origin}/wpush/v2/secret"), at(good)])
        assert known == {good: Presence(False, 0)}
        assert "does not tell which user agents" in caplog.text and "secret" not in caplog.text
        client.close()
        odd.stop()
        await odd.close_all_connections()
        await service.stop()

    run(scenario())
