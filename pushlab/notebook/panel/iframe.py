"""The client page in an iframe of the notebook, where that is possible.

A browser does not ask for permission on behalf of an iframe of another site. So the iframe must have
the notebook's own origin: jupyter-server-proxy serves the lab's port at a path of Jupyter's address.
"""

from html import escape

from pushlab.lab.jupyter import Jupyter, reachable


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


def markup(url: str) -> str:
    """Return the iframe of a page that has the notebook's own origin.

    >>> markup("/proxy/8292/")[:32]
    '<iframe src="/proxy/8292/" title'
    """
    return (
        f'<iframe src="{escape(url)}" title="The client page" class="pushlab-frame" '
        'style="width:100%;height:640px;box-sizing:border-box;border-radius:8px;'
        'border:1px solid var(--jp-border-color2,#ccc)"></iframe>'
    )
