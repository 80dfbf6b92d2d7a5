"""Where the client page is for whoever sits before the notebook.

The lab listens on the kernel's machine. On a laptop that is the browser's machine too, and the plain
address is right. On a JupyterHub, on Binder, on a remote server the browser reaches nothing but
Jupyter, and jupyter-server-proxy passes the page on, below Jupyter's own address:

    where the kernel runs                 known from                   the page is at
    laptop; no Jupyter at all             none of the below            http://127.0.0.1:8292/
    Jupyter at a path, or for others      its runtime file             /user/ada/proxy/8292/
    JupyterHub, Binder                    JUPYTERHUB_SERVICE_PREFIX    /user/ada/proxy/8292/
    JupyterHub told its public address    JUPYTERHUB_PUBLIC_URL        https://hub.example/user/ada/…

A path with no host is complete where it is used: in a link on Jupyter's own pages. Which host stands
before it only the browser knows. (JUPYTERHUB_HOST names the hub's, which need not be the user's.)

A frame beside the notebook asks more: it must have the notebook's origin, or the browser does not
ask for permission in it. So it always goes through the proxy, on a laptop as well.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request

from pushlab.settings import DIRECT, patience

HERE = {"localhost", "127.0.0.1", "::1"}
"""Names of this machine that only this machine can use."""


@dataclass(frozen=True)
class Jupyter:
    """The Jupyter server that a browser sees this kernel through.

    ``url`` is its address as the browser has it, ending in a slash: a path where the host is not
    known. ``near`` says whether the browser is on the kernel's machine. ``inner`` and ``token`` are
    how the kernel itself may ask it.
    """

    url: str
    near: bool
    inner: str = ""
    token: str = field(default="", repr=False)

    def proxied(self, port: int) -> str:
        """Return where jupyter-server-proxy shows a port of this machine.

        >>> Jupyter("/user/ada/", near=False).proxied(8292)
        '/user/ada/proxy/8292/'
        """
        return f"{self.url}proxy/{port}/"

    def passes(self, port: int) -> bool:
        """Ask the server whether it shows that port: False if it has no jupyter-server-proxy.

        Where it cannot be asked, as on some hubs, the answer is True: what comes instead of the page
        can be seen in the frame.
        """
        if not self.inner:
            return True
        # The proxy hands Host on, and the lab answers to the names of its own machine.
        headers = {"Host": f"127.0.0.1:{port}"}
        if self.token:
            headers["Authorization"] = f"token {self.token}"
        request = Request(f"{self.inner}proxy/{port}/health", headers=headers)
        try:
            with DIRECT.open(request, timeout=patience(5)) as answer:
                return answer.headers.get_content_type() == "application/json"
        except HTTPError as refused:
            refused.close()
            return refused.code in (401, 403)  # Not by us; the browser has signed in.
        except OSError:
            return False


def here() -> Jupyter | None:
    """Return the Jupyter server before this very process, or None."""
    runtime = None
    if "JPY_PARENT_PID" in os.environ:
        # Every kernel has loaded this already. The whole jupyter_server would take a second.
        from jupyter_core.paths import jupyter_runtime_dir

        runtime = Path(jupyter_runtime_dir())
    return jupyter(os.environ, runtime)


def jupyter(environment: Mapping[str, str], runtime: Path | None = None) -> Jupyter | None:
    """Return the Jupyter server before a process with this environment, or None.

    ``runtime`` is the folder with the servers' runtime files, ``jpserver-PID.json``; the kernel's
    environment names the one that started it.

    >>> jupyter({"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}).url
    '/user/ada/'
    >>> print(jupyter({}))
    None
    """
    found = _read(runtime, environment.get("JPY_PARENT_PID", ""))
    inner, token = _text(found, "url"), _text(found, "token")
    if prefix := environment.get("JUPYTERHUB_SERVICE_PREFIX"):
        prefix = _slashed(prefix)
        public = _slashed(environment.get("JUPYTERHUB_PUBLIC_URL", ""))
        key = token or environment.get("JUPYTERHUB_API_TOKEN", "")
        return Jupyter(public if public.endswith(prefix) else prefix, False, inner, key)
    if not inner:
        return None
    path = _slashed(urlsplit(inner).path)
    near = _text(found, "hostname") in HERE and path == "/"
    return Jupyter(path, near, inner, token)


def page_url(url: str, server: Jupyter | None) -> str:
    """Return the page's address for a person's browser; ``url`` is the one on this machine.

    >>> page_url("http://127.0.0.1:8292/", None)
    'http://127.0.0.1:8292/'
    >>> page_url("http://127.0.0.1:8292/", Jupyter("/user/ada/", near=False))
    '/user/ada/proxy/8292/'
    """
    if server is None or server.near or not reachable(url):
        return url
    return server.proxied(urlsplit(url).port)


def reachable(url: str) -> bool:
    """Say whether jupyter-server-proxy gets there: to plain http on its own machine.

    >>> reachable("http://127.0.0.1:8292/"), reachable("http://10.0.0.5:8292/")
    (True, False)
    """
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in HERE


def _read(runtime: Path | None, pid: str) -> dict:
    # A notebook that a test or nbconvert runs has a parent, too, but no server wrote a file for it.
    if runtime is None or not pid.isdecimal():
        return {}
    try:
        found = json.loads((runtime / f"jpserver-{pid}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(found: dict, name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""


def _slashed(url: str) -> str:
    return url if url.endswith("/") else f"{url}/"
