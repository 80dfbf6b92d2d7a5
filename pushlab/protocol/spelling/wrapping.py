"""Where a subscription is, if it is not the object itself: in a member, in an array, in a text.

Frameworks wrap what they send: ``{"subscription": {…}}``, JSON as a text in JSON, a list of all
subscriptions of a user. Others make it flat, and put the keys beside the endpoint or give them other
names. The subscription is there in all of these, so a message should say where.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from pushlab.protocol.spelling.subscription_text import (
    FIREBASE_TOKEN,
    KEY_FILE,
    NOBODY,
    OF_FIREBASE,
    Place,
    find_in_text,
    parsed,
)

MAX_DEPTH = 4
MAX_TOKEN = 500
MAX_MEMBERS = 50
"""Members of an object, or elements of an array, that are looked at."""

FLAT = {
    "p256dh": ("p256dh", "p256dhkey", "publickey", "userpublickey", "p256", "dh", "key"),
    "auth": ("auth", "authkey", "authtoken", "authsecret", "userauth", "secret"),
}
"""Names that libraries give to the two keys: in small letters, without what joins words."""

ENDPOINT = ("endpoint", "url", "pushurl")
ENDS = re.compile(
    r"\w*(?:push|web|sub|subscription|subscriber|notification|device|browser|user|client)endpoint"
)
"""Names that end in endpoint, and mean that of a subscription: OAuth has others."""
WORDS = re.compile(r"[a-z0-9]*subscription|pushsub")
"""Names of a member that has the whole subscription: in small letters."""

TYPED = {"S", "N", "M", "L", "stringValue", "mapValue", "nullValue", "$numberLong"}
"""Members in which DynamoDB, Firestore and MongoDB write a value with its type."""

PRIVATE = re.compile(r"(?i)(?:\w*[_-])?(?:vapid)?priv(?:ate)?[_-]?key")

Path = tuple[str | int, ...]


def find(value: object) -> Place | None:
    """Say where in a JSON value a subscription is, if it is not the value itself.

    Returns None if the value has an endpoint of its own, or if there is none in it.

    >>> find({"user": 1, "subscription": {"endpoint": "https://push.example.net/"}}).what
    'the subscription is in the member subscription'
    >>> find('{"endpoint": "https://push.example.net/"}').name
    'json-in-json'
    """
    if isinstance(value, Mapping) and "endpoint" in value:
        return _typed(value["endpoint"])
    if isinstance(value, str) and not parsed(value) and value.strip():
        return find_in_text(value)
    path, inside = next(_paths(value, ()), (None, {}))
    if path is None:
        return _key_file(value) or _named_otherwise(value)
    if typed := _typed(inside.get("endpoint")):
        return typed
    if path == ("",):
        return Place("json-in-json", "the subscription is in a string: JSON in JSON",
                     "Call JSON.stringify() once, or parse the text once more.")  # fmt: skip
    where = " of ".join(map(_step, reversed(path)))
    if isinstance(path[0], int) and isinstance(value, Sequence):
        count = f" of {len(value)}" if len(value) > 1 else ""
        turn = "Send one object at a time, without the brackets around it."
        return Place("in-an-array", f"the subscription is {where}{count}", turn)
    return Place("wrapped", f"the subscription is in {where}", "Send that object itself.")


def _key_file(value: object) -> Place | None:
    """Say that an object has a private key by its name, as no subscription has, or is a JWK with one."""
    inside = [value, *list(value.values())[:MAX_MEMBERS]] if isinstance(value, Mapping) else []
    for one in inside:
        if isinstance(one, Mapping) and ({"kty", "d"} <= one.keys() or any(map(PRIVATE.fullmatch, one))):
            return KEY_FILE
    return None


def _named_otherwise(value: object) -> Place | None:
    """Say that the endpoint has another name in an object, such as Endpoint or url."""
    if not isinstance(value, Mapping):
        return None
    for name, inside in list(value.items())[:MAX_MEMBERS]:
        if isinstance(inside, str) and inside.startswith("http") and _means_endpoint(_plain(name)):
            return Place("endpoint-named-otherwise", f"the endpoint is in {_step(name)}",
                         "Call it endpoint, in lower case.")  # fmt: skip
    for name, inside in list(value.items())[:MAX_MEMBERS]:
        one = inside[0] if isinstance(inside, list) and inside else inside
        if isinstance(one, str) and OF_FIREBASE.fullmatch(one[:MAX_TOKEN]):
            return FIREBASE_TOKEN._replace(what=FIREBASE_TOKEN.what.replace("it", _step(name), 1))
    return None


def _means_endpoint(name: str) -> bool:
    return name in ENDPOINT or ENDS.fullmatch(name) is not None or _is_slip(name, "endpoint")


def _is_slip(name: str, word: str) -> bool:
    """Say whether a name is a word in which one letter is missing, added, wrong, or out of turn.

    >>> [_is_slip(name, "p256dh") for name in ("p265dh", "p256h", "p256ddh", "p25dh6", "p256dh")]
    [True, True, True, False, False]
    """
    if name == word or abs(len(name) - len(word)) > 1:
        return False
    same = next((at for at, (one, two) in enumerate(zip(name, word, strict=False)) if one != two),
                min(len(name), len(word)))  # fmt: skip
    mine, right = name[same:], word[same:]
    return (
        mine[1:] in (right, right[1:])
        or mine == right[1:]
        or (mine[:2] == right[1::-1] and mine[2:] == right[2:])
    )


def find_instead(value: object) -> Place | None:
    """Say where a subscription is in a JSON value, or what stands in its place, such as null.

    Returns None if the value is something else: most objects have nothing to do with web push.

    >>> find_instead({"subscription": None}).what
    'in the member subscription: nobody is subscribed: there is no more than null'
    >>> print(find_instead({"success": True}))
    None
    """
    return find(value) or _nothing(value)


def _nothing(value: object) -> Place | None:
    if found := _nothing_at_all(value):
        return found
    if not isinstance(value, Mapping) or "endpoint" in value:
        return None
    for name, inside in list(value.items())[:MAX_MEMBERS]:
        if WORDS.fullmatch(_plain(name)):
            found = find_in_text(inside) if isinstance(inside, str) else _nothing_at_all(inside)
            if found:
                return found._replace(what=f"in {_step(name)}: {found.what}")
    return None


def _nothing_at_all(value: object) -> Place | None:
    if value is None or value is False:
        return NOBODY
    if value == {}:
        return Place("is-an-empty-object", "it is an empty object, as a copy by {...subscription} is",
            "Send JSON.stringify(subscription): it reads what a copy does not have.")  # fmt: skip
    return None


def _typed(value: object) -> Place | None:
    """Say that a value is an object with its type, as databases write it."""
    if isinstance(value, Mapping) and value.keys() & TYPED and len(value) == 1:
        turn = "Read the item with the database's own library, and give its plain values."
        return Place(
            "typed-values", "each value is an object with its type, as databases write it", turn
        )
    return None


def _plain(name: str) -> str:
    """Write a name in small letters, without what joins its words.

    >>> _plain("P256DH_Key"), _plain("auth ")
    ('p256dhkey', 'auth')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _step(part: str | int) -> str:
    if part == "":
        return "the JSON text"
    if isinstance(part, int):
        return f"element {part} of the array"
    # A name may be anything: one that is no word is not repeated.
    return f"the member {part}" if part.isidentifier() and len(part) <= 40 else "a member"


