"""For every part of the doctor: faults of a base64url text, and the vendor of an endpoint."""

import base64
import binascii
import re
from urllib.parse import SplitResult, urlsplit

from pushlab.doctor.findings import Finding, bad
from pushlab.errors import BadBase64url
from pushlab.protocol import base64url
from pushlab.protocol.spelling.encodings import ENCODINGS
from pushlab.protocol.spelling.recognize import COPY_WHOLE

PADDED, PLAIN = (row for row in ENCODINGS if row.name in ("padded", "plain-base64"))
LOOPBACK = re.compile(r"localhost|.*\.localhost|127(\.\d{1,3}){3}|::1")

VENDORS = {
    "fcm.googleapis.com": "FCM",
    "jmt17.google.com": "FCM",
    "push.services.mozilla.com": "Mozilla",
    "push.apple.com": "Apple",
    "notify.windows.com": "WNS",
}
"""Push services, by the end of their host names."""


def vendor(url: object) -> str:
    """Name the push service of an endpoint: a vendor, ``this machine``, or "" if it is unknown.

    >>> vendor("https://updates.push.services.mozilla.com/wpush/v2/secret")
    'Mozilla'
    >>> vendor("https://push.apple.com.example.net/")
    ''
    """
    host = (parts.hostname or "").rstrip(".") if (parts := split(url)) else ""
    if LOOPBACK.fullmatch(host):
        return "this machine"
    for known, name in VENDORS.items():
        if host == known or host.endswith(f".{known}"):
            return name
    return ""


def split(url: object) -> SplitResult | None:
    """Return the parts of a URL, or None if it is not one with a host."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # It is only parsed when it is asked for.
    except ValueError:  # An impossible port or address.
        return None
    return parts if parts.hostname else None


def base64url_fault(name: str, text: str, fault: str) -> Finding | None:
    """Return why a text is not base64url: padding, plain base64, or another fault. None if it is.

    >>> base64url_fault("auth", "BTBZMqHH6r4Tts7J_aSIgg==", "user agent").code
    'auth-padded'
    """
    try:
        base64url.decode(text)
    except BadBase64url as reason:
        code, fix = "not-base64url", f"{reason.hint}."
        if not base64url.FOREIGN.search(text):  # The alphabet is right, so the length is not.
            fix = COPY_WHOLE
        if text.endswith("=") and _is_base64(text):
            code, fix = "padded", PADDED.turn
        if set(text) & set("+/") and _is_base64(text):
            code, fix = "plain-base64", PLAIN.turn
        seen = f"{name} is not base64url: {reason.detail}"
        return bad(f"{slug(name)}-{code}", seen, fault, reason.rfc, fix)
    return None


def slug(name: str) -> str:
    """Write a name as the beginning of a code.

    >>> slug("VAPID_PUBLIC_KEY")
    'public-key'
    """
    return name.lower().removeprefix("vapid_").removeprefix("the ").replace("_", "-").replace(" ", "-")


def _is_base64(text: str) -> bool:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
