"""The address of a room: whose it is, what listens there, who trusts its certificate, who reaches it.

A machine reaches its own addresses past its firewall. What the room's other machines reach can only be
seen from one of them, so the last finding is a command to type there.
"""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

from pushlab import settings
from pushlab.appserver.web.certificate import covers, facts
from pushlab.doctor.findings import Finding, bad, hint, of_error, ok
from pushlab.errors import BadHost, FetchFailed
from pushlab.fetch import Reply, data_of, fetch, is_text
from pushlab.lab import network
from pushlab.reader import command

HERE, SERVER = "this machine", "application server"
SECONDS = 5
"""How long a server of this machine may take to answer (times PUSHLAB_PATIENCE)."""

SOON = timedelta(days=2)
"""A certificate that ends within this time may end during the workshop."""

PATH = "RFC 5280 §6"
"""Where it is written when a certificate is to be trusted."""

FIREWALLS = {
    "ufw": ("/etc/ufw/ufw.conf", "ENABLED=yes",
            "sudo ufw allow from {network} to any port {ports} proto tcp"),
    "firewalld": ("/run/firewalld.pid", "", "sudo firewall-cmd --zone=trusted --add-source={network}"),
}  # fmt: skip
"""Firewalls that are seen without being root: a file, what it says if it is on, and how to let in."""


def examine_room(host: str, port: int | None = None) -> list[Finding]:
    """Examine an address at which a room is, or is to be, open. ``port``: of its page."""
    findings = _address(host)
    if findings[0].code != "room-address-ok":
        return findings
    port = settings.ports(port)[0]
    tls = _trusting_all()
    url, reply = f"http://{host}:{port}/", _ask_lab(f"http://{host}:{port}/")
    if reply is None:
        url, reply = f"https://{host}:{port}/", _ask_lab(f"https://{host}:{port}/", tls)
    if reply is None:
        return [*findings, _closed(host, port)]
    if reply.certificate:
        url, found = _certificate(host, port, reply.certificate)
    else:
        found = [_plain_http(url)]
    ports, of_push_service = _push_service(reply)
    findings += [*found, *of_push_service, *_firewalls(host, [port, *ports])]
    return [*findings, _from_elsewhere(url, [port, *ports])]


# --- the address -----------------------------------------------------------------------------------


def _address(host: str) -> list[Finding]:
    try:
        address = IPv4Address(network.checked(host))
    except BadHost as error:
        return [of_error(error, "room-address")]
    if address.is_loopback:
        seen = f"{host} is the loopback, which no other machine reaches"
        others = ", ".join(network.mine()) or "this machine has none: connect it to the network"
        return [
            bad("room-loopback", seen, HERE, "", f"Take an address in the room's network: {others}.")
        ]
    interface, of_network = network.interfaces().get(host, ("?", "?"))
    seen = f"{host} is an address of this machine, at its interface {interface}, network {of_network}"
    findings = [ok("room-address-ok", seen)]
    if address.is_link_local:
        seen = f"{host} was made up by this machine, because no server of the network has given it one"
        fix = "Connect to the room's router, and ask the doctor with the address that you have then."
        findings.append(hint("room-link-local", seen, HERE, "RFC 3927 §1.2", fix))
    if address.is_global:
        seen = f"{host} is a public address: the whole internet may reach the room"
        findings.append(hint("room-public", seen, HERE, "", "Open the room in a private network."))
    return findings


# --- the servers -----------------------------------------------------------------------------------


