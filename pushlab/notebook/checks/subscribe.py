"""Checks of lesson 02: ``unpack`` a subscription, an ``origin``, all ``faults``, and ``respond``."""

import copy
import json
from collections.abc import Callable
from urllib.parse import urlsplit

from pushlab.errors import NotYet
from pushlab.notebook.checks.core import Right, bytes_are, kind, text_is, type_is
from pushlab.notebook.checks.guard import Guarded, check
from pushlab.protocol import base64url, p256
from pushlab.protocol.examples import RFC8291
from pushlab.protocol.subscription import PushSubscription

# A second subscription, so that values copied from the lesson are not enough.
LESSON = PushSubscription(
    endpoint="https://push.example.org:8443/wake/bGVzc29u?device=2",
    p256dh=p256.raw_public(p256.load_private(bytes(range(0x20, 0x40)))),
    auth=bytes(range(0x40, 0x50)),
    expiration_time=1893456000000,
)


@check
def unpack(yours: Callable[[str], tuple[str, bytes, bytes]]) -> Right:
    """Check ``unpack(subscription_json)``: endpoint, p256dh, auth. W3C Push API §8, RFC 4648 §5."""
    for subscription in (RFC8291.subscription, LESSON):
        answer = yours(json.dumps(subscription.to_json()))
        if not isinstance(answer, tuple) or len(answer) != 3:
            raise NotYet(f"unpack should return a tuple of three, and yours is {kind(answer)}")
        endpoint, p256dh, auth = answer
        their_p256dh, their_auth = subscription.p256dh or b"", subscription.auth or b""
        text_is(
            "endpoint",
            endpoint,
            subscription.endpoint,
            mistakes={"That is its origin, and the path counts as well.": subscription.origin},
            rfc="W3C Push API §8",
        )
        swapped = "p256dh and auth have changed places."
        bytes_are(
            "p256dh",
            p256dh,
            their_p256dh,
            mistakes={
                swapped: their_auth,
                "The first byte is missing, and it belongs to the key.": their_p256dh[1:],
            }
            | _undecoded(their_p256dh),
            rfc="RFC 8291 §3.1",
        )
        bytes_are(
            "auth",
            auth,
            their_auth,
            mistakes={swapped: their_p256dh} | _undecoded(their_auth),
            rfc="RFC 8291 §3.2",
        )
    return Right("unpack is right: endpoint, 65 and 16 bytes, of two subscriptions.")


def _undecoded(value: bytes) -> dict[str, bytes]:
    return {"Those are the characters. Decode them.": base64url.encode(value).encode("ascii")}


ENDPOINTS = {
    "an endpoint with no port": "https://push.example.net/push/abc",
    "an endpoint with port 443 and https": "https://push.example.net:443/push/abc?to=https://a.net",
    "an endpoint with port 8443 and https": "https://push.example.org:8443/wake/bGVzc29u",
    "an endpoint with port 80 and https": "https://push.example.org:80/wake/bGVzc29u",
    "an endpoint with port 80 and http": "http://127.0.0.1:80/wpush/v2/abc",
    "an endpoint on this machine": "http://127.0.0.1:8030/wpush/v2/abc",
    "an endpoint with capital letters": "https://Push.Example.NET/Push/ABC",
}


@check
def origin(yours: Callable[[str], str]) -> Right:
    """Check ``origin(endpoint)``: scheme, host, and the port if it is unusual. RFC 6454 §6.2."""
    for what, endpoint in ENDPOINTS.items():
        url = urlsplit(endpoint)
        scheme, netloc = url.scheme, url.netloc
        text_is(
            f"origin of {what}",
            yours(endpoint),
            PushSubscription(endpoint, RFC8291.ua_public, RFC8291.auth_secret).origin,
            mistakes={
                "That is the whole endpoint: leave the path out.": endpoint,
                "There is a slash at the end.": f"{scheme}://{netloc}/",
                "The scheme is missing.": netloc,
                "The URL names no port here, and None is not a port.": f"{scheme}://{netloc}:None",
                # The next two texts are equal unless the host has capital letters.
                "The port that the scheme has anyway is left out.": f"{scheme}://{netloc.lower()}",
                "A host is written in lower case.": f"{scheme}://{netloc}",
                "A port that is not the scheme's own stays.": f"{scheme}://{url.hostname}",
            },
            rfc="RFC 6454 §6.2",
        )
    return Right(f"origin is right for {len(ENDPOINTS)} endpoints.")


NAMES = ["no-endpoint", "endpoint-not-allowed", "no-keys", "bad-p256dh", "bad-auth"]


