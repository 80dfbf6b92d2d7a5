"""Pictures: true to the events and the bytes, safe with any text, readable on any background."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushlab.journal import Event, Party
from pushlab.notebook.pictures import svg, theme
from pushlab.notebook.pictures.sequence import COLOURS, describe, narrate, sequence, shorten
from pushlab.notebook.pictures.svg import CARD, SPAN_COLOURS, Svg
from tests.notebook.drawn import in_html

UA, PS, AS = Party.USER_AGENT, Party.PUSH_SERVICE, Party.APPLICATION_SERVER
NAMESPACE = "{http://www.w3.org/2000/svg}"


def events_of(*messages) -> list[Event]:
    """Return events from (source, target, what, display_name, detail); the last two are optional."""
    return [
        Event(number, 0, *message[:3], *(message[3:4] or [""]), *(message[4:5] or [{}]))
        for number, message in enumerate(messages, 1)
    ]


LOOP = events_of(
    (UA, PS, "subscribe", "Firefox"),
    (PS, UA, "endpoint", "Firefox"),
    (UA, AS, "POST /add-subscription", "Firefox", {"status": 201}),
    (AS, AS, "encrypt", "", {"plaintext": 72, "body": 175}),
    (AS, PS, "POST message", "", {"bytes": 175, "ttl": 60, "topic": None}),
    (PS, UA, "push message", "Firefox", {"bytes": 175}),
    (UA, UA, "notification shown", "Firefox"),
)


def parsed(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)


def texts(markup: str) -> list[str]:
    return [element.text or "" for element in parsed(markup).iter(f"{NAMESPACE}text")]


def arrows(markup: str) -> list[tuple[float, float, str]]:
    """Return (from, to, colour) of each arrow, in x coordinates."""
    found = []
    for group in parsed(markup).iter(f"{NAMESPACE}g"):
        lines = group.findall(f"{NAMESPACE}line")
        heads = group.findall(f"{NAMESPACE}path")
        for line, head in zip(lines, heads, strict=True):
            tip = float(re.match(r"M([\d.]+) ", head.get("d")).group(1))
            found.append((float(line.get("x1")), tip, line.get("stroke")))
    return found


def lanes(markup: str) -> dict[float, str]:
    """Return the x coordinate of each lane's line, with its colour."""
    return {
        float(line.get("x1")): line.get("stroke") for line in parsed(markup).findall(f"{NAMESPACE}line")
    }


def test_every_message_is_an_arrow_from_lane_to_lane_in_the_speaker_s_colour():
    markup = sequence(LOOP)
    agent, service, server = lanes(markup)
    assert list(lanes(markup).values()) == [COLOURS[UA], COLOURS[PS], COLOURS[AS]]
    assert arrows(markup) == [
        (agent, service, COLOURS[UA]),
        (service, agent, COLOURS[PS]),
        (agent, server, COLOURS[UA]),
        (server, service, COLOURS[AS]),
        (service, agent, COLOURS[PS]),
    ]


def test_the_words_are_there_in_the_order_of_the_events():
    said = texts(sequence(LOOP))
    whats = [event.what for event in LOOP]
    assert [text for text in said if text in whats] == whats
    assert "175 bytes · ttl 60" in said
    assert [text for text in said if text.isdigit()] == ["1", "2", "3", "4", "5", "6", "7"]


def test_each_user_agent_has_a_lane_of_its_own():
    firefox, virtual = (UA, PS, "connect", "Firefox"), (UA, PS, "connect", "Virtual")
    markup = sequence(events_of(firefox, virtual, (UA, AS, "GET /vapid")))
    assert len(lanes(markup)) == 5  # the third user agent is the nameless one
    assert len({start for start, _, _ in arrows(markup)}) == 3
    assert {"Firefox", "Virtual"} <= set(texts(markup))


def test_what_one_browser_did_before_it_had_a_name_is_in_its_lane():
    markup = sequence(events_of((UA, AS, "GET /vapid"), (UA, PS, "connect", "Firefox")))
    assert len(lanes(markup)) == 3
    assert len({start for start, _, _ in arrows(markup)}) == 1


def test_a_crowd_shares_the_last_lane():
    crowd = events_of(*[(UA, PS, "connect", f"Phone {number}") for number in range(30)])
    markup = sequence(crowd)
    assert len(lanes(markup)) == 4 + 1 + 2
    assert "26 others" in texts(markup)
    assert len({start for start, _, _ in arrows(markup)}) == 5


