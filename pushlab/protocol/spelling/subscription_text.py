"""What a text is that should be a subscription, and is no JSON.

Consoles, databases and programs of every language print a subscription in a form of their own, and
mails, forms and terminals change the JSON that somebody sends through them. The table ``TEXTS`` names
these forms. None of them is read: a message should say what the text is, and how to make JSON of it.
"""

import ast
import json
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from pushlab.errors import MalformedJson
from pushlab.protocol import strict_json
from pushlab.protocol.spelling.encodings import NOT_PYTHON, lenient_base64
from pushlab.protocol.spelling.entities import unescaped

TURN = "Give what JSON.stringify(subscription) prints."
MAX_TEXT = 8192
"""Characters of a text that are looked at: an endpoint has at most 2048."""


class Place(NamedTuple):
    """Where a subscription is. ``what``: the place, in words; ``turn``: what to send instead."""

    name: str
    what: str
    turn: str


KEY_FILE = Place("is-a-key-file", "this is a file with a private key, not a subscription",
    f"Keep the private key on the server. {TURN}")  # fmt: skip
NOBODY = Place("is-nobody", "nobody is subscribed: there is no more than null",
    "Call pushManager.subscribe() first, and send what it returns.")  # fmt: skip
FIREBASE_TOKEN = Place("is-a-firebase-token",
    "it is a registration token of Firebase, not a subscription",
    "Call pushManager.subscribe(), and send what it returns.")  # fmt: skip
OF_FIREBASE = re.compile(r"[\w-]{10,40}:APA91b[\w-]+")


def find_in_text(text: str) -> Place | None:
    """Say what a text is that should be a subscription, and is no JSON.

    >>> find_in_text("https://push.example.net/secret").name
    'endpoint-alone'
    >>> find_in_text('const subscription = {"endpoint": "https://push.example.net/"};').name
    'json-in-a-text'
    """
    text = text[:MAX_TEXT].strip()
    return next((Place(name, what, turn) for name, what, turn, fits in TEXTS if fits(text)), None)


def parsed(text: str) -> object:
    """Return the value of a text that is JSON and begins like an object, an array or a text, or None."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return None
    try:
        return strict_json.parse(text)
    except MalformedJson:
        return None


# --- JSON that something has happened to ---------------------------------------------------------


def _has_endpoint(text: str) -> bool:
    value = parsed(text)
    return isinstance(value, Mapping) and "endpoint" in value


def _ends(text: str) -> list[int]:
    """Return where objects with an endpoint end in a text: the first object, or that of the name."""
    starts = {text.find("{"), text.rfind("{", 0, max(0, text.find('"endpoint"')))} - {-1}
    ends = []
    for start in sorted(starts):
        try:
            end = _DECODER.raw_decode(text, start)[1]
        except (ValueError, RecursionError):
            continue
        if _has_endpoint(text[start:end]):
            ends.append(end)
    return ends


_DECODER = json.JSONDecoder()


def _inside(text: str) -> bool:
    return bool(_ends(text))


def _several(text: str) -> bool:
    return any(text[end:].lstrip(" \t\r\n,").startswith("{") for end in _ends(text)[:1])


def _by_lines(text: str) -> bool:
    lines = text.splitlines()
    return len(lines) > 1 and _has_endpoint(lines[0])


def _in_base64(text: str) -> bool:
    data = lenient_base64("".join(text.split())) or b""
    return data.isascii() and _has_endpoint(data.decode("ascii", "ignore"))


def _escaped(text: str) -> bool:
    return _inside(text.replace('\\"', '"').replace("\\\\", "\\").replace("\\n", "\n"))


def _in_csv(text: str) -> bool:
    return '""' in text and _inside(text.replace('""', '"'))


def _unbraced(text: str) -> bool:
    begun = "{" + text.rstrip(",")
    return text.startswith('"') and any(map(_has_endpoint, (begun, begun + "}")))


def _printed_by_python(text: str) -> bool:
    if OF_PYTHON.search(text) and HOLDS.search(text):
        return True
    try:
        value = ast.literal_eval(text) if text.startswith("{'") else None
    except NOT_PYTHON:
        return False
    return isinstance(value, Mapping) and "endpoint" in value


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
LIKE_JSON = str.maketrans(
    "\u00a0\u2007\u202f\u3000\uff1a\uff0c\uff5b\uff5d\uff3b\uff3d\uff02", '    :,{}[]"'
)
MARGIN = re.compile(r"(?m)^[ \t]*(?:[>|#][ \t]?)+")
CURLY = re.compile("[\u201c-\u201f\u2018-\u201b\u00ab\u00bb\u2033\uff02]")


# --- forms of other languages --------------------------------------------------------------------

HOLDS = re.compile(
    r"(?is)endpoint.{0,60}?https?(?::|%3A)"
    r"|https?://[\w.-]{0,80}(?:fcm\.googleapis|push\.services\.mozilla|push\.apple|notify\.windows)\."
)
"""Signs of an endpoint in any form: its name with a URL after it, or a vendor's host."""

