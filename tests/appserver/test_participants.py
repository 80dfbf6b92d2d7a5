"""Who is in the room, as the application server knows it: names, arrivals, and no endpoint."""

import pytest

from pushlab.appserver.participants import (
    MAX_REMEMBERED,
    NAME_LIMIT,
    Participants,
    digest_of,
    shown_name,
)
from pushlab.appserver.presence import Presence
from pushlab.appserver.store import StoredSubscription
from pushlab.journal import Party

JSON = {"Content_Type": "application/json"}
TOKEN = "the-token-of-these-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
FIREFOX = {"User_Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"}
ONE, TWO = "https://push.example.net/one", "https://push.example.net/two"


class Clock:
    """A clock that is set by hand, in seconds."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(clock) -> Participants:
    return Participants(clock=clock, tick=clock)


def row(room, subscriber, endpoint=ONE, who="Ada"):
    stored = StoredSubscription(subscriber(endpoint).subscription, "key", who, 0.0)
    (participant,) = room.rows([stored])
    return participant


# ---- what is remembered --------------------------------------------------------------------------


def test_nobody_has_been_sent_anything_at_first(room, subscriber):
    room.joined(ONE, "Firefox")
    one = row(room, subscriber)
    assert (one.name, one.browser) == ("Ada", "Firefox")
    assert (one.sent_at, one.reached, one.latency) == (None, None, None)
    assert (one.connected, one.waiting) == (None, None), "a vendor tells nobody"


def test_a_message_is_on_its_way_until_its_worker_says_so(room, clock, subscriber):
    room.sending(ONE, b"hello")
    assert row(room, subscriber).reached is False
    clock.now += 0.25
    room.received(ONE, digest_of(b"hello"), "Firefox")
    one = row(room, subscriber)
    assert (one.reached, one.latency, one.sent_at, one.browser) == (True, 250.0, 1000.0, "Firefox")


def test_a_late_older_message_is_not_taken_for_the_last_one(room, clock, subscriber):
    room.sending(ONE, b"first")
    room.sending(ONE, b"second")
    room.received(ONE, digest_of(b"first"), "Firefox")
    assert row(room, subscriber).reached is False
    room.received(ONE, digest_of(b"second"), "Firefox")
    assert row(room, subscriber).reached is True


def test_a_second_report_changes_no_latency(room, clock, subscriber):
    room.sending(ONE, None)
    room.received(ONE, digest_of(b""), "Firefox")
    clock.now += 5
    room.received(ONE, digest_of(b""), "Firefox")
    assert row(room, subscriber).latency == 0.0


def test_a_report_reaches_its_own_row_alone(room, subscriber):
    for endpoint in (ONE, TWO):
        room.sending(endpoint, b"hello")
    room.received(TWO, digest_of(b"hello"), "Firefox")
    assert row(room, subscriber, ONE).reached is False
    assert row(room, subscriber, TWO).reached is True


def test_what_strangers_report_is_not_kept(room):
    for number in range(10):
        room.received(f"https://push.example.net/{number}", "0" * 16, "Firefox")
    assert room._known == {}


def test_only_so_many_are_remembered(room, subscriber):
    for number in range(MAX_REMEMBERED + 5):
        room.sending(f"https://push.example.net/{number}", b"hello")
    assert len(room._known) == MAX_REMEMBERED
    assert row(room, subscriber, f"https://push.example.net/{MAX_REMEMBERED + 4}").reached is False


def test_what_the_push_service_says_stands_in_the_row(room, subscriber):
    presence = {ONE: Presence(True, 0), TWO: Presence(False, 3)}
    stored = [
        StoredSubscription(subscriber(endpoint).subscription, "key", "Ada", 0.0)
        for endpoint in (ONE, TWO, f"{TWO}/another")
    ]
    rows = [(one.connected, one.waiting) for one in room.rows(stored, presence)]
    assert rows == [(True, 0), (False, 3), (None, None)]


# ---- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Ada", "Ada"),
        ("<b>Ada</b>", "<b>Ada</b>"),  # Text, and whoever shows it escapes it.
        ("a\u202eb\x00c\nd", "a b c d"),
        ("x" * 1000, "x" * NAME_LIMIT),
        ("李" * 41, "李" * NAME_LIMIT),
        ("   ", ""),
        (7, ""),
        (["Ada"], ""),
        (None, ""),
    ],
)
def test_a_name_is_one_short_printable_line(given, shown):
    assert shown_name(given) == shown


# ---- over HTTP -----------------------------------------------------------------------------------


def members(subscription, **more) -> dict:
    return subscription.to_json() | more


def test_the_instructor_sees_names_and_arrivals_and_no_endpoint(
    serving, push_service, subscriber, fetch, run
):
    async def scenario():
        async with (
            push_service() as service,
            serving(service.origin, instructor_token=TOKEN) as server,
        ):
            ada = subscriber(service.endpoint("ada"))
            body = members(ada.subscription, name="Ada <b>")
            assert (await fetch(f"{server.url}add-subscription", body, **JSON, **FIREFOX)).status == 201
            told = {"notification": {"title": "Hello"}}
            url = f"{server.url}notify-all"
            assert (await fetch(url, told, **JSON)).error == (401, "instructor-only")
            assert (await fetch(url, told, **JSON, **BEARER)).status == 200
            (sent,) = service.received
            payload = ada.read(sent.body)
            assert b'"title":"Hello"' in payload
            detail = {"endpoint": ada.endpoint, "digest": digest_of(payload), "payload": "json"}
            report = {"event": "push received", "detail": detail}
            before = await fetch(f"{server.url}subscriptions", **BEARER)
            assert (await fetch(f"{server.url}report", report, **JSON, **FIREFOX)).status == 204
            after = await fetch(f"{server.url}subscriptions", **BEARER)
            (waits,), (has,) = (each.json["data"]["participants"] for each in (before, after))
            assert (waits["name"], waits["browser"], waits["reached"]) == (
                "Ada <b>",
                "Firefox",
                False,
            )
            assert has["reached"] is True and 0 <= has["latency"] < 20_000
            assert has["label"] == ada.subscription.label
            assert ada.endpoint.encode() not in after.body
            told = [event for event in server.journal.events() if event.what == "push received"]
            assert [event.detail for event in told] == [{"payload": "json"}]
            assert told[0].source == Party.USER_AGENT
            everything = repr([event.to_json() for event in server.journal.events()])
            assert TOKEN not in everything and ada.endpoint not in everything
            assert TOKEN not in repr(server) + repr(server.guard)

    run(scenario())


@pytest.mark.parametrize("token", [None, TOKEN])
def test_the_page_is_told_whether_this_is_a_room(serving, fetch, run, token):
    async def scenario():
        async with serving(instructor_token=token) as server:
            health = (await fetch(f"{server.url}health")).json["data"]
            assert health["room"] is (token is not None)
            answer = await fetch(f"{server.url}subscriptions")
            assert answer.status == (401 if token else 200)

    run(scenario())


@pytest.mark.parametrize("detail", [{"endpoint": 7, "digest": "x"}, {"endpoint": ONE}, {}, "text", None])
def test_a_report_without_endpoint_or_digest_is_a_report_all_the_same(serving, fetch, run, detail):
    async def scenario():
        async with serving() as server:
            report = {"event": "push received", "detail": detail}
            assert (await fetch(f"{server.url}report", report, **JSON)).status == 204
            assert [event.what for event in server.journal.events()] == ["push received"]

    run(scenario())
