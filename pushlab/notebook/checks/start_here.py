"""Checks of lesson 00: the length of an encrypted message, and the messages between the parties."""

from collections.abc import Callable, Iterable

from pushlab.errors import NotYet
from pushlab.journal import Event, Party
from pushlab.notebook.checks.core import Right, raises, text_is, type_is, value_is
from pushlab.notebook.checks.guard import check

TEXTS = ["", "Lunch?", "Grüße aus Köln", "🎉 It works", "a" * 3993]
UA, PS, AS = Party.USER_AGENT, Party.PUSH_SERVICE, Party.APPLICATION_SERVER


@check
def body_length(yours: Callable[[str], int]) -> Right:
    """Check ``body_length(text: str) -> int``, the bytes that the push service gets. RFC 8291 §4."""
    for text in TEXTS:
        octets = len(text.encode("utf-8"))
        mistakes = {
            "Characters are not bytes: encode the text in UTF-8 first.": len(text) + 103,
            "That is the text alone: a body has more than the text.": octets,
            "One byte marks the end of the text.": octets + 102,
            "16 bytes of tag follow the text.": octets + 87,
            "The header comes first: 86 bytes.": octets + 17,
        }
        name = f"body_length of {len(text)} characters"
        value_is(name, yours(text), octets + 103, mistakes=mistakes, rfc="RFC 8291 §4")
    for text in ("a" * 3994, "é" * 1997):
        why = f"{len(text.encode())} bytes of text do not fit: a body has 4096 bytes at most."
        raises("body_length", ValueError, yours, text, why=why)
    return Right(f"body_length is right for {len(TEXTS)} texts, and refuses what is too long.")


@check
def messages(yours: Callable[[Iterable[Event]], list[str]]) -> Right:
    """Check ``messages(events) -> list[str]``: ``source → target: what``, without notes. RFC 8030 §2."""
    for events in (_EVENTS, _EVENTS[3:], []):
        said = yours(list(events))
        type_is("messages", said, list)
        passed = [event for event in events if event.source is not event.target]
        if len(said) == len(events) != len(passed):
            raise NotYet("messages: a note that a party makes on its own is no message")
        value_is(f"messages of {len(events)} events: their number", len(said), len(passed))
        if said == [_line(event) for event in passed][::-1] != said[::-1]:
            raise NotYet("messages: they are all there, and the last comes first")
        for number, (line, event) in enumerate(zip(said, passed, strict=True), 1):
            mistakes = {
                "Who speaks comes first.": _line(event, event.target, event.source),
                "Use party.value, the name for people.": (
                    f"{event.source!r} → {event.target!r}: {event.what}"
                ),
                "The arrow is one character: copy it from the exercise.": (
                    _line(event).replace("→", "->")
                ),
            }
            text_is(f"message {number}", line, _line(event), mistakes=mistakes)
    return Right("messages is right: each has a speaker, a hearer and a text, and notes are left out.")


def _line(event: Event, source: Party | None = None, target: Party | None = None) -> str:
    return f"{(source or event.source).value} → {(target or event.target).value}: {event.what}"


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
