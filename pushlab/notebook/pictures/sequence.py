"""The sequence diagram of what really happened, as SVG text.

Every function is pure: it takes values and returns one string. ``svg`` says how a picture stays
readable on every background. A party has the same colour in pictures, panel and client page.
"""

from collections.abc import Iterable, Mapping, Sequence

from pushlab.journal import Event, Party, describe
from pushlab.notebook.pictures import svg
from pushlab.notebook.pictures.svg import shorten

COLOURS: Mapping[Party, str] = {
    Party.USER_AGENT: "#1f5fbf",
    Party.PUSH_SERVICE: "#a8500a",
    Party.APPLICATION_SERVER: "#1d7044",
}
WHITE = "#ffffff"

MAX_ROWS = 40  # As many as a person can read. The journal keeps far more.
MAX_LANES = 4  # User agents with a lane of their own. All others share one lane.
GUTTER = 40  # For the event numbers on the left.
LINE = 14  # The height of a line of details.
BETWEEN = " · "  # as journal.describe writes it


def narrate(events: Iterable[Event]) -> str:
    """Write events as text, one line for each.

    >>> from pushlab.journal import Event, Party
    >>> print(narrate([Event(1, 0, Party.PUSH_SERVICE, Party.USER_AGENT, "endpoint", "Firefox")]))
      1 push service → user agent [Firefox]: endpoint
    """
    lines = [str(event) for event in events]
    return "\n".join(lines) if lines else "Nothing has happened yet."


def sequence(events: Iterable[Event], title: str | None = None, rows: int = MAX_ROWS) -> str:
    """Draw the sequence diagram of ``events``: a lane for each party, an arrow for each message.

    The first user agents that are named have lanes of their own. Only the last ``rows`` events are
    drawn; a line at the top counts the earlier ones. An arrow has the colour of the party that sends
    the message. What a party does by itself is a note on its lane.
    Source: RFC 8030 §1.1 and §2 name the parties and the messages.

    >>> from pushlab.journal import Event, Party
    >>> sequence([Event(1, 0, Party.USER_AGENT, Party.PUSH_SERVICE, "subscribe")]).count("<path")
    1
    """
    events = list(events)
    shown = events[-rows:]
    lanes = _Lanes(events)
    parts: list[str] = []
    y = 18.0
    if title:
        parts.append(svg.title(16, y + 8, shorten(title, 80)))
        y += 24
    top = y
    parts += lanes.heads(y)
    y += 52
    if len(shown) < len(events):
        parts.append(svg.text(lanes.width / 2, y + 8, f"… {len(events) - len(shown)} earlier"))
        y += 26
    if not shown:
        parts.append(svg.text(lanes.width / 2, y + 8, "Nothing has happened yet.", size=13))
        y += 26
    for event in shown:
        drawn, height = lanes.row(event, y)
        parts += drawn
        y += height
    y += 10
    return svg.card(lanes.width, y, lanes.lines(top + 40, y - 6) + parts, "Who said what to whom")


