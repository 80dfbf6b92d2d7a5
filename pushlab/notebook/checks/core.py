"""The parts of a check, which finds where a learner's value differs and never shows the right one.

A check calls the learner's function with data of its own (``guard``) and examines the result: first
its type, then its length, then the first place that differs. It ends in one of three ways:

- It returns ``Right``, which a notebook shows as one green line.
- It raises ``NotYet``, which names the first value that differs, with lengths, and a likely cause.
- It raises ``YourTurn`` if the learner's function is still the stub.

A check also computes the results of typical mistakes. If a learner's value is one of them, the error
names that mistake.
"""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from html import escape
from itertools import zip_longest
from typing import Any

from pushlab.errors import NotYet
from pushlab.protocol.spelling import recognize
from pushlab.protocol.trace import Step
from pushlab.text import counted, show

GREEN = "#1d7044"


class Right:
    """Say that an exercise is solved.

    >>> Right("IKM is right: 32 bytes.")
    ✓ IKM is right: 32 bytes.
    """

    def __init__(self, said: str) -> None:
        self.said = said

    def __repr__(self) -> str:
        return f"✓ {self.said}"

    def _repr_html_(self) -> str:
        colour = f"var(--jp-success-color1, {GREEN})"  # A dark theme has a brighter green.
        return f'<b style="color:{colour}">✓</b> {escape(self.said)}'


def bytes_are(
    name: str, yours: object, right: bytes, *, mistakes: Mapping[str, bytes] | None = None, rfc: str = ""
) -> None:
    """Compare a learner's bytes with the right ones.

    ``mistakes``: maps a sentence about a typical mistake to the bytes that the mistake gives; ``rfc``:
    the source of the rule. Raises NotYet, which never shows the right bytes.

    >>> bytes_are("salt", bytes(16), bytes(16))
    >>> bytes_are("salt", b"abc", b"abX")
    Traceback (most recent call last):
    pushlab.errors.NotYet: salt has 3 bytes, as it should, and differs at byte 2. ...
    """
    named = _named(name, rfc)
    if not isinstance(yours, bytes):
        raise NotYet(
            f"{named} should be bytes, and yours is {kind(yours)}{_not_bytes(yours, right)}", step=name
        )
    if yours != right:
        said = _mistake(yours, mistakes) or _reversed(yours, right) or _spelled_otherwise(yours, right)
        raise NotYet(f"{named} {_difference(yours, right, 'byte', said)}", step=name)


def text_is(
    name: str, yours: object, right: str, *, mistakes: Mapping[str, str] | None = None, rfc: str = ""
) -> None:
    """Compare a learner's text with the right one, as ``bytes_are`` does with bytes. Raises NotYet.

    >>> text_is("aud", "https://a.example/", "https://a.example", mistakes={
    ...     "An origin ends before the first slash of the path.": "https://a.example/"})
    Traceback (most recent call last):
    pushlab.errors.NotYet: aud has 18 characters. An origin ends before the first slash of the path. ...
    """
    named = _named(name, rfc)
    if not isinstance(yours, str):
        same = isinstance(yours, bytes) and yours == right.encode()
        more = ". It is the right text, as bytes: decode() makes a text of them" if same else ""
        raise NotYet(f"{named} should be a str, and yours is {kind(yours)}{more}", step=name)
    if yours != right:
        said = _mistake(yours, mistakes) or _reversed(yours, right) or _surrounded(yours, right)
        said = said or _spelled_otherwise(yours, recognize(right).data)
        raise NotYet(f"{named} {_difference(yours, right, 'character', said)}", step=name)


def _named(name: str, rfc: str) -> str:
    return f"{name} ({rfc})" if rfc else name


def _mistake(yours: object, mistakes: Mapping[str, Any] | None) -> str:
    """Return the sentence about the mistake that gives this value, or ""."""
    return next((said for said, wrong in (mistakes or {}).items() if is_same(yours, wrong)), "")


