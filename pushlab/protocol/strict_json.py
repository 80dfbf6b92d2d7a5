"""JSON that anybody may have written, RFC 8259: read strictly, described without repeating it."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from pushlab.errors import MalformedJson

JsonObject = Mapping[str, Any]
"""The members of a JSON object. Their types are checked where each of them is used."""

MAX_DIGITS = 100
"""Digits of a whole number that is read."""

LIKE_A_KEY = re.compile(r"(?!(.)\1{39})[A-Za-z0-9+/_-]{40}")
"""What base64 makes of 30 bytes, and hexadecimal of 20. One character, repeated, is no key."""

KINDS = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
}


def parse(text: str | bytes) -> object:
    """Read a JSON text of any kind. Raises MalformedJson.

    Bytes are UTF-8. This function refuses

    - what Python reads although JSON does not have it: NaN and Infinity;
    - what Python cannot read: brackets nested thousands deep, numbers of thousands of digits;
    - what readers of JSON understand differently: a name twice in one object, a number out of
      range, half a surrogate pair.

    So every value that it returns can be written as JSON again. Source: RFC 8259 §4, §6, §8 and §9.

    >>> parse(b'{"ttl": 60}')
    {'ttl': 60}
    >>> parse(b'{"ttl": 60, "ttl": 0}')
    Traceback (most recent call last):
    pushlab.errors.MalformedJson: a name appears twice (RFC 8259). Fault: client. ...
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = _DECODER.decode(text)
        # An escape such as \ud800 is read without complaint, and no UTF-8 can hold its character.
        if "\\u" in text or not text.isascii():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise MalformedJson("this is not UTF-8, or it has half a surrogate pair") from None
    except json.JSONDecodeError as reason:
        fault = reason.msg.lower().removesuffix(" at")
        raise MalformedJson(f"this is not JSON: {fault} at character {reason.pos + 1}") from None
    except ValueError as reason:
        raise MalformedJson(str(reason)) from None
    # Brackets nested deeper than Python's stack are a RecursionError, not a ValueError.
    except RecursionError:
        raise MalformedJson("this is nested too deeply") from None
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name appears twice")
    return members


def _integer(text: str) -> int:
    # Python's own message about thousands of digits is about Python. JavaScript keeps 17 of them.
    if len(text) > MAX_DIGITS:
        raise ValueError("a number is out of range")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number


# Made once: json.loads() with these arguments would make one for each text.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_number
)


def is_number(value: object) -> TypeGuard[int | float]:
    """Say whether a value is a JSON number. True is an int in Python, and no number in JSON.

    >>> is_number(1.5), is_number(True)
    (True, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool)


def kind(value: object) -> str:
    """Describe a value without showing it, for errors about values that may be secret.

    >>> kind("Bearer of a secret"), kind({})
    ('text of 18 characters', 'an object')
    """
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    if isinstance(value, bytes):
        return f"{len(value)} bytes long"
    return KINDS.get(type(value), f"of type {type(value).__name__}")


def shown(value: object) -> str:
    """Quote a text for an error, in ASCII. A long text, or another value, is described by its kind.

    So is a text with a run of 40 characters as keys have them: it may be a private key.

    >>> shown("high"), shown("x" * 100), shown(None)
    ("'high'", 'text of 100 characters', 'null')
    """
    is_short = isinstance(value, str) and len(value) <= 80 and not LIKE_A_KEY.search(value)
    return ascii(value) if is_short else kind(value)
