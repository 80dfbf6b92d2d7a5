"""The whole loop with all three parties real, and meeting over the network: the browser's side of it.

Every scenario runs over the virtual user agent, Firefox and Chromium, which speak two protocols with
the push service, and so they are seen to behave alike. One user agent serves the whole module; each
scenario begins by making sure that it is subscribed.
"""

import asyncio
import json
import os

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.journal import Party
from pushlab.protocol import base64url, encryption, p256, vapid
from pushlab.protocol.delivery import PushOptions, PushRequest
from pushlab.protocol.subscription import PushSubscription

from .conftest import only

UA, PS, AS = Party.USER_AGENT, Party.PUSH_SERVICE, Party.APPLICATION_SERVER


def in_order(events, *steps):
    """Tell whether these steps (source, target, what) happened one after the other."""
    told = iter((event.source, event.target, event.what) for event in events)
    return all(step in told for step in steps)


def test_the_buttons_lead_from_nothing_to_a_stored_subscription(world):
    async def scenario():
        start = world.now()
        await world.agent.open(world.server.url)
        assert await world.agent.state() == "unregistered"
        await world.agent.register()
        assert await world.agent.state() == "registered"
        assert world.server.store.count() == 0
        await world.agent.subscribe()
        assert await world.agent.state() == "subscribed"
        (stored,) = world.server.store.all()
        assert stored.display_name == world.agent.name
        assert stored.subscription.origin in world.kind.hosts(world.push_service)
        assert in_order(
            world.since(start),
            (UA, UA, "registered"),
            (UA, UA, "permission granted"),
            (UA, AS, "GET /vapid"),
            (UA, PS, "subscribe"),
            (PS, UA, "endpoint"),
            (UA, UA, "subscribed"),
            (UA, AS, "POST /add-subscription"),
        ), [str(event) for event in world.since(start)]

    world.run(scenario())


def test_notify_me_is_shown_as_it_was_sent_and_the_journal_tells_the_story(world):
    async def scenario():
        await world.begin()
        start = world.now()
        first = await world.server.notify_all()
        await world.agent.wait_for_notification(f"ID: {first.id}", "Hello, Notifications!")
        await world.wait_for("notification shown", after=start)
        start = world.now()
        await world.agent.notify_me()
        body = f"ID: {first.id + 1}"
        shown = await world.agent.wait_for_notification(body)
        assert (shown.title, shown.body) == ("Hello, Notifications!", body)
        await world.wait_for("notification shown", after=start)
        told = world.since(start)
        story = [str(event) for event in told]
        sent = [
            (UA, AS, "POST /notify-me"),
            (AS, AS, "encrypt"),
            (AS, PS, "POST message"),
            (PS, UA, "push message"),
        ]
        assert in_order(told, *sent, (UA, PS, "acknowledge")), story
        assert in_order(told, *sent, (UA, UA, "push received"), (UA, UA, "notification shown")), story
        assert in_order(told, (AS, PS, "POST message"), (PS, AS, "201 Created")), story
        (ack,) = [event for event in told if event.what == "acknowledge"]
        assert ack.detail.get("code") == world.kind.good
        assert ack.who == world.agent.name

    world.run(scenario())


def test_notify_all_carries_any_title_and_body(world):
    async def scenario():
        await world.begin()
        counts = await world.server.notify_all("Grüße 👋", "Zeile 1\nZeile 2 <b>&amp;")
        assert (counts.accepted, counts.gone, counts.failed) == (1, 0, 0)
        shown = await world.agent.wait_for_notification(title="Grüße 👋")
        assert shown.body == "Zeile 1\nZeile 2 <b>&amp;"
        start = world.now()
        await world.agent.notify_all()
        await world.wait_for("acknowledge", after=start, code=world.kind.good)

    world.run(scenario())


def test_text_is_shown_as_the_body(world):
    async def scenario():
        await world.begin()
        await world.send(b"Nur Text, kein JSON")
        shown = await world.agent.wait_for_notification("Nur Text, kein JSON")
        assert shown.title == "Push message"

    world.run(scenario())


