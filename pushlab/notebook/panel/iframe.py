"""The client page beside the notebook: in a frame, where a frame will do.

A frame of another site gets no prompt for permission, so the frame has to have the notebook's own
origin. Jupyter gives it one: jupyter-server-proxy passes the lab's port on below its own address.
"""

from html import escape

from pushlab.lab.jupyter import Jupyter, reachable


def only_a_tab(url: str, server: Jupyter | None, port: int) -> str:
    """Say why the page at ``url`` cannot be in a frame here; "" if it can.

    >>> only_a_tab("http://127.0.0.1:8292/", None, 8292)
    'This kernel sees no Jupyter server that could show the page at its own address.'
    """
    if server is None:
        return "This kernel sees no Jupyter server that could show the page at its own address."
    if not reachable(url):
        return "Jupyter passes on plain http at 127.0.0.1 alone, and this lab is elsewhere."
    if not server.passes(port):
        return "This Jupyter has no jupyter-server-proxy. Install it there, and start Jupyter anew."
    return ""


def frame(url: str) -> str:
    """Return the frame that shows the page, which has the notebook's own origin.

    >>> frame("/proxy/8292/")[:32]
    '<iframe src="/proxy/8292/" title'
    """
    return (
        f'<iframe src="{escape(url)}" title="The client page" class="pushlab-frame" '
        'style="width:100%;height:640px;box-sizing:border-box;border-radius:8px;'
        'border:1px solid var(--jp-border-color2,#ccc)"></iframe>'
    )
