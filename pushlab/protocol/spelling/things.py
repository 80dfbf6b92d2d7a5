"""Texts that are not a key, and stand where one belongs: a path, a token, JavaScript's ``undefined``."""

import re
from typing import NamedTuple

from pushlab.reader import command


class Thing(NamedTuple):
    """What a text is. ``turn``: what to do; ``pattern``: matched against the whole text."""

    name: str
    what: str
    turn: str
    pattern: re.Pattern[str]


def thing_of(text: str) -> Thing | None:
    """Return what a text is that is not a key, or None.

    >>> thing_of("[object ArrayBuffer]").name, thing_of("keys/private.pem").name
    ('is-an-object', 'is-a-path')
    >>> thing_of("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIg") is None
    True
    """
    text = text.strip()
    return next((thing for thing in THINGS if thing.pattern.fullmatch(text)), None)


def _row(name: str, what: str, turn: str, pattern: str) -> Thing:
    return Thing(name, what, turn, re.compile(pattern, re.DOTALL))


# A table: the first row that fits is what the text is.
# fmt: off
THINGS: tuple[Thing, ...] = (
    _row("is-empty", "empty", "Put the key there.", r""),
    _row("is-undefined", "JavaScript's word for nothing, as text",
        "Something was missing when this was written: check the program that wrote it.",
        r"undefined|null|NaN|None|nil|true|false"),
    _row("is-an-object", "JavaScript's name of an object, without its bytes",
        "Encode the bytes of the ArrayBuffer, or send subscription.toJSON().",
        r"\[object \w+\]|<[\w.]+ object at .*>"),
    _row("is-an-empty-object", "what JSON makes of an ArrayBuffer: {}, without its bytes",
        "Encode the bytes of the ArrayBuffer, or send subscription.toJSON().", r"\{\s*\}"),
    _row("is-mojibake", "bytes that were read as if they were text: some of them are lost",
        "Encode the bytes as base64url before they become text.", r".*\ufffd.*"),
    _row("is-shortened", "a text that was shortened for people to read: it ends with an ellipsis",
        "Copy the whole value.", r"[\w+/=:-]{4,}(?:\.{3}|…)"),
    _row("is-a-placeholder", "a placeholder that nobody has replaced",
        f"Put the key there: {command('keys')} shows the lab's.",
        r"(?i)<?\[?(?:your|my|the|insert|replace|change)[ _-][\w -]+\]?>?"
        r"|x{3,}|\.{3}|…|todo|changeme"),
    _row("is-a-variable", "the name of a variable that was not replaced by its value",
        "The program that reads this file does not replace variables: write the value itself.",
        r"\$\{?\w+\}?|%\w+%|\{\{.*\}\}|process\.env\.\w+|os\.environ\b.*|secrets\.\w+"),
    _row("is-a-token", "a signed token (JWT)", "A token is made with the key: put the key there.",
        r"(?:vapid t=|WebPush |Bearer )?eyJ[\w-]+\.[\w-]+\.[\w-]*.*"),
    _row("is-a-firebase-key", "a server key of Firebase's old protocol, which is not a VAPID key",
        "Use the pair under Web Push certificates, or a pair of your own.",
        r"AAAA[\w-]{7}:APA91b[\w-]+"),
    _row("is-a-firebase-token", "a registration token of Firebase, which is not a web push key",
        "Call pushManager.subscribe(), and send what it returns.", r"[\w-]{20,24}:APA91b[\w-]+"),
    _row("is-an-api-key", "an API key of Google's, which is not a VAPID key",
        "Use the pair under Web Push certificates, or a pair of your own.", r"AIza[\w-]{35}"),
    _row("is-a-sender-id", "a number, as old sender ids are", "Put the VAPID key there.", r"\d{8,14}"),
    _row("is-an-ssh-key", "a key for SSH", f"Make a VAPID pair: {command('keys')}.",
        r"(?:ssh-\w+|ecdsa-sha2-\S+) AAAA.*|-----BEGIN OPENSSH PRIVATE KEY-----.*"),
    _row("is-a-pgp-key", "a key for OpenPGP", f"Make a VAPID pair: {command('keys')}.",
        r".*-----BEGIN PGP [A-Z ]+-----.*"),
    _row("is-pem-locked", "PEM text of a private key that a password protects",
        "Take the password off first: openssl pkey -in FILE -out NEW.",
        r".*-----BEGIN [A-Z0-9 ]+-----(?:\s|\\[rn])*Proc-Type:\s*4,\s*ENCRYPTED\b.*"),
    _row("is-pem-cut", "PEM text that lacks its end", "Copy it again, from BEGIN to END.",
        r".*-----BEGIN [A-Z0-9 ]+-----.*"),
    _row("is-a-uuid", "a UUID", "Put the key there.",
        r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    _row("is-a-contact", "an address, as VAPID_SUBJECT has",
        "Exchange the two lines, or put the key there.", r"(?:mailto:)?[^\s@]+@[^\s@]+"),
    _row("is-a-url", "a URL", "Put the key there.", r"[a-z]+://\S*"),
    _row("is-a-path", "the path of a file, where the key itself belongs",
        f"Write the key there, or give that file: {command('keys --import FILE')}.",
        r"(?:~|\.{0,2})?(?:[\w .:-]*[/\\])*[\w .-]+\.(?:pem|key|env|json|txt|der|p8|crt|jwk)"
        r"|(?:~|\.{1,2}|[A-Za-z]:)?[/\\][\w .-]+(?:[/\\][\w .-]+)+"),
    _row("is-json", "a JSON object or array", "Put the value of the right member there.",
        r"[\[{].*[\]}]"),
)
# fmt: on
