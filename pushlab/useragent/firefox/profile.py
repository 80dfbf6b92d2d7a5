"""The preferences that turn a Firefox into a user agent of the lab, each with its reason.

They go into ``user.js``, which Firefox reads at every start. Some of them weaken the browser, and
are marked **Weakens**: such a profile is for the lab only, never the one that a person browses the
web with. That is why the lab's Firefox also refuses to go anywhere else.
"""

import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

# A port of this machine at which nothing listens (RFC 863 reserves it for what is thrown away).
NOWHERE = ("127.0.0.1", 9)

PUSH = {
    # Firefox has dom.push.serverURL, below, but connects to a ws: address only if it is told to.
    # Weakens: the connection to the push service is not encrypted, and anybody on the
    # network between the two can read the endpoints. At 127.0.0.1 there is no network between them.
    "dom.push.testing.allowInsecureServerURL": True,
    # A browser that is driven keeps push off unless its profile says otherwise.
    "dom.push.connection.enabled": True,
    # A connection that has died is noticed within 5 s and not within 30 min, and the first attempt to
    # connect again comes after 1 s and not after 5 s: a browser soon reconnects after an outage.
    "dom.push.pingInterval": 5000,
    "dom.push.retryBaseInterval": 1000,
    # Firefox draws notifications itself. On a machine without a desktop the system's way fails, and
    # then showNotification() rejects.
    "alerts.useSystemBackend": False,
}

QUIET = {
    # What Firefox would send or ask for by itself. NETWORK below refuses all of it in any case; with
    # these preferences Firefox does not even try, and its log shows what matters.
    "app.update.disabledForTesting": True,  # no updates of Firefox,
    "extensions.update.enabled": False,  # of its extensions,
    "extensions.systemAddon.update.enabled": False,  # of its built-in ones
    "extensions.getAddons.cache.enabled": False,
    "media.gmp-manager.updateEnabled": False,  # or of its codecs
    "browser.search.update": False,
    "browser.region.network.url": "",  # no question in which country this is
    "app.normandy.enabled": False,  # no studies and no experiments
    "nimbus.rollouts.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",  # no remote settings
    "datareporting.policy.dataSubmissionEnabled": False,  # no telemetry
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.usage.uploadEnabled": False,
    "toolkit.telemetry.server": "",
    "network.captive-portal-service.enabled": False,  # no look for a hotel's login page
    "network.connectivity-service.enabled": False,
    # Weakens: no lists of dangerous sites are fetched. The lab's Firefox opens the lab's page only.
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
}

NETWORK = {
    # Requests to other machines go to a proxy that is not there. This also stops services that the
    # list above does not name, in versions of Firefox that do not exist yet.
    "network.proxy.type": 1,
    "network.proxy.http": NOWHERE[0],
    "network.proxy.http_port": NOWHERE[1],
    "network.proxy.ssl": NOWHERE[0],
    "network.proxy.ssl_port": NOWHERE[1],
    "network.proxy.failover_direct": False,  # Firefox's own services try without a proxy
    "network.proxy.allow_bypass": False,  # unless both say no
    "network.trr.mode": 5,  # no DNS over HTTPS
    "network.dns.disablePrefetch": True,
}

FIRST_RUN = {
    # No welcome, no questions: the page is the first thing that a person sees.
    "browser.aboutwelcome.enabled": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "startup.homepage_welcome_url": "about:blank",
    "termsofuse.bypassNotification": True,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "browser.shell.checkDefaultBrowser": False,
    "browser.sessionstore.resume_from_crash": False,
    "browser.tabs.warnOnClose": False,
    "browser.toolbars.bookmarks.visibility": "never",
}


SHA256 = "OID.2.16.840.1.101.3.4.2.1"
"""How Firefox names the hash of a certificate that a person has accepted (FIPS 180-4)."""

ONE_PAGE = {
    # Nothing is started for pages that nobody will open here: it takes half of the processor time.
    "browser.newtab.preload": False,  # no page for the next tab,
    "dom.ipc.processPrelaunch.enabled": False,  # no process for the next site,
    "extensions.enabledScopes": 1,  # and none of Firefox's built-in extensions: only the profile's own
    # Weakens: one process shows the pages of all sites. The lab's Firefox opens the lab's page only.
    "fission.webContentIsolationStrategy": 0,
}


def write(folder: Path, push_url: str, page: str = "", certificate: bytes = b"") -> None:
    """Write ``user.js`` into the profile ``folder``, for the push service at ``push_url``.

    ``push_url`` is a WebSocket URL such as ``ws://127.0.0.1:8030/``. Firefox reaches its
    host directly, as it does this machine, and that of ``page``, the origin of a page elsewhere; one
    with plain http counts as secure. ``certificate``: what to accept from ``page``, in DER.
    """
    hosts = {host for url in (push_url, page) if (host := urlsplit(url).hostname)}
    where = {
        "dom.push.serverURL": push_url,
        "network.proxy.no_proxies_on": ", ".join(sorted(hosts)),
    }
    if page.startswith("http:"):
        # Weakens: Firefox treats every page from this host, at any port, as secure. An attacker who
        # can change the traffic of that network can change the page, and install a service worker
        # that stays. The list holds bare hosts: Firefox silently ignores an entry with a scheme or a
        # port.
        where["dom.securecontext.allowlist"] = urlsplit(page).hostname or ""
    preferences = PUSH | QUIET | NETWORK | FIRST_RUN | ONE_PAGE | where
    lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in preferences.items())
    folder.mkdir(0o700, parents=True, exist_ok=True)
    script = folder / "user.js"
    script.touch(0o600)
    script.chmod(0o600)  # The address of a private push service is a secret.
    script.write_text("".join(lines), encoding="utf-8")
    if certificate:
        # As if a person had clicked "Accept the risk": this one certificate, at this host and port.
        # Whoever gives it has verified it.
        url = urlsplit(page)
        at = f"{url.hostname}:{url.port or 443}:"
        accepted = f"{at}\t{SHA256}\t{hashlib.sha256(certificate).digest().hex(':').upper()}\t\n"
        (folder / "cert_override.txt").write_text(accepted, encoding="ascii")