def _cases() -> list[tuple[str, dict, list[str]]]:
    """List subscriptions: a description, the subscription, and its faults."""
    good, other = RFC8291.subscription.to_json(), LESSON.to_json()
    p256dh, auth = good["keys"]["p256dh"], good["keys"]["auth"]
    raw = RFC8291.ua_public
    no_04, compressed = base64url.encode(raw[1:]), base64url.encode(b"\x02" + raw[1:33])
    wrong_first = base64url.encode(b"\x02" + raw[1:])
    short, long = base64url.encode(bytes(15)), base64url.encode(bytes(range(17)))
    plain = "http://push.example.net/push/abc"
    return [
        ("the RFC's example, which is good", good, []),
        ("another good subscription", other, []),
        ("one with no endpoint", {"keys": good["keys"]}, ["no-endpoint"]),
        ("one with an empty endpoint", good | {"endpoint": ""}, ["no-endpoint"]),
        ("one with a plain http endpoint", good | {"endpoint": plain}, ["endpoint-not-allowed"]),
        ("one with no member keys", {"endpoint": good["endpoint"]}, ["no-keys"]),
        ("one with no auth in keys", good | {"keys": {"p256dh": p256dh}}, ["no-keys"]),
        ("one with no p256dh in keys", good | {"keys": {"auth": auth}}, ["no-keys"]),
        ("one with p256dh and auth swapped", _with(good, auth, p256dh), ["bad-p256dh", "bad-auth"]),
        ("one whose p256dh has 64 bytes", _with(good, no_04, auth), ["bad-p256dh"]),
        ("one whose p256dh has 33 bytes", _with(good, compressed, auth), ["bad-p256dh"]),
        ("one whose p256dh begins with 02", _with(good, wrong_first, auth), ["bad-p256dh"]),
        ("one whose auth has 15 bytes", _with(good, p256dh, short), ["bad-auth"]),
        ("one whose auth has 17 bytes", _with(good, p256dh, long), ["bad-auth"]),
        (
            "one with three faults",
            {"endpoint": plain, "keys": {"p256dh": no_04}},
            ["endpoint-not-allowed", "no-keys", "bad-p256dh"],
        ),
    ]


def _with(subscription: dict, p256dh: str, auth: str) -> dict:
    return subscription | {"keys": {"p256dh": p256dh, "auth": auth}}


@check
def faults(yours: Callable[[dict], list[str]]) -> Right:
    """Check ``faults(subscription)``: all names, in the table's order. W3C Push API §8."""
    cases = _cases()
    for what, subscription, right in cases:
        answer = yours(subscription)
        type_is(f"faults of {what}", answer, list)
        _compare(f"faults of {what}", answer, right)
    return Right(f"faults is right for {len(cases)} subscriptions, two of them good.")


def _compare(name: str, yours: list, right: list[str]) -> None:
    """Compare names of faults. Raises NotYet with a wrong name, or with the number of missing ones."""
    for named in yours:
        if named not in NAMES:
            raise NotYet(f"{name}: {named!r} is not a name of the table")
        if named not in right:
            raise NotYet(f"{name}: you name {named}, and that is in order there")
    if len(yours) != len(set(yours)):
        raise NotYet(f"{name}: a name is there twice")
    if len(yours) < len(right):
        more = ". Go on after the first" if yours == right[:1] else ""
        raise NotYet(f"{name}: there should be {len(right)}, and you name {len(yours)}{more}")
    if yours != right:
        raise NotYet(f"{name}: they are all there, in another order than the table's")


ONE, TWO = ({"p256dh": "one", "auth": "one"}, {"p256dh": "two", "auth": "two"})
PHONE = {"endpoint": "https://push.example.net/phone", "keys": ONE}
LAPTOP = {"endpoint": "https://push.example.net/laptop", "keys": TWO}
THIEF = {"endpoint": PHONE["endpoint"], "keys": TWO}
ADD, REMOVE, NOTIFY = "add-subscription", "remove-subscription", "notify-me"

# One request after the other: what it is, who sends it, the route, the body, the right status.
REQUESTS: list[tuple[str, str | None, str, dict, int]] = [
    ("a subscription from nobody", None, ADD, PHONE, 401),
    ("a removal by nobody", None, REMOVE, PHONE, 401),
    ("a notification for nobody", None, NOTIFY, {}, 401),
    ("Alice, who has none, asks for a notification", "alice", NOTIFY, {}, 409),
    ("Alice's phone", "alice", ADD, PHONE, 201),
    ("Alice's phone at the next visit", "alice", ADD, PHONE, 200),
    ("Alice's laptop", "alice", ADD, LAPTOP, 201),
    ("Alice asks for a notification", "alice", NOTIFY, {}, 202),
    ("Bob, who has none, asks for a notification", "bob", NOTIFY, {}, 409),
    ("Bob removes Alice's phone", "bob", REMOVE, {"endpoint": PHONE["endpoint"]}, 404),
    ("Bob sends the phone's endpoint with other keys", "bob", ADD, THIEF, 409),
    ("Alice removes her laptop", "alice", REMOVE, {"endpoint": LAPTOP["endpoint"]}, 200),
    ("Alice removes it again", "alice", REMOVE, {"endpoint": LAPTOP["endpoint"]}, 404),
    ("Bob logs in at Alice's phone, which sends its subscription", "bob", ADD, PHONE, 200),
    ("Alice, whose phone is Bob's now, asks for a notification", "alice", NOTIFY, {}, 409),
    ("Bob asks for a notification", "bob", NOTIFY, {}, 202),
]


@check
def respond(yours: Guarded) -> Right:
    """Check ``respond(kept, user, route, body) -> status`` with a day's requests."""
    kept: dict = {}
    right: dict = {}
    for what, user, route, body, status in REQUESTS:
        answer = yours.changing(kept, user, route, copy.deepcopy(body))
        type_is(f"{what}: the status", answer, int)
        if answer != status:
            raise NotYet(f"{what}: the status is not {answer}")
        if route == ADD and status < 300:
            right[body["endpoint"]] = {"user": user, "keys": body["keys"]}
        elif route == REMOVE and status == 200:
            del right[body["endpoint"]]
        if len(kept) != len(right):
            raise NotYet(f"{what}: afterwards kept should have {len(right)}, and yours has {len(kept)}")
        if kept != right:
            raise NotYet(f"{what}: kept has the right number, and holds something else than it should")
    return Right(f"{len(REQUESTS)} requests of a day are answered, and nobody gets what is another's.")
