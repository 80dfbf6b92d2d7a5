"""Where the keys are in a file, and which tool wrote it.

Node's web-push prints JSON or a text, frameworks keep other names in a ``.env``, and others have
YAML, TOML, PHP or JavaScript. In all of them a value has a name that says ``private``, ``public`` or
``subject``. So nothing is parsed as YAML or PHP: names and values are looked for, and a value counts
if ``recognize`` finds a key in it. The result is what a person would copy by hand.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby, product

from pushlab.errors import MalformedJson, NotUtf8
from pushlab.protocol import p256, strict_json, utf8
from pushlab.protocol.spelling.encodings import lenient_base64
from pushlab.protocol.spelling.recognize import Advice, Spelling, advise_about, recognize
from pushlab.protocol.spelling.shapes import Kind, is_printable
from pushlab.reader import command


@dataclass(frozen=True, repr=False)
class Found:
    """One value of a file: the name that it has there, and how it is written."""

    name: str
    spelling: Spelling


@dataclass(frozen=True, repr=False)
class KeyFile:
    """What a file holds.

    ``form``: what kind of file it is, in words; ``private`` and ``public``: where its keys are, or
    None; ``subject``: the contact, or an empty text; ``problem``: why it cannot be read, if a person
    can do something about it.
    """

    form: str
    private: Found | None = None
    public: Found | None = None
    subject: str = ""
    problem: str = ""

    @property
    def exchanged(self) -> bool:
        """Say whether each half has the other's name."""
        halves = (self.private and self.private.spelling.kind, self.public and self.public.spelling.kind)
        return halves == (Kind.PUBLIC, Kind.PRIVATE)

    @property
    def is_bundled(self) -> bool:
        """Say whether the private key has a name that says that it is for the page."""
        return self.has_private_key and bool(self.private and BUNDLED.match(self.private.name))

    @property
    def has_private_key(self) -> bool:
        """Say whether a private key is in it, under any name."""
        found = (one.spelling.kind for one in (self.private, self.public) if one)
        return Kind.PRIVATE in found

    @property
    def advice(self) -> Advice | None:
        """Say why this is no key file of ours, and what to do; None if there is nothing to say."""
        if self.problem:
            return Advice("no-key-file", f"this is {self.form}", self.problem)
        if self.exchanged:
            return Advice("keys-exchanged", "each half of the pair has the other's name", EXCHANGE)
        if self.private is None:
            missing = Advice("private-key-missing", "there is no private key in it", FIND)
            return missing if self.public else None
        if self.is_bundled:
            seen = f"{self.private.name} is a name whose value bundlers build into the page"
            return Advice("private-key-bundled", seen, f"Rename it. {BURNT}")
        ours = self.form == JWK or self.private.name == WHOLE
        ours = ours or (self.private.name, self.form) == (OUR_NAME, ENV)
        if not ours and self.private.spelling.kind is Kind.PRIVATE:
            turn = (
                f"{IMPORT} reads it, and writes the lab's own file. By hand, write a .env: {self.lines}."
            )
            return Advice("of-another-tool", f"this is {self.form}", turn)
        for half, kind in ((self.private, Kind.PRIVATE), (self.public, Kind.PUBLIC)):
            if half and (found := advise_about(half.spelling, kind)):
                command = f" {IMPORT} does that." if half.spelling.kind is kind else ""
                return Advice(found.name, f"{half.name} is {found.what}", found.turn + command)
        return None

    @property
    def lines(self) -> str:
        """Say which lines a ``.env`` needs, in the names that this file has.

        >>> read('{"publicKey": "A", "privateKey": "B"}').lines
        'VAPID_PRIVATE_KEY=(the value of privateKey) and VAPID_PUBLIC_KEY=(the value of publicKey)'
        """
        halves = (("PRIVATE", self.private), ("PUBLIC", self.public))
        parts = [f"VAPID_{half}_KEY=(the value of {one.name})" for half, one in halves
                 if one and one.name != BOTH_COORDINATES]  # fmt: skip
        return " and ".join(parts)

    def __repr__(self) -> str:
        return f"<KeyFile {self.form}>"


