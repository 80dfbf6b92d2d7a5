"""The routes, as the page and its worker use them, and every wrong way to use them."""

import json

import pytest

from pushlab.appserver.broadcast.sender import Counts
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.web.routes import event_of
from pushlab.journal import Party
from pushlab.protocol import base64url
from pushlab.protocol.subscription import PushSubscription

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
HTTPS = "https://push.example.net/push/one"


@pytest.fixture
def world(run, serving, push_service):
    """Run a scenario with a push service and an application server that may send to it."""

    def running(scenario, **options):
        async def whole():
            async with push_service() as service:
                async with serving(service.origin, **options) as server:
                    return await scenario(server, service)

        return run(whole())

    return running


def recorded(server) -> list[tuple]:
    return [(event.source, event.target, event.what, event.who) for event in server.journal.events()]


UA, AS = Party.USER_AGENT, Party.APPLICATION_SERVER

# --- what is asked and what is answered --------------------------------------------------------


def test_vapid_is_the_public_key_in_plain_text(world, fetch, keys):
    async def scenario(server, service):
        reply = await fetch(server.url + "vapid", User_Agent=FIREFOX)
        assert reply.status == 200 and reply.headers["Content-Type"].startswith("text/plain")
        assert reply.body.decode() == keys.application_server_key
        assert recorded(server) == [(UA, AS, "GET /vapid", "Firefox")]

    world(scenario)


def test_health_names_the_lab_and_its_push_service(world, run, serving, fetch, monkeypatch):
    monkeypatch.setenv("PUSHLAB_PATIENCE", "2.5")

    async def scenario(server, service):
        reply = await fetch(server.url + "health")
        url = service.origin.replace("http", "ws") + "/"
        assert reply.json == {
            "data": {
                "success": True,
                "name": "pushlab",
                "patience": 2.5,
                "push_service": url,
                "room": False,
                "routes": [],
            }
        }

    async def alone():
        async with serving() as server:
            reply = await fetch(server.url + "health")
            assert reply.json == {
                "data": {
                    "success": True,
                    "name": "pushlab",
                    "patience": 2.5,
                    "push_service": None,
                    "room": False,
                    "routes": [],
                }
            }

    world(scenario)
    run(alone())


def test_one_subscription_too_many_is_refused_and_those_that_are_known_are_not(
    world, fetch, subscriber, monkeypatch
):
    monkeypatch.setattr("pushlab.appserver.quota.MAX_SUBSCRIPTIONS", 2)

    async def scenario(server, service):
        async def add(subscription) -> object:
            return await fetch(server.url + "add-subscription", subscription.to_json())

        known, other, late = (subscriber(f"{HTTPS}{n}").subscription for n in range(3))
        assert [(await add(one)).status for one in (known, other, known)] == [201, 201, 200]
        assert (await add(late)).error == (503, "too-many-subscriptions")
        await fetch(server.url + "remove-subscription", {"endpoint": other.endpoint})
        assert (await add(late)).status == 201

    world(scenario)


def test_add_twice_then_remove_twice(world, fetch, subscriber, keys):
    async def scenario(server, service):
        someone = subscriber(HTTPS).subscription
        for status in (201, 200):
            reply = await fetch(server.url + "add-subscription", someone.to_json(), User_Agent=FIREFOX)
            assert (reply.status, reply.json) == (status, {"data": {"success": True}})
        [stored] = server.store.all()
        assert stored.subscription == someone
        assert (stored.application_server_key, stored.display_name) == (
            keys.application_server_key,
            "Firefox",
        )
        reply = await fetch(server.url + "remove-subscription", {"endpoint": HTTPS})
        assert (reply.status, reply.json) == (200, {"data": {"success": True}})
        assert server.store.count() == 0
        reply = await fetch(server.url + "remove-subscription", {"endpoint": HTTPS})
        assert reply.error == (404, "unknown-subscription")
        assert [(what, who) for _, _, what, who in recorded(server)] == [
            ("POST /add-subscription", "Firefox"),
            ("POST /add-subscription", "Firefox"),
            ("POST /remove-subscription", "Browser"),
            ("remove subscription", "Browser"),
            ("POST /remove-subscription", "Browser"),
        ]
        details = [dict(event.detail) for event in server.journal.events()]
        assert details == [
            {"status": 201},
            {"status": 200},
            {"status": 200},
            {},
            {"status": 404, "error": "unknown-subscription"},
        ]

    world(scenario)


