"""The board of a class as HTML for the panel. Names and steps are a participant's words: escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from pushlab.classroom.board import Bar, Board, BoardRow, Standing, Trip

STYLE = """<style>
.pushlab-board { --done: #1d7044; --stuck: #b3261e; --working: #1f5fbf; --on: #fff; --idle: #dfe3e9; }
DARK .pushlab-board { --done: #6fd39b; --stuck: #ff9b91; --working: #7fb0ff; --on: #10141a;
  --idle: #3a424e; }
.pushlab-board .pushlab-bars { display: grid; grid-template-columns: max-content minmax(0, 1fr);
  gap: 3px 10px; margin: 8px 0; }
.pushlab-board .pushlab-bar { display: flex; gap: 2px; border-radius: 5px; overflow: hidden; }
.pushlab-board .pushlab-bar span { min-width: 1.4em; text-align: center; font-weight: 600;
  color: var(--on); background: var(--state); }
.pushlab-board .pushlab-bar .pushlab-idle { color: inherit; }
.pushlab-board .pushlab-done { --state: var(--done); }
.pushlab-board .pushlab-working { --state: var(--working); }
.pushlab-board .pushlab-stuck { --state: var(--stuck); }
.pushlab-board .pushlab-idle { --state: var(--idle); }
.pushlab-board b.pushlab-state { color: var(--state); }
.pushlab-board td.pushlab-cell span { display: inline-block; width: 1.6em; text-align: center;
  font-weight: 700; border-radius: 4px; color: var(--on); background: var(--state); }
.pushlab-board .pushlab-rows { max-height: 480px; }
.pushlab-board .pushlab-rows :is(th, td) { padding: 4px 8px 4px 0; vertical-align: middle; }
.pushlab-board .pushlab-rows tr :is(th[scope=row], td) {
  border-bottom: 1px solid var(--jp-border-color3, #e3e6ea); }
.pushlab-board th[scope=row] { position: static; }
.pushlab-board td.pushlab-words { white-space: normal; min-width: 240px; }
.pushlab-board .pushlab-cell, .pushlab-board th.pushlab-column { width: 2em; padding: 2px !important;
  text-align: center; }
.pushlab-board th[scope=colgroup] { text-align: center; }
.pushlab-board .pushlab-legend span { margin-right: 1.2em; }
.pushlab-board .pushlab-legend span::before { content: ""; display: inline-block; width: 0.75em;
  height: 0.75em; margin-right: 0.35em; border-radius: 3px; background: var(--state); }
</style>""".replace("DARK", '[data-jp-theme-light="false"]')

SIGNS = {"done": "✓", "stuck": "!", "working": "…"}
NUDGES = {
    "waits": "nudge waits for their lab",
    "not fetched": "no lab fetched the nudge",
    "sent": "nudged",
    "no browser": "nudge: no browser is subscribed",
    "failed": "nudge failed",
}
LEGEND = (
    '<div class="pushlab-legend pushlab-faint"><span class="pushlab-done">✓ done</span>'
    '<span class="pushlab-working">… working</span><span class="pushlab-stuck">! stuck</span>'
    '<span class="pushlab-idle">not begun</span></div>'
)
NOBODY = "Nobody has joined the class yet. Participants join from a notebook, with this line:"


def shown_name(line: BoardRow, hidden: bool) -> str:
    """Return a participant's name, or a number in place of it.

    >>> shown_name(BoardRow(7, "Ada", "joined", 0.0, 0.0), hidden=True)
    'Participant 7'
    """
    return f"Participant {line.number}" if hidden else line.name


def board_html(board: Board, *, hidden: bool = False, join: str = "") -> str:
    """Show the board. ``hidden``: numbers in place of names; ``join``: the line with which one joins."""
    if not board.lines:
        return f'<span class="pushlab-faint">{NOBODY}</span><br><code>{escape(join)}</code>'
    now = {line.lesson for line in board.lines}
    bars = [bar for bar in board.bars if bar.number in now]
    rows = "".join(_row(line, bars, board.at, hidden) for line in board.lines)
    return (
        f'{STYLE}<div class="pushlab-board">{_sum(board.lines)}{_trips(board.trips)}{_bars(board.bars)}'
        '<div class="pushlab-rows" tabindex="0" role="group" aria-label="Participants and exercises">'
        f"<table>{_heads(bars)}{rows}</table></div></div>"
    )


def _sum(lines: Iterable[BoardRow]) -> str:
    states = [line.state for line in lines]
    named = (("stuck", "stuck"), ("working", "working"), ("done", "solved their last exercise"),
             ("joined", "not begun"))  # fmt: skip
    said = ", ".join(f"{states.count(one)} {what}" for one, what in named if one in states)
    return f"{len(states)} in the class: {said}."


def _trips(trips: Iterable[Trip]) -> str:
    said = [
        f"<b>{one.people} people</b> at <code>{escape(one.step or 'a step')}</code> "
        f'<span class="pushlab-faint">in {escape(one.lesson)} {escape(one.exercise)}</span>'
        for one in trips
        if one.people > 1
    ]
    return f"<div>Where most people trip now: {'; '.join(said)}</div>" if said else ""


def _bars(bars: Iterable[Bar]) -> str:
    rows = []
    for bar in bars:
        counts = (("done", bar.done), ("working", bar.working), ("stuck", bar.stuck),
                  ("idle", bar.not_begun))  # fmt: skip
        pieces = "".join(
            f'<span class="pushlab-{state}" style="flex: {count} 1 0">{count}</span>'
            for state, count in counts
            if count
        )
        said = f"{bar.done} done, {bar.working} working, {bar.stuck} stuck, {bar.not_begun} not begun"
        rows.append(
            f"<span>{bar.number} {escape(bar.title)}</span>"
            f'<span class="pushlab-bar" role="img" aria-label="{said}" title="{said}">{pieces}</span>'
        )
    return f'{LEGEND}<div class="pushlab-bars">{"".join(rows)}</div>' if rows else ""


def _heads(bars: Sequence[Bar]) -> str:
    """Return two rows of headings: the lessons, and below each its exercises by number."""
    lessons = "".join(
        f'<th scope="colgroup" colspan="{len(bar.exercises)}">{bar.number} {escape(bar.title)}</th>'
        for bar in bars
    )
    exercises = "".join(
        f'<th scope="col" class="pushlab-column" title="{escape(name)}">{index}</th>'
        for bar in bars
        for index, name in enumerate(bar.exercises, 1)
    )
    names = "".join(f'<th scope="col" rowspan="2">{name}</th>' for name in ("participant", "where"))
    return f"<thead><tr>{names}{lessons}</tr><tr>{exercises}</tr></thead>"


def _row(line: BoardRow, bars: Iterable[Bar], now: float, hidden: bool) -> str:
    cells = "".join(
        _cell(line.exercises.get(f"{bar.number}.{name}")) for bar in bars for name in bar.exercises
    )
    name = escape(shown_name(line, hidden))
    return (
        f'<tr><th scope="row">{name}</th><td class="pushlab-words">{_where(line, now)}</td>{cells}</tr>'
    )


def _where(line: BoardRow, now: float) -> str:
    place = f"{escape(line.lesson)} {escape(line.exercise)}"
    step = f"<code>{escape(line.step or 'a step')}</code>"
    time = _minutes(now - line.since)
    tries = f"{line.attempts} attempt{'' if line.attempts == 1 else 's'}"
    said = {
        "stuck": f"{_state(line, 'Stuck')} in {place} at {step}, {line.same} times, for {time}",
        "working": f"{_state(line, 'Working')} on {place}{f', now at {step}' if line.step else ''}"
        f"{f', {tries}' if line.attempts else ''}, for {time}",
        "done": f"{_state(line, 'Solved')} {place} after {tries}, {time} ago",
        "joined": f"Joined {time} ago, and has not begun",
    }[line.state]
    if line.nudge and line.nudged_at is not None:
        what = escape(NUDGES.get(line.nudge, line.nudge))
        said += f'<br><span class="pushlab-faint">{what}, {_minutes(now - line.nudged_at)} ago</span>'
    return said


def _state(line: BoardRow, word: str) -> str:
    return f'<b class="pushlab-state pushlab-{line.state}">{word}</b>'


def _cell(standing: Standing | None) -> str:
    if standing is None:
        return '<td class="pushlab-cell"></td>'
    said = escape(f"{standing.state}, {standing.attempts} attempts {standing.step}".strip())
    state, sign = standing.state, SIGNS[standing.state]
    return f'<td class="pushlab-cell"><span class="pushlab-{state}" title="{said}">{sign}</span></td>'


def _minutes(seconds: float) -> str:
    minutes = max(0, int(seconds / 60))
    if minutes < 1:
        return "under 1 min"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
