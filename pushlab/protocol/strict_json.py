"""JSON from strangers, RFC 8259: read it strictly, and say what was in it without repeating it."""

import json

from pushlab.errors import MalformedJson

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

    Bytes are UTF-8. What Python reads and JSON does not have (NaN, Infinity) is refused; so is what
    is JSON and breaks Python (brackets thousands deep, numbers of thousands of digits).
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


def is_number(value: object) -> bool:
    """Tell a JSON number from everything else. True is an int to Python, and not to JSON.

    >>> is_number(1.5), is_number(True)
    (True, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool)


def kind(value: object) -> str:
    """Say what a value is without showing it: for errors about what may be a secret.

    >>> kind("Bearer of a secret"), kind({})
    ('text of 18 characters', 'an object')
    """
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    if isinstance(value, bytes):
        return f"{len(value)} bytes long"
    return KINDS.get(type(value), f"of type {type(value).__name__}")


def shown(value: object) -> str:
    """Show text in an error: in ASCII, and never more than a line. What is no text gets its kind.

    >>> shown("high"), shown("x" * 100), shown(None)
    ("'high'", 'text of 100 characters', 'null')
    """
    return ascii(value) if isinstance(value, str) and len(value) <= 80 else kind(value)
