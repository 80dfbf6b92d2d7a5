"""The small parts of a panel. Each widget has a CSS class, ``pushlab-…``."""

import ipywidgets as widgets


def named(widget: widgets.Widget, name: str) -> widgets.Widget:
    """Give a widget the CSS class by which style sheets and tests find it."""
    widget.add_class(f"pushlab-{name}")
    return widget


def html(name: str, value: str = "") -> widgets.HTML:
    """Return a display of HTML."""
    return named(widgets.HTML(value), name)


def row(*children: widgets.Widget) -> widgets.HBox:
    """Put widgets side by side; those that do not fit move to the next line."""
    return widgets.HBox(children, layout={"flex_flow": "row wrap"})


def card(head: str, *children: widgets.Widget, flex: str = "1 1 340px") -> widgets.VBox:
    """Put widgets into a frame with a heading."""
    layout = {"flex": flex, "margin": "4px"}
    return named(widgets.VBox([widgets.HTML(head), *children], layout=layout), "card")
