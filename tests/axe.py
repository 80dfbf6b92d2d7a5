"""axe-core: which rules of WCAG a page breaks. The package brings the script, so nothing is fetched."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

LOAD = f"() => {{ {AXE_SCRIPT}; }}"

RUN = """async (selector) => {
  const { violations } = await axe.run(selector || document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, help, nodes }) => nodes.map(
    ({ html, any, all }) =>
      `${id}: ${help}: ${html.slice(0, 160)} ${[...any, ...all].map((one) => one.message)}`,
  ));
}"""

LOOKS = ((320, "light"), (1440, "dark"))
"""A width in pixels and a theme. What axe-core says of colours depends on the theme, and what it says
of places on the width, so two of the four pairs show what all four would."""


def violations(page: Page, selector: str = "") -> list[str]:
    """Return what axe-core finds in the page, or in the part of it that ``selector`` names."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(LOAD)
    return page.evaluate(RUN, selector)


def everywhere(page: Page) -> dict[str, list[str]]:
    """Return what axe-core finds in both themes, on a narrow and on a wide page; {} if it is nothing."""
    found = {}
    for width, theme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        wrong = violations(page)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append("the page is wider than its window")
        if wrong:
            found[f"{width} px, {theme}"] = wrong
    return found
