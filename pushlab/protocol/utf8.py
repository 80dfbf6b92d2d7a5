"""Text from the bytes of a file: UTF-8, RFC 3629. What is not UTF-8 is named, and not guessed at.

Editors and shells write other encodings without saying so: PowerShell's ``>`` writes UTF-16, and
Windows' editors put a byte order mark in front of UTF-8. The mark changes nothing, so it is left
out. Any other encoding is refused by its name, because a key that is read in the wrong one is another
key.
"""

import codecs

from pushlab.errors import NotUtf8

# UTF-32's little-endian mark begins with UTF-16's, so it is looked for first.
MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""Byte order marks of other encodings. UTF-8's is ``ef bb bf``."""

WINDOWS = "Windows-1252"
"""The encoding of older editors in western Europe, for ASCII and 128 other characters in one byte."""

TEXT = frozenset((*b"\t\r\n", *range(0x20, 0x7F)))
LEAST_TEXT = 16
"""Bytes of a text in which one letter beyond ASCII says something."""


def decode(content: bytes) -> str:
    """Decode the bytes of a text file; leave out UTF-8's byte order mark.

    Raises NotUtf8, which names the encoding that it is. Source: RFC 3629 §6.

    >>> decode(b"\\xef\\xbb\\xbf{}")
    '{}'
    >>> decode("{}".encode("utf-16"))
    Traceback (most recent call last):
    pushlab.errors.NotUtf8: this is text in UTF-16, not UTF-8 (RFC 3629). ...
    """
    if other := encoding_of(content):
        raise NotUtf8(f"this is text in {other}, not UTF-8")
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        fault = f"{len(content)} bytes that are not text in UTF-8"
        raise NotUtf8(fault, hint="This is not a text file: give the right one") from None


def decode_any(content: bytes) -> str:
    """Decode a text file in any encoding that can be told with certainty. Raises NotUtf8.

    >>> decode_any("{}".encode("utf-16"))
    '{}'
    """
    if not (other := encoding_of(content)):
        return decode(content)
    marked = other == WINDOWS or any(content.startswith(mark) for mark in MARKS)
    byte_order = "" if marked else ("-be" if content[:1] == b"\0" else "-le")
    try:
        return content.decode(other + byte_order)
    except UnicodeDecodeError:
        raise NotUtf8(f"this begins like {other}, and is not") from None


def in_utf8(content: bytes) -> bytes:
    """Write text in UTF-16 or UTF-32, as PowerShell's > makes it, in UTF-8, and leave out its mark."""
    if encoding_of(content).startswith("UTF"):
        try:
            content = decode_any(content).removeprefix("\ufeff").encode("utf-8")
        except (NotUtf8, UnicodeEncodeError):
            return content
    return content.removeprefix(codecs.BOM_UTF8)


def encoding_of(content: bytes) -> str:
    """Name the encoding of a text that is not UTF-8; "" if it may be UTF-8, or is not recognized.

    >>> encoding_of("VAPID".encode("utf-16-le")), encoding_of(b"VAPID")
    ('UTF-16', '')
    """
    for mark, name in MARKS.items():
        if content.startswith(mark):
            return name
    # Without a mark, ASCII text in UTF-16 has a zero byte beside each letter, and UTF-8 has none.
    even, odd = content[::2], content[1::2]
    for zeros, letters in ((odd, even), (even, odd)):
        if len(letters) > 1 and zeros and not zeros.strip(b"\0") and b"\0" not in letters:
            return "UTF-16" if letters.isascii() else ""
    return WINDOWS if _is_in_windows_1252(content) else ""


def _is_in_windows_1252(content: bytes) -> bool:
    """Say whether this is text with a few letters beyond ASCII, and no UTF-8: an umlaut in a comment."""
    plain = sum(byte in TEXT for byte in content)
    if content.isascii() or plain + sum(byte > 0x7F for byte in content) < len(content):
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return len(content) >= LEAST_TEXT and plain >= len(content) * 0.75
    return False
