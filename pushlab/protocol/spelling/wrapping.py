"""Where a subscription is, if it is not the object itself: in a member, in an array, in a text.

Frameworks wrap what they send: ``{"subscription": {…}}``, JSON as a text in JSON, a list of all
subscriptions of a user. Others make it flat, and put the keys beside the endpoint or give them other
names. The subscription is there in all of these, so a message should say where.
"""

import ast
import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from pushlab.errors import MalformedJson
from pushlab.protocol import strict_json
from pushlab.protocol.spelling.encodings import lenient_base64

MAX_DEPTH = 4
MAX_MEMBERS = 50
"""Members of an object, or elements of an array, that are looked at."""

FLAT = {
    "p256dh": ("p256dh", "p256dhkey", "publickey", "userpublickey", "p256", "dh", "key"),
    "auth": ("auth", "authkey", "authtoken", "authsecret", "userauth", "secret"),
}
"""Names that libraries give to the two keys: in small letters, without what joins words."""

ENDPOINT = ("endpoint", "url", "pushendpoint", "pushurl")
TYPED = {"S", "N", "M", "L", "stringValue", "mapValue", "nullValue", "$numberLong"}
"""Members in which DynamoDB, Firestore and MongoDB write a value with its type."""

TURN = "Give what JSON.stringify(subscription) prints."
MAX_TEXT = 16384
"""Characters of a text that are looked at: an endpoint has at most 2048."""


PRIVATE = re.compile(r"(?i)(?:\w*[_-])?(?:vapid)?priv(?:ate)?[_-]?key")

Path = tuple[str | int, ...]


class Place(NamedTuple):
    """Where a subscription is. ``what``: the place, in words; ``turn``: what to send instead."""

    name: str
    what: str
    turn: str


KEY_FILE = Place("is-a-key-file", "this is a file with a private key, not a subscription",
    f"Keep the private key on the server. {TURN}")  # fmt: skip


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
    if isinstance(value, str) and not _parsed(value) and value.strip():
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
        if _plain(name) in ENDPOINT and isinstance(inside, str) and inside.startswith("http"):
            return Place("endpoint-named-otherwise", f"the endpoint is in {_step(name)}",
                         "Call it endpoint, in lower case.")  # fmt: skip
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
    if "endpoint" not in members:  # It is no subscription, so what it has are keys for something else.
        return None
    keys = members.get("keys")
    turn = 'Send them as {"keys": {"p256dh": …, "auth": …}}, as JSON.stringify(subscription) does.'
    if isinstance(keys, str) and isinstance(inside := _parsed(keys), Mapping):
        if {"p256dh", "auth"} <= inside.keys():
            return Place("keys-in-a-text", "keys is a string with the object in it: JSON in JSON", turn)
    if isinstance(keys, Mapping):
        pair = _pair(keys)
        pair = "" if set(pair.split(" and ")) <= FLAT.keys() else pair
        return Place("keys-named-otherwise", f"in keys they are {pair}", turn) if pair else None
    if pair := _pair(members):
        beside = " beside endpoint, and not in keys" if set(pair.split(" and ")) <= FLAT.keys() else ""
        return Place("flat", f"the keys are {pair}{beside}", turn)
    return None


def _pair(members: Mapping[str, object]) -> str:
    """Name the two keys that are there, or the one. "" if there are none."""
    texts = [name for name, value in list(members.items())[:MAX_MEMBERS] if isinstance(value, str)]
    found = [
        next((name for one in known for name in texts if _plain(name) == one), "")
        for known in FLAT.values()
    ]
    shown = [_step(name).removeprefix("the member ") for name in found if name]
    # A member that is called key or secret alone may be anything.
    sure = all(found) or any(_plain(name) not in ("", "key", "secret", "dh", "p256") for name in found)
    return " and ".join(shown) if sure else ""


# --- a text that is no JSON -----------------------------------------------------------------------


def find_in_text(text: str) -> Place | None:
    """Say what a text is that should be a subscription, and is no JSON.

    >>> find_in_text("https://push.example.net/secret").name
    'endpoint-alone'
    >>> find_in_text('const subscription = {"endpoint": "https://push.example.net/"};').name
    'json-in-a-text'
    """
    text = text[:MAX_TEXT].strip()
    return next((Place(name, what, turn) for name, what, turn, fits in TEXTS if fits(text)), None)


def _has_endpoint(text: str) -> bool:
    value = _parsed(text)
    return isinstance(value, Mapping) and "endpoint" in value


def _inside(text: str) -> bool:
    start, end = text.find("{"), text.rfind("}")
    return 0 <= start < end and _has_endpoint(text[start : end + 1])


def _by_lines(text: str) -> bool:
    lines = text.splitlines()
    return len(lines) > 1 and _has_endpoint(lines[0])


