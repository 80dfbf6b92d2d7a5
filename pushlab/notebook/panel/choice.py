"""A drop-down list whose entries come and go: the open browsers, or who gets the next message.

Python writes the entries, from any thread, and the learner chooses one of them. When the entries
change, the chosen one stays chosen as long as it is there.
"""

import threading
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from pushlab.notebook.panel.parts import named

Entry = tuple[str, Any]

NOTHING = object()
"""The value of the entry that stands for no entry. With None, some versions of traitlets choose none."""


class Choice:
    """A list to choose from. ``nothing`` is the text that it shows when it has no entry.

    >>> choice = Choice("browser", "browser", "none is open")
    >>> choice.offer([("Firefox", 1), ("Chromium", 2)])
    >>> choice.choose(2)
    >>> choice.offer([("Virtual", 3), ("Chromium", 2)])
    >>> choice.widget.label
    'Chromium'
    """

    def __init__(self, name: str, description: str, nothing: str) -> None:
        self._nothing: tuple[Entry, ...] = ((nothing, NOTHING),)
        self._lock = threading.RLock()  # An observer of the widget may ask what is chosen.
        self.widget = named(widgets.Dropdown(options=self._nothing, description=description), name)
        self.widget.layout.width = "auto"

    @property
    def chosen(self) -> Any:
        """The value of the chosen entry, or None if there is none."""
        with self._lock:
            return None if self.widget.value is NOTHING else self.widget.value

    def offer(self, entries: Sequence[Entry]) -> None:
        """Replace the entries. If the chosen one is not among them, the first is chosen."""
        with self._lock:
            if tuple(self.widget.options) == (wanted := tuple(entries) or self._nothing):
                return
            before = self.widget.value
            with self.widget.hold_sync():
                self.widget.options = wanted  # Now the first is chosen.
                if before in [value for _, value in wanted]:
                    self.widget.value = before

    def choose(self, value: object) -> None:
        """Choose an entry, if it is there."""
        with self._lock:
            if value in [one for _, one in self.widget.options]:
                self.widget.value = value