def _trusting_all() -> ssl.SSLContext:
    """Return what takes any certificate, to look at it: nothing that is asked is a secret."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


def _ask_lab(url: str, tls: ssl.SSLContext | None = None) -> Reply | None:
    """Return how the lab at a URL says what it is; None if no lab answers there."""
    try:
        reply = fetch(f"{url}health", seconds=settings.patience(SECONDS), tls=tls)
        return reply if data_of(reply, name=is_text)["name"] == "pushlab" else None
    except FetchFailed:
        return None


def _closed(host: str, port: int) -> Finding:
    """Say why no room is open at an address."""
    serve = command(f"serve --host {host}")
    if _listens(host, port):
        seen = f"another program listens on {host}:{port}"
        fix = f"Stop it, or open the room at another port: {serve} --port PORT."
        return bad("room-port-taken", seen, HERE, "", fix)
    if _ask_lab(f"http://127.0.0.1:{port}/"):
        seen = f"a lab runs at 127.0.0.1:{port}, which no other machine reaches, and none at {host}"
        return bad("room-at-loopback", seen, HERE, "", f"Stop that lab, and open the room: {serve}.")
    seen = f"nothing listens on {host}:{port}: the room is not open"
    return hint("room-closed", seen, HERE, "", f"Open it: {serve}.")


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(settings.patience(SECONDS))
        return probe.connect_ex((host, port)) == 0


def _plain_http(url: str) -> Finding:
    join = command(f"join {url.rstrip('/')}")
    seen = f"the page is at {url}, and plain http: only a browser that {join} opens allows its worker"
    fix = "For phones and everyday browsers add --certfile PEM --keyfile PEM."
    return hint("room-plain-http", seen, SERVER, "W3C Secure Contexts §3.1", fix)


def _push_service(reply: Reply) -> tuple[list[int], list[Finding]]:
    """Return the ports of the push service, and what there is to say of them."""
    where = urlsplit(data_of(reply, push_service=is_text)["push_service"])
    host, port = where.hostname or "", where.port or 80
    try:
        listeners = fetch(f"http://{host}:{port}/chromium", seconds=settings.patience(SECONDS))
        mcs = urlsplit(data_of(listeners, mcs_url=is_text)["mcs_url"]).port or 443
    except FetchFailed as error:
        seen = f"the push service at {host}:{port} does not answer: {error.detail}"
        return [port], [bad("room-push-service", seen, HERE, "", "Stop the room, and open it again.")]
    seen = f"the push service listens on {host}:{port}, and for Chromium on port {mcs}"
    if not _listens(host, mcs):
        seen = f"the push service does not listen for Chromium at {host}:{mcs}"
        return [port], [bad("room-push-service", seen, HERE, "", "Stop the room, and open it again.")]
    if reply.certificate:
        # The browser connects to it, and the page does not: so it is no mixed content.
        seen += "; it stays on plain http beside the page's https, for the browsers of join alone"
    return [port, mcs], [ok("room-push-service-ok", seen)]


# --- the certificate -------------------------------------------------------------------------------


def _certificate(host: str, port: int, der: bytes) -> tuple[str, list[Finding]]:
    """Return the address by which the page is opened, and what there is to say of the certificate."""
    names, end = facts(der)
    name = host if covers(names, host) else next((one for one in names if "*" not in one), "")
    listed = ", ".join(names) or "no host at all"
    if not name:
        seen = f"the certificate is for {listed}, and not for {host}"
        fix = f"Make one for {host}, or for a name that leads there."
        found = bad("room-certificate-name", seen, SERVER, "RFC 9525 §6.3", fix)
        return f"https://{host}:{port}/", [found]
    url = f"https://{name}:{port}/"
    return url, list(_trust(url, name, host, der, end))


def _trust(url: str, name: str, host: str, der: bytes, end: datetime) -> Iterator[Finding]:
    try:
        reply = fetch(f"{url}health", seconds=settings.patience(SECONDS))
    except FetchFailed as error:
        yield _refused(error, url, name, host)
        if not error.unknown_issuer:
            return
    else:
        if reply.certificate != der:
            seen = f"the certificate is for {name}, and that name leads to another server"
            yield bad("room-name", seen, HERE, "", f"Let {name} lead to {host}.")
            return
        seen = f"the page is at {url}; this machine trusts its certificate, until {end:%Y-%m-%d}"
        yield ok("room-certificate-ok", seen)
    if end - datetime.now(UTC) < SOON:
        seen = f"the certificate ends at {end:%Y-%m-%d %H:%M} UTC"
        yield hint("room-certificate-ends", seen, SERVER, "RFC 5280 §4.1.2.5", "Renew it today.")


def _refused(error: FetchFailed, url: str, name: str, host: str) -> Finding:
    """Say why the page cannot be asked by the name of its certificate."""
    if not error.untrusted:
        seen = f"the certificate is for {name}, and that name does not lead here: {error.detail}"
        fix = f"Let {name} lead to {host}: in your DNS, or in the hosts file of every machine."
        return bad("room-name", seen, HERE, "", fix)
    if not error.unknown_issuer:
        seen = f"no browser takes the certificate at {url}: {error.detail}"
        return bad("room-certificate", seen, SERVER, PATH, "Renew it, or set the clock.")
    seen = (
        f"this machine does not know the issuer of the certificate at {url}, and phones will not: "
        "browsers warn, and after the warning there may still be no service worker"
    )
    join = command(f"join {url.rstrip('/')} --cafile FILE")
    fix = (
        f"Give participants a copy of the certificate, not of its key: {join}. For phones and everyday "
        "browsers, take a certificate of a public authority."
    )
    return hint("room-certificate-private", seen, SERVER, PATH, fix)


# --- from outside ----------------------------------------------------------------------------------


def _firewalls(host: str, ports: list[int]) -> Iterator[Finding]:
    of_network = network.interfaces().get(host, ("", host))[1]
    for name, (path, sign, allow) in FIREWALLS.items():
        try:
            is_on = sign in Path(path).read_text("utf-8", errors="replace")
        except OSError:
            continue
        if is_on:
            rule = allow.format(network=of_network, ports=",".join(map(str, ports)))
            seen = f"{name} is switched on, and drops what no rule of it allows"
            yield hint("room-firewall", seen, HERE, "", f"Let the room in: {rule}")


def _from_elsewhere(url: str, ports: list[int]) -> Finding:
    *others, last = map(str, ports)
    seen = (
        "this machine reaches itself past its firewall, and past the Wi-Fi's client isolation: whether "
        f"others reach the ports {', '.join(others)} and {last} is seen from another machine only"
    )
    insecure = "-k " if url.startswith("https:") else ""
    fix = f'On another machine of the room, type: curl {insecure}--noproxy "*" {url}health'
    return hint("room-from-elsewhere", seen, HERE, "", fix)
