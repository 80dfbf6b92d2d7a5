"""Apps that are not up, redirect, answer HTML or nothing at all; and what is posted to them."""

import asyncio
import json
import random
from urllib.parse import unquote_plus

import pytest

from pushlab.conformance.exchange import Message
from pushlab.conformance.recipients import Recipient
from pushlab.conformance.senders import template
from pushlab.conformance.senders.app import AppSender, Routes
from pushlab.errors import BadArgument

RECIPIENT = Recipient("https://localhost:8188", random.Random(0))
MESSAGE = Message(RECIPIENT, b"Hello", ttl=7)

OK = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
ANSWERS = {
    "a redirect": (
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
        "POST /add-subscription was answered 302, a redirect: name the route itself",
    ),
    "no route": (
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n<p>No</p>",
        "the app refuses the subscription: HTTP 404, an HTML page <p>No</p>. Has it been told to allow",
    ),
    "no HTTP": (b"\x00\xff\r\n\r\n", "POST /add-subscription: "),
    "a hang-up": (b"", "POST /add-subscription: "),
    "megabytes": (b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n", "POST /add-subscription: "),
    "cookies": (
        b"HTTP/1.1 200 OK\r\n" + b"Set-Cookie: a=b\r\n" * 5000 + b"\r\n",
        "POST /add-subscription: the reply cannot be read",
    ),
    "an endless head": (b"HTTP/1.1 200 OK\r\n" + b"a" * 99_999, "POST /add-subscription: the reply"),
}


def exchanged(run, answer: bytes | None, act, **options):
    """Let an app at a free port answer so, and return what ``act`` gives, and the bodies that came."""
    bodies: list[bytes] = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        bodies.append(head + await reader.readexactly(length))
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
            await writer.drain()
        writer.close()

    async def scenario():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        app = AppSender(Routes.of(f"http://127.0.0.1:{port}"), **options)
        await app.open()
        try:
            return await act(app)
        finally:
            await app.close()
            server.close()

    return run(scenario()), bodies


def test_what_an_app_does_wrong_is_a_sentence(run):
    for name, (answer, words) in ANSWERS.items():
        said, _ = exchanged(run, answer, lambda app: app.send(MESSAGE))
        assert said.fault.startswith(words), (name, said)
        assert "\n" not in said.fault and len(said.fault) < 300, name
    said, _ = exchanged(run, None, lambda app: app.send(MESSAGE), limit=0.3)
    assert said.fault == "POST /add-subscription had no reply after 0.3 s"


def test_an_app_that_is_not_up_is_a_sentence(run):
    async def scenario():
        app = AppSender(Routes.of("http://ada:s3cret@127.0.0.1:9"))
        await app.open()
        try:
            return await app.send(MESSAGE)
        finally:
            await app.close()

    assert run(scenario()).fault == "the app at 127.0.0.1:9 cannot be reached: Connection refused"


def test_the_bodies_are_those_of_the_lab(run):
    said, bodies = exchanged(run, OK, lambda app: app.send(MESSAGE))
    assert said.accepted and said.status == "HTTP 201"
    heads, contents = zip(*(body.split(b"\r\n\r\n", 1) for body in bodies), strict=True)
    assert [head.split()[1] for head in heads] == [b"/add-subscription", b"/notify-me"]
    assert json.loads(contents[0]) == RECIPIENT.subscription.to_json()
    assert json.loads(contents[1]) == {
        "endpoint": RECIPIENT.subscription.endpoint,
        "notification": {"title": "Conformance", "options": {"body": "Hello"}},
        "options": {"ttl": 7, "urgency": "normal"},
    }


def test_bodies_of_its_own_are_templates(run):
    options = {
        "subscribe_body": '{"kind": "web", "sub": "{subscription}", "who": "me at {endpoint}"}',
        "send_body": "text={payload}&seconds={ttl}",
    }
    _, bodies = exchanged(run, OK, lambda app: app.send(MESSAGE), **options)
    first, second = (body.split(b"\r\n\r\n", 1)[1] for body in bodies)
    endpoint = RECIPIENT.subscription.endpoint
    assert json.loads(first) == {
        "kind": "web", "sub": RECIPIENT.subscription.to_json(), "who": f"me at {endpoint}",
    }  # fmt: skip
    assert second == b"text=Hello&seconds=7"
    assert b"application/x-www-form-urlencoded" in bodies[1]
    with pytest.raises(BadArgument, match="placeholders as strings"):
        AppSender(Routes.of("http://127.0.0.1:9"), send_body='{"to": {endpoint}}')


def test_a_placeholder_that_there_is_not_is_refused_with_those_that_there_are():
    for option, body, known in (
        ("send_body", '{"to": "{endpont}"}', "{payload}"),
        ("send_body", "to={endpont}", "{payload}"),
        ("subscribe_body", "to={endpoint}&text={endpont}", "{p256dh}"),
        ("unsubscribe_body", '["{endpont}"]', "{auth}"),
    ):
        with pytest.raises(BadArgument, match=r"there is no \{endpont\}") as refused:
            AppSender(Routes.of("http://127.0.0.1:9"), **{option: body})
        assert known in str(refused.value)


def test_each_placeholder_has_a_value_wherever_it_may_stand(run):
    of_it = {
        "subscribe_body": spelled(template.OF_A_SUBSCRIPTION),
        "send_body": spelled(template.OF_A_MESSAGE),
    }
    _, bodies = exchanged(run, OK, lambda app: app.send(MESSAGE), **of_it)
    subscription = RECIPIENT.subscription.to_json()
    _, others = exchanged(run, OK, lambda app: app.notify_at(subscription), **of_it)
    for body in [*bodies, *others]:
        assert b"a=" in body and b"endpoint%7D" not in body and b"subscription%7D" not in body
        assert unquote_plus(body.decode()).count(subscription["endpoint"]) >= 2


def test_a_route_that_is_given_any_of_a_subscription_does_not_send_to_all():
    for name in sorted(template.OF_A_SUBSCRIPTION):
        app = AppSender(Routes.of("http://127.0.0.1:9"), send_body=f"to={{{name}}}")
        assert app.reports and not app.sends_to_all, name
    assert AppSender(Routes.of("http://127.0.0.1:9"), send_body="text={payload}").sends_to_all


def spelled(names) -> str:
    return "&".join(["a=1", *(f"{name}={{{name}}}" for name in sorted(names))])


def test_routes_that_are_not_given_are_those_of_the_lab():
    routes = Routes.of("http://127.0.0.1:1/", unsubscribe="http://127.0.0.1:1/off")
    assert routes.subscribe == "http://127.0.0.1:1/add-subscription"
    assert (routes.send_all, routes.unsubscribe) == (
        "http://127.0.0.1:1/notify-all",
        "http://127.0.0.1:1/off",
    )
    routes = Routes.of("http://127.0.0.1:1/api/subscribe", "http://127.0.0.1:1/api/send")
    assert (routes.send, routes.send_all, routes.unsubscribe) == ("http://127.0.0.1:1/api/send", "", "")
