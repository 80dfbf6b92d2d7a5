"""The board on the instructor's page, in a real browser: live, sorted, without names, by keyboard."""

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.classroom.attempt import ReceivedAttempt
from pushlab.classroom.classroom import Classroom

from ..axe import everywhere
from .conftest import visit
from .test_room import TOKEN, link_of, push_service, subscribed

__all__ = ["push_service"]  # a fixture


class Class:
    """A room with a class, as its instructor's page sees it."""

    def __init__(self, background, journal, push_service) -> None:
        self.classroom = Classroom()
        self.server = ApplicationServer(
            keys=VapidKeys.generate(), journal=journal, instructor_token=TOKEN,
            push_origins=[push_service.origin], extension=self.classroom,
        )  # fmt: skip
        background.run(self.server.start())
        self.ids = 0

    def join(self, name: str) -> int:
        return self.classroom.join(name).number

    def report(
        self, number: int, exercise: str, result: str = "differs", step: str = "", times=1
    ) -> None:
        lesson, _, name = exercise.partition(".")
        for _ in range(times):
            self.ids += 1
            told = {"id": self.ids, "lesson": lesson, "exercise": name, "result": result, "step": step}
            self.classroom.record(number, [ReceivedAttempt.from_json(told)])


@pytest.fixture
def room(background, journal, push_service):
    room = Class(background, journal, push_service)
    yield room
    background.run(room.server.stop())


def lead(page: Page, room: Class) -> None:
    visit(page, link_of(room.server))


def rows(page: Page):
    return page.locator("#board tbody tr")


def names(page: Page) -> list[str]:
    return page.locator("#board tbody th").all_inner_texts()


def test_a_participant_s_page_has_no_board(page, room):
    room.join("Ada")
    visit(page, room.server.url)
    expect(page.locator("#board")).to_be_hidden()


def test_an_empty_board_says_how_to_join(page, room):
    lead(page, room)
    expect(page.locator("#board .sum")).to_have_text("Nobody has joined yet.")
    expect(page.locator("#join-class")).to_have_text(f'lab.join_class("{room.server.url}", name="…")')


def test_the_board_is_live_and_who_needs_help_is_on_top(page, room):
    lead(page, room)
    ada, eve, grace = (room.join(name) for name in ("Ada", "<img src=x onerror=alert(1)>", "Grace"))
    expect(rows(page)).to_have_count(3)
    room.report(ada, "03.derive", step="PRK")
    room.report(grace, "03.derive", "passed")
    room.report(eve, "03.derive", step="PRK", times=3)
    expect(page.locator("#board .sum")).to_have_text(
        "3 in the class: 1 stuck, 1 working, 1 solved their last exercise."
    )
    assert names(page) == ["<img src=x onerror=alert(1)>", "Ada", "Grace"]
    first = rows(page).first
    expect(first).to_contain_text("Stuck in 03 derive at PRK, 3 times, for under 1 min")
    expect(first.locator("td[data-state=stuck]")).to_have_text("!stuck, 3 attempts")
    expect(page.locator("#board .trips")).to_contain_text("2 people at PRK in 03 derive")
    bar = page.get_by_role("img", name="0 done, 2 working, 1 stuck, 0 not begun")
    expect(bar).to_be_visible()
    assert page.locator("#board img").count() == 0, "a name is text"
    room.report(eve, "03.derive", "passed")
    expect(rows(page).first).to_contain_text("Working on 03 derive, now at PRK, 1 attempt")
    assert names(page)[0] == "Ada"


def test_names_are_hidden_on_the_whole_page_and_stay_so(page, room, push_service, background):
    room.report(room.join("Ada"), "03.derive", step="PRK")
    subscribed(background, push_service, room.server, "Ada")
    lead(page, room)
    room.server.journal.record("push service", "push service", "keep message", "Ada's browser")
    expect(page.locator("#room tbody tr")).to_have_count(1)
    expect(page.locator("#events .who").last).to_be_visible()
    page.get_by_role("button", name="Hide names").click()
    for again in (False, True):
        if again:
            page.reload()
        expect(rows(page)).to_have_count(1)
        assert names(page) == ["Participant 1"]
        expect(page.get_by_role("button", name="Hide names")).to_have_attribute("aria-pressed", "true")
        name = page.locator("#room tbody td").first
        assert name.evaluate("(cell) => getComputedStyle(cell).color") == "rgba(0, 0, 0, 0)"
        expect(page.locator("#events .who").first).to_be_hidden()
        expect(page.get_by_role("button", name="Nudge Participant 1")).to_be_visible()
    page.get_by_role("button", name="Hide names").click()
    assert names(page) == ["Ada"]


