"""The lab's routes: only its own subscriptions take them, and only the address changes."""

import json
import ssl
import sys

import pytest
import trustme

from pushlab.appserver.delivery.egress import ConnectOverride, override_for
from pushlab.protocol import vapid
from pushlab.protocol.delivery import PushRequest

HOST = "jmt17.google.com"
OURS = f"https://{HOST}/fcm/send/pushlab-JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"


@pytest.fixture(scope="module")
def lab():
    """An authority of the lab's, and a TLS context that has the vendor's name from it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return authority.cert_pem.bytes().decode(), context


@pytest.mark.parametrize(
    "url",
    [
        OURS,
        f"https://{HOST}:443/wp/pushlab-x",
        f"https://{HOST}/preprod/wp/pushlab-",
    ],
)
def test_what_takes_a_route(url):
    override = ConnectOverride(HOST, "pushlab-", 40443, "")
    assert override_for(url, [override]) is override


@pytest.mark.parametrize(
    "url",
    [
        f"https://{HOST}/fcm/send/JzLQ3raZ",
        f"https://{HOST}/pushlab-/JzLQ3raZ",
        f"https://{HOST}/fcm/send/x?pushlab-",
        f"https://{HOST}:8443/fcm/send/pushlab-x",
        f"https://{HOST}.example.net/fcm/send/pushlab-x",
        f"https://example.net@{HOST}/fcm/send/pushlab-x",
        f"http://{HOST}/fcm/send/pushlab-x",
        "https://fcm.googleapis.com/fcm/send/pushlab-x",
        "http://127.0.0.1:8030/wpush/v2/pushlab-x",
    ],
)
def test_what_goes_where_its_url_says(url):
    assert override_for(url, [ConnectOverride(HOST, "pushlab-", 40443, "")]) is None
    assert override_for(url, []) is None


def test_a_route_prints_itself_without_its_certificates():
    override = ConnectOverride(HOST, "pushlab-", 40443, "PEM")
    assert str(override) == f"https://{HOST}/…/pushlab-… → 127.0.0.1:40443"
    assert "PEM" not in repr(override)


@pytest.fixture
def notify(run, serving, push_service, subscriber, lab):
    """Send one message to the lab's subscription at a vendor's host; give all that was seen."""

    def sending(sender, authority=None, address="127.0.0.1"):
        async def scenario():
            async with push_service(lab[1], address) as service:
                port = int(service.origin.rsplit(":", 1)[1])
                override = ConnectOverride(HOST, "pushlab-", port, authority or lab[0], address)
                async with serving(connect_overrides=[override], sender=sender) as server:
                    someone = subscriber(OURS)
                    server.subscribe(someone.subscription, "Chromium")
                    outcome = await server.notify(OURS, "Hi", "you")
                    return someone, service.received, outcome, server.journal.events(), port

        return run(scenario())

    return sending


@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
def test_the_message_comes_to_the_lab_as_the_vendor_would_get_it(notify, sender, keys):
    someone, (received,), outcome, events, _ = notify(sender)
    assert (outcome.kind, outcome.status) == ("accepted", 201)
    assert received.path == OURS.removeprefix(f"https://{HOST}")
    assert received.headers["Host"] == HOST
    now = events[-1].at
    claims = vapid.verify(received.headers["Authorization"], origin=f"https://{HOST}", now=now)
    assert claims.aud == f"https://{HOST}"
    assert json.loads(someone.read(received.body))["title"] == "Hi"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
def test_a_lab_in_a_room_is_at_another_address(notify, sender):
    _, (received,), outcome, _, _ = notify(sender, address="127.0.0.2")
    assert (outcome.kind, received.headers["Host"]) == ("accepted", HOST)


@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
def test_the_detour_is_told_and_the_requests_are_not_told_twice(notify, sender):
    _, _, _, events, port = notify(sender)
    (route,) = [event for event in events if event.what == "route"]
    assert route.detail == {"host": HOST, "address": f"127.0.0.1:{port}"}
    # The lab's push service writes these down itself, and this one has no journal.
    assert not [event for event in events if event.what.startswith(("POST message", "201"))]


@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
def test_the_certificate_is_checked_on_a_route_too(notify, sender):
    _, received, outcome, _, _ = notify(sender, authority=trustme.CA().cert_pem.bytes().decode())
    assert received == [] and outcome.kind == "failed"
    assert "certificate" in outcome.text


def test_the_lab_s_authority_is_believed_on_its_routes_alone(run, serving, push_service, lab):
    async def scenario():
        async with push_service(lab[1]) as service:
            port = int(service.origin.rsplit(":", 1)[1])
            override = ConnectOverride(HOST, "pushlab-", port, lab[0])
            async with serving(service.origin, connect_overrides=[override]) as server:
                transport = server.sender.context.client._transport
                routed = await transport.send(PushRequest(OURS, {}, b""), override)
                # The same server, addressed as itself: not the name, and not the authority.
                direct = await transport.send(PushRequest(f"{service.origin}/pushlab-x", {}, b""))
                return routed.status, direct.code

    assert run(scenario()) == (201, 60)


def test_of_a_notify_all_each_detour_is_told_once(run, serving, push_service, subscriber, lab):
    async def scenario():
        async with push_service(lab[1]) as service, push_service() as plain:
            port = int(service.origin.rsplit(":", 1)[1])
            override = ConnectOverride(HOST, "pushlab-", port, lab[0])
            async with serving(plain.origin, connect_overrides=[override]) as server:
                server.subscribe(subscriber(plain.endpoint()).subscription, "Firefox")
                for number in range(3):
                    server.subscribe(subscriber(f"{OURS}{number}").subscription, "Chromium")
                counts = await server.notify_all()
                return counts.accepted, [event.what for event in server.journal.events()]

    accepted, told = run(scenario())
    assert accepted == 4
    assert told.count("route") == 1 and told.count("encrypt") == 1
