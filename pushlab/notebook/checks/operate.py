"""Checks of lesson 09: when to try again, and what a board of counts says. And the incidents.

``incident`` breaks something, and the cell that calls it does not show what: a learner has only the
board to go by.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any, Protocol

from pushlab.errors import NotYet
from pushlab.notebook.checks import core
from pushlab.notebook.checks.guard import Guarded, check
from pushlab.protocol import base64url
from pushlab.protocol.origin import origin_of

NOON = 1_790_000_000
"""Seconds since 1970, a whole number: the time of the check's own clock."""

HOUR = 3600
OUTCOMES = ("waiting", "accepted", "gone", "refused", "retry", "expired")

DATE = "Retry-After may be a date, in GMT: the pause lasts from now until then"
LEAST = "Retry-After is the shortest pause that they ask for. Yours may be longer, never shorter"
UNREADABLE = "What is neither seconds nor a date counts as absent, and must not end your worker"
END = "At its end a message is worthless: there is an attempt only before it"
DOUBLE = "The first pause is 30 seconds, and each further one is twice the last"
ATTEMPTS: tuple[tuple[tuple[int, str | None, int, int], float | None, str], ...] = (
    ((1, None, NOON, NOON + HOUR), NOON + 30, DOUBLE),
    ((2, None, NOON, NOON + HOUR), NOON + 60, DOUBLE),
    ((4, None, NOON, NOON + HOUR), NOON + 240, DOUBLE),
    ((12, None, NOON, NOON + 9 * HOUR), NOON + HOUR, "No pause of yours is longer than an hour"),
    ((1, "120", NOON, NOON + HOUR), NOON + 120, "Retry-After asked for longer than you wait"),
    ((4, "120", NOON, NOON + HOUR), NOON + 240, LEAST),
    ((1, "0", NOON, NOON + HOUR), NOON + 30, LEAST),
    ((1, "7200", NOON, NOON + 9 * HOUR), NOON + 2 * HOUR, "The limit of an hour is for your own pause"),
    ((1, formatdate(NOON + 300, usegmt=True), NOON, NOON + HOUR), NOON + 300, DATE),
    ((1, formatdate(NOON - 300, usegmt=True), NOON, NOON + HOUR), NOON + 30, "That date is past"),
    ((2, "soon", NOON, NOON + HOUR), NOON + 60, UNREADABLE),
    ((2, "-1", NOON, NOON + HOUR), NOON + 60, UNREADABLE),
    ((2, "Thu, 32 Sep 2026 12:00:00 GMT", NOON, NOON + HOUR), NOON + 60, UNREADABLE),
    ((1, None, NOON, NOON + 30), None, END),
    ((1, "120", NOON, NOON + 90), None, f"{END}. Earlier than Retry-After is no way out"),
    ((3, None, NOON, NOON + 119), None, END),
    ((3, None, NOON, NOON + 121), NOON + 120, "There is still time for this one"),
)
"""Arguments of again(), the result that it must return, and what another result has overlooked."""


@check
def again(function: Guarded) -> core.Right:
    """Check ``again(tries, retry_after, now, ends) -> float | None``. RFC 8030 §8.4."""
    for (tries, header, now, ends), right, hint in ATTEMPTS:
        call = f"again({tries}, {header!r}, now, now + {ends - now})"
        try:
            yours = function(tries, header, now, ends)
        except NotYet as told:
            if not told.__cause__ or header is None or header.isdigit():
                raise
            raise NotYet(f"{told.detail}. {hint}", step=told.step) from None
        mistakes: dict[str, object] = {}
        if right is not None and type(yours) in (int, float):
            mistakes["It is a pause, and the time of the next attempt is asked for"] = float(right - now)
            yours, right = float(yours), float(right)  # An int and a float are the same time.
        if yours is None and right is not None:
            raise NotYet(f"{call} (RFC 8030 §8.4) should be a time, and yours is None. {hint}")
        core.value_is(call, yours, right, mistakes=mistakes, hint=hint, rfc="RFC 8030 §8.4")
    return core.Right("You wait as long as you are asked to, and no attempt comes after the end.")


