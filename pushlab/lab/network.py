"""Network addresses: those of this machine, and the one at which a room meets.

A room meets at one concrete IPv4 address. ``0.0.0.0`` would open every interface, the hotel's Wi-Fi
too. And a host name will not do: the page's origin, the endpoints and the ``aud`` of every token are
made from the address, and all of them must have the same text.
"""

import socket
from collections.abc import Collection
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, ip_address
from urllib.parse import urlsplit

from pushlab.errors import BadArgument, BadHost
from pushlab.protocol.origin import origin_of

LOOPBACK = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Say whether the host of a URL is the loopback: only this machine reaches it.

    >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("10.77.0.1")
    (True, True, False)
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def loopback_origin(text: str) -> str:
    """Return the origin of a push endpoint on this machine, as it stands in subscriptions.

    Raises ValueError if the text is no http(s) origin, or one of another machine.

    >>> loopback_origin("HTTPS://127.0.0.1:443/"), loopback_origin("http://[0::1]:8443")
    ('https://127.0.0.1', 'http://[::1]:8443')
    """
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or url.path not in ("", "/") or set("?#@") & set(text):
        raise ValueError(f"{text!r} is not an origin: write it like https://127.0.0.1:8443")
    if not is_loopback(url.hostname or ""):
        raise ValueError(f"{url.hostname} is not this machine")
    return origin_of(text)


def host_of(url: str, *schemes: str) -> str | None:
    """Return the host of an absolute URL with one of these schemes; None if it is another text.

    >>> host_of("http://192.168.1.20:8292/"), host_of("192.168.1.20:8292"), host_of("http://a@b/")
    ('192.168.1.20', None, None)
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in (schemes or ("http", "https")) and parts.port != 0
        usable = usable and url.isascii() and url.split() == [url]
    except ValueError:
        return None
    return parts.hostname if usable and "@" not in parts.netloc else None


def is_near(host: str) -> bool:
    """Say whether a host is this machine or on a private network, which is reached without a proxy.

    >>> is_near("192.168.1.20"), is_near("127.0.0.1"), is_near("push.example.net")
    (True, True, False)
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_private or address.is_loopback or address.is_link_local


def mine() -> list[str]:
    """Return the IPv4 addresses of this machine that other machines may reach."""
    return sorted(address for address in interfaces() if not is_loopback(address))


def interfaces() -> dict[str, tuple[str, str]]:
    """Return this machine's IPv4 addresses, each with the name of its interface and its network.

    >>> interfaces()["127.0.0.1"][1]
    '127.0.0.0/8'
    """
    import psutil  # Before the lab is installed, 'pushlab --help' has to do without it.

    return {
        one.address: (name, str(IPv4Interface(f"{one.address}/{one.netmask}").network))
        for name, addresses in psutil.net_if_addrs().items()
        for one in addresses
        if one.family == socket.AF_INET
    }


def checked(host: str) -> str:
    """Return the address as text if the lab can listen at it. Raises BadHost.

    >>> checked("127.0.0.1")
    '127.0.0.1'
    >>> checked("0.0.0.0")                                     # doctest: +ELLIPSIS
    Traceback (most recent call last):
    pushlab.errors.BadHost: 0.0.0.0 is every address at once, and a room needs one. ...
    """
    try:
        address = IPv4Address(str(host))  # It would take a number, too.
    except AddressValueError:
        raise BadHost(f"{host!r} is no IPv4 address. {_own_addresses()}") from None
    if address.is_unspecified:
        raise BadHost(f"{host} is every address at once, and a room needs one. {_own_addresses()}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            raise BadHost(f"{host} is no address of this machine. {_own_addresses()}") from None
    return str(address)


def loopback_origins(origins: Collection[str]) -> list[str]:
    """Return the origins of push endpoints on this machine. Raises BadArgument."""
    if isinstance(origins, str | bytes) or not isinstance(origins, Collection):
        raise BadArgument(f"allow_endpoints is {origins!r}, and not a list of origins")
    try:
        return [loopback_origin(origin) for origin in origins]
    except (ValueError, TypeError, AttributeError) as reason:
        raise BadArgument(
            f"allow_endpoints has an entry that is not an origin of this machine: {reason}"
        ) from None


def _own_addresses() -> str:
    found = mine()
    return f"This machine has {', '.join(found)}" if found else "This machine has none but 127.0.0.1"
