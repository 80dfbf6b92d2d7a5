"""Where a statement about a push service comes from, and from when it is.

An RFC does not change. A vendor's answer may change any day, and whoever reads an explanation should
know how far to trust it: was the answer seen, is it in a manual or in the source code, or has somebody
reported it? A report counts from the day on which it was written, and not from the day on which it was
read here. Vendors' manuals have no dates. Nothing here reads a clock: the caller passes the time.
"""

from typing import Literal, NamedTuple

Basis = Literal["RFC", "measured", "documented", "reported", "source code"]

YEARS = 2
"""Years after which a statement about a vendor says that it is old."""

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
MONTH = 365.2425 * 24 * 3600 / 12
"""Seconds of a month, on average."""

WORDS: dict[Basis, str] = {
    "RFC": "",
    "measured": "measured with ",
    "documented": "documented by ",
    "reported": "reported by ",
    "source code": "source code of ",
}


class Source(NamedTuple):
    """How something is known: on which basis, from whom, and from ``when``: YYYY-MM.

    ``when`` is the month of the newest report that was found, or in which source code was read. It is
    empty where neither a report nor a manual has a date.

    >>> print(Source("documented", "Google for FCM"))
    documented by Google for FCM, not dated
    >>> print(Source("RFC", "RFC 8030 §5.2"))
    RFC 8030 §5.2
    """

    basis: Basis
    whose: str
    when: str = ""

    def of(self, when: str) -> "Source":
        """Return the same source of another month.

        >>> print(Source("reported", "senders to FCM").of("2026-06"))
        reported by senders to FCM, June 2026
        """
        return self._replace(when=when)

    def __str__(self) -> str:
        if self.basis == "RFC":
            return self.whose
        year, _, month = self.when.partition("-")
        date = f"{MONTHS[int(month) - 1]} {year}" if month.isdigit() else "not dated"
        return f"{WORDS.get(self.basis, '')}{self.whose}, {date}"

    def is_old(self, now: float) -> bool:
        """Say whether this is older than two years. ``now``: seconds since 1970.

        >>> Source("reported", "senders", "2026-07").is_old(1_790_000_000)
        False
        """
        if not self.when:
            return False
        year, month = map(int, self.when.split("-"))
        return int(now / MONTH) - (12 * (year - 1970) + month - 1) > 12 * YEARS

    def told(self, now: float | None = None) -> str:
        """Return the source in words, and say so if it is old. ``now``: None leaves that out.

        >>> Source("reported", "senders", "2026-07").told(1_890_000_000)
        'reported by senders, July 2026: more than two years ago, so look whether it still holds'
        """
        if now is None or not self.is_old(now):
            return str(self)
        return f"{self}: more than two years ago, so look whether it still holds"


AUTOPUSH = Source("source code", "Mozilla's autopush-rs", "2026-07")
FCM_REPORTS = Source("reported", "senders to FCM")
FCM_MANUAL = Source("documented", "Google for FCM")
APPLE_REPORTS = Source("reported", "senders to Apple")
APPLE_MANUAL = Source("documented", "Apple for web push")
APNS_MANUAL = Source("documented", "Apple for APNs")
WNS_REPORTS = Source("reported", "senders to WNS")
WNS_MANUAL = Source("documented", "Microsoft for WNS")
NTFY_REPORTS = Source("reported", "senders to ntfy")
CHROMIUM_REPORTS = Source("reported", "servers with Chromium's subscriptions", "2026-08")
GCM_MANUAL = Source("documented", "Google for GCM", "2019-05")

APPLE_TOKEN, APPLE_TOPIC = APPLE_REPORTS.of("2026-09"), APPLE_REPORTS.of("2026-09")
WNS_TTL = WNS_REPORTS.of("2026-09")
"""What the doctor, the explanations and the flavours say alike."""
