"""``pushlab doctor``: what works on this machine, and how to mend the rest."""

import json
import os
import socket
import stat
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pushlab import settings
from pushlab.appserver.keys import VapidKeys
from pushlab.errors import BrowserNotFound, PushlabError
from pushlab.useragent import chromium, firefox

PACKAGES = ("jupyterlab", "ipywidgets", "tornado", "cryptography", "pycurl", "pywebpush", "sqlalchemy")


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is good, what was seen, and how to mend it."""

    good: bool
    seen: str
    mend: str = ""

    def __str__(self) -> str:
        mend = "" if self.good else f"\n    {self.mend}"
        return f"{'ok ' if self.good else 'BAD'} {self.seen}{mend}"


def examine() -> list[Finding]:
    """Look at Python, packages, browser, screen, ports and keys."""
    browsers = [_browser("Firefox", firefox.find), _browser("Chromium", chromium.find)]
    return [_python(), *map(_package, PACKAGES), *browsers, _screen(), *_ports(), _keys()]


def _python() -> Finding:
    seen = "Python " + sys.version.split()[0]
    return Finding(sys.version_info >= (3, 11), seen, "Install Python 3.11 or newer.")


def _package(name: str) -> Finding:
    try:
        return Finding(True, f"{name} {version(name)}")
    except PackageNotFoundError:
        return Finding(False, f"{name} is not installed", "Run ./lab setup.")


def _browser(name: str, find: Callable[[], Path]) -> Finding:
    try:
        return Finding(True, f"{name} at {find()}")
    except BrowserNotFound as error:
        # No fault: another browser, or the virtual user agent, stands in.
        return Finding(True, f"no {name}: {error.detail}")


def _screen() -> Finding:
    screen = settings.has_screen()
    return Finding(True, "a screen" if screen else "no screen: browsers run headless, notebooks show them")


def _ports() -> list[Finding]:
    lab = _running_lab()
    if lab is not None:
        # A detour is never silent: whoever asks is told which hosts are routed where.
        routes = "; ".join(lab.get("routes", [])) or "none"
        return [Finding(True, f"a lab runs at port {settings.ports()[0]}; its routes: {routes}")]
    findings = []
    for port, party in zip(settings.ports(), ("application server", "push service"), strict=True):
        with socket.socket() as probe:
            taken = port != 0 and probe.connect_ex(("127.0.0.1", port)) == 0
        seen = f"port {port} for the {party} is {'in use' if taken else 'free'}"
        mend = "If that is no lab of yours, set PUSHLAB_PORT and PUSHLAB_PUSH_PORT to free ports."
        findings.append(Finding(not taken, seen, mend))
    return findings


def _running_lab() -> dict | None:
    url = f"http://127.0.0.1:{settings.ports()[0]}/health"
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            data = json.load(answer)["data"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return data if data.get("name") == "pushlab" else None


def _keys() -> Finding:
    path = settings.data_folder() / "vapid.env"
    if not path.exists():
        return Finding(True, "no VAPID keys yet: the lab makes them at its first start")
    try:
        keys = VapidKeys.load(path)
    except PushlabError as error:
        return Finding(False, error.detail, error.hint)
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        return Finding(False, f"the key file can be read by others (mode {mode:o})", f"chmod 600 {path}")
    return Finding(True, f"VAPID keys for {keys.subject}, public half {keys.application_server_key[:8]}…")
