"""The invitation: a line, a code that a phone can read, and a link that is not for the projector."""

import itertools
import xml.etree.ElementTree as ElementTree

import pytest
import segno

from pushlab.lab.invitation import HALVES, QUIET_ZONE, Invitation

URL = "http://192.168.1.20:8292/"
MODULES = [[bit & 1 for bit in row] for row in segno.make(URL, error="m", micro=False).matrix]


@pytest.fixture
def invitation() -> Invitation:
    codes = (f"CODE-{number}" for number in itertools.count(1))
    return Invitation(URL, "c2VjcmV0", codes.__next__)


def test_each_instructor_s_link_has_a_code_of_its_own_and_nothing_has_the_token(invitation):
    links = [invitation.instructor_link() for _ in range(2)]
    assert links == [f"{URL}#code=CODE-1", f"{URL}#code=CODE-2"]
    shown = [repr(invitation), invitation.command, invitation.qr_text(), invitation.qr_svg()]
    assert "CODE" not in "".join(shown) and "c2VjcmV0" not in "".join(shown + links)


def test_the_code_in_the_terminal_holds_every_module_of_the_address(invitation):
    pairs = {character: halves for halves, character in HALVES.items()}
    rows = []
    for line in invitation.qr_text().split("\n"):
        upper, lower = zip(*(pairs[character] for character in line), strict=True)
        rows += [list(upper), list(lower)]
    inner = [row[QUIET_ZONE:-QUIET_ZONE] for row in rows[QUIET_ZONE : QUIET_ZONE + len(MODULES)]]
    assert inner == MODULES
    margin = rows[:QUIET_ZONE] + rows[QUIET_ZONE + len(MODULES) :]
    assert not any(map(any, margin)) and len(margin) >= 2 * QUIET_ZONE


def test_colours_are_set_line_by_line_and_only_where_wanted(invitation):
    plain = invitation.qr_text().split("\n")
    coloured = invitation.qr_text(colour=True).split("\n")
    assert "\033" not in "".join(plain)
    for line, same in zip(coloured, plain, strict=True):
        assert line == f"\033[97;40m{same}\033[0m"


def test_the_code_in_the_notebook_is_an_svg_on_white(invitation):
    drawing = ElementTree.fromstring(invitation.qr_svg())
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    paths = [element for element in drawing.iter() if element.tag.endswith("path")]
    assert "#fff" in paths[0].get("fill")
