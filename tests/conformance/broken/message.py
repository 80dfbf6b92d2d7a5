"""One push message, step by step. Each step is a method of its own, so that a fault replaces just one.

encode, fit                     the plaintext             RFC 8291 §4
ephemeral, seal                 the body                  RFC 8291 §3, RFC 8188 §2
claims, sign, credentials       the Authorization         RFC 8292 §2, §3
ttl, urgency, topic, headers    the rest of the request   RFC 8030 §5
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.protocol import base64url, jws, p256, vapid
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.encryption import MAX_PLAINTEXT, combine, seal
from pushlab.protocol.subscription import PushSubscription

LIFETIME = 12 * 3600
"""Seconds from the making of a token to its end."""

RENEW_BEFORE = 3600
"""Seconds before the end of a token from which on a new one is made."""

Headers = list[tuple[str, str]]


class TooLong(Exception):
    """No push service has to accept this plaintext."""


@dataclass(frozen=True)
class Key:
    """A VAPID key pair."""

    private: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> bytes:
        """The public half, 65 bytes."""
        return p256.raw_public(self.private)


class Message:
    """Turn a payload into the headers and the body of a request.

    ``subject``: a mailto: or https: URI; ``clock``: seconds since 1970.
    """

    def __init__(self, key: Key, subject: str, clock: Callable[[], float] = time.time):
        self.key, self.subject, self.clock = key, subject, clock
        self.tokens: dict[str, tuple[str, float]] = {}  # by origin: the header, and when it ends

    def request(
        self, subscription: PushSubscription, payload: bytes, options: PushOptions
    ) -> tuple[Headers, bytes]:
        """Return the headers and the body. Raises TooLong."""
        plaintext = self.fit(self.encode(payload))
        coding, body = self.encrypt(plaintext, subscription)
        return self.headers(self.authorization(subscription.origin), coding, options), body

    # --- the bytes ------------------------------------------------------------------------------

    def encode(self, payload: bytes) -> bytes:
        """Return the plaintext: the payload as it is."""
        return payload

    def fit(self, plaintext: bytes) -> bytes:
        """Return the plaintext if a push service has to accept it. Raises TooLong."""
        if len(plaintext) > MAX_PLAINTEXT:
            raise TooLong(f"{len(plaintext)} bytes are too long: at most {MAX_PLAINTEXT} fit")
        return plaintext

    def encrypt(self, plaintext: bytes, subscription: PushSubscription) -> tuple[Headers, bytes]:
        """Return the headers that name the coding, and the body."""
        assert subscription.ua_public and subscription.p256dh and subscription.auth
        as_private, salt = self.ephemeral()
        as_public = p256.raw_public(as_private)
        ecdh_secret = as_private.exchange(ec.ECDH(), subscription.ua_public)
        _, _, ikm = combine(ecdh_secret, subscription.auth, subscription.p256dh, as_public)
        return [("Content-Encoding", "aes128gcm")], self.seal(plaintext, ikm, salt, as_public)

    def ephemeral(self) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
        """Make a key pair and a salt for this message alone."""
        return ec.generate_private_key(p256.CURVE), os.urandom(16)

    def seal(self, plaintext: bytes, ikm: bytes, salt: bytes, as_public: bytes) -> bytes:
        """Return the body: the header of 86 bytes and one record."""
        return seal(plaintext, ikm=ikm, salt=salt, as_public=as_public)

    # --- the token ------------------------------------------------------------------------------

    def authorization(self, origin: str) -> str:
        """Return the Authorization header for a push service: the one at hand, or a new one."""
        header, end = self.tokens.get(origin, ("", 0.0))
        if self.ends_soon(end):
            key = self.key_for(origin)
            claims = self.claims(origin)
            header = self.credentials(self.sign(claims, key), key.public)
            self.tokens[origin] = header, self.clock() + LIFETIME
        return header

    def ends_soon(self, end: float) -> bool:
        """Say whether a token that ends then has to be made anew."""
        return end - self.clock() < RENEW_BEFORE

    def key_for(self, origin: str) -> Key:
        """Return the key that signs for a push service: there is one for all of them."""
        return self.key

    def claims(self, origin: str) -> dict[str, Any]:
        """Return what the token says."""
        return {"aud": origin, "exp": int(self.clock()) + LIFETIME, "sub": self.subject}

    def sign(self, claims: dict[str, Any], key: Key) -> str:
        """Return the token."""
        return jws.sign(vapid.HEADER, json.dumps(claims).encode(), key.private)

    def credentials(self, token: str, public: bytes) -> str:
        """Write the Authorization header."""
        return f"vapid t={token}, k={base64url.encode(public)}"

    # --- the headers ----------------------------------------------------------------------------

    def headers(self, authorization: str, coding: Headers, options: PushOptions) -> Headers:
        """Return all headers but Content-Length, which the HTTP client adds."""
        return [
            ("Authorization", authorization),
            *self.ttl(options),
            *self.urgency(options),
            *self.topic(options),
            *coding,
            ("Content-Type", "application/octet-stream"),
        ]

    def ttl(self, options: PushOptions) -> Headers:
        return [("TTL", str(options.ttl))]

    def urgency(self, options: PushOptions) -> Headers:
        return [("Urgency", options.urgency)]

    def topic(self, options: PushOptions) -> Headers:
        return [("Topic", options.topic)] if options.topic else []
