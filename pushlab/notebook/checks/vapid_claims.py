"""The claims ``aud`` and ``exp``, which lessons 04 and 08 both let the learner write. RFC 8292 §2."""

import time
from collections.abc import Mapping

from pushlab.notebook.checks.core import text_is, value_is

HOUR = 60 * 60


def aud_is(aud: object, origin: str, path: str, other: Mapping[str, str] | None = None) -> None:
    """Compare an aud with an endpoint's origin. ``other``: mistakes of this exercise. Raises NotYet."""
    mistakes = {
        "An origin has no slash at its end.": f"{origin}/",
        "An origin has no path: this is the whole endpoint.": origin + path,
        "An origin begins with its scheme.": origin.partition("://")[2],
        "A port that the URL names belongs to the origin.": origin.rpartition(":")[0],
    }
    text_is("aud", aud, origin, mistakes=mistakes | dict(other or {}), rfc="RFC 8292 §2")


def exp_is(exp: object, now: int, other: Mapping[str, object] | None = None) -> None:
    """Compare an exp with 12 hours from ``now``. ``other``: as for ``aud_is``. Raises NotYet."""
    right = now + 12 * HOUR
    mistakes: dict[str, object] = {
        "That is now: such a token has expired when it arrives.": now,
        "It counts seconds since 1970, and not from now: add now.": 12 * HOUR,
        "It counts seconds, and these are milliseconds.": right * 1000,
        "It counts seconds, and you add milliseconds.": now + 12 * HOUR * 1000,
        "An hour has 3600 seconds, and you add 60 for each.": now + 12 * 60,
        "An hour has 3600 seconds, and you add one for each.": now + 12,
        "That is 12 hours ago.": now - 12 * HOUR,
        "The exercise asks for 12 hours. 24 leave no room for a clock that is slow.": now + 24 * HOUR,
    }
    hint = "It counts seconds since 1970: 12 hours more than now"
    if isinstance(exp, str | float):
        hint = "Write a whole number, without quotes or fraction"
    elif isinstance(exp, int) and abs(exp - time.time() - 12 * HOUR) < HOUR:
        hint = "That is 12 hours from this machine's clock: the time is given to you, as an argument"
    elif isinstance(exp, int) and exp > now + 24 * HOUR:
        hint = "That is more than the 24 hours that a push service allows"
    value_is("exp", exp, right, mistakes=dict(other or {}) | mistakes, hint=hint, rfc="RFC 8292 §2")
