"""Who gets the messages: subscribers with keys of their own, and the proof that they can read them.

Every subscriber has its own key pair, as in life: nothing that a sender might keep for one serves
another. The endpoints of some begin with ``/sample/``: of those the push endpoint keeps the whole
request, and it is decrypted with http_ece, which knows nothing of our code.
"""

import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.notification import Notification
from pushlab.appserver.store import SubscriptionStore
from pushlab.protocol import p256, vapid
from pushlab.protocol.subscription import PushSubscription

NOTIFICATION = {"title": "Hello, Notifications!", "options": {"body": "ID: 7"}}
PAYLOAD = Notification.from_json(NOTIFICATION).payload()

SAMPLES = {0, 1, 25, 50, 99, 500, 1999, 10_000, 19_999}
"""Which subscribers' requests are kept and read."""


@dataclass(frozen=True)
class Subscriber:
    """The user agent's half of one subscription."""

    endpoint: str
    auth: bytes = field(default_factory=lambda: os.urandom(16), repr=False)
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(p256.CURVE), repr=False
    )

    @cached_property
    def subscription(self) -> PushSubscription:
        """What the application server knows of it, with the key already parsed."""
        made = PushSubscription(self.endpoint, p256.raw_public(self.private), self.auth)
        assert made.ua_public is not None
        return made

    def read(self, body: bytes) -> bytes:
        """Decrypt a message with http_ece."""
        return http_ece.decrypt(body, private_key=self.private, auth_secret=self.auth)


class Audience:
    """``count`` subscribers at one origin, written down in each form that a sender reads.

    ``folder`` gets the VAPID keys, a SQLite database for us and JSON lines for the others.
    """

    def __init__(self, folder: Path, origin: str, count: int):
        self.origin, self.count, self.folder = origin, count, folder
        self.keys = VapidKeys.generate("mailto:bench@example.com")
        self.keys_file = folder / "vapid.env"
        self.keys.save(self.keys_file, overwrite=True)
        self.subscribers = [
            Subscriber(f"{origin}/{kind}/{secrets.token_urlsafe(48)}")
            for kind in ("sample" if number in SAMPLES else "push" for number in range(count))
        ]

    def database(self, count: int) -> Path:
        """Return a database with the first ``count`` subscribers."""
        path = self.folder / f"first-{count}.sqlite3"
        if not path.exists():
            store = SubscriptionStore(f"sqlite:///{path}")
            for one in self.subscribers[:count]:
                store.save(one.subscription, self.keys.application_server_key, "Bench")
            store.close()
        return path

    def lines(self) -> Path:
        """Return a file with the JSON of one subscription a line."""
        path = self.folder / "subscriptions.jsonl"
        if not path.exists():
            text = (json.dumps(one.subscription.to_json()) for one in self.subscribers)
            path.write_text("\n".join(text) + "\n", "utf-8")
        return path

    def check(self, requests: list[Mapping], count: int) -> int:
        """Read every kept request of the first ``count``, verify its token; return how many.

        Raise AssertionError if one is missing, came twice, or is not what was to be sent.
        """
        samples = [one for one in self.subscribers[:count] if "/sample/" in one.endpoint]
        by_path = {request["path"]: request for request in requests}
        assert len(by_path) == len(requests), "a sampled subscriber got the message twice"
        for one in samples:
            request = by_path.pop(one.endpoint.removeprefix(self.origin), None)
            assert request is not None, "a sampled subscriber got no message"
            plaintext = one.read(bytes.fromhex(request["body"]))
            assert plaintext == PAYLOAD, f"{len(plaintext)} bytes arrived that were not sent"
            headers = request["headers"]
            assert headers["content-encoding"] == "aes128gcm" and int(headers["ttl"]) > 0
            vapid.verify(
                headers["authorization"],
                origin=self.origin,
                now=time.time(),
                subscribed_key=self.keys.public,
            )
        assert not by_path, "somebody got a message who was not meant"
        return len(samples)
