"""What turns a Chromium into a user agent of the lab: its switches, each with its reason.

Some of them weaken the browser, and are marked **Weakens**: such a profile is for the lab only,
never the one that a person browses the web with. That is why the lab's Chromium also refuses to go
anywhere else. One thing that no switch can say is written into the profile itself: which origins may
show notifications.
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pushlab.useragent.process import WINDOWS

# A port of this machine at which nothing listens (RFC 863 reserves it for what is thrown away).
NOWHERE = "127.0.0.1:9"


class ChromiumListeners(Protocol):
    """Where a push service listens for Chromiums.

    ``spki`` is base64 of the SHA-256 of the SubjectPublicKeyInfo in the certificate at ``mcs_url``.
    """

    @property
    def checkin_url(self) -> str: ...

    @property
    def registration_url(self) -> str: ...

    @property
    def mcs_url(self) -> str: ...

    @property
    def spki(self) -> str: ...


NETWORK = {
    # Requests to other machines go to a proxy that is not there; Chromium sends no request for
    # 127.0.0.1 to a proxy. The switch also overrides proxies that the environment names.
    "proxy-server": f"http://{NOWHERE}",
    # No name is even looked up.
    "host-resolver-rules": "MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
}

QUIET = {
    # What Chromium would send or ask for by itself. NETWORK above refuses all of it in any case; with
    # these switches Chromium does not even try. Push is not among them.
    "disable-background-networking": "",
    "disable-component-update": "",  # no newer parts of itself; what asks all the same,
    "component-updater": f"url-source=http://{NOWHERE}/",  # asks there
    "disable-default-apps": "",
    "disable-domain-reliability": "",
    "disable-sync": "",
    "disable-component-extensions-with-background-pages": "",
    "disable-extensions": "",  # and so no question whether there are newer ones
    "gaia-url": f"http://{NOWHERE}/",  # no look whether somebody is signed in with the vendor
    "metrics-recording-only": "",
    "no-pings": "",
    "disable-features": ",".join(  # noqa: FLY002  # each name stands beside its reason
        [
            "NetworkTimeServiceQuerying",  # no question what time it is,
            "OptimizationHints",  # what a page may want,
            "Translate",  # how it reads in another language,
            "MediaRouter",  # or which screens are near
            # No pages for what the address bar may show: they take half of the processor time.
            "WebUIOmniboxPopup",
            "WebUIOmniboxAimPopup",
        ]
    ),
    # Weakens: no lists of dangerous sites are fetched. The lab's Chromium opens the lab's page only.
    "disable-client-side-phishing-detection": "",
}

FIRST_RUN = {
    # No welcome, no questions: the page is the first thing that a person sees.
    "no-first-run": "",
    "no-startup-window": "",  # our commands open the page
    "no-default-browser-check": "",
    "hide-crash-restore-bubble": "",
    # The profile holds no password, so the desktop need not ask a person to unlock its keyring.
    "password-store": "basic",
    "use-mock-keychain": "",
}


def switches(
    listeners: ChromiumListeners,
    folder: Path,
    headless: bool,
    page: str = "",
    certificate: bytes = b"",
) -> list[str]:
    """Return the command line for a Chromium with this profile and this push service.

    ``page`` is the origin of a page elsewhere; one with plain http counts as secure.
    ``certificate``: what to accept from ``page``, in DER. Whoever gives it has verified it.
    """
    keys = [listeners.spki, _spki(certificate)] if certificate else [listeners.spki]
    table = NETWORK | QUIET | FIRST_RUN | {
        "gcm-checkin-url": listeners.checkin_url,
        "gcm-registration-url": listeners.registration_url,
        "gcm-mcs-endpoint": listeners.mcs_url,
        # Weakens: Chromium trusts a certificate with one of these keys, whatever authority has signed
        # it. Only the lab's push service has the first, and keeps it in the data folder. The page's
        # may be the second.
        "ignore-certificate-errors-spki-list": ",".join(keys),
        "user-data-dir": str(folder),
    }  # fmt: skip
    table |= {"remote-debugging-port": "0"} if WINDOWS else {"remote-debugging-pipe": ""}
    if page:
        # Chromium reaches the page and the push service at these hosts without the proxy above.
        hosts = {urlsplit(url).hostname or "" for url in (page, listeners.checkin_url)}
        table["proxy-bypass-list"] = ";".join(sorted(hosts))
        table["host-resolver-rules"] += "".join(f" , EXCLUDE {host}" for host in sorted(hosts))
    if page.startswith("http:"):
        # Weakens: Chromium treats this origin, and no other, as secure. An attacker who can change
        # the traffic of that network can change the page, and install a service worker that stays.
        # Scheme and port must both be there: without them, Chromium silently ignores the switch.
        table["unsafely-treat-insecure-origin-as-secure"] = page
    if headless:
        table |= {"headless": "new", "disable-gpu": ""}
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Weakens: a page that breaks out of its process can do what root can. Chromium has no sandbox
        # for root, and starts only if it is told to do without one. Containers run as root.
        table["no-sandbox"] = ""
    return [f"--{name}={value}" if value else f"--{name}" for name, value in table.items()]


def _spki(certificate: bytes) -> str:
    """Return base64 of the SHA-256 of a certificate's SubjectPublicKeyInfo."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(info).digest()).decode("ascii")


def grant(folder: Path, origins: Iterable[str]) -> None:
    """Write into a profile that is not in use that these origins may show notifications.

    A permission that is granted over the protocol ends with the Chromium that runs. At the next start
    a push message may arrive before the permission is granted again, and Chromium ends a subscription
    that has no permission.
    """
    path = folder / "Default" / "Preferences"
    try:
        preferences = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        preferences = {}  # a new profile; Chromium, too, starts afresh if it cannot read them
    table = preferences
    for name in ("profile", "content_settings", "exceptions", "notifications"):
        table = table.setdefault(name, {})
    table |= {f"{origin},*": {"setting": 1} for origin in origins}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(preferences), encoding="utf-8")
