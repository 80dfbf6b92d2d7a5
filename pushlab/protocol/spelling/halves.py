"""Which values are the two halves of a key pair, by their names or by what they are.

A name says ``private``, ``public`` or ``subject`` in the words of many tools. Where no name helps, two
values are a pair if one is the public key of the other: nothing else can be.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby, product

from pushlab.protocol import p256
from pushlab.protocol.spelling.key_file import Found, KeyFile
from pushlab.protocol.spelling.recognize import Spelling, recognize
from pushlab.protocol.spelling.shapes import Kind

ROLES = {
    "private": re.compile(r"(?i)private|priv_?key|(?:vapid|push).{0,40}secret|^d$|(?-i:^secretKey$)"),
    "public": re.compile(r"(?i)public|pub_?key|application_?server_?key"),
    "subject": re.compile(r"(?i)subject|(?:^|_)sub$|subscriber|mailto|contact|e-?mail"),
}
"""What the names of the two halves and of the contact have in common."""

OURS = re.compile(r"(?i)vapid|push")
"""A file of settings may have other private keys. The names of these say what they are for."""

MAX_NAME = 80
"""Characters of a name that are looked at."""

LONGEST_NAME = 32
"""Characters of a name that is repeated. A longer one may have a key in it."""

RUN = re.compile(r"[A-Za-z0-9+/_-]{40,400}+={0,2}")
MAX_RUNS = 40
"""Runs of letters that are looked at, each of which may be a key."""

ROLE = re.compile(r"(?i)(priv)|(pub)")
"""What a heading of CSV or a tag of XML says of the key that belongs to it."""

OF_A_POINT = ("B", "04", "MFkw")
"""How a point begins: in base64, in hexadecimal, and as DER."""

CALL, CALL_ORDER = re.compile(r"(?i)\b(?:set_?)?vapid_?details\("), ["public", "private"]
"""A call that takes the contact and both halves, and the order in which it takes them."""

CONTACTS = (
    re.compile(r"mailto:\s?[^\s\"'`<>,;)}\]&|\\]{3,200}"),
    re.compile(r"[\"'`]([^\s\"'`@]{1,64}@[^\s\"'`@]{1,200})[\"'`]"),
)
CONTACT = re.compile(r"(?:mailto:|https:).+|[^\s@]+@[^\s@]+")


def role_of(name: str) -> str:
    return next((role for role, pattern in ROLES.items() if pattern.search(name[:MAX_NAME])), "")


def by_names(form: str, members: Iterable[tuple[str, object]]) -> KeyFile:
    halves: dict[str, list[Found]] = {"private": [], "public": []}
    subjects = []
    for name, value in members:
        role = role_of(name)
        if role == "subject" and isinstance(value, str):
            value = value.replace("\\:", ":")  # Java writes a colon in a value so.
            subjects += [value] if CONTACT.fullmatch(value) else []
        elif role in halves and (spelling := _spelling(value, role)):
            halves[role].append(Found(name if len(name) <= LONGEST_NAME else "a value", spelling))
    private, public = _halves(*map(_by_promise, halves.values()))
    several = bool(private) and _are_several(halves["private"])
    return KeyFile(form, private, public, subjects[0] if subjects else "", several=several)


def _are_several(candidates: list[Found]) -> bool:
    """Say whether more than one key may be meant: those whose name says that they are for push."""
    keys = [one for one in candidates if one.spelling.kind is Kind.PRIVATE]
    for_push = [one for one in keys if OURS.search(one.name)]
    return len({one.spelling.raw for one in for_push or keys}) > 1


def _by_promise(candidates: list[Found]) -> list[Found]:
    return sorted(candidates, key=lambda one: (not one.spelling.kind, not OURS.search(one.name)))


def _halves(private: list[Found], public: list[Found]) -> tuple[Found | None, Found | None]:
    """Choose the halves that belong together; if none do, the most promising of each."""
    points = [(one, public_of(one.spelling)) for one in private[:MAX_RUNS]]
    for (one, point), other in product(points, public[:MAX_RUNS]):
        if other.spelling.kind is Kind.PUBLIC and point == other.spelling.raw:
            return one, other
    return next(iter(private), None), next(iter(public), None)


def by_witness(text: str) -> KeyFile | None:
    """Find both halves in any text: two runs of letters, one of which is the public key of the other.

    Words beside them may say which is which, as headings and tags do. They may be wrong.
    """
    matches = [found for found, _ in zip(RUN.finditer(text), range(MAX_RUNS), strict=False)]
    runs = [(found.start(), recognize(found[0])) for found in matches]
    private, public = _halves(
        [Found("the shorter text", one) for _, one in runs if one.kind is Kind.PRIVATE],
        [Found("the longer text", one) for _, one in runs if one.kind is Kind.PUBLIC],
    )
    if not private or not public or public_of(private.spelling) != public.spelling.raw:
        return None
    form = "a text that has both halves of a pair"
    starts = [next(at for at, one in runs if one is half.spelling) for half in (private, public)]
    words = ["private" if found[1] else "public" for found in ROLE.finditer(RUN.sub(" ", text))]
    order = [word for word, _ in groupby(words)] or CALL_ORDER * bool(CALL.search(text))
    subject = _contact_in(text)
    if order == (["public", "private"] if starts[0] < starts[1] else ["private", "public"]):
        return KeyFile(
            form,
            Found("the private one", public.spelling),
            Found("the public one", private.spelling),
            subject,
        )
    return KeyFile(form, private, public, subject)


def _contact_in(text: str) -> str:
    """Return the only mailto: URI of a text, or else its only e-mail address in quotes."""
    for pattern in CONTACTS:
        if found := {str(contact).rstrip(".") for contact in pattern.findall(text)}:
            return found.pop() if len(found) == 1 else ""
    return ""


def by_the_public_half(text: str) -> KeyFile | None:
    """Find a public key alone in any text. A point on the curve is one without any name."""
    for found, _ in zip(RUN.finditer(text), range(MAX_RUNS), strict=False):
        if not found[0].startswith(OF_A_POINT):
            continue
        if (spelling := recognize(found[0])).certain_kind is Kind.PUBLIC:
            return KeyFile("a text with a public key", public=Found("the longer text", spelling))
    return None


def public_of(spelling: Spelling) -> bytes:
    """Return the public half (65 bytes) of what may be a private key, or no bytes if it is none."""
    if spelling.kind is not Kind.PRIVATE:
        return b""
    return p256.raw_public(p256.load_private(spelling.raw))


def _spelling(value: object, role: str) -> Spelling | None:
    if isinstance(value, str):
        return recognize(value)
    assert isinstance(value, Mapping)
    return spelling_of_jwk(value, role)


def spelling_of_jwk(jwk: Mapping[str, object], role: str) -> Spelling | None:
    names = ("d",) if role == "private" else ("x", "y")
    if not all(isinstance(jwk.get(name), str) for name in names):
        return None
    if role == "private":
        return recognize(str(jwk["d"]))
    x, y = (recognize(str(jwk[name])).data or b"" for name in names)
    return recognize(b"\x04" + x + y)