WHOLE = "it"
"""The name of a key that is a whole file."""

WHOLE_FILE = ("of-another-tool", "no-key-file", "keys-exchanged", "private-key-bundled")
"""Advice about a whole file: what is wrong with one value in it does not matter then."""

OUR_NAME, ENV, JWK = "VAPID_PRIVATE_KEY", "a .env", "a JWK"
BOTH_COORDINATES = "x and y"
"""The members of a JWK that are its public half. No one can copy them into one line."""
IMPORT = command("keys --import FILE")
BURNT = "If the private key was given to browsers, everybody has it: make a new pair."
EXCHANGE = f"Exchange the two: {IMPORT} does that. {BURNT}"
FIND = (
    "Find the private half that belongs to it: with a new pair every stored subscription stops working."
)

ROLES = {
    "private": re.compile(r"(?i)private|priv_?key|(?:vapid|push).*secret|^d$"),
    "public": re.compile(r"(?i)public|pub_?key|application_?server_?key"),
    "subject": re.compile(r"(?i)subject|(?:^|_)sub$|mailto|contact|e-?mail"),
}
"""What the names of the two halves and of the contact have in common."""

OURS = re.compile(r"(?i)vapid|push")
"""A file of settings may have other private keys. The names of these say what they are for."""

BUNDLED = re.compile(r"(?:NEXT_PUBLIC|NUXT_PUBLIC|EXPO_PUBLIC|REACT_APP|VITE|VUE_APP|GATSBY|PUBLIC)_")
"""How names begin that bundlers replace by their values in the JavaScript of a page."""

