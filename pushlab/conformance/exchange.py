"""What passed between a sender and the push service of the examination, and what the sender said."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from pushlab.conformance.recipients import Recipient
from pushlab.protocol.spelling.captured import Captured


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
class Said:
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


@dataclass
class Arrived:
    """One request as it arrived, byte for byte. ``at``, ``answered_at``: seconds since 1970.

    ``connection``: the number of its TCP connection; ``answer``: what it was answered, in words;
    ``not_before``: when the sender may come again; ``waited``: seconds that the sender waited for an
    answer that never came whole; ``taken``: bytes of a long answer that the sender took;
    ``ended``: set once the answer has ended, however it did.
    """

    request: Captured = field(repr=False)
    at: float
    connection: int
    answer: str = ""
    status: int = 0
    answered_at: float = 0.0
    not_before: float = 0.0
    waited: float = 0.0
    taken: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def body(self) -> bytes:
        """The bytes of the body; b"" if there is none."""
        return self.request.body or b""

    def header(self, name: str) -> str | None:
        """Return the value of a header; the first one, if it is repeated."""
        values = self.request.values(name)
        return values[0] if values else None


@dataclass(frozen=True)
class Exchange:
    """A message that a sender was asked to send, the requests that came, and what the sender said."""

    message: Message
    said: Said

    @property
    def requests(self) -> list[Arrived]:
        """The requests that have come to the endpoint until now."""
        return self.message.recipient.arrived

    def __iter__(self) -> Iterator[Arrived]:
        return iter(self.requests)

    def __len__(self) -> int:
        return len(self.requests)
