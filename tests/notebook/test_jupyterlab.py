"""The first lesson in a real JupyterLab in a real Chromium: Run All, then every button of the panel.

What is seen here and nowhere else: that the panel's widgets appear in a real front end and can be
read in both themes, and that a click on each of them reaches the kernel and has its effect in a real
Firefox and in a real Chromium. (``test_panels`` tests the panel without a front end,
``test_lessons_in_jupyterlab`` runs the other lessons.)
"""

import base64
import sqlite3
from contextlib import closing

import nbformat
import pytest
from playwright.sync_api import expect

from pushlab.notebook.pictures import svg
from pushlab.notebook.pictures.svg import Svg

from ..axe import violations
from .jupyter import CHANGE_THEME, OPEN, SHUT_DOWN, faults, part, run_all
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

THEMES = ("JupyterLab Light", "JupyterLab Dark")

# The colour of a pixel of a PNG, which is given in base64: red, green, blue.
PIXEL = """async ([png, x, y]) => {
  const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  canvas.drawImage(picture, 0, 0);
  return [...canvas.getImageData(x, y, 1, 1).data].slice(0, 3);
}"""

# Elements of the outputs that reach beyond their cell, unless something between scrolls them.
CUT = """() => [...document.querySelectorAll(".jp-OutputArea-output")].flatMap((output) => {
  const { right } = output.getBoundingClientRect();
  const scrolled = (element) => element !== output
    && (["auto", "scroll"].includes(getComputedStyle(element).overflowX)
      || scrolled(element.parentElement));
  return [...output.querySelectorAll("*")]
    .filter((one) => one.getBoundingClientRect().right > right + 1 && !scrolled(one.parentElement))
    .map((one) => one.outerHTML.slice(0, 120));
})"""

CLOSE = """async () => {
  const notebook = jupyterapp.shell.currentWidget;
  await notebook.sessionContext.shutdown();
  notebook.dispose();
}"""

# Run the first code cell, and return what became of it.
RUN_FIRST = """async () => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = content.widgets.findIndex((cell) => cell.model.type === "code");
  await jupyterapp.commands.execute("notebook:run-cell");
  return content.activeCell.model.toJSON();
}"""

FOLDERS = {"firefox": "solutions", "chromium": "chromium"}


# With these ids both run in one process, which starts one JupyterLab (see tests/run/schedule.py).
@pytest.fixture(scope="module", params=FOLDERS, ids="with_{}".format)
def kind(request) -> str:
    """The kind of browser that the panel opens."""
    request.getfixturevalue(f"{request.param}_installed")
    return request.param


# What looks the same with either browser is looked at once, below the outputs of the whole lesson.
with_chromium = pytest.mark.parametrize("kind", ["chromium"], ids="with_{}".format, indirect=True)


@pytest.fixture(scope="module")
def stored(kind, home):
    """Give the first lesson's solution up to where its panel is needed.

    With a Chromium that is all but the last cell, which stops the lab. With a Firefox, which plays when
    nbval runs the lesson (``test_nbval``), it is the two cells that start the lab and show the panel.
    """
    notebook = nbformat.read(solution("00_start_here"), as_version=4)
    sources = [cell.source for cell in notebook.cells]
    last = sources.index("lab.panel()") + 1 if kind == "firefox" else -2
    assert sources[-2].startswith("lab.stop()")
    del notebook.cells[last:]
    path = home / "00_start_here.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="module")
def lesson(page, kind, home, stored):
    """Run the first lesson, with its solutions, as far as it goes here; give its cells."""
    path = home / "notebooks" / FOLDERS[kind] / "00_start_here.ipynb"
    shown = nbformat.read(stored, as_version=4)
    shown.metadata.kernelspec = nbformat.read(path, as_version=4).metadata.kernelspec
    nbformat.write(shown, path)
    yield run_all(page, f"{FOLDERS[kind]}/00_start_here.ipynb")
    page.evaluate(SHUT_DOWN)


def test_run_all_ends_with_no_error_and_the_outputs_of_the_file(lesson, page, stored, request):
    assert faults(lesson, page) == []
    assert differences(request.session, stored, lesson) == []


@with_chromium
def test_the_panel_is_there_with_all_its_widgets(lesson, page, kind):
    names = f"open-{kind} subscribe unsubscribe close-browser own-browser notify-me notify-all "
    names += "title body ttl urgency topic subscriptions notifications log"
    for name in names.split():
        expect(part(page, name)).to_be_visible()
    expect(part(page, "diagram").locator("svg")).to_be_visible()


