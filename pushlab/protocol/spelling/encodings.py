"""How a text writes bytes: base64 in all its variants, hexadecimal, PEM, lists of numbers.

Each row of ``ENCODINGS`` takes one wrapping off. It returns bytes, or the text that was inside, or
None if the text is not written like that. These decoders are lenient on purpose: their results are
looked at, to say what somebody has pasted, and nothing is accepted because of them.
"""

import ast
import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from pushlab.errors import BadBase64url
from pushlab.protocol import base64url
from pushlab.protocol.spelling.entities import unescaped

Inside = str | bytes | None


class Encoding(NamedTuple):
    """One way to write bytes. ``turn`` is empty for the one that web push has."""

    name: str
    what: str
    turn: str
    read: Callable[[str], Inside]


NOT_PYTHON = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)
"""What ast.literal_eval() raises for a text that is no value of Python's."""

INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\u00ad\0\x1a"
"""Characters that no screen shows: byte order mark, spaces and joiners of no width, soft hyphen, the
zero at the end of a text of C, and the mark at the end of a file of DOS."""

SPACES = re.compile(rf"[\s{INVISIBLE}]+")
QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "\u2018": "\u2019", "«": "»", "<": ">"}
PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
HEX = re.compile(r"(?:0x)?([0-9A-Fa-f]{2}(?:([:,-]? ?)[0-9A-Fa-f]{2}(?:\2[0-9A-Fa-f]{2})*)?)")
# With a zero in front it is hexadecimal; with 0x, as source code writes it.
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,2})|0[xX][0-9A-Fa-f]{1,2}")
OF_TYPE = re.compile(r"^&?(?:new )?(?:\[\d*\])?[\w.]*(?:\[\d*\]|\(\d*\))?(?=\s*[\[({])")
"""What stands in front of a list of bytes in code: Uint8Array(65), []byte, new byte[], bytearray."""
DECIMAL = re.compile(r"[0-9]{70,78}")
"""A number of 32 bytes, but for one in ten million of them."""
NAMED = re.compile(r"(?:export\s+)?([A-Za-z][\w.-]{0,60})\s*[:=]\s*(?=[^=\s])(.+)", re.DOTALL)
# Dashes that look like -; what mails, comparisons and editors write before each line; the texts of a
# program; tags; and a PEM's two lines with other dashes or spaces, with two names, without the first.
HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2015\u2212\ufe63\uff0d", "-"))
MARK = re.compile(r"[ \t]{0,20}(?:[>|+#*]|//|\d{1,4}[:.|)]?(?=\s))[ \t]{0,9}")
IN_QUOTES = re.compile(r'"([^"\n]*)"')
MARKUP = re.compile(r"</?[A-Za-z]\w{0,9} ?/?>|&nbsp;")
BOUNDARY = re.compile(
    r"-{0,12}\s{0,2}(BEGIN|END)\s{1,4}((?:[A-Z0-9]{1,9}\s{1,4}){0,3}KEY)\s{0,2}-{1,12}"
)
BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END ([A-Z0-9 ]+)-----")
UNBEGUN = re.compile(r"([A-Za-z0-9+/=\s]+)-----END ([A-Z0-9 ]+)-----")

SHORTEST = 22
"""Characters of the shortest key, which is an auth secret."""
RAW_LENGTHS = (16, 32, 64, 65)
PLAIN, URL_SAFE = str.maketrans("-_", "+/"), str.maketrans("+/", "-_")


def _pem(text: str) -> Inside:
    if "-----END " not in text:
        return None
    found = [block for block in PEM.findall(text) if block[0] != "EC PARAMETERS"]
    # A file may have both halves, and the public one can be computed.
    blocks = [body for name, body in sorted(found, key=lambda block: "PRIVATE" not in block[0])]
    if not blocks:
        return None
    # A PEM that went through JSON, a shell or a form has \n for its line breaks, or nothing.
    body = blocks[0].replace("\\r", "").replace("\\n", "")
    return lenient_base64(SPACES.sub("", body))


