"""Where the client page is for the person in front of the notebook.

The lab listens on the kernel's machine. On a laptop that is the browser's machine too, and the plain
address is right. On a JupyterHub, on Binder or on a remote server the browser can reach only Jupyter,
and jupyter-server-proxy passes the page on below Jupyter's own address:

    where the kernel runs                 known from                   the page is at
    laptop; no Jupyter at all             none of the below            http://127.0.0.1:8292/
    Jupyter at a path, or for others      its runtime file             /user/ada/proxy/8292/
    JupyterHub, Binder                    JUPYTERHUB_SERVICE_PREFIX    /user/ada/pushlab/
    JupyterHub told its public address    JUPYTERHUB_PUBLIC_URL        https://hub.example/user/ada/…

On a hub the proxy reaches the lab at a Unix socket, or else at /user/ada/proxy/PORT/SECRET/ (see
``page_socket``).

A path without a host is enough in a link on Jupyter's own pages: the browser completes it, and only
the browser knows the host. (JUPYTERHUB_HOST is the hub's host, which may not be the user's.)

An iframe beside the notebook must have the notebook's origin; otherwise the browser does not ask for
permission in it. So an iframe always goes through the proxy, on a laptop as well.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pushlab.errors import FetchFailed
from pushlab.fetch import fetch
from pushlab.settings import patience

HERE = {"localhost", "127.0.0.1", "::1"}
"""Host names with which a machine reaches only itself."""


@dataclass(frozen=True)
class Jupyter:
    """The Jupyter server through which a browser reaches this kernel.

    ``url`` is the server's address in the browser, ending in a slash: only a path if the host is not
    known. ``near`` says whether the browser is on the kernel's machine. With ``inner``, a URL, and
    ``token`` the kernel itself can ask the server.
    """

    url: str
    near: bool
    inner: str = ""
    token: str = field(default="", repr=False)

    def passes(self, url: str, entry: str = "") -> bool:
        """Ask the server whether it passes the lab on: False if it has no jupyter-server-proxy.

        ``url`` and ``entry`` are as in ``below``.

        If it cannot be asked, as on some hubs, the answer is True: the iframe then shows what comes
        in place of the page.
        """
        if not self.inner:
            return True
        # The proxy passes the Host header on, and the lab accepts only the names of its own machine.
        headers = {"Host": urlsplit(url).netloc}
        if self.token:
            headers["Authorization"] = f"token {self.token}"
        try:
            reply = fetch(f"{self.inner}{below(url, entry)}health", seconds=patience(5), headers=headers)
        except FetchFailed:
            return False
        if reply.status in (401, 403):  # It refuses the kernel, but the browser has signed in.
            return True
        return reply.status == 200 and reply.headers.get_content_type() == "application/json"


def here() -> Jupyter | None:
    """Return the Jupyter server through which a browser reaches this process, or None."""
    runtime = None
    if "JPY_PARENT_PID" in os.environ:
        # Every kernel has imported this already. Importing jupyter_server would take a second.
        from jupyter_core.paths import jupyter_runtime_dir

        runtime = Path(jupyter_runtime_dir())
    return jupyter(os.environ, runtime)


def jupyter(environment: Mapping[str, str], runtime: Path | None = None) -> Jupyter | None:
    """Return the Jupyter server of a process with this environment, or None.

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


def below(url: str, entry: str = "") -> str:
    """Return the path below Jupyter's address at which jupyter-server-proxy passes the lab on.

    ``url`` is the page's address on this machine; ``entry`` is the name of the proxy's entry that leads
    to the lab's socket, if the lab has one.

    >>> below("http://127.0.0.1:8292/"), below("http://127.0.0.1:41213/SECRET/", "pushlab")
    ('proxy/8292/', 'pushlab/')
    """
    parts = urlsplit(url)
    return f"{entry}/" if entry else f"proxy/{parts.port}{parts.path}"


def page_url(url: str, server: Jupyter | None, entry: str = "") -> str:
    """Return the page's address for a person's browser; ``url`` and ``entry`` are as in ``below``.

    >>> page_url("http://127.0.0.1:8292/", None)
    'http://127.0.0.1:8292/'
    >>> page_url("http://127.0.0.1:8292/", Jupyter("/user/ada/", near=False))
    '/user/ada/proxy/8292/'
    """
    if server is None or server.near or not reachable(url):
        return url
    return server.url + below(url, entry)


def reachable(url: str) -> bool:
    """Say whether jupyter-server-proxy reaches this URL: plain http on its own machine.

    >>> reachable("http://127.0.0.1:8292/"), reachable("http://10.0.0.5:8292/")
    (True, False)
    """
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in HERE


def _read(runtime: Path | None, pid: str) -> dict:
    # A kernel that a test or nbconvert has started has a parent, too, but no server's file.
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
