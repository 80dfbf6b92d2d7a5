"""What the doctor reports: findings, and the report that lists them.

A finding never shows a secret: no private key, no auth secret, and only the origin of an endpoint.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from html import escape

from pushlab.errors import PushlabError


class Level(StrEnum):
    """How much a finding matters: all is well, worth knowing, or something will not work."""

    OK = "ok"
    HINT = "hint"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One thing that was examined: ``code`` names the finding, ``seen`` says what is there.

    ``fault`` is the party that has to change something, ``source`` says where the rule is written,
    and ``fix`` says in one line what to do. At level ``ok`` these three are empty.

    >>> print(bad("ttl-text", "ttl is text", "application server", "RFC 8030 §5.2", "Use a number."))
    BAD  ttl is text (RFC 8030 §5.2). Fault: application server.
         Use a number.
    """

    code: str
    level: Level
    seen: str
    fault: str = ""
    source: str = ""
    fix: str = ""

    def __str__(self) -> str:
        label = self.level.upper() if self.level is Level.BAD else self.level
        where = f" ({self.source})" if self.source else ""
        whose = f". Fault: {self.fault}." if self.fault else ""
        mend = f"\n     {_line(self.fix)}" if self.fix else ""
        return f"{label:4} {_line(self.seen)}{where}{whose}{mend}"

    def to_json(self) -> str:
        """Return the finding as one line of JSON."""
        return json.dumps(asdict(self))


def ok(code: str, seen: str) -> Finding:
    """Return a finding about something that is in order."""
    return Finding(code, Level.OK, seen)


def hint(code: str, seen: str, fault: str, source: str, fix: str) -> Finding:
    """Return a finding that is worth knowing, although nothing is broken here."""
    return Finding(code, Level.HINT, seen, fault, source, fix)


def bad(code: str, seen: str, fault: str, source: str, fix: str) -> Finding:
    """Return a finding about something that will be refused, or will fail."""
    return Finding(code, Level.BAD, seen, fault, source, fix)


def of_error(error: PushlabError, code: str = "") -> Finding:
    """Turn one of our errors into a finding.

    >>> from pushlab.errors import BadTtl
    >>> of_error(BadTtl("ttl is negative")).code
    'bad-ttl'
    """
    fault = error.fault or "application server"
    return bad(code or error.code, error.detail, fault, error.rfc, f"{error.hint}.")


def _line(text: str) -> str:
    """Replace line breaks and control characters: file names and claims are untrusted text."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


COLOURS = {
    Level.OK: "var(--jp-success-color1, #2e8b57)",
    Level.HINT: "var(--jp-warn-color1, #c77800)",
    Level.BAD: "var(--jp-error-color1, #c62828)",
}
COLUMNS = ("", "what was seen", "whose fault", "where it is written", "what to do")


@dataclass(frozen=True)
class Report:
    """All findings, in the order in which they were made. A notebook shows them as a table.

    >>> report = Report((ok("screen", "a screen"),))
    >>> print(report)
    ok   a screen
    1 ok, no hint, nothing bad
    >>> report.good
    True
    """

    findings: tuple[Finding, ...]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def good(self) -> bool:
        """Say whether no finding is bad. Hints do not count."""
        return all(finding.level is not Level.BAD for finding in self)

    @property
    def summary(self) -> str:
        """Return how many findings there are of each level."""
        count = {level: sum(finding.level is level for finding in self) for level in Level}
        hints = f"{count[Level.HINT] or 'no'} hint{'s' * (count[Level.HINT] > 1)}"
        return f"{count[Level.OK]} ok, {hints}, {count[Level.BAD] or 'nothing'} bad"

    @property
    def next_step(self) -> str:
        """Return what to do next: the first fault's mend; without a fault, that of the last hint."""
        faults = [finding.fix for finding in self if finding.level is Level.BAD]
        hints = [finding.fix for finding in self if finding.level is Level.HINT]
        return (faults[:1] or hints[-1:] or [""])[0]

    def __str__(self) -> str:
        return "\n".join([*map(str, self), self.summary])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the table. Its colours are JupyterLab's, for light and dark themes."""
        ink = "color: var(--jp-ui-font-color1, inherit); text-align: left"
        head = "".join(f'<th style="{ink}">{title}</th>' for title in COLUMNS)
        rows = "".join(f"<tr>{_cells(finding, ink)}</tr>" for finding in self)
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f'<p style="{ink}">{escape(self.summary)}</p>'
        )


def _cells(finding: Finding, ink: str) -> str:
    mark = f"color: {COLOURS[finding.level]}; font-weight: 600; text-align: left"
    title = f' title="{escape(finding.code)}"'
    texts: Iterable[str] = (finding.seen, finding.fault, finding.source, finding.fix)
    cells = "".join(f'<td style="{ink}">{escape(_line(text))}</td>' for text in texts)
    return f'<td style="{mark}"{title}>{finding.level}</td>{cells}'