def _normal_dashes(text: str) -> Inside:
    """Undo what word processors make of dashes: one of two hyphens, and another character of one."""
    found = text.replace("\u2014", "--").translate(HYPHENS)
    return found if found != text else None


def _marked(text: str) -> Inside:
    """Take off what a mail, a comparison or an editor writes before each line of a PEM."""
    # What a mail says before and after it may have no mark.
    whole = [line for line in text.splitlines() if line.strip()]
    start = next((at for at, line in enumerate(whole) if "BEGIN" in line), len(whole))
    end = next((at for at in range(start, len(whole)) if "END" in whole[at]), -1)
    lines = whole[start : end + 1]
    marks = [MARK.match(line) for line in lines]
    if len(marks) < 3 or not all(marks):
        return None
    return "\n".join(line[mark.end() :] for line, mark in zip(lines, marks, strict=True) if mark)


def _line_by_line(text: str) -> Inside:
    """Join a PEM that code has as one text a line: Java, C, Python."""
    parts: list[str] = IN_QUOTES.findall(text) if "BEGIN" in text else []
    if len(parts) < 3 or "BEGIN" not in parts[0]:
        return None
    return "\n".join(part.removesuffix("\\n").removesuffix("\\r") for part in parts)


def _without_markup(text: str) -> Inside:
    found = MARKUP.sub("\n", text) if "BEGIN" in text else text
    return found if found != text else None


def _boundaries(text: str) -> Inside:
    """Write the lines BEGIN and END of a PEM as they should be: five dashes, and one space."""
    found = BOUNDARY.sub(lambda line: f"-----{line[1]} {' '.join(line[2].split())}-----", text)
    return found if found != text else None


def _one_name(text: str) -> Inside:
    found = BLOCK.fullmatch(text.strip())
    if not found or found[1] == found[3]:
        return None
    name = found[1] if "PRIVATE" in found[1] else found[3]
    return f"-----BEGIN {name}-----{found[2]}-----END {name}-----"


def _begun(text: str) -> Inside:
    found = UNBEGUN.fullmatch(text.strip())
    return f"-----BEGIN {found[2]}-----\n{found[1]}-----END {found[2]}-----" if found else None


def _of_markdown(text: str) -> Inside:
    found = text.replace("\\_", "_").replace("\\-", "-")
    return found if found != text else None


