"""The client page in an iframe of the notebook, where that is possible.

A browser does not ask for permission on behalf of an iframe of another site. So the iframe must have
the notebook's own origin: jupyter-server-proxy serves the lab's port at a path of Jupyter's address.
"""

from html import escape

import ipywidgets as widgets

from pushlab.lab.jupyter import Jupyter, below, here, reachable
from pushlab.notebook import markup
from pushlab.notebook.panel.parts import named


class PageFrame:
    """The page in the panel, which ``button`` shows and puts away."""

    def __init__(self, button: widgets.Button) -> None:
        self._button = button
        self.widget = named(widgets.HTML(layout={"width": "100%"}), "iframe")
        self.widget.layout.display = "none"

    def toggle(self, url: str, entry: str) -> str:
        """Show the page at ``url``, or put it away, and say what was done.

        ``entry`` is the name of jupyter-server-proxy's entry for the lab, if it has one.
        """
        if self.widget.value:
            self.widget.value, self.widget.layout.display = "", "none"
            self._button.description = "Show it here"
            return markup.verdict("The page was put away. Its subscription stays.", markup.DONE)
        server = here()
        if (reason := why_not(url, server, entry)) or server is None:
            said = "The page cannot be shown here. Follow the link: it opens the page in a tab."
            return markup.verdict(said, markup.LOST, reason)
        self.widget.value = iframe(server.url + below(url, entry))
        self.widget.layout.display, self._button.description = None, "Put it away"
        return markup.verdict("The page opened below.", markup.DONE, markup.KEEP_IN_VIEW)


def why_not(url: str, server: Jupyter | None, entry: str = "") -> str:
    """Say why the page at ``url`` cannot be in an iframe here, or return "" if it can.

    ``entry`` is the name of jupyter-server-proxy's entry for the lab, if it has one.

    >>> why_not("http://127.0.0.1:8292/", None)
    'This kernel sees no Jupyter server that could show the page at its own address.'
    """
    if server is None:
        return "This kernel sees no Jupyter server that could show the page at its own address."
    if not reachable(url):
        return "Jupyter passes on plain http at 127.0.0.1 alone, and this lab is elsewhere."
    if not server.passes(url, entry):
        return "This Jupyter has no jupyter-server-proxy. Install it there, and start Jupyter anew."
    return ""


def iframe(url: str) -> str:
    """Return the iframe of a page that has the notebook's own origin.

    >>> iframe("/proxy/8292/")[:32]
    '<iframe src="/proxy/8292/" title'
    """
    return (
        f'<iframe src="{escape(url)}" title="The client page" class="pushlab-frame" '
        'style="width:100%;height:640px;box-sizing:border-box;border-radius:8px;'
        'border:1px solid var(--jp-border-color2,#ccc)"></iframe>'
    )
