"""Checks of lesson 00: the length of an encrypted message, and the messages between the parties."""

from collections.abc import Callable, Iterable

from pushlab.errors import NotYet
from pushlab.journal import Event, Party
from pushlab.notebook.checks.core import Right, raises, text_is, value_is

TEXTS = ["", "Lunch?", "Grüße aus Köln", "🎉 It works", "a" * 3993]
UA, PS, AS = Party.USER_AGENT, Party.PUSH_SERVICE, Party.APPLICATION_SERVER


def body_length(yours: Callable[[str], int]) -> Right:
    """Check ``body_length(text: str) -> int``, the bytes that the push service gets. RFC 8291 §4."""
    for text in TEXTS:
        size, name = yours(text), f"body_length of {len(text)} characters"
        octets = len(text.encode("utf-8"))
        hints = {
            len(text) + 103: "Characters are not bytes: encode the text in UTF-8 first.",
            octets + 102: "One byte marks the end of the text.",
            octets + 87: "16 bytes of tag follow the text.",
            octets + 17: "The header comes first: 86 bytes.",
        }
        hint = hints.get(size, "") if size != octets + 103 else ""
        value_is(name, size, octets + 103, hint=hint, rfc="RFC 8291 §4")
    for text in ("a" * 3994, "é" * 1997):
        why = f"{len(text.encode())} bytes of text do not fit: a body has 4096 bytes at most."
        raises("body_length", ValueError, yours, text, why=why)
    return Right(f"body_length is right for {len(TEXTS)} texts, and refuses what is too long.")


def messages(yours: Callable[[Iterable[Event]], list[str]]) -> Right:
    """Check ``messages(events) -> list[str]``: ``source → target: what``, without notes. RFC 8030 §2."""
    for events in (_EVENTS, _EVENTS[3:], []):
        said = yours(list(events))
        if not isinstance(said, list):
            raise NotYet(f"messages should return a list, and yours is a {type(said).__name__}")
        passed = [event for event in events if event.source is not event.target]
        if len(said) == len(events) != len(passed):
            raise NotYet("messages: a note that a party makes on its own is no message")
        value_is(f"messages of {len(events)} events: their number", len(said), len(passed))
        for number, (line, event) in enumerate(zip(said, passed, strict=True), 1):
            what = f": {event.what}"
            backward = f"{event.target.value} → {event.source.value}{what}"
            text_is(
                f"message {number}",
                line,
                f"{event.source.value} → {event.target.value}{what}",
                mistakes={
                    "Who speaks comes first.": backward,
                    "Use party.value, the name for people.": (
                        f"{event.source!r} → {event.target!r}{what}"
                    ),
                },
            )
    return Right("messages is right: each has a speaker, a hearer and a text, and notes are left out.")


_EVENTS = [
    Event(number, 0, source, target, what)
    for number, (source, target, what) in enumerate(
        [
            (UA, AS, "GET /vapid"),
            (UA, PS, "subscribe"),
            (PS, UA, "endpoint"),
            (AS, AS, "encrypt"),
            (AS, PS, "POST message"),
            (PS, PS, "keep message"),
            (UA, UA, "notification shown"),
        ],
        1,
    )
]
