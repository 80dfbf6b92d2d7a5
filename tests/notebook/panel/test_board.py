"""The panel's board: who is stuck, without names for the projector, and a nudge; no front end."""

import pytest

from pushlab.classroom.attempt import ReceivedAttempt
from pushlab.classroom.board import BoardRow
from pushlab.notebook.panel.board_table import board_html, shown_name

from .test_panel import all_text, press, until, words
from .test_room import lab, panel

__all__ = ["lab", "panel"]  # fixtures


def report(lab, number: int, exercise: str, result: str = "differs", step: str = "", times: int = 1):
    lesson, _, name = exercise.partition(".")
    for _ in range(times):
        report.id = getattr(report, "id", 0) + 1
        told = {"id": report.id, "lesson": lesson, "exercise": name, "result": result, "step": step}
        lab.classroom.record(number, [ReceivedAttempt.from_json(told)])


@pytest.fixture
def three(lab):
    numbers = {name: lab.classroom.join(name).number for name in ("Ada", "<b>Eve", "Grace")}
    report(lab, numbers["Ada"], "03.derive", step="PRK")
    report(lab, numbers["<b>Eve"], "03.derive", step="<i>PRK", times=3)
    report(lab, numbers["Grace"], "03.derive", "passed")
    return numbers


def test_before_anybody_joins_the_board_says_how(lab, panel):
    said = until(panel.board._board, lambda html: "Nobody has joined" in html)
    assert f'lab.join_class("{lab.application_server.url}", name=' in words(said)


def test_the_board_fills_with_who_needs_help_on_top(panel, three):
    shown = until(panel.board._board, lambda html: "1 solved" in html and "1 stuck" in html)
    text = words(shown)
    assert "3 in the class: 1 stuck, 1 working, 1 solved their last exercise." in text
    assert text.index("<b>EveStuck in 03 derive at <i>PRK, 3 times") < text.index("AdaWorking on 03")
    assert text.index("AdaWorking") < text.index("GraceSolved 03 derive after 1 attempt")
    assert "<b>Eve" not in shown and "<i>PRK" not in shown, "escaped"
    assert 'aria-label="0 done, 2 working, 1 stuck, 0 not begun"' in shown


def test_names_are_hidden_in_every_part(lab, panel, three):
    lab.open("virtual", name="Ada").subscribe()
    until(panel.room._table, lambda html: "Ada" in html)
    panel.board.hide.value = True
    until(panel.board._board, lambda html: "Participant 1" in html and "Ada" not in html)
    until(panel.room._table, lambda html: "(hidden)" in html and "Ada" not in html)
    until(panel.room._name, lambda options: options == (), "options")
    panel.board.hide.value = False
    until(panel.board._board, lambda html: "Ada" in html)


def test_a_nudge_to_all_who_are_stuck_and_to_one(lab, panel, three):
    until(panel.board._name, lambda options: len(options) == 3, "options")
    assert "body is missing" in press(panel, "nudge-stuck")
    panel.board.words.value = "look at the first byte"
    assert "The nudge goes to 1 participant." in press(panel, "nudge-stuck")
    assert lab.classroom.next_nudge(three["<b>Eve"], 0).body == "look at the first byte"
    assert "Choose a participant" in press(panel, "nudge-one")
    panel.board._name.value = "Ada"
    assert "The nudge goes to 1 participant." in press(panel, "nudge-one")
    assert lab.classroom.next_nudge(three["Ada"], 0)
    assert lab.classroom.next_nudge(three["Grace"], 0) is None
    until(panel.board._board, lambda html: html.count("nudge waits for their lab") == 2)
    lab.classroom.delete()
    until(panel.board._board, lambda html: "Nobody has joined" in html)
    assert "Nobody is stuck now" in press(panel, "nudge-stuck")


def test_the_invitation_names_the_line_for_a_notebook(panel):
    assert "To be on your board, in a notebook:" in words(all_text(panel))


def test_a_number_stands_in_place_of_a_name():
    line = BoardRow(7, "Ada", "joined", 0.0, 0.0)
    assert (shown_name(line, True), shown_name(line, False)) == ("Participant 7", "Ada")


def test_every_state_of_a_board_is_in_words(lab, three):
    made = lab.classroom.board()
    html = board_html(made, hidden=True)
    assert html.count("<tr>") == 5 and "Participant 1" in html
    assert words(board_html(made)).count("under 1 min") >= 3
