"""Pictures for lessons: the bytes of a message, the characters of a token, the values on the way.

Every function returns a picture that shows itself as the last line of a cell; where there are no
pictures, its text stands for it.
"""

from collections.abc import Iterable

from pushlab.notebook.pictures import svg
from pushlab.notebook.pictures.bytemaps import byte_block, parts_of, token_blocks
from pushlab.notebook.pictures.svg import Svg
from pushlab.notebook.pictures.tables import Line, aligned, count, hexadecimal, table
from pushlab.protocol.trace import Span, Step, spans, token_spans


def byte_map(parts: Iterable[Span], data: bytes, title: str | None = None) -> Svg:
    """Draw bytes in hexadecimal, one colour a part, with a legend.

    Bytes that are in no part are drawn as such. Raises ValueError when parts overlap, or go on
    after the last byte.
    """
    parts = parts_of(parts, len(data))
    label = f"The bytes of {title or 'a message'}"
    return Svg(svg.stack([byte_block(parts, data)], title, label), _listed(parts))


def message_map(body: bytes, title: str | None = None) -> Svg:
    """Draw the body of a push message, each part in a colour of its own. RFC 8188 §2.1.

    Raises what ``trace.spans`` raises when it is no such body.
    """
    return byte_map(spans(body), body, title)


def token_map(token: str, title: str | None = None) -> Svg:
    """Draw the characters of a token, and what they say. RFC 7515 §7.1. Raises BadToken."""
    parts = token_spans(token)
    return Svg(svg.stack(token_blocks(parts, token), title, "A token"), _listed(parts))


def trace_table(steps: Iterable[Step], title: str | None = None) -> Svg:
    """Draw a computation: name, length, formula and value of each step, and where it is written.

    The values are shown, keys too: it is for keys that everybody may know.
    """
    steps = list(steps)
    lines = [
        Line(one.name, count(len(one.value)), one.formula, hexadecimal(one.value), one.rfc)
        for one in steps
    ]
    rows = [("name", "bytes", "value", "formula", "source")]
    for one in steps:
        size, value = str(len(one.value)), hexadecimal(one.value, 16)
        rows.append((one.name, size, value, one.formula, one.rfc))
    drawn = svg.stack([table(lines, formulas=True)], title, "A computation, step by step")
    return Svg(drawn, _clean(aligned(rows)))


def _listed(parts: Iterable[Span]) -> str:
    return "\n".join(_clean(str(part)) for part in parts)


def _clean(said: str) -> str:
    """Return text without what would change how the text around it is shown."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in said)
