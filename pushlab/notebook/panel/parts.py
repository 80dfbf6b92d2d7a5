"""The small parts a panel is put together from. Each widget has a CSS class: ``pushlab-…``."""

import ipywidgets as widgets


def named(widget: widgets.Widget, name: str) -> widgets.Widget:
    """Give a widget the class by which style sheets and tests find it."""
    widget.add_class(f"pushlab-{name}")
    return widget


def html(name: str, value: str = "") -> widgets.HTML:
    """Return a display that shows markup."""
    return named(widgets.HTML(value), name)


def row(*children: widgets.Widget) -> widgets.HBox:
    """Put widgets beside one another, and below where there is no room."""
    return widgets.HBox(children, layout={"flex_flow": "row wrap"})


def card(head: str, *children: widgets.Widget, flex: str = "1 1 340px") -> widgets.VBox:
    """Frame widgets under a heading."""
    layout = {"flex": flex, "margin": "4px"}
    return named(widgets.VBox([widgets.HTML(head), *children], layout=layout), "card")
