"""What somebody has pasted where a key belongs: how it is written, and what its bytes are.

Wrappings are taken off one after the other, as ``encodings`` lists them, until ``shapes`` knows the
bytes: base64 of the text of a PEM is two of them. The way that ends in a known shape is the one that
is reported. Nothing is accepted here: strict readers refuse first, and ask this module why.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from pushlab.protocol.spelling.encodings import ALPHABETS, ENCODINGS, TWICE, Encoding
from pushlab.protocol.spelling.shapes import (
    LENGTHS,
    TEXT_LENGTHS,
    Kind,
    Shape,
    is_printable,
    scalar_of,
    shape_of,
)
from pushlab.protocol.spelling.things import Thing, sure_thing_of, thing_of

MAX_LENGTH = 8192
"""Characters of a text that is looked at. A PEM has 250, a list of 65 numbers 400."""

MAX_LAYERS, MAX_STEPS = 6, 60
"""Wrappings inside each other, and attempts for one text, before this gives up."""


LEAST, LEAST_IN_HEX = 8, 24
"""Bytes of what may be a part of a key."""

OF_BASE64 = re.compile(r"[A-Za-z0-9_-]{11,}|[A-Za-z0-9_+/-]{20,}")
"""A text that may be a part of a key. A short one with slashes may be a path."""


@dataclass(frozen=True, repr=False)
class Spelling:
    """How a text or bytes are written, and what they are.

    ``layers``: the wrappings, from outside; ``shape``: what the bytes inside are, if they are known;
    ``data``: these bytes, if there are any; ``thing``: what the text is instead of a key; ``length``:
    its characters, if it is base64 of no key, and 0 otherwise. No text that is made of these repeats
    the input, because it may be a private key.
    """

    layers: tuple[Encoding, ...] = ()
    shape: Shape | None = None
    data: bytes | None = None
    thing: Thing | None = None
    length: int = 0

    @property
    def kind(self) -> Kind | None:
        """Return what the key is for, or None if it is not a key."""
        return self.shape.form.kind if self.shape else None

    @property
    def certain_kind(self) -> Kind | None:
        """Return what the key is for, or None if the text may be another thing all the same."""
        # Each text of 32 characters with a letter such as ü could be 32 bytes.
        if any(layer.name == "raw-characters" for layer in self.layers):
            return None
        return self.kind if self.shape and self.shape.form.certain else None

    @property
    def raw(self) -> bytes:
        """Return the bytes that web push wants: 65, 32 or 16; no bytes if there is no key."""
        return self.shape.raw if self.shape else b""

    @property
    def is_cut(self) -> bool:
        """Say whether no bytes encode to the text: a character is missing, or one is too many."""
        return not self.layers or self.layers[-1].name == "spare-bits"

    @property
    def name(self) -> str:
        """Return the name of what is unusual, and "" if the text is base64url of the very bytes."""
        if self.thing:
            return self.thing.name
        if self._says_form:
            return self.shape.form.name if self.shape else ""
        names = [layer.name for layer in self.layers if layer.turn]
        loud = [name for name in names if name not in ALPHABETS]
        return (loud or names or [""])[-1]

    @property
    def what(self) -> str:
        """Return what it is, in words, from outside to inside."""
        if self.thing:
            return self.thing.what
        layers = self._layers_to_tell
        told = any(layer.name.startswith("pem-") for layer in layers)  # They say that it is a PEM.
        words = [layer.what for layer in layers if layer.turn and not (told and layer.name == "is-pem")]
        if self._says_form or not words:
            words.append(self.shape.form.what if self.shape else "")
        elif layers[-1].name == "is-pem" and self.kind:
            words.append(f"a {self.kind}")
        start = ""
        if layers[:1] == (TWICE,) and len(words) > 1:
            start, words = "base64 of ", words[1:]
        return start + ", and in it ".join(filter(None, words))

    @property
    def turn(self) -> str:
        """Return what to do with it, as sentences; "" if nothing has to be done."""
        if self.thing:
            return self.thing.turn
        turns = [layer.turn for layer in self._layers_to_tell if layer.turn]
        return " ".join([*turns, self.shape.form.turn] if self.shape and self._says_form else turns)

    @property
    def _layers_to_tell(self) -> tuple[Encoding, ...]:
        # Where a text is inside the text, whoever decodes it once is rid of all that is around it.
        return self.layers[self.layers.index(TWICE) :] if TWICE in self.layers else self.layers

    @property
    def _says_form(self) -> bool:
        """Whether the form of the bytes is worth a word. What is in a PEM is always DER."""
        in_pem = bool(self.layers) and self.layers[-1].name == "is-pem" and self.kind is not None
        return self.shape is not None and bool(self.shape.form.turn) and not in_pem

    def __repr__(self) -> str:
        return f"<Spelling {self.name or 'as it should be'}, {self.kind or 'no key'}>"


def recognize(value: str | bytes) -> Spelling:
    """Say what a text or bytes are.

    ``value``: anything that stands where a key belongs. Never raises.

    >>> recognize("BTBZMqHH6r4Tts7J_aSIgg==")
    <Spelling padded, auth secret>
    >>> recognize(bytes(31) + b"\\1"), recognize("undefined")
    (<Spelling as it should be, private key>, <Spelling is-undefined, no key>)
    """
    if len(value) > MAX_LENGTH:
        return Spelling()
    if isinstance(value, bytes):
        if not is_printable(value):
            return Spelling(shape=shape_of(value), data=value)
        value = value.decode("ascii")
    if thing := sure_thing_of(value):
        return Spelling(thing=thing)
    best = Spelling()
    for found in _readings(value):
        if found.shape:
            return found
        if best.data is None and _is_telling(found):
            best = found
    # A reading that ends in unknown bytes says little: a path, too, may be read as base64.
    if thing := thing_of(value):
        return Spelling(thing=thing)
    # Made-up keys are often printable. If nothing else has come of these bytes, they are a key.
    if (
        best.data
        and len(best.layers) == 1
        and (not best.layers[0].turn or best.layers[0].name in ALPHABETS)
    ):
        best = replace(best, shape=scalar_of(best.data))
    return best if best.shape else replace(best, length=_length_of(value, best))


def _length_of(text: str, found: Spelling) -> int:
    """Return the characters of what may be base64 of a part of a key; 0 if it is anything else."""
    if NAME.fullmatch(text):
        return 0
    text = text.strip(" \t\r\n\"'`,;=")
    is_base64 = found.is_cut or found.layers[-1].name == "base64url"
    return len(text) if is_base64 and OF_BASE64.fullmatch(text) else 0


NAME = re.compile(
    r"(?=.{2,40}\Z)(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\s*=?\s*|[a-z]+(?:-[a-z]+)+)", re.DOTALL
)
"""A name with no value, or words: they are in the alphabet of base64url as well."""


def _is_telling(found: Spelling) -> bool:
    """Say whether a reading that ends in unknown bytes is worth a word: any word is base64url."""
    names = {layer.name for layer in found.layers}
    # A text of letters from a to f may be base64 as well. A long one is not.
    least = LEAST_IN_HEX if "in-hex" in names else LEAST
    return not names & {"spaces-for-plus", "with-name"} and len(found.data or b"") >= least


def _readings(text: str) -> Iterator[Spelling]:
    """Yield what a text can be read as, breadth first: the fewest wrappings come first."""
    waiting: list[tuple[str, tuple[Encoding, ...]]] = [(text, ())]
    steps, seen = 0, {text}
    for text, layers in waiting:
        for encoding in ENCODINGS:
            if (steps := steps + 1) > MAX_STEPS * len(ENCODINGS) or len(layers) >= MAX_LAYERS:
                return
            inside = encoding.read(text)
            if inside is None:
                continue
            around = (*layers, encoding)
            if isinstance(inside, bytes):
                shape = shape_of(inside)
                # Of a text that was cut, the bytes that are left may be as many as some form has.
                guess = shape and not shape.form.certain and encoding.name == "spare-bits"
                yield Spelling(around, None if guess else shape, inside)
                if is_printable(inside):
                    waiting.append((inside.decode("ascii"), (*around, TWICE)))
            elif inside not in seen:
                seen.add(inside)
                waiting.append((inside, around))


class Advice(NamedTuple):
    """What is wrong with the text of a key: ``name`` for programs, ``what`` and ``turn`` for people."""

    name: str
    what: str
    turn: str


COPY_WHOLE = "Copy it again, from the first character to the last."
"""What to do about a key of which something is missing, or has come twice."""


def wrong_length(length: int, wanted: Kind) -> str:
    """Say how long a text is, and how long a key of this kind would be in base64url.

    >>> wrong_length(86, Kind.PUBLIC)
    '86 characters long, and 87 are wanted'
    """
    return f"{length} characters long, and {TEXT_LENGTHS[wanted]} are wanted"


def advise(value: object, wanted: Kind) -> Advice | None:
    """Say what stands where a key of this kind belongs, and how to make it right.

    Returns None if nothing can be said: it is right, or it is not recognized. The advice never
    contains a part of the value.

    >>> print(advise("AAAA", Kind.PUBLIC))
    None
    >>> advise("00000000000000000000000000000001", Kind.AUTH).what
    'hexadecimal'
    """
    if isinstance(value, list | dict):
        # A list of bytes, or the {} that was an ArrayBuffer. Anything else is an object or an array.
        try:
            found = recognize(json.dumps(value))
        except RecursionError:
            return None
        return advise_about(found, wanted) if found.kind or value == {} else None
    if not isinstance(value, str | bytes):
        return None
    return advise_about(recognize(value), wanted)


OF_A_HEADER = re.compile(
    r"(?i)[\s\"']*(?:(?:crypto-key|encryption|authorization)\s*:|(?:p256ecdsa|dh|salt|keyid|k|t)\s*="
    r"|(?:vapid|webpush|bearer)\s)"
)
"""How the values begin that headers of a message have. They are the server's, and no subscription's."""

OF_A_MEMBER = re.compile(r"(?i)[\s\"'{]*(?:keys?\W{1,3})?(?:p256dh|auth)\b")
LONGEST = 1000
"""Characters of a key of a subscription that are looked at: strangers send them."""

FROM_THE_BROWSER = "Send it just as subscription.toJSON() gives it."
"""What to do about a value that no browser gives, so that it is no browser's fault."""