def test_a_message_without_payload_is_shown_too(world):
    async def scenario():
        await world.begin()
        start = world.now()
        await world.send(None)
        await world.wait_for("acknowledge", after=start, code=world.kind.good)
        shown = await world.agent.wait_for_notification("It came without a payload.")
        assert shown.title == "Push message"

    world.run(scenario())


def test_a_subscription_without_keys_gets_an_empty_push_that_is_shown(world):
    async def scenario():
        whole = await world.begin()
        key = world.server.keys.application_server_key
        world.server.store.save(PushSubscription(whole.endpoint), key)
        start = world.now()
        outcome = await world.server.notify(whole.endpoint, "Never", "seen")
        assert outcome.status == 201 and "went without its payload" in outcome.text
        await world.wait_for("acknowledge", after=start, code=world.kind.good)
        shown = await world.agent.wait_for_notification("It came without a payload.")
        assert shown.title == "Push message"
        await world.wait_for("notification shown", after=start)
        world.server.store.save(whole, key)
        start = world.now()
        await world.server.notify(whole.endpoint, "Again", "with keys")
        assert (await world.agent.wait_for_notification("with keys")).title == "Again"
        await world.wait_for("notification shown", after=start)

    world.run(scenario())


def test_the_largest_message_arrives_whole(world):
    async def scenario():
        await world.begin()
        frame = len('{"title":"Large","options":{"body":""}}')
        body = "x" * (encryption.MAX_PLAINTEXT - frame)
        payload = b'{"title":"Large","options":{"body":"%s"}}' % body.encode()
        assert len(payload) == encryption.MAX_PLAINTEXT
        start = world.now()
        await world.send(payload)
        await world.agent.wait_for_notification(body)
        await world.wait_for("notification shown", after=start)

    world.run(scenario())


@pytest.mark.parametrize("where", ["salt", "as_public", "ciphertext", "tag"])
def test_a_corrupt_message_shows_nothing_and_the_next_good_one_is_shown(world, where):
    position = {"salt": 0, "as_public": 30, "ciphertext": 90, "tag": -1}[where]

    async def scenario():
        await world.begin()
        start = world.now()
        body = bytearray(world.encrypt(f"corrupt {where}".encode()))
        body[position] ^= 1
        assert await world.post(bytes(body)) == 201
        await world.wait_for("acknowledge", after=start, code=world.kind.corrupt)
        assert await world.post(world.encrypt(f"good {where}".encode())) == 201
        await world.wait_for("acknowledge", after=start, code=world.kind.good)
        await world.agent.wait_for_notification(f"good {where}")
        assert f"corrupt {where}" not in await world.bodies()
        received = await world.wait_for("push received", after=start)
        await world.wait_for("notification shown", after=received[0].number)
        assert len([e for e in world.since(start) if e.what == "push received"]) == 1

    world.run(scenario())


def test_two_messages_sent_at_once_leave_in_order_and_are_both_shown(world):
    async def scenario():
        await world.begin()
        start = world.now()
        await asyncio.gather(*[world.send(b"a" * 10), world.send(b"b" * 20)])
        await world.agent.wait_for_notification("a" * 10)
        await world.agent.wait_for_notification("b" * 20)
        await world.wait_for("acknowledge", after=start, count=2, code=world.kind.good)
        await world.wait_for("notification shown", after=start, count=2)
        posted, pushed = [
            [event.detail["bytes"] for event in world.since(start) if event.what == what]
            for what in ("POST message", "push message")
        ]
        assert pushed == posted

    world.run(scenario())


def test_a_later_message_with_the_same_tag_replaces_what_is_shown(world):
    async def scenario():
        await world.begin()
        start = world.now()
        # One after the other: Firefox handles messages side by side, and when two come at once the
        # earlier may be shown later.
        for number, title in enumerate(["first", "second"], start=1):
            await world.send(b'{"title":"%s","options":{"tag":"replaced"}}' % title.encode())
            await world.wait_for("notification shown", after=start, count=number)
        await world.agent.wait_for_notification(title="second")
        tagged = [shown for shown in await world.agent.notifications() if shown.tag == "replaced"]
        assert [shown.title for shown in tagged] == ["second"]

    world.run(scenario())


