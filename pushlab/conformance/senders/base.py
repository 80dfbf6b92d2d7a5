"""What the examination asks of a sender, in whichever form it comes."""

from typing import Protocol

from pushlab.conformance.exchange import Message, SenderReport


class Sender(Protocol):
    """Whoever sends push messages, and is examined.

    ``form``: "command", "app", "by hand", or a word of your own; ``sets``: what of a message it sets as
    it is asked, of payload, ttl, urgency and topic; ``at_once``: how many messages it may be asked for
    at the same time; ``ends``: whether nothing more of a message comes once ``send`` has returned.
    """

    form: str
    sets: frozenset[str]
    at_once: int
    ends: bool

    @property
    def reports(self) -> bool:
        """Whether SenderReport.accepted can be relied on."""

    async def open(self) -> None:
        """Get ready."""

    async def send(self, message: Message) -> SenderReport:
        """Send one message, and return what the sender says of it."""

    async def close(self) -> None:
        """End whatever still runs."""
