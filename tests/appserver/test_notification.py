"""The plaintext of a message: exact, bounded, and always JSON."""

import json

import pytest

from pushlab.appserver.notification import Notification
from pushlab.errors import BadField, PlaintextTooLong
from pushlab.protocol.encryption import MAX_PLAINTEXT


def test_the_default_is_the_one_that_people_know():
    assert json.loads(Notification.numbered(7).payload()) == {
        "title": "Hello, Notifications!",
        "options": {"body": "ID: 7"},
    }


def test_a_title_and_a_body_of_ones_own_even_empty_ones():
    assert Notification.numbered(7, "Hi", "you").payload() == b'{"title":"Hi","options":{"body":"you"}}'
    assert Notification.numbered(7, "", "").payload() == b'{"title":"","options":{"body":""}}'


def test_text_is_utf8_and_not_escaped():
    assert "Grüße 👋".encode() in Notification("Grüße 👋").payload()


# ---- declarative -------------------------------------------------------------------------------

PAGE = "https://lab.example/"
ACTIONS = [{"action": "yes", "title": "Yes"}, {"action": "no", "title": "No", "navigate": "/no"}]


def declared(text: bytes) -> dict | None:
    """Return what a browser would show by itself: the specification's parser, and its failures.

    Source: W3C Push API, Declarative push message.
    """
    message = json.loads(text)
    if not isinstance(message, dict) or message.get("web_push") != 8030:
        return None
    shown = message.get("notification")
    if not isinstance(shown, dict):
        return None
    if not all(isinstance(shown.get(name), str) for name in ("title", "navigate")):
        return None
    for action in shown.get("actions", []):
        if not all(isinstance(action.get(name), str) for name in ("action", "title", "navigate")):
            return None
    return shown | {"mutable": message.get("mutable") is True}


@pytest.mark.parametrize(
    "notification, expected",
    [
        (Notification("Hi"), {}),
        (Notification("Hi", {"body": "you", "tag": "t"}), {"body": "you", "tag": "t"}),
        (Notification("Hi", {"navigate": PAGE + "b"}), {"navigate": PAGE + "b"}),
        (Notification("Hi", {"title": "not this one"}), {}),
        (Notification("Hi", {"data": {"n": [1]}}), {"data": {"n": [1]}}),
    ],
)
def test_a_browser_could_show_it_without_a_worker(notification, expected):
    shown = declared(notification.payload(PAGE))
    assert shown == {"title": "Hi", "navigate": PAGE, "mutable": True} | expected


def test_each_button_has_an_address():
    shown = declared(Notification("Hi", {"actions": ACTIONS}).payload(PAGE))
    assert [action["navigate"] for action in shown["actions"]] == [PAGE, "/no"]


def test_the_short_form_is_not_a_declarative_message():
    assert declared(Notification("Hi", {"navigate": PAGE}).payload()) is None
    assert declared(b'{"web_push":8030,"notification":{"title":"Hi"}}') is None


def test_a_declarative_message_has_the_same_limit():
    frame = len(Notification("", {"body": ""}).payload(PAGE))
    body = "x" * (MAX_PLAINTEXT - frame)
    assert len(Notification("", {"body": body}).payload(PAGE)) == MAX_PLAINTEXT
    with pytest.raises(PlaintextTooLong):
        Notification("", {"body": body + "x"}).payload(PAGE)


BAD = {
    "null": None,
    "text": "Hello",
    "a list": [],
    "no title": {"options": {}},
    "a title that is a number": {"title": 7},
    "a title that is null": {"title": None},
    "options that are a list": {"title": "Hi", "options": []},
    "options that are null": {"title": "Hi", "options": None},
    "a body beside the title": {"title": "Hi", "body": "you"},
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_notification(case):
    with pytest.raises(BadField, match="notification"):
        Notification.from_json(BAD[case])


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"bytes", "\ud800"])
def test_what_json_cannot_say(value):
    with pytest.raises(BadField):
        Notification("Hi", {"data": value}).payload()


def test_what_is_nested_too_deeply():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(BadField, match="Recursion"):
        Notification("Hi", {"data": deep}).payload()


def test_the_length_is_counted_in_bytes():
    frame = len(Notification("").payload())
    assert len(Notification("é" * ((MAX_PLAINTEXT - frame) // 2)).payload()) <= MAX_PLAINTEXT
    assert len(Notification("x" * (MAX_PLAINTEXT - frame)).payload()) == MAX_PLAINTEXT
    with pytest.raises(PlaintextTooLong, match="3994"):
        Notification("x" * (MAX_PLAINTEXT - frame + 1)).payload()
    with pytest.raises(PlaintextTooLong):
        Notification("é" * (MAX_PLAINTEXT - frame)).payload()
