"""Where the keys are in a file, and which tool wrote it.

Node's web-push prints JSON or a text, frameworks keep other names in a ``.env``, and others have
YAML, TOML, PHP or JavaScript. In all of them a value has a name that says ``private``, ``public`` or
``subject``. So nothing is parsed as YAML or PHP: names and values are looked for, and a value counts
if ``recognize`` finds a key in it. The result is what a person would copy by hand.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain

from pushlab.errors import MalformedJson, NotUtf8
from pushlab.protocol import strict_json, utf8
from pushlab.protocol.spelling.encodings import lenient_base64
from pushlab.protocol.spelling.halves import (
    by_names,
    by_the_public_half,
    by_witness,
    role_of,
    spelling_of_jwk,
)
from pushlab.protocol.spelling.key_file import (
    BOTH_COORDINATES,
    ENV,
    IMPORT,
    JWK,
    OUR_NAME,
    OUR_NAMES,
    WHOLE,
    Found,
    KeyFile,
)
from pushlab.protocol.spelling.recognize import Spelling, recognize
from pushlab.protocol.spelling.shapes import TEXT_LENGTHS, Kind, is_printable, raw_private

# Each repetition has a bound: without one, a long line without a = costs the square of its length.
PEM_BLOCK = r"-----BEGIN\ [^-]{1,40}+-----[^-]{0,8000}+-----END\ [^-]{1,40}-----"
TYPE = (
    r"(?:&?(?:'static\ )?str|string|bytes?|uint8array|buffer|bytearray|data|number\[\]|array<number>"
    r"|vec<u8>|\[u?(?:int)?8(?:;\ ?\d{1,3})?\]|\[\d{0,3}\](?:byte|uint8))(?:\ \|\ \w{1,9})?"
)
"""What TypeScript, Python, Rust, Kotlin, Swift and Go write after a name."""

LIST = (
    r"<Buffer\ [0-9a-f\ ]{40,300}+>"
    r"|&?(?:new\ )?[\w.\[\]]{0,24}(?:\(\d{1,4}\))?\ ?\(?[\[{][0-9A-Fa-fxX,\s-]{40,999}+[\]}]\)?"
)
"""A list of bytes, as code has it."""

LOOK_UP = (
    r"[\w.:$]{1,40}[(\[][^()\[\]\n]{0,80}[\"'][^()\[\]\n]{0,20}[)\]]"
    r"|[\w.]{1,40}\ ?[+/]\ ?[\"'][^\"'\n]{1,80}[\"']"
    r"|!\w{1,20}\ \S{1,80}|\$\([^()\n]{1,100}\)"
    r"|\$\{\{[^\n]{1,100}?\}\}|\{\{[^\n]{1,100}?\}\}|ENC\[[^\]\n]{1,300}\]"
    r"|<[^<>\n]{1,80}>|\[[\w\ ]{1,40}\]|\([\w\ ]{1,40}\)"
)
"""What stands in place of a value: code, a reference to a secret, a word in brackets."""

PAIR = re.compile(
    rf"""(?<![\w$])["'\[:]{{0,2}}
        (?P<name>[A-Za-z_][\w.-]{{0,60}}+(?:[ ](?:server[ ])?key)?)
        (?:[ \t:]{{1,9}}+{TYPE}(?=[ \t]{{0,9}}=[^=>]))?
        ["'\]]{{0,2}}(?:\[\])?[ \t]{{0,40}}+(?:=>|:=|[:=])[ \t]{{0,40}}+
        (?:[|>]-?[ \t]{{0,40}}+)?                     # YAML's marks of a text of several lines
        (?:\r?\n\s{{0,80}}(?=[^\s:=]{{1,999}}={{0,2}}\s*$|-----BEGIN|string\()|(?=\S))
        (?:string\(\d+\)[ ])?                        # PHP's var_dump()
        (?P<value>(?:\"{{3}}|\'{{3}}|["'])?{PEM_BLOCK}(?:\"{{3}}|\'{{3}}|["'])?|{LOOK_UP}
            |"[^"\n]*"|'[^'\n]*'|{LIST}|[^\s"',;}}]+)""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
"""A name and its value: NAME=value, name: value, 'name' => 'value', [name] => value."""

COMMAND = re.compile(
    r"""^[ \t]{0,40}+(?:setx|setenv|ENV|set[ ]-\w{1,9})[ \t]{1,9}
        (?P<name>[A-Za-z_]\w{0,60}+)[ \t]{1,9}(?P<value>"[^"\n]*"|'[^'\n]*'|[^\s"'=;]+)(?=\s|;|\Z)""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
"""A name and its value as Windows' setx, fish, csh and a Dockerfile have them: without a =."""

CALL = re.compile(
    r"""\b\w{1,40}\(\s{0,9}(?P<quote>["'])(?P<name>[A-Za-z_]\w{0,60})(?P=quote)\s{0,9},\s{0,9}
        (?P<value>"[^"\n]{1,300}"|'[^'\n]{1,300}')""",
    re.VERBOSE,
)
"""A name and its value as the first two arguments of a call: PHP's define(), Go's os.Setenv()."""

RUN_TOGETHER = re.compile(
    r"(?m)^([ \t]{0,20}(?:export )?\w{1,60}=[^\s\"'#&,;]{0,300}?[A-Za-z0-9.=])"
    r"(VAPID_(?:PUBLIC_KEY|PRIVATE_KEY|SUBJECT))(?==)"
)
"""Two lines of a .env in one, because what wrote the second did not ask how the first ended. No key ends
in - or _, so there is no doubt where its name begins."""

WRAPPED = re.compile(
    r"(?m)^(?:export )?(VAPID_(?:PUBLIC|PRIVATE)_KEY)=([\w-]{8,90})\\?\n[ \t]{0,20}([\w-]{1,90})[ \t]*$"
)
"""A value that goes on in the next line, as a narrow window or a mail breaks it."""

REMARK = re.compile(r"[ \t]*(?:#|//|;).*")
"""The beginning of a line that is a remark, such as the one with the keys before the present ones."""

MAX_LENGTH = 65536
"""Characters of a file that are looked at."""

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
"""Files that are not text, by their first bytes: what each is, and what to do with it."""

JSON_VALUE = re.compile(
    r"(?m)^[^\n=:{]{1,80}[=:][ \t]{0,9}['\"`]?(\{\"[^\n]{20,4000}\})['\"`]?;?[ \t]*$"
)
"""A JSON object as the value of a variable."""

KEY_LENGTHS = {
    "VAPID_PUBLIC_KEY": TEXT_LENGTHS[Kind.PUBLIC],
    "VAPID_PRIVATE_KEY": TEXT_LENGTHS[Kind.PRIVATE],
}

WITHOUT_KEYS = (
    ("the configuration of a Firebase app",
        "It has no VAPID key. The pair is in the console, under Web Push certificates.",
        "apiKey", "projectId"),
    ("a file with the claims of a token", "The private key signs them. Give the file with the key.",
        '"aud"', '"sub"'),
    ("a package.json", "Give the file with the keys.", '"dependencies"', '"version"'),
)  # fmt: skip
"""What each is, what to do, and words that are in it."""

PRINTED = r"(?im)^public key:\r?\n\S{1,200}\r?\n\r?\nprivate key:"

Members = Iterator[tuple[str, object]]


def read(content: str | bytes) -> KeyFile:
    """Find the keys in a file. Never raises.

    ``content``: text, or bytes in any encoding that can be told with certainty.

    >>> read("WEB_PUSH_VAPID_PRIVATE_KEY=" + 42 * "A" + "E").private.name
    'WEB_PUSH_VAPID_PRIVATE_KEY'
    """
    if isinstance(content, bytes):
        content = raw_private(content) or content
        if not is_printable(content) and (spelling := recognize(content)).shape:
            return _of_spelling("bytes that are not text", spelling)
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
        file = _in_json(value) or by_witness(text) or by_the_public_half(text) or _without_keys(text)
        return file or (_whole(text, "JSON") if recognize(text).kind else KeyFile("JSON"))
    if text.startswith("-----BEGIN"):
        return _whole(text, "a PEM")
    if blocks := OPENSSL.findall(text):
        return by_names(
            "the text that openssl ec -text prints", ((f"{name}_key", body) for name, body in blocks)
        )
    return _broken_lines(text) or _read_lines(text)


def _read_lines(text: str) -> KeyFile:
    found, form = list(_pairs(text)), _form_of(text)
    if form.startswith(ENV):
        found = _as_in_a_shell(found)
    named = None
    if any(role_of(name) in ("private", "public") for name, _ in found):
        named = by_names(form, found)
    if named and named.has_private_key:
        return named
    if pair := by_witness(text):
        return pair
    whole = _whole(text, "one key without a name")
    if whole.has_private_key:
        return whole
    for value in JSON_VALUE.findall(text):
        if (inside := _in_json(_parsed(value))) and inside.has_private_key:
            return replace(inside, form=f"{inside.form} in a variable")
    if named and (named.private or (named.public and named.public.spelling.kind)):
        return named
    other = by_the_public_half(text) or _without_keys(text) or named
    return other or (replace(whole, form=form) if found else whole)


def _without_keys(text: str) -> KeyFile | None:
    """Name a file that belongs to web push, and has no pair of keys."""
    found = (
        (form, problem) for form, problem, *words in WITHOUT_KEYS if all(map(text.__contains__, words))
    )
    return next((KeyFile(form, problem=problem) for form, problem in found), None)


def _broken_lines(text: str) -> KeyFile | None:
    """Read a .env that has two lines in one, or one value in two lines."""
    together = RUN_TOGETHER.search(text)
    if together and not re.search(rf"(?m)^(?:export )?{together[2]}=", text):
        seen = f"a line break is missing before {together[2]}"
        return _mended(
            RUN_TOGETHER.sub(r"\1\n\2", text), seen, f"Write {together[2]}=… in its own line."
        )
    wrapped: list[str] = []

    def join(found: re.Match[str]) -> str:
        name, start, rest = found.groups()
        if len(start) + len(rest) != KEY_LENGTHS[name]:
            return found[0]
        wrapped.append(name)
        return f"{name}={start}{rest}"

    joined = WRAPPED.sub(join, text)
    if wrapped:
        seen = f"the value of {wrapped[0]} goes on in the next line"
        return _mended(joined, seen, "Write the whole value in one line.")
    return None


def _mended(text: str, seen: str, turn: str) -> KeyFile:
    file = _read_lines(text)
    command = f" {IMPORT} does that." if file.has_private_key else ""
    return replace(file, form=f"{ENV} in which {seen}", problem=turn + command)


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
    for line in chain(PAIR.finditer(text), COMMAND.finditer(text), CALL.finditer(text)):
        if REMARK.fullmatch(text, text.rfind("\n", 0, line.start("name")) + 1, line.start("name")):
            continue
        value = line["value"]
        quoted = value[:1] == value[-1:] and value[:1] in ("'", '"') and len(value) > 1
        yield line["name"], value[1:-1] if quoted else value


def _as_in_a_shell(pairs: list[tuple[str, object]]) -> list[tuple[str, object]]:
    """Return the pairs that count: of one name the last, and our names alone if they have a key."""
    values = dict(pairs)
    if recognize(str(values.get(OUR_NAME, ""))).kind is Kind.PRIVATE:
        values = {name: values[name] for name in OUR_NAMES if name in values}
    return list(values.items())


def _form_of(text: str) -> str:
    form = next(form for form, pattern in FORMS.items() if re.search(pattern, text))
    ours = re.search(rf"(?m)^(?:export )?{OUR_NAME} {{0,9}}=", text)
    return f"{ENV} with other names" if form == ENV and not ours else form


# How files of different tools differ. The first pattern that is found names the form.
FORMS = {
    "the text that web-push generate-vapid-keys prints": PRINTED,
    "PHP or Ruby": r"=>",
    "code in Rust, Go, C or the like": r"\[\]byte\b|\bbyte ?\[\]|[\[<]u8\b|\bchar [*\w]{1,60}\["
    r"|&(?:'static )?str\b|\b(?:val \w{1,60}: String|var \w{1,60} string)\b|\b(?:const|var) ?\(\n"
    r"|\w :=",
    "JavaScript": r"\bconst [\w$]{1,60} ?[=:]|\bvar [\w$]{1,60} ?=|\bexport default\b|setVapidDetails"
    r"|module\.exports",
    "code in JavaScript, Rust or Swift": r"\blet (?:mut )?\w{1,60} ?[:=]",
    "TOML or INI": r"(?m)^\[[\w.-]{1,60}\]",
    "Python": r"(?m)^\w{1,60} {0,9}= {0,9}[{(](?!\{)",
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
    named = by_names(form, _walk(value))
    return named if named.private or named.public else None


def _of_jwk(jwk: Mapping[str, object]) -> KeyFile:
    if (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
        return KeyFile(JWK)
    halves = {"d": spelling_of_jwk(jwk, "private"), BOTH_COORDINATES: spelling_of_jwk(jwk, "public")}
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
        elif role_of(name) and (listed := _listed(inside)):
            yield name, listed
        else:
            yield from _walk(inside, depth + 1)


def _listed(value: object) -> str:
    """Return a list of bytes, or a Buffer of Node's, as a text, or "" if a value is none of them."""
    try:
        text = json.dumps(value) if isinstance(value, list | Mapping) else ""
    except RecursionError:
        return ""
    return text if text and recognize(text).kind else ""


def _is_jwk(value: object) -> bool:
    return isinstance(value, Mapping) and "kty" in value
