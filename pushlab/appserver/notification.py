"""The plaintext of a push message: what the page's service worker is to show.

    {"title": "Hello, Notifications!", "options": {"body": "ID: 1"}}

Title and options are the two arguments of ``registration.showNotification()`` in the worker.

The same notification can be said as Declarative Web Push, which Safari reads from 18.4 on:

    {"web_push": 8030, "notification": {"title": "Hello, Notifications!",
     "navigate": "https://lab.example/", "body": "ID: 1"}, "mutable": true}

A browser that knows that form shows it by itself when it has no worker any more; every other one
hands it to the worker, which reads both. ``mutable`` asks for the ``push`` event all the same, so
that the story stays whole. Source: W3C Push API, Declarative push message.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pushlab.errors import BadField, PlaintextTooLong
from pushlab.protocol.encryption import MAX_PLAINTEXT

DEFAULT_TITLE = "Hello, Notifications!"


@dataclass(frozen=True)
class Notification:
    """A title (text) and the options of showNotification() (JSON values).

    >>> Notification("Hi", {"body": "you"}).payload()
    b'{"title":"Hi","options":{"body":"you"}}'
    """

    title: str
    options: Mapping = field(default_factory=dict)

    @classmethod
    def numbered(cls, number: int, title: str | None = None, body: str | None = None):
        """Return the notification for a title and a body; None stands for the default.

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
        pushlab.errors.BadField: notification has a member that is not known: it has title and options, and body goes into options. Fault: client.
        """
        if not isinstance(value, Mapping):
            raise BadField("notification is not an object")
        if not isinstance(value.get("title"), str):
            raise BadField("notification has no title, or one that is not text")
        if not isinstance(value.get("options", {}), Mapping):
            raise BadField("options of notification is not an object")
        if set(value) - {"title", "options"}:
            raise BadField(
                "notification has a member that is not known: it has title and options, and body "
                "goes into options"
            )
        return cls(value["title"], value.get("options", {}))

    def payload(self, navigate: str | None = None) -> bytes:
        """Return the JSON text that is encrypted, at most 3993 bytes.

        ``navigate`` is the absolute URL that a click leads to, and makes the message a declarative
        one. Raises PlaintextTooLong, and BadField if it holds what JSON cannot say.

        >>> Notification("Hi", {"body": "you"}).payload("https://lab.example/")
        b'{"web_push":8030,"notification":{"title":"Hi","navigate":"https://lab.example/","body":"you"},"mutable":true}'
        """
        members = {"title": self.title, "options": self.options}
        if navigate is not None:
            members = {"web_push": 8030, "notification": self._declared(navigate), "mutable": True}
        try:
            # JavaScript reads UTF-8 as it is, and a \u escape would take six bytes of the 3993.
            text = json.dumps(members, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            payload = text.encode("utf-8")
        except (TypeError, ValueError, RecursionError) as reason:
            raise BadField(f"notification is no JSON: {type(reason).__name__}") from None
        if len(payload) > MAX_PLAINTEXT:
            raise PlaintextTooLong(
                f"the plaintext is {len(payload)} bytes long, over {MAX_PLAINTEXT}"
            )
        return payload

    def _declared(self, navigate: str) -> dict:
        """Return title and options as one object, as a declarative message has them."""
        first = {"title": self.title, "navigate": navigate}
        declared = first | {**self.options, "title": self.title}
        if isinstance(actions := declared.get("actions"), list):
            # Here a button has no handler, so each one needs an address of its own.
            declared["actions"] = [
                {"navigate": navigate, **action} if isinstance(action, Mapping) else action
                for action in actions
            ]
        return declared
