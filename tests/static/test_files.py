"""The page's files, read as text: what no browser needs to be asked."""

import json
import re
import struct
from html.parser import HTMLParser
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
TEXTS = sorted(path for path in STATIC.iterdir() if path.suffix != ".png")
BUTTONS = ["register", "unregister", "subscribe", "unsubscribe", "notify-me", "notify-all"]
OF_THE_BOARD = ["hide-names", "fill-screen", "nudge-stuck", "save-csv", "save-json", "delete-class"]


class Elements(HTMLParser):
    """Collect every element of a page as (tag, attributes)."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self._within = tag

    def handle_data(self, data):
        if self._within in ("script", "style") and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag):
        self._within = ""


@pytest.fixture(scope="module")
def page() -> Elements:
    return Elements((STATIC / "index.html").read_text(encoding="utf-8"))


def named(path: Path) -> str:
    return path.name


def imports(name: str) -> list[str]:
    text = (STATIC / name).read_text(encoding="utf-8")
    return re.findall(r'^import .* from "([^"]+)";$', text, re.MULTILINE)


def test_the_buttons_are_there_by_their_ids_and_in_order(page):
    assert [facts["id"] for tag, facts in page.found if tag == "button"] == OF_THE_BOARD + BUTTONS


def test_no_id_is_given_twice(page):
    ids = [facts["id"] for _, facts in page.found if "id" in facts]
    assert len(ids) == len(set(ids))


def test_the_policy_holds_no_inline_script_and_no_inline_style(page):
    assert page.inline == []
    for tag, facts in page.found:
        inline = [name for name in facts if name == "style" or name.startswith("on")]
        assert inline == [], tag


def test_what_the_page_refers_to_is_relative_and_there(page):
    references = [facts[name] for _, facts in page.found for name in ("src", "href") if name in facts]
    assert "page.js" in references and "style.css" in references
    for reference in references:
        assert (STATIC / reference).is_file(), reference


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_what_a_module_imports_is_relative_and_there(path):
    for reference in imports(path.name):
        assert reference.startswith("./")
        assert (STATIC / reference).is_file(), reference


def test_every_module_is_reached_from_the_page():
    reached, waiting = set(), ["page.js", "sw.js"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [reference.removeprefix("./") for reference in imports(name)]
    assert reached == {path.name for path in SCRIPTS}


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_a_script_writes_text_and_never_markup(path):
    text = path.read_text(encoding="utf-8")
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write"
    assert re.findall(rf"{markup}|\beval\b|new Function|\.style\b", text) == []


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_no_url_leaves_the_folder(path):
    """Absolute URLs would leave the proxy's prefix, or the machine; a namespace is only a name."""
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"""https?://[a-z]\w*\.\w|["'(]//|\b(?:src|href)="/|fetch\("/""", text) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_a_module_is_short_enough_to_read(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 300
    assert max(map(len, lines)) <= 100


# ---- the Home Screen ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def manifest() -> dict:
    return json.loads((STATIC / "manifest.webmanifest").read_text(encoding="utf-8"))


def size_of(name: str) -> tuple[int, int]:
    """Return width and height as the header of a PNG file says them (PNG §11.2.1)."""
    head = (STATIC / name).read_bytes()[:24]
    assert head[:16] == b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"
    return struct.unpack(">II", head[16:])


def test_the_manifest_stays_within_its_folder(manifest):
    """It has no id.

    An id would be resolved at the origin's root, and behind a proxy the root is JupyterLab's. Without
    an id the start_url is the id, which is one for each page.
    """
    assert manifest["start_url"] == manifest["scope"] == "./"
    assert "id" not in manifest


def test_the_manifest_has_what_ios_and_chromium_ask_for(manifest):
    assert manifest["display"] == "standalone"
    assert len(manifest["short_name"]) <= 12 <= len(manifest["name"])
    for name in ("theme_color", "background_color"):
        assert re.fullmatch("#[0-9a-f]{6}", manifest[name])
    square = {
        (size_of(icon["src"])[0], icon.get("purpose", "any"))
        for icon in manifest["icons"]
        if icon["type"] == "image/png"
    }
    assert square == {(192, "any"), (512, "any"), (512, "maskable")}


def test_each_icon_has_the_size_that_is_declared(manifest):
    for icon in manifest["icons"]:
        if icon["type"] == "image/png":
            assert "{}x{}".format(*size_of(icon["src"])) == icon["sizes"]
        assert (STATIC / icon["src"]).stat().st_size < 25_000


def test_the_icon_for_the_home_screen_of_an_iphone(page):
    (icon,) = [facts["href"] for _, facts in page.found if facts.get("rel") == "apple-touch-icon"]
    assert size_of(icon) == (180, 180)


def test_the_bar_above_the_page_has_the_page_s_colour(page):
    bars = {
        facts["media"]: facts["content"]
        for tag, facts in page.found
        if tag == "meta" and facts.get("name") == "theme-color"
    }
    for scheme in ("light", "dark"):
        assert bars.pop(f"(prefers-color-scheme: {scheme})") == colours(scheme)["page"]
    assert bars == {}


# ---- colours -----------------------------------------------------------------------------------

CSS = (STATIC / "style.css").read_text(encoding="utf-8")
PARTIES = {
    "user-agent": ("#1f5fbf", "#7fb0ff"),
    "push-service": ("#a8500a", "#ffb066"),
    "application-server": ("#1d7044", "#6fd39b"),
}


def colours(scheme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    return dict(re.findall(r"--([\w-]+): (#\w{6});", light if scheme == "light" else dark))


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_has_the_contrast_that_wcag_says():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("index, scheme", [(0, "light"), (1, "dark")])
def test_the_parties_have_the_colours_that_every_picture_uses(index, scheme):
    assert {name: colours(scheme)[name] for name in PARTIES} == {
        name: pair[index] for name, pair in PARTIES.items()
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable(scheme):
    """AA asks for 4.5 to 1."""
    here = colours(scheme)
    texts = (*PARTIES, "text", "quiet", "fault")
    pairs = [(name, ground) for name in texts for ground in ("card", "page")]
    pairs += [("on-party", party) for party in PARTIES]
    ratios = {pair: contrast(here[pair[0]], here[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}
