"""The claims of a token: aud, exp and sub, RFC 8292 §2."""

import re
from collections.abc import Callable
from dataclasses import replace

from pushlab.appserver.keys import DEFAULT_SUBJECT
from pushlab.doctor.findings import Finding, bad, hint, ok
from pushlab.doctor.subscription import encoding_fault, members_of, origin_of
from pushlab.doctor.text import LOOPBACK, split
from pushlab.doctor.text import vendor as vendor_of
from pushlab.errors import (
    BadAudience,
    BadExpiry,
    BadSubject,
    ExpiryTooFar,
    TokenExpired,
    VapidError,
)
from pushlab.protocol import vapid
from pushlab.protocol.sources import APPLE_TOKEN, AUTOPUSH
from pushlab.protocol.spelling import times
from pushlab.protocol.strict_json import JsonObject, is_number, kind
from pushlab.reader import command
from pushlab.text import show

US = "application server"
FARTHEST_ZONE = 14
"""Hours by which a time zone is ahead of UTC at most."""

HALF_A_DAY = 12 * 60 * 60
MILLISECONDS = 10**11
"""A larger number is not a time in seconds: it would be after the year 5000."""


NO_CONTACTS = tuple(
    (re.compile(pattern), seen)
    for pattern, seen in (
        (r"^$", "is empty"),
        (r"^[\"'`]|[\"'`]$", "has quotes around it"),
        (r"^mailto:(?://|.*[<>])",
            "has < or > around its address, or // in front of it: a mailto: URI has neither"),
        (r"^(?!mailto:|https:)(?i:mailto|https):", "has its scheme in capitals: use lower case"),
        (r"^mailto:[^?]*,", "has two addresses, and one is wanted"),
        (r"^http:", "is http:, and only https: will do"),
        (r"[^\x00-\x7f]", "has a letter beyond ASCII: write it as %XX, and a host name as xn--…"),
        (r"^mailto:", "is mailto: without one address after it, as name@host"),
        (r"^https:", "is https: without a host after it"),
        (r"^(?:[\w-]+\.)+[A-Za-z]{2,}(?:/|$)", "is a host without https:// in front"),
    )
)  # fmt: skip
"""What stands where a contact belongs: the first row that fits is told."""


def examine_claims(
    claims: JsonObject | str | bytes, now: float, origin: str = "", vendor: str = ""
) -> list[Finding]:
    """Examine the claims of a token before it is signed.

    ``now``: seconds since 1970; ``origin`` and ``vendor``: of the endpoint to which the token will
    be sent, if it is known.

    >>> claims = {"aud": "https://fcm.googleapis.com", "exp": 900, "sub": "mailto:me@example.com"}
    >>> [str(finding) for finding in examine_claims(claims, now=0)]
    ['ok   the claims say for whom the token is, until when, and whom to write to']
    """
    if unreadable := encoding_fault(claims, "the claims"):
        return unreadable
    members = members_of(claims)
    if members is None:
        seen, fix = _in_place_of_claims(claims)
        return [bad("claims-not-an-object", f"the claims are {seen}", US, "RFC 7519 §4", fix)]
    vendor = vendor or vendor_of(members.get("aud"))
    findings = [
        *_examine_aud(members.get("aud"), origin),
        *_examine_exp(members.get("exp"), now, vendor),
        *examine_subject(members.get("sub"), vendor, now=now),
    ]
    findings = [_renamed(one, members) for one in findings]
    return findings or [
        ok("claims", "the claims say for whom the token is, until when, and whom to write to")
    ]


def _in_place_of_claims(claims: object) -> tuple[str, str]:
    """Say what is there in place of a JSON object, and what to do."""
    text = claims.decode("latin-1") if isinstance(claims, bytes) else claims
    text = text.strip() if isinstance(text, str) else ""
    rows = ((seen, fix) for pattern, seen, fix in NO_CLAIMS if pattern.match(text))
    return next(rows, ("not a JSON object", "Give an object with aud, exp and sub."))


NO_CLAIMS = tuple(
    (re.compile(pattern), seen, fix)
    for pattern, seen, fix in (
        (r"[\"'`]?(?:vapid\s+t=|Bearer\s|WebPush\s)?eyJ[\w-]+\.[\w-]+\.",
            "a whole token, and not a JSON object",
            f"Give the request that has it to {command('inspect FILE')}, or the claims alone."),
        (r"\{\s*'", "not a JSON object, but a dict as Python prints it, or an object of JavaScript",
            "Write it with json.dumps() or JSON.stringify(): with double quotes."),
        (r"\{\s*(?:aud|exp|sub)\s*:", "not a JSON object: its names have no double quotes",
            "Write it with JSON.stringify()."),
        (r"eyJ[\w-]+=*$", "base64url of a JSON object", "Decode it, and give the object."),
    )
)  # fmt: skip
"""What is given where claims belong: the first row that fits is told."""