def lasting(body):
    """Return a message that stays shown: Firefox takes any other one away after 20 seconds."""
    message = {"title": "Lasting", "options": {"body": body, "requireInteraction": True}}
    return json.dumps(message).encode()


def test_closed_and_opened_again_it_gets_what_was_kept_for_it(world):
    async def scenario():
        before = await world.begin()
        away = world.now()
        await world.agent.close()
        await world.wait_for("disconnect", after=away)
        await world.send(lasting("kept"), ttl=600)
        await world.send(lasting("now or never"), ttl=0)
        await world.send(lasting("score 1:0"), ttl=600, topic="score")
        await world.send(lasting("score 2:0"), ttl=600, topic="score")
        back = world.now()
        await world.agent.start()
        # The service worker shows them before any page is open.
        await world.wait_for("acknowledge", after=back, count=2, code=world.kind.good)
        await world.agent.open(world.server.url)
        assert await world.agent.state() == "subscribed"
        assert world.subscription() == before
        await world.agent.wait_for_notification("kept")
        await world.agent.wait_for_notification("score 2:0")
        await world.send(b"and now one more")
        await world.agent.wait_for_notification("and now one more")
        assert {"now or never", "score 1:0"}.isdisjoint(await world.bodies())
        assert len([e for e in world.since(back) if e.what == "push message"]) == 3

    world.run(scenario())


def test_after_unsubscribe_a_send_gets_410_and_the_server_forgets_the_subscription(world):
    async def scenario():
        subscription = await world.begin()
        await world.agent.unsubscribe()
        assert await world.agent.state() == "registered"
        assert world.server.store.count() == 0
        # The page has told the server, as a good page does. Many do not:
        world.server.subscribe(subscription)
        start = world.now()
        counts = await world.server.notify_all()
        assert (counts.accepted, counts.gone) == (0, 1)
        assert world.server.store.count() == 0
        assert in_order(
            world.since(start),
            (AS, PS, "POST message"),
            (PS, AS, "410 Gone"),
            (AS, AS, "remove subscription"),
        ), [str(event) for event in world.since(start)]
        # And subscribing again works.
        await world.begin()
        start = world.now()
        await world.agent.notify_me()
        await world.wait_for("acknowledge", after=start, code=world.kind.good)

    world.run(scenario())


def test_unregister_ends_the_subscription_too(world):
    async def scenario():
        subscription = await world.begin()
        start = world.now()
        await world.agent.unregister()
        assert await world.agent.state() == "unregistered"
        assert world.server.store.count() == 0
        await world.wait_for("unsubscribe", after=start)
        world.server.subscribe(subscription)
        assert (await world.server.notify_all()).gone == 1

    world.run(scenario())


def test_the_page_has_written_no_error_to_its_console(world):
    if world.kind.name == "virtual":
        assert not hasattr(world.agent, "console")
    else:
        assert list(world.agent.console) == []


def test_the_coding_before_rfc_8291_as_mozilla_gives_it_on(world):
    """Browsers still read it. The virtual one knows the RFC alone, and says that it cannot."""

    async def scenario():
        subscription = await world.begin()
        key, salt = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
        keys = {"dh": subscription.p256dh, "auth_secret": subscription.auth, "private_key": key}
        body = http_ece.encrypt(b"as in 2016", salt=salt, version="aesgcm", **keys)
        claims = vapid.Claims(subscription.origin, int(world.push_service._clock()) + 3600)
        token = vapid.sign(claims, world.server.keys.private_key)
        headers = {
            "Authorization": vapid.authorization(token, world.server.keys.public),
            "TTL": "60",
            "Content-Encoding": "aesgcm",
            "Encryption": f"salt={base64url.encode(salt)}",
            "Crypto-Key": f"dh={base64url.encode(p256.raw_public(key))}",
        }
        request = PushRequest(subscription.endpoint, headers, body)
        assert (await world.post_request(request)).status == 400
        start = world.now()
        world.push_service.flavour = "mozilla"
        try:
            assert (await world.post_request(request)).status == 201
        finally:
            world.push_service.flavour = "strict"
        if world.kind.name == "virtual":
            await world.wait_for("acknowledge", after=start, code=world.kind.corrupt)
        else:
            await world.wait_for("acknowledge", after=start, code=world.kind.good)
            await world.agent.wait_for_notification("as in 2016")

    world.run(scenario())


