"""The lessons in a real JupyterLab in a real Chromium: Run All, then every button of the panel."""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from pushlab.labbrowser import installed_browsers

from .jupyter import CHANGE_THEME, RUN_ALL, SHUT_DOWN, TOKEN, running

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

# The contrast of an element's text with what is painted behind it, as WCAG 2 defines it. Colours
# may be translucent: they are mixed with what is behind them. A display that is painted anew right
# then has left the page and has no colours: null.
CONTRAST = """(element) => {
  if (!element.isConnected) return null;
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


@pytest.fixture(scope="module")
def kind():
    """The kind of browser that the panel offers: a real one, where one is required."""
    found = installed_browsers()[0]
    assert found == "firefox" or not os.environ.get("PUSHLAB_REQUIRE_BROWSERS")
    return found


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory):
    """Start JupyterLab on copies of the notebooks, with settings of its own; give its URL."""
    home = tmp_path_factory.mktemp("jupyterlab")
    folder = home / "notebooks"
    folder.mkdir()
    for notebook in [*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("solutions/*.ipynb")]:
        copy = folder / notebook.relative_to(NOTEBOOKS)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(notebook, copy)
    with running(home, folder) as url:
        yield f"{url}lab?token={TOKEN}"


@pytest.fixture(scope="module")
def page(jupyterlab, chromium_installed):
    """Give a browser's page that shows JupyterLab."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=chromium_installed, args=["--no-sandbox"]
        )
        page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.goto(jupyterlab)
        page.wait_for_function("window.jupyterapp", timeout=60_000)
        yield page
        chromium.close()


@pytest.fixture(scope="module")
def lesson(page, kind) -> list[dict]:
    """Run the first lesson whole, with its solutions; give its cells."""
    return page.evaluate(RUN_ALL, "solutions/00_start_here.ipynb")


def no_error(cells: list[dict], page: Page) -> None:
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert [output for output in outputs if output["output_type"] == "error"] == []
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    expect(page.get_by_text("Error displaying widget")).to_have_count(0)
    expect(page.get_by_text("Loading widget")).to_have_count(0)
    assert page.faults == []


def part(page: Page, name: str):
    return page.locator(f".pushlab-{name}")


def test_run_all_ends_with_no_error(lesson, page):
    no_error(lesson, page)


def test_the_panel_is_there_with_all_its_widgets(lesson, page, kind):
    names = f"open-{kind} subscribe unsubscribe close-browser own-browser notify-me notify-all "
    names += "title body ttl urgency topic subscriptions notifications log"
    for name in names.split():
        expect(part(page, name)).to_be_visible()
    expect(part(page, "diagram").locator("svg")).to_be_visible()


def test_each_button_has_its_effect(lesson, page, kind):
    expect.set_options(timeout=30_000)
    result, story = part(page, "result"), part(page, "diagram")
    part(page, f"open-{kind}").click()
    expect(result).to_contain_text("has the client page open")
    if kind == "firefox" and not part(page, "headless").count():
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
        while (contrast := part(page, name).first.evaluate(CONTRAST)) is None:
            continue
        assert contrast >= 4.5, f"{name}: {contrast:.1f}"


def test_a_stub_stops_the_learner_s_notebook_and_says_whose_turn_it_is(page, kind):
    cells = page.evaluate(RUN_ALL, "00_start_here.ipynb")
    errors = [output for cell in cells for output in cell.get("outputs", []) if "ename" in output]
    assert [(error["ename"], error["evalue"]) for error in errors] == [
        ("NotImplementedError", "your turn")
    ]
    page.evaluate(SHUT_DOWN)


@pytest.mark.parametrize("name", sorted(path.stem for path in NOTEBOOKS.glob("source/0[1-9]_*.py")))
def test_every_other_lesson_runs_whole(page, kind, name):
    no_error(page.evaluate(RUN_ALL, f"solutions/{name}.ipynb"), page)
    page.evaluate(SHUT_DOWN)