def test_the_journal_has_the_label_of_each_subscription(world, fetch, subscriber):
    async def scenario(server, service):
        one, two = subscriber(service.endpoint("one")), subscriber(service.endpoint("two"))
        for someone in (one, two):
            await fetch(server.url + "add-subscription", someone.subscription.to_json())
        await fetch(server.url + "notify-me", {"endpoint": two.endpoint})
        detail = {"endpoint": two.endpoint, "digest": ""}
        await fetch(server.url + "report", {"event": "push received", "detail": detail})
        for someone in (two, two):
            await fetch(server.url + "remove-subscription", {"endpoint": someone.endpoint})
        await fetch(server.url + "report", {"event": "clicked", "detail": {"label": "made up"}})
        labels = [(event.what, event.label) for event in server.journal.events()]
        first, second = one.subscription.label, two.subscription.label
        assert labels == [
            ("POST /add-subscription", first),
            ("POST /add-subscription", second),
            ("POST /notify-me", second),
            ("encrypt", second),
            ("sign", ""),
            ("push received", second),
            ("POST /remove-subscription", second),
            ("remove subscription", second),
            ("POST /remove-subscription", second),
            ("notification clicked", ""),
        ]

    world(scenario)


def test_members_that_are_not_known_are_ignored(world, fetch, subscriber):
    async def scenario(server, service):
        someone = subscriber(HTTPS).subscription.to_json() | {"more": [1], "options": {}}
        assert (await fetch(server.url + "add-subscription", someone)).status == 201

    world(scenario)


def test_a_subscription_that_is_sent_again_keeps_the_key_it_was_made_for(
    run, serving, fetch, subscriber, tmp_path
):
    database = f"sqlite:///{tmp_path / 'a.sqlite3'}"
    someone, new = subscriber(HTTPS).subscription, subscriber(HTTPS).subscription
    before, after = VapidKeys.generate(), VapidKeys.generate()

    async def add(keys, subscription):
        async with serving(keys=keys, database=database) as server:
            await fetch(server.url + "add-subscription", subscription.to_json())
            return server.store.get(HTTPS).application_server_key

    assert run(add(before, someone)) == before.application_server_key
    assert run(add(after, someone)) == before.application_server_key
    assert run(add(after, new)) == after.application_server_key


def test_notify_me_answers_with_the_push_services_status(world, fetch, subscriber):
    async def scenario(server, service):
        someone = subscriber(service.endpoint())
        server.subscribe(someone.subscription, "Firefox")
        body = {
            "endpoint": someone.endpoint,
            "options": {"ttl": 7, "urgency": "high", "topic": "t"},
            "notification": {"title": "Hi", "options": {"body": "you", "tag": "x"}},
        }
        reply = await fetch(server.url + "notify-me", body, User_Agent=FIREFOX)
        assert reply.status == 200
        data = reply.json["data"]
        assert (data["success"], data["status"], data["outcome"]) == (True, 201, "accepted")
        assert data["message"].startswith("201 Created: The push service has the message")
        assert set(data) == {"success", "status", "outcome", "message"}
        [received] = service.received
        assert json.loads(someone.read(received.body)) == body["notification"]
        headers = received.headers
        assert (headers["TTL"], headers["Urgency"], headers["Topic"]) == ("7", "high", "t")
        assert recorded(server) == [
            (UA, AS, "POST /notify-me", "Firefox"),
            (AS, AS, "encrypt", "Firefox"),
            (AS, AS, "sign", ""),
        ]

    world(scenario)


@pytest.mark.parametrize("absent", [{}, {"notification": None, "options": None}])
def test_notify_me_has_a_default_notification(world, fetch, subscriber, absent):
    async def scenario(server, service):
        someone = subscriber(service.endpoint())
        server.subscribe(someone.subscription)
        await fetch(server.url + "notify-me", {"endpoint": someone.endpoint} | absent)
        message = json.loads(someone.read(service.received[0].body))
        assert message == {"title": "Hello, Notifications!", "options": {"body": "ID: 1"}}
        assert service.received[0].headers["TTL"] == "10000"

    world(scenario)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "subscription-gone"),
        (410, "subscription-gone"),
        (400, "push-service-refused"),
        (403, "push-service-refused"),
        (302, "push-service-refused"),
        (413, "push-service-refused"),
    ],
)
def test_notify_me_explains_a_refusal(world, fetch, subscriber, status, code):
    async def scenario(server, service):
        service.answer = lambda handler, number: handler.set_status(status)
        someone, other = subscriber(service.endpoint()), subscriber(service.endpoint("other"))
        server.subscribe(someone.subscription)
        server.subscribe(other.subscription)
        reply = await fetch(server.url + "notify-me", {"endpoint": someone.endpoint})
        assert reply.error == (502, code)
        error = reply.json["error"]
        assert error["status"] == status and error["message"].startswith(f"{status} ")
        assert server.store.count() == (1 if code == "subscription-gone" else 2)
        assert (server.store.get(someone.endpoint) is None) == (code == "subscription-gone")

    world(scenario)


