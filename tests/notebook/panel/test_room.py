"""The panel's part for a room, driven in process: real parties, virtual user agents, no front end."""

import re

import ipywidgets as widgets
import pytest

from pushlab import Lab
from pushlab.appserver.participants import Participant
from pushlab.errors import PushlabError
from pushlab.lab.invitation import Invitation
from pushlab.notebook import markup
from pushlab.notebook.panel.room import HIDE, SHOW, RoomPanel

from .test_panel import all_text, press, until


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A room on this machine: its loopback address is treated like that of a network."""
    monkeypatch.setenv("PUSHLAB_BROWSER", "virtual")
    monkeypatch.setattr("pushlab.lab.network.is_loopback", lambda host: False)
    with Lab(port=0, push_port=0, data=tmp_path) as lab:
        yield lab


@pytest.fixture
def panel(lab):
    return lab.panel()


@pytest.fixture
def three(lab):
    browsers = {name: lab.open("virtual", name=name) for name in ("Ada", "Adam", "Grace")}
    for browser in browsers.values():
        browser.subscribe()
    return browsers


def test_a_lab_of_this_machine_alone_has_no_room_on_its_panel(tmp_path, monkeypatch):
    monkeypatch.setenv("PUSHLAB_BROWSER", "virtual")
    with Lab(port=0, push_port=0, data=tmp_path) as lab:
        panel = lab.panel()
        assert panel.room is None and "notify-one" not in panel.buttons
        assert "pushlab join" not in all_text(panel)


def test_the_room_fills_and_tells_who_is_away(lab, panel, three):
    table = panel.room._table
    html = until(table, lambda html: all(f"<td>{name}</td>" in html for name in three))
    assert "3 subscribed · 3 connected · 0 reached" in html
    assert "3 accepted" in press(panel, "notify-all")
    html = until(table, lambda html: "3 reached by the last message" in html)
    assert html.count("✓") == 3 and html.count(" ms</td>") == 3
    lab.run(three["Adam"].agent.disconnect())
    until(table, lambda html: "2 connected" in html)
    press(panel, "notify-all")
    said = ("2 reached", "not yet", "away</td><td>1</td>")
    until(table, lambda html: all(one in html for one in said))
    lab.run(three["Adam"].agent.connect())
    until(table, lambda html: "3 connected · 3 reached" in html)


def test_one_is_notified_by_name_or_by_suggestion(lab, panel, three):
    field = panel.room._name
    until(field, lambda options: len(options) == 3, "options")
    panel.composer.body.value = "for you"
    for typed in ("Ada", next(option for option in field.options if option.startswith("Grace"))):
        field.value = typed
        assert "201 Created" in press(panel, "notify-one")
        assert three[typed.split(" · ")[0]].wait_for_notification(body="for you")
    lab.notify_all(body="fence")
    three["Adam"].wait_for_notification(body="fence")
    assert [shown.body for shown in three["Adam"].notifications()] == ["fence"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [("", "Type a name"), ("Eve", "Nobody here is called"), ("Ad", "Nobody here")],
)
def test_a_name_that_says_nothing_is_told_so(panel, three, typed, said):
    until(panel.room._name, lambda options: len(options) == 3, "options")
    panel.room._name.value = typed
    assert said in press(panel, "notify-one")


def test_two_of_one_name_must_be_told_apart():
    """The panel's part alone: a whole panel would paint the participants that are really there."""
    room = RoomPanel(Invitation("http://192.168.1.20:8292/", "", lambda: ""), widgets.Button())
    room.paint([Participant("Ada", "Firefox", "11111111"), Participant("Ada", "Chromium", "22222222")])
    room._name.value = "Ada"
    with pytest.raises(PushlabError, match="2 participants are called"):
        room.chosen()
    room._name.value = "Ada · Chromium · 22222222"
    assert room.chosen() == "22222222"


def test_notify_me_never_reaches_a_participant(lab, panel, three, monkeypatch):
    """A participant is a browser that the lab has not opened: here the lab forgets two of its own."""
    own, participants = three["Ada"], (three["Adam"], three["Grace"])
    monkeypatch.setattr(type(lab), "browsers", [own])
    panel.refresh()
    until(panel.recipient.widget, lambda options: len(options) == 1, "options")
    assert "201 Created" in press(panel, "notify-me")
    own.wait_for_notification()
    own.unsubscribe()
    said = press(panel, "notify-me")
    assert "No browser of this lab is subscribed" in said and "Notify this one" in said
    press(panel, "notify-all")
    for one in participants:
        one.wait_for_notification()
        assert len(one.notifications()) == 1


def test_a_code_is_for_phones_and_they_need_https():
    for scheme in ("http", "https"):
        shown = markup.invitation(Invitation(f"{scheme}://192.168.1.20:8292/", "", lambda: ""))
        assert ("<svg" in shown) is (scheme == "https")
        assert ("Phones cannot take part" in shown) is (scheme == "http")


def test_the_instructor_s_link_is_shown_on_demand_alone(lab, panel):
    reveal = panel.room._reveal
    assert "#code=" not in all_text(panel) and lab.invitation.command in all_text(panel)
    links = []
    for _ in range(2):
        reveal.click()
        links += re.findall("#code=([A-Z0-9-]+)", all_text(panel))
        assert reveal.description == HIDE
        reveal.click()
        assert "#code=" not in all_text(panel) and reveal.description == SHOW
    assert len(set(links)) == 2, "each link works once, so each time another one is shown"
    assert lab.invitation.token not in all_text(panel)


def test_names_are_shown_as_text_and_vendors_tell_nobody():
    shown = markup.room([Participant("<script>", "<i>", "11111111"), Participant("B", "C", "2", None)])
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "<i>" not in shown
    assert shown.count("not known") == 2


def test_nobody_yet():
    assert "Nobody is subscribed" in markup.room([])