def test_nudges_by_keyboard_and_the_focus_stays(page, room):
    ada, eve = room.join("Ada"), room.join("Eve")
    room.report(eve, "03.derive", step="PRK", times=3)
    lead(page, room)
    stuck = page.get_by_role("button", name="Nudge all who are stuck (1)")
    stuck.press("Enter")
    expect(page.locator("#board .said")).to_have_text("First write what the nudge says.")
    expect(page.locator("#words")).to_be_focused()
    page.keyboard.type("look at the first byte of the header")
    page.keyboard.press("Enter")
    expect(page.locator("#board .said")).to_have_text("The nudge goes to 1 participant.")
    assert room.classroom.next_nudge(eve, 0).body == "look at the first byte of the header"
    assert room.classroom.next_nudge(ada, 0) is None
    one = page.get_by_role("button", name="Nudge Ada")
    one.press("Enter")
    expect(rows(page).last).to_contain_text("nudge waits for their lab, under 1 min ago")
    assert room.classroom.next_nudge(ada, 0)
    room.report(ada, "03.derive", step="PRK", times=4)  # Ada's row moves, and is painted anew.
    expect(page.get_by_role("button", name="Nudge all who are stuck (2)")).to_be_visible()
    expect(one).to_be_focused()


def test_which_lessons_are_shown_is_chosen(page, room):
    ada = room.join("Ada")
    room.report(ada, "00.messages", "passed")
    room.report(ada, "03.derive", step="PRK")
    lead(page, room)
    heads = page.locator("#board thead .lesson")
    expect(heads).to_have_text(["03 Encrypt"])
    page.get_by_label("Lessons").select_option("all")
    expect(heads).to_have_text(["00 Start here", "03 Encrypt"])
    page.get_by_label("Lessons").select_option("00")
    expect(heads).to_have_text(["00 Start here"])
    room.report(ada, "03.derive", step="IKM")
    expect(rows(page).first).to_contain_text("now at IKM")
    expect(heads).to_have_text(["00 Start here"])


def test_the_class_is_saved_and_deleted(page, room):
    ada, _ = room.join("Ada"), room.join("Grace")
    room.report(ada, "03.derive", step="PRK")
    lead(page, room)
    page.get_by_text("Save or delete").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    assert saved.value.suggested_filename == "class.csv"
    lines = list(csv.DictReader(io.StringIO(Path(saved.value.path()).read_text("utf-8"))))
    assert [(line["name"], line["step"]) for line in lines] == [("Ada", "PRK")]
    asked = []

    def answer(dialog) -> None:
        asked.append(dialog.message)
        (dialog.dismiss if len(asked) == 1 else dialog.accept)()

    page.on("dialog", answer)
    delete = page.get_by_role("button", name="Delete …")
    delete.click()
    expect(rows(page)).to_have_count(2)
    page.get_by_label("Delete", exact=True).select_option("Grace")
    delete.click()
    expect(rows(page)).to_have_count(1)
    page.get_by_label("Delete", exact=True).select_option("The whole class")
    delete.click()
    expect(page.locator("#board .sum")).to_have_text("Nobody has joined yet.")
    assert ["whole class" in one for one in asked] == [True, False, True]


def test_one_participant_of_the_room_is_notified_by_its_button(page, room, push_service, background):
    endpoint = subscribed(background, push_service, room.server, "Ada")
    lead(page, room)
    room.server.journal.record("push service", "push service", "keep message", "Firefox")
    page.get_by_label("Message to one participant").fill("for you alone")
    button = page.get_by_role("button", name="Notify Ada")
    button.press("Enter")
    expect(page.locator("#room .said")).to_have_text("The push service accepted the message.")
    expect(page.locator("#room tbody td").nth(3)).to_have_text("3")  # Two waited, and now this one.
    expect(button).to_be_focused()

    def remove_first(route: Route) -> None:
        """Remove it once the button has been pressed: a table painted after that has no such button."""
        room.server.store.remove(endpoint)
        route.continue_()

    page.route("**/notify-one", remove_first)
    button.press("Enter")
    expect(page.locator("#room .said")).to_contain_text("No such subscription is stored")


def test_a_board_has_no_fault_that_axe_finds(page, room):
    lead(page, room)
    assert everywhere(page) == {}, "of an empty class"
    for number in range(8):
        one = room.join(f"Participant with a long name {number}")
        if number % 3:
            room.report(one, "03.derive", step="PRK", times=number % 5 + 1)
            room.report(one, "00.messages", "passed")
        if number % 4 == 1:
            room.report(one, "03.key_info", step="the JSON of the claims", times=3)
    expect(rows(page)).to_have_count(8)
    expect(page.locator("#board .stuck")).to_contain_text(f"({len(room.classroom.board().stuck)})")
    page.get_by_text("Save or delete").click()
    assert everywhere(page) == {}, "of a class"
    page.get_by_role("button", name="Hide names").click()
    assert everywhere(page) == {}, "without names"
