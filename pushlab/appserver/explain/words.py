"""The words of a push service in its response, bounded, in one line, and without secrets."""

import json
import re
from collections.abc import Iterable

from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.explain.html_page import sentence_of
from pushlab.text import show, without

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
    said += [f"WWW-Authenticate: {words}" for words in _descriptions(response)]
    text = response.text()
    message = sentence_of(without(text, hidden)) or _message_in(response)
    if _is_unreadable(text):
        message = f"{len(response.body)} bytes that are not text"
    return show("; ".join([*said, message]).strip("; "), hidden)


def rest_of(response: PushResponse, shown: str, hidden: Iterable[str]) -> str:
    """Return the part of an unknown response that ``shown`` leaves out: it may help a reader."""
    silent = SILENT_HEADERS | ({"www-authenticate"} if _descriptions(response) else set())
    headers = [
        f"{name}: {'…' if name.lower() in SECRET_HEADERS else value}"
        for name, value in response.headers
        # HTTP/2 sends names in small letters, and HTTP/1.1 in any: they are the same (RFC 9110 §5.1).
        if f"{name}: {value}".lower() not in shown.lower() and name.lower() not in silent
    ]
    text = response.text()
    told = sentence_of(text) or _is_unreadable(text)
    body = "" if told else show(_body_of(response), hidden)
    parts = [("Its headers", show("; ".join(headers), hidden)), ("Its body", body)]
    return "".join(f" {name}: {text}" for name, text in parts if text and text not in shown)


def doubts_of(response: PushResponse, hidden: Iterable[str] = ()) -> str:
    """Doubt a success that says something else: a page, or that the message was dropped.

    What sends a page is a login, or a proxy. Windows' service answers so for its older interface.
    """
    page = show(sentence_of(without(response.text(), hidden)) or "", hidden) if response.body else ""
    doubts = f" It sends {page}: was this the push service?" if page else ""
    return f"{doubts} But it says that it has dropped the message." if is_dropped(response) else doubts


def is_dropped(response: PushResponse) -> bool:
    """Say whether Windows' service says that it has dropped the message."""
    return (response.header("X-WNS-NotificationStatus") or "").lower() == "dropped"


def _descriptions(response: PushResponse) -> list[str]:
    """Return what WWW-Authenticate says in words. RFC 6750 §3 has the parameter for it."""
    values = response.header_list("WWW-Authenticate")
    return [found[1] for value in values if (found := DESCRIPTION.search(value))]


DESCRIPTION = re.compile(r'\berror_description="([^"]+)"')


def _message_in(response: PushResponse) -> str:
    value = response.json()
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        value = value["error"]
    names = ("message", "reason", "detail", "error")
    found = [value.get(name) for name in names] if isinstance(value, dict) else []
    return next((text for text in found if isinstance(text, str) and text), _body_of(response))


def _body_of(response: PushResponse) -> str:
    """Return the body as text. JSON is written anew, because an escape in it could hide a secret."""
    value = response.json()
    return response.text() if value is None else json.dumps(value, ensure_ascii=False)


def _is_unreadable(text: str) -> bool:
    """Say whether a third of a text stands for bytes that are not text."""
    return sum(letter in UNREADABLE for letter in text) * 3 > len(text)