FOR_ANY_KEY = {
    "base64url", "padded", "plain-base64", "spare-bits", "byte-list", "in-hex", "python-bytes", "quoted",
    "raw-characters", "with-comma", "with-remark", "with-spaces", "spaces-for-plus", "percent-encoded",
    "escaped", "html-escaped", "with-scheme", "with-name", "encoded-twice",
    "without-04", "compressed", "hybrid", "y-before-x", "little-endian", "with-00", "is-der",
    "is-the-auth-secret", "is-undefined", "is-an-object", "is-an-empty-object", "is-mojibake",
    "is-shortened", "is-a-firebase-token",
}  # fmt: skip
"""Names of advice that is right for a key of a subscription too. Any other is for a VAPID key: whoever
obeyed it would put the server's own key there."""


def advise_subscription(value: object, wanted: Kind) -> Advice | None:
    """Do the same for a key of a subscription, which the browser made: no VAPID key belongs there.

    >>> advise_subscription("YOUR_P256DH_KEY", Kind.PUBLIC).turn
    'Send it just as subscription.toJSON() gives it.'
    """
    if isinstance(value, str | bytes) and len(value) > LONGEST:
        return None
    if isinstance(value, str) and OF_A_HEADER.match(value):
        headers = "Crypto-Key, Encryption or Authorization"
        what = f"a value of a message's header ({headers}), not the subscription's key"
        return Advice("is-of-a-header", what, FROM_THE_BROWSER)
    found = advise(value, wanted)
    if found is None or (found.name in FOR_ANY_KEY and not _has_another_name(value)):
        return found
    return found._replace(turn=FROM_THE_BROWSER)


