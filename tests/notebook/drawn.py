"""Reads a picture for tests: its texts, their positions, and the shapes below them."""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree import ElementTree

from pushlab.notebook.pictures import svg

NAMESPACE = "{http://www.w3.org/2000/svg}"


class Placed(NamedTuple):
    """An element, and the corner that its coordinates are counted from."""

    element: ElementTree.Element
    left: float
    top: float

    def at(self) -> tuple[float, float]:
        return self.left + float(self.element.get("x")), self.top + float(self.element.get("y"))


def parsed(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)


def in_html(html: str) -> str:
    """Return the picture in a notebook's output, as SVG without its style for dark themes."""
    (source,) = re.findall("src='data:image/svg\\+xml,([^']*)'", html)
    return re.sub("<style>.*?</style>", "", unquote(source), count=1)


def texts(markup: str) -> list[str]:
    return [element.text or "" for element in parsed(markup).iter(f"{NAMESPACE}text")]


def placed(element: ElementTree.Element, tag: str, left=0.0, top=0.0) -> Iterator[Placed]:
    """Yield every ``tag`` under an element, with its place on the card."""
    if move := element.get("transform"):
        x, y = re.fullmatch(r"translate\(([\d.]+) ([\d.]+)\)", move).groups()
        left, top = left + float(x), top + float(y)
    if element.tag == f"{NAMESPACE}{tag}":
        yield Placed(element, left, top)
    for child in element:
        yield from placed(child, tag, left, top)


def check(markup: str) -> None:
    """Check the rules that hold for every picture."""
    root = parsed(markup)
    wide, high = float(root.get("width")), float(root.get("height"))
    card = root[0]
    assert card.tag == f"{NAMESPACE}rect" and card.get("fill") == svg.CARD
    assert float(card.get("width")) >= wide - 1 and float(card.get("height")) >= high - 1
    assert root.get("role") == "img" and root.get("aria-label")
    names = {name for element in root.iter() for name in element.attrib}
    assert not names & {"id", "class", "href", "onload", "onclick"}
    tags = {element.tag.removeprefix(NAMESPACE) for element in root.iter()}
    assert tags <= {"svg", "rect", "text", "g", "title", "path"}
    assert "http" not in re.sub(r">[^<]*<", "><", markup).replace("http://www.w3.org/2000/svg", "")
    # Nothing is clipped. The right end of a text is estimated in the way in which pictures do it.
    for text in placed(root, "text"):
        x, y = text.at()
        said, size = text.element.text or "", float(text.element.get("font-size") or 12)
        length = float(text.element.get("textLength") or svg.width(said, size * 0.95))
        anchor = text.element.get("text-anchor")
        right = x + {"end": 0, "middle": length / 2, None: size, "start": length}[anchor]
        assert x >= 0 and right <= wide, said
        assert 0 < y < high, said
    for box in placed(root, "rect"):
        x, y = box.at()
        assert x + float(box.element.get("width")) <= wide + 0.5
        assert y + float(box.element.get("height")) <= high + 0.5
