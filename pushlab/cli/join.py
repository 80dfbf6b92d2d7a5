"""``pushlab join`` and ``pushlab browser``: a real browser at the page of a lab, here or across a room.

The command asks the lab where its push service is, and starts a real browser that uses it. The page of
another machine comes over plain http, and browsers allow a service worker on secure pages only. So
that one origin is made an exception, in a profile that is deleted at the end, and the command says so.
"""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

from pushlab import settings
from pushlab.errors import BrowserNotFound, FetchFailed, LabError
from pushlab.fetch import fetch_data, is_text, or_null
from pushlab.lab import network
from pushlab.lab.browser import installed_browsers, real_browser, trusted_origin
from pushlab.reader import Advice, command
from pushlab.throwaway import sweep
from pushlab.useragent.browser import make_profile
from pushlab.useragent.chromium.browser import Chromium
from pushlab.useragent.firefox.browser import Firefox

WEAKENS = {
    "firefox": "This Firefox treats every page from {host} as secure, though it comes over plain http,",
    "chromium": "This Chromium treats {origin} as secure, though it comes over plain http,",
}
"""What each browser's setting makes an exception of: Firefox a whole host, Chromium one origin."""

SECONDS = 15
"""How long a lab may take to answer (times PUSHLAB_PATIENCE)."""

NO_LAB = Advice(
    f"Start one: {command('serve')}",
    participant="Ask your instructor whether the lab runs, and for its address",
)

SPKI = re.compile(r"[A-Za-z0-9+/]{43}=")
"""base64 of a SHA-256: one certificate. A longer list would have Chromium trust others as well."""


def join(
    url: str,
    kind: str | None = None,
    name: str = "",
    *,
    profile: Path | None = None,
    headless: bool = False,
) -> int:
    """Open the page at ``url`` in a browser of the lab and wait until it is closed.

    ``kind`` is ``"firefox"`` or ``"chromium"``, or None for the first that is installed; ``name`` is
    the name that the page suggests for the participant. Raises LabError, UnusableFolder,
    BrowserNotFound.
    """
    kind = kind or first_installed()
    if profile:
        make_profile(profile)
    sweep()
    browser = browser_for(url, kind, profile=profile, headless=headless, grant=headless)
    if warning := weakened(url, kind, profile):
        print(warning, flush=True)

    async def session() -> None:
        try:
            await browser.start()
            await browser.open(page_of(url, name))
            print("Close the browser to end this.", flush=True)
            await browser.closed()
        finally:
            await browser.close()

    asyncio.run(session())
    return 0


def browser_for(url: str, kind: str, **wanted) -> Firefox | Chromium:
    """Ask the lab at ``url`` for its push service, and make a browser that uses it.

    ``wanted`` is ``profile``, ``headless`` and ``grant``. Raises LabError if no lab answers there.
    """
    push_url = push_service_of(url)
    listeners = listeners_of(push_url) if kind == "chromium" else None
    return real_browser(kind, url, push_url, listeners, **wanted)


def first_installed() -> str:
    """Return the kind of the first real browser of this machine. Raises BrowserNotFound."""
    kind = installed_browsers()[0]
    if kind == "virtual":
        raise BrowserNotFound(
            "This machine has neither Firefox nor Chromium", hint="Install one of them"
        )
    return kind


def weakened(url: str, kind: str, profile: Path | None) -> str:
    """Return a warning about the exception for the person, or an empty text if none is needed.

    >>> print(weakened("http://192.168.1.20:8292", "chromium", None))
    This Chromium treats http://192.168.1.20:8292 as secure, though it comes over plain http,
    so others on this network could read and change the page. Its profile is thrown away at the end.
    """
    origin = trusted_origin(url)
    if not origin:
        return ""
    warning = WEAKENS[kind].format(origin=origin, host=urlsplit(origin).hostname)
    kept = f"The profile {profile} is kept: never browse the web with it."
    rest = kept if profile else "Its profile is thrown away at the end."
    return f"{warning}\nso others on this network could read and change the page. {rest}"


def page_of(url: str, name: str) -> str:
    """Return the address of the page, with the name in its fragment, which browsers send to no server.

    >>> page_of("http://192.168.1.20:8292", "Ada Lovelace")
    'http://192.168.1.20:8292/#name=Ada%20Lovelace'
    """
    return f"{url.partition('#')[0].rstrip('/')}/" + (f"#name={quote(name)}" if name else "")


def push_service_of(url: str) -> str:
    """Ask a running lab for the address of its push service. Raises LabError."""
    health = f"{page_of(url, '')}health"
    push_url = ask(health, name=is_text, push_service=or_null(is_text))["push_service"]
    if push_url is None:
        raise LabError(f"the application server at {url} has no push service of its own")
    host = network.host_of(push_url, "ws", "wss")
    # A lab elsewhere has no business with what runs on this machine.
    if not host or (network.is_loopback(host) and not network.is_loopback(network.host_of(url) or "")):
        raise LabError(f"the lab at {url} names no push service that this browser can use")
    return push_url


def listeners_of(push_url: str) -> SimpleNamespace:
    """Ask a push service for what a Chromium needs to use it. Raises LabError.

    What it says becomes switches of Chromium, so all addresses have to be of its own host.
    """
    names = ("checkin_url", "registration_url", "mcs_url")
    at = f"{push_url.replace('ws', 'http', 1)}chromium"
    found = ask(at, spki=is_text, **dict.fromkeys(names, is_text))
    host = network.host_of(push_url, "ws", "wss")
    if any(network.host_of(found[name]) != host for name in names) or not SPKI.fullmatch(found["spki"]):
        raise LabError(f"the push service at {push_url} gives no addresses that a Chromium can use")
    return SimpleNamespace(**found)


def ask(url: str, **members: Callable[[object], bool]) -> dict[str, Any]:
    """Return members of the data in a lab's answer (see ``fetch_data``). Raises LabError.

    A lab on this machine or on its network is asked directly, without a proxy.
    """
    near = network.is_near(network.host_of(url) or "")
    try:
        return fetch_data(url, seconds=settings.patience(SECONDS), direct=near, **members)
    except FetchFailed as reason:
        raise LabError(f"no lab answers at {url}: {reason.detail}", hint=NO_LAB) from None
