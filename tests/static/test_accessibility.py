"""axe-core finds nothing on the client page, in any of its states, widths and themes.

Chromium cannot subscribe here (see ``test_page``), so the page is told of a subscription where a state
needs one. What is looked at is the page, and not the browser.
"""

import json

import pytest
from playwright.sync_api import Page, expect

from pushlab.protocol.examples import RFC8291

from ..axe import everywhere
from .conftest import before, permit, press, visit
from .test_room import lead, link_of, push_service, room, subscribed

__all__ = ["push_service", "room"]  # fixtures

SUBSCRIBED = """
  PushManager.prototype.getSubscription = async () => ({
    endpoint: "%s",
    options: { applicationServerKey: Uint8Array.from(%s).buffer },
    toJSON: () => (%s),
    unsubscribe: async () => true,
  });
"""


def registered(page: Page, server) -> None:
    permit(page, server.url, "granted")
    visit(page, server.url)
    press(page, "register")


def is_subscribed(page: Page, server) -> None:
    subscription = RFC8291.subscription.to_json()
    key = [*server.keys.public]
    page.add_init_script(SUBSCRIBED % (subscription["endpoint"], key, json.dumps(subscription)))
    registered(page, server)
    visit(page, server.url)
    expect(page.locator("body")).to_have_attribute("data-state", "subscribed")
    page.locator("#whole summary").click()


def denied(page: Page, server) -> None:
    permit(page, server.url, "denied")
    visit(page, server.url)


def unsupported(page: Page, server) -> None:
    page.add_init_script("delete globalThis.PushManager")
    visit(page, server.url)


STATES = [registered, is_subscribed, denied, unsupported]


@pytest.mark.parametrize("reach", STATES, ids=lambda reach: reach.__name__)
def test_a_learner_s_page(page, server, reach):
    reach(page, server)
    assert everywhere(page) == {}


def test_a_first_visit_and_an_error(page, server):
    visit(page, server.url)
    assert everywhere(page) == {}
    press(page, "notify-all")
    expect(page.locator("#outcome")).to_contain_text("Nobody is subscribed")
    assert everywhere(page) == {}


def test_the_pages_of_a_room(page, room, push_service, background):
    visit(page, room.url)
    assert everywhere(page) == {}, "a participant's"
    visit(page, link_of(room))
    expect(page.locator("#room")).to_be_visible()
    assert everywhere(page) == {}, "the instructor's, of an empty room"
    subscribed(background, push_service, room, "Ada, whose name is as long as a name may be")
    room.journal.record("push service", "push service", "keep message", "Firefox")
    expect(page.locator("#room tbody tr")).to_have_count(1)
    assert everywhere(page) == {}, "the instructor's"
    page.evaluate("sessionStorage.setItem('pushlab-token', 'of-yesterday')")
    visit(page, room.url)
    assert everywhere(page) == {}, "the instructor's, of an earlier start"


def test_a_page_that_came_by_plain_http(page, room, background):
    with before(room.url, background) as proxy:
        proxy.keeps_host = False
        far = proxy.url.replace("127.0.0.1", "lab.example")
        visit(page, far)
        assert everywhere(page) == {}, "a participant's"
        lead(page, room, far)
        assert everywhere(page) == {}, "the instructor's"


def test_what_axe_would_find_is_found(page, server):
    """The control: a picture without words, and a text of little contrast, on the same page."""
    visit(page, server.url)
    page.evaluate("""() => {
      const faint = document.createElement("p");
      faint.textContent = "hard to read";
      faint.style.color = "#808080";
      faint.style.background = "#909090";
      document.querySelector("main").append(document.createElement("img"), faint);
    }""")
    found = [line.partition(":")[0] for line in everywhere(page)["320 px, light"]]
    assert {"image-alt", "color-contrast"} <= set(found)
