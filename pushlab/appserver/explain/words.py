"""The words of a push service in its response, bounded, in one line, and without secrets."""

import json
from collections.abc import Iterable

from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.explain.html_page import sentence_of
from pushlab.text import show

UNREADABLE = "\ufffd\0"
"""What stands for bytes that are no UTF-8, and the zero that no text has."""

SILENT_HEADERS = {"date", "content-length", "connection"}
"""Headers that do not help to explain a refusal."""

SECRET_HEADERS = ("location", "link", "content-location", "set-cookie")
"""Headers of a response whose values only the sender may see."""


def words_of(response: PushResponse, hidden: Iterable[str] = ()) -> str:
    """Return the message in a push service's response: from its headers for people, and its body.

    Mozilla and FCM write it into the body's ``message``, Apple into ``reason``, Windows into
    headers. Of an HTML page, its title and its text are the message.

    >>> words_of(PushResponse(403, body=b'{"reason":"BadJwtToken"}'))
    'BadJwtToken'
    """
    if 200 <= response.status < 300:
        return ""
    names = ("X-WNS-Error-Description", "X-WNS-NotificationStatus", "Retry-After")
    said = [f"{name}: {value}" for name in names for value in response.header_list(name)]
    text = response.body.decode("utf-8", "replace")
    message = sentence_of(text) or _message_in(text)
    if _is_unreadable(text):
        message = f"{len(response.body)} bytes that are not text"
    return show("; ".join([*said, message]).strip("; "), hidden)


def rest_of(response: PushResponse, shown: str, hidden: Iterable[str]) -> str:
    """Return the part of an unknown response that ``shown`` leaves out: it may help a reader."""
    headers = [
        f"{name}: {'…' if name.lower() in SECRET_HEADERS else value}"
        for name, value in response.headers
        # HTTP/2 sends names in small letters, and HTTP/1.1 in any: they are the same (RFC 9110 §5.1).
        if f"{name}: {value}".lower() not in shown.lower() and name.lower() not in SILENT_HEADERS
    ]
    text = response.body.decode("utf-8", "replace")
    told = sentence_of(text) or _is_unreadable(text)
    body = "" if told else show(text, hidden)
    parts = [("Its headers", show("; ".join(headers), hidden)), ("Its body", body)]
    return "".join(f" {name}: {text}" for name, text in parts if text and text not in shown)


def page_in_success(response: PushResponse) -> str:
    """Doubt a success with a page in it: what answered is a login page, or a proxy's."""
    page = sentence_of(response.body.decode("utf-8", "replace"))
    return f" It sends {page}: was this the push service?" if page else ""


def _message_in(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        value = value["error"]
    names = ("message", "reason", "detail", "error")
    found = [value.get(name) for name in names] if isinstance(value, dict) else []
    return next((text for text in found if isinstance(text, str) and text), text)


def _is_unreadable(text: str) -> bool:
    """Say whether a third of a text stands for bytes that are not text."""
    return sum(letter in UNREADABLE for letter in text) * 3 > len(text)
