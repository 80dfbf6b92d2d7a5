"""What stands where the path of a file belongs, and can hardly be one: a key, JSON, a command.

"No such file" names the file. If a key was pasted in place of its file, that is the whole key.
"""

import errno
import re

from pushlab.protocol.spelling.recognize import recognize
from pushlab.protocol.spelling.shapes import Kind
from pushlab.protocol.spelling.things import thing_of

MAX_NAME = 255
"""Bytes of the longest name that file systems have."""

NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL)
"""Numbers of an OSError: there is no such file, or there can be none."""

WANTED = "the path of a file is wanted, and this is {}"
"""What is wrong with a text that is no path: it says what the text is."""

TURN = "Save it in a file, and give the path of that file"
"""What to do with a text that is no path."""

KEYS = {Kind.PRIVATE: "the private key itself", Kind.PUBLIC: "a public key"}
MARK = re.compile(r"(?:~|\.{1,2})?/|(?:[A-Za-z]:)?\\|[A-Za-z]:/")
"""How a path may begin. A letter of base64, too, may be a slash; then it ends in = or is not told."""

WORDS = re.compile(r"[\w/+.~-]+")
"""What the names of folders and files are mostly of."""

SECRETS = {"is-a-token", "is-a-firebase-key", "is-a-firebase-token", "is-an-api-key", "is-json"}
"""Things that may be secret, or hold a secret. A path, too, may look like another thing."""

LIKE_A_KEY = (
    r"(?:(?=[\w+=-]*[a-z])(?=[\w+=-]*[A-Z])(?=[\w+=-]*\d)[\w+=-]{40,}|(?=[a-fA-F]*\d)[0-9a-fA-F]{40,})"
)
"""Names of files have words. A key of 40 characters has small letters, capitals and digits in all
probability, and in hexadecimal a digit."""

OTHERS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("PEM text", r"-----BEGIN "),
        ("JSON, or a part of it", r'^\s*[\[{]\s*["\[{\]}]'),
        ("a text with a token in it", r"\beyJ[\w-]{10,}\."),
        ("a text with a URL in it", r"\b(?:https?|wss?|file):/"),  # A Path has one slash left.
        ("a text of several lines", r"[\r\n]"),
        ("a text with a character that no path has", r"[\0\ud800-\udbff]"),
        ("a text of {} characters without a dot, as keys have them", rf"(?:^|[/\\ :]){LIKE_A_KEY}$"),
        ("a text of {} characters", rf"[^/\\]{{{MAX_NAME + 1},}}"),
    )
)
"""What a text is: the first row that is found in it is told."""


def not_a_path(text: str) -> str:
    """Say what a text is that is hardly the path of a file; "" if it may be one.

    Ask when there is no such file: a file may have any name. The words have no part of the text.

    >>> not_a_path(42 * "A" + "E"), not_a_path('{"endpoint": "https://push.example.net/1"}')
    ('the private key itself', 'a JSON object or array')
    >>> not_a_path("keys/private.pem"), not_a_path("/home/me/vapid.env")
    ('', '')
    """
    if not _is_like_a_path(text) and (what := KEYS.get(recognize(text).certain_kind or Kind.AUTH)):
        return what
    if (thing := thing_of(text)) and thing.name in SECRETS:
        return thing.what
    return next((what.format(len(text)) for what, pattern in OTHERS if pattern.search(text)), "")


def _is_like_a_path(text: str) -> bool:
    """Say whether a text begins as a path does, or has signs of two alphabets of base64."""
    begins = MARK.match(text) is not None and not text.endswith("=")
    return begins or (
        WORDS.fullmatch(text) is not None and "/" in text and bool(re.search("[_-]", text))
    )


def in_place_of(path: object, error: OSError) -> str:
    """Say what stands in the place of a path that leads nowhere; "" if it may be one.

    >>> in_place_of(42 * "A" + "E", FileNotFoundError(errno.ENOENT, ""))
    'the private key itself'
    """
    return not_a_path(str(path)) if error.errno in NOWHERE else ""


def cannot_be_read(path: object, error: OSError) -> str:
    """Say that a file cannot be read. What is no path is not repeated.

    >>> cannot_be_read("vapid.env", PermissionError(errno.EACCES, "Permission denied"))
    'vapid.env cannot be read: Permission denied'
    >>> cannot_be_read(42 * "A" + "E", FileNotFoundError(errno.ENOENT, ""))
    'the path of a file is wanted, and this is the private key itself'
    """
    if what := in_place_of(path, error):
        return WANTED.format(what)
    return f"{path} cannot be read: {error.strerror}"
