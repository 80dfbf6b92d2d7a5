"""JSON that anybody may have written, RFC 8259: read strictly, described without repeating it."""

import json
from collections.abc import Mapping
from typing import Any, TypeGuard

from pushlab.errors import MalformedJson

JsonObject = Mapping[str, Any]
"""The members of a JSON object. Their types are checked where each of them is used."""

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

    Bytes are UTF-8. NaN and Infinity are refused: Python reads them, and JSON does not have them.
    JSON that Python cannot read is refused too: brackets nested thousands deep, and numbers of
    thousands of digits.
    Source: RFC 8259 §2, §6, §8.1 and §9.

    >>> parse(b'{"ttl": 60}')
    {'ttl': 60}
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return json.loads(text, parse_constant=_refuse)
    # Brackets nested deeper than Python's stack are a RecursionError, not a ValueError.
    except (ValueError, RecursionError):
        raise MalformedJson("this is not JSON") from None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


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

    >>> shown("high"), shown("x" * 100), shown(None)
    ("'high'", 'text of 100 characters', 'null')
    """
    return ascii(value) if isinstance(value, str) and len(value) <= 80 else kind(value)
