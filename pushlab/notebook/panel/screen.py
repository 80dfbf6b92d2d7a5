"""What a browser without a window shows: a picture of its page."""

import ipywidgets as widgets

from pushlab.notebook import markup
from pushlab.notebook.panel.parts import html, named


class Screen:
    """The picture, and a button that enlarges it. Without a picture nothing is seen."""

    def __init__(self) -> None:
        self.picture = html("screen")
        self._enlarge = named(widgets.ToggleButton(description="Enlarge the picture"), "enlarge")
        self._enlarge.observe(lambda change: self._resize(), "value")
        self.box = named(widgets.VBox([self.picture, self._enlarge]), "view")
        self.box.layout.display = "none"
        self._resize()

    def show(self, png: bytes | None, name: str) -> None:
        """Show the page of the browser with this name; None takes the picture away."""
        if png:
            self.picture.value = markup.screen(png, name)
        self.box.layout.display = None if png else "none"

    def _resize(self) -> None:
        large = self._enlarge.value
        (self.box.add_class if large else self.box.remove_class)("pushlab-large")
        self.box.layout.flex = "1 1 100%" if large else "0 1 260px"
