"""What connects the parties: ports, proxies, certificates, origins, and the clock."""

import os
import socket
import time
import urllib.request
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from pushlab import settings
from pushlab.doctor.findings import Finding, bad, hint, ok
from pushlab.doctor.text import LOOPBACK
from pushlab.errors import BadPort, FetchFailed, PortTaken, TokenExpired
from pushlab.fetch import data_of, fetch, is_text, is_texts, or_null
from pushlab.protocol.strict_json import JsonObject
from pushlab.reader import command

HERE = "this machine"
WRITTEN = 1_767_225_600
"""Seconds since 1970: 1 January 2026. pushlab was written later than that."""

SKEW = 60
"""Seconds by which two clocks may differ before it is reported."""

BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def examine_network(page: str = "", now: float | None = None, port: int | None = None) -> list[Finding]:
    """Examine the ports, the clock, the environment's network settings, and the page's origin.

    ``page``: URL of a client page; ``now``: seconds since 1970, by this machine's clock; ``port``:
    of a lab that may be running, if it is not the usual one.
    """
    now = time.time() if now is None else now
    findings = [*_ports(now, port, page), _clock(now), *_proxy(), *_bundles()]
    return [*findings, *examine_page(page)] if page else findings


def _ports(now: float, port: int | None, page: str) -> list[Finding]:
    try:
        ports = settings.ports(port, fixed=not settings.on_a_hub())
    except BadPort:
        fix = "Set PUSHLAB_PORT and PUSHLAB_PUSH_PORT to numbers from 0 to 65535, or unset them."
        return [bad("port-not-a-number", "a port of the environment is not a port", HERE, "", fix)]
    # The path of a private lab's page has a secret, and without it nothing is found there.
    at = page if port and urlsplit(page).port == port else f"http://127.0.0.1:{ports[0]}/"
    lab, date = _running_lab(at)
    if lab is not None:
        # A route sends a host's messages elsewhere. Never silently: the report lists all of them.
        routes = "; ".join(lab["routes"] or ()) or "none"
        return [ok("lab", f"a lab runs at port {ports[0]}; its routes: {routes}"), *_skew(date, now)]
    parties = ("application server", "push service")
    return [_port(port, party) for port, party in zip(ports, parties, strict=True)]


def _port(port: int, party: str) -> Finding:
    with socket.socket() as probe:
        probe.settimeout(settings.patience(5))
        if port == 0 or probe.connect_ex(("127.0.0.1", port)) != 0:
            return ok("port", f"port {port} for the {party} is free")
    fix = "If it is not one of your labs, set PUSHLAB_PORT and PUSHLAB_PUSH_PORT to free ports."
    return bad("port-taken", f"port {port} for the {party} is in use", PortTaken.fault, "", fix)


def _running_lab(url: str) -> tuple[JsonObject | None, str]:
    """Return the /health data of the lab at a URL, and its Date header; None if no lab answers."""
    try:
        reply = fetch(f"{url}health", seconds=settings.patience(5))
        data = data_of(reply, name=is_text, routes=or_null(is_texts))
    except FetchFailed:
        return None, ""
    return (data, reply.headers.get("Date", "")) if data["name"] == "pushlab" else (None, "")


def _skew(date: str, now: float) -> list[Finding]:
    try:
        off = abs(now - parsedate_to_datetime(date).timestamp())
    except (ValueError, OverflowError):
        return []
    if off <= SKEW:
        return []
    seen = f"this clock and that of the running lab are {off:.0f} s apart"
    fix = "Set both by NTP, because the push service compares a token's exp with its own clock."
    return [bad("clock-differs", seen, HERE, TokenExpired.rfc, fix)]


def _clock(now: float) -> Finding:
    day = time.strftime("%Y-%m-%d", time.gmtime(max(now, 0)))
    if now >= WRITTEN:
        return ok("clock", f"the clock says {day}")
    seen = f"the clock says {day}, which is before pushlab was written"
    return bad("clock-behind", seen, HERE, TokenExpired.rfc, "Set this machine's clock.")


def _proxy() -> list[Finding]:
    return [*_unused_proxy(), *_loopback_proxy()]


def _unused_proxy() -> list[Finding]:
    # A stranger's endpoint may lead to public addresses only, and through a proxy a sender cannot see
    # where it leads.
    proxies = urllib.request.getproxies()
    name = next((name for name in ("https", "all") if proxies.get(name)), None)
    if name is None or proxies.get("no") == "*":
        return []
    seen = f"{name.upper()}_PROXY is set, but pushlab's senders connect directly, without a proxy"
    fix = "If only the proxy reaches the vendors, send from a machine that is connected directly."
    return [hint("proxy-not-used", seen, HERE, "RFC 8030 §8", fix)]


def _loopback_proxy() -> list[Finding]:
    proxies = urllib.request.getproxies()
    taking = [name for name in ("http", "all") if name in proxies]
    if not taking or urllib.request.proxy_bypass("127.0.0.1"):
        return []
    # The proxy's URL may hold a password, so it is not shown.
    seen = f"the {taking[0]} proxy of the environment would get requests that are meant for 127.0.0.1"
    fix = "Set NO_PROXY=127.0.0.1,localhost."
    return [bad("proxy-takes-loopback", seen, HERE, "", fix)]


def _bundles() -> list[Finding]:
    gone = [name for name in BUNDLES if (path := os.environ.get(name)) and not Path(path).exists()]
    fix = "Unset it, or name a file that exists; otherwise no vendor's certificate is trusted."
    return [
        bad("certificates-missing", f"{name} names a file that does not exist", HERE, "RFC 8030 §8", fix)
        for name in gone
    ]


def examine_page(url: str) -> list[Finding]:
    """Examine the origin of a client page: service workers and push need a secure context.

    >>> [finding.code for finding in examine_page("http://192.0.2.7:8292/")]
    ['page-insecure']
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    # A URL may hold a password before its host, and its path may be secret: neither is shown.
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    source = "W3C Secure Contexts §3.1"
    if parts.scheme not in ("http", "https") or not host:
        fix = f"Open the page through a server, such as {command('serve')}."
        seen = "the page's URL is neither https: nor http: service workers and push are off"
        return [bad("page-not-served", seen, "application server", source, fix)]
    if parts.scheme == "http" and not LOOPBACK.fullmatch(host):
        fix = "Serve it with https, or open it at http://127.0.0.1 on the machine that serves it."
        seen = f"the page at {shown} is not secure: service workers and push are off"
        return [bad("page-insecure", seen, "application server", source, fix)]
    if host == "localhost":
        seen = "localhost and 127.0.0.1 are two origins: each has its own permission and subscription"
        fix = "Always use the same one of the two."
        return [hint("page-localhost", seen, "user agent", "RFC 6454 §5", fix)]
    return [ok("page", f"the page at {shown} is secure enough for push")]