def _printed_by_python(text: str) -> bool:
    try:
        value = ast.literal_eval(text) if text.startswith("{'") else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return isinstance(value, Mapping) and "endpoint" in value


def _in_base64(text: str) -> bool:
    data = lenient_base64("".join(text.split())) or b""
    return data.isascii() and _has_endpoint(data.decode("ascii", "ignore"))


def _escaped(text: str) -> bool:
    return _has_endpoint(text.replace('\\"', '"').replace("\\\\", "\\").replace("\\n", "\n"))


def _is_cut(text: str) -> bool:
    """Say whether JSON ends inside a text, or before its last brace."""
    # A complete text in quotes is left out, and of one that does not end the quote is kept.
    outside = QUOTED.sub(lambda found: "" if found[1] else '"', text)
    if not BEGUN.match(text):
        return False
    # A quote too many, or too few, is another fault: such a text has its end.
    return not text.endswith("}") if '"' in outside else outside.count("{") > outside.count("}")


QUOTED = re.compile(r'"(?:[^"\\]++|\\.)*+("|\\?\Z)', re.DOTALL)
BEGUN = re.compile(r'\{\s*"(?:endpoint|expirationTime|keys|subscription)"')

TEXTS: tuple[tuple[str, str, str, Callable[[str], object]], ...] = (
    ("is-empty", "there is nothing in it", TURN, lambda text: not text),
    ("endpoint-alone", "it is an endpoint alone",
        'Write {"endpoint": "…", "keys": {…}}; without the keys it gets messages without a payload.',
        re.compile(r"https?://\S+").fullmatch),
    ("is-a-firebase-token", "it is a registration token of Firebase, not a subscription",
        "Call pushManager.subscribe(), and send what it returns.",
        re.compile(r"[\w-]{10,40}:APA91b[\w-]+").fullmatch),
    (*KEY_FILE,
        re.compile(r"(?m)^(?:export )?VAPID_PRIVATE_KEY ?=|-----BEGIN [A-Z ]*PRIVATE KEY-----").search),
    ("is-an-object-s-name", "it is JavaScript's name of an object, without what is in it",
        "Call JSON.stringify(subscription), and not String(subscription).",
        re.compile(r"\[object \w+\]").fullmatch),
    ("is-html", "it is an HTML page",
        "A login or error page was saved in place of it.", re.compile(r"(?i)<(?:!doctype|html)").match),
    ("one-a-line", "there are several, one on each line", "Give one of them.", _by_lines),
    ("comma-too-many", "there is a comma before a closing bracket, which JSON does not have",
        "Leave it out.", lambda text: _has_endpoint(re.sub(r",(?=\s*[}\]])", "", text))),
    ("json-in-a-text", "there is other text around the object", "Leave out what is around it.", _inside),
    ("printed-by-python", "it is a dict as Python prints it", "Write it with json.dumps().",
        _printed_by_python),
    ("in-base64", "it is JSON in base64", "Decode it once.", _in_base64),
    ("json-escaped", "it is JSON with a backslash before each quote",
        "Parse the text around it as JSON first, or leave the backslashes out.", _escaped),
    ("html-escaped", "it is JSON with HTML's &quot; in place of each quote",
        "Decode it once, or read it where it was not written as HTML.",
        lambda text: "&" in text and _has_endpoint(html.unescape(text))),
    ("percent-encoded", "it is JSON with %XX, as in a URL", "Decode it once as a URL.",
        lambda text: "%" in text and _has_endpoint(unquote(text))),
    ("typographic-quotes", "it is JSON with the curly quotes of a word processor",
        "Write straight quotes, or copy it from where it came from.",
        lambda text: _has_endpoint(re.sub("[\u201c-\u201f]", '"', text))),
    ("without-braces", "it is the members of an object without the braces around them",
        "Write { in front of it and } behind it.",
        lambda text: text.startswith('"') and _has_endpoint(f"{{{text.rstrip(',')}}}")),
    ("is-cut", "it is JSON that ends in the middle",
        "Copy it again, up to the last brace: is a column or a form too short for it?", _is_cut),
    ("is-javascript", "it is an object of JavaScript, which JSON cannot read", TURN,
        re.compile(r"[^\n]{0,80}\{\s*endpoint\s*:\s*[\"'`]").match),
    ("form-encoded", "it is a form, not JSON",
        "Send JSON, with Content-Type: application/json.",
        re.compile(r"(?:[^&\n]*&)*endpoint=https?(?:%3A|:)[^\n]*").fullmatch),
    ("is-yaml", "it is YAML, or lines like it", "Write it as JSON.",
        re.compile(r"(?m)^endpoint:\s*[\"']?https?://").search),
)  # fmt: skip
"""What people give in place of a subscription in JSON. The first row that fits is told."""