OTHER_NAMES = {
    "aud": ("audience", "origin", "endpoint"),
    "exp": ("expires", "expiration", "expiry", "expiresat", "expires_at", "expirationtime", "expire"),
    "sub": ("subject", "contact", "email", "mailto"),
}
"""What people call the three claims, in small letters."""


def _renamed(finding: Finding, members: JsonObject) -> Finding:
    """Say under which name a claim is there that is missing under its own."""
    name = {"aud-missing": "aud", "exp-missing": "exp", "subject-missing": "sub"}.get(finding.code)
    if not name:
        return finding
    names = (name, *OTHER_NAMES[name])
    others = (other for other in members if other != name and str(other).strip().lower() in names)
    other = next(others, None)
    if other is None:
        return finding
    seen = finding.seen.replace(
        "is missing", f"is missing, and {show(str(other))} is no claim of VAPID", 1
    )
    fix = f"Call it {name}: the names of these claims have three small letters."
    if str(other).strip().lower() == "endpoint":
        fix = f"{fix} It has the scheme, the host and the port of the endpoint, and nothing else."
    return replace(finding, seen=seen, fix=fix)


# aud is never shown with a path: it may be the whole endpoint, which is a capability.
def _examine_aud(aud: object, origin: str) -> list[Finding]:
    def fault(code: str, seen: str) -> list[Finding]:
        fix = f"Set aud to {origin}." if origin else f"{BadAudience.hint}."
        return [bad(f"aud-{code}", seen, US, BadAudience.rfc, fix)]

    if aud is None:
        fix = "Set aud to the endpoint's origin; pywebpush adds it, and changes your dict."
        return [bad("aud-missing", "aud is missing", US, BadAudience.rfc, fix)]
    if not isinstance(aud, str):
        return fault("not-text", f"aud is {kind(aud)}, not text")
    parts = split(aud)
    if parts is None or parts.scheme not in ("https", "http"):
        return fault("not-an-origin", "aud is not an origin: scheme, host and port")
    theirs = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if not (usual := origin_of(f"{theirs}/")):
        return fault("not-an-origin", "aud is not an origin: scheme, host and port")
    if aud.lower() == theirs.lower() and aud != usual:
        return fault("spelling", f"aud is {aud}, and the usual form of that origin is {usual}")
    if aud == f"{theirs}/":
        return fault("slash", f"aud ends with a slash after {theirs}")
    if aud != theirs:
        return fault("path", f"aud has more than its origin {theirs}")
    if origin and aud != origin:
        return fault("another-origin", f"aud is {aud}, and the endpoint is at {origin}")
    if not origin and vendor_of(aud) != "this machine" and parts.scheme == "http":
        return fault("not-https", f"aud is {aud}, and push services speak https")
    if not origin and not vendor_of(aud):
        seen = f"aud is {aud}, which is no push service that is known here"
        fix = "Set aud to the endpoint's origin, not to that of your own site."
        return [hint("aud-unknown", seen, US, BadAudience.rfc, fix)]
    return []


