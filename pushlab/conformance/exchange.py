"""What passed between a sender and the push service of the examination, and what the sender said."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pushlab.conformance.arrived import Arrived
from pushlab.conformance.recipients import Recipient


@dataclass(frozen=True, repr=False)
class Message:
    """What a sender is asked to send: ``payload`` in bytes, and where to.

    A sender that cannot set ``ttl`` (seconds), ``urgency`` or ``topic`` leaves it out. ``measured``:
    whether its memory is to be measured.
    """

    recipient: Recipient
    payload: bytes
    ttl: int = 60
    urgency: str = "normal"
    topic: str = ""
    measured: bool = False

    def __repr__(self) -> str:
        return f"<Message of {len(self.payload)} bytes to {self.recipient.label}>"


@dataclass(frozen=True)
class SenderReport:
    """What a sender said of one message.

    ``accepted``: that the message was accepted, or was not, or nothing (None). ``text``: its own
    words, bounded: they may hold secrets. ``fault``: why it could not be asked, in a sentence.
    ``memory``: bytes that its processes held at most, if that was measured.
    """

    accepted: bool | None = None
    text: str = field(default="", repr=False)
    status: str = ""
    fault: str = ""
    seconds: float = 0.0
    memory: int = 0


@dataclass(frozen=True)
class Exchange:
    """A message that a sender was asked to send, the requests that came, and what the sender said."""

    message: Message
    said: SenderReport

    @property
    def requests(self) -> list[Arrived]:
        """The requests that have come to the endpoint until now."""
        return self.message.recipient.arrived

    def __iter__(self) -> Iterator[Arrived]:
        return iter(self.requests)

    def __len__(self) -> int:
        return len(self.requests)
