"""Pictures for lessons: bytes of a message, characters of a token, steps of a computation.

Every function returns a picture. A notebook shows it when it is the last line of a cell; where
pictures cannot be shown, its text appears instead.
"""

from collections.abc import Iterable

from pushlab.notebook.pictures import svg
from pushlab.notebook.pictures.bytemaps import byte_block, parts_of, token_blocks
from pushlab.notebook.pictures.svg import Svg
from pushlab.notebook.pictures.tables import TableRow, aligned, hexadecimal, table
from pushlab.protocol.trace import Span, Step, spans, token_spans
from pushlab.text import counted


def byte_map(parts: Iterable[Span], data: bytes, title: str | None = None) -> Svg:
    """Draw bytes in hexadecimal, each part in its own colour, with a legend.

    Bytes in no part are marked as "not named". Raises ValueError if two parts overlap, or if one
    ends after the last byte.
    """
    parts = parts_of(parts, len(data))
    label = f"The bytes of {title or 'a message'}"
    return Svg(svg.stack([byte_block(parts, data)], title, label), _listed(parts))


def message_map(body: bytes, title: str | None = None) -> Svg:
    """Draw the body of a push message, each part in its own colour.

    Raises TruncatedHeader, BadRecordSize, BadKeyid, TooManyRecords, TruncatedRecord.
    Source: RFC 8188 §2.1.
    """
    return byte_map(spans(body), body, title)


def token_map(token: str, title: str | None = None) -> Svg:
    """Draw the characters of a token, and what they mean.

    Raises BadToken. Source: RFC 7515 §7.1.
    """
    parts = token_spans(token)
    return Svg(svg.stack(token_blocks(parts, token), title, "A token"), _listed(parts))


def trace_table(steps: Iterable[Step], title: str | None = None) -> Svg:
    """Draw a computation: name, length, formula, value and source of each step.

    The values are shown, keys included. So use it only with keys that need not stay secret.
    """
    steps = list(steps)
    lines = [
        TableRow(one.name, counted(len(one.value)), one.formula, hexadecimal(one.value), one.rfc)
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
    """Replace the characters that would change how the text around them is shown."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in said)
