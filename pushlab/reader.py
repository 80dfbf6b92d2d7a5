"""Who reads a message, and the next step that this reader has.

The same fault has another next step in another place: a notebook has cells to run, a terminal has
options, a participant has an instructor to ask, and whoever looks at the page has neither. So a hint
may be an ``Advice``, which holds a text for each of them, and an error is told in the words for the
reader of this process. Commands are named as they can be typed here (see ``command``).
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
WITHOUT_CHECKOUT = {
    "": "jupyter lab",
    "setup": "pip install --upgrade /path/to/pushlab",
    "setup --scale": "pip install '/path/to/pushlab[scale]'",
}
"""What ``./lab`` alone can do, where only the package is installed."""


class Reader(Enum):
    """Whoever reads what this process says."""

    PROGRAM = auto()
    """Who writes Python without Jupyter."""
    NOTEBOOK = auto()
    TERMINAL = auto()
    """Who types the commands, on the machine where the lab runs."""
    PARTICIPANT = auto()
    """Who types the commands, and joins a lab on another machine."""
    PAGE = auto()
    """Who looks at the client page in a browser."""


_reader: Reader | None = None


def reader() -> Reader:
    """Return who reads what this process says."""
    return _reader or (Reader.NOTEBOOK if in_a_kernel() else Reader.PROGRAM)


@contextmanager
def reading(who: Reader) -> Iterator[None]:
    """Tell everything in the words for this reader until the block ends."""
    global _reader  # noqa: PLW0603  # A process has one reader.
    before, _reader = _reader, who
    try:
        yield
    finally:
        _reader = before


class Advice(str):
    """A next step in the words for Python code, with other words for other readers.

    ``terminal`` is for participants, too, unless they have words of their own.

    >>> advice = Advice("Run the cell with Lab() again", terminal="Start it again: ./lab serve")
    >>> print(advice, "|", advice.to(Reader.PARTICIPANT))
    Run the cell with Lab() again | Start it again: ./lab serve
    """

    _others: Mapping[Reader, str]

    def __new__(
        cls, code: str, *, notebook: str = "", terminal: str = "", participant: str = "", page: str = ""
    ) -> "Advice":
        self = super().__new__(cls, code)
        self._others = {
            Reader.NOTEBOOK: notebook,
            Reader.TERMINAL: terminal,
            Reader.PARTICIPANT: participant or terminal,
            Reader.PAGE: page,
        }
        return self

    def to(self, who: Reader) -> str:
        """Return the words for this reader."""
        return self._others.get(who) or str(self)


def advice(hint: str, who: Reader | None = None) -> str:
    """Return a hint in the words for a reader; without one, for the reader of this process."""
    return hint.to(who or reader()) if isinstance(hint, Advice) else hint


def command(arguments: str = "", checkout: Path = CHECKOUT, system: str = os.name) -> str:
    """Return a command of the lab as it is typed on this machine.

    >>> command("join URL", system="posix"), command("join URL", system="nt")
    ('./lab join URL', 'python lab join URL')
    >>> command("join URL", checkout=Path("/nowhere")), command("setup", checkout=Path("/nowhere"))
    ('pushlab join URL', 'pip install --upgrade /path/to/pushlab')
    >>> command("setup --scale", checkout=Path("/nowhere"))
    "pip install '/path/to/pushlab[scale]'"
    """
    if not (checkout / "lab").is_file():
        return WITHOUT_CHECKOUT.get(arguments) or f"pushlab {arguments}"
    return f"{'python lab' if system == 'nt' else './lab'} {arguments}".rstrip()


def in_a_kernel() -> bool:
    """Say whether this program is a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython() if ipython else None, "kernel")
