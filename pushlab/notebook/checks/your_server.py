"""Checks of lesson 10: a server of one's own."""

import json
from typing import Any

from pushlab.errors import NotYet
from pushlab.notebook.checks import core
from pushlab.notebook.checks.guard import Guarded, check
from pushlab.protocol import examples
from pushlab.protocol.subscription import PushSubscription

VENDORS = (".fcm.googleapis.com", ".push.services.mozilla.com", ".push.apple.com")
TEST_ORIGINS = ["http://localhost:8188"]
GOOD = "https://updates.push.services.mozilla.com/wpush/v2/gAAAAABl"

_AT = examples.RFC8291
_KEYS = PushSubscription(GOOD, _AT.ua_public, _AT.auth_secret).to_json()["keys"]


def _at(endpoint: object) -> dict[str, object]:
    return {"endpoint": endpoint, "keys": _KEYS}


def _with(**changed: object) -> dict[str, object]:
    return {"endpoint": GOOD, "keys": {**_KEYS, **changed}}


SENT: tuple[tuple[str, object, bool, str], ...] = (
    ("a subscription at Mozilla", _at(GOOD), True, ""),
    ("at FCM", _at("https://fcm.googleapis.com/fcm/send/cX:APA91b_-"), True,
     "Its host is fcm.googleapis.com, which is one of the vendors without its dot"),
    ("at a test origin", _at("http://localhost:8188/wpush/v2/x"), True,
     "A test origin is allowed as it is, with http and a port"),
    ("with more members than it needs", _at(GOOD) | {"expirationTime": None}, True, ""),
    ("http at a vendor", _at("http://fcm.googleapis.com/fcm/send/x"), False,
     "Without https anybody on the way can read and change it"),
    ("another port of the test origin's host", _at("http://localhost:81880/wpush/v2/x"), False,
     "An origin is compared as a whole: what begins with it may be another one"),
    ("a host that only ends like a vendor's", _at("https://evilfcm.googleapis.com.example/x"), False,
     "Where the host ends, the slash has to come: what follows may be anybody's domain"),
    ("a host that is a vendor's with letters before it", _at("https://notpush.apple.com/x"), False,
     "The dot belongs to it: notpush.apple.com is another host than push.apple.com"),
    ("a vendor's name in the path", _at("https://evil.example/.push.apple.com"), False,
     "Look at the host alone: a path may say anything"),
    ("a vendor's name as a user", _at("https://fcm.googleapis.com@evil.example/x"), False,
     "What comes before an @ is the name of a user, and not the host"),
    ("a backslash", _at("https://evil.example\\.push.apple.com/x"), False,
     "urlsplit and requests disagree on a backslash: take only the characters that hosts have"),
    ("a port at a vendor", _at("https://fcm.googleapis.com:8443/x"), False,
     "Push services listen at the port of https, and nothing else of theirs concerns you"),
    ("a line break", _at(f"{GOOD}\nHost: evil.example"), False,
     "The whole endpoint has to fit: re.fullmatch, and no white space"),
    ("an address of your network", _at("https://192.168.0.1/x"), False, "It is no vendor's"),
    ("a number for the endpoint", _at(8030), False, "JSON has other types than text"),
    ("null", None, False, "Whatever JSON holds may come"),
    ("a list", [_at(GOOD)], False, "Whatever JSON holds may come"),
    ("no keys", {"endpoint": GOOD}, False, "Without keys nothing can be encrypted"),
    ("keys in a text", {"endpoint": GOOD, "keys": "p256dh auth"}, False, "Whatever JSON holds may come"),
    ("a number for auth", _with(auth=16), False, "JSON has other types than text"),
    ("an auth of 15 bytes", _with(auth="AAAAAAAAAAAAAAAAAAAA"), False,
     "auth is 16 bytes: pywebpush would encrypt with fewer, and no browser could read it"),
    ("a p256dh that is cut", _with(p256dh=_KEYS["p256dh"][:40]), False, "p256dh is 65 bytes"),
    ("a p256dh that is not a point", _with(p256dh="B" + "A" * 86), False,
     "65 bytes that begin with 04 need not be a point of the curve"),
)  # fmt: skip
"""A name, what is sent, whether it is good, and what another answer has overlooked."""


