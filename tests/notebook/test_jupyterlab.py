"""The first lesson in a real JupyterLab in a real Chromium: Run All, then every button of the panel.

What is seen here and nowhere else: that the panel's widgets appear in a real front end and can be
read in both themes, and that a click on each of them reaches the kernel and has its effect in a real
Firefox and in a real Chromium. (``test_panels`` tests the panel without a front end,
``test_lessons_in_jupyterlab`` runs the other lessons.)
"""

import pytest
from playwright.sync_api import expect

from .jupyter import CHANGE_THEME, SHUT_DOWN, faults, part, run_all
from .lessons import differences, solution

# The contrast of an element's text with what is painted behind it, as WCAG 2 defines it. Colours
# may be translucent: they are mixed with what is behind them. The element is found and looked at in
# one go, because a display is painted anew at any moment. Null as long as it is not there.
CONTRAST = """(selector) => {
  const element = document.querySelector(selector);
  if (!element) return null;
  const rgba = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = ([r, g, b, a], ground) => [r, g, b].map((v, i) => v * a + ground[i] * (1 - a));
  const behind = (node) => {
    if (!node) return [255, 255, 255];
    return over(rgba(getComputedStyle(node).backgroundColor), behind(node.parentElement));
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = behind(element);
  const ink = over(rgba(getComputedStyle(element).color), ground);
  const [low, high] = [ink, ground].map(luminance).sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}"""

FOLDERS = {"firefox": "solutions", "chromium": "chromium"}


# With these ids both run in one process, which starts one JupyterLab (see tests/run/schedule.py).
@pytest.fixture(scope="module", params=FOLDERS, ids="with_{}".format)
def kind(request) -> str:
    """The kind of browser that the panel opens."""
    request.getfixturevalue(f"{request.param}_installed")
    return request.param


@pytest.fixture(scope="module")
def lesson(page, kind):
    """Run the first lesson whole, with its solutions; give its cells."""
    yield run_all(page, f"{FOLDERS[kind]}/00_start_here.ipynb")
    page.evaluate(SHUT_DOWN)


def test_run_all_ends_with_no_error_and_the_outputs_of_the_file(lesson, page, request):
    assert faults(lesson, page) == []
    assert differences(request.session, solution("00_start_here"), lesson) == []


def test_the_panel_is_there_with_all_its_widgets(lesson, page, kind):
    names = f"open-{kind} subscribe unsubscribe close-browser own-browser notify-me notify-all "
    names += "title body ttl urgency topic subscriptions notifications log"
    for name in names.split():
        expect(part(page, name)).to_be_visible()
    expect(part(page, "diagram").locator("svg")).to_be_visible()


def test_each_button_has_its_effect(lesson, page, kind):
    result, story = part(page, "result"), part(page, "diagram")
    part(page, f"open-{kind}").click()
    expect(result).to_contain_text("has the client page open")
    if not part(page, "headless").count():
        expect(part(page, "screen")).to_be_visible()
    part(page, "subscribe").click()
    expect(result).to_contain_text("is subscribed")
    expect(part(page, "subscriptions")).to_contain_text("← Notify me")
    part(page, "title").locator("input").fill("From the panel")
    part(page, "body").locator("input").fill("with a click")
    part(page, "notify-me").click()
    expect(result).to_contain_text("201 Created")
    expect(part(page, "notifications")).to_contain_text("with a click")
    expect(story).to_contain_text("acknowledge")
    part(page, "body").locator("input").fill("to everyone")
    part(page, "notify-all").click()
    expect(result).to_contain_text("1 accepted")
    expect(part(page, "notifications")).to_contain_text("to everyone")
    part(page, "topic").locator("input").fill("two words")
    part(page, "notify-me").click()
    expect(result).to_contain_text("RFC 8030 §5.4")
    part(page, "topic").locator("input").fill("")
    part(page, "unsubscribe").click()
    expect(part(page, "subscriptions")).to_contain_text("Nobody yet")
    part(page, "notify-all").click()
    expect(result).to_contain_text("Nobody has subscribed yet")
    part(page, "close-browser").click()
    expect(part(page, "notifications")).to_contain_text("no browser open")
    assert page.faults == []


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_words_can_be_read_in_both_themes(lesson, page, theme):
    page.evaluate(CHANGE_THEME, theme)
    page.wait_for_function("(theme) => document.body.dataset.jpThemeName === theme", arg=theme)
    words = ["heading", "faint", "result .pushlab-verdict", "own-browser a", "subscribe", "log div"]
    for name in words:
        contrast = page.wait_for_function(CONTRAST, arg=f".pushlab-{name}").json_value()
        assert contrast >= 4.5, f"{name}: {contrast:.1f}"