# --- what only Firefox does ---------------------------------------------------------------------------


@only("firefox")
def test_firefox_answers_pings(world):
    """So who does not is gone, and is known to be (RFC 6455 §5.5.2)."""

    async def scenario():
        [connection] = world.push_service._connections
        pongs = asyncio.Queue()
        connection.on_pong = pongs.put_nowait
        for data in (b"one", b"two", b"three"):
            connection.ping(data)
            assert await pongs.get() == data
        start = world.now()
        await world.begin()
        await world.agent.notify_me()
        await world.wait_for("acknowledge", after=start, code=world.kind.good)
        assert "disconnect" not in [event.what for event in world.since(start)]

    world.run(scenario())


# --- what only Chromium tells -------------------------------------------------------------------------


class Record:
    """What Chromium notes of the push messages that it gets, between their arrival and the push event.

    Its BackgroundService domain is the record that a person sees in the developer tools under
    Application, Background services, Push messaging.
    """

    def __init__(self, agent):
        self._agent = agent
        self._news = asyncio.Queue()
        self.noted = []

    async def begin(self):
        """Have Chromium record, and tell what it records."""
        self._agent._session.listen(
            "BackgroundService.backgroundServiceEventReceived",
            lambda params: self._news.put_nowait(params["backgroundServiceEvent"]),
        )
        service = {"service": "pushMessaging"}
        await self._agent._command("BackgroundService.startObserving", service)
        await self._agent._command("BackgroundService.setRecording", {"shouldRecord": True} | service)

    async def until(self, name):
        """Wait for the next event with this name; return what is noted beside it."""
        while True:
            event = await self._news.get()
            self.noted.append(event["eventName"])
            if event["eventName"] == name:
                return {entry["key"]: entry["value"] for entry in event["eventMetadata"]}


@only("chromium")
def test_chromium_says_what_it_decrypts_and_what_it_cannot(world):
    async def scenario():
        await world.begin()
        record = Record(world.agent)
        await record.begin()

        assert await world.post(world.encrypt(b"good")) == 201
        received = await record.until("Push message received")
        assert received == {"Success": "Yes", "Payload": "good", "Was Encrypted": "Yes"}
        assert await record.until("Push event dispatched") == {"Payload": "good"}
        assert await record.until("Push event completed") == {"Status": "Success"}
        await world.agent.wait_for_notification("good")

        record.noted.clear()
        body = bytearray(world.encrypt(b"corrupt"))
        body[-1] ^= 1
        assert await world.post(bytes(body)) == 201
        assert await record.until("Push message received") == {
            "Success": "No",
            "Was Encrypted": "Yes",
            "Error Reason": "AES-GCM decryption failed",
        }
        # What is dispatched next is the good one: nothing was for the other.
        assert await world.post(world.encrypt(b"good again")) == 201
        assert await record.until("Push event dispatched") == {"Payload": "good again"}
        assert record.noted == ["Push message received"] * 2 + ["Push event dispatched"]
        await world.agent.wait_for_notification("good again")

        # The negative control: a message without a payload is not encrypted.
        await world.send(None)
        received = await record.until("Push message received")
        assert received == {"Success": "Yes", "Was Encrypted": "No"}

    world.run(scenario())


@only("chromium")
def test_two_chromiums_get_their_own_messages(world):
    async def scenario():
        await world.begin()
        (first,) = world.server.store.all()
        other = world.kind.make(world.push_service, None)
        await other.start()
        try:
            await other.open(world.server.url)
            await other.register()
            await other.subscribe()
            assert world.server.store.count() == 2
            await other.notify_me()
            await other.wait_for_notification(title="Hello, Notifications!")
            (shown,) = await other.notifications()
            outcome = await world.server.sender.send(first, b"for the first alone", PushOptions())
            assert outcome.status == 201
            await world.agent.wait_for_notification("for the first alone")
            assert shown.body not in await world.bodies()
            assert await other.notifications() == [shown]
            await other.unsubscribe()
        finally:
            await other.close()

    world.run(scenario())