def _examine_exp(exp: object, now: float, vendor: str) -> list[Finding]:
    def fault(code: str, seen: str, error: type[VapidError] = BadExpiry) -> list[Finding]:
        return [bad(f"exp-{code}", seen, US, error.rfc, f"{error.hint}.")]

    if exp is None:
        return fault("missing", "exp is missing")
    if isinstance(exp, str):
        return _exp_as_text(exp)
    if not is_number(exp) or exp != exp:
        return fault("not-a-number", "exp is not a number")
    unit = times.unit_of(exp, now)
    if unit and unit is not times.SECONDS:
        seen = f"exp counts {unit.what}, and not seconds since 1970"
        return [bad(f"exp-{unit.name}", seen, US, ExpiryTooFar.rfc, f"{times.SINCE_1970}.")]
    if times.is_duration(exp, now):
        seen = f"exp is {exp:g}, which is a duration, and exp must be a point in time"
        fix = f"Set exp to now + {exp:g}: int(time.time()) + {exp:g}."
        if exp > vapid.MAX_LIFETIME:
            fix = f"{times.SINCE_1970}."
        return [bad("exp-duration", seen, US, BadExpiry.rfc, fix)]
    if exp > MILLISECONDS:
        return fault("milliseconds", "exp is too large to be seconds", ExpiryTooFar)
    if exp <= 0:
        return [bad("exp-past", "exp is 0 or negative", US, TokenExpired.rfc, f"{times.SINCE_1970}.")]
    if exp <= now:
        return [_past(now - exp)]
    if exp > now + vapid.MAX_LIFETIME:
        return fault("too-far", f"exp is {_duration(exp - now)} ahead, over 24 h", ExpiryTooFar)
    if isinstance(exp, float):
        # RFC 7519 §2 allows a fraction; Mozilla's service reads exp as a whole number.
        seen = "exp is written with a fraction: Mozilla answers 401"
        level = bad if vendor == "Mozilla" else hint
        fix = "Make it a whole number: int(time.time()) + 43200."
        where = f"RFC 7519 §2; {AUTOPUSH.told(now)}"
        return [level("exp-fraction", seen, US, where, fix)]
    if exp > now + HALF_A_DAY:
        fix = "Stay at 12 h or less, so that a wrong clock does no harm."
        seen = f"exp is {_duration(exp - now)} ahead"
        return [hint("exp-over-12-h", seen, US, ExpiryTooFar.rfc, fix)]
    return []


def _past(seconds: float) -> Finding:
    fix = f"{TokenExpired.hint}."
    if 0 < round(seconds / 3600) <= FARTHEST_ZONE and abs(seconds - 3600 * round(seconds / 3600)) < 90:
        fix += " Whole hours are often those of a time zone: local time that was taken for UTC."
    return bad("exp-past", f"exp is {_duration(seconds)} ago", US, TokenExpired.rfc, fix)


def _exp_as_text(exp: str) -> list[Finding]:
    seen, fix = "exp is text, not a number", f"{BadExpiry.hint}."
    if times.is_number_as_text(exp):
        seen, fix = "exp is a number in quotes", "Write the number without quotes."
    elif times.is_date_as_text(exp):
        seen, fix = "exp is a date as text", f"{times.SINCE_1970}."
    return [bad("exp-text", seen, US, BadExpiry.rfc, fix)]


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.0f} s"


def examine_subject(
    sub: object, vendor: str = "", name: str = "sub", now: float | None = None
) -> list[Finding]:
    """Examine a contact. RFC 8292 only recommends one; Apple refuses a token that has none.

    >>> [finding.code for finding in examine_subject("me@example.com")]
    ['subject-bare-email']
    """

    def fault(code: str, seen: str, level: Callable[..., Finding] = bad) -> list[Finding]:
        where = f"{BadSubject.rfc}; {APPLE_TOKEN.told(now)}" if says in seen else BadSubject.rfc
        return [level(f"subject-{code}", f"{name} {seen}", US, where, f"{BadSubject.hint}.")]

    apple = bad if vendor == "Apple" else hint
    says = "Apple answers 403 BadJwtToken"
    if sub is None:
        return fault("missing", f"is missing: {says}", apple)
    # A value that is no contact may be anything, even a private key on the wrong line. So it is not
    # shown.
    if not isinstance(sub, str):
        return fault("not-text", f"is {kind(sub)}, not text")
    if re.match(r"mailto:\s*mailto:", sub, re.IGNORECASE):
        return fault("doubled", "says mailto: twice")
    if re.search(r"\s", sub):
        return fault("space", "has a space")
    if re.fullmatch(r"[^@:/]+@[^@:/]+", sub):
        return fault("bare-email", "is an e-mail address without mailto:")
    try:
        vapid.check_subject(sub)
    except BadSubject:
        seen = next((seen for pattern, seen in NO_CONTACTS if pattern.search(sub)), "")
        return fault("not-a-contact", seen or f"is {kind(sub)}, neither mailto: nor https:")
    if sub == DEFAULT_SUBJECT and vendor not in ("", "this machine"):
        fix = f"Give your own: {command('keys --subject mailto:YOU')}."
        seen = f"{name} is the lab's default, whose mail nobody reads"
        return [hint("subject-default", seen, US, BadSubject.rfc, fix)]
    if host := vapid.unreachable(sub):
        code = "localhost" if LOOPBACK.fullmatch(host.rpartition(": ")[0]) else "unreachable"
        return fault(code, f"leads nowhere ({host}): {says}", apple)
    return []
