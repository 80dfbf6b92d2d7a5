"""What a number counts that should be a point in time: seconds, milliseconds, or a duration.

``exp`` of a token is in seconds since 1970 (RFC 7519 §2), ``expirationTime`` of a subscription in
milliseconds (W3C Push API §8). A number of another unit is off by a factor of a thousand or more, so
it can be told by its size: read in its own unit, it is near to now.
"""

import re
from typing import NamedTuple

YEAR = 365.25 * 24 * 3600
NEAR = 15 * YEAR
"""Seconds from now within which a point in time is probable."""


class Unit(NamedTuple):
    """A way to count time: ``scale`` units a second, from ``epoch`` (seconds after 1970) on."""

    name: str
    what: str
    scale: float
    epoch: float = 0


SECONDS = Unit("seconds", "seconds since 1970", 1)
MILLISECONDS = Unit("milliseconds", "milliseconds since 1970, as Date.now() gives", 1e3)
UNITS: tuple[Unit, ...] = (
    SECONDS,
    MILLISECONDS,
    Unit("microseconds", "microseconds since 1970", 1e6),
    Unit("nanoseconds", "nanoseconds since 1970", 1e9),
    Unit("ticks", "ticks of .NET: 100 ns since the year 1", 1e7, -62135596800),
    Unit("filetime", "Windows' file time: 100 ns since 1601", 1e7, -11644473600),
    Unit("since-2001", "seconds since 2001, as Apple's systems count", 1, 978307200),
)
"""Ways to count that programs have. Read in the right one, a time of today is near to now."""

SINCE_1970 = "Set exp to the seconds since 1970 now, plus at most 86400: int(time.time()) + 43200"
"""What to do about an ``exp`` in another unit."""

DIGITS = re.compile(r"\s*[+-]?\d{1,20}(?:\.\d{1,9})?\s*")
DATE = re.compile(r"\s*(?:\d{4}-\d\d-\d\d|\w{3}, \d\d? \w{3} \d{4}|\w{3} \w{3} \d\d? ).*")


def unit_of(number: float, now: float) -> Unit | None:
    """Return the unit in which a number is a time near to now, or None if it is none.

    ``now``: seconds since 1970. Where two fit, the earlier row of ``UNITS`` is meant.

    >>> unit_of(1_790_000_300_000, 1_790_000_000).name
    'milliseconds'
    >>> print(unit_of(43_200, 1_790_000_000))
    None
    """
    near = (unit for unit in UNITS if abs(number / unit.scale + unit.epoch - now) < NEAR)
    # A number of hundreds of digits is too large to be divided.
    return next(near, None) if abs(number) < 1e30 else None


def is_duration(number: float, now: float) -> bool:
    """Say whether a number is so small that it must count from now, and not from 1970.

    Web push began in 2014, so no real token has an ``exp`` before 2001: a number of fewer than ten
    digits.

    >>> is_duration(43_200, 1_790_000_000), is_duration(1_700_000_000, 1_790_000_000)
    (True, False)
    """
    return 0 < number < min(1e9, now) and unit_of(number, now) is None


def is_number_as_text(value: object) -> bool:
    """Say whether a value is a number in quotes.

    >>> is_number_as_text("60"), is_number_as_text(60), is_number_as_text("60 s")
    (True, False, False)
    """
    return isinstance(value, str) and DIGITS.fullmatch(value) is not None


def is_date_as_text(value: object) -> bool:
    """Say whether a value is a date in words or digits, as programs print it.

    >>> is_date_as_text("2026-01-02T03:04:05Z"), is_date_as_text("soon")
    (True, False)
    """
    return isinstance(value, str) and len(value) < 80 and DATE.fullmatch(value) is not None