# Each repetition has a bound: without one, a long line without a = costs the square of its length.
PEM_BLOCK = r"-----BEGIN\ [^-]{1,40}+-----[^-]{0,8000}+-----END\ [^-]{1,40}-----"
PAIR = re.compile(
    rf"""(?<![\w$])["'\[:]{{0,2}}
        (?P<name>[A-Za-z_][\w.-]{{0,60}}+(?:[ ](?:server[ ])?key)?)
        ["'\]]{{0,2}}[ \t]{{0,40}}+(?:=>|:=|[:=])[ \t]{{0,40}}+
        (?:[|>]-?[ \t]{{0,40}}+)?                     # YAML's marks of a text of several lines
        (?:\r?\n\s{{0,80}}(?=[^\s:=]{{1,999}}={{0,2}}\s*$|-----BEGIN|string\()|(?=\S))
        (?:string\(\d+\)[ ])?                        # PHP's var_dump()
        (?P<value>["']?{PEM_BLOCK}["']?|"[^"\n]*"|'[^'\n]*'|[^\s"',;}}]+)""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
"""A name and its value: NAME=value, name: value, 'name' => 'value', [name] => value."""

LONGEST_NAME = 32
"""Characters of a name that is repeated. A longer one may have a key in it."""

MAX_LENGTH = 65536
"""Characters of a file that are looked at."""

RUN = re.compile(r"[A-Za-z0-9+/_-]{40,400}+={0,2}")
MAX_RUNS = 40
"""Runs of letters that are looked at, each of which may be a key."""

ROLE = re.compile(r"(?i)(priv)|(pub)")
"""What a heading of CSV or a tag of XML says of the key that belongs to it."""

OPENSSL = re.compile(r"(?m)^ {0,9}(priv|pub):\s{0,9}((?:[0-9a-f]{2}:?\s{0,9}){16,80})")
"""A key as ``openssl ec -text`` prints it."""

MARKUP = re.compile(r"(?i)<(?:!doctype html|html)\b")
MAX_WRAPPINGS = 2
"""Times that a whole file may be encoded before this gives up."""

BINARIES: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (re.compile(rb"PK\x03\x04"), "a ZIP archive", "Unpack it, and give the file in it."),
    (re.compile(rb"\x1f\x8b"), "a file packed by gzip", "Unpack it, and give the file in it."),
    (re.compile(rb"SQLite format 3\0"), "a database of SQLite", "Give the file with the keys."),
    (re.compile(rb"\xfe\xed\xfe\xed"), "a Java keystore",
        "Make a PKCS #12 file of it with keytool -importkeystore, and a PEM of that with openssl."),
    (re.compile(rb"0[\x80-\x84].{0,4}?\x02\x01\x03", re.DOTALL), "a PKCS #12 file (.p12, .pfx)",
        "Take the key out: openssl pkcs12 -in FILE -nocerts -nodes -out NEW."),
)  # fmt: skip
"""Files that are no text, by their first bytes: what each is, and what to do with it."""

CONTACT = re.compile(r"(?:mailto:|https:).+|[^\s@]+@[^\s@]+")
PRINTED = r"(?im)^public key:\r?\n\S{1,200}\r?\n\r?\nprivate key:"

Members = Iterator[tuple[str, object]]


def read(content: str | bytes) -> KeyFile:
    """Find the keys in a file. Never raises.

    ``content``: text, or bytes in any encoding that can be told with certainty.

    >>> read("WEB_PUSH_VAPID_PRIVATE_KEY=" + 42 * "A" + "E").private.name
    'WEB_PUSH_VAPID_PRIVATE_KEY'
    """
    if isinstance(content, bytes):
        if not is_printable(content) and (spelling := recognize(content)).shape:
            return _of_spelling("bytes that are no text", spelling)
        for pattern, form, problem in BINARIES:
            if pattern.match(content):
                return KeyFile(form, problem=problem)
        try:
            content = utf8.decode_any(content)
        except NotUtf8 as reason:
            return KeyFile(reason.detail)
    return _in_text(content[:MAX_LENGTH])


def _in_text(text: str, wrappings: int = 0) -> KeyFile:
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if wrappings < MAX_WRAPPINGS:
        for how, inside in _wrapped(text):
            file = _in_text(inside, wrappings + 1)
            if file.has_private_key and not (file.private and file.private.name == WHOLE):
                return replace(file, form=f"{file.form}, {how}")
    return _read_text(text)


def _wrapped(text: str) -> Iterator[tuple[str, str]]:
    """Yield what a whole file is if it was encoded once: as a text in JSON, or in base64."""
    inside = _parsed(text) if text.startswith('"') else None
    if isinstance(inside, str):
        yield "as JSON in JSON", inside
    data = lenient_base64("".join(text.split())) or b""
    if is_printable(data):
        yield "in base64", data.decode("ascii")


def _read_text(text: str) -> KeyFile:
    if not text:
        return KeyFile("an empty file", problem="Put the key there, or give another file.")
    if MARKUP.match(text):
        return KeyFile("an HTML page", problem="It was saved in place of the file: fetch that again.")
    if text.startswith(("{", "[")) and (value := _parsed(text)) is not None:
        file = _in_json(value) or _by_witness(text)
        return file or (_whole(text, "JSON") if recognize(text).kind else KeyFile("JSON"))
    if text.startswith("-----BEGIN"):
        return _whole(text, "a PEM")
    if blocks := OPENSSL.findall(text):
        return _by_names(
            "the text that openssl ec -text prints", ((f"{name}_key", body) for name, body in blocks)
        )
    found = list(_pairs(text))
    if any(_role_of(name) in ("private", "public") for name, _ in found):
        named = _by_names(_form_of(text), found)
        return named if named.has_private_key else _by_witness(text) or named
    return _by_witness(text) or _whole(text, "one key without a name")


def _parsed(text: str) -> object:
    try:
        return strict_json.parse(text)
    except MalformedJson:
        return None


def _whole(text: str, form: str) -> KeyFile:
    return _of_spelling(form, recognize(text)) if text else KeyFile(form)


def _of_spelling(form: str, spelling: Spelling) -> KeyFile:
    found = Found(WHOLE, spelling)
    if spelling.kind is Kind.PUBLIC:
        return KeyFile(form, public=found)
    return KeyFile(form, private=found)


def _pairs(text: str) -> Members:
    for line in PAIR.finditer(text):
        value = line["value"]
        quoted = value[:1] == value[-1:] and value[:1] in ("'", '"') and len(value) > 1
        yield line["name"], value[1:-1] if quoted else value


def _form_of(text: str) -> str:
    form = next(form for form, pattern in FORMS.items() if re.search(pattern, text))
    ours = re.search(rf"(?m)^(?:export )?{OUR_NAME} {{0,9}}=", text)
    return f"{ENV} with other names" if form == ENV and not ours else form


# How files of different tools differ. The first pattern that is found names the form.
FORMS = {
    "the text that web-push generate-vapid-keys prints": PRINTED,
    "PHP or Ruby": r"=>",
    "JavaScript": r"\b(?:const|let|var|export default)\b|module\.exports|setVapidDetails",
    "TOML or INI": r"(?m)^\[[\w.-]{1,60}\]",
    "Python": r"(?m)^\w{1,60} {0,9}= {0,9}[{(]",
    ENV: r"(?m)^(?:export )?[\w.-]{1,60} {0,9}=(?!=)",
    "YAML, or lines like it": r"(?m)^ {0,20}[\w.-]{1,60}:\s",
    "a text with names and values": r"",
}


# --- JSON ----------------------------------------------------------------------------------------


def _in_json(value: object) -> KeyFile | None:
    """Read a JSON value, or return None if no member of it has a name that says what it is."""
    if isinstance(value, Mapping) and value.get("type") == "service_account":
        problem = ("A service account has an RSA key for Google's own API. Web push needs a VAPID "
                   "pair: copy the one under Web Push certificates, or make one.")  # fmt: skip
        return KeyFile("the JSON of a Firebase service account", problem=problem)
    if isinstance(value, Mapping) and "kty" in value:
        return _of_jwk(value)
    sets = value.get("keys") if isinstance(value, Mapping) else value
    if isinstance(sets, list) and (jwks := [one for one in sets if _is_jwk(one)]):
        return _in_set(jwks)
    form = "JSON"
    if isinstance(value, Mapping) and {"publicKey", "privateKey"} <= value.keys():
        form = "the JSON of web-push generate-vapid-keys"
    if isinstance(value, Mapping) and ("endpoint" in value):
        problem = "A subscription belongs to one browser, and holds no VAPID key."
        return KeyFile("the JSON of a subscription", problem=problem)
    named = _by_names(form, _walk(value))
    return named if named.private or named.public else None


def _of_jwk(jwk: Mapping[str, object]) -> KeyFile:
    if (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
        return KeyFile(JWK)
    halves = {"d": _spelling_of_jwk(jwk, "private"), BOTH_COORDINATES: _spelling_of_jwk(jwk, "public")}
    private, public = (Found(name, one) if one else None for name, one in halves.items())
    return KeyFile(JWK, private, public)


def _in_set(jwks: list[Mapping[str, object]]) -> KeyFile:
    """Read a JWK set, RFC 7517 §5: its first P-256 key that has a private half, or a public one."""
    keys = [jwk for jwk in jwks if (jwk.get("kty"), jwk.get("crv")) == ("EC", "P-256")]
    keys.sort(key=lambda jwk: "d" not in jwk)
    if not keys:
        return KeyFile("a JWK set", problem="It has no key of kty EC and crv P-256.")
    return replace(_of_jwk(keys[0]), form="a JWK set")


def _walk(value: object, depth: int = 0) -> Members:
    """Yield the members of an object, and those of the objects in it."""
    if not isinstance(value, Mapping) or depth > 4:
        return
    for name, inside in value.items():
        if isinstance(inside, str) or _is_jwk(inside):
            yield name, inside
        elif (
            _role_of(name) and isinstance(inside, list | Mapping) and recognize(json.dumps(inside)).kind
        ):
            yield name, json.dumps(inside)  # A list of bytes, or a Buffer of Node's.
        else:
            yield from _walk(inside, depth + 1)


def _is_jwk(value: object) -> bool:
    return isinstance(value, Mapping) and "kty" in value


# --- both halves ---------------------------------------------------------------------------------


def _role_of(name: str) -> str:
    return next((role for role, pattern in ROLES.items() if pattern.search(name)), "")


def _by_names(form: str, members: Iterable[tuple[str, object]]) -> KeyFile:
    halves: dict[str, list[Found]] = {"private": [], "public": []}
    subjects = []
    for name, value in members:
        role = _role_of(name)
        if role == "subject" and isinstance(value, str):
            value = value.replace("\\:", ":")  # Java writes a colon in a value so.
            subjects += [value] if CONTACT.fullmatch(value) else []
        elif role in halves and (spelling := _spelling(value, role)):
            halves[role].append(Found(name if len(name) <= LONGEST_NAME else "a value", spelling))
    private, public = _halves(*map(_by_promise, halves.values()))
    return KeyFile(form, private, public, subjects[0] if subjects else "")


def _by_promise(candidates: list[Found]) -> list[Found]:
    return sorted(candidates, key=lambda one: (not one.spelling.kind, not OURS.search(one.name)))


def _halves(private: list[Found], public: list[Found]) -> tuple[Found | None, Found | None]:
    """Choose the halves that belong together; if none do, the most promising of each."""
    for one, other in product(private, public):
        if other.spelling.kind is Kind.PUBLIC and public_of(one.spelling) == other.spelling.raw:
            return one, other
    return next(iter(private), None), next(iter(public), None)


def _by_witness(text: str) -> KeyFile | None:
    """Find both halves in any text: two runs of letters, one of which is the public key of the other.

    Words beside them may say which is which, as headings and tags do. They may be wrong.
    """
    matches = [found for found, _ in zip(RUN.finditer(text), range(MAX_RUNS), strict=False)]
    runs = [(found.start(), recognize(found[0])) for found in matches]
    private, public = _halves(
        [Found("the shorter text", one) for _, one in runs if one.kind is Kind.PRIVATE],
        [Found("the longer text", one) for _, one in runs if one.kind is Kind.PUBLIC],
    )
    if not private or not public or public_of(private.spelling) != public.spelling.raw:
        return None
    form = "a text that has both halves of a pair"
    starts = [next(at for at, one in runs if one is half.spelling) for half in (private, public)]
    words = ["private" if found[1] else "public" for found in ROLE.finditer(RUN.sub(" ", text))]
    order = [word for word, _ in groupby(words)]
    if order == (["public", "private"] if starts[0] < starts[1] else ["private", "public"]):
        return KeyFile(
            form, Found("the private one", public.spelling), Found("the public one", private.spelling)
        )
    return KeyFile(form, private, public)


def public_of(spelling: Spelling) -> bytes:
    """Return the public half (65 bytes) of what may be a private key, or no bytes if it is none."""
    if spelling.kind is not Kind.PRIVATE:
        return b""
    return p256.raw_public(p256.load_private(spelling.raw))


def _spelling(value: object, role: str) -> Spelling | None:
    if isinstance(value, str):
        return recognize(value)
    assert isinstance(value, Mapping)
    return _spelling_of_jwk(value, role)


def _spelling_of_jwk(jwk: Mapping[str, object], role: str) -> Spelling | None:
    names = ("d",) if role == "private" else ("x", "y")
    if not all(isinstance(jwk.get(name), str) for name in names):
        return None
    if role == "private":
        return recognize(str(jwk["d"]))
    x, y = (recognize(str(jwk[name])).data or b"" for name in names)
    return recognize(b"\x04" + x + y)
