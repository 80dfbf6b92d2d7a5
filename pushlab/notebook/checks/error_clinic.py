"""Checks of lessons 08 and 08b: claims for any vendor, what a response means, whom to keep and trust.

``RECORDED`` has responses of the vendors' push services to known faults, as people have reported
them: shortened, and without secrets. The check of ``triage`` uses these and a few more. The lesson
itself shows no recorded responses: there, the lab's push service responds.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from pushlab.errors import BodyTooLarge, ExpiryTooFar, MissingTtl, NotYet, QueueFull, WrongKey
from pushlab.notebook.checks import core
from pushlab.notebook.checks.guard import Guarded, check
from pushlab.notebook.checks.send import KEEP
from pushlab.notebook.checks.vapid_claims import aud_is, exp_is


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

ORDER = "The words are in an order: here the status decides, before the text is looked at"
HINTS = {
    "fine": "From 200 to 299 the push service has the message, whatever headers come along",
    "gone": "Nothing is broken here: somebody has left",
    "slower": "The same message may be taken later, and nothing in it has to change",
    "key": "Before you go by the status, read what the body says, word for word",
    "ttl": "Read the body, the values of the headers if it is empty, and do not mind capitals",
    "token": "This one speaks of who has sent, and not of which key was subscribed for",
    "request": "Who sent this is not in doubt, and nothing is said of how long it may wait",
}


@check
def triage(yours: Callable[[int, bytes, dict[str, str]], str]) -> core.Right:
    """Check ``triage(status, body, headers) -> str``. RFC 8030 §5, §7.3, §8.4; RFC 8292 §4.2."""
    asked = [(one, WORDS[one.fault]) for one in RECORDED] + _unseen()
    cases = [
        (f"triage() of a {one.status} from {one.vendor}", (one.status, one.body, one.headers), right)
        for one, right in asked
    ]

    def hint(number: int, word: str) -> str:
        one, right = asked[number]
        for sentence, body, headers in _easier(one) if right in ("key", "ttl") else ():
            if yours(one.status, body, headers) == right:
                return sentence
        if right == "slower" and word in ("key", "ttl"):
            return ORDER
        return KEEP if word == "gone" and right in ("key", "token", "request", "ttl") else HINTS[right]

    core.words_are(yours, cases, HINTS, hint)
    return core.Right(f"All {len(cases)} answers are understood, those of the lab among them.")


def _easier(one: Recorded) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Yield what a function overlooks that understands only this easier form of a response."""
    capitals = "Your code minds capital and small letters: compare in small letters alone"
    for change in (str.lower, str.upper):
        headers = {name: change(said) for name, said in one.headers.items()}
        yield capitals, change(one.body.decode()).encode(), headers
    if one.headers:
        said = " ".join(one.headers.values())
        yield "The body is empty here: the value of a header says why", said.encode(), {}


def _unseen() -> list[tuple[Recorded, str]]:
    """Return responses that the lesson does not list, each with the right word."""
    labs = {WrongKey: "key", ExpiryTooFar: "token", MissingTtl: "ttl", BodyTooLarge: "request"}
    labs |= {QueueFull: "slower"}
    said = [(error, _json(**error().to_json()), word) for error, word in labs.items()]
    cases = [(Recorded("the lab", "", error.status, {}, body), word) for error, body, word in said]
    for status, word in ((200, "fine"), (202, "fine"), (404, "gone"), (429, "slower")):
        cases.append((Recorded("somebody", "", status, {}, b""), word))
    cases.append((Recorded("somebody", "", 503, {}, b"A cache mismatch; its TTL is over."), "slower"))
    for status, word in ((502, "slower"), (401, "token"), (415, "request")):
        cases.append((Recorded("somebody", "", status, {}, b"<h1>Error</h1>"), word))
    return cases


ENDPOINTS = {
    "https://updates.push.example.com/wpush/v2/gAAAA-lesson": "https://updates.push.example.com",
    "https://web.push.example.org/QLesson": "https://web.push.example.org",
    "https://wns.example.net:8443/w/?token=BQYA%2fw%3d": "https://wns.example.net:8443",
}


@check
def claims_for(yours: Guarded) -> core.Right:
    """Check ``claims_for(endpoint, now, common) -> dict``, vendor after vendor. RFC 8292 §2."""
    stale = {"aud": "https://old.example.com", "exp": 1_600_000_000}
    for now, common in (
        (1_700_000_000, {"sub": "mailto:clinic@example.com"}),
        (1_800_000_000, {"sub": "https://example.com/contact"} | stale),
    ):
        earlier: str | None = None
        for endpoint, aud in ENDPOINTS.items():
            claims = yours.pure(endpoint, now, common)
            core.type_is("claims_for()", claims, dict)
            _claims(claims, endpoint, aud, now, common, earlier)
            earlier = aud
    return core.Right("Three vendors, two sets of claims, and nothing that was given has changed.")


