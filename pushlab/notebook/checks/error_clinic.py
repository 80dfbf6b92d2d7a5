"""Checks of lesson 08: claims for any vendor, the meaning of a response, which subscription to keep.

``RECORDED`` has responses of the vendors' push services to known faults, as people have reported
them: shortened, and without secrets. The check of ``triage`` uses these and a few more. The lesson
itself shows no recorded responses: there, the lab's push service responds.
"""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import NamedTuple

from pushlab.errors import BodyTooLarge, ExpiryTooFar, MissingTtl, NotYet, QueueFull, WrongKey
from pushlab.notebook.checks import core

HOURS = 60 * 60


class Recorded(NamedTuple):
    """The response of one vendor's push service to one fault."""

    vendor: str
    fault: str
    status: int
    headers: dict[str, str]
    body: bytes


def _json(**members: object) -> bytes:
    return json.dumps(members).encode()


# A table, with several values in a line.
# fmt: off
RECORDED = [
    Recorded("Mozilla", "another key", 401, {}, _json(
        code=401, errno=109, error="Unauthorized", message="VAPID public key mismatch")),
    Recorded("Google", "another key", 403, {},
        b"the VAPID credentials in the authorization header do not correspond to the credentials "
        b"used to create the subscriptions."),
    Recorded("Apple", "another key", 400, {}, _json(reason="VapidPkHashMismatch")),
    Recorded("Google", "aud of another origin", 403, {},
        b"aud claim in the token MUST include the origin of the push resource URL"),
    Recorded("Apple", "aud of another origin", 403, {}, _json(reason="BadJwtToken")),
    Recorded("Google", "exp over 24 hours", 403, {}, b"invalid JWT provided"),
    Recorded("Apple", "sub with a space", 403, {}, _json(reason="BadJwtToken")),
    Recorded("Mozilla", "no TTL", 400, {}, _json(code=400, errno=111, message="Missing TTL value")),
    Recorded("Windows", "no TTL", 400,
        {"X-WNS-Error-Description": "Ttl value conflicts with X-WNS-Cache-Policy."}, b""),
    Recorded("Apple", "topic of two words", 400, {}, _json(reason="BadWebPushTopic")),
    Recorded("Mozilla", "4097 bytes", 413, {}, _json(code=413, errno=104)),
    Recorded("Mozilla", "unsubscribed", 410, {"Cache-Control": "max-age=86400"}, _json(
        code=410, errno=106)),
    Recorded("Google", "unsubscribed", 410, {},
        b"push subscription has unsubscribed or expired."),
    Recorded("Mozilla", "too many", 503, {"Retry-After": "120"}, b""),
    Recorded("Windows", "too many", 406, {"X-WNS-NotificationStatus": "dropped"}, b""),
    Recorded("Mozilla", "nothing", 201, {"TTL": "2592000"}, b""),
]
WORDS = {
    "another key": "key",
    "aud of another origin": "token",
    "exp over 24 hours": "token",
    "sub with a space": "token",
    "no TTL": "ttl",
    "topic of two words": "request",
    "4097 bytes": "request",
    "unsubscribed": "gone",
    "too many": "slower",
    "nothing": "fine",
}
# fmt: on

KEEP = (
    "The fault is the sender's, and every subscriber gets the same answer: "
    "whoever removes upon it removes them all"
)
HINTS = {
    "fine": "From 200 to 299 the push service has the message, whatever headers come along",
    "gone": "Nothing is broken here: somebody has left",
    "slower": "The same message may be taken later, and nothing in it has to change",
    "key": "Before you go by the status, read what the body says, word for word",
    "ttl": "Read the body, the values of the headers if it is empty, and do not mind capitals",
    "token": "This one speaks of who has sent, and not of which key was subscribed for",
    "request": "Who sent this is not in doubt, and nothing is said of how long it may wait",
}


def triage(yours: Callable[[int, bytes, dict[str, str]], str]) -> core.Right:
    """Check ``triage(status, body, headers) -> str``. RFC 8030 §5, §7.3, §8.4; RFC 8292 §4.2."""
    cases = [(one, WORDS[one.fault]) for one in RECORDED] + _unseen()
    for one, right in cases:
        given = yours(one.status, one.body, dict(one.headers))
        step = f"triage() of a {one.status} from {one.vendor}"
        if isinstance(given, str) and given not in HINTS:
            raise NotYet(f"{step} should be one of the seven words, and yours is another")
        wrongly_gone = given == "gone" and right in ("key", "token", "request", "ttl")
        core.value_is(step, given, right, hint=KEEP if wrongly_gone else HINTS[right])
    return core.Right(f"All {len(cases)} answers are understood, those of the lab among them.")


