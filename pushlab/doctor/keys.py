"""VAPID keys in every format in which people store them, RFC 8292 §3.2."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from pushlab import settings
from pushlab.appserver.keys import VapidKeys, parse_env
from pushlab.doctor.claims import examine_subject
from pushlab.doctor.findings import Finding, bad, hint, of_error, ok
from pushlab.doctor.text import base64url_fault, slug
from pushlab.errors import KeyFileMalformed, MalformedJson, NotUtf8, PushlabError
from pushlab.protocol import base64url, p256, strict_json, utf8
from pushlab.protocol.spelling import Advice, Kind, advise, key_file, key_file_reader
from pushlab.protocol.spelling.encodings import ALPHABETS
from pushlab.protocol.spelling.recognize import COPY_WHOLE, wrong_length
from pushlab.protocol.spelling.shapes import TEXT_LENGTHS, raw_private
from pushlab.reader import command

US = "application server"
RAW = "RFC 7518 §6.2.2.1"
POINT = "RFC 8292 §3.2"
PEM_VALUE = re.compile(r"^[ \t]*(?:export\s+)?(\w+)\s*=\s*[\"']?\s*-----BEGIN", re.MULTILINE)

LINE = re.compile(r"^[ \t]*(?:export\s+)?(?:\w+\s*=(?!=*$)|VAPID_\w+=)", re.MULTILINE)
"""A line of a .env file. If only padding follows the =, the text is a key and not a name."""

SEVERAL_WORDS = re.compile(r"\s|:")
"""What no key has by itself: the text is a file with something in it."""

Keys = tuple[list[Finding], VapidKeys | None]


def examine_keys(content: bytes, vendor: str = "") -> Keys:
    """Examine the content of a key file; return the findings, and the keys if there are any.

    ``content``: a .env, a PEM, a JWK, base64url, or 32 raw bytes; ``vendor``: of the push service
    to which messages will be sent, because Apple is stricter about the subject.
    """
    if raw := raw_private(content):
        return _keys(lambda: VapidKeys.from_raw(raw))
    try:
        text = utf8.decode(content).strip()
    except NotUtf8 as error:
        other = None if utf8.encoding_of(content) else _of_another_tool(content)
        return [other or _not_text(content, error)], None
    if found := _of_another_tool(text):
        return [found], None
    if PEM_VALUE.search(text):
        return [_pem_for_raw(name) for name in PEM_VALUE.findall(text)], None
    if "-----BEGIN" in text:
        return _pem(text)
    if text.startswith("{"):
        return _jwk(text)
    if LINE.search(text):
        values = parse_env(text)
        file = key_file_reader.read(text)
        if key_file.OUR_NAME in values or (
            file.public and not file.private and not set(key_file.OUR_NAMES).isdisjoint(values)
        ):
            return _env(values, vendor)
        return [_no_private_key(text)], None
    if SEVERAL_WORDS.search(text):
        return [_no_private_key(text)], None
    if fault := _private_fault("the private key", text):
        return [fault], None
    return _keys(lambda: VapidKeys.from_raw(base64url.decode(text)))


def _no_private_key(text: str) -> Finding:
    """Say what is in a text of several words, in the words of the command that would import it."""
    file = key_file_reader.read(text)
    if advice := file.advice:
        return _in_the_file(advice)
    return of_error(KeyFileMalformed(f"the key file: {file.unrecognized}"))


def _in_the_file(advice: Advice) -> Finding:
    code = advice.name if advice.name.startswith("private-key-") else f"private-key-{advice.name}"
    return bad(code, f"the key file: {advice.what}", US, POINT, advice.turn)


def _not_text(content: bytes, error: NotUtf8) -> Finding:
    if utf8.encoding_of(content):
        seen = f"the key file: {error.detail}"
        return bad("key-file-encoding", seen, US, error.rfc, f"{error.hint}.")
    return _length_fault("the key file", content)


def _of_another_tool(text: str | bytes) -> Finding | None:
    """Name a file whose keys are there, and in another form than ours, or in each other's place."""
    file = key_file_reader.read(text)
    advice = file.advice
    if not advice or advice.name not in key_file.WHOLE_FILE:
        return None
    code = {"of-another-tool": "key-file-of-another-tool", "no-key-file": "key-file-without-keys"}.get(
        advice.name, advice.name
    )
    code = "key-file-broken-lines" if file.problem and file.has_private_key else code
    return bad(code, f"the key file: {advice.what}", US, POINT, advice.turn)


def usable(keys: VapidKeys) -> Finding:
    """Report that there are keys. The first characters of the public half tell them apart."""
    return ok("keys", f"VAPID keys, the public half is {keys.application_server_key[:8]}…")


def _keys(read: Callable[[], VapidKeys], text: str = "") -> Keys:
    try:
        keys = read()
    except KeyFileMalformed as error:
        if found := key_file_reader.read(text).advice:
            seen = f"the key file: {found.what}"
            return [bad(error.code, seen, US, POINT, found.turn)], None
        return [of_error(error)], None
    except PushlabError as error:
        return [of_error(error)], None
    return [usable(keys)], keys


def _pem(text: str) -> Keys:
    if "PUBLIC KEY-----" in text and "PRIVATE KEY-----" not in text:
        return [_private_missing("the PEM is only a public key")], None
    return _keys(lambda: VapidKeys.from_pem(text), text)


