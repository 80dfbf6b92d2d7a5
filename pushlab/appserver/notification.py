"""The plaintext of a push message: what the page's service worker is to show.

    {"title": "Hello, Notifications!", "options": {"body": "ID: 1"}}

Title and options are the two arguments of ``registration.showNotification()`` in the worker.
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

    def payload(self) -> bytes:
        """Return the JSON text that is encrypted, at most 3993 bytes.

        Raises PlaintextTooLong, and BadField if it holds what JSON cannot say.
        """
        members = {"title": self.title, "options": self.options}
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
