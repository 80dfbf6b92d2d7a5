"""The path of an endpoint: whether it has the shape that its vendor gives it, and is whole.

A push service alone knows which of its endpoints are valid. But what a page, a form or a column has
done to one can often be seen: it was decoded, escaped or cut. Such an endpoint gets 404 or 400, and a
sender that heeds it removes a subscription that was good. So it is told while the subscription is
stored. What does not fit is a hint, as vendors change their paths; it is bad only where the vendor is
known to refuse it.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import SplitResult

from pushlab.doctor.findings import Finding, bad, hint
from pushlab.doctor.text import split
from pushlab.protocol.reserved_names import is_removed, reserved
from pushlab.protocol.sources import (
    APNS_MANUAL,
    APPLE_REPORTS,
    AUTOPUSH,
    CHROMIUM_REPORTS,
    FCM_MANUAL,
    FCM_REPORTS,
    GCM_MANUAL,
    WNS_REPORTS,
    Source,
)

US, RFC = "application server", "RFC 8030 §4"
WHOLE = "Store the endpoint exactly as the browser gave it: not decoded, not escaped, not cut."


class Shape(NamedTuple):
    """What the endpoints of one vendor look like after their host.

    ``path``: matches path and query; ``like``: an example, for people; ``source``: how it is known.
    """

    vendor: str
    path: re.Pattern[str]
    like: str
    source: Source


SHAPES: dict[str, Shape] = {
    shape.vendor: shape
    for shape in (
        Shape("Mozilla", re.compile(r"/wpush/v[12]/[^/?]+"), "/wpush/v2/…", AUTOPUSH),
        Shape(
            "FCM",
            re.compile(r"/(?:fcm/send|(?:preprod/)?wp)/[^?]+"),
            "/fcm/send/…",
            FCM_REPORTS.of("2026-06"),
        ),
        Shape("Apple", re.compile(r"/(?!3/device)[^?]+"), "/Q…", APPLE_REPORTS.of("2025-02")),
        Shape("WNS", re.compile(r"/w/\?token=.+"), "/w/?token=…", WNS_REPORTS.of("2024-03")),
    )
}
"""The shapes of the four vendors' paths. Nothing is said of any other push service."""

MOZILLA_TOKEN = re.compile(r"/wpush/v[12]/(gAAAAA[A-Za-z0-9_-]*)=*")
MOZILLA_LENGTHS = {"v1": 140, "v2": 183}
"""Characters of Mozilla's tokens without padding: Fernet (0x80, time, IV, AES-CBC, HMAC) around 32 bytes
that name the user agent and the channel, and in v2 the SHA-256 of the key."""

WNS_DECODED = re.compile(r"/w/\?token=(?=[^&]*[+/=])[A-Za-z0-9+/=]+")
"""A token of Windows' in plain base64: browsers give it with %2B, %2F and %3D."""

# What is at the host of a push service, and is no push resource: whose API, its path, its manual.
# fmt: off
OWN_APIS = {
    "FCM": ("FCM's own API", re.compile(r"/fcm/send\Z|/v1/projects/.*"), FCM_MANUAL),
    "Apple": ("APNs' own API", re.compile(r"/3/device/.*"), APNS_MANUAL),
}
# fmt: on

# What was done to an endpoint on its way: the finding, its sign, what is said of it, the rule.
# fmt: off
DAMAGE = (
    ("endpoint-escaped", re.compile("&amp;"),
     "has &amp; in it: it was escaped for HTML and never unescaped", "RFC 3986 §2.1"),
    ("endpoint-percent", re.compile(r"%(?![0-9A-Fa-f]{2})"),
     "has a % without two hexadecimal digits: it was cut, or decoded", "RFC 3986 §2.1"),
    ("endpoint-encoded-twice", re.compile(r"%25[0-9A-Fa-f]{2}"),
     "has %25 and two hexadecimal digits in it: it was encoded twice", "RFC 3986 §2.4"),
    ("endpoint-twice", re.compile(r"(?i)https?(?::|%3A)//"),
     "has a second URL in it: it was pasted twice, or two were joined", RFC),
    ("endpoint-cut", re.compile(r"\.{3}"),
     "has ... in it: it was shortened for people to read", RFC),
    ("endpoint-placeholder", re.compile(
        r"(?i)\[[^\]]*\]|\{[^}]*\}|<[^>]*>|%(?:7B|5B|3C)|\*{3}|/your[_-][\w-]+\Z|/x{3,60}\Z|[/_-]redacted\b"),
     "has a placeholder in it: its token was hidden, or it is an example of a manual", RFC),
)
# fmt: on

