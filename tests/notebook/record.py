"""Make the README's pictures of a first run: ``python -m tests.notebook.record FOLDER``.

A real JupyterLab opens lesson 00, and somebody presses what a newcomer presses: the first cells, then
Open a lab Firefox, Subscribe and Notify me. FOLDER gets ``panel.png``, the panel after the first
notification, and a numbered picture of each step. With Pillow installed it also gets ``first-run.webp``,
which shows the steps one after the other.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from pushlab.useragent import chromium

from .jupyter import SHUT_DOWN, TOKEN, page_of, part, running

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSON = "00_start_here.ipynb"
WIDTH, HEIGHT = 1280, 800

# Select the code cell with this text, show it at the top, and run it or not.
CELL = """async ([text, run]) => {
  const widget = jupyterapp.shell.currentWidget;
  const index = widget.content.widgets.findIndex(
    (cell) => cell.model.type === "code" && cell.model.sharedModel.source.includes(text));
  widget.content.activeCellIndex = index;
  await widget.content.scrollToItem(index, "start");
  await widget.sessionContext.session.kernel.info;
  if (run) await jupyterapp.commands.execute("notebook:run-cell");
}"""

# Show a part of the panel at the middle of the window.
CENTRE = '(element) => element.scrollIntoView({ block: "center", behavior: "instant" })'


def record(page: Page) -> Iterator[tuple[str, int]]:
    """Do a first run; yield the name of each step, and how long it is shown, in milliseconds."""
    page.evaluate("() => jupyterapp.restored")
    page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    page.wait_for_function("jupyterapp.shell.currentWidget?.sessionContext.session?.kernel")
    yield "lesson", 2500
    page.evaluate(CELL, ["lab = Lab()", True])
    yield "lab", 1500
    page.evaluate(CELL, ["lab.panel()", True])
    expect(part(page, "open-firefox")).to_be_visible()
    page.evaluate(CELL, ["lab.panel()", False])
    yield "panel", 2000
    part(page, "open-firefox").click()
    expect(part(page, "result")).to_contain_text("opened the client page")
    yield "open", 2000
    part(page, "subscribe").click()
    expect(part(page, "subscriptions")).to_contain_text("Notify me")
    yield "subscribe", 2500
    part(page, "title").locator("input").fill("Lunch?")
    part(page, "body").locator("input").fill("In ten minutes, downstairs.")
    part(page, "notify-me").click()
    expect(part(page, "notifications")).to_contain_text("downstairs")
    expect(part(page, "diagram")).to_contain_text("notification shown")
    yield "notified", 3000
    part(page, "diagram").evaluate(CENTRE)
    yield "diagram", 4000


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    frames: list[tuple[Path, int]] = []
    with tempfile.TemporaryDirectory() as home, running(Path(home), Path(home)) as url:
        shutil.copy(NOTEBOOKS / LESSON, home)  # JupyterLab saves what it has open.
        address = f"{url}lab/tree/{LESSON}?token={TOKEN}"
        with sync_playwright() as playwright, page_of(playwright, str(chromium.find()), address) as page:
            page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
            for name, milliseconds in record(page):
                page.wait_for_timeout(600)  # Let what moves come to rest: this is a picture, no test.
                frames.append((folder / f"{len(frames)}-{name}.png", milliseconds))
                page.screenshot(path=frames[-1][0])
            page.set_viewport_size({"width": WIDTH, "height": 2400})
            page.locator(".pushlab-panel").first.screenshot(path=folder / "panel.png")
            page.evaluate(SHUT_DOWN)
    with suppress(ImportError):
        from PIL import Image

        pictures = [Image.open(path).convert("RGB") for path, _ in frames]
        times = [milliseconds for _, milliseconds in frames]
        options = {"append_images": pictures[1:], "duration": times, "loop": 0, "lossless": True}
        pictures[0].save(folder / "first-run.webp", save_all=True, **options)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
