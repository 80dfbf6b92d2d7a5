"""``pushlab join`` and ``pushlab browser``: a real browser at the page of a lab, here or across a room.

The command asks the lab where its push service is, and starts a real browser that uses it. The page of
another machine comes over plain http, and browsers allow a service worker on secure pages only. So
that one origin is made an exception, in a profile that is deleted at the end, and the command says so.
"""

import asyncio
import json
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

from pushlab import settings
from pushlab.errors import BrowserNotFound, LabError
from pushlab.lab import network
from pushlab.lab.browser import installed_browsers, real_browser, trusted_origin
from pushlab.useragent.chromium.browser import Chromium
from pushlab.useragent.firefox.browser import Firefox

WEAKENS = {
    "firefox": "This Firefox treats every page from {host} as secure, though it comes over plain http,",
    "chromium": "This Chromium treats {origin} as secure, though it comes over plain http,",
}
"""What each browser's setting makes an exception of: Firefox a whole host, Chromium one origin."""


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
    the name that the page suggests for the participant. Raises LabError, BrowserNotFound.
    """
    kind = kind or first_installed()
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
    listeners = None
    if kind == "chromium":
        listeners = SimpleNamespace(**ask(f"{push_url.replace('ws', 'http', 1)}chromium"))
    return real_browser(kind, url, push_url, listeners, **wanted)


def first_installed() -> str:
    """Return the kind of the first real browser of this machine. Raises BrowserNotFound."""
    kind = installed_browsers()[0]
    if kind == "virtual":
        raise BrowserNotFound("No Firefox and no Chromium was found. Install one of them")
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
    push_url = ask(f"{page_of(url, '')}health").get("push_service")
    if not push_url:
        raise LabError(f"the application server at {url} has no push service of its own")
    return push_url


def ask(url: str) -> dict:
    """Return the data of a lab's answer. Raises LabError.

    A lab on this machine or on its network is asked directly, without a proxy.
    """
    near = network.is_near(urlsplit(url).hostname or "")
    opener = settings.DIRECT if near else urllib.request.build_opener()
    try:
        with opener.open(url, timeout=settings.patience(15)) as answer:
            return json.load(answer)["data"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise LabError(
            f"no lab answers at {url}: {error}. Start one with ./lab or ./lab serve"
        ) from None