def _row(**counts: int) -> dict[str, int]:
    return dict.fromkeys(OUTCOMES, 0) | counts


_FINE, _NOTHING = _row(accepted=90, gone=4), _row()
_DEAF, _MUTE = _row(refused=5), _row(retry=15, waiting=5)
BOARDS: tuple[tuple[str, dict[str, dict[str, int]], str, str], ...] = (
    ("all accept", {"mozilla": _FINE, "fcm": _FINE}, "fine", "Some are always gone: people leave"),
    ("nothing was sent", {"mozilla": _NOTHING, "fcm": _NOTHING}, "fine",
     "A vendor for which everything is 0 says nothing, and so do two"),
    ("one of many is refused", {"mozilla": _row(accepted=99, refused=1), "fcm": _FINE}, "fine",
     "One message that is refused is that message's own trouble"),
    ("some come at the second attempt", {"mozilla": _row(accepted=99, retry=7), "fcm": _FINE}, "fine",
     "An attempt that is repeated and succeeds is what a queue is for"),
    ("Monday", {"mozilla": _DEAF, "fcm": _DEAF, "apple": _DEAF}, "key",
     "Vendors do not break together: what they have in common is you"),
    ("all who say anything refuse", {"mozilla": _DEAF, "fcm": _DEAF, "apple": _NOTHING}, "key",
     "A vendor for which everything is 0 says nothing"),
    ("Tuesday", {"mozilla": _FINE, "fcm": _MUTE, "apple": _FINE}, "down",
     "The others accept, so it is neither your key nor your network"),
    ("nobody answers", {"mozilla": _MUTE, "fcm": _MUTE}, "network",
     "Two push services do not go down together: what they have in common is your way to them"),
    ("Wednesday", {"mozilla": _row(accepted=5), "fcm": _DEAF, "apple": _DEAF}, "claims",
     "One vendor accepts, so the key is right; the claims differ between vendors"),
    ("a lane is dead", {"mozilla": _FINE, "fcm": _row(waiting=50), "apple": _FINE}, "worker",
     "Nothing failed, because nothing was tried: no error tells you of that"),
    ("a lane is dead, and the others refuse", {"mozilla": _DEAF, "fcm": _row(waiting=50)}, "worker",
     "The first word that fits is asked for"),
    ("a lane is busy", {"mozilla": _FINE, "fcm": _row(waiting=50, accepted=1)}, "fine",
     "Jobs wait there, and the first was tried: the lane is at work"),
    ("too late for all", {"mozilla": _FINE, "fcm": _row(expired=5)}, "fine",
     "An expired job was looked at: its lane is alive"),
)  # fmt: skip
"""A name, a board, the word for it, and what another word has overlooked."""

WORDS = ("worker", "key", "network", "claims", "down", "fine")


@check
def diagnose(function: Guarded) -> core.Right:
    """Check ``diagnose(counts) -> str``."""
    cases = [(f"The board “{name}”", (board,), right) for name, board, right, _ in BOARDS]
    core.words_are(function.pure, cases, WORDS, lambda number, word: BOARDS[number][3])
    return core.Right(f"All {len(BOARDS)} boards lead to the right word.")


# --- the incidents of the lesson -----------------------------------------------------------------

Post = Callable[[Any, int, str, Mapping[str, str]], tuple[int | None, str]]
"""The lesson's ``post(row, left, key, claims)``. It returns a status and words."""


class Stoppable(Protocol):
    """A push service, as far as an incident needs it."""

    def stop(self) -> Awaitable[None]: ...


async def incident(day: str, post: Post, services: Mapping[str, Stoppable]) -> Post:
    """Break something, and return the ``post`` that the workers call on that day."""
    if day == "Monday":
        another = base64url.encode(secrets.token_bytes(32))
        return lambda row, left, key, claims: post(row, left, another, claims)
    if day == "Tuesday":
        await services["fcm"].stop()
        return post
    audience: list[str] = []

    def made_once(row: Any, left: int, key: str, claims: Mapping[str, str]) -> tuple[int | None, str]:
        if not audience:
            audience.append(origin_of(row["endpoint"]))
        return post(row, left, key, {**claims, "aud": audience[0]})

    return made_once
