"""The participants: each subscriber's name, and whether the last message has reached it.

A push service answers 201 when it has a message. Only the user agent knows whether the message has
arrived, and its service worker reports it: ``POST /report`` with "push received", the endpoint at
which it came, and a digest that says which message it was.

    sending(…)  ── 201 ──▶ the push service  ── push ──▶ the worker  ── report ──▶ received(…)
        ╰──────────────────────────── latency, by this server's clock ────────────────╯

All of this is kept in memory only, and is forgotten when the server ends.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache

from pushlab.appserver.presence import Presence
from pushlab.appserver.store import StoredSubscription
from pushlab.text import one_line

MAX_REMEMBERED = 1000
"""Subscribers that are remembered. A class has fewer, and a larger notify-all needs no table."""

NAME_LIMIT = 40
"""Characters of a participant's name."""


@dataclass(frozen=True)
class Participant:
    """One row of the table of participants.

    An endpoint is a secret, so ``label`` stands for the subscription. ``connected`` and ``waiting``
    (messages) are None where they are not known, as at a vendor's push service; ``sent_at`` is
    seconds since 1970, or None before the first message; ``reached`` says whether the last message
    was received, and ``latency`` after how many milliseconds.

    >>> Participant("Ada", "Firefox", "0d385654", connected=True, waiting=0).to_json()["name"]
    'Ada'
    """

    name: str
    browser: str
    label: str
    connected: bool | None = None
    waiting: int | None = None
    sent_at: float | None = None
    reached: bool | None = None
    latency: float | None = None

    def to_json(self) -> dict:
        """Return the row as ``GET /subscriptions`` gives it."""
        return asdict(self)


@dataclass(slots=True)
class _Known:
    """What is remembered of one subscriber. The times are seconds of a clock that never jumps."""

    browser: str = ""
    sent_at: float | None = None
    begun: float = 0.0
    digest: str = field(default="", repr=False)
    latency: float | None = None


class Participants:
    """Remember each subscriber's browser, the last message to it, and whether that was received.

    ``clock`` gives seconds since 1970, ``tick`` seconds of a clock that never jumps.

    >>> participants = Participants(tick=iter([10.0, 10.025]).__next__)
    >>> participants.sending("https://push.example.net/1", b"Hello")
    >>> participants.received("https://push.example.net/1", digest_of(b"Hello"), "Firefox")
    >>> round(participants._known["https://push.example.net/1"].latency)
    25
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        tick: Callable[[], float] = time.monotonic,
    ):
        self._clock, self._tick = clock, tick
        self._known: dict[str, _Known] = {}

    def joined(self, endpoint: str, browser: str) -> None:
        """Note which browser a subscription belongs to."""
        self._of(endpoint).browser = browser

    def sending(self, endpoint: str, payload: bytes | None) -> None:
        """Note that a message is about to be sent. ``payload``: its plaintext, or None."""
        known = self._of(endpoint)
        known.sent_at, known.begun = self._clock(), self._tick()
        known.digest, known.latency = digest_of(payload), None

    def received(self, endpoint: str, digest: str, browser: str) -> None:
        """Note that a worker has received a message. Only the last one that was sent counts."""
        known = self._known.get(endpoint)
        if known is None:
            return
        known.browser = browser
        if known.sent_at is not None and known.latency is None and digest == known.digest:
            known.latency = (self._tick() - known.begun) * 1000

    def rows(
        self, stored: Iterable[StoredSubscription], presence: Mapping[str, Presence] | None = None
    ) -> list[Participant]:
        """Return a row for each stored subscription, in their order.

        ``presence`` holds the push service's answer for each, by endpoint.
        """
        presence = presence or {}
        return [self._row(one, presence.get(one.subscription.endpoint)) for one in stored]

    def _row(self, stored: StoredSubscription, there: Presence | None) -> Participant:
        known = self._known.get(stored.subscription.endpoint, _Known())
        return Participant(
            name=stored.display_name,
            browser=known.browser,
            label=stored.subscription.label,
            connected=there and there.connected,
            waiting=there and there.waiting,
            sent_at=known.sent_at,
            reached=None if known.sent_at is None else known.latency is not None,
            latency=known.latency,
        )

    def _of(self, endpoint: str) -> _Known:
        known = self._known.get(endpoint)
        if known is None:
            if len(self._known) >= MAX_REMEMBERED:
                del self._known[next(iter(self._known))]  # the oldest
            known = self._known[endpoint] = _Known()
        return known


@lru_cache(maxsize=16)  # All messages of a notify-all have the same plaintext.
def digest_of(payload: bytes | None) -> str:
    """Return the digest by which the worker names a plaintext: 8 bytes of its SHA-256, hexadecimal.

    >>> digest_of(b"Hello")
    '185f8db32271fe25'
    """
    return hashlib.sha256(payload or b"").hexdigest()[:16]


def shown_name(name: object) -> str:
    """Return a participant's name as it may be shown: one line, printable, at most 40 characters.

    >>> shown_name("  Ada" + chr(0x202e) + "\\n  Lovelace "), shown_name(None)
    ('Ada Lovelace', '')
    """
    if not isinstance(name, str):
        return ""
    return one_line(name[: 8 * NAME_LIMIT])[:NAME_LIMIT].rstrip()
