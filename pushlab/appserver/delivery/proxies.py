"""Proxies of the environment (HTTPS_PROXY, ALL_PROXY): no sender here uses them, and it says so.

A sender that is given endpoints by strangers may connect to public addresses only, and it judges the
address itself, after resolution (see ``egress``). Through a proxy, the proxy resolves the name and
connects: the sender sees nothing but the proxy's own address, and the rule could not be kept. So a
proxy is told, where a request has found no way, and not used.
"""

import urllib.request
from urllib.parse import urlsplit


def unused_proxy(origin: str) -> str:
    """Return a sentence about the proxy that is set for an origin, or an empty text.

    The proxy's URL may hold a password, so only the variable's name is told. NO_PROXY is heeded.
    """
    url = urlsplit(origin)
    proxies = urllib.request.getproxies_environment()
    name = next((name for name in (url.scheme, "all") if proxies.get(name)), None)
    if name is None or urllib.request.proxy_bypass(url.netloc):
        return ""
    return (
        f"{name.upper()}_PROXY is set, and pushlab's senders use no proxy: behind one they could not "
        "see which address a stranger's endpoint leads to. If this machine reaches the internet only "
        "through the proxy, run pushlab on one that needs none."
    )
