"""Byte maps: every byte of a message, or character of a token, in the colour of its part."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from pushlab.notebook.pictures import svg
from pushlab.notebook.pictures.svg import SPAN_COLOURS, Block
from pushlab.protocol.trace import Span
from pushlab.text import counted

ROWS = 12
"""At most so many rows of 16 bytes are drawn. Of a longer body, rows in the middle are left out."""

TAIL = 3  # Rows that are drawn at the end of a longer body.
CELL, LINE = 24, 25  # Pixels from byte to byte, and from row to row.
LETTERS, LETTER = 64, 8  # Characters of a token in a row, and pixels of each.
LEGEND = 52  # Letters in a line of the legend.


def parts_of(spans: Iterable[Span], length: int) -> list[Span]:
    """Return the spans in order, with further spans for the bytes that none of them names.

    Raises ValueError if two spans overlap, or if one ends after the last byte.

    >>> [str(part)[:17] for part in parts_of([Span(2, 4, "rs", "", "")], 5)]
    ['   0-2    not nam', '   2-4    rs:  ()', '   4-5    not nam']
    """
    found: list[Span] = []
    at = 0
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if not 0 <= span.start <= span.end <= length:
            raise ValueError(
                f"part {span.name!r} is {span.start} to {span.end}, and there are {length} bytes"
            )
        if span.start < at:
            raise ValueError(f"parts {found[-1].name!r} and {span.name!r} overlap")
        if span.start > at:
            found.append(Span(at, span.start, "not named", "no part says what this is", ""))
        found.append(span)
        at = span.end
    if at < length:
        found.append(Span(at, length, "not named", "no part says what this is", ""))
    return found


def byte_block(parts: Sequence[Span], data: bytes) -> Block:
    """Draw bytes in hexadecimal, 16 to a row, with the text that they contain, and a legend.

    ``parts`` must name every byte once: ``parts_of`` makes such a list.
    """
    grid = _Grid(len(data))
    readable = [part for part in parts if _is_text(data[part.start : part.end])]
    drawn = [*_offsets(grid)]
    for index, part in enumerate(parts):
        colour = SPAN_COLOURS[index % len(SPAN_COLOURS)]
        runs = list(_runs(part, grid.hidden))
        drawn.append(f"<g><title>{svg.escaped(_tip(part))}</title>")
        drawn += _cells(grid, runs, data, colour)
        if part in readable:
            drawn += _letters(grid, runs, data, colour)
        drawn.append("</g>")
    if not data:
        drawn.append(svg.text(grid.left, 16, "no bytes", anchor="start", size=12))
    key = _legend(parts, "byte")
    x = grid.gloss + (grid.columns * LETTER + 20 if readable else 12)
    drawn.append(f'<g transform="translate({x:g} 0)">{"".join(key.parts)}</g>')
    return Block(x + key.width, max(grid.height, key.height, 24), drawn)


class _Grid:
    """Where so many bytes are drawn. ``left``, ``gloss``: x of the first byte and the first letter."""

    def __init__(self, length: int) -> None:
        rows = -(-length // 16)
        self.hidden = range((ROWS - TAIL) * 16, (rows - TAIL) * 16) if rows > ROWS else range(0)
        self.shown = [row for row in range(0, length, 16) if row not in self.hidden]
        self.height = (len(self.shown) + bool(self.hidden)) * LINE
        self.columns = min(length, 16)
        self.left: float = 8 + 7 * len(str(length))
        self.gloss = self.left + max(self.columns, 4) * CELL + 12

    def top(self, offset: int) -> float:
        """Return y of a byte's row. One row stands for all that are hidden."""
        row = offset // 16
        is_below = offset >= self.hidden.stop > 0
        return (row - len(self.hidden) // 16 + 1 if is_below else row) * LINE


def _offsets(grid: _Grid) -> Iterator[str]:
    for offset in grid.shown:
        yield svg.text(grid.left - 7, grid.top(offset) + 16, str(offset), anchor="end")
    if grid.hidden:
        said = f"… {counted(len(grid.hidden), 'more byte')} …"
        yield svg.text(grid.left + 8 * CELL, grid.top(grid.hidden.start) + 16, said, size=12)


def _cells(grid: _Grid, runs: Sequence[range], data: bytes, colour: str) -> Iterator[str]:
    for run in runs:
        x, y = grid.left + run.start % 16 * CELL, grid.top(run.start)
        yield svg.box(x, y, len(run) * CELL - 2, LINE - 3, fill=colour, radius=4)
    # Attributes that all bytes share are written once, on their group.
    yield f'<g fill="#ffffff" font-size="11.5" text-anchor="middle" font-family="{svg.MONO}">'
    for at in chain(*runs):
        x = grid.left + at % 16 * CELL + CELL / 2 - 1
        yield f'<text x="{x:g}" y="{grid.top(at) + 15:g}">{data[at]:02x}</text>'
    yield "</g>"


def _letters(grid: _Grid, runs: Sequence[range], data: bytes, colour: str) -> Iterator[str]:
    yield f'<g fill="{colour}" font-size="12" font-family="{svg.MONO}">'
    for at in chain(*runs):
        letter = chr(data[at]) if 0x20 < data[at] < 0x7F else "·"
        if data[at] != 0x20:
            x = grid.gloss + at % 16 * LETTER
            yield f'<text x="{x:g}" y="{grid.top(at) + 15:g}">{svg.escaped(letter)}</text>'
    yield "</g>"


def token_blocks(parts: Sequence[Span], token: str) -> list[Block]:
    """Draw the characters of a token, and a legend below them."""
    drawn: list[str] = []
    for index, part in enumerate(parts):
        colour = SPAN_COLOURS[index % len(SPAN_COLOURS)]
        drawn.append(f"<g><title>{svg.escaped(_tip(part))}</title>")
        for run in _runs(part, range(0), LETTERS):
            x, y = run.start % LETTERS * LETTER, run.start // LETTERS * LINE
            wide = len(run) * LETTER
            drawn.append(svg.box(x, y, wide, LINE - 3, fill=colour, radius=min(4, len(run))))
            drawn.append(
                svg.text(
                    x, y + 15, token[run.start : run.stop], fill="#ffffff", size=12,
                    anchor="start", family=svg.MONO, length=wide,
                )
            )  # fmt: skip
        drawn.append("</g>")
    rows = -(-len(token) // LETTERS)
    return [Block(LETTERS * LETTER, rows * LINE, drawn), _legend(parts, "character", 78)]


def _legend(parts: Sequence[Span], unit: str, letters: int = LEGEND) -> Block:
    """Draw the name and meaning of each part, in as many lines as they need."""
    drawn: list[str] = []
    wide, y = 0.0, 0.0
    for index, part in enumerate(parts):
        colour = SPAN_COLOURS[index % len(SPAN_COLOURS)]
        drawn.append(svg.box(0, y + 4, 12, 12, fill=colour, radius=3))
        facts = [svg.shorten(part.name, 30), counted(len(part), unit), svg.shorten(part.rfc, 30)]
        said = " · ".join(fact for fact in facts if fact)
        drawn.append(svg.text(20, y + 15, said, fill=svg.INK, size=12, weight=500, anchor="start"))
        wide, y = max(wide, 20 + svg.width(said, 12)), y + 20
        for line in svg.wrap(part.meaning, letters, 4):
            drawn.append(svg.text(20, y + 10, line, size=12, anchor="start"))
            wide, y = max(wide, 20 + svg.width(line, 12)), y + 16
        y += 6
    return Block(wide, y, drawn)


def _runs(part: Span, hidden: range, row: int = 16) -> Iterator[range]:
    """Cut a part at the ends of rows, and leave out the rows that are not drawn."""
    at = part.start
    while at < part.end:
        end = min(at // row * row + row, part.end)
        if at not in hidden:
            yield range(at, end)
        at = end


def _is_text(data: bytes) -> bool:
    """Say whether the bytes look like text: most of them are printable ASCII."""
    printable = sum(0x20 <= byte < 0x7F for byte in data)
    return printable >= 3 and printable >= 0.85 * len(data)


def _tip(part: Span) -> str:
    where = f"{part.start} to {part.end - 1}" if len(part) else f"none, at {part.start}"
    return f"{part.name}: {where}. {part.meaning} ({part.rfc})"