def test_notify_all_says_to_how_many_nothing_was_sent(world, fetch, monkeypatch):
    async def scenario(server, service):
        async def notify_all(**arguments):
            return Counts(failed=5, not_sent=3, id=7)

        monkeypatch.setattr(server, "notify_all", notify_all)
        reply = await fetch(server.url + "notify-all", {})
        counts = {"accepted": 0, "gone": 0, "retried": 0, "failed": 5, "not_sent": 3, "id": 7}
        assert reply.json["data"] == {"success": True} | counts

    world(scenario)


def test_notify_all_counts_and_all_get_the_same_number(world, fetch, subscriber):
    async def scenario(server, service):
        def answer(handler, number):
            handler.set_status(410 if "gone" in handler.request.path else 201)

        service.answer = answer
        people = {name: subscriber(service.endpoint(name)) for name in ("one", "two", "gone")}
        for someone in people.values():
            server.subscribe(someone.subscription)
        replies = [await fetch(server.url + "notify-all", {}) for _ in range(2)]
        assert [reply.status for reply in replies] == [200, 200]
        first, second = (reply.json["data"] for reply in replies)
        assert first == {
            "success": True,
            "accepted": 2,
            "gone": 1,
            "retried": 0,
            "failed": 0,
            "id": 1,
        }
        assert second == {
            "success": True,
            "accepted": 2,
            "gone": 0,
            "retried": 0,
            "failed": 0,
            "id": 2,
        }
        bodies = [
            json.loads(people[received.path.split("/")[2].split("-")[0]].read(received.body))["options"][
                "body"
            ]
            for received in service.received
        ]
        assert bodies == ["ID: 1"] * 3 + ["ID: 2"] * 2
        assert [what for _, _, what, _ in recorded(server)][:4] == [
            "POST /notify-all",
            "send to all",
            "encrypt",
            "sign",
        ]

    world(scenario)


def test_notify_all_without_subscriptions(world, fetch):
    async def scenario(server, service):
        assert (await fetch(server.url + "notify-all", {})).error == (409, "no-subscriptions")

    world(scenario)


# --- events in the user agent -------------------------------------------------------------------

REPORTS = {
    "a text": ({"event": "permission", "detail": "granted"}, "permission granted", {}),
    "no detail": ({"event": "registered"}, "registered", {}),
    "a detail of null": ({"event": "clicked", "detail": None}, "notification clicked", {}),
    "shown": ({"event": "shown"}, "notification shown", {}),
    "closed": ({"event": "closed"}, "notification closed", {}),
    "an object": (
        {"event": "push received", "detail": {"payload": "json", "n": 1, "x": None, "b": True}},
        "push received",
        {"payload": "json", "n": 1, "x": None, "b": True},
    ),
    "a text for another event": (
        {"event": "error", "detail": "AbortError"},
        "error",
        {"detail": "AbortError"},
    ),
    "permission with an object": (
        {"event": "permission", "detail": {"a": "b"}},
        "permission",
        {"a": "b"},
    ),
    "secrets": (
        {
            "event": "subscribed",
            "detail": {
                "endpoint": HTTPS,
                "keys": {},
                "p256dh": "x",
                "auth": "y",
                "title": "Hi",
                "body": "you",
                "data": 1,
                "ok": 1,
            },
        },
        "subscribed",
        {"ok": 1},
    ),
    "a token": (
        {"event": "error", "detail": {"message": "no " + "A" * 40}},
        "error",
        {"message": "no …"},
    ),
    "names that the journal has": (
        {
            "event": "error",
            "detail": {"self": 1, "source": 1, "target": 1, "what": 1, "who": 1, "where": 1},
        },
        "error",
        {"where": 1},
    ),
    "values that are no plain ones": (
        {"event": "error", "detail": {"a": [], "b": {}, "c": 1}},
        "error",
        {"c": 1},
    ),
    "names that cannot be shown": (
        {"event": "error", "detail": {"a\n\u202eb": 1, "N" * 64: 2, "M" * 64: 3, " endpoint\n": "x"}},
        "error",
        {"a b": 1, "…": 2, "… (2)": 3},
    ),
    "two lines": ({"event": "a\nb\u001b[2J"}, "a b [2J", {}),
}


