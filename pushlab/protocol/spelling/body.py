"""A body by itself, as people keep it: the bytes, or text in hexadecimal, base64, a dump or a list."""

import re
from collections.abc import Callable
from unicodedata import category

from pushlab.protocol import utf8
from pushlab.protocol.spelling.encodings import ENCODINGS, Inside, lenient_base64


def body_of(content: bytes) -> tuple[bytes, str]:
    """Return the bytes of a body that is given by itself, and how they were written: "" as they are.

    Text in hexadecimal, base64, a dump, a list of numbers or Python's b'…' is read as such: an
    encrypted body is never text.

    >>> body_of(b"0c 6b fa ad 00 01")
    (b'\\x0ck\\xfa\\xad\\x00\\x01', 'hexadecimal')
    >>> body_of(b"DGv6ra1nlYgDCS1F")[1], body_of(bytes(20))[1]
    ('base64', '')
    """
    try:
        text = utf8.in_utf8(content).decode("ascii").strip()
    except UnicodeDecodeError:
        return content, ""
    for name, reader in READERS.items() if len("".join(text.split())) >= 8 else ():
        if (found := reader(text)) is not None:
            return found.encode("ascii") if isinstance(found, str) else found, name
    return content, ""


def text_of(body: bytes) -> str:
    """Say what a body is that was sent as text, as no encrypted one is; "" if it is none.

    >>> text_of(b'{"title": "hello"}')
    'text: it was not encrypted'
    """
    content, written = body_of(body)
    if not _is_text(body):
        return ""
    # A word, an id or a list may be read so as well. A body is longer, and in base64 it has no space.
    certain = len(content) > SHORTEST and (written != "base64" or b" " not in body.strip())
    if written and certain and not _is_text(content):
        return f"written as {written}, not the bytes themselves"
    return "text: it was not encrypted"


def went_through_text(body: bytes) -> bool:
    """Say whether the bytes of a body were read as text, and written as UTF-8. Some of them may be lost.

    An encrypted body is random bytes, and 86 of them are never valid UTF-8 by chance.

    >>> body = bytes(range(256))
    >>> went_through_text(body), went_through_text(body.decode("latin-1").encode("utf-8"))
    (False, True)
    """
    if len(body) <= SHORTEST or body.isascii():
        return False
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    # A text that somebody wrote has hardly any of these, and of random bytes it is at least an eighth.
    lost = sum(
        letter == "\ufffd" or category(letter) == "Cc" for letter in text if letter not in "\t\r\n"
    )
    return lost * 20 > len(text)


def _is_text(content: bytes) -> bool:
    try:
        return all(
            letter.isprintable() or letter in "\t\r\n" or category(letter) in ("Cf", "Zs")
            for letter in content.decode("utf-8")
        )
    except UnicodeDecodeError:
        return False


def _of_dump(text: str) -> bytes | None:
    """Read what xxd, hexdump -C and Wireshark print: an offset, at most 16 bytes, and characters."""
    lines = text.splitlines()
    if len(lines) < 2 and not {":", "|"} & set(text):
        return None
    data = b""
    for line in lines:
        found = DUMPED.match(line)
        if not found or int(found[1], 16) != len(data):
            return None
        data += bytes.fromhex("".join(found[2].split())[:32])
    return data or None


def _of_hex(text: str) -> Inside:
    return READ["in-hex"]("".join(text.split()))


def _of_base64(text: str) -> bytes | None:
    return lenient_base64("".join(text.split()))


READ = {encoding.name: encoding.read for encoding in ENCODINGS}
READERS: dict[str, Callable[[str], Inside]] = {
    "a hex dump": _of_dump,
    "hexadecimal": _of_hex,
    "a list of numbers": READ["byte-list"],
    "Python's b'…'": READ["python-bytes"],
    "base64": _of_base64,
}
"""How a text may write the bytes of a body. The first that fits is taken."""

DUMPED = re.compile(r"\s*(?:0x)?([0-9A-Fa-f]{4,8}):?[ \t]*((?:(?:[0-9A-Fa-f]{2}){1,2} {0,2}){0,16})")
"""A line of a dump. More than two spaces end its bytes, where it has less than sixteen."""

SHORTEST = 86
"""Bytes of the header of a push message, RFC 8291 §4: 16, 4, 1 and 65."""