def _halved(text: str) -> Inside:
    half = text[: len(text) // 2]
    # Of one letter, such as a row of x, each half is as much or as little as the whole.
    return half if len(half) >= SHORTEST and half + half == text and len(set(half)) > 1 else None


def lenient_base64(text: str) -> bytes | None:
    """Decode any variant of base64, also with bits left over. None if a character is foreign."""
    text = text.rstrip("=").translate(PLAIN)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _is_base64url(text: str) -> Inside:
    try:
        return base64url.decode(text) or None
    except BadBase64url:
        return None


def _padded(text: str) -> Inside:
    return _is_base64url(text.rstrip("=")) if text.endswith("=") else None


def _plain(text: str) -> Inside:
    return _is_base64url(text.rstrip("=").translate(URL_SAFE))


def _hex(text: str) -> Inside:
    found = HEX.fullmatch(text)
    return bytes.fromhex(re.sub(r"[ :,-]", "", found[1])) if found else None


def _decimal(text: str) -> Inside:
    """Read a private key as one number, as Java's BigInteger and Python's int print it."""
    number = int(text) if DECIMAL.fullmatch(text) else 0
    return number.to_bytes(32, "big") if 0 < number < 2**256 else None


def _numbers(text: str) -> Inside:
    """Read lists of bytes as programs print or write them: Python, JavaScript, Java, Go, C."""
    if found := re.fullmatch(r"<Buffer ([0-9a-f ]+)>", text):
        return _hex(found[1].strip())
    text = OF_TYPE.sub("", text.rstrip("; ")).strip("() ")
    if text.startswith("{"):  # JSON.stringify() of a Uint8Array, or of a Buffer; or a list of C
        text = _values(text) or f"[{text[1:].removesuffix('}')}]"
    body = text.removeprefix("[").removesuffix("]").strip().rstrip(",")
    parts = [part.strip() for part in body.split(",")]
    if len(parts) == 1 and text[:1] + text[-1:] == "[]":
        parts = body.split()  # Go prints no commas.
    if len(parts) < 2 or not all(NUMBER.fullmatch(part) for part in parts):
        return None
    numbers = [int(part, 0) for part in parts]
    # Java's bytes have a sign.
    return bytes(n & 0xFF for n in numbers) if all(-128 <= n < 256 for n in numbers) else None


def _values(text: str) -> str:
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(members, dict):
        return ""
    data = members.get("data") if members.get("type") == "Buffer" else list(members.values())
    return ",".join(map(str, data)) if isinstance(data, list) else ""


def _python_bytes(text: str) -> Inside:
    if not re.fullmatch(r"b(['\"]).*\1", text, re.DOTALL):
        return None
    try:
        value = ast.literal_eval(text)
    except NOT_PYTHON:
        return None
    if not isinstance(value, bytes):
        return None
    if not value.isascii() or not value.decode("ascii").isprintable():
        return value
    inside = value.decode("ascii")
    # As many characters as a key has bytes: hardly a text in base64, which would be longer or shorter.
    in_hex = len(value) > min(RAW_LENGTHS) and HEX.fullmatch(inside)
    return value if len(value) in RAW_LENGTHS and not in_hex else inside


def _unspaced(text: str) -> Inside:
    return SPACES.sub("", text) if SPACES.search(text) else None


def _plus_for_space(text: str) -> Inside:
    return lenient_base64(text.replace(" ", "+")) if " " in text.strip() else None


def _unquoted(text: str) -> Inside:
    text = text.rstrip(" ,;\t\r\n")
    if len(text) > 1 and QUOTES.get(text[0]) == text[-1]:
        return text[1:-1]
    return None


def _without_comma(text: str) -> Inside:
    """Take off what was copied with the value: a comma, or one quote of two."""
    if len(text) < 2 or QUOTES.get(text[0]) == text[-1]:
        return None
    if text[-1] in ",;\"'`":
        return text[:-1]
    return text[1:] if text[0] in "\"'`" else None


def _without_remark(text: str) -> Inside:
    """Take off what a .env may have after a value, and a variable may not."""
    found = re.fullmatch(r"(\S+)\s+(?:#|//).*", text.strip())
    return found[1] if found else None


def _raw_characters(text: str) -> Inside:
    """Read a text in which each character is one byte, as String.fromCharCode() makes it."""
    if len(text) not in RAW_LENGTHS or (text.isascii() and text.isprintable()):
        return None
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def _percent(text: str) -> Inside:
    return unquote(text) if re.search(r"%[0-9A-Fa-f]{2}", text) else None


def _escaped(text: str) -> Inside:
    """Undo what writers of JSON escape: PHP the slash, .NET the plus."""
    found = re.sub(r"\\u00([0-9A-Fa-f]{2})", lambda match: chr(int(match[1], 16)), text)
    found = found.replace("\\/", "/").replace("\\r", "").replace("\\n", "").replace('\\"', '"')
    return found if found != text else None


def _entities(text: str) -> Inside:
    found = unescaped(text)
    return found if found != text else None


def _after_scheme(text: str) -> Inside:
    found = re.match(r"(?:base64:|data:[\w/;=.+-]*,)", text)
    return text[found.end() :] if found else None


def _value(text: str) -> Inside:
    found = NAMED.fullmatch(text)
    return found[2] if found else None


# A table. Where a text can be read in two ways, the row that is more probable stands first.
# fmt: off
ENCODINGS: tuple[Encoding, ...] = (
    Encoding("is-pem", "PEM text", "Take the key out of the PEM, or keep the PEM as a file.", _pem),
    Encoding("marked-lines", "a text with a mark or a number before each line", "Leave these out.",
        _marked),
    Encoding("line-by-line", "code with one text for each line", "Join the lines.", _line_by_line),
    Encoding("with-markup", "a text with tags of HTML", "Leave these out.", _without_markup),
    Encoding("with-dashes", "a text with dashes of a word processor",
        "Write - for each: it is the hyphen of the keyboard.", _normal_dashes),
    Encoding("pem-boundaries", "PEM text whose BEGIN or END line is not written as it should be",
        "Write five dashes on each side, and one space between the words.", _boundaries),
    Encoding("pem-names", "PEM text whose BEGIN and END lines have different names",
        "Write the same name in both.", _one_name),
    Encoding("pem-begin", "PEM text that lacks its BEGIN line", "Copy it again, from BEGIN to END.",
        _begun),
    Encoding("byte-list", "a list of numbers, one for each byte",
        "Write the same bytes as base64url.", _numbers),
    Encoding("in-hex", "hexadecimal", "Write the same bytes as base64url.", _hex),
    Encoding("in-decimal", "a number in decimal digits",
        "Write it as 32 bytes, the most significant first, and these as base64url.", _decimal),
    Encoding("base64url", "base64url", "", _is_base64url),
    Encoding("padded", "base64url with padding",
        "Leave out the = at the end (and write - for + and _ for /, if there are any).", _padded),
    Encoding("plain-base64", "plain base64, as btoa() writes it",
        "Write - for +, _ for /, and leave out the = at the end.", _plain),
    Encoding("spare-bits", "base64 whose last character has bits that belong to no byte",
        "Copy it again, with its last character, or encode the bytes anew.", lenient_base64),
    Encoding("python-bytes", "Python's b'…'", "Call .decode() on it before you write it.",
        _python_bytes),
    Encoding("quoted", "a text in quotes", "Leave out the quotes.", _unquoted),
    Encoding("raw-characters", "the bytes themselves, each as one character",
        "Encode them: btoa(), then write - for + and _ for /, and leave out the =.", _raw_characters),
    Encoding("with-comma", "a text with a comma, a semicolon or one quote too many", "Leave it out.",
        _without_comma),
    Encoding("with-remark", "a text with a remark after it", "Leave the remark out.", _without_remark),
    Encoding("with-spaces", "a text with spaces, line breaks or invisible characters in it",
        "Remove them.", _unspaced),
    Encoding("spaces-for-plus", "plain base64 whose + a form has turned into spaces",
        "Write - for each space, _ for each /, and leave out the =.", _plus_for_space),
    Encoding("percent-encoded", "a text with %XX, as in a URL", "Decode it once as a URL.", _percent),
    Encoding("escaped", "a text with backslashes, as inside JSON", "Parse it as JSON first.", _escaped),
    Encoding("markdown-escaped", "a text with backslashes, as Markdown has them", "Leave these out.",
        _of_markdown),
    Encoding("quoted-printable", "a text with 3D in front: =3D is how mails write =", "Leave 3D out.",
        lambda text: text[2:] if text.startswith("3D") else None),
    Encoding("pasted-twice", "the same text twice, one after the other", "Keep one of the two.",
        _halved),
    Encoding("html-escaped", "a text with HTML's &…;", "Decode these first.", _entities),
    Encoding("with-scheme", "a text with base64: or data: in front", "Leave that out.", _after_scheme),
    Encoding("with-name", "a text with its name in front", "Keep what stands after the = or :.",
        _value),
)
# fmt: on

TWICE = Encoding("encoded-twice", "encoded twice", "Decode it once.", lambda text: None)
"""A layer that is found on the way: bytes that are a text in an encoding of the table."""

ALPHABETS = {"padded", "plain-base64", "spare-bits"}
"""Names of layers that only concern the alphabet. Any other layer says more about what happened."""
