"""The virtual user agent, between a push service and an application server that the test plays."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tornado.web import RequestHandler

from pushlab.errors import BrowserFailed, TimedOut
from pushlab.protocol import base64url, encryption, p256
from pushlab.useragent.base import Notification
from pushlab.useragent.http_client import HttpClient
from pushlab.useragent.virtual import VirtualUserAgent, read

APPLICATION_SERVER = ec.derive_private_key(20, ec.SECP256R1())
KEY = p256.raw_public(APPLICATION_SERVER)
AS_PRIVATE = ec.derive_private_key(21, ec.SECP256R1())
SALT = bytes(range(16))


class ApplicationServer:
    """Remembers every request as ``(route, value)``; refuses the routes in ``refuse``."""

    def __init__(self):
        self.key = KEY
        self.page_url = ""
        self.requests = []
        self.user_agents = set()
        self.refuse = {}

    def of(self, route):
        return [value for name, value in self.requests if name == route]


class _Handler(RequestHandler):
    def initialize(self, server):
        self.server = server

    def prepare(self):
        self.server.user_agents.add(self.request.headers["User-Agent"])

    def get(self, route):
        self.server.requests.append((route, None))
        self._answer(route, base64url.encode(self.server.key))

    def post(self, route):
        self.server.requests.append((route, json.loads(self.request.body)))
        self._answer(route, {"data": {"success": True}})

    def _answer(self, route, body):
        if route in self.server.refuse:
            status, body = self.server.refuse[route]
            self.set_status(status)
        self.finish(body)


@pytest.fixture
def parties(peer, serve):
    """``async with parties() as (service, server, agent)``: all three, the agent not yet started."""

    @asynccontextmanager
    async def bring_up(**options):
        server = ApplicationServer()
        routes = [("/proxied/(.*)", _Handler, {"server": server})]
        async with peer() as service, serve(routes) as port:
            server.page_url = f"http://127.0.0.1:{port}/proxied/"
            agent = VirtualUserAgent(service.url, **options)
            try:
                yield service, server, agent
            finally:
                await agent.close()

    return bring_up


async def start(service, agent, uaid="ua-1"):
    """Start the agent and answer its hello; return what it said."""
    starting = asyncio.create_task(agent.start())
    hello = await service.heard()
    await service.say({"messageType": "hello", "uaid": uaid, "status": 200, "use_webpush": True})
    await starting
    return hello


async def subscribe(service, server, agent):
    """Open the page, register and subscribe; return what the agent said to the push service."""
    await agent.open(server.page_url)
    await agent.register()
    subscribing = asyncio.create_task(agent.subscribe())
    register = await service.heard()
    await service.say(
        {
            "messageType": "register",
            "channelID": register["channelID"],
            "status": 200,
            "pushEndpoint": "http://127.0.0.1:1/wpush/v2/token",
        }
    )
    await subscribing
    return register


def notification(agent, plaintext, version="v1", channel=None):
    """Return the push service's message with this plaintext, encrypted for the agent."""
    message = {"messageType": "notification", "channelID": channel, "version": version}
    message["channelID"] = channel or agent._push.channel.id
    if plaintext is not None:
        body = encryption.encrypt(plaintext, agent.subscription, as_private=AS_PRIVATE, salt=SALT)
        message |= {"data": base64url.encode(body), "headers": {"encoding": "aes128gcm"}}
    return message


def corrupt(message):
    body = bytearray(base64url.decode(message["data"]))
    body[-1] ^= 1
    return message | {"data": base64url.encode(bytes(body))}


async def code_of(service):
    """Return the code of the one acknowledgement that comes next."""
    ack = await service.heard()
    assert ack["messageType"] == "ack"
    (update,) = ack["updates"]
    return update["code"]


# --- the push service --------------------------------------------------------------------------------


def test_hello_is_firefox_s_and_names_nobody_as_long_as_there_is_no_subscription(run, parties):
    async def scenario():
        async with parties() as (service, _, agent):
            first = await start(service, agent)
            assert first == {"messageType": "hello", "broadcasts": {}, "use_webpush": True}
            assert service.subprotocols == ["push-notification"]
            await agent.disconnect()
            assert "uaid" not in await start(service, agent)

    run(scenario())