def _claims(
    claims: dict, endpoint: str, aud: str, now: int, common: Mapping, earlier: str | None
) -> None:
    """Compare the claims of one token, in the order in which RFC 8292 names them."""
    for name in ("aud", "exp", "sub"):
        if name not in claims:
            raise NotYet(f"{name} (RFC 8292 §2) is missing")
    other = {
        "That was in the dictionary already, from another day.": str(common.get("aud")),
        "That is the origin of the vendor before.": str(earlier),
    }
    if aud in str(claims["aud"]) and len(str(claims["aud"])) > len(aud) + 1:
        other |= {"That is more than the origin of the endpoint.": claims["aud"]}
    aud_is(claims["aud"], aud, endpoint.removeprefix(aud), other)
    stale = {"That was in the dictionary already, and is long past.": common.get("exp")}
    exp_is(claims["exp"], now, stale if "exp" in common else None)
    core.text_is("sub", claims["sub"], common["sub"], rfc="RFC 8292 §2.1")


@check
def keep(yours: Callable[[int], bool]) -> core.Right:
    """Check ``keep(status) -> bool``. RFC 8030 §7.3."""
    turned = "Your answers are the other way round: you are asked whether it stays"
    other_way = core.is_same(yours(201), False) and core.is_same(yours(410), True)
    for status in (403, 201, 410, 404, *range(200, 600)):
        given, right = yours(status), status not in (404, 410)
        hint = "Whoever keeps it sends to nobody for years"
        if right and 400 <= status < 500 and status != 429:
            hint = KEEP
        elif right:
            hint = "Nobody has left: " + ("it went well" if status < 300 else "another try may work")
        hint = turned if other_way else hint
        core.type_is(f"keep({status})", given, bool)
        core.value_is(f"keep({status})", given, right, hint=hint, rfc="RFC 8030 §7.3")
    return core.Right("Only those who have left are removed.")


HTTPS = "Only https keeps the token and the endpoint from whoever listens on the way"
AND = "Of two values, and returns one: bool(…) makes True or False of it"
SLIPS = {
    r"no attribute 'is_": "The addresses are texts: ip_address(text) makes an address of one",
    r"does not appear to be": "ip_address() takes one of the addresses at a time, and no name of a host",
    r"AddressValueError": "There are two kinds of address, IPv4 and IPv6: ip_address() takes both",
}
"""What Python says of a slip in the exercise, and what to do then."""
INSIDE = "An address there belongs to a network of your own, and not to the public internet"
DESTINATIONS: tuple[tuple[str, str, list[str], bool, str], ...] = (
    ("a push service", "https://push.example.com/v2/lesson", ["34.107.243.93"], True,
     "It is https, and its one address is public"),
    ("a push service with IPv6", "https://push.example.com/v2/lesson",
     ["34.107.243.93", "2a00:1450:4001:829::200e"], True, "Both of its addresses are public"),
    ("an endpoint with a query", "https://wns.example.net:8443/w/?token=BQYA%2fw%3d",
     ["20.90.152.133"], True, "Ports and queries are not asked about"),
    ("plain http", "http://push.example.com/v2/lesson", ["34.107.243.93"], False, HTTPS),
    ("https in the path alone", "http://push.example.com/https://", ["34.107.243.93"], False, HTTPS),
    ("a router", "https://router.example.com/admin", ["192.168.0.1"], False, INSIDE),
    ("this machine", "https://localhost/", ["127.0.0.1", "::1"], False, INSIDE),
    ("the metadata of a cloud", "https://meta.example.com/", ["169.254.169.254"], False,
     "169.254.0.0/16 is link-local: a cloud keeps its machines' passwords there"),
    ("a network behind a provider", "https://cgn.example.com/", ["100.64.0.1"], False,
     "Of 100.64.0.1, is_private and is_global are both False: ask what you want to know"),
    ("IPv6 of your own", "https://nas.example.com/", ["fd00::1"], False, INSIDE),
    ("IPv4 in IPv6's clothes", "https://odd.example.com/", ["::ffff:10.0.0.7"], False, INSIDE),
    ("one address outside, one inside", "https://two.example.com/", ["34.107.243.93", "10.0.0.7"],
     False, "A connection may go to any of a host's addresses, so each of them counts"),
    ("a public name before the @", "https://push.example.com@10.0.0.7/", ["10.0.0.7"], False,
     "What stands before an @ is not a host"),
    ("a host without an address", "https://none.example.com/", [], False,
     "There is nowhere to send to; and all() of nothing is True"),
)  # fmt: skip
"""A name, an endpoint, its host's addresses, whether to send, and what another answer overlooks."""


@check
def may_send(yours: Callable[[str, list[str]], bool]) -> core.Right:
    """Check ``may_send(endpoint, addresses) -> bool``. RFC 8030 §8."""
    for what, endpoint, addresses, right, hint in DESTINATIONS:
        try:
            given = yours(endpoint, list(addresses))
        except NotYet as told:
            known = [remedy for slip, remedy in SLIPS.items() if re.search(slip, told.detail)]
            raise NotYet(". ".join([told.detail, *known]), step=told.step) from None
        if isinstance(given, list):
            raise NotYet(f"may_send() for {what} should be a bool, and yours is a list. {AND}")
        core.type_is(f"may_send() for {what}", given, bool)
        core.value_is(f"may_send() for {what}", given, right, hint=hint, rfc="RFC 8030 §8")
    return core.Right(f"{len(DESTINATIONS)} endpoints, and yours leads into no network of your own.")
