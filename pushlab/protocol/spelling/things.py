"""Texts that are not a key, and stand where one belongs: a path, a token, JavaScript's ``undefined``."""

import re
from typing import NamedTuple

from pushlab.reader import command


class Thing(NamedTuple):
    """What a text is.

    ``turn``: what to do; ``pattern``: matched against the whole text; ``sure``: whether no key that
    was drawn at random looks like that, so that the text need not be read as a key first.
    """

    name: str
    what: str
    turn: str
    pattern: re.Pattern[str]
    sure: bool = False


def thing_of(text: str) -> Thing | None:
    """Return what a text is that is not a key, or None.

    >>> thing_of("[object ArrayBuffer]").name, thing_of("keys/private.pem").name
    ('is-an-object', 'is-a-path')
    >>> thing_of("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIg") is None
    True
    """
    text = text.strip()
    return next((thing for thing in THINGS if thing.pattern.fullmatch(text)), None)


def sure_thing_of(text: str) -> Thing | None:
    """Do the same, and return only what cannot be a key, even if it is as long as one.

    >>> sure_thing_of("YOUR_VAPID_PRIVATE_KEY").name, sure_thing_of("keys/private.pem")
    ('is-a-placeholder', None)
    """
    text = text.strip()
    return next((thing for thing in SURE if thing.pattern.fullmatch(text)), None)


def _row(name: str, what: str, turn: str, pattern: str, sure: bool = False) -> Thing:
    return Thing(name, what, turn, re.compile(pattern, re.DOTALL), sure)


ASKING = (
    "your my mine insert replace change fill enter paste put add generate here todo tbd fixme "
    "placeholder example dummy sample private public prv priv pub key keys secret token password auth "
    "p256dh string chars characters bytes"
)
"""Words of a text that asks to be replaced, one of which is always there."""

BESIDE = (
    "an the me it in is this that of from with and or for to as on by vapid web push webpush server "
    "application app user client browser subscription notification endpoint base64 base64url encoded "
    "generated value long real own actual goes should be env prod dev test npx web-push running output"
)
"""Words that stand beside them."""


def _any(words: str) -> str:
    """Return a pattern for one of these words. The longest is tried first, and only once."""
    return "(?>" + "|".join(sorted(map(re.escape, words.split()), key=len, reverse=True)) + ")"


