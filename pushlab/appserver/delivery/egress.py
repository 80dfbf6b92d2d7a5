"""Which addresses a request may connect to: those of the public internet, and those that the lab names.

An endpoint is a URL that a client made up. A server that sends to any URL it is given lends its own
place in the network to strangers: they reach the router's own page, a cloud's metadata at
169.254.169.254, a database that trusts 127.0.0.1 (server-side request forgery, RFC 8030 §8).

The text of a URL cannot tell. ``2130706433`` and ``0x7f.1`` are 127.0.0.1, and a name is whatever
its owner answers in this very second. So the EgressPolicy judges the address itself, after
resolution, each time a connection is opened. This machine's own addresses and those of the networks
that it is in are refused too, public or not (see ``interfaces``).

A ConnectOverride sends the lab's own subscriptions at a vendor's host to the lab instead. A Chromium
that uses the lab's push service still makes endpoints at its vendor's host: no switch changes that.
So their messages go to the lab, by this one rule, and the journal says so:

    https://jmt17.google.com/fcm/send/pushlab-…   ──▶   127.0.0.1, at the lab's port

Only the address changes. The URL, the Host header, the token's ``aud`` and the name in the checked
certificate stay the vendor's, as they would be outside. The lab's certificate authority is trusted
for these connections alone. An endpoint of the same host without the lab's mark goes to the vendor,
as always.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from pushlab.appserver.delivery.interfaces import OwnNetworks
from pushlab.protocol.origin import DEFAULT_PORTS

# The registries of special-purpose addresses, RFC 6890, as of 2026, and multicast. Python's
# is_global has the same source; it takes multicast for public, and each version of it differs.
NOT_PUBLIC_V4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private use
        "100.64.0.0/10",  # behind a provider's NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; a cloud's metadata
        "172.16.0.0/12",  # private use
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112: answers to private reverse lookups
        "192.52.193.0/24",  # multicast tunnels
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private use
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
    )
]

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that is assigned. So ::1, fc00::/7, fe80::/10, ff00::/8 and ::ffff:0:0/96 need no row."""

NOT_PUBLIC_V6 = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments; Teredo, which holds an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
]

NAT64 = IPv6Network("64:ff9b::/96")
"""How a network that has IPv6 alone writes an IPv4 address: in the last four bytes (RFC 6052)."""


def is_public(address: str) -> bool:
    """Say whether an address, as the resolver gives it, belongs to the public internet.

    >>> is_public("93.184.215.14"), is_public("2a00:1450:4001::1")
    (True, True)
    >>> is_public("192.168.0.1"), is_public("fe80::1%eth0"), is_public("::ffff:127.0.0.1")
    (False, False, False)
    """
    ip = _read(address)
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in NOT_PUBLIC_V4)
    return ip in GLOBAL_UNICAST and not any(ip in network for network in NOT_PUBLIC_V6)


def _read(address: str) -> IPv4Address | IPv6Address:
    """Return an address, and the IPv4 address in one of NAT64. What is none becomes ``::``."""
    try:
        ip = ip_address(address)
    except ValueError:
        return IPv6Address(0)
    if isinstance(ip, IPv6Address) and ip.scope_id:
        return IPv6Address(0)  # An address with a scope ("%eth0") is one of the local network.
    if isinstance(ip, IPv6Address) and ip in NAT64:
        return IPv4Address(ip.packed[-4:])
    return ip


class EgressPolicy:
    """Decide which addresses a URL may connect to.

    ``origins`` are the lab's own push services and those that its owner has allowed. Only they may
    have an address that is not public or near, and each of them at its own host and port alone.
    ``near``: the addresses of this machine and of its networks.

    >>> egress = EgressPolicy(["http://127.0.0.1:8030"])
    >>> egress.permits("http://127.0.0.1:8030/wpush/v2/x", "127.0.0.1")
    True
    >>> egress.permits("https://127.0.0.1:22/", "127.0.0.1")
    False
    """

    def __init__(
        self, origins: Iterable[str] = (), near: Container[IPv4Address | IPv6Address] | None = None
    ):
        self._places = frozenset(map(place_of, origins))
        self._near = OwnNetworks() if near is None else near

    def permits(self, url: str, address: str) -> bool:
        """Say whether a connection for this URL may be opened to this address."""
        if place_of(url) in self._places:
            return True
        return is_public(address) and _read(address) not in self._near


def place_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL that is known to be one.

    >>> place_of("HTTPS://Push.example.net/x")
    ('https', 'push.example.net', 443)
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = IPv6Address(host).compressed
    return parts.scheme, host, parts.port or DEFAULT_PORTS[parts.scheme]


@dataclass(frozen=True)
class ConnectOverride:
    """Connect to ``address`` and ``port`` for the lab's own subscriptions at a vendor's ``host``.

    It is libcurl's CURLOPT_CONNECT_TO. ``mark``: how the last part of the lab's endpoints begins;
    ``authority``: the certificates that are trusted there, PEM; ``address``: where the lab listens.

    >>> override = ConnectOverride("push.example.net", "pushlab-", 40443, "-----BEGIN CERTIFICATE-----…")
    >>> print(override)
    https://push.example.net/…/pushlab-… → 127.0.0.1:40443
    >>> override.fits("https://push.example.net/wp/pushlab-JzLQ3raZ")
    True
    >>> override.fits("https://push.example.net/wp/JzLQ3raZ")
    False
    """

    host: str
    mark: str
    port: int
    authority: str = field(repr=False)
    address: str = "127.0.0.1"

    def fits(self, url: str) -> bool:
        """Say whether a URL is an endpoint of the lab's."""
        if self.host not in url:
            return False  # Most are not, and a notify-all checks each of them.
        parts = urlsplit(url)
        there = (parts.scheme, parts.netloc) in (
            ("https", self.host),
            ("https", f"{self.host}:443"),
        )
        return there and parts.path.rsplit("/", 1)[-1].startswith(self.mark)

    @property
    def connect_to(self) -> str:
        """The rule as libcurl writes it: CURLOPT_CONNECT_TO."""
        return f"{self.host}:443:{self.address}:{self.port}"

    def __str__(self) -> str:
        return f"https://{self.host}/…/{self.mark}… → {self.address}:{self.port}"


def override_for(url: str, overrides: Sequence[ConnectOverride]) -> ConnectOverride | None:
    """Return the override for an endpoint, or None if the request goes where its URL says."""
    for override in overrides:
        if override.fits(url):
            return override
    return None