OF_PYTHON = re.compile(
    r"""["']\w+["']\s*:\s*(?:None|True|False)\b"""
    r"|\bsubscription_info\s*=|\bwebpush\(|\bWebPusher\("
)


def _form(pattern: str) -> Callable[[str], bool]:
    """Return a test for a form: the pattern is in the text, and an endpoint too."""
    sign = re.compile(pattern)
    return lambda text: sign.search(text) is not None and HOLDS.search(text) is not None


COLUMNS = 'Write {"endpoint": "…", "keys": {"p256dh": "…", "auth": "…"}} with the values of its columns.'

# A table: a row a form. What is more certain stands before what is more general.
# fmt: off
TEXTS: tuple[tuple[str, str, str, Callable[[str], object]], ...] = (
    ("is-empty", "there is nothing in it", TURN, lambda text: not text),
    (*NOBODY, re.compile(r"(?:undefined|null|NULL|None|nil|false)[.;]?").fullmatch),
    ("endpoint-alone", "it is an endpoint alone",
        'Write {"endpoint": "…", "keys": {…}}; without the keys it gets messages without a payload.',
        re.compile(r"<?https?://\S+").fullmatch),
    (*FIREBASE_TOKEN, OF_FIREBASE.fullmatch),
    ("is-an-expo-token", "it is a push token of Expo's, not a subscription", FIREBASE_TOKEN.turn,
        re.compile(r"Expo(?:nent)?PushToken\[.*\]").fullmatch),
    (*KEY_FILE,
        re.compile(r"(?m)^(?:export )?VAPID_PRIVATE_KEY ?=|-----BEGIN [A-Z ]*PRIVATE KEY-----").search),
    ("is-an-object-s-name", "it is JavaScript's name of an object, without what is in it",
        "Call JSON.stringify(subscription), and not String(subscription).",
        re.compile(r"\[object \w+\]").fullmatch),
    ("is-html", "it is an HTML page",
        "A login or error page was saved in place of it.", re.compile(r"(?i)<(?:!doctype|html)").match),
    ("one-a-line", "there are several, one on each line", "Give one of them.", _by_lines),
    ("several", "there are several, one after the other", "Give one of them.", _several),
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
        lambda text: "&" in text and _inside(unescaped(text))),
    ("percent-encoded", "it is JSON with %XX, as in a URL", "Decode it once as a URL.",
        lambda text: "%" in text and _inside(unquote(text))),
    ("quotes-doubled", "it is a field of CSV: each quote in it is doubled",
        "Read the row with a library for CSV, or write one quote for two.", _in_csv),
    ("with-a-margin", "each line has a margin, as mails and remarks have: > or |",
        "Leave it out, or copy the text from where it came from.",
        lambda text: MARGIN.search(text) and _inside(MARGIN.sub("", text))),
    ("typographic-quotes", "it is JSON with the curly quotes of a word processor",
        "Write straight quotes, or copy it from where it came from.",
        lambda text: CURLY.search(text) and _inside(CURLY.sub('"', text))),
    ("other-characters", "it has characters that only look like JSON's: a no-break space, a wide colon",
        "Write the plain characters, or copy it from where it came from.",
        lambda text: not text.isascii() and _inside(text.translate(LIKE_JSON))),
    ("lines-wrapped", "it has line breaks inside its strings, as a terminal wraps long lines",
        "Join the lines, or copy it from where they are not wrapped.",
        lambda text: "\n" in text and _inside("".join(text.splitlines()))),
    ("single-quotes", "it has single quotes, where JSON has double ones", TURN,
        lambda text: text.startswith("{") and _has_endpoint(text.replace("'", '"'))),
    ("without-braces", "it is the members of an object without the brace or the braces around them",
        "Write { in front of it and } behind it, one of each.", _unbraced),
    ("is-cut", "it is JSON that ends in the middle",
        "Copy it again, up to the last brace: is a column or a form too short for it?", _is_cut),
    ("printed-by-elixir", "it is a map as Elixir prints it", "Write it with Jason.encode!().",
        _form(r"%\{")),
    ("printed-by-php", "it is an array or an object as PHP writes it", "Write it with json_encode().",
        _form(r"""'\w+'\s*=>|(?:\[|\barray\()\s*"\w+"\s*=>|\["?\w+"?\]\s?=>|\w::create\(""")),
    ("printed-by-ruby", "it is a Hash as Ruby prints it", "Write it with to_json.",
        _form(r""":\w+\s?=>|["']\w+["']\s?=>""")),
    ("printed-by-mongosh", "it is a document as MongoDB's shell prints it",
        "Print it there with JSON.stringify(document), and give its endpoint and keys.",
        _form(r"\b(?:ObjectId|ISODate|NumberLong)\(")),
    ("printed-by-go", "it is a struct as Go prints it", "Write it with json.Marshal().",
        _form(r"\{(?:Endpoint|Keys):")),
    ("printed-by-rust", "it is a struct as Rust prints it", "Write it with serde_json::to_string().",
        _form(r"\bSubscriptionInfo\s*\{|\bkeys:\s?[A-Z]\w*\s*\{\s*(?:p256dh|auth):")),
    ("is-javascript", "it is an object of JavaScript, which JSON cannot read", TURN,
        re.compile(r"[^\n]{0,80}\{\s*endpoint\s*:\s*[\"'`]|PushSubscription\s*[{\n]").match),
    ("is-code", "it is a line of a program, or of a shell", TURN,
        _form(r"""(?i)\bnew \w*\(\s*["']|\w\(\s*endpoint\s*:|--endpoint\b""")),
    ("printed-by-tostring", "it is an object as a program prints it, with toString() or the like",
        "Write it with the JSON library of that program.",
        _form(r"(?i)[({\[,]\s*endpoint\s*=\s*[\"']?https?:")),
    ("is-a-row", "it is a row of a database or a table", COLUMNS,
        _form(r"(?i)\binsert\s+into\b|\*{5} \d{1,9}\. row"
              r"|\A[\w\" ,;|\t]{0,200}\bendpoint\b[\w\" ]*[,;|\t]"
              r"|https?://[^\s|,;\"']{1,2048}+[\"']?[ \t|,;]{1,9}[\"']?B[\w+/-]{40}")),
    ("form-encoded", "it is a form, not JSON",
        "Send JSON, with Content-Type: application/json.",
        re.compile(r"(?:[^&\n]*&)*(?:\w+(?:\[|%5B))?endpoint(?:\]|%5D)?=https?(?:%3A|:)[^\n]*").fullmatch),
    ("is-lines", "it is lines with a name and a value, as in a .env or a TOML file", "Write it as JSON.",
        re.compile(r"(?mi)^[ \t]*(?:export )?\w*endpoint[ \t]*=[ \t]*[\"']?https?://").search),
    ("is-yaml", "it is YAML, or lines like it", "Write it as JSON.",
        re.compile(r"(?mi)^[ \t]*(?:- )?endpoint:\s*[\"']?https?://").search),
    ("is-xml", "it is XML", "Write it as JSON.", _form(r"(?i)<\w*endpoint>")),
    ("is-javascript", "it is an object of JavaScript, which JSON cannot read", TURN,
        _form(r"[{,]\s*endpoint\s*:\s*[\"'`]")),
    ("is-an-error", "it is the text of an error: nobody was subscribed",
        "Mend that error first: there is a subscription once subscribe() has succeeded.",
        re.compile(r"(?:Uncaught )?(?:\(in promise\) ?:? ?)?(?:\w*Error|DOMException)\b").match),
    ("holds-an-endpoint", "an endpoint is in it", TURN, HOLDS.search),
)
# fmt: on
"""What people give in place of a subscription in JSON. The first row that fits is told."""