# A key may be as long as such a text. So every word must be known, or all be written alike and one of
# them be known: of 10^11 random auth secrets one may look like that.
OPEN, CLOSE = r"[<\[(]{0,2}\s{0,2}", r"\s{0,2}[>\])]{0,2}"
PLACEHOLDER = (
    r"[xX]{3,}|0{11,}"
    rf"|(?=.{{2,120}}\Z)(?:(?i:{OPEN}(?=.*?{_any(ASKING)})"
    rf"(?:(?>{_any(f'{ASKING} {BESIDE}')}|(?<=[a-z_ -])\d{{1,3}})[ _-]*+)++{CLOSE})"
    rf"|{OPEN}(?=(?:.*[ _-])?{_any(ASKING)}(?![a-z]))[a-z]{{1,14}}(?:[ _-][a-z]{{1,14}}){{1,9}}{CLOSE}"
    rf"|{OPEN}(?=(?:.*[ _-])?{_any(ASKING.upper())}(?![A-Z]))"
    rf"[A-Z]{{1,14}}(?:[ _-][A-Z]{{1,14}}){{1,9}}{CLOSE}"
    r"|(?i:foo|bar|test|bla(?:bla)+|asdf|n/a))"
)
HIDDEN = (
    r"(?i:[<\[({*_ ]{0,3}(?:(?:value|secret|key|data)[ _-])?(?:redacted|filtered|hidden|masked"
    r"|censored|removed|sensitive|confidential|known after apply)(?:[ _-](?:value|data))?"
    r"[>\])}*_ ]{0,3})"
    r"|[\w+/=-]{0,90}(?:\*{3,}|[•●█■]{3,}|#{3,})[\w+/=-]{0,90}"
    # A key has the same letter eight times in a row once in 10^12 times.
    r"|(?=.{9,90}\Z)[\w+/=-]{0,80}[\w+/=-](?:(?<!x)x{8}|(?<!X)X{8})[\w+/=-]*"
    r"|(?=.{9,90}\Z)(?:x{8,}|X{8,})[^xX][\w+/=-]*"
)
REFERENCE = (
    r"\$\{\{.*\}\}|\$\(.*\)|<%.*%>|![\w:/]{1,30}\s.*"
    r"|[\w.:$]{0,40}?(?i:env|environ|secrets?|config|settings)[\w.]{0,20}"
    r"[(\[][\"'][\w./:-]{1,80}[\"'][^)\]]{0,80}[)\]]"
    r"|import\.meta\.env\.\w+|(?:var|local|env|settings|config|credentials)\.[\w.]{1,80}"
    r"|arn:aws[\w-]*:.*|(?:vault|ssm|secretsmanager|keyvault|gcpsm|doppler|ref\+\w{1,20}):.*|op://.*"
    r"|ENC[\[(].*[\])]|@Microsoft\.KeyVault\(.*\)|projects/[^/\s]+/secrets/\S+"
)

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
    _row("is-hidden", "a value that was hidden from readers: the key itself is not there",
        "Copy the key from where it is kept: logs and settings pages hide it.", HIDDEN, sure=True),
    _row("is-a-placeholder", "a placeholder that nobody has replaced",
        f"Put the key there: {command('keys')} shows the lab's.", PLACEHOLDER, sure=True),
    _row("is-a-placeholder", "a placeholder that nobody has replaced",
        f"Put the key there: {command('keys')} shows the lab's.",
        # Of a key that begins like that, and was cut, the rest is no row of words.
        r"(?=.{3,120}\Z)(?i:<?\[?(?:your|my|the|insert|replace|change))"
        r"(?:[ _-]+(?:\d{0,4}[a-z]{1,14}|[A-Z][a-z]{1,14}|[A-Z]{2,14}|\d{1,4}|X{3,90}))+\]?>?"
        r"|(?i:\.{3,}|…+|_{3,}|\?{3,}|todo|changeme)"),
    _row("is-a-variable", "the name of a variable that was not replaced by its value",
        "The program that reads this file does not replace variables: write the value itself.",
        r"\$\{?\w+\}?|%\w+%|\{\{.*\}\}|process\.env\.\w+|os\.environ\b.*|secrets\.\w+"),
    _row("is-a-reference", "a reference to a value that is kept elsewhere",
        "The lab does not look it up there: write the value itself.", REFERENCE),
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
    _row("is-pem-without-a-key", "PEM text in which no key can be read",
        "Copy it again, from BEGIN to END.",
        r".*-----BEGIN [A-Z0-9 ]+-----.*-----END [A-Z0-9 ]+-----.*"),
    _row("is-pem-cut", "PEM text that lacks its end", "Copy it again, from BEGIN to END.",
        r".*-----BEGIN [A-Z0-9 ]+-----.*"),
    _row("is-pem-cut", "PEM text that lacks its beginning", "Copy it again, from BEGIN to END.",
        r".*-----END [A-Z0-9 ]+-----.*"),
    _row("lost-its-case", "PEM text in small letters alone: a key has both",
        "Copy it again from where it was made: which letters were capitals cannot be computed.",
        r".*-----begin [a-z0-9 ]+-----.*"),
    _row("is-a-uuid", "a UUID", "Put the key there.",
        r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    _row("is-a-contact", "an address, as VAPID_SUBJECT has",
        "Exchange the two lines, or put the key there.", r"(?:mailto:)?[^\s@]+@[^\s@]+"),
    _row("is-a-url", "a URL", "Put the key there.", r"(?!file:)[a-z]+://\S*"),
    _row("is-a-path", "the path of a file, where the key itself belongs",
        f"Write the key there, or give that file: {command('keys --import FILE')}.",
        r"(?:@|file:(?://)?)?(?:~|\.{0,2})?(?:[\w .:-]*[/\\])*[\w .-]+"
        r"\.(?:pem|key|env|json|txt|der|p8|crt|jwk)"
        r"|(?:~|\.{1,2}|[A-Za-z]:)?[/\\][\w .-]+(?:[/\\][\w .-]+)+"
        # Code that puts the path together, or reads the file.
        r"|[\w.]{1,40} ?[+/] ?[\"'][\w ./-]{1,80}\.(?:pem|key|p8|der)[\"']"
        r"|[\w.]{1,40}\([^()\n]{0,80}\.(?:pem|key|p8|der)[\"'][^()\n]{0,20}\)(?:\.\w{1,20}\([^()\n]{0,20}\))?"),
    _row("is-json", "a JSON object or array", "Put the value of the right member there.",
        r"[\[{].*[\]}]"),
    # A private key so written is read as another number, so only a public key reaches this row.
    _row("lost-its-case", "a text in small letters alone, or in capitals: a key has both",
        "Copy it again from where it was made: which letters were capitals cannot be computed.",
        r"(?=.*\d)(?=.*[g-z])[a-z0-9_-]{43,}|(?=.*\d)(?=.*[G-Z])[A-Z0-9_-]{43,}"),
)
# fmt: on
SURE = tuple(thing for thing in THINGS if thing.sure)