@pytest.mark.parametrize("case", REPORTS)
def test_a_report_is_written_into_the_journal(world, fetch, case):
    body, what, detail = REPORTS[case]

    async def scenario(server, service):
        reply = await fetch(server.url + "report", body, User_Agent=FIREFOX)
        assert (reply.status, reply.body) == (204, b"")
        [event] = server.journal.events()
        assert (event.source, event.target, event.what, event.who) == (UA, UA, what, "Firefox")
        assert event.detail == detail

    world(scenario)


def test_a_report_of_many_and_long_details_is_bounded():
    _, detail = event_of("error", {f"{number}" + "n" * 100: "v " * 1000 for number in range(100)})
    assert len(detail) == 8
    assert all(len(name) <= 64 and len(value) <= 401 for name, value in detail.items())


# --- wrong types and missing fields ------------------------------------------------------------

KEY = base64url.encode(b"\4" + bytes(64))
ONE = {"endpoint": HTTPS}


def subscription_with(**changes):
    def make(good):
        good = good | {name: value for name, value in changes.items() if name != "keys"}
        if isinstance(changes.get("keys"), dict):
            return good | {"keys": good["keys"] | changes["keys"]}
        return good | ({"keys": changes["keys"]} if "keys" in changes else {})

    return make


BAD_SUBSCRIPTIONS = {
    "no endpoint": (lambda good: {"keys": good["keys"]}, "no-endpoint"),
    "an endpoint of null": (subscription_with(endpoint=None), "no-endpoint"),
    "an empty endpoint": (subscription_with(endpoint=""), "no-endpoint"),
    "an endpoint that is a number": (subscription_with(endpoint=7), "bad-endpoint"),
    "an endpoint that is a list": (subscription_with(endpoint=[HTTPS]), "bad-endpoint"),
    "a relative endpoint": (subscription_with(endpoint="/push/one"), "bad-endpoint"),
    "another scheme": (subscription_with(endpoint="ftp://push.example.net/one"), "bad-endpoint"),
    "javascript": (subscription_with(endpoint="javascript:alert(1)"), "bad-endpoint"),
    "a password": (subscription_with(endpoint="https://a:b@push.example.net/one"), "bad-endpoint"),
    "a line break": (subscription_with(endpoint=HTTPS + "\r\nX: y"), "bad-endpoint"),
    "far too long": (subscription_with(endpoint=HTTPS + "x" * 2048), "bad-endpoint"),
    "plain http": (
        subscription_with(endpoint="http://push.example.net/one"),
        "endpoint-not-allowed",
    ),
    "plain http to here": (
        subscription_with(endpoint="http://127.0.0.1:1/one"),
        "endpoint-not-allowed",
    ),
    "keys beside the endpoint": (lambda good: good["keys"] | {"endpoint": HTTPS}, "no-keys"),
    "keys that are a list": (subscription_with(keys=[]), "no-keys"),
    "no p256dh": (lambda good: good | {"keys": {"auth": good["keys"]["auth"]}}, "no-keys"),
    "no auth": (lambda good: good | {"keys": {"p256dh": good["keys"]["p256dh"]}}, "no-keys"),
    "a p256dh that is a number": (subscription_with(keys={"p256dh": 7}), "bad-p256dh"),
    "a p256dh off the curve": (subscription_with(keys={"p256dh": KEY}), "bad-p256dh"),
    "a p256dh in plain base64": (subscription_with(keys={"p256dh": "+/+="}), "bad-p256dh"),
    "swapped": (
        lambda good: good | {"keys": {"p256dh": good["keys"]["auth"], "auth": good["keys"]["p256dh"]}},
        "bad-p256dh",
    ),
    "an auth of 15 bytes": (
        subscription_with(keys={"auth": base64url.encode(bytes(15))}),
        "bad-auth",
    ),
    "an auth that is a list": (subscription_with(keys={"auth": [1]}), "bad-auth"),
    "a time that is text": (subscription_with(expirationTime="tomorrow"), "bad-expiration-time"),
    "a time that is true": (subscription_with(expirationTime=True), "bad-expiration-time"),
    "a time before time": (subscription_with(expirationTime=-1), "bad-expiration-time"),
    "a time after all time": (subscription_with(expirationTime=10**99), "bad-expiration-time"),
}


