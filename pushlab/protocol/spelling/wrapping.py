"""Where a subscription is, if it is not the object itself: in a member, in an array, in a text.

Frameworks wrap what they send: ``{"subscription": {…}}``, JSON as a text in JSON, a list of all
subscriptions of a user. Others make it flat, and put the keys beside the endpoint or give them other
names. The subscription is there in all of these, so a message should say where.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pushlab.errors import MalformedJson
from pushlab.protocol import strict_json

MAX_DEPTH = 4
MAX_MEMBERS = 50
"""Members of an object, or elements of an array, that are looked at."""

FLAT = {
    "p256dh": ("p256dh", "p256dhKey", "p256dh_key", "p256_dh", "publicKey", "public_key",
               "userPublicKey", "key"),
    "auth": ("auth", "authKey", "auth_key", "authToken", "auth_token", "authSecret", "auth_secret",
             "userAuth", "secret"),
}  # fmt: skip
"""Names that libraries give to the two keys where they keep them beside the endpoint."""


class Place(NamedTuple):
    """Where a subscription is. ``what``: the place, in words; ``turn``: what to send instead."""

    name: str
    what: str
    turn: str


def find(value: object) -> Place | None:
    """Say where in a JSON value a subscription is, if it is not the value itself.

    Returns None if the value has an endpoint of its own, or if there is none in it.

    >>> find({"user": 1, "subscription": {"endpoint": "https://push.example.net/"}}).what
    'the subscription is in the member subscription'
    >>> find('{"endpoint": "https://push.example.net/"}').name
    'json-in-json'
    """
    if isinstance(value, Mapping) and "endpoint" in value:
        return None
    path = next(_paths(value, ()), None)
    if path is None:
        return None
    if path == ("",):
        return Place("json-in-json", "the subscription is in a text, as JSON in JSON",
                     "Call JSON.stringify() once, or parse the text once more.")  # fmt: skip
    where = " of ".join(map(_step, reversed(path)))
    if isinstance(path[0], int) and isinstance(value, Sequence):
        count = f" of {len(value)}" if len(value) > 1 else ""
        turn = "Send one object at a time, without the brackets around it."
        return Place("in-an-array", f"the subscription is {where}{count}", turn)
    return Place("wrapped", f"the subscription is in {where}", "Send that object itself.")


def _step(part: str | int) -> str:
    if part == "":
        return "the JSON text"
    if isinstance(part, int):
        return f"element {part} of the array"
    # A name may be anything: one that is no word is not repeated.
    return f"the member {part}" if part.isidentifier() and len(part) <= 40 else "a member"


def _paths(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if len(path) > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        if "endpoint" in value:
            yield path
            return
        steps = list(value.items())[:MAX_MEMBERS]
    elif isinstance(value, str):
        inside = _parsed(value)
        steps = [] if inside is None else [("", inside)]
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        steps = list(enumerate(value[:MAX_MEMBERS]))
    else:
        return
    for name, inside in steps:
        yield from _paths(inside, (*path, name))


def _parsed(text: str) -> object:
    if not text.lstrip().startswith(("{", "[", '"')):
        return None
    try:
        return strict_json.parse(text)
    except MalformedJson:
        return None


def find_keys(members: Mapping[str, object]) -> Place | None:
    """Say where the two keys are, if they are not p256dh and auth in an object ``keys``.

    >>> find_keys({"endpoint": "https://push.example.net/", "publicKey": "B", "authToken": "A"}).what
    'the keys are publicKey and authToken'
    """
    keys = members.get("keys")
    turn = 'Send them as {"keys": {"p256dh": …, "auth": …}}, as JSON.stringify(subscription) does.'
    if isinstance(keys, str) and isinstance(inside := _parsed(keys), Mapping):
        if {"p256dh", "auth"} <= inside.keys():
            return Place("keys-in-a-text", "keys is a text with the object in it, as JSON in JSON", turn)
    if isinstance(keys, Mapping):
        pair = _pair(keys)
        return Place("keys-named-otherwise", f"in keys they are {pair}", turn) if pair else None
    if pair := _pair(members):
        beside = " beside endpoint, and not in keys" if pair == "p256dh and auth" else ""
        return Place("flat", f"the keys are {pair}{beside}", turn)
    return None


def _pair(members: Mapping[str, object]) -> str:
    names = [
        next((name for name in known if isinstance(members.get(name), str)), None)
        for known in FLAT.values()
    ]
    return f"{names[0]} and {names[1]}" if all(names) else ""
