"""A request as it arrived at the push service of the examination."""

import asyncio
from dataclasses import dataclass, field

from pushlab.protocol.spelling.captured import Captured


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