COLUMNS = (191, 250, 255)
"""Lengths at which columns for text have been cut again and again."""


def examine_path(endpoint: str, vendor: str, now: float | None = None) -> list[Finding]:
    """Examine what comes after the host of a valid endpoint. Only its shape is told, never the path.

    ``now``: seconds since 1970, to say which statements about vendors are old.

    >>> [one.code for one in examine_path("https://fcm.googleapis.com/fcm/send/", "FCM")]
    ['endpoint-shape']
    """
    parts = split(endpoint)
    # One cause has several signs: the first is the plainest.
    first = next(_faults(endpoint, parts, vendor, now), None) if parts else None
    return [first] if first else []


def _faults(endpoint: str, parts: SplitResult, vendor: str, now: float | None) -> Iterator[Finding]:
    rest = f"{parts.path}?{parts.query}" if parts.query else parts.path
    for code, sign, seen, rule in DAMAGE if vendor != "this machine" else ():
        if sign.search(rest):
            yield hint(code, f"the endpoint {seen}", US, rule, WHOLE)
    if vendor == "WNS" and WNS_DECODED.fullmatch(rest):
        seen = "the token of the endpoint is decoded: Windows' have %2B, %2F and %3D for + / ="
        yield hint("endpoint-decoded", seen, US, f"RFC 3986 §2.4; {WNS_REPORTS.told(now)}", WHOLE)
    if vendor in OWN_APIS and OWN_APIS[vendor][1].fullmatch(parts.path):
        whose, _, manual = OWN_APIS[vendor]
        fix = "Let the page call pushManager.subscribe(), and store the endpoint that it returns."
        seen = f"the endpoint is {whose}, and not web push"
        yield bad("endpoint-shape", seen, US, f"{RFC}; {manual.told(now)}", fix)
    if vendor in SHAPES and not SHAPES[vendor].path.fullmatch(rest):
        shape = SHAPES[vendor]
        seen = f"the endpoint does not look like {vendor}'s, which has {shape.like} after its host"
        yield hint("endpoint-shape", seen, US, f"{RFC}; {shape.source.told(now)}", WHOLE)
    if vendor == "Mozilla" and (found := MOZILLA_TOKEN.fullmatch(rest)):
        length, wanted = len(found[1]), MOZILLA_LENGTHS[rest.split("/")[2]]
        if length != wanted:
            seen = f"the token of the endpoint has {length} characters, and Mozilla's have {wanted}"
            rule = f"{RFC}; {AUTOPUSH.told(now)}"
            yield hint("endpoint-cut", f"{seen}: Mozilla answers 404", US, rule, WHOLE)
        return  # Its length is right: those of v1 have 191 characters, as many as some columns.
    if vendor and vendor != "this machine" and len(endpoint) in COLUMNS:
        length = len(endpoint)
        seen = f"the endpoint has exactly {length} characters, as if a column was too short for it"
        fix = "Make the column 2048 characters wide, and check your other columns."
        yield hint("endpoint-cut", seen, US, RFC, fix)


def examine_host(host: str, now: float | None = None) -> list[Finding]:
    """Examine a host that is no known vendor's: whether a push service can be there at all.

    >>> [one.code for one in examine_host("permanently-removed.invalid")]
    ['endpoint-removed']
    >>> examine_host("push.example.com"), examine_host("ntfy.sh")
    ([], [])
    """
    if is_removed(host):
        seen = "the endpoint is at a name that never resolves: the browser has removed the subscription"
        fix = "Remove it from your database; on the page call unsubscribe(), then subscribe()."
        where = f"RFC 6761 §6.4; {CHROMIUM_REPORTS.told(now)}"
        return [bad("endpoint-removed", seen, "user agent", where, fix)]
    if host in ("android.googleapis.com", "gcm-http.googleapis.com"):
        seen = "the endpoint is one of Google's GCM, which no longer exists"
        fix = "Remove it; the page subscribes again when somebody opens it."
        return [bad("endpoint-gcm", seen, "user agent", GCM_MANUAL.told(now), fix)]
    known = reserved(host)
    if known and not host.endswith((".com", ".net", ".org")):
        seen = f"the endpoint is at {known.what}, where no push service is"
        fix = "Let the page subscribe, and store the endpoint that the browser gives."
        return [bad("endpoint-reserved", seen, US, known.rfc, fix)]
    return []
