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
    assert (
        Notification.numbered(7, "Hi", "you").payload()
        == b'{"title":"Hi","options":{"body":"you"}}'
    )
    assert Notification.numbered(7, "", "").payload() == b'{"title":"","options":{"body":""}}'


def test_text_is_utf8_and_not_escaped():
    assert "Grüße 👋".encode() in Notification("Grüße 👋").payload()


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
