"""``pushlab join`` and ``pushlab browser``: a real browser at the page of a lab, here or across a room.

The command asks the lab where its push service is, and starts a real browser that uses it. The page of
another machine comes over plain http, and browsers allow a service worker on secure pages only. So
that one origin is made an exception, in a profile that is deleted at the end, and the command says so.

A page may come by https with a certificate of the instructor's own. The command verifies it against the
file that the participant was given, and the browser then accepts this one certificate for that page.
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

from pushlab import settings
from pushlab.cli.keys import given
from pushlab.errors import BadArgument, BrowserNotFound, FetchFailed, LabError
from pushlab.fetch import Reply, data_of, fetch, is_text, or_null, tls_trusting
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

ASK_FOR_THE_FILE = Advice(
    "If the certificate is your own, add --cafile FILE with the certificate or its issuer's",
    participant="Ask your instructor for the file of the room's certificate (never of its key), and add "
    "--cafile FILE to this command",
)
WRONG_FILE = "Give the certificate of this room's page or of its issuer, in PEM or DER, and not a key"
WRONG_NAME_OR_TIME = Advice(
    "Open the page by a name for which its certificate was made, and check this machine's clock",
    participant="Ask your instructor for the address that this certificate names, and check your clock",
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
    cafile: Path | None = None,
) -> int:
    """Open the page at ``url`` in a browser of the lab and wait until it is closed.

    ``kind`` is ``"firefox"`` or ``"chromium"``, or None for the first that is installed; ``name`` is
    the name that the page suggests for the participant; ``cafile`` has the only certificates that are
    trusted for a page by https. Raises LabError, UnusableFolder, BrowserNotFound, UnreadableFile.
    """
    kind = kind or first_installed()
    if profile:
        make_profile(profile)
    sweep()
    wanted = {"profile": profile, "headless": headless, "grant": headless}
    browser = browser_for(url, kind, cafile, **wanted)
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


def browser_for(url: str, kind: str, cafile: Path | None = None, **wanted) -> Firefox | Chromium:
    """Ask the lab at ``url`` for its push service, and make a browser that uses it.

    ``wanted`` is ``profile``, ``headless`` and ``grant``. Raises LabError if no lab answers there, or
    one whose certificate is not trusted.
    """
    tls = trusting(cafile) if cafile else None
    push_url = push_service_of(url, tls)
    listeners = listeners_of(push_url) if kind == "chromium" else None
    # What has been verified against the file, the browser would not trust by itself.
    certificate = answer_of(health_of(url), tls).certificate if tls else b""
    return real_browser(kind, url, push_url, listeners, certificate=certificate, **wanted)


def trusting(cafile: Path) -> ssl.SSLContext:
    """Return what trusts the certificates of a file, and no other.

    Raises UnreadableFile; BadArgument if it has none.
    """
    content = given(cafile)
    try:
        return tls_trusting(content)
    except BadArgument:
        raise BadArgument(f"{cafile} holds no certificate", hint=WRONG_FILE) from None


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


def health_of(url: str) -> str:
    """Return the address at which the lab of this page says what it is."""
    return f"{page_of(url, '')}health"


def push_service_of(url: str, tls: ssl.SSLContext | None = None) -> str:
    """Ask a running lab for the address of its push service. Raises LabError."""
    health = ask(health_of(url), tls=tls, name=is_text, push_service=or_null(is_text))
    push_url = health["push_service"]
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
    at = f"{push_url.replace('ws', 'http', 1)}chromium"
    found = ask(at, checkin_url=is_text, registration_url=is_text, mcs_url=is_text, spki=is_text)
    host = network.host_of(push_url, "ws", "wss")
    urls = (found["checkin_url"], found["registration_url"], found["mcs_url"])
    if any(network.host_of(url) != host for url in urls) or not SPKI.fullmatch(found["spki"]):
        raise LabError(f"the push service at {push_url} gives no addresses that a Chromium can use")
    return SimpleNamespace(**found)


def ask(
    url: str, tls: ssl.SSLContext | None = None, **members: Callable[[object], bool]
) -> dict[str, Any]:
    """Return members of the data in a lab's answer (see ``fetch.data_of``). Raises LabError."""
    reply = answer_of(url, tls)
    try:
        return data_of(reply, **members)
    except FetchFailed as reason:
        raise no_lab(url, reason) from None


def answer_of(url: str, tls: ssl.SSLContext | None) -> Reply:
    """Return what answers at an address. Raises LabError.

    A lab on this machine or on its network is asked directly, without a proxy.
    """
    near = network.is_near(network.host_of(url) or "")
    try:
        return fetch(url, seconds=settings.patience(SECONDS), direct=near, tls=tls)
    except FetchFailed as reason:
        if not reason.untrusted:
            raise no_lab(url, reason) from None
        of_issuer = WRONG_FILE if tls else ASK_FOR_THE_FILE
        hint = of_issuer if reason.unknown_issuer else WRONG_NAME_OR_TIME
        said = f"the certificate at {url} is not trusted: {reason.detail}"
        raise LabError(said, hint=hint, fault="application server") from None


def no_lab(url: str, reason: FetchFailed) -> LabError:
    """Return the error for an address at which no lab answers."""
    return LabError(f"no lab answers at {url}: {reason.detail}", hint=NO_LAB)
