"""What turns a Chromium into a user agent of the lab: its switches, each with its reason.

Some of them weaken the browser, and are marked **Weakens**: such a profile is for the lab alone,
never the one that a person browses the web with. That is why the lab's Chromium also refuses to go
anywhere else. One thing no switch can say goes into the profile itself: who may show notifications.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

# A port of this machine at which nothing listens (RFC 863 reserves it for what is thrown away).
NOWHERE = "127.0.0.1:9"


class ChromiumListeners(Protocol):
    """Where a push service takes Chromiums in.

    ``spki`` is base64 of the SHA-256 of the SubjectPublicKeyInfo in the certificate at ``mcs_url``.
    """

    checkin_url: str
    registration_url: str
    mcs_url: str
    spki: str


NETWORK = {
    # Whatever is not on this machine goes to a proxy that is not there, and Chromium never sends
    # what is on 127.0.0.1 to a proxy. It also keeps away proxies that the environment names.
    "proxy-server": f"http://{NOWHERE}",
    # Names are not even asked for.
    "host-resolver-rules": "MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
}

QUIET = {
    # What Chromium would tell or ask the world by itself. The network above refuses it in any case;
    # switched off, it does not even try. Push is not among it.
    "disable-background-networking": "",
    "disable-component-update": "",  # no newer parts of itself; and what asks all the same,
    "component-updater": f"url-source=http://{NOWHERE}/",  # asks there
    "disable-default-apps": "",
    "disable-domain-reliability": "",
    "disable-sync": "",
    "disable-component-extensions-with-background-pages": "",
    "disable-extensions": "",  # and so no question whether there are newer ones
    "gaia-url": f"http://{NOWHERE}/",  # who is signed in with the vendor: nobody
    "metrics-recording-only": "",
    "no-pings": "",
    "disable-features": ",".join(
        [
            "NetworkTimeServiceQuerying",  # no question what time it is,
            "OptimizationHints",  # what a page may want,
            "Translate",  # how it reads in another language,
            "MediaRouter",  # or which screens are near
        ]
    ),
    # Weakens: no lists of dangerous sites are fetched. The lab's Chromium opens the lab's page only.
    "disable-client-side-phishing-detection": "",
}

FIRST_RUN = {
    # No welcome, no questions: the page is the first thing that a person sees.
    "no-first-run": "",
    "no-startup-window": "",  # the one who drives it opens the page
    "no-default-browser-check": "",
    "hide-crash-restore-bubble": "",
    # Nobody is asked to unlock the desktop's keyring for a profile that holds no password.
    "password-store": "basic",
    "use-mock-keychain": "",
}


def switches(
    listeners: ChromiumListeners, folder: Path, headless: bool, trusted: str = ""
) -> list[str]:
    """Return the command line for a Chromium with this profile and this push service.

    ``trusted`` is an origin that counts as secure though it is plain http.
    """
    table = NETWORK | QUIET | FIRST_RUN | {
        "gcm-checkin-url": listeners.checkin_url,
        "gcm-registration-url": listeners.registration_url,
        "gcm-mcs-endpoint": listeners.mcs_url,
        # Weakens: a certificate with this key is believed, whoever has signed it. Only the lab's
        # push service has the key, and it is another one at each of its starts.
        "ignore-certificate-errors-spki-list": listeners.spki,
        "user-data-dir": str(folder),
        "remote-debugging-port": "0",
    }  # fmt: skip
    if trusted:
        host = urlsplit(trusted).hostname
        # Weakens: this origin, and no other, is taken for a secure one. Whoever can change what
        # travels on that network can change the page, and plant a worker that stays. Scheme and port
        # must both be there: without them, Chromium silently passes the switch over.
        table["unsafely-treat-insecure-origin-as-secure"] = trusted
        # The page, and the push service beside it, are reached past the proxy that is not there.
        table["proxy-bypass-list"] = host
        table["host-resolver-rules"] += f" , EXCLUDE {host}"
    if headless:
        table |= {"headless": "new", "disable-gpu": ""}
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Weakens: a page that breaks out of its process is the user. For root there is no sandbox,
        # and Chromium does not start unless it is told to go without. Containers run as root.
        table["no-sandbox"] = ""
    return [f"--{name}={value}" if value else f"--{name}" for name, value in table.items()]


def grant(folder: Path, origins: Iterable[str]) -> None:
    """Write into a profile that is not in use that these origins may show notifications.

    What is granted to a running Chromium from outside ends with it. A push message may come before
    there is anyone to grant it again, and Chromium ends a subscription whose permission is gone.
    """
    path = folder / "Default" / "Preferences"
    try:
        preferences = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        preferences = {}  # a new profile; Chromium itself starts anew with one that it cannot read
    table = preferences
    for name in ("profile", "content_settings", "exceptions", "notifications"):
        table = table.setdefault(name, {})
    table |= {f"{origin},*": {"setting": 1} for origin in origins}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(preferences), encoding="utf-8")
