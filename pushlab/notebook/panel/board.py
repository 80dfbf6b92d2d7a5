"""The panel's part for a class: the board, and a nudge to one participant or to all who are stuck."""

from collections.abc import Callable

import ipywidgets as widgets

from pushlab.classroom.classroom import Classroom
from pushlab.errors import PushlabError
from pushlab.notebook import markup
from pushlab.notebook.panel.board_table import board_html, shown_name
from pushlab.notebook.panel.live import Failed, Painter
from pushlab.notebook.panel.parts import card, html, named, row

MINUTES = 240
"""How often the board is painted again without a change, once a minute: its times go on."""


class BoardPanel:
    """The widgets of a class. ``join``: the line with which a participant joins.

    ``nudge_one``, ``nudge_stuck``: the buttons that nudge; ``on_hide(hidden)``: called when names are
    hidden or shown again; ``failed``: called with every exception of painting.
    """

    def __init__(
        self,
        classroom: Classroom,
        *,
        join: str,
        nudge_one: widgets.Button,
        nudge_stuck: widgets.Button,
        on_hide: Callable[[bool], None],
        failed: Failed,
    ) -> None:
        self._classroom, self._join = classroom, join
        self._numbers: dict[str, int] = {}
        self._board = html("board")
        self.words = named(widgets.Text(placeholder="look at the first byte of the header"), "nudge")
        self.words.description = "a nudge"
        self.words.layout.width = "auto"
        self.words.layout.flex = "1 1 260px"
        self._name = named(widgets.Combobox(placeholder="a participant"), "class-name")
        self._name.description = "to"
        self.hide = named(widgets.ToggleButton(description="Hide names"), "hide-names")
        self.box = card(
            markup.heading("The board", "Who is stuck, and where. Those who need help are on top."),
            self._board,
            row(self.words, nudge_stuck),
            row(self._name, nudge_one, self.hide),
            flex="1 1 100%",
        )
        self._painter = Painter(self._paint, failed, pause=0.5, again=(60,) * MINUTES)
        self.hide.observe(lambda change: on_hide(change["new"]), "value")
        self.hide.observe(lambda change: self._painter.touch(), "value")
        self._leave = classroom.changed.subscribe(self._painter.touch)
        self._painter.touch()

    def nudge_stuck(self) -> str:
        """Nudge all who are stuck, and say how many they are. Raises PushlabError."""
        return _said(self._classroom.nudge(self.words.value))

    def nudge_one(self) -> str:
        """Nudge the participant who is named in the field. Raises PushlabError."""
        number = self._numbers.get(self._name.value.strip())
        if number is None:
            raise PushlabError("Choose a participant of the board: no other can be nudged")
        return _said(self._classroom.nudge(self.words.value, to=number))

    def close(self) -> None:
        """Paint no more."""
        self._leave()
        self._painter.close()

    def _paint(self) -> None:
        hidden = self.hide.value
        board = self._classroom.board()
        self._board.value = board_html(board, hidden=hidden, join=self._join)
        self._numbers = {shown_name(line, hidden): line.number for line in board.lines}
        if self._name.options != (options := tuple(self._numbers)):
            self._name.options = options


def _said(count: int) -> str:
    if not count:
        return markup.verdict("Nobody is stuck now: no nudge was sent.", markup.LOST)
    people = "1 participant" if count == 1 else f"{count} participants"
    more = "Their own labs fetch it and send it. The board says what became of it."
    return markup.verdict(f"The nudge goes to {people}.", markup.DONE, more)