def test_a_subscription_that_cannot_be_used_is_not_kept(world, fetch, subscriber):
    async def scenario(server, service):
        server.subscribe(subscriber(HTTPS).subscription, "Firefox")
        before = list(server.store.all())
        for count, (case, (make, code)) in enumerate(BAD_SUBSCRIPTIONS.items(), 1):
            bad = make(subscriber(HTTPS).subscription.to_json())
            reply = await fetch(server.url + "add-subscription", bad)
            assert reply.error == (400, code), case
            assert list(server.store.all()) == before, case
            *others, event = server.journal.events()
            assert event.detail == {"status": 400, "error": code}, case
            assert len(others) == count - 1, case

    world(scenario)


@pytest.mark.parametrize("none", [{}, {"keys": None}, {"keys": {}}])
def test_a_subscription_without_keys_is_kept_with_a_warning(world, fetch, subscriber, none):
    async def scenario(server, service):
        endpoint = service.endpoint()
        add, keyless = server.url + "add-subscription", {"endpoint": endpoint} | none
        for status in (201, 200):
            reply = await fetch(add, keyless)
            assert reply.status == status and reply.json["data"]["success"]
            assert "without keys (p256dh and auth)" in reply.json["data"]["warning"]
            assert server.journal.events()[-1].detail == {"status": status, "keys": "none"}
        assert server.store.get(endpoint).subscription == PushSubscription(endpoint)
        reply = await fetch(server.url + "notify-me", {"endpoint": endpoint})
        assert (reply.status, reply.json["data"]["outcome"]) == (200, "accepted")
        assert "The message went without its payload" in reply.json["data"]["message"]
        [received] = service.received
        assert received.body == b"" and "Content-Encoding" not in received.headers

    world(scenario)


def test_a_subscription_for_another_key_is_kept_with_that_key_and_a_warning(
    world, fetch, subscriber, keys
):
    async def scenario(server, service):
        add, someone = server.url + "add-subscription", subscriber(service.endpoint()).subscription
        own, other = keys.application_server_key, VapidKeys.generate().application_server_key
        for made_for, warned, stored in (
            ({"applicationServerKey": own}, False, own),
            ({"options": {"userVisibleOnly": True, "applicationServerKey": other}}, True, other),
            ({}, False, other),  # It cannot be another one: without a word the first is right.
            ({"applicationServerKey": None}, False, other),
        ):
            reply = await fetch(add, someone.to_json() | made_for)
            assert ("another application server key" in str(reply.json["data"])) is warned
            assert server.store.get(someone.endpoint).application_server_key == stored
        for wrong, code in (
            ("BA", "bad-public-key"),
            (7, "bad-base64url"),
            ("é", "bad-base64url"),
            ({}, "bad-base64url"),
            (f"{own}=", "bad-base64url"),
        ):
            for beside in (
                {"applicationServerKey": wrong},
                {"options": {"applicationServerKey": wrong}},
            ):
                reply = await fetch(add, someone.to_json() | beside)
                assert reply.error == (400, code)
                assert "applicationServerKey cannot be read" in reply.json["error"]["message"]

    world(scenario)


def test_keys_that_come_later_are_kept_when_the_subscription_comes_without_them(
    world, fetch, subscriber
):
    async def scenario(server, service):
        someone = subscriber(service.endpoint())
        add, keyless = server.url + "add-subscription", {"endpoint": someone.endpoint}
        for subscription in (keyless, someone.subscription.to_json(), keyless):
            await fetch(add, subscription)
        assert server.store.get(someone.endpoint).subscription == someone.subscription
        await fetch(server.url + "notify-me", {"endpoint": someone.endpoint})
        assert b"Hello" in someone.read(service.received[0].body)

    world(scenario)


