"""Tables in a picture: each row has a name, a length, a meaning and the source of the rule."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pushlab.notebook.pictures import svg
from pushlab.notebook.pictures.svg import Block

WHOLE = 32
"""A value of at most so many bytes is shown whole. Keys and hashes are 32 bytes long."""

WIDE = 72  # Letters in a line: 32 bytes in hexadecimal are 71.
LETTER = 7.2  # Pixels of a letter of the monospaced font, at size 12.


class TableRow(NamedTuple):
    """One row: ``value`` is set in a monospaced font, ``meaning`` in an ordinary one."""

    name: str
    small: str = ""
    meaning: str = ""
    value: str = ""
    rfc: str = ""
    colour: str = svg.INK


def hexadecimal(value: bytes, whole: int = WHOLE) -> str:
    """Write bytes in hexadecimal, in groups of four; of a long value, leave out the middle.

    >>> hexadecimal(bytes(range(12)))
    '00010203 04050607 08090a0b'
    >>> hexadecimal(bytes(range(65)), 16)
    '00010203 04050607 … 3d3e3f40'
    """
    if len(value) <= whole:
        return value.hex(" ", -4)
    end = max(whole // 3 // 4 * 4, 4)
    start = max((whole - end) // 4 * 4 - 4, 4)
    return f"{value[:start].hex(' ', -4)} … {value[-end:].hex(' ', -4)}"


def table(
    lines: Iterable[TableRow], heading: str = "", colour: str = svg.INK, *,
    formulas: bool = False, width: float = 0,
) -> Block:  # fmt: skip
    """Draw rows, at least ``width`` pixels wide.

    A ``heading`` is written on a bar of ``colour``, the colour of the party that the table is about.
    With ``formulas``, the meaning of a row comes before its value.
    """
    lines = list(lines)
    inset = 12 if heading else 0
    named = max([svg.width(one.name, 14.5) for one in lines] + [80])
    left = inset + min(named, 190) + 16
    right = max(left + WIDE * LETTER, width - inset)
    width, parts, y = right + inset, [], 0.0
    if heading:
        parts.append(svg.box(0, 0, width, 28, fill=colour))
        said = svg.shorten(heading, 72)
        parts.append(svg.text(12, 19, said, fill="#ffffff", size=13, weight=600, anchor="start"))
        y = 32
    for number, one in enumerate(lines):
        drawn, height = _row(one, inset, left, right, y, formulas)
        if number:
            parts.append(f'<path d="M0 {y:g} H{width:g}" stroke="{svg.EDGE}"/>')
        parts += drawn
        y += height
    return Block(width, y, parts)


def _row(
    one: TableRow, inset: float, left: float, right: float, top: float, formulas: bool
) -> tuple[list[str], float]:
    """Return one row's drawing, and its height."""
    name = svg.shorten(one.name, 22)
    parts = [svg.text(inset, top + 18, name, fill=one.colour, size=13, weight=600, anchor="start")]
    if one.small:
        parts.append(svg.text(inset, top + 34, svg.shorten(one.small, 28), anchor="start"))
    if one.rfc:
        parts.append(svg.text(right, top + 18, one.rfc, anchor="end"))
    full = right - left
    # The first line is shorter, because the source is at its end. Most texts need no second line.
    first = full - svg.width(one.rfc, 11) - 12 if one.rfc else full
    shown = [(one.value, svg.MONO, LETTER), (one.meaning, "", 6.5)]
    y = top + 18
    for said, family, letter in shown[::-1] if formulas else shown:
        fill = svg.INK if y == top + 18 else svg.FAINT
        for line in svg.wrap(said, int((first if y == top + 18 else full) / letter), 6):
            long = len(line) * LETTER if family and line.isascii() else 0
            parts.append(
                svg.text(left, y, line, fill=fill, size=12, anchor="start", family=family, length=long)
            )
            y += 16
    return parts, max(y - top - 6, 44 if one.small else 28)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Write rows as text in columns, with numbers aligned to the right.

    >>> print(aligned([("salt", "16", "x"), ("rs", "4", "y")]))
    salt  16  x
    rs     4  y
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        [
            cell.rjust(wide) if cell.isdecimal() else cell.ljust(wide)
            for cell, wide in zip(row, widths, strict=True)
        ]
        for row in rows
    ]
    return "\n".join("  ".join(line).rstrip() for line in lines)