def test_two_browsers_of_one_name_are_told_apart_by_their_labels():
    def told(*labels):
        made = [
            Event(n, 0, UA, AS, "POST /notify-me", "Firefox", {}, one) for n, one in enumerate(labels)
        ]
        return [text for text in texts(sequence(made)) if "subscription" in text]

    assert told("0d385654", "0d385654", "") == [], "there is one"
    assert told("0d385654", "f2e0fbf1", "") == ["subscription 0d385654", "subscription f2e0fbf1"]


def test_rows_are_bounded_and_the_rest_is_counted():
    many = events_of(*[(UA, PS, f"message {number}") for number in range(100)])
    said = texts(sequence(many, rows=10))
    assert "… 90 earlier" in said
    assert "message 89" not in said and "message 90" in said and "message 99" in said
    assert not [text for text in texts(sequence(many[:10], rows=10)) if "earlier" in text]


def test_nothing_yet_is_said_in_words():
    assert "Nothing has happened yet." in texts(sequence([]))
    assert narrate([]) == "Nothing has happened yet."
    assert len(lanes(sequence([]))) == 3


def test_long_words_are_cut_and_whole_in_the_tooltip():
    long = "x" * 500
    markup = sequence(events_of((UA, PS, long), (UA, UA, long, "", {"title": long})))
    assert max(map(len, texts(markup))) < 60
    tips = [element.text for element in parsed(markup).iter(f"{NAMESPACE}title")]
    assert long in tips[0]


def test_details_that_are_too_long_for_a_line_take_two():
    detail = {"bytes": 170, "ttl": 10000, "urgency": "normal"}
    names = [(UA, PS, "connect", name) for name in ("Firefox", "Chromium")]  # narrower lanes
    for towards in (PS, AS):  # an arrow, and a note
        said = texts(sequence(events_of(*names, (AS, towards, "POST message", "", detail))))
        assert said[-2:] == ["170 bytes · ttl 10000", "urgency normal"]
    short = texts(sequence(events_of((AS, PS, "POST message", "", detail))))
    assert short[-1] == "170 bytes · ttl 10000 · urgency normal", "where there is room, one line does"


def test_title_and_size():
    markup = sequence(LOOP, "From subscribe to notification")
    root = parsed(markup)
    assert "From subscribe to notification" in texts(markup)
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    assert root.get("role") == "img" and root.get("aria-label")


def test_everything_is_escaped():
    evil = '</text><script>alert("&")</script>'
    event = events_of((UA, PS, evil, evil, {"title": evil}), (UA, UA, evil, evil))
    root = parsed(sequence(event, evil))
    assert not list(root.iter(f"{NAMESPACE}script"))


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text() | st.none() | st.integers()))
def test_any_text_at_all_gives_well_formed_xml(what, display_name, detail):
    parsed(sequence([Event(1, 0, UA, PS, what, display_name, detail)], what))


def test_a_picture_brings_its_own_card_and_no_style_sheet_and_no_id():
    markup = sequence(LOOP)
    root = parsed(markup)
    card = root[0]
    assert card.tag == f"{NAMESPACE}rect" and card.get("fill") == CARD
    assert float(card.get("width")) >= float(root.get("width")) - 1
    assert "<style" not in markup and " id=" not in markup and "url(" not in markup
    assert "http" not in markup.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("colour", [*COLOURS.values(), *SPAN_COLOURS, svg.FAINT, svg.INK])
def test_colours_can_be_read(colour):
    """WCAG 2 asks for a contrast of 4.5, on the card, below white letters, and in a dark theme."""

    def luminance(code: str) -> float:
        values = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for ground, dark_ground in theme.GROUNDS.items():
        assert (luminance(ground) + 0.05) / (luminance(colour) + 0.05) >= 4.5
        assert (luminance(theme.DARK[colour]) + 0.05) / (luminance(dark_ground) + 0.05) >= 4.5


def test_no_part_of_a_message_has_the_colour_of_a_party():
    assert not set(SPAN_COLOURS) & set(COLOURS.values())
    assert len(set(COLOURS.values())) == 3 and len(set(SPAN_COLOURS)) == 8


def test_what_a_notebook_shows_of_an_svg():
    picture = Svg(svg.card(20, 10, [], 'a "card" & more'), "in words")
    shown = picture._repr_mimebundle_()
    assert shown["text/plain"] == repr(picture) == "in words"
    assert in_html(shown["text/html"]) == picture.markup
    assert 'alt="a &quot;card&quot; &amp; more"' in shown["text/html"]


def test_describe_and_shorten():
    assert describe({}) == "" and describe({"topic": None, "error": ""}) == ""
    assert describe({"bytes": 0}) == "0 bytes"
    assert [shorten("abcd", length) for length in (4, 3, 0)] == ["abcd", "ab…", "…"]
