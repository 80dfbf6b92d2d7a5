"""What stands where the path of a file belongs, and can hardly be one: a key, JSON, a command.

"No such file" names the file. If a key was pasted in place of its file, that is the whole key.
"""

import re

from pushlab.protocol.spelling.recognize import recognize
from pushlab.protocol.spelling.shapes import Kind
from pushlab.protocol.spelling.things import thing_of

MAX_NAME = 255
"""Bytes of the longest name that file systems have."""

TURN = "Save it in a file, and give the path of that file"
"""What to do with a text that is no path."""

KEYS = {Kind.PRIVATE: "the private key itself", Kind.PUBLIC: "a public key"}
MARK = re.compile(r"(?:~|\.{1,2})?/|(?:[A-Za-z]:)?\\|[A-Za-z]:/")
"""How a path may begin. A letter of base64, too, may be a slash; then it ends in = or is not told."""

SECRETS = {"is-a-token", "is-a-firebase-key", "is-a-firebase-token", "is-an-api-key", "is-json"}
"""Things that may be secret, or hold a secret. A path, too, may look like another thing."""

OTHERS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("PEM text", r"-----BEGIN "),
        ("JSON, or a part of it", r'^\s*[\[{]\s*["\[{\]}]'),
        ("a text with a token in it", r"\beyJ[\w-]{10,}\."),
        ("a text with a URL in it", r"\b(?:https?|wss?|file):/"),  # A Path has one slash left.
        ("a text of several lines", r"[\r\n]"),
        ("a text with a character that no path has", r"[\0\ud800-\udbff]"),
        ("a text of {} characters without a dot, as keys have them", r"(?:^|[/\\ :])[\w+=-]{40,}$"),
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
    begins_as_path = MARK.match(text) is not None and not text.endswith("=")
    if not begins_as_path and (what := KEYS.get(recognize(text).kind or Kind.AUTH)):
        return what
    if (thing := thing_of(text)) and thing.name in SECRETS:
        return thing.what
    return next((what.format(len(text)) for what, pattern in OTHERS if pattern.search(text)), "")


def cannot_be_read(path: object, why: object) -> str:
    """Say that a file cannot be read. What is no path is not repeated.

    >>> cannot_be_read("vapid.env", "Permission denied")
    'vapid.env cannot be read: Permission denied'
    >>> cannot_be_read(42 * "A" + "E", "No such file or directory")
    'the path of a file is wanted, and this is the private key itself'
    """
    if what := not_a_path(str(path)):
        return f"the path of a file is wanted, and this is {what}"
    return f"{path} cannot be read: {why}"