def test_each_button_has_its_effect(lesson, page, kind):
    result, story = part(page, "result"), part(page, "diagram")
    part(page, f"open-{kind}").click()
    expect(result).to_contain_text("opened the client page")
    if not part(page, "headless").count():
        expect(part(page, "screen")).to_be_visible()
    part(page, "subscribe").click()
    expect(result).to_contain_text("subscribed")
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
    # Each press is waited for by words that only its own result has: a button that is disabled between
    # the mouse's down and up gets no click.
    for name, typed, proper, section in (("topic", "two words", "", "5.4"), ("ttl", "-5", "60", "5.2")):
        field = part(page, name).locator("input")
        field.fill(typed)
        field.press("Tab")
        expect(part(page, f"{name}-fault")).to_contain_text("✗")
        expect(field).to_have_value(typed)
        part(page, "notify-me").click()
        expect(result).to_contain_text(f"(RFC 8030 §{section})")
        field.fill(proper)
    part(page, "unsubscribe").click()
    expect(part(page, "subscriptions")).to_contain_text("Nobody is subscribed")
    part(page, "notify-all").click()
    expect(result).to_contain_text("Nobody is subscribed")
    part(page, "close-browser").click()
    expect(part(page, "notifications")).to_contain_text("no browser open")
    assert page.faults == []


def choose_theme(page, theme: str) -> None:
    page.evaluate(CHANGE_THEME, theme)
    page.wait_for_function("(theme) => document.body.dataset.jpThemeName === theme", arg=theme)


@with_chromium
@pytest.mark.parametrize("theme", THEMES)
def test_words_can_be_read_in_both_themes(lesson, page, theme):
    choose_theme(page, theme)
    words = ["heading", "faint", "result .pushlab-verdict", "own-browser a", "subscribe", "log div"]
    for name in words:
        contrast = page.wait_for_function(CONTRAST, arg=f".pushlab-{name}").json_value()
        assert contrast >= 4.5, f"{name}: {contrast:.1f}"


@with_chromium
def test_a_picture_changes_with_the_theme(lesson, page):
    """Light, dark and light again, while it is shown: its card, near the upper left corner."""
    picture = page.locator(".jp-OutputArea-output img.pushlab-picture").first
    for theme in (*THEMES, THEMES[0]):
        choose_theme(page, theme)
        png = base64.b64encode(picture.screenshot()).decode()
        colour = page.evaluate(PIXEL, [png, 8, 8])
        assert max(colour) < 60 if "Dark" in theme else min(colour) > 200, f"{theme}: {colour}"


@with_chromium
def test_a_notebook_that_is_not_trusted_shows_its_pictures(lesson, page, home):
    """JupyterLab takes style sheets and scripts out of its outputs, and keeps pictures."""
    picture = Svg(svg.card(200, 100, [], "a card"), "in words")
    cell = nbformat.v4.new_code_cell("picture", execution_count=1)
    cell.outputs = [
        nbformat.v4.new_output("execute_result", picture._repr_mimebundle_(), execution_count=1)
    ]
    spec = {"kernelspec": {"name": "python3", "display_name": "python3"}}
    foreign = nbformat.v4.new_notebook(cells=[cell], metadata=spec)
    nbformat.write(foreign, home / "notebooks" / "foreign.ipynb")
    page.evaluate(OPEN, "foreign.ipynb")
    shown = page.get_by_alt_text("a card")
    expect(shown).to_be_visible()
    assert shown.evaluate("(picture) => picture.decode().then(() => picture.naturalWidth)") == 200
    page.evaluate(CLOSE)


@with_chromium
@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_on_the_panel_and_nothing_is_cut(lesson, page, theme):
    choose_theme(page, theme)
    for width in (1000, 1440):
        page.set_viewport_size({"width": width, "height": 1000})
        assert violations(page, ".pushlab-panel") == []
        assert page.evaluate(CUT) == []


def test_kernel_restart_leaves_nothing_and_the_first_cell_runs_again(lesson, page, kind, home):
    """The menu's Restart, with a browser of the panel that has subscribed."""
    part(page, f"open-{kind}").click()
    expect(part(page, "result")).to_contain_text("opened the client page")
    part(page, "subscribe").click()
    expect(part(page, "result")).to_contain_text("subscribed")
    assert count_subscriptions(home) == 1
    page.evaluate("() => void jupyterapp.commands.execute('notebook:restart-kernel')")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    restarted = (
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.info.then(() => true)"
    )
    page.wait_for_function("() => !document.querySelector('.jp-Dialog')")
    assert page.evaluate(restarted)
    cell = nbformat.from_dict(page.evaluate(RUN_FIRST))
    assert cell.execution_count == 1
    assert [output for output in cell.outputs if "ename" in output or "stderr" in str(output)] == []
    assert count_subscriptions(home) == 0
    assert page.faults == []


def count_subscriptions(home) -> int:
    with closing(sqlite3.connect(home / "pushlab" / "appserver.sqlite3")) as database:
        return database.execute("SELECT count(*) FROM subscriptions").fetchone()[0]