def _unseen() -> list[tuple[Recorded, str]]:
    """Return responses that the lesson does not list, each with the right word."""
    labs = {WrongKey: "key", ExpiryTooFar: "token", MissingTtl: "ttl", BodyTooLarge: "request"}
    labs |= {QueueFull: "slower"}
    said = [(error, _json(**error().to_json()), word) for error, word in labs.items()]
    cases = [(Recorded("the lab", "", error.status, {}, body), word) for error, body, word in said]
    for status, word in ((200, "fine"), (202, "fine"), (404, "gone"), (429, "slower")):
        cases.append((Recorded("somebody", "", status, {}, b""), word))
    for status, word in ((502, "slower"), (401, "token"), (415, "request")):
        cases.append((Recorded("somebody", "", status, {}, b"<h1>Error</h1>"), word))
    return cases


ENDPOINTS = {
    "https://updates.push.example.com/wpush/v2/gAAAA-lesson": "https://updates.push.example.com",
    "https://web.push.example.org/QLesson": "https://web.push.example.org",
    "https://wns.example.net:8443/w/?token=BQYA%2fw%3d": "https://wns.example.net:8443",
}


def claims_for(yours: Callable[[str, int, dict], dict]) -> core.Right:
    """Check ``claims_for(endpoint, now, common) -> dict``, vendor after vendor. RFC 8292 §2."""
    stale = {"aud": "https://old.example.com", "exp": 1_600_000_000}
    for now, common in (
        (1_700_000_000, {"sub": "mailto:clinic@example.com"}),
        (1_800_000_000, {"sub": "https://example.com/contact"} | stale),
    ):
        before = deepcopy(common)
        earlier: str | None = None
        for endpoint, aud in ENDPOINTS.items():
            claims = yours(endpoint, now, common)
            if not isinstance(claims, dict):
                core.value_is("claims_for()", claims, {})
            if common != before:
                raise NotYet(
                    "The dictionary that claims_for() was given is another one afterwards: the "
                    "next vendor would get what was meant for this one"
                )
            _claims(claims, aud, now, common, earlier)
            earlier = aud
    return core.Right("Three vendors, two sets of claims, and nothing that was given has changed.")


def _claims(claims: dict, aud: str, now: int, common: Mapping, earlier: str | None) -> None:
    """Compare the claims of one token, in the order in which RFC 8292 names them."""
    for name in ("aud", "exp", "sub"):
        if name not in claims:
            raise NotYet(f"{name} (RFC 8292 §2) is missing")
    host = aud.split("//")[1]
    mistakes = {
        "An origin has no slash at its end.": f"{aud}/",
        "An origin begins with its scheme.": host,
        "A port that the URL names belongs to the origin.": aud.rsplit(":", 1)[0],
        "That was in the dictionary already, from another day.": str(common.get("aud")),
        "That is the origin of the vendor before.": str(earlier),
    }
    if aud in str(claims["aud"]) and len(str(claims["aud"])) > len(aud) + 1:
        mistakes |= {"That is more than the origin of the endpoint.": claims["aud"]}
    core.text_is("aud", claims["aud"], aud, mistakes=mistakes, rfc="RFC 8292 §2")
    exp, hint = claims["exp"], "It counts seconds, from now on"
    if isinstance(exp, str):
        hint = "A NumericDate is a number, without quotes"
    elif exp == common.get("exp"):
        hint = "That was in the dictionary already, and is long past"
    elif isinstance(exp, int) and exp > now + 24 * HOURS:
        hint = "That is more than the 24 hours that a push service allows"
    core.value_is("exp", exp, now + 12 * HOURS, hint=hint, rfc="RFC 8292 §2")
    core.text_is("sub", claims["sub"], common["sub"], rfc="RFC 8292 §2.1")


def keep(yours: Callable[[int], bool]) -> core.Right:
    """Check ``keep(status) -> bool``. RFC 8030 §7.3."""
    for status in (403, 201, 410, 404, *range(200, 600)):
        given, right = yours(status), status not in (404, 410)
        hint = "Who keeps it posts to nobody for years"
        if right and 400 <= status < 500 and status != 429:
            hint = KEEP
        elif right:
            hint = "Nobody has left: " + ("it went well" if status < 300 else "another try may work")
        core.value_is(f"keep({status})", given, right, hint=hint, rfc="RFC 8030 §7.3")
    return core.Right("Only those who have left are removed.")
