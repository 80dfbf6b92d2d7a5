"""The address at which a room meets: concrete, and this machine's own."""

import socket

import pytest

from pushlab.errors import BadHost
from pushlab.lab import network


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("0.0.0.0", "every address at once"),
        ("localhost", "no IPv4 address"),
        ("laptop.local", "no IPv4 address"),
        ("::1", "no IPv4 address"),
        ("010.0.0.1", "no IPv4 address"),
        ("", "no IPv4 address"),
        ("192.0.2.77", "no address of this machine"),
    ],
)
def test_what_is_not_one_address_of_this_machine_is_refused_with_those_that_are(monkeypatch, host, said):
    monkeypatch.setattr(network, "mine", lambda: ["192.168.1.20", "10.77.0.1"])
    with pytest.raises(BadHost, match=said) as refused:
        network.checked(host)
    assert "This machine has 192.168.1.20, 10.77.0.1" in str(refused.value)


def test_a_machine_with_no_network_says_so(monkeypatch):
    monkeypatch.setattr(network, "mine", list)
    with pytest.raises(BadHost, match=r"none but 127\.0\.0\.1"):
        network.checked("0.0.0.0")


def test_an_address_of_this_machine_is_taken():
    assert network.checked("127.0.0.1") == "127.0.0.1"


def test_each_address_that_is_found_can_be_listened_at():
    for address in network.mine():
        assert not network.is_loopback(address)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))


@pytest.mark.parametrize(
    "host",
    ["10.1.2.3", "172.16.0.1", "192.168.0.9", "169.254.7.7", "127.0.0.1", "localhost", "::1"],
)
def test_no_proxy_leads_to_what_is_near(host):
    assert network.is_near(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "push.example.net", "", "10.1.2.3.example.net"])
def test_a_proxy_may_lead_to_what_is_far(host):
    assert not network.is_near(host)
