"""base64url without padding, RFC 4648 §5: how web push writes bytes as text.

Decoding is strict. Each text stands for one byte string, and each byte string for one text. A key
or a token that was cut, padded or copied from plain base64 is therefore refused here, and not three
steps later.
"""

import base64
import re

from pushlab.errors import BadBase64url
from pushlab.protocol.strict_json import kind

FOREIGN = re.compile(r"[^A-Za-z0-9_-]")


def encode(data: bytes) -> str:
    """Write bytes as base64url without padding.

    Source: RFC 4648 §5, without padding as RFC 7515 §2 has it.

    >>> encode(bytes.fromhex("fb ff"))
    '-_8'
    """
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: object) -> bytes:
    """Read base64url strictly: the alphabet alone, no padding, no unused bit set.

    ``text``: any length, also empty. Raises BadBase64url, also when it is not a str: JSON may hold
    anything where a key should be. Source: RFC 4648 §5 and §3.5.

    >>> decode("-_8").hex(" ")
    'fb ff'
    """
    if not isinstance(text, str):
        raise BadBase64url(f"this is {kind(text)}, not text")
    if foreign := FOREIGN.search(text):
        raise BadBase64url(_explain(foreign[0], foreign.start(), len(text)))
    # Four characters carry 24 bits. One character alone carries 6, too few for a byte.
    if len(text) % 4 == 1:
        raise BadBase64url(f"length {len(text)} is impossible in base64url: is a character missing?")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The last character of "-_8" carries two bits that belong to no byte. Only zeros are accepted
    # there: otherwise several texts would stand for the same key.
    if encode(data) != text:
        raise BadBase64url(f"the last of {len(text)} characters has bits that belong to no byte")
    return data


def _explain(character: str, position: int, length: int) -> str:
    if character == "=":
        return f"padding at character {position + 1} of {length}"
    if character in "+/":
        return f"{character!r} at character {position + 1} of {length}: this is plain base64"
    return f"{character!a} at character {position + 1} of {length}"
