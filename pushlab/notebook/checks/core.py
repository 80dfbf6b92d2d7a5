"""The parts of a check, which finds where a learner's value differs and never shows the right one.

A check calls the learner's function with data of its own and examines the result. It ends in one of
three ways:

- It returns ``Right``, which a notebook shows as one green line.
- It raises ``NotYet``, which names the first value that differs, with lengths, and a likely cause.
- It passes on the exception that the learner's function raised, such as a stub's
  NotImplementedError.

A check also computes the results of typical mistakes. If a learner's value is one of them, the error
names that mistake.
"""

from collections.abc import Callable, Iterable, Mapping
from html import escape

from pushlab.errors import NotYet
from pushlab.protocol.spelling import recognize
from pushlab.protocol.trace import Step

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
    where = f" ({rfc})" if rfc else ""
    if not isinstance(yours, bytes):
        raise NotYet(f"{name}{where} should be bytes, and yours is {_kind(yours)}")
    if yours == right:
        return
    for sentence, wrong in (mistakes or {}).items():
        if yours == wrong:
            raise NotYet(f"{name}{where} has {_bytes(len(yours))}. {sentence}")
    if said := _spelled_otherwise(yours, right):
        raise NotYet(f"{name}{where} has {_bytes(len(yours))}. {said}")
    if len(yours) != len(right):
        raise NotYet(f"{name}{where} should have {_bytes(len(right))}, and yours has {len(yours)}")
    at = next(index for index, pair in enumerate(zip(yours, right, strict=True)) if pair[0] != pair[1])
    raise NotYet(f"{name}{where} has {_bytes(len(yours))}, as it should, and differs at byte {at}")


def _spelled_otherwise(yours: str | bytes, right: bytes | None) -> str:
    """Return how a value writes the right bytes otherwise, and how to turn it; "" if it does not."""
    found = recognize(yours)
    if not right or not found.turn or right not in (found.data, found.raw):
        return ""
    return f"It is {found.what}. {found.turn}"


def text_is(
    name: str, yours: object, right: str, *, mistakes: Mapping[str, str] | None = None, rfc: str = ""
) -> None:
    """Compare a learner's text with the right one, as ``bytes_are`` does with bytes. Raises NotYet.

    >>> text_is("aud", "https://a.example/", "https://a.example", mistakes={
    ...     "An origin ends before the first slash of the path.": "https://a.example/"})
    Traceback (most recent call last):
    pushlab.errors.NotYet: aud has 18 characters. An origin ends before the first slash of the path. ...
    """
    where = f" ({rfc})" if rfc else ""
    if not isinstance(yours, str):
        raise NotYet(f"{name}{where} should be a str, and yours is {_kind(yours)}")
    if yours == right:
        return
    for sentence, wrong in (mistakes or {}).items():
        if yours == wrong:
            raise NotYet(f"{name}{where} has {len(yours)} characters. {sentence}")
    if said := _spelled_otherwise(yours, recognize(right).data):
        raise NotYet(f"{name}{where} has {len(yours)} characters. {said}")
    at = next((i for i, (a, b) in enumerate(zip(yours, right, strict=False)) if a != b), None)
    if len(yours) != len(right):
        said = f"should have {len(right)} characters, and yours has {len(yours)}"
        more = f"; it differs at character {at}" if at is not None else ""
        raise NotYet(f"{name}{where} {said}{more}")
    said = f"has {len(yours)} characters, as it should, and differs at character {at}"
    raise NotYet(f"{name}{where} {said}")


def value_is(name: str, yours: object, right: object, *, hint: str = "", rfc: str = "") -> None:
    """Compare a learner's number, bool, enum or None with the right one. The types must be equal.

    ``hint``: a sentence for the error. Raises NotYet.

    >>> value_is("exp", "60", 60, hint="A NumericDate is a number, without quotes.")
    Traceback (most recent call last):
    pushlab.errors.NotYet: exp should be an int, and yours is a str of 2. ...
    """
    where = f" ({rfc})" if rfc else ""
    more = f". {hint}" if hint else ""
    if type(yours) is not type(right):
        kind = "None" if right is None else _article(type(right).__name__)
        raise NotYet(f"{name}{where} should be {kind}, and yours is {_kind(yours)}{more}")
    if yours != right:
        raise NotYet(f"{name}{where} is not right yet{more}")


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
    try:
        answer = call(*arguments, **named)
    except error:
        return
    said = f"{name} has to raise {error.__name__} here, and it returned {_kind(answer)}"
    raise NotYet(f"{said}. {why}" if why else said)


def steps_are(yours: Mapping[str, bytes], right: Iterable[Step]) -> None:
    """Compare named values with the steps of a computation, in their order.

    Raises NotYet for the first value that is missing or differs.

    >>> steps_are({"PRK": b"ab"}, [Step("PRK", b"xy", "HMAC-SHA-256(salt, IKM)", "RFC 8188 §2.2")])
    Traceback (most recent call last):
    pushlab.errors.NotYet: PRK (RFC 8188 §2.2) has 2 bytes, as it should, and differs at byte 0. ...
    """
    for step in right:
        if step.name not in yours:
            raise NotYet(f"{step.name} ({step.rfc}) is missing: {step.formula}")
        bytes_are(step.name, yours[step.name], step.value, rfc=step.rfc)


def _kind(value: object) -> str:
    """Describe a value without showing it, because it may be secret.

    >>> _kind(b"abc"), _kind("ab"), _kind(None)
    ('3 bytes', 'a str of 2', 'None: does your function return something?')
    """
    if value is None:
        return "None: does your function return something?"
    if isinstance(value, bytes):
        return _bytes(len(value))
    if isinstance(value, str):
        return f"a str of {len(value)}"
    return _article(type(value).__name__)


def _bytes(count: int) -> str:
    return f"{count} byte{'s' * (count != 1)}"


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiouAEIOU" else f"a {noun}"