def _difference(yours: bytes | str, right: bytes | str, unit: str, said: str) -> str:
    """Say what is known of two values: the mistake, else their lengths and where they differ."""
    if said:
        return f"has {counted(len(yours), unit)}. {said}"
    at = next(i for i, (one, other) in enumerate(zip_longest(yours, right)) if one != other)
    if len(yours) == len(right):
        return f"has {counted(len(yours), unit)}, as it should, and differs at {unit} {at}"
    lengths = f"should have {counted(len(right), unit)}, and yours has {len(yours)}"
    if at == min(len(yours), len(right)):
        return f"{lengths}{': its beginning is right' if at else ''}"
    return f"{lengths}; it differs at {unit} {at}"


def _reversed(yours: bytes | str, right: bytes | str) -> str:
    return "It is right, and back to front." if yours == right[::-1] else ""


def _spelled_otherwise(yours: str | bytes, right: bytes | None) -> str:
    """Return how a value writes the right bytes otherwise, and how to turn it; "" if it does not."""
    found = recognize(yours)
    if not right or not found.turn or right not in (found.data, found.raw):
        return ""
    return f"It is {found.what}. {found.turn}"


def _surrounded(yours: str, right: str) -> str:
    """Say that the right text is there, and what stands around it or how it is written."""
    if yours == str(right.encode()):
        return "str(…) has written b'…' around it: decode() makes a text of bytes."
    if yours.strip() == right:
        return "There is white space around it."
    if yours.lower() == right.lower():
        return "Capital and small letters are not the same here."
    return ""


def _not_bytes(yours: object, right: bytes) -> str:
    """Say that what is no bytes holds the right ones, and how."""
    if isinstance(yours, bytearray | memoryview) and bytes(yours) == right:
        return ". It holds the right bytes: bytes(…) makes bytes of it"
    if isinstance(yours, list | tuple) and list(yours) == list(right):
        return ". They are the right numbers: bytes(…) makes bytes of them"
    if not isinstance(yours, str) or not right:
        return ""
    if yours == str(right):
        return ". str(…) has written the bytes as Python's source does: leave it out"
    if yours.encode("utf-8", "replace") == right or yours.encode("latin-1", "replace") == right:
        return ". They are the right characters: encode() makes bytes of a text"
    found = recognize(yours)
    written = right in (found.data, found.raw)
    return ". It is the right value, written as text: return the bytes themselves" if written else ""


def type_is(name: str, yours: object, wanted: type) -> None:
    """Raise NotYet unless a value has exactly this type.

    >>> type_is("origins", ["https://a.example"], set)
    Traceback (most recent call last):
    pushlab.errors.NotYet: origins should be a set, and yours is a list of 1. ...
    """
    if type(yours) is wanted:
        return
    hint = ""
    if wanted is bytes and isinstance(yours, str):
        hint = ". encode() makes bytes of a text"
    elif wanted is str and isinstance(yours, bytes):
        hint = ". decode() makes a text of bytes"
    what = "bytes" if wanted is bytes else article(wanted.__name__)
    raise NotYet(f"{name} should be {what}, and yours is {kind(yours)}{hint}", step=name)


def value_is(
    name: str,
    yours: object,
    right: object,
    *,
    mistakes: Mapping[str, object] | None = None,
    hint: str = "",
    rfc: str = "",
) -> None:
    """Compare a learner's number, bool, enum or None with the right one. The types must be equal.

    ``mistakes``: as for ``bytes_are``; ``hint``: a sentence for every other value. Raises NotYet.

    >>> value_is("exp", "60", 60, hint="A NumericDate is a number, without quotes.")
    Traceback (most recent call last):
    pushlab.errors.NotYet: exp should be an int, and yours is a str of 2. ...
    """
    if is_same(yours, right):
        return
    said = _mistake(yours, mistakes) or hint
    more = f". {said}" if said else ""
    if type(yours) is not type(right):
        wanted = "None" if right is None else article(type(right).__name__)
        raise NotYet(
            f"{_named(name, rfc)} should be {wanted}, and yours is {kind(yours)}{more}", step=name
        )
    raise NotYet(f"{_named(name, rfc)} is not right yet{more}", step=name)


