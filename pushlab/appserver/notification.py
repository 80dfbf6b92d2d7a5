"""The plaintext of a push message: the notification that the page's service worker shows.

    {"title": "Hello, Notifications!", "options": {"body": "ID: 1"}}

Title and options are the two arguments of ``registration.showNotification()`` in the worker.

The same notification has a second form, Declarative Web Push, which Safari reads from 18.4 on:

    {"web_push": 8030, "notification": {"title": "Hello, Notifications!",
     "navigate": "https://lab.example/", "body": "ID: 1"}, "mutable": true}

A browser that knows this form shows the notification itself when it no longer has a worker. Every
other browser gives the text to the worker, which reads both forms. With ``mutable`` the browser
fires the ``push`` event in any case, so the worker still reports each message. Source: W3C Push API,
Declarative push message.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pushlab.errors import BadField, PlaintextTooLong
from pushlab.protocol.encryption import MAX_PLAINTEXT

DEFAULT_TITLE = "Hello, Notifications!"


@dataclass(frozen=True)
class Notification:
    """A title (text) and the options of showNotification() (a JSON object).

    >>> Notification("Hi", {"body": "you"}).payload()
    b'{"title":"Hi","options":{"body":"you"}}'
    """

    title: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def numbered(cls, number: int, title: str | None = None, body: str | None = None) -> "Notification":
        """Return the notification for a title and a body.

        The default of ``title`` is DEFAULT_TITLE; the default of ``body`` shows ``number``.

        >>> Notification.numbered(7)
        Notification(title='Hello, Notifications!', options={'body': 'ID: 7'})
        """
        return cls(
            DEFAULT_TITLE if title is None else title,
            {"body": f"ID: {number}" if body is None else body},
        )

    @classmethod
    def from_json(cls, value: object) -> "Notification":
        """Read ``{"title", "options"?}``, as a page posts it. Raises BadField.

        >>> Notification.from_json({"title": "Hi", "body": "you"})
        Traceback (most recent call last):
        pushlab.errors.BadField: notification has an unknown member: ...
        """
        if not isinstance(value, Mapping):
            raise BadField("notification is not an object")
        if not isinstance(value.get("title"), str):
            raise BadField("notification has no title, or its title is not text")
        if not isinstance(value.get("options", {}), Mapping):
            raise BadField("options of notification is not an object")
        if set(value) - {"title", "options"}:
            raise BadField(
                "notification has an unknown member: it takes title and options, and body belongs in "
                "options"
            )
        return cls(value["title"], value.get("options", {}))

    def payload(self, navigate: str | None = None) -> bytes:
        """Return the JSON text that is encrypted, at most 3993 bytes.

        ``navigate``, the absolute URL that a click opens, makes the message a declarative one. Raises
        PlaintextTooLong, and BadField if a value cannot be written as JSON.

        >>> Notification("Hi").payload("https://lab.example/")
        b'{"web_push":8030,"notification":{"title":"Hi","navigate":"https://lab.example/"},"mutable":true}'
        """
        members: dict[str, Any] = {"title": self.title, "options": self.options}
        if navigate is not None:
            members = {"web_push": 8030, "notification": self._declared(navigate), "mutable": True}
        try:
            # JavaScript reads UTF-8, and a \u escape would take six of the 3993 bytes.
            text = json.dumps(members, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            payload = text.encode("utf-8")
        except (TypeError, ValueError, RecursionError) as reason:
            raise BadField(f"notification cannot be written as JSON: {type(reason).__name__}") from None
        if len(payload) > MAX_PLAINTEXT:
            raise PlaintextTooLong(f"the plaintext is {len(payload)} bytes long, over {MAX_PLAINTEXT}")
        return payload

    def _declared(self, navigate: str) -> dict:
        """Return title and options as one object, the form of a declarative message."""
        first = {"title": self.title, "navigate": navigate}
        declared = first | {**self.options, "title": self.title}
        if isinstance(actions := declared.get("actions"), list):
            # Without a worker no code handles a button, so each button needs a URL of its own.
            declared["actions"] = [
                {"navigate": navigate, **action} if isinstance(action, Mapping) else action
                for action in actions
            ]
        return declared