def test_register_sends_the_server_s_key_with_padding(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            register = await subscribe(service, server, agent)
            assert len(register["key"]) == 88 and register["key"].endswith("=")
            assert base64url.decode(register["key"].rstrip("=")) == KEY
            assert agent.subscription.endpoint == "http://127.0.0.1:1/wpush/v2/token"
            assert await agent.state() == "subscribed"

    run(scenario())


def test_a_message_is_decrypted_shown_acknowledged_and_reported(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            await subscribe(service, server, agent)
            plaintext = b'{"title": "Hello", "options": {"body": "ID: 7", "tag": "t", "data": [1]}}'
            await service.say(notification(agent, plaintext))
            ack = await service.heard()
            assert ack["updates"] == [
                {"channelID": agent._push.channel.id, "version": "v1", "code": 100}
            ]
            shown = await agent.wait_for_notification(body="ID: 7", title="Hello")
            assert shown == Notification("Hello", "ID: 7", "t", [1])
            assert list(agent.received) == [plaintext]
            await agent.close()
            reports = [report["event"] for report in server.of("report")]
            assert reports[-2:] == ["push received", "shown"]

    run(scenario())


@pytest.mark.parametrize(
    ("plaintext", "title", "body"),
    [
        (None, "Push message", "It came without a payload."),
        (b"just text", "Push message", "just text"),
        (b"", "Push message", ""),
        (b'"a JSON string"', "Push message", '"a JSON string"'),
        (b'{"title": 7}', "Push message", '{"title": 7}'),
        (b'{"title": "No options"}', "No options", ""),
        (b'{"title": "Odd options", "options": 7}', "Odd options", ""),
        (b'{"web_push": 8030, "notification": {"title": "Hi", "body": "you"}}', "Hi", "you"),
        (b'{"web_push": 8030}', "Push message", '{"web_push": 8030}'),
        (b"\xff", "Push message", "\ufffd"),
    ],
)
def test_every_payload_is_shown_somehow(run, parties, plaintext, title, body):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            await subscribe(service, server, agent)
            await service.say(notification(agent, plaintext))
            assert await code_of(service) == 100
            assert await agent.wait_for_notification() == Notification(title, body)

    run(scenario())


def test_a_tag_replaces_what_is_shown_and_no_tag_does_not(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            await subscribe(service, server, agent)
            for number, tag in enumerate(["", "", "news", "news"]):
                text = json.dumps({"title": str(number), "options": {"tag": tag}})
                await service.say(notification(agent, text.encode(), version=str(number)))
                await code_of(service)
            assert [shown.title for shown in await agent.notifications()] == ["0", "1", "3"]
            assert len(agent.received) == 4

    run(scenario())


def test_what_cannot_be_decrypted_is_acknowledged_101_and_the_next_is_shown(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            await subscribe(service, server, agent)
            good = notification(agent, b"good", version="v9")
            bad = [
                corrupt(good),
                good | {"data": good["data"][:40]},
                good | {"data": "not base64url!"},
                good | {"data": ""},
            ]
            for number, message in enumerate(bad):
                await service.say(message | {"version": f"v{number}"})
                assert await code_of(service) == 101
            assert await agent.notifications() == []
            await service.say(good)
            assert await code_of(service) == 100
            assert [shown.body for shown in await agent.notifications()] == ["good"]

    run(scenario())


def test_a_version_seen_before_and_an_unknown_channel_are_acknowledged_102(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            await subscribe(service, server, agent)
            await service.say(notification(agent, b"once"))
            assert await code_of(service) == 100
            await service.say(notification(agent, b"once"))
            assert await code_of(service) == 102
            await service.say(notification(agent, b"other", version="v2", channel="another"))
            assert await code_of(service) == 102
            assert len(await agent.notifications()) == 1

    run(scenario())


def test_it_comes_back_under_its_name_with_its_subscription(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            await subscribe(service, server, agent)
            before = agent.subscription
            await agent.close()
            await service.gone.wait()
            assert (await start(service, agent))["uaid"] == "ua-1"
            assert agent.subscription == before
            await service.say(notification(agent, b"kept for you"))
            assert await code_of(service) == 100

    run(scenario())


def test_a_push_service_that_has_forgotten_it_costs_the_subscription(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            await subscribe(service, server, agent)
            await agent.disconnect()
            await start(service, agent, uaid="ua-2")
            assert agent.subscription is None
            assert await agent.state() == "registered"

    run(scenario())


def test_unsubscribe_tells_both_servers(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            register = await subscribe(service, server, agent)
            server.refuse["remove-subscription"] = (404, {"error": {"id": "x", "message": "?"}})
            leaving = asyncio.create_task(agent.unsubscribe())
            channel = {"channelID": register["channelID"]}
            assert await service.heard() == {"messageType": "unregister", "code": 200} | channel
            await service.say({"messageType": "unregister", "status": 200} | channel)
            await leaving
            assert server.of("remove-subscription") == [
                {"endpoint": "http://127.0.0.1:1/wpush/v2/token"}
            ]
            assert await agent.state() == "registered"

    run(scenario())


def test_a_push_service_that_refuses_or_is_not_there_is_said(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            with pytest.raises(BrowserFailed, match="no connection to the push service"):
                await agent.open(server.page_url)
                await agent.register()
                await agent.subscribe()
            await start(service, agent)
            subscribing = asyncio.create_task(agent.subscribe())
            channel = (await service.heard())["channelID"]
            await service.say({"messageType": "register", "channelID": channel, "status": 500})
            with pytest.raises(BrowserFailed, match="refused to register: 500"):
                await subscribing
            subscribing = asyncio.create_task(agent.subscribe())
            await service.heard()
            service.hang_up()
            with pytest.raises(BrowserFailed, match="closed the connection"):
                await subscribing

    run(scenario())


def test_nobody_at_the_push_url_is_said(run, unused_tcp_port):
    agent = VirtualUserAgent(f"ws://127.0.0.1:{unused_tcp_port}/")
    with pytest.raises(BrowserFailed, match="push service does not answer"):
        run(agent.start())


# --- the application server --------------------------------------------------------------------------


def test_the_page_s_requests_come_in_the_page_s_order_relative_to_its_url(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            await subscribe(service, server, agent)
            await agent.notify_me()
            await agent.notify_all()
            events = [value["event"] if route == "report" else route for route, value in server.requests]
            assert events == [
                "",
                "registered",
                "permission",
                "vapid",
                "subscribed",
                "add-subscription",
                "notify-me",
                "notify-all",
            ]
            (added,) = server.of("add-subscription")
            assert added == agent.subscription.to_json()
            assert server.of("notify-me") == [{"endpoint": agent.subscription.endpoint}]

    run(scenario())


@pytest.mark.parametrize(
    ("options", "name", "header"),
    [
        ({}, "Virtual", "pushlab-virtual"),
        ({"name": "Ada"}, "Ada", "pushlab-virtual (Ada)"),
    ],
)
def test_both_servers_learn_its_name_from_the_user_agent_header(run, parties, options, name, header):
    async def scenario():
        async with parties(**options) as (service, server, agent):
            await start(service, agent)
            await agent.open(server.page_url)
            assert agent.name == name
            assert server.user_agents == {header}
            assert service.headers[0]["User-Agent"] == header

    run(scenario())


def test_opening_the_page_again_sends_the_subscription_again_if_the_key_is_the_same(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            await subscribe(service, server, agent)
            await agent.open(server.page_url)
            assert len(server.of("add-subscription")) == 2
            server.key = p256.raw_public(AS_PRIVATE)
            await agent.open(server.page_url)
            assert len(server.of("add-subscription")) == 2

    run(scenario())


def test_another_server_key_costs_the_old_subscription(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            old = await subscribe(service, server, agent)
            server.key = p256.raw_public(AS_PRIVATE)
            subscribing = asyncio.create_task(agent.subscribe())
            unregister = await service.heard()
            assert unregister["channelID"] == old["channelID"]
            await service.say(unregister | {"status": 200})
            register = await service.heard()
            assert base64url.decode(register["key"].rstrip("=")) == server.key
            endpoint = {"pushEndpoint": "http://127.0.0.1:1/wpush/v2/new", "status": 200}
            await service.say(register | endpoint)
            await subscribing
            assert agent.subscription.endpoint.endswith("new")

    run(scenario())


def test_an_error_of_the_server_is_told_in_its_words_and_a_refused_report_stops_nothing(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            server.refuse["report"] = (500, "no JSON at all")
            server.refuse["notify-me"] = (502, {"error": {"id": "gone", "message": "It is gone."}})
            server.refuse["notify-all"] = (500, "no JSON at all")
            await start(service, agent)
            await subscribe(service, server, agent)
            with pytest.raises(BrowserFailed, match="says: It is gone"):
                await agent.notify_me()
            with pytest.raises(BrowserFailed, match="says: status 500"):
                await agent.notify_all()

    run(scenario())


def test_nobody_at_the_page_s_url_is_said(run, unused_tcp_port):
    agent = VirtualUserAgent("ws://127.0.0.1:9/")
    with pytest.raises(BrowserFailed, match="application server does not answer"):
        run(agent.open(f"http://127.0.0.1:{unused_tcp_port}/"))
    with pytest.raises(BrowserFailed, match="No page is open"):
        run(VirtualUserAgent("ws://127.0.0.1:9/").notify_all())


def test_a_button_that_the_page_would_disable_cannot_be_pressed(run, parties):
    async def scenario():
        async with parties() as (_, server, agent):
            await agent.open(server.page_url)
            for press in (agent.subscribe, agent.unsubscribe, agent.unregister, agent.notify_me):
                with pytest.raises(BrowserFailed, match="disabled in state unregistered"):
                    await press()
            await agent.register()
            with pytest.raises(BrowserFailed, match="register is disabled in state registered"):
                await agent.register()
            await agent.unregister()
            assert await agent.state() == "unregistered"

    run(scenario())


def test_waiting_has_an_end_and_tells_no_content(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            await subscribe(service, server, agent)
            await service.say(notification(agent, b"a secret"))
            await code_of(service)
            with pytest.raises(TimedOut, match="in 0.05 s; 1 others") as caught:
                await agent.wait_for_notification(body="another", timeout=0.05)
            assert "secret" not in str(caught.value)

    run(scenario())


def test_it_has_no_screen(run):
    with pytest.raises(BrowserFailed, match="no screen"):
        run(VirtualUserAgent("ws://127.0.0.1:9/").screenshot())


def test_a_room_of_user_agents_shares_no_queue(run, serve):
    """Tornado's own shared client has ten requests under way at most, for all its users together."""
    coming, wait = asyncio.Queue(), asyncio.Event()

    class Held(RequestHandler):
        async def get(self):
            coming.put_nowait(self.request.headers["User-Agent"])
            await wait.wait()

    async def scenario():
        async with serve([("/", Held)]) as port:
            agents = [VirtualUserAgent("ws://127.0.0.1:1/", name=f"Ada {n}") for n in range(30)]
            opening = [asyncio.create_task(agent.open(f"http://127.0.0.1:{port}/")) for agent in agents]
            asked = {await coming.get() for _ in agents}
            assert len(asked) == len(agents), "all of them ask at one time"
            wait.set()
            await asyncio.gather(*opening)
            for agent in agents:
                await agent.close()

    run(scenario())


def test_a_closed_user_agent_has_closed_its_client_and_may_start_again(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            await agent.open(server.page_url)
            client = agent._client._curl
            closing = asyncio.create_task(agent.close())
            await service.gone.wait()
            await closing
            assert client._closed and agent._client is None
            assert asyncio.get_running_loop() not in HttpClient._clients
            await start(service, agent)
            await agent.open(server.page_url)
            assert server.of("") == [None, None]

    run(scenario())


def test_no_secret_is_in_a_repr(run, parties):
    async def scenario():
        async with parties() as (service, server, agent):
            await start(service, agent)
            await subscribe(service, server, agent)
            shown = repr(agent) + repr(agent._push) + repr(agent._push.channel)
            assert "wpush" not in shown
            assert base64url.encode(agent.subscription.auth) not in shown

    run(scenario())


KINDS = [
    (b'{"title": "Hello', "broken"), (b"{", "broken"), (b"{" * 100_000, "broken"),
    (b'{"title": "Hello"}', "json"), (b'{"title": 7}', "text"), (b"null", "text"), (b"[1, 2]", "text"),
    (b"Hello", "text"), (None, "none"),
]  # fmt: skip


@pytest.mark.parametrize(("plaintext", "kind"), KINDS)
def test_a_payload_has_the_kind_that_the_worker_gives_it(plaintext, kind):
    assert read(plaintext)[0] == kind
