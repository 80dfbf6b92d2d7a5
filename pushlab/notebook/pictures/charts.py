"""Charts of measured values, as pictures: bars for a few numbers, lines for a curve.

Each function takes values and returns one picture, by the rules of ``svg``. Both charts begin at
zero, so that twice the length is twice the value. Each picture has its values as text, too.
"""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pushlab.notebook.pictures import svg
from pushlab.notebook.pictures.svg import Svg

WIDTH = 720
BAR, GAP = 26, 12  # Heights, in pixels.
LETTER = 7.2  # The approximate width in pixels of a letter at size 13.

Points = Sequence[tuple[float, float]]


def bar_chart(values: Mapping[str, float], title: str | None = None, unit: str = "") -> Svg:
    """Draw one bar for each value, with its name on the left and the value on the right.

    >>> bar_chart({"a loop": 1, "ten workers": 7.25}, "Messages", "×")
    Messages
    a loop: 1×
    ten workers: 7.25×
    """
    _check(values.values())
    left = 32 + LETTER * max((len(name) for name in values), default=0)
    shown = {name: f"{_short(value)}{unit}" for name, value in values.items()}
    room = WIDTH - left - 28 - LETTER * max(map(len, shown.values()), default=0)
    most = max(values.values(), default=0) or 1
    y = 48 if title else 20
    parts = [svg.title(16, 28, title)] if title else []
    for index, (name, value) in enumerate(values.items()):
        colour = svg.SPAN_COLOURS[index % len(svg.SPAN_COLOURS)]
        length, line = value / most * room, y + BAR / 2 + 4.5
        parts.append(svg.text(left - 10, line, name, fill=svg.INK, size=13, anchor="end"))
        parts.append(svg.box(left, y, length, BAR, colour, radius=3))
        end = left + length + 8
        parts.append(svg.text(end, line, shown[name], fill=colour, size=13, weight=600, anchor="start"))
        y += BAR + GAP
    words = [f"{name}: {said}" for name, said in shown.items()]
    return Svg(svg.card(WIDTH, y + 8, parts, title or "Bars"), _text(title, words))


SUBSCRIBERS = 2000
"""Of the rows that are drawn: the benchmark of every notify-all has one with as many."""


def bench_chart(path: Path) -> Svg | None:
    """Draw what ``./lab bench --json PATH`` measured of notify-all; None if there is no such file.

    >>> bench_chart(Path("not-there.json")) is None
    True
    """
    if not path.is_file():
        return None
    rows = json.loads(path.read_text("utf-8"))["rows"]
    speeds = {
        row["name"]: row["figures"]["messages/s"]
        for row in rows
        if (row["benchmark"], row["subscribers"]) == ("notify-all", SUBSCRIBERS)
        and "messages/s" in row["figures"]
    }
    return bar_chart(speeds, f"Messages per second, {SUBSCRIBERS} subscribers") if speeds else None


def line_chart(
    series: Mapping[str, Points], title: str | None = None, *, x: str = "", y: str = ""
) -> Svg:
    """Draw one line for each series of (x, y), in the given order. ``x`` and ``y`` name the axes.

    >>> line_chart({"measured": [(1, 48), (2, 95.5)]}, x="workers", y="messages/s")
    measured (workers: messages/s): 1: 48, 2: 95.5
    """
    points = [point for row in series.values() for point in row]
    _check(number for point in points for number in point)
    far = max((at for at, _ in points), default=0) or 1
    steps = _steps(max((high for _, high in points), default=0))
    left, right, top, bottom = 72, WIDTH - 28, 66 if title else 40, 300
    parts = [svg.title(16, 28, title)] if title else []

    def place(at: float, high: float) -> tuple[float, float]:
        across, up = at / far, high / steps[-1]
        return left + across * (right - left), bottom - up * (bottom - top)

    for value in steps:
        level = place(0, value)[1]
        parts.append(_line([(left, level), (right, level)], svg.EDGE))
        parts.append(svg.text(left - 8, level + 4, _short(value), anchor="end"))
    for at in sorted({at for at, _ in points}):
        parts.append(svg.text(place(at, 0)[0], bottom + 18, _short(at)))
    parts.append(svg.text(left - 56, top - 16, y, fill=svg.INK, size=12, anchor="start"))
    parts.append(svg.text(right, bottom + 38, x, fill=svg.INK, size=12, anchor="end"))
    legend: float = left
    for index, (name, row) in enumerate(series.items()):
        colour = svg.SPAN_COLOURS[index % len(svg.SPAN_COLOURS)]
        dots = [place(at, high) for at, high in row]
        parts.append(_line(dots, colour, 2))
        parts += [_dot(*dot, colour) for dot in dots]
        parts.append(_dot(legend + 4, bottom + 34, colour))
        parts.append(svg.text(legend + 14, bottom + 38, name, fill=colour, size=12, anchor="start"))
        legend += 40 + LETTER * len(name)
    axes = f" ({x}: {y})" if x or y else ""
    words = [
        f"{name}{axes}: " + ", ".join(f"{_short(at)}: {_short(high)}" for at, high in row)
        for name, row in series.items()
    ]
    return Svg(svg.card(WIDTH, bottom + 54, parts, title or "Lines"), _text(title, words))


def _check(numbers: Iterable[float]) -> None:
    # A negative length, an infinite one or NaN cannot be drawn.
    if any(not math.isfinite(number) or number < 0 for number in numbers):
        raise ValueError("a chart shows finite numbers from zero up")


def _steps(most: float) -> list[float]:
    """Return the numbers at the lines of an axis: three to six round ones, from 0 to past ``most``.

    >>> _steps(470), _steps(0)
    ([0.0, 100.0, 200.0, 300.0, 400.0, 500.0], [0.0, 1.0])
    """
    if most < sys.float_info.min:  # Smaller numbers can no longer be divided.
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(most))
    step = next(step for step in (power / 5, power / 2, power, power * 2) if most / step <= 5)
    return [number * step for number in range(math.ceil(most / step) + 1)]


def _short(value: float) -> str:
    """Write a number with three significant digits, or a large one without decimals.

    >>> _short(3.14159), _short(12345.6), _short(2.0)
    ('3.14', '12346', '2')
    """
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _text(title: str | None, lines: list[str]) -> str:
    return "\n".join([title, *lines] if title else lines) or "nothing to draw"


def _line(points: Points, colour: str, width: float = 1) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
