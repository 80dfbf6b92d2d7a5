"""Where VAPID keys come from: the environment, a file of ours, or the file of another tool.

Servers in containers get their keys as VAPID_PRIVATE_KEY, VAPID_PUBLIC_KEY and VAPID_SUBJECT. These
are asked before the file, each by itself, and whoever takes them says from where: two sources that
nobody knows of are how subscriptions end up with another key than the messages.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pushlab.appserver import private_file
from pushlab.appserver.keys import DEFAULT_SUBJECT, NAMES, VapidKeys, explained, parse_env
from pushlab.errors import BadSubject, FormatError, KeyFileMalformed, KeyMismatch
from pushlab.protocol import utf8, vapid
from pushlab.protocol.spelling import Kind, key_file_reader, recognize
from pushlab.reader import command

ENVIRONMENT = "the environment"
SURROGATE = re.compile("[\ud800-\udfff]")
SUBJECT_LINE = re.compile(r"(?m)^([ \t]*(?:export[ \t]+)?VAPID_SUBJECT[ \t]*=).*$")


@dataclass(frozen=True)
class KeySource:
    """Keys, and where they are from: ``keys_from`` and ``subject_from`` are texts for people."""

    keys: VapidKeys
    keys_from: str
    subject_from: str


def find(
    path: Path, environment: Mapping[str, str] | None = None, *, generate: bool = True
) -> KeySource:
    """Take the keys of the environment, or else those of a file.

    ``generate``: whether to make the file if it is missing and there are no keys in the environment.
    Raises what ``VapidKeys.load`` and ``load_or_generate`` raise.
    """
    values = of_environment(os.environ if environment is None else environment)
    subject = values.get("VAPID_SUBJECT")
    if values.get("VAPID_PRIVATE_KEY"):
        try:
            keys = VapidKeys.from_env(values)
        except (FormatError, KeyFileMalformed, KeyMismatch) as reason:
            raise explained(ENVIRONMENT, to_lines(values).encode(), reason) from None
        return KeySource(keys, ENVIRONMENT, ENVIRONMENT if subject else "the default")
    keys = (VapidKeys.load_or_generate if generate else VapidKeys.load)(path)
    if subject:
        return KeySource(VapidKeys(keys.private_key, subject), str(path), ENVIRONMENT)
    return KeySource(keys, str(path), "the default" if keys.subject == DEFAULT_SUBJECT else str(path))


def of_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables about VAPID that are set and not empty.

    Bytes that are no UTF-8 come from Python as halves of surrogate pairs, which cannot be written. Each
    becomes U+FFFD, as everywhere where bytes were lost.
    """
    values = ((name, SURROGATE.sub("\ufffd", environment.get(name, "")).strip()) for name in NAMES)
    return {name: value for name, value in values if value}


def public_alone(keys: VapidKeys, environment: Mapping[str, str] | None = None) -> str:
    """Say that the environment has a public key without its private one, and not that of these keys.

    Returns "" if that is not so. Whoever misspells the private key's name would sign with these keys.
    """
    values = of_environment(os.environ if environment is None else environment)
    public = values.get("VAPID_PUBLIC_KEY")
    if not public or values.get("VAPID_PRIVATE_KEY") or recognize(public).raw == keys.public:
        return ""
    return (
        "VAPID_PUBLIC_KEY is in the environment without VAPID_PRIVATE_KEY, and it is not the public key "
        "of this pair"
    )


MISSPELLED = "Set VAPID_PRIVATE_KEY too (is its name misspelled?), or unset the public one."


def to_lines(values: Mapping[str, str]) -> str:
    """Write variables as the lines of a .env file.

    A line may have quotes and a remark, and a variable has neither: Docker's --env-file, for one,
    keeps them. So such a value is put in quotes, with which the line says just what the variable says.

    >>> print(to_lines({"VAPID_SUBJECT": '"mailto:me@example.com"'}), end="")
    VAPID_SUBJECT='"mailto:me@example.com"'
    """
    return "".join(_line(name, value) for name, value in values.items())


def _line(name: str, value: str) -> str:
    lines = (f"{name}={quote}{value}{quote}\n" for quote in ("", "'", '"'))
    return next((line for line in lines if parse_env(line) == {name: value}), f"{name}={value}\n")


def convert(content: bytes, subject: str = "") -> tuple[VapidKeys, str]:
    """Read a key file of any tool, because its owner has asked for it, and say what it was.

    ``subject``: the contact, if it is not to be the file's. Nothing is guessed: a number that seems
    to lack a byte is taken only if the public key in the file confirms it. Raises KeyFileMalformed,
    KeyMismatch, BadSubject.

    >>> convert(b'{"publicKey":"","privateKey":"' + 42 * b"A" + b'E"}')
    (<VapidKeys BGsX0fLh… mailto:pushlab@example.com>, 'the JSON of web-push generate-vapid-keys')
    """
    file = key_file_reader.read(content)
    private, public = (file.public, file.private) if file.exchanged else (file.private, file.public)
    if private is None or private.spelling.kind is not Kind.PRIVATE or private.spelling.shape is None:
        advice = file.advice
        seen = advice.what if advice else file.unrecognized
        raise KeyFileMalformed(seen, hint=advice.turn if advice else "")
    try:
        keys = VapidKeys.from_raw(private.spelling.raw, None, subject or contact(file.subject))
    except BadSubject as reason:
        raise BadSubject(reason.detail, hint="Give another one: --subject mailto:YOU") from None
    theirs = public.spelling.raw if public and public.spelling.kind is Kind.PUBLIC else b""
    confirmed = theirs == keys.public
    if not private.spelling.shape.form.certain and not confirmed:
        why = "the public key does not confirm it" if theirs else "there is no public key to confirm it"
        seen = f"{private.name} is {private.spelling.what}, and {why}"
        raise KeyFileMalformed(seen, hint=private.spelling.turn)
    if theirs and not confirmed:
        raise KeyMismatch(f"{public.name if public else ''} is not the public key of {private.name}")
    form = f"{file.form}, its halves exchanged" if file.exchanged else file.form
    return keys, f"{form}, of several private keys that of {private.name}" if file.several else form


def contact(text: str) -> str:
    """Write a contact as a URI. Tools keep an e-mail address without its ``mailto:``.

    >>> contact("me@example.com"), contact("mailto: me@example.com")
    ('mailto:me@example.com', 'mailto:me@example.com')
    """
    text = "".join(text.split())
    if not text:
        return DEFAULT_SUBJECT
    return text if text.startswith(("mailto:", "https:")) else f"mailto:{text}"


def set_subject(path: Path, subject: str) -> None:
    """Write the contact into a .env file, and leave its other lines as they are.

    Raises BadSubject, KeyFileMalformed (a PEM or a JWK has no place for it), and what load() raises.
    """
    vapid.check_subject(subject)
    VapidKeys.load(path)
    text = utf8.decode(private_file.read(path))
    if not parse_env(text).get("VAPID_PRIVATE_KEY"):
        convert = command("keys --import FILE --file NEW --subject …")
        hint = f"Set VAPID_SUBJECT, or make a .env of it: {convert}"
        raise KeyFileMalformed(f"{path} is no .env, and has no place for a subject", hint=hint)
    line = f"VAPID_SUBJECT={subject}"
    if SUBJECT_LINE.search(text):
        # A function, because a subject may have a backslash.
        text = SUBJECT_LINE.sub(lambda found: found[1] + subject, text)
    else:
        text = f"{text.rstrip()}\n{line}\n"
    private_file.write(path, text.encode(), overwrite=True)
