"""What the examination asks of a sender, in whichever form it comes."""

from collections.abc import Sequence
from typing import Protocol

from pushlab.conformance.exchange import Message, Said
from pushlab.conformance.recipients import Recipient


class Sender(Protocol):
    """Whoever sends push messages, and is examined.

    ``form``: "command", "app", "by hand", or a word of your own; ``sets``: what of a message it sets as
    it is asked, of payload, ttl, urgency and topic; ``at_once``: how many messages it may be asked for
    at the same time; ``ends``: whether nothing more of a message comes once ``send`` has returned;
    ``reports``: whether Said.accepted can be relied on.
    """

    form: str
    sets: frozenset[str]
    at_once: int
    ends: bool
    reports: bool

    async def open(self) -> None:
        """Get ready."""

    async def send(self, message: Message) -> Said:
        """Send one message, and return what the sender says of it."""

    async def close(self) -> None:
        """End whatever still runs."""


class Keeper(Sender, Protocol):
    """A sender that keeps subscriptions: an app.

    ``sends_to_all``: whether one call of ``notify`` reaches everybody; ``removes``,
    ``has_notify_all``: whether it has these routes.
    """

    sends_to_all: bool
    removes: bool
    has_notify_all: bool

    async def subscribe(self, recipient: Recipient) -> Said:
        """Hand over a subscription."""

    async def notify(self, recipient: Recipient, message: Message) -> Said:
        """Let the app send to a subscription that it has."""

    async def notify_all(self, message: Message) -> Said:
        """Let the app send to everybody."""

    async def unsubscribe(self, recipient: Recipient) -> Said:
        """Let the app forget a subscription."""

    async def post(self, route: str, body: bytes, headers: Sequence[tuple[str, str]]) -> Said:
        """Send any bytes to one of its routes: subscribe, send or unsubscribe."""
