"""The networks that this machine is a part of, as its interfaces have them.

A public address says nothing of where its machine stands. IPv6 gives every device at home one, and a
server in a rack has one of its own: what listens there for the neighbours, or for this machine alone,
is not meant for the internet.
"""

import time
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

REFRESH = 10.0
"""Seconds after which the interfaces are looked at again: a laptop changes its network."""


class OwnNetworks:
    """The networks of this machine's interfaces, its own addresses among them.

    >>> ip_address("127.0.0.1") in OwnNetworks()
    True
    """

    def __init__(self) -> None:
        self._networks: list[Network] = []
        self._read_at = -REFRESH

    def __contains__(self, address: Address) -> bool:
        if time.monotonic() - self._read_at >= REFRESH:
            self._networks, self._read_at = networks(), time.monotonic()
        return any(address in network for network in self._networks)


def networks() -> list[Network]:
    """Return the networks of all interfaces. Where the system does not tell, there is none."""
    import psutil  # 20 ms, and only a message needs it

    found = []
    try:
        interfaces = psutil.net_if_addrs()
    except OSError:
        return []
    for interface in interfaces.values():
        for one in interface:
            try:
                address = ip_address(one.address.partition("%")[0])
            except ValueError:
                continue  # a hardware address
            found.append(network_of(address, one.netmask))
    return found


def network_of(address: Address, netmask: str | None) -> Network:
    """Return the network of an interface's address. A mask that is missing, or empty, leaves it alone.

    >>> network_of(ip_address("192.0.2.7"), "255.255.255.0"), network_of(ip_address("2001:db8::7"), None)
    (IPv4Network('192.0.2.0/24'), IPv6Network('2001:db8::7/128'))
    """
    length = int(ip_address(netmask)).bit_count() if netmask else 0
    if isinstance(address, IPv6Address):
        return IPv6Network((int(address), length or 128), strict=False)
    return IPv4Network((int(address), length or 32), strict=False)
