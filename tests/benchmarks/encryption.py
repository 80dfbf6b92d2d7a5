"""Encryption alone: ours, the two libraries of the field, and the bare primitives below them all.

The bare primitives are what RFC 8291 asks of the elliptic curve for every message: a new key pair,
its public half as bytes, one exchange. They are most of the time, and no Python can pass them.
Ours, http_ece and the primitives get keys in the form that they keep; pywebpush gets what webpush()
gives it, and so makes a WebPusher for each message. What comes out is decrypted, outside the clock.
One thread that only computes is measured by its processor time, which others cannot spoil.
"""

import os
import time
from collections.abc import Callable, Sequence

import http_ece
import pywebpush
from cryptography.hazmat.primitives.asymmetric import ec
from machine import cores
from report import Rounds, Row
from subscribers import PAYLOAD, Subscriber

from pushlab import encrypt
from pushlab.appserver.delivery.client import ephemeral
from pushlab.protocol import p256

OURS = "pushlab encrypt"

Work = Callable[[Sequence], list[bytes]]


def ours(prepared: Sequence) -> list[bytes]:
    """Encrypt with pushlab: the pair and the salt are made for each message."""
    bodies = []
    for subscription in prepared:
        as_private, salt = ephemeral()
        bodies.append(encrypt(PAYLOAD, subscription, as_private=as_private, salt=salt))
    return bodies


def with_http_ece(prepared: Sequence) -> list[bytes]:
    """Encrypt with http_ece, which takes raw keys."""
    return [
        http_ece.encrypt(
            PAYLOAD,
            private_key=ec.generate_private_key(p256.CURVE),
            dh=p256dh,
            auth_secret=auth,
            version="aes128gcm",
        )
        for p256dh, auth in prepared
    ]


def with_pywebpush(prepared: Sequence) -> list[bytes]:
    """Encrypt with pywebpush, as its webpush() does."""
    return [pywebpush.WebPusher(one).encode(PAYLOAD)["body"] for one in prepared]


def bare_primitives(prepared: Sequence) -> list[bytes]:
    """Make a pair, write its public half, exchange: nothing else."""
    made = []
    for ua_public in prepared:
        private = ec.generate_private_key(p256.CURVE)
        made.append(p256.raw_public(private) + private.exchange(ec.ECDH(), ua_public))
    return made


def prepare(people: Sequence[Subscriber]) -> dict[str, tuple[Work, list]]:
    """Return each contestant, and the subscriptions in the form that it takes."""
    known = [one.subscription for one in people]
    return {
        OURS: (ours, known),
        "http_ece encrypt": (with_http_ece, [(one.p256dh, one.auth) for one in known]),
        "pywebpush encode": (with_pywebpush, [one.to_json() for one in known]),
        "bare primitives": (bare_primitives, [one.ua_public for one in known]),
    }


def verify(work: Work, made: Sequence[bytes], people: Sequence[Subscriber]) -> None:
    """Raise AssertionError unless every subscriber can use what was made for it."""
    assert len(set(made)) == len(people), "something was made twice, or not at all"
    for one, output in zip(people, made, strict=True):
        if work is bare_primitives:
            as_public = p256.load_public(output[:65])
            assert output[65:] == one.private.exchange(ec.ECDH(), as_public), "another secret"
        else:
            assert one.read(output) == PAYLOAD, "another plaintext"


def compare(messages: int, times: int) -> list[Row]:
    """Encrypt ``messages`` messages in each of ``times`` rounds."""
    people = [Subscriber(f"https://push.example.net/push/{n}") for n in range(messages)]
    contestants, rounds = prepare(people), Rounds()
    for number in range(times):
        order = list(contestants.items())
        for name, (work, prepared) in order if number % 2 == 0 else order[::-1]:
            start = time.process_time()
            made = work(prepared)
            cpu = time.process_time() - start
            verify(work, made, people)
            rounds.add(name, {"messages/CPU s": messages / cpu, "µs/message": cpu / messages * 1e6})
    return rounds.rows("encryption alone", OURS, "messages/CPU s")


def main(quick: bool) -> list[list[Row]]:
    """Compare on the sender's core."""
    mine, _ = cores()
    before = os.sched_getaffinity(0) if mine else set()
    if mine:
        os.sched_setaffinity(0, mine)
    try:
        return [compare(200, 3) if quick else compare(1000, 9)]
    finally:
        if mine:
            os.sched_setaffinity(0, before)