class _Lanes:
    """The lanes of the parties, and the drawing of an event between two of them."""

    def __init__(self, events: Sequence[Event]) -> None:
        names = list(dict.fromkeys(e.who for e in events if e.who and _has_user_agent(e)))
        nameless = any(not e.who and _has_user_agent(e) for e in events)
        if len(names) != 1 and (nameless or not names):
            # If there is one browser, an event without a name is about it. If there are several,
            # such an event needs a lane without a name.
            names.append("")
        self.crowd = names[MAX_LANES:]
        agents = names[:MAX_LANES] + ([f"{len(self.crowd)} others"] if self.crowd else [])
        self.columns = [(Party.USER_AGENT, name) for name in agents]
        self.columns += [(Party.PUSH_SERVICE, ""), (Party.APPLICATION_SERVER, "")]
        self.agents = agents
        labels = {(event.who, event.label) for event in events if event.label}
        named = [who for who, _ in labels]
        self.shared = {who for who in named if named.count(who) > 1}
        self.pitch = 270 if len(self.columns) == 3 else 190
        self.width = GUTTER + self.pitch * len(self.columns)

    def x(self, party: Party, name: str) -> float:
        """Return the middle of a party's lane. ``name``: of the user agent that the event is about."""
        if party is not Party.USER_AGENT:
            column = self.columns.index((party, ""))
        elif name in self.crowd:
            column = len(self.agents) - 1
        else:
            column = self.agents.index(name) if name in self.agents else 0
        return GUTTER + self.pitch * (column + 0.5)

    def heads(self, y: float) -> list[str]:
        """Return the boxes with the parties' names."""
        half = self.pitch / 2 - 14
        parts = []
        for index, (party, name) in enumerate(self.columns):
            x = GUTTER + self.pitch * (index + 0.5)
            parts.append(svg.box(x - half, y, 2 * half, 40, fill=COLOURS[party]))
            named = int(bool(name))
            said = shorten(party.value, int(2 * half / 7.4))
            parts.append(svg.text(x, y + 25 - 7 * named, said, fill=WHITE, size=13, weight=600))
            if named:
                parts.append(svg.text(x, y + 32, shorten(name, int(2 * half / 6.3)), fill=WHITE))
        return parts

    def lines(self, top: float, bottom: float) -> list[str]:
        """Return the vertical lines of the lanes, to be drawn below everything else."""
        return [
            f'<line x1="{x:g}" y1="{top:g}" x2="{x:g}" y2="{bottom:g}" stroke="{COLOURS[party]}" '
            'stroke-opacity="0.45" stroke-dasharray="3 4"/>'
            for index, (party, _) in enumerate(self.columns)
            for x in [GUTTER + self.pitch * (index + 0.5)]
        ]

    def row(self, event: Event, y: float) -> tuple[list[str], float]:
        """Return one event's drawing, and its height."""
        # Two browsers of one kind have one name, and are told apart by their subscriptions' labels.
        label = event.label if event.who in self.shared else ""
        detail = describe({**event.detail, "subscription": label})
        start, end = self.x(event.source, event.who), self.x(event.target, event.who)
        is_note = start == end
        room = self.pitch - 36 if is_note else abs(end - start) - 30
        what, small = shorten(event.what, int(room / 6.9)), _lines(detail, int(room / 6.1))
        height = 32 + LINE * len(small)
        tip = f"{event} · {detail}" if detail else str(event)
        parts = ["<g>", f"<title>{svg.escaped(tip)}</title>"]
        parts.append(svg.text(GUTTER - 10, y + 16, str(event.number), anchor="end"))
        colour, middle = COLOURS[event.source], (start + end) / 2
        if is_note:
            parts.append(svg.note(middle, y + 1, what, small, colour))
        else:
            under = [(line, 11, y + 32 + LINE * number) for number, line in enumerate(small)]
            for line, size, at in ((what, 13, y + 11), *under):
                if abs(end - start) > self.pitch * 1.5:
                    # The words are drawn across the line of the lane in between: hide the line there.
                    wide, high = len(line) * size * 0.56, size + 4
                    parts.append(svg.box(middle - wide / 2, at - size, wide, high, fill=svg.CARD))
            parts.append(svg.text(middle, y + 11, what, fill=colour, size=13, weight=500))
            parts.append(svg.arrow(start, end, y + 18, colour))
            parts += [svg.text(middle, at, line) for line, _, at in under]
        return parts + ["</g>"], height


def _lines(detail: str, letters: int) -> list[str]:
    """Break the details of an event into at most two lines, between two details.

    >>> _lines("170 bytes · ttl 10000 · urgency normal", 30)
    ['170 bytes · ttl 10000', 'urgency normal']
    """
    first, *rest = detail.split(BETWEEN)
    while rest and len(longer := f"{first}{BETWEEN}{rest[0]}") <= letters:
        first, rest = longer, rest[1:]
    return [shorten(line, letters) for line in (first, BETWEEN.join(rest)) if line]


def _has_user_agent(event: Event) -> bool:
    return Party.USER_AGENT in (event.source, event.target)