def is_same(one: object, other: object) -> bool:
    """Say whether two values are equal and of one type: True is not 1 here, nor 60.0 the same as 60."""
    return type(one) is type(other) and one == other


def words_are(
    yours: Callable[..., object],
    cases: Collection[tuple[str, tuple, str]],
    words: Collection[str],
    hint: Callable[[int, str], str],
) -> None:
    """Check a function that answers with one of a few words.

    ``cases``: the name of each, the arguments, the right word; ``hint(number, word)``: a sentence for
    the learner's word in a case. Raises NotYet, which says so if two words have changed places.
    """
    for number, (name, arguments, right) in enumerate(cases):
        word = yours(*arguments)
        type_is(name, word, str)
        word = str(word)
        if word == right:
            continue
        if word not in words:
            near = word.strip().lower() in words
            how = (
                ": write it exactly as the exercise does"
                if near
                else f", and yours is {show(repr(word), limit=40)}"
            )
            raise NotYet(f"{name} should be one of the {len(words)} words{how}", step=name)
        said = hint(number, word)
        if all(
            is_same(yours(*given), {word: right, right: word}[other])
            for _, given, other in cases
            if other in (word, right)
        ):
            said = "Two of your words have changed places: each stands where the other belongs"
        raise NotYet(f"{name} is not right yet. {said}", step=name)


def raises(
    name: str,
    error: type[Exception],
    call: Callable[..., object],
    *arguments: object,
    why: str = "",
    **named: object,
) -> None:
    """Call the learner's function with arguments that it must refuse.

    ``error``: the exception that it must raise; ``why``: a sentence for the error. Raises NotYet.

    >>> raises("decode", ValueError, int, "x")
    """
    wanted = "an error" if error is Exception else error.__name__
    try:
        answer = call(*arguments, **named)
    except NotYet as told:  # What a guard makes of an exception has it as its cause.
        if isinstance(told.__cause__, error):
            return
        if told.__cause__ is None:
            raise
        said = f"{told.detail}. It has to raise {wanted} here"
    except error:
        return
    else:
        said = f"{name} has to raise {wanted} here, and it returned {kind(answer)}"
    raise NotYet(f"{said}. {why}" if why else said, step=name)


def steps_are(yours: Mapping[str, bytes], right: Iterable[Step]) -> None:
    """Compare named values with the steps of a computation, in their order.

    Raises NotYet for the first value that is missing or differs.

    >>> steps_are({"PRK": b"ab"}, [Step("PRK", b"xy", "HMAC-SHA-256(salt, IKM)", "RFC 8188 §2.2")])
    Traceback (most recent call last):
    pushlab.errors.NotYet: PRK (RFC 8188 §2.2) has 2 bytes, as it should, and differs at byte 0. ...
    """
    for step in right:
        if step.name not in yours:
            raise NotYet(f"{step.name} ({step.rfc}) is missing: {step.formula}", step=step.name)
        bytes_are(step.name, yours[step.name], step.value, rfc=step.rfc)


def kind(value: object) -> str:
    """Describe a value without showing it, because it may be secret.

    >>> kind(b"abc"), kind("ab"), kind([1, 2])
    ('3 bytes', 'a str of 2', 'a list of 2')
    >>> kind(None)
    'None: does your function return something? What print(…) shows is not returned'
    """
    if value is None:
        return "None: does your function return something? What print(…) shows is not returned"
    if isinstance(value, bytes):
        return counted(len(value), "byte")
    if inspect.isgenerator(value):
        return "a generator: is there a yield where return belongs?"
    if inspect.iscoroutine(value):
        value.close()  # Python would warn that nobody has awaited it.
        return "a coroutine: write await before the call that gives it"
    if inspect.isroutine(value):
        return "a function: write the parentheses that call it"
    many = f" of {len(value)}" if isinstance(value, str | list | tuple | set) else ""
    return article(type(value).__name__) + many


def article(noun: str) -> str:
    """Return a noun after a or an.

    >>> article("int"), article("dict")
    ('an int', 'a dict')
    """
    return f"an {noun}" if noun[0] in "aeiouAEIOU" else f"a {noun}"