def _has_another_name(value: object) -> bool:
    """Say whether a text has a name in front of it that no key of a subscription has."""
    if not isinstance(value, str) or OF_A_MEMBER.match(value):
        return False
    return any(layer.name == "with-name" for layer in recognize(value).layers)


def advise_about(found: Spelling, wanted: Kind) -> Advice | None:
    """Do the same for what is recognized already."""
    wanted_length = TEXT_LENGTHS[wanted]
    # A subscription's key of whole bytes may have been cut where it was stored: others tell that.
    is_told = found.is_cut or wanted is Kind.PRIVATE
    if found.length and found.length != wanted_length and is_told:
        near = found.length < 2 * wanted_length
        turn = COPY_WHOLE if near else f"Put the {wanted} there."
        return Advice("length", wrong_length(found.length, wanted), turn)
    if found.kind in (None, wanted):
        if found.shape is None and found.thing is None and not (found.layers and found.layers[-1].turn):
            return None
        return Advice(found.name, found.what, found.turn) if found.name else None
    if not found.shape or not found.shape.form.certain:
        return None
    return _misplaced(found, wanted)


def _misplaced(found: Spelling, wanted: Kind) -> Advice:
    other = found.kind
    assert other is not None
    name = f"is-the-{other.replace(' ', '-')}"
    article = "an" if other is Kind.AUTH else "a"
    length = len(found.raw)
    what = f"{length} bytes, as long as {article} {other}, where the {wanted} belongs"
    if found.shape and found.shape.form.name not in ("scalar", "auth-secret"):
        what = f"{article} {other}, where the {wanted} belongs"
    if (wanted, other) == (Kind.PUBLIC, Kind.PRIVATE):
        turn = ("Exchange the two. If the private key was given to browsers, everybody has it: make a "
        "new pair.")  # fmt: skip
    elif (wanted, other) == (Kind.PRIVATE, Kind.PUBLIC):
        turn = "Exchange the two, or find the private half that belongs to it."
    else:
        turn = f"Put the {LENGTHS[wanted]} bytes of the {wanted} there: were two of them exchanged?"
    return Advice(name, what, turn)
