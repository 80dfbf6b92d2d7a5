"""The Authorization header of a request: the token, the public key, and what stands in their place."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from pushlab.doctor.claims import examine_claims
from pushlab.doctor.findings import Finding, bad, of_error, ok
from pushlab.doctor.subscription import origin_of
from pushlab.doctor.text import split
from pushlab.doctor.text import vendor as vendor_of
from pushlab.errors import BadAuthorization, BadPublicKey, KeyReused, MissingAuthorization, VapidError
from pushlab.protocol import jws, p256, vapid
from pushlab.protocol.content_coding import keyid_of
from pushlab.protocol.spelling import Kind, advise, recognize
from pushlab.protocol.spelling.captured import Captured
from pushlab.reader import command

US = "application server"
FORM = "Send Authorization: vapid t=<token>, k=<public key>"
TO_ENDPOINT = f"POST to the endpoint of the subscription. {FORM}."

LEFT_OUT = r"[\[<]?(?i:redacted|filtered|hidden|masked)[\]>]?|\*{3,}"
SHORTENED = r"[^,;\s]*(?:\.{3}|…|â\x80¦)"


class Fault(NamedTuple):
    """What stands where a value belongs: ``pattern`` matches the whole value."""

    seen: str
    fix: str
    pattern: re.Pattern[str]


def _rows(*rows: tuple[str, str, str]) -> tuple[Fault, ...]:
    return tuple(Fault(seen, fix, re.compile(pattern, re.DOTALL)) for seen, fix, pattern in rows)


MADE_OF = "Something was missing or not awaited when the header was made: check the code that makes it."
AS_SENT = "Give the header as it was sent: a log or a tool has hidden a part of it."
IN_PLACE_OF_A_VALUE = (
    ("was left out by whoever wrote this down", AS_SENT, LEFT_OUT),
    ("was shortened for people to read", AS_SENT, SHORTENED),
    ("is an object of JavaScript or Python, as text", MADE_OF, r"\[object \w+\]|<[\w. ]+ at 0x\w+>"),
    ("is a word for nothing, as text", MADE_OF, r"undefined|null|None|nil|NaN|true|false"),
    (
        "is a placeholder that nobody has replaced",
        "Put the token there, and the public key after k=.",
        r"[\[<](?i:token|jwt|secret)[\]>]|(?i:token|jwt|secret|your[_-]\w+)",
    ),
    ("is Python's b'…'", "Call .decode() on it before the header is made.", r"b'[^']*'|b\"[^\"]*\""),
)
VALUES = _rows(*IN_PLACE_OF_A_VALUE)
"""What stands where t or k belong. The first row that fits is told."""

HEADERS = _rows(
    *IN_PLACE_OF_A_VALUE,
    ("has something other than a space after vapid", f"{FORM}.", r"(?i:vapid)(?=[^ \w]).*"),
    ("has no vapid in front of t and k", f"{FORM}.", r"[tk]\s*=.*"),
    ("is a token by itself", f"{FORM}.", r"eyJ[\w.-]+"),
    ("has a server key of Firebase's own API, which is not web push", TO_ENDPOINT, r"(?i:key)\s*=.*"),
    ("has Google's access token, for Firebase's own API, which is not web push", TO_ENDPOINT,
        r"(?i:bearer)\s+ya29\..*"),
)  # fmt: skip
"""What stands where ``vapid t=…, k=…`` belongs. The first row that fits is told."""

FIREBASE_PATH = re.compile(r"/v1/projects/[^/]*/messages:send|/batch")
PARAMETER = re.compile(
    r"(?:^|[,;:\s])\s{0,9}([tk])\s{0,9}=\s{0,9}(b?'[^']*'|b?\"[^\"]*\"|\[object \w+\]|<[^>]*>|[^,;\s]+)",
    re.IGNORECASE,
)
"""One of the two parameters, however it is written."""

MAX_PARAMETERS = 4
"""Parameters that are looked at. There are two."""


def of_firebase(request: Captured) -> Finding | None:
    """Return the finding about a request to Firebase's own API, which has other rules; None for others.

    >>> url = "https://fcm.googleapis.com/v1/projects/mine/messages:send"
    >>> of_firebase(Captured("raw HTTP", "POST", url, (), None)).code
    'firebase'
    """
    parts = split(request.url)
    if not parts or vendor_of(request.url) != "FCM" or not FIREBASE_PATH.fullmatch(parts.path):
        return None
    seen = "the request goes to Firebase's own API, and not to the endpoint of a subscription"
    return bad("firebase", f"{seen}: this is not web push", US, "RFC 8030 §5", TO_ENDPOINT)


def examine_authorization(request: Captured, now: float) -> Iterator[Finding]:
    """Examine the token and the public key of a request. ``now``: seconds since 1970."""
    given = request.values("Authorization")
    if not given:
        seen = "there is no Authorization header: a subscription with a key refuses the message"
        fix = f"{MissingAuthorization.hint}."
        yield bad("authorization-missing", seen, US, MissingAuthorization.rfc, fix)
        return
    if fault := next((one for one in HEADERS if one.pattern.fullmatch(given[0].strip())), None):
        seen = f"the Authorization header {fault.seen}"
        yield bad("authorization-value", seen, US, BadAuthorization.rfc, fault.fix)
        return
    scheme = given[0].strip().partition(" ")[0].lower()
    if scheme in ("webpush", "bearer"):
        seen = f"the scheme is {scheme}, that of a draft, which had the public key in Crypto-Key"
        yield bad("authorization-old", seen, US, MissingAuthorization.rfc, f"{FORM}.")
        return
    if found := list(_in_place(given[0])):
        yield from found
        return
    try:
        credentials = vapid.parse(given[0])
        token = jws.split(credentials.t)
    except VapidError as error:
        yield of_error(error)
        return
    try:
        jws.verify(token, p256.load_public(credentials.k))
    except BadPublicKey as error:
        yield bad("authorization-k", f"k: {error.detail}", US, BadAuthorization.rfc, f"{error.hint}.")
    except VapidError as error:
        yield of_error(error, "signature")
    else:
        yield ok("signature", "the signature of the token fits k")
    if keyid_of(request.body or b"") == credentials.k:
        seen = "the keyid of the body is the k of the Authorization header"
        yield bad("key-reused", seen, US, KeyReused.rfc, f"{KeyReused.hint}.")
    yield from examine_claims(token.payload, now, origin_of(request.url), vendor_of(request.url))


def _in_place(header: str) -> Iterator[Finding]:
    """Name what stands where the token and the key belong, if it is known. No value is repeated."""
    for found in islice(PARAMETER.finditer(header[: vapid.MAX_AUTHORIZATION]), MAX_PARAMETERS):
        name, value = found.groups()
        value = value[1:-1] if value[0] == '"' else value
        fault = next((one for one in VALUES if one.pattern.fullmatch(value)), None)
        if fault:
            seen = f"{name.lower()} {fault.seen}"
            yield bad(f"authorization-{name.lower()}", seen, US, BadAuthorization.rfc, fault.fix)
        elif name.lower() == "k":
            yield from _in_place_of_k(value)


def _in_place_of_k(value: str) -> Iterator[Finding]:
    if recognize(value).kind is Kind.PRIVATE:
        seen = "k is perhaps the private key: it is as long as one, and the public key has 65 bytes"
        new = command("keys --file NEW")
        fix = f"If it is, it was sent to the push service: make a new pair ({new}), and subscribe again."
    elif advice := advise(value, Kind.PUBLIC):
        seen, fix = f"k is {advice.what}", advice.turn
    else:
        return
    yield bad("authorization-k", seen, US, BadAuthorization.rfc, fix)
