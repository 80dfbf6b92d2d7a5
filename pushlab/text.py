"""Text from outside: as a page, a log or a terminal may show it.

Names, headers, reports and answers are written by others. Such a text may hold line breaks and
characters that steer a terminal or turn the direction of writing, it may be of any length, and it may
hold a secret. What leaves these functions is one line, printable, and bounded.
"""

import json
import re
from collections.abc import Iterable

MAX_SHOWN = 400
"""Characters of a text that are shown."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{32,}")

_SLASHES = r"(?:\\?/){2}"  # PHP's JSON has a backslash before each slash.
_URL = re.compile(
    rf"(?i)([a-z][a-z0-9+.-]{{0,15}}:{_SLASHES})([^\s\"'<>/\\?#]*@)?"
    r"(\[[0-9a-f:.]*\]|[^\s\"'<>/\\?#@:]*)((?::[0-9]{1,5})?)([^\s\"'<>]*)"
)
_ENDING = re.compile(r"(?:[\w+/=~-]|%[0-9A-Fa-f]{2}|\\/|\\u00[0-9A-Fa-f]{2}){32,}", re.ASCII)
"""A run of the characters that an endpoint may end with, percent-encoded or escaped as in JSON."""


def one_line(text: str) -> str:
    """Return a text in one line, with a space for what is not printable.

    >>> one_line("  Ada" + chr(0x202e) + "\\n  Lovelace ")
    'Ada Lovelace'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def json_line(value: object) -> str:
    """Return a value as one line of JSON, with an escape for each character that is not printable.

    Whoever reads the JSON gets the value whole, and a terminal that shows it is not steered by it.

    >>> json_line({"name": "Zo\u00eb" + chr(0x9b)})
    '{"name": "Zo\u00eb\\\\u009b"}'
    """
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def counted(number: int, noun: str = "byte") -> str:
    """Write a number with its noun, in the singular or the plural.

    >>> counted(1), counted(65, "character")
    ('1 byte', '65 characters')
    """
    return f"{number} {noun}{'s' * (number != 1)}"


def origins_only(text: str) -> str:
    """Return a text in which each URL shows only scheme, host and port, and no long run is left.

    A URL may be an endpoint, which is a capability, or hold a password.

    >>> origins_only("for https://me:secret@push.example.net:8443/w/?token=abc, and https://example.com/")
    'for https://push.example.net:8443/…, and https://example.com/'
    """
    return _ENDING.sub("…", _URL.sub(_origin_only, text))


def _origin_only(found: re.Match[str]) -> str:
    scheme, _, host, port, rest = found.groups()
    return f"{scheme}{host}{port}{rest if rest in ('', '/') else _punctuated(rest)}"


def _punctuated(rest: str) -> str:
    """Hide what follows an origin, but for the comma or the bracket that ends a clause."""
    end = rest[len(rest.rstrip(",;.)")) :]
    return end if end == rest else f"/…{end}"


def show(text: str, hidden: Iterable[str] = (), limit: int = MAX_SHOWN) -> str:
    """Return a text in a form that can be shown: one line, at most ``limit`` long, without secrets.

    Each text in ``hidden``, and every run of 32 or more base64url characters, becomes "…": tokens,
    keys and the ends of endpoints look like that, and words do not.

    >>> show("no subscription " + 40 * "x" + " here", ["here"])
    'no subscription … …'
    """
    text = one_line(_SECRET.sub("…", without(text, hidden)))
    return text if len(text) <= limit else text[:limit] + "…"


def without(text: str, hidden: Iterable[str]) -> str:
    """Return a text with "…" for each of these texts, in small letters or in capitals.

    >>> without("https://push.example.net/SECRET and /secret", ["/secret"])
    'https://push.example.net… and …'
    """
    letters = text.lower()
    for secret in sorted(filter(None, hidden), key=len, reverse=True):
        if secret.lower() in letters:  # A pattern is made only where it is needed.
            text = re.sub(re.escape(secret), "…", text, flags=re.IGNORECASE)
    return text
