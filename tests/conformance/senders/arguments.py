"""The arguments that all wrappers have, and how they end. It needs nothing but Python's own library.

Exit status 0: the library says that the push service has accepted the message. Any other: it does not,
and the output has the library's own words.
"""

import argparse
import base64
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """One message. ``vapid_private``: base64url; ``urgency`` and ``topic`` may be empty."""

    subscription: dict
    payload: bytes
    ttl: int
    urgency: str
    topic: str
    vapid_private: str
    subject: str

    @property
    def scalar(self) -> int:
        """The private key as a number."""
        return int.from_bytes(base64.urlsafe_b64decode(self.vapid_private + "=="), "big")

    @property
    def headers(self) -> dict[str, str]:
        """Urgency and Topic, for a library that takes headers and has no options for them."""
        return {
            name: value for name, value in (("Urgency", self.urgency), ("Topic", self.topic)) if value
        }


def read() -> Job:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscription", type=Path, required=True)
    parser.add_argument("--payload", type=Path, required=True)
    parser.add_argument("--ttl", type=int, default=0)
    parser.add_argument("--urgency", default="")
    parser.add_argument("--topic", default="")
    parser.add_argument("--vapid-private", required=True)
    parser.add_argument("--subject", required=True)
    given = parser.parse_args()
    return Job(
        json.loads(given.subscription.read_text("utf-8")),
        given.payload.read_bytes(),
        given.ttl,
        given.urgency,
        given.topic,
        given.vapid_private,
        given.subject,
    )