@check
def is_good(function: Guarded) -> core.Right:
    """Check ``is_good(value, vendors, test_origins) -> bool``."""
    for name, value, right, why in SENT:
        given = json.loads(json.dumps(value))
        answer = function.pure(given, VENDORS, TEST_ORIGINS)
        mistakes = {f"{why}.": not right} if why else None
        core.value_is(f"The answer to “{name}”", answer, right, mistakes=mistakes)
    good = sum(right for _, _, right, _ in SENT)
    return core.Right(f"{good} are taken, and {len(SENT) - good} refused.")


NOW = 1_790_000_000.25
MOZILLA, FCM, HERE = (
    "https://updates.push.services.mozilla.com",
    "https://fcm.googleapis.com",
    "http://localhost:8188",
)


class _Signer:
    """Count the signatures, and return a header that names its claims."""

    def __init__(self) -> None:
        self.claims: list[Any] = []

    def __call__(self, claims: Any) -> str:
        self.claims.append(claims)
        if not isinstance(claims, dict):
            raise NotYet(f"sign takes a dict of claims, and got {core.kind(claims)}")
        return f"vapid t={len(self.claims)}, k=…"


@check
def token_for(function: Guarded) -> core.Right:
    """Check ``token_for(endpoint, kept, now, sign) -> str``."""
    signer: _Signer = _Signer()
    kept: dict[Any, Any] = {}

    def ask(endpoint: str, later: float, count: int, hint: str) -> None:
        header = function.changing(endpoint, kept, NOW + later, signer)
        core.type_is("the header", header, str)
        name = f"the number of signatures {_when(later)}"
        core.value_is(name, len(signer.claims), count, hint=hint)
        core.text_is("the header", header, f"vapid t={count}, k=…", mistakes={
            "It is the header of another push service, or of an earlier token.":
                f"vapid t={count - 1}, k=…"})  # fmt: skip

    ask(f"{MOZILLA}/wpush/v2/one", 0, 1, "Nothing is kept yet, so there is one to sign")
    _claims_are(signer.claims[0], MOZILLA, 0)
    ask(f"{MOZILLA}/wpush/v2/two?x=/", 60, 1,
        "Another endpoint of the same push service needs no new token: keep it by aud")  # fmt: skip
    ask(f"{MOZILLA}/wpush/v2/one", 10.9 * 3600, 1, "A token with more than an hour left is still good")
    ask(f"{MOZILLA}/wpush/v2/one", 11.5 * 3600, 2, "A token that ends within the hour is renewed")
    _claims_are(signer.claims[1], MOZILLA, 11.5 * 3600)
    ask(f"{FCM}/fcm/send/x", 11.5 * 3600, 3, "Another push service needs a token of its own")
    _claims_are(signer.claims[2], FCM, 11.5 * 3600)
    ask(f"{HERE}/wpush/v2/x", 11.5 * 3600, 4, "Another push service needs a token of its own")
    _claims_are(signer.claims[3], HERE, 11.5 * 3600)
    core.value_is("the number of dicts", len({id(one) for one in signer.claims}), 4,
                  hint="py_vapid writes into the claims: give it a new dict each time")  # fmt: skip
    return core.Right("Six messages to three push services, and four signatures.")


def _when(later: float) -> str:
    return f"after {later / 3600:g} hours" if later >= 3600 else f"after {later:g} seconds"


def _claims_are(claims: dict[Any, Any], aud: str, later: float) -> None:
    core.text_is("aud", claims.get("aud"), aud, rfc="RFC 8292 §2", mistakes={
        "An origin ends before the first slash of the path.": f"{aud}/",
        "The port belongs to the origin where the endpoint has one.": aud.rpartition(":")[0],
    })  # fmt: skip
    right = int(NOW + later) + 12 * 3600
    core.value_is("exp", claims.get("exp"), right, rfc="RFC 8292 §2", mistakes={
        "It has a fraction: int() takes the whole number.": NOW + later + 12 * 3600,
        "It is 24 hours ahead, and a push service whose clock is behind refuses it.":
            int(NOW + later) + 24 * 3600,
        "It counts from 1970, as now does: add now.": 12 * 3600,
    })  # fmt: skip
    more = sorted(set(claims) - {"aud", "exp"})
    core.value_is("the number of further claims", len(more), 0, hint="sign adds sub by itself")
