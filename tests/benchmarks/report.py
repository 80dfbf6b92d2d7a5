"""Figures into medians, ratios, a table for people and JSON for a plot."""

import json
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

CPU = "CPU µs/message"


@dataclass(frozen=True)
class Row:
    """One line of the table: who did what, and its ``figures`` by name with unit.

    ``where`` says what it was measured against; ``ours`` is how many times faster ours is in the
    same rounds, and ``ours_cpu`` how many times less processor time it takes for a message;
    ``note`` stands in place of figures that there are not.
    """

    benchmark: str
    name: str
    figures: Mapping[str, float] = field(default_factory=dict)
    ours: float | None = None
    ours_cpu: float | None = None
    subscribers: int | None = None
    rounds: int = 0
    where: str = ""
    note: str = ""


class Rounds:
    """Collect the figures of each contestant, a round at a time.

    >>> rounds = Rounds()
    >>> for ours, peer in ((8, 4), (9, 3), (7, 3.5)):
    ...     rounds.add("ours", {"messages/s": ours})
    ...     rounds.add("peer", {"messages/s": peer})
    >>> rows = rounds.rows("a benchmark", "ours", "messages/s")
    >>> [(row.name, row.figures["messages/s"], row.ours) for row in rows]
    [('ours', 8, 1.0), ('peer', 3.5, 2.0)]
    """

    def __init__(self) -> None:
        self._figures: dict[str, list[Mapping[str, float]]] = defaultdict(list)

    def add(self, name: str, figures: Mapping[str, float]) -> None:
        """Add what one contestant reached in one round."""
        self._figures[name].append(figures)

    def rows(
        self, benchmark: str, ours: str, speed: str, contestants: Mapping[str, str] | None = None,
        **about,
    ) -> list[Row]:  # fmt: skip
        """Return the medians. ``contestants`` gives the order, and why one has no figures.

        A ratio compares ``speed`` within a round, and the median is taken of the ratios: what slows
        the machine for a while slows both sides of a ratio.
        """
        rows = []
        for name in contestants or self._figures:
            if not (taken := self._figures.get(name)):
                rows.append(Row(benchmark, name, note=contestants[name], **about))
                continue
            figures = {key: median(one[key] for one in taken) for key in taken[0]}
            pairs = list(zip(self._figures[ours], taken, strict=True))
            ratio = median(mine[speed] / theirs[speed] for mine, theirs in pairs)
            cpu = None
            if CPU in figures:
                cpu = median(theirs[CPU] / mine[CPU] for mine, theirs in pairs)
            rows.append(Row(benchmark, name, figures, ratio, cpu, rounds=len(taken), **about))
        return rows


def table(rows: Sequence[Row]) -> str:
    """Return the rows of one benchmark as aligned text.

    >>> us = Row("b", "us", {"messages/s": 5200.0}, ours=1.0)
    >>> print(table([us, Row("b", "node", note="not installed")]))
    b
                    messages/s  ours is ×
      us                 5,200       1.00
      node         not installed
    """
    given = [_values(row) for row in rows]
    columns = list(dict.fromkeys(name for values in given for name in values))
    wide = max(10, *(len(row.name) for row in rows)) + 2
    lines = [" ".join(filter(None, dict.fromkeys((rows[0].benchmark, _where(rows[0])))))]
    lines.append(" " * (wide + 2) + "".join(f"{column:>{_width(column)}}" for column in columns))
    for row, values in zip(rows, given, strict=True):
        cells = (_cell(column, values.get(column)) for column in columns)
        said = f"  {row.note}" if row.note else "".join(cells)
        lines.append(f"  {row.name:<{wide}}{said}".rstrip())
    return "\n".join(lines)


def _values(row: Row) -> dict[str, float]:
    # A ratio that no row has is no column.
    ratios = {"ours is ×": row.ours, "in CPU ×": row.ours_cpu}
    return {**row.figures, **{name: value for name, value in ratios.items() if value is not None}}


def _where(row: Row) -> str:
    people = f"{row.subscribers:,} subscribers" if row.subscribers else ""
    rounds = f"{row.rounds} rounds" if row.rounds > 1 else ""
    about = ", ".join(filter(None, (people, rounds, row.where)))
    return f"({about})" if about else ""


def _width(column: str) -> int:
    return max(len(column) + 2, 12)


def _cell(column: str, value: float | None) -> str:
    if value is None:
        return " " * _width(column)
    digits = 2 if "×" in column else 0 if value >= 100 else 1
    return f"{value:>{_width(column)},.{digits}f}"


def write(path: Path, machine: Mapping, rows: Collection[Row]) -> None:
    """Write ``{"at", "machine", "rows": [{"benchmark", "name", "figures", "ours", …}]}``."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    whole = {"at": at, "machine": machine, "rows": [asdict(row) for row in rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")
