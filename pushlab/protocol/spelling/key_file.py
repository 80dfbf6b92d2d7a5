"""What a file of keys holds, and what is to say about it before it is used.

``key_file_reader`` finds it.
"""

import re
from dataclasses import dataclass

from pushlab.protocol.spelling.recognize import Advice, Spelling, advise_about
from pushlab.protocol.spelling.shapes import Kind
from pushlab.reader import command


@dataclass(frozen=True, repr=False)
class Found:
    """One value of a file: the name that it has there, and how it is written."""

    name: str
    spelling: Spelling


@dataclass(frozen=True, repr=False)
class KeyFile:
    """What a file holds.

    ``form``: what kind of file it is, in words; ``private`` and ``public``: where its keys are, or
    None; ``subject``: the contact, or an empty text; ``problem``: why it cannot be read, if a person
    can do something about it; ``several``: whether it has more private keys that may be meant.
    """

    form: str
    private: Found | None = None
    public: Found | None = None
    subject: str = ""
    problem: str = ""
    several: bool = False

    @property
    def exchanged(self) -> bool:
        """Say whether each half has the other's name."""
        halves = (self.private and self.private.spelling.kind, self.public and self.public.spelling.kind)
        return halves == (Kind.PUBLIC, Kind.PRIVATE)

    @property
    def is_bundled(self) -> bool:
        """Say whether the private key has a name that says that it is for the page."""
        return self.has_private_key and bool(self.private and BUNDLED.match(self.private.name))

    @property
    def has_private_key(self) -> bool:
        """Say whether a private key is in it, under any name."""
        found = (one.spelling.kind for one in (self.private, self.public) if one)
        return Kind.PRIVATE in found

    @property
    def advice(self) -> Advice | None:
        """Say why this is not a key file of ours, and what to do; None if there is nothing to say."""
        if self.problem:
            return Advice("no-key-file", f"this is {self.form}", self.problem)
        if self.exchanged:
            return Advice("keys-exchanged", "each half of the pair has the other's name", EXCHANGE)
        if self.private is None:
            missing = Advice("private-key-missing", "there is no private key in it", FIND)
            return missing if self.public else None
        if self.is_bundled:
            seen = f"{self.private.name} is a name whose value bundlers build into the page"
            return Advice("private-key-bundled", seen, f"Rename it. {BURNT}")
        ours = self.form == JWK or self.private.name == WHOLE
        ours = ours or (self.private.name, self.form) == (OUR_NAME, ENV)
        if not ours and self.private.spelling.kind is Kind.PRIVATE:
            turn = (
                f"{IMPORT} reads it, and writes the lab's own file. By hand, write a .env: {self.lines}."
            )
            return Advice("of-another-tool", f"this is {self.form}", turn)
        for half, kind in ((self.private, Kind.PRIVATE), (self.public, Kind.PUBLIC)):
            if half and (found := advise_about(half.spelling, kind)):
                command = f" {IMPORT} does that." if half.spelling.kind is kind else ""
                return Advice(found.name, f"{half.name} is {found.what}", found.turn + command)
        return None

    @property
    def unrecognized(self) -> str:
        """Say that there is no private key, where there is no advice."""
        return f"no private key is recognized in it ({self.form})"

    @property
    def lines(self) -> str:
        """Say which lines a ``.env`` needs, in the names that this file has.

        >>> from pushlab.protocol.spelling.key_file_reader import read
        >>> read('{"publicKey": "A", "privateKey": "B"}').lines
        'VAPID_PRIVATE_KEY=(the value of privateKey) and VAPID_PUBLIC_KEY=(the value of publicKey)'
        """
        halves = (("PRIVATE", self.private), ("PUBLIC", self.public))
        parts = [f"VAPID_{half}_KEY=(the value of {one.name})" for half, one in halves
                 if one and one.name != BOTH_COORDINATES]  # fmt: skip
        return " and ".join(parts)

    def __repr__(self) -> str:
        return f"<KeyFile {self.form}>"


WHOLE = "it"
"""The name of a key that is a whole file."""

WHOLE_FILE = ("of-another-tool", "no-key-file", "keys-exchanged", "private-key-bundled")
"""Advice about a whole file: what is wrong with one value in it does not matter then."""

OUR_NAME, ENV, JWK = "VAPID_PRIVATE_KEY", "a .env", "a JWK"
OUR_NAMES = (OUR_NAME, "VAPID_PUBLIC_KEY", "VAPID_SUBJECT")
"""What the lab itself reads of a ``.env``."""

BOTH_COORDINATES = "x and y"
"""The members of a JWK that are its public half. No one can copy them into one line."""
IMPORT = command("keys --import FILE")
BURNT = "If the private key was given to browsers, everybody has it: make a new pair."
EXCHANGE = f"Exchange the two: {IMPORT} does that. {BURNT}"
FIND = (
    "Find the private half that belongs to it: with a new pair every stored subscription stops working."
)

BUNDLED = re.compile(r"(?:NEXT_PUBLIC|NUXT_PUBLIC|EXPO_PUBLIC|REACT_APP|VITE|VUE_APP|GATSBY|PUBLIC)_")
"""How names begin that bundlers replace by their values in the JavaScript of a page."""