def _paths(value: object, path: Path) -> Iterator[tuple[Path, Mapping[str, object]]]:
    """Yield where an object with an endpoint is, and the object."""
    if len(path) > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        if "endpoint" in value:
            yield path, value
            return
        steps = list(value.items())[:MAX_MEMBERS]
    elif isinstance(value, str):
        inside = parsed(value)
        steps = [] if inside is None else [("", inside)]
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        steps = list(enumerate(value[:MAX_MEMBERS]))
    else:
        return
    for name, inside in steps:
        yield from _paths(inside, (*path, name))


def find_keys(members: Mapping[str, object]) -> Place | None:
    """Say where the two keys are, if they are not p256dh and auth in an object ``keys``.

    >>> find_keys({"endpoint": "https://push.example.net/", "publicKey": "B", "authToken": "A"}).what
    'the keys are publicKey and authToken'
    """
    if "endpoint" not in members:  # It is no subscription, so what it has are keys for something else.
        return None
    keys = members.get("keys")
    turn = 'Send them as {"keys": {"p256dh": …, "auth": …}}, as JSON.stringify(subscription) does.'
    if isinstance(keys, str) and isinstance(inside := parsed(keys), Mapping):
        if {"p256dh", "auth"} <= inside.keys():
            return Place("keys-in-a-text", "keys is a string with the object in it: JSON in JSON", turn)
    if isinstance(keys, Mapping):
        if slips := [(name, word) for word in FLAT if (name := _slip(keys, word))]:
            seen = " and ".join(_step(name).removeprefix("the member ") for name, _ in slips)
            words = " and ".join(word for _, word in slips)
            return Place("keys-misspelled", f"keys has {seen}", f"Write {words}, letter for letter.")
        pair = _pair(keys)
        pair = "" if set(pair.split(" and ")) <= FLAT.keys() else pair
        return Place("keys-named-otherwise", f"in keys they are {pair}", turn) if pair else None
    if pair := _pair(members):
        beside = " beside endpoint, and not in keys" if set(pair.split(" and ")) <= FLAT.keys() else ""
        return Place("flat", f"the keys are {pair}{beside}", turn)
    return None


def _slip(keys: Mapping[str, object], word: str) -> str:
    """Return the name in ``keys`` that is meant for a word and is misspelled, or ""."""
    if word in keys:
        return ""
    texts = (name for name, value in list(keys.items())[:MAX_MEMBERS] if isinstance(value, str))
    known = {name for names in FLAT.values() for name in names}
    return next(
        (name for name in texts if _plain(name) not in known and _is_slip(_plain(name), word)), ""
    )


def _pair(members: Mapping[str, object]) -> str:
    """Name the two keys that are there, or the one. "" if there are none."""
    texts = [name for name, value in list(members.items())[:MAX_MEMBERS] if isinstance(value, str)]
    found = [
        next((name for one in known for name in texts if _plain(name) == one), "")
        for known in FLAT.values()
    ]
    if not found[0]:  # In no other word are these six characters, so a slip or a prefix is certain.
        found[0] = next(
            (
                name for name in texts
                if _plain(name).endswith("p256dh") or _is_slip(_plain(name), "p256dh")
            ),
            "",
        )  # fmt: skip
        prefix = _plain(found[0]).removesuffix("p256dh")
        found[1] = found[1] or next((name for name in texts if _plain(name) == f"{prefix}auth"), "")
    shown = [_step(name).removeprefix("the member ") for name in found if name]
    # A member that is called key or secret alone may be anything.
    sure = all(found) or any(_plain(name) not in ("", "key", "secret", "dh", "p256") for name in found)
    return " and ".join(shown) if sure else ""
