"""The parts of an SVG picture.

A picture must be readable in JupyterLab, light and dark, in an exported page and in a static
viewer, so three rules hold:

- It has a card of its own, near-white in a light theme and near-black in a dark one (see ``theme``).
  So there is never dark text on a dark ground, whatever the viewer makes of the rest.
- It uses presentation attributes (``fill="…"``), because static viewers remove style sheets.
- It uses no ``id``: two pictures on one page would share an arrow head with an ``id``.
"""

import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from pushlab.notebook.pictures import theme

CARD, EDGE, INK, FAINT = "#fbfbfa", "#d5d7da", "#1f2328", "#5f6772"
# None of these is a party's colour, because a part of a message belongs to no party.
SPAN_COLOURS = (
    "#7a3fa5", "#0b6e79", "#b0263f", "#5f6772", "#4b4fc4", "#86590a", "#a8246f", "#4d6b12",
)  # fmt: skip
SANS = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'SFMono-Regular', Menlo, 'DejaVu Sans Mono', monospace"


class Svg:
    """Show SVG text as a picture in a notebook, and ``text`` where there are no pictures.

    >>> Svg(card(200, 100, [], "an arrow"), "one arrow")
    one arrow
    """

    def __init__(self, markup: str, text: str = "a picture") -> None:
        self.markup, self.text = markup, text

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": theme.html(self.markup), "text/plain": self.text}


def escaped(said: str) -> str:
    """Escape a text for SVG, and replace the control characters that XML forbids.

    >>> escaped("<b>\\x00")
    '&lt;b&gt;\ufffd'
    """
    return escape("".join(c if c.isprintable() else "\ufffd" for c in said))


def card(width: float, height: float, parts: Sequence[str], label: str) -> str:
    """Return a complete picture: a card with ``parts`` on it; sizes are in pixels."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escaped(label)}" '
        f'font-family="{SANS}">'
        f'<rect x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="10" '
        f'fill="{CARD}" stroke="{EDGE}"/>{"".join(parts)}</svg>'
    )


class Block(NamedTuple):
    """A part of a picture: its size in pixels, and SVG that is drawn from its top left corner."""

    width: float
    height: float
    parts: Sequence[str]


def stack(blocks: Iterable[Block], heading: str | None, label: str) -> str:
    """Return a picture of ``blocks``, one below the other, with a heading if there is one."""
    parts = [title(16, 27, heading)] if heading else []
    wide, y = (width(heading, 15) if heading else 0.0), (42.0 if heading else 16.0)
    for block in blocks:
        parts.append(f'<g transform="translate(16 {y:g})">{"".join(block.parts)}</g>')
        wide, y = max(wide, block.width), y + block.height + 14
    return card(wide + 32, y, parts, heading or label)


def width(said: str, size: float) -> float:
    """Estimate the width of a text in pixels, without any font: a picture is the same everywhere.

    >>> width("RFC 8291", 10) < width("RFC 8291 §2", 10)
    True
    """
    letters = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in said)
    return letters * size * 0.6


def shorten(text: str, length: int) -> str:
    """Cut ``text`` to at most ``length`` characters, the last one an ellipsis.

    >>> shorten("POST /add-subscription", 10)
    'POST /add…'
    """
    return text if len(text) <= length else text[: max(length - 1, 0)].rstrip() + "…"


def wrap(said: str, letters: int, lines: int = 4) -> list[str]:
    """Break a text into at most ``lines`` lines. If more is left, the last ends with an ellipsis.

    >>> wrap("one two three four", 9, 2)
    ['one two', 'three…']
    """
    said = "".join(c if c.isprintable() else "\ufffd" for c in said)
    return textwrap.wrap(said, letters, max_lines=lines, placeholder="…")


def text(
    x: float, y: float, said: str, *, fill: str = FAINT, size: int = 11, weight: int = 400,
    anchor: str = "middle", family: str = "", length: float = 0,
) -> str:  # fmt: skip
    """Return one line of text. ``y`` is its base line; ``anchor`` says which end of it is at ``x``.

    With a ``length``, the text is stretched to so many pixels in every font.
    """
    face = f' font-family="{family}"' if family else ""
    if length:
        face += f' textLength="{length:g}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{fill}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}"{face}>{escaped(said)}</text>'
    )


def title(x: float, y: float, said: str) -> str:
    """Return the heading of a picture, or of a part of one."""
    return text(x, y, said, fill=INK, size=15, weight=600, anchor="start")


def box(x: float, y: float, width: float, height: float, fill: str, radius: int = 6) -> str:
    """Return a filled rectangle with round corners."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}" fill="{fill}"/>'
    )


def arrow(start: float, end: float, y: float, colour: str) -> str:
    """Return an arrow with its own head, because a shared head would need an ``id``."""
    back = 9 if end < start else -9
    return (
        f'<line x1="{start:g}" y1="{y:g}" x2="{end + back:g}" y2="{y:g}" stroke="{colour}" '
        f'stroke-width="1.6"/><path d="M{end:g} {y:g} l{back} -4.5 v9 z" fill="{colour}"/>'
    )


def note(x: float, y: float, what: str, small: Sequence[str], colour: str) -> str:
    """Return a framed note centred at ``x``, with smaller lines below the first."""
    wide = max(len(what) * 7.3, *(len(line) * 6.3 for line in small), 40) + 18
    high = 24 + 14 * len(small)
    under = "".join(text(x, y + 31 + 14 * number, line) for number, line in enumerate(small))
    return (
        f'<rect x="{x - wide / 2:g}" y="{y:g}" width="{wide:g}" height="{high}" rx="6" '
        f'fill="#ffffff" stroke="{colour}"/>'
        + text(x, y + 16, what, fill=colour, size=13, weight=500)
        + under
    )
