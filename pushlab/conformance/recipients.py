"""Those who receive the messages of the examination: a key pair, an auth secret and an endpoint each."""

import asyncio
import random

from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.conformance.answer import STRICT, Plan
from pushlab.conformance.arrived import Arrived
from pushlab.errors import BadKeyid, BadPublicKey
from pushlab.protocol import base64url, content_coding, encryption, p256
from pushlab.protocol.content_coding import Header
from pushlab.protocol.subscription import PushSubscription

TOKEN = 32
"""Random bytes of an endpoint: RFC 8030 §8.3 asks for 120 bits."""


class Recipient:
    """One subscription of the examination, and what has arrived for it.

    ``key``: the application server's public key that it is restricted to, RFC 8292 §4; None takes
    any. ``plan``: the answers; ``ahead``: seconds by which the clock that judges its tokens runs ahead.
    """

    def __init__(
        self,
        origin: str,
        chance: random.Random,
        *,
        key: bytes | None = None,
        plan: Plan = STRICT,
        ahead: float = 0.0,
    ) -> None:
        self.origin, self.key, self.plan, self.ahead = origin, key, plan, ahead
        self.path = f"/wpush/v2/{base64url.encode(chance.randbytes(TOKEN))}"
        scalar = chance.randrange(1, p256.N)
        self._private: ec.EllipticCurvePrivateKey = ec.derive_private_key(scalar, p256.CURVE)
        self._auth = chance.randbytes(16)
        self.arrived: list[Arrived] = []
        self._changed = asyncio.Condition()

    @property
    def subscription(self) -> PushSubscription:
        """What a browser would hand to the application server."""
        return PushSubscription(self.origin + self.path, p256.raw_public(self._private), self._auth)

    @property
    def label(self) -> str:
        """A name that gives nothing away."""
        return self.subscription.label

    def open(self, body: bytes) -> bytes:
        """Decrypt a body as the user agent does, though it may have several records.

        Raises EncryptionError. Another case says whether there are several.
        """
        header = Header.parse(body)
        try:
            as_public = p256.load_public(header.keyid)
        except BadPublicKey as error:
            raise BadKeyid(error.detail) from None
        ecdh_secret = self._private.exchange(ec.ECDH(), as_public)
        public = p256.raw_public(self._private)
        _, _, ikm = encryption.combine(ecdh_secret, self._auth, public, header.keyid)
        return content_coding.decrypt(body, ikm=ikm)

    async def note(self, arrived: Arrived) -> None:
        """Keep a request, and tell those who wait for it."""
        async with self._changed:
            self.arrived.append(arrived)
            self._changed.notify_all()

    async def wait_for(self, count: int, seconds: float) -> bool:
        """Wait until ``count`` requests have come, for at most ``seconds``. Return whether they have."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: len(self.arrived) >= count)
        except TimeoutError:
            return len(self.arrived) >= count
        return True

    def __repr__(self) -> str:
        return f"<Recipient {self.label} at {self.origin}, {len(self.arrived)} requests>"
