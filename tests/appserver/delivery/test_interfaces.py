"""The networks of this machine, as it has them and as they would be elsewhere."""

import subprocess
import sys
from ipaddress import ip_address
from types import SimpleNamespace

import psutil
import pytest

from pushlab.appserver.delivery import interfaces
from pushlab.appserver.delivery.interfaces import REFRESH, OwnNetworks, network_of


def test_every_address_of_this_machine_is_its_own():
    found = [one.address.partition("%")[0] for many in psutil.net_if_addrs().values() for one in many]
    own, checked = OwnNetworks(), 0
    for text in found:
        if "." in text or ("::" in text and len(text) != 17):
            assert ip_address(text) in own
            checked += 1
    assert checked and ip_address("127.0.0.1") in own
    assert ip_address("192.88.99.77") not in own


@pytest.mark.parametrize(
    ("address", "netmask", "network"),
    [
        ("2a00:1:2:3::7", "ffff:ffff:ffff:ffff::", "2a00:1:2:3::/64"),
        ("2a00:1:2:3::7", None, "2a00:1:2:3::7/128"),
        ("203.0.114.7", "255.255.254.0", "203.0.114.0/23"),
        ("203.0.114.7", None, "203.0.114.7/32"),
        ("203.0.114.7", "0.0.0.0", "203.0.114.7/32"),
    ],
)
def test_the_network_of_an_interface(address, netmask, network):
    assert str(network_of(ip_address(address), netmask)) == network


def test_a_network_that_is_joined_later_is_learned_of(monkeypatch):
    now, addresses = 0.0, []
    monkeypatch.setattr(interfaces.time, "monotonic", lambda: now)
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": addresses})
    own, there = OwnNetworks(), ip_address("2a00:1:2:3::8")
    assert there not in own
    addresses.append(SimpleNamespace(address="2a00:1:2:3::7%eth0", netmask="ffff:ffff:ffff:ffff::"))
    assert there not in own
    now = REFRESH
    assert there in own


def test_a_system_that_does_not_tell_has_none(monkeypatch):
    def refused():
        raise PermissionError

    monkeypatch.setattr(psutil, "net_if_addrs", refused)
    assert ip_address("127.0.0.1") not in OwnNetworks()


def test_psutil_is_imported_by_the_first_connection_and_not_before():
    code = "import sys, pushlab.appserver.app; print('psutil' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
