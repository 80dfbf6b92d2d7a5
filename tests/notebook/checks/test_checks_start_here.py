"""The checks of lesson 00: right code passes, and for wrong code the difference is named."""

import pytest

from pushlab.errors import NotYet
from pushlab.notebook.checks import start_here


def body_length(text: str) -> int:
    octets = len(text.encode("utf-8"))
    if octets > 3993:
        raise ValueError("too long")
    return 86 + octets + 1 + 16


def messages(events) -> list[str]:
    between = [event for event in events if event.source != event.target]
    return [f"{event.source.value} → {event.target.value}: {event.what}" for event in between]


def test_the_right_answers_pass():
    assert str(start_here.body_length(body_length)).startswith("✓ body_length is right for 5 texts")
    assert str(start_here.messages(messages)).startswith("✓ messages is right")


WRONG_LENGTHS = {
    "Characters are not bytes": lambda text: len(text) + 103,
    "One byte marks the end": lambda text: body_length(text) - 1,
    "16 bytes of tag": lambda text: body_length(text) - 16,
    "The header comes first": lambda text: body_length(text) - 86,
    "should be an int, and yours is a str of 3": lambda text: str(body_length(text)),
    "None: does your function return": lambda text: None,
    "has to raise ValueError here": lambda text: 103 + len(text.encode()),
    "of 0 characters (RFC 8291 §4) is not right yet": lambda text: 109,
}


@pytest.mark.parametrize("message", WRONG_LENGTHS)
def test_a_wrong_length_is_told(message):
    with pytest.raises(NotYet) as told:
        start_here.body_length(WRONG_LENGTHS[message])
    assert message in str(told.value)


def test_the_limit_counts_bytes():
    def by_characters(text):
        if len(text) > 3993:
            raise ValueError
        return 103 + len(text.encode())

    with pytest.raises(NotYet, match="3994 bytes of text do not fit"):
        start_here.body_length(by_characters)


WRONG_MESSAGES = {
    "a note that a party makes on its own": lambda events: [
        f"{event.source.value} → {event.target.value}: {event.what}" for event in events
    ],
    "Who speaks comes first.": lambda events: [
        f"{e.target.value} → {e.source.value}: {e.what}" for e in events if e.source != e.target
    ],
    "Use party.value": lambda events: [
        f"{e.source!r} → {e.target!r}: {e.what}" for e in events if e.source != e.target
    ],
    "should be a list, and yours is a str": lambda events: "\n".join(messages(events)),
    "their number is not right yet": lambda events: messages(events)[:1],
    "should be a list, and yours is None": lambda events: None,
}


@pytest.mark.parametrize("message", WRONG_MESSAGES)
def test_a_wrong_story_is_told(message):
    with pytest.raises(NotYet) as told:
        start_here.messages(WRONG_MESSAGES[message])
    assert message in str(told.value)


@pytest.mark.parametrize("check", [start_here.body_length, start_here.messages])
def test_a_stub_stays_a_stub(check):
    def stub(given):
        raise NotImplementedError("your turn")

    with pytest.raises(NotImplementedError):
        check(stub)