def _jwk(text: str) -> Keys:
    try:
        members = strict_json.parse(text)
    except MalformedJson:
        members = None  # from_jwk() below reports what is wrong with it.
    if isinstance(members, dict):
        if "kty" not in members:
            return [_no_private_key(text)], None
        if "d" not in members:
            return [_private_missing("the JWK has no d: it is only a public key")], None
        if isinstance(d := members.get("d"), str) and d and (fault := _private_fault("d", d)):
            return [fault], None
    return _keys(lambda: VapidKeys.from_jwk(text), text)


def _env(values: dict[str, str], vendor: str) -> Keys:
    private, public = values.get("VAPID_PRIVATE_KEY"), values.get("VAPID_PUBLIC_KEY")
    subject = values.get("VAPID_SUBJECT")
    findings = examine_subject(subject or None, vendor, "VAPID_SUBJECT")
    if public and (fault := _public_fault("VAPID_PUBLIC_KEY", public)):
        findings.append(fault)
    if not private:
        return [_private_missing("there is no VAPID_PRIVATE_KEY"), *findings], None
    if fault := _private_fault("VAPID_PRIVATE_KEY", private):
        return [fault, *findings], None
    if not public:
        fix = f"Add VAPID_PUBLIC_KEY: {command('keys --file FILE')} computes it."
        seen = "there is no VAPID_PUBLIC_KEY beside the private key"
        findings.append(hint("public-key-missing", seen, US, POINT, fix))
    # Faults of the subject and of the public half are reported already. They are left out here, so
    # that the private half is judged by itself.
    whole = {"VAPID_PRIVATE_KEY": private}
    if public and not any(finding.code.startswith("public-key-") for finding in findings):
        whole["VAPID_PUBLIC_KEY"] = public
    found, keys = _keys(lambda: VapidKeys.from_env(whole))
    return found + findings, keys


def _private_missing(seen: str) -> Finding:
    return bad("private-key-missing", seen, US, POINT, key_file.FIND)


def _pem_for_raw(name: str) -> Finding:
    fix = "Write 32 bytes (private) or 65 bytes (public) as base64url, or keep the PEM as a file."
    seen = f"{name} is PEM text where raw bytes are wanted"
    return bad(f"{slug(name)}-is-pem", seen, US, POINT, fix)


def _private_fault(name: str, text: str) -> Finding | None:
    found = advise(text, Kind.PRIVATE)
    if found and found.name == "is-the-public-key":
        return _private_missing(f"{name} is the public key: 65 bytes that begin with 04")
    if found:
        subject = slug(name) if found.name in ALPHABETS else "private-key"
        return bad(f"{subject}-{found.name}", f"{name} is {found.what}", US, RAW, found.turn)
    if fault := base64url_fault(name, text, US):
        return fault
    raw = base64url.decode(text)
    return None if len(raw) == p256.SCALAR else _length_fault(name, raw)


def _length_fault(name: str, raw: bytes) -> Finding:
    """Say what it is that is not 32 bytes long, if that can be recognized."""
    found = advise(raw, Kind.PRIVATE)
    if found and found.name == "is-the-public-key":
        return _private_missing(f"{name} is only a public key")
    if found:
        return bad(f"private-key-{found.name}", f"{name} is {found.what}", US, RAW, found.turn)
    fix = "Use 32 bytes, and keep leading zeros: 43 characters of base64url."
    return bad("private-key-length", f"{name} is {len(raw)} bytes long, not 32", US, RAW, fix)


def _public_fault(name: str, text: str) -> Finding | None:
    if found := advise(text, Kind.PUBLIC):
        return bad(f"{slug(name)}-{found.name}", f"{name} is {found.what}", US, POINT, found.turn)
    if fault := base64url_fault(name, text, US):
        return fault
    if len(text) != TEXT_LENGTHS[Kind.PUBLIC]:
        seen = f"{name} is {wrong_length(len(text), Kind.PUBLIC)}"
        return bad(f"{slug(name)}-length", seen, US, POINT, COPY_WHOLE)
    try:
        p256.load_public(base64url.decode(text))
    except PushlabError as error:
        return bad("public-key-not-a-point", error.detail, US, POINT, f"{error.hint}.")
    return None


def examine_key_file(path: Path) -> list[Finding]:
    """Find out who else can read a key file: other users of this machine, or a git repository's."""
    findings = []
    mode = path.stat().st_mode & 0o777
    if os.name == "posix" and mode & 0o077:
        seen = f"the key file has mode {mode:03o}: others can read it"
        findings.append(bad("key-file-exposed", seen, US, "RFC 8292 §5", f"chmod 600 {path}"))
    if _git(path, "ls-files", "--error-unmatch"):
        fix = f"git rm --cached {path.name}, and make new keys: git's history keeps the old ones."
        seen = "git tracks the key file, so everybody who clones the repository can send in your name"
        findings.append(bad("key-file-in-git", seen, US, "RFC 8292 §5", fix))
    elif _git(path, "rev-parse", "--git-dir") and not _git(path, "check-ignore", "--quiet"):
        seen = "the key file is in a git repository that does not ignore it"
        fix = f"Add {path.name} to .gitignore."
        findings.append(hint("key-file-not-ignored", seen, US, "RFC 8292 §5", fix))
    return findings


def _git(path: Path, *command: str) -> bool:
    """Ask git about a file. Without git, or outside a repository, the answer is no."""
    path = path.resolve()
    # In a hook, git sets variables that name the hook's repository. This question is about the
    # repository that the file is in.
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    names = [] if command[0] == "rev-parse" else ["--", path.name]
    try:
        done = subprocess.run(
            ["git", "-C", str(path.parent), *command, *names],
            capture_output=True, check=False, timeout=settings.patience(10), env=environment,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