BAD_REQUESTS = {
    "remove: no endpoint": ("remove-subscription", {}, 400, "no-endpoint"),
    "remove: null": ("remove-subscription", {"endpoint": None}, 400, "no-endpoint"),
    "remove: empty": ("remove-subscription", {"endpoint": ""}, 400, "no-endpoint"),
    "remove: a number": ("remove-subscription", {"endpoint": 1}, 400, "bad-endpoint"),
    "remove: a list": ("remove-subscription", {"endpoint": [HTTPS]}, 400, "bad-endpoint"),
    "remove: an object": ("remove-subscription", {"endpoint": ONE}, 400, "bad-endpoint"),
    "remove: unknown": (
        "remove-subscription",
        {"endpoint": HTTPS + "x"},
        404,
        "unknown-subscription",
    ),
    "remove: a zero byte": (
        "remove-subscription",
        {"endpoint": HTTPS + "\0"},
        404,
        "unknown-subscription",
    ),
    "remove: another case": (
        "remove-subscription",
        {"endpoint": HTTPS.upper()},
        404,
        "unknown-subscription",
    ),
    "remove: a wildcard": ("remove-subscription", {"endpoint": "%"}, 404, "unknown-subscription"),
    "me: no endpoint": ("notify-me", {}, 400, "no-endpoint"),
    "me: a number": ("notify-me", {"endpoint": 1}, 400, "bad-endpoint"),
    "me: unknown": ("notify-me", {"endpoint": HTTPS + "x"}, 404, "unknown-subscription"),
    "me: options a list": ("notify-me", ONE | {"options": []}, 400, "bad-field"),
    "me: ttl text": ("notify-me", ONE | {"options": {"ttl": "60"}}, 400, "bad-ttl"),
    "me: ttl true": ("notify-me", ONE | {"options": {"ttl": True}}, 400, "bad-ttl"),
    "me: ttl a fraction": ("notify-me", ONE | {"options": {"ttl": 1.5}}, 400, "bad-ttl"),
    "me: ttl negative": ("notify-me", ONE | {"options": {"ttl": -1}}, 400, "bad-ttl"),
    "me: ttl huge": ("notify-me", ONE | {"options": {"ttl": 10**99}}, 400, "bad-ttl"),
    "me: urgency": ("notify-me", ONE | {"options": {"urgency": "now"}}, 400, "bad-urgency"),
    "me: urgency a list": (
        "notify-me",
        ONE | {"options": {"urgency": ["low"]}},
        400,
        "bad-urgency",
    ),
    "me: topic": ("notify-me", ONE | {"options": {"topic": "a b"}}, 400, "bad-topic"),
    "me: topic too long": ("notify-me", ONE | {"options": {"topic": "a" * 33}}, 400, "bad-topic"),
    "me: topic a header": (
        "notify-me",
        ONE | {"options": {"topic": "a\r\nX: y"}},
        400,
        "bad-topic",
    ),
    "me: notification text": ("notify-me", ONE | {"notification": "Hi"}, 400, "bad-field"),
    "me: notification a list": ("notify-me", ONE | {"notification": []}, 400, "bad-field"),
    "me: no title": ("notify-me", ONE | {"notification": {}}, 400, "bad-field"),
    "me: title a number": ("notify-me", ONE | {"notification": {"title": 1}}, 400, "bad-field"),
    "me: its options a list": (
        "notify-me",
        ONE | {"notification": {"title": "", "options": []}},
        400,
        "bad-field",
    ),
    "me: too long": (
        "notify-me",
        ONE | {"notification": {"title": "x" * 3993}},
        413,
        "plaintext-too-long",
    ),
    "all: options text": ("notify-all", {"options": "ttl"}, 400, "bad-field"),
    "all: ttl": ("notify-all", {"options": {"ttl": None}}, 400, "bad-ttl"),
    "all: notification": ("notify-all", {"notification": 7}, 400, "bad-field"),
    "all: too long": (
        "notify-all",
        {"notification": {"title": "é" * 2000}},
        413,
        "plaintext-too-long",
    ),
    "report: no event": ("report", {}, 400, "bad-field"),
    "report: null": ("report", {"event": None}, 400, "bad-field"),
    "report: a number": ("report", {"event": 1}, 400, "bad-field"),
    "report: a list": ("report", {"event": ["x"]}, 400, "bad-field"),
    "report: empty": ("report", {"event": " "}, 400, "bad-field"),
    "report: too long": ("report", {"event": "x" * 65}, 400, "bad-field"),
    "report: a detail that is a number": ("report", {"event": "x", "detail": 1}, 400, "bad-field"),
    "report: a detail that is a list": ("report", {"event": "x", "detail": []}, 400, "bad-field"),
    "report: a detail that is true": ("report", {"event": "x", "detail": True}, 400, "bad-field"),
}


def test_wrong_types_and_missing_fields(world, fetch, subscriber):
    async def scenario(server, service):
        server.subscribe(subscriber(HTTPS).subscription, "Firefox")
        before = list(server.store.all())
        for case, (route, body, status, code) in BAD_REQUESTS.items():
            reply = await fetch(server.url + route, body)
            assert reply.error == (status, code), case
            assert b"push.example.net" not in reply.body, f"{case}: an endpoint is a secret"
            assert list(server.store.all()) == before and service.received == [], case

    world(scenario)
