"""Where a message may be carried to: the table, and real connections that are not opened."""

import asyncio
import ipaddress
import socket

import pycurl
import pytest

from pushlab.appserver.delivery.egress import ConnectOverride, EgressPolicy, is_public
from pushlab.appserver.delivery.log import DeliveryLog
from pushlab.appserver.delivery.pywebpush_client import PywebpushClient
from pushlab.appserver.delivery.response import MAX_HEAD_LINES, NetworkFault, PushResponse
from pushlab.appserver.delivery.transfer import Transfer
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.explain.outcome import explain
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import BadResponse
from pushlab.protocol.delivery import PushOptions, PushRequest

REFUSED = NetworkFault(pycurl.E_ABORTED_BY_CALLBACK)

NOT_PUBLIC = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
    "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.9", "192.0.0.170",
    "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.7",
    "203.0.113.7", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8", "100::1",
    "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%lo", "fec0::1",
    "ff02::1", "ff0e::1", "2a00:1450:4001::1%lo",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "93.184.215.14", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
    "169.253.1.1", "192.167.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.254", "11.0.0.1",
    "2a00:1450:4001:82a::200a", "2600::1", "2001:4860:4860::8888", "2003::1", "64:ff9b::8.8.8.8",
]  # fmt: skip
NO_ADDRESS = [
    "",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f.1",
    "017700000001",
    "8.8.8.8:443",
    "[::1]",
]


@pytest.mark.parametrize("address", NOT_PUBLIC + NO_ADDRESS)
def test_what_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public(address):
    assert is_public(address)


def test_nothing_is_public_that_python_takes_for_private():
    """The table is older or newer than Python's, and must not be wider."""
    nets = [*range(256)]
    for first in nets:
        for second in (0, 1, 18, 31, 64, 88, 100, 168, 175, 254, 255):
            for third in (0, 2, 99, 100, 113, 193, 255):
                ip = ipaddress.IPv4Address(bytes([first, second, third, 7]))
                if is_public(str(ip)):
                    assert ip.is_global and not ip.is_multicast and not ip.is_reserved
    for first in range(0, 65536, 16):
        for second in (0, 1, 0xDB8, 0x7F00, 0xFFFF):
            ip = ipaddress.IPv6Address(first << 112 | second << 96 | 1)
            if is_public(str(ip)):
                assert ip.is_global and not ip.is_multicast and ip.sixtofour is ip.teredo is None


def test_an_exception_is_one_scheme_host_and_port():
    egress = EgressPolicy(["http://127.0.0.1:8030", "https://localhost", "https://[::1]:8443"])
    for url in ("http://127.0.0.1:8030/x", "http://127.0.0.1:8030?x", "HTTPS://LOCALHOST:443/x",
                "https://localhost/x", "https://[0:0::1]:8443/x"):  # fmt: skip
        assert egress.permits(url, "127.0.0.1"), url
    for url in ("https://127.0.0.1:8030/", "http://127.0.0.1/", "http://127.0.0.1:803/",
                "http://127.0.0.2:8030/", "http://localhost:8030/", "https://localhost:8030/",
                "http://127.0.0.1.nip.example:8030/", "https://[::1]/", "http://127.0.0.1:8031/",
                "http://0x7f.1:8030/", "http://2130706433:8030/"):  # fmt: skip
        assert not egress.permits(url, "127.0.0.1"), url
        assert egress.permits(url, "8.8.8.8"), "a public address may have any name"


def test_public_addresses_of_this_machine_and_of_its_networks_are_near():
    networks = [ipaddress.ip_network("2a00:1450:4001:82a::/64"), ipaddress.ip_network("8.8.8.8")]

    class Near:
        def __contains__(self, address):
            return any(address in network for network in networks)

    egress = EgressPolicy(["https://allowed.example"], Near())
    for address in ("8.8.8.8", "64:ff9b::8.8.8.8", "2a00:1450:4001:82a::1"):
        assert is_public(address) and not egress.permits("https://push.example.net/x", address)
        assert egress.permits("https://allowed.example/x", address)
    for address in ("8.8.8.9", "64:ff9b::8.8.8.9", "2a00:1450:4001:82b::1"):
        assert egress.permits("https://push.example.net/x", address)


# --- real senders ------------------------------------------------------------------------------


@pytest.fixture(params=["pushlab", "pywebpush"])
def send(request, keys, subscriber):
    """Give a sender's function: send to an endpoint and return the answer."""

    def make_client(egress=None, connect_overrides=()):
        if request.param == "pywebpush":
            return PywebpushClient(keys, connect_overrides, egress=egress)
        from pushlab.appserver.delivery.client import LibcurlPushClient

        return LibcurlPushClient(keys, CurlTransport(egress=egress), connect_overrides)

    async def sending(endpoint, egress=None, connect_overrides=()):
        if "[" in endpoint and request.param == "pywebpush":
            pytest.skip("py_vapid signs for no address of IPv6")
        stored = StoredSubscription(subscriber(endpoint).subscription, "KEY", "", 0)
        client = make_client(egress, connect_overrides)
        try:
            return await client.send(client.prepare(stored, b"Hello", PushOptions(), DeliveryLog()))
        finally:
            await client.close()

    return sending


@pytest.fixture
def listener():
    """Give a port of this machine, of each loopback address, and who has connected to it."""
    doors = [socket.create_server(("127.0.0.1", 0))]
    port = doors[0].getsockname()[1]
    if socket.has_ipv6:
        doors.append(socket.create_server(("::1", port), family=socket.AF_INET6))

    def callers() -> int:
        found = 0
        for door in doors:
            door.setblocking(False)
            try:
                door.accept()[0].close()
                found += 1
            except BlockingIOError:
                pass
        return found

    yield port, callers
    for door in doors:
        door.close()


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.0.0.2", "0x7f.1", "0x7f000001", "2130706433", "127.1", "0177.0.0.1",
     "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "LOCALHOST", "localhost."],
)  # fmt: skip
def test_no_spelling_of_this_machine_is_connected_to(run, send, listener, host):
    port, callers = listener
    assert run(send(f"https://{host}:{port}/push")) == REFUSED
    assert callers() == 0
    # Allowed for another port, another name or another scheme is not allowed for this one.
    others = EgressPolicy(["https://127.0.0.1:1", f"http://127.0.0.3:{port}", f"https://other:{port}"])
    assert run(send(f"https://{host}:{port}/push", others)) == REFUSED
    assert callers() == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_the_listener_hears_who_is_allowed(run, send, listener, host):
    port, callers = listener

    async def scenario():
        sending = asyncio.ensure_future(send(f"https://{host}:{port}/push", egress))
        while not (heard := callers()) and not sending.done():
            await asyncio.sleep(0.01)
        await sending
        return heard

    egress = EgressPolicy([f"https://{host}:{port}"])
    assert run(scenario()) == 1


@pytest.mark.parametrize(
    "host",
    ["192.168.0.1", "169.254.169.254", "10.0.0.1", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]"],
)
def test_other_private_networks_are_not_tried(run, send, host):
    assert run(send(f"https://{host}/push")) == REFUSED


def test_the_same_endpoint_allowed_is_delivered_to(run, send, push_service, authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))

    async def scenario():
        async with push_service(authority[1]) as service:
            refused = await send(service.endpoint())
            assert service.received == []
            allowed = await send(service.endpoint(), EgressPolicy([service.origin]))
            assert isinstance(allowed, PushResponse), allowed
            return refused, allowed.status, len(service.received)

    assert run(scenario()) == (REFUSED, 201, 1)


def test_a_route_leads_to_its_own_port_and_opens_no_other(run, send, push_service, authority):
    from pushlab.pushservice.certificates import Certificates

    made = Certificates.make(["push.example.net"])

    async def scenario():
        async with push_service(made.context) as service:
            port = int(service.origin.rsplit(":", 1)[1])
            route = ConnectOverride("push.example.net", "pushlab-", port, made.ca_pem.decode())
            routed = await send("https://push.example.net/wp/pushlab-x", connect_overrides=[route])
            beside = await send(f"https://127.0.0.1:{port}/wp/pushlab-x", connect_overrides=[route])
            return routed.status, beside, len(service.received)

    assert run(scenario()) == (201, REFUSED, 1)


def test_a_name_that_leads_elsewhere_the_next_time(run, push_service):
    """DNS rebinding between two sends: resolved anew, looked at anew."""

    async def scenario():
        async with push_service() as service:
            port = service.origin.rsplit(":", 1)[1]
            seen = []

            class Noting(EgressPolicy):
                def permits(self, url, address):
                    seen.append(address)
                    return address == "127.0.0.1"

            transport = CurlTransport(egress=Noting())
            transport._open()
            url = f"http://rebound.test:{port}/push"

            async def led_to(address):
                # What a resolver of this name answers from now on, as libcurl keeps it.
                curl = transport._transfer_for(PushRequest(url, {}, b""), None)
                names = [f"-rebound.test:{port}", f"rebound.test:{port}:{address}"]
                curl.curl.setopt(pycurl.RESOLVE, names)
                curl.curl.setopt(pycurl.FORBID_REUSE, 1)
                transport._idle[None].append(curl)
                return await transport.send(PushRequest(url, {}, b""))

            first = await led_to("127.0.0.1")
            second = await led_to("127.0.0.2")
            third = await led_to("127.0.0.1")
            await transport.close()
            return first.status, second, third.status, seen, len(service.received)

    seen = ["127.0.0.1", "127.0.0.2", "127.0.0.1"]
    assert run(scenario()) == (201, REFUSED, 201, seen, 2)


def test_a_stranger_does_not_get_a_connection_that_was_opened_for_the_lab(run, push_service):
    async def scenario():
        async with push_service() as service:
            transport = CurlTransport(egress=EgressPolicy([service.origin]))
            port = service.origin.rsplit(":", 1)[1]
            own = [await transport.send(PushRequest(service.endpoint(), {}, b"")) for _ in range(2)]
            other = await transport.send(PushRequest(f"http://localhost:{port}/x", {}, b""))
            await transport.close()
            connections = {id(received.connection.context) for received in service.received}
            return [answer.status for answer in own], other, len(connections)

    assert run(scenario()) == ([201, 201], REFUSED, 1)


def test_one_good_address_among_refused_ones_is_used(run, push_service, everywhere):
    """``localhost`` has two here, and of them one is allowed."""

    async def scenario():
        async with push_service() as service:
            transport = CurlTransport(egress=everywhere)
            port = service.origin.rsplit(":", 1)[1]
            answer = await transport.send(PushRequest(f"http://localhost:{port}/x", {}, b""))
            await transport.close()
            return answer.status

    assert run(scenario()) == 201


def test_a_refusal_is_explained_and_not_tried_again(run, serving, subscriber, fetch, listener):
    port, callers = listener

    async def scenario():
        async with serving() as server:
            someone = subscriber(f"https://localhost:{port}/push/0123456789abcdef")
            reply = await fetch(server.url + "add-subscription", someone.subscription.to_json())
            assert reply.status == 201
            outcome = await server.notify(someone.endpoint)
            counts = await server.notify_all()
            return outcome, counts, server.store.count()

    outcome, counts, kept = run(scenario())
    assert (outcome.kind, outcome.status, outcome.attempts) == ("failed", None, 1)
    assert "not public (RFC 8030 §8). Fault: user agent." in outcome.text
    assert "0123456789abcdef" not in outcome.text
    assert (counts.failed, counts.retried, kept, callers()) == (1, 0, 1, 0)
    assert explain(REFUSED).kind == "failed" and explain(NetworkFault(7)).kind == "retry"


def test_no_socket_is_left_open_by_refusals(run, send, listener):
    import os

    port, _ = listener
    run(send(f"https://127.0.0.1:{port}/"))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run(send(f"https://127.0.0.1:{port}/"))
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize(
    "line", [b"X: y\r\n", b"X: " + b"y" * 60_000 + b"\r\n", b"HTTP/1.1 100 C\r\n\r\n"]
)
def test_a_head_without_end_is_cut_off(run, line, everywhere, monkeypatch):
    """libcurl bounds what a head may have: 300 KiB in all, and 100 KiB a line. We bound its lines."""
    kept, clear = [], Transfer.clear

    def noting(transfer):
        kept.append((sum(map(len, transfer.head)), len(transfer.head)))
        clear(transfer)
        assert not transfer.head and not transfer.body, "a handle that waits keeps nothing"

    monkeypatch.setattr(Transfer, "clear", noting)

    async def scenario():
        written = 0

        async def handle(reader, writer):
            nonlocal written
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" if line[:1] == b"H" else b"HTTP/1.1 201 C\r\n")
            try:
                while True:
                    writer.write(line * 100)
                    written += 100 * len(line)
                    await writer.drain()
            except ConnectionError:
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/push"
        transport = CurlTransport(egress=everywhere)
        async with server:
            answer = await asyncio.gather(
                transport.send(PushRequest(url, {}, b"")), return_exceptions=True
            )
            await transport.close()
        return answer

    [answer] = run(scenario())
    [(size, lines)] = kept
    assert size <= 400 * 1024 and lines <= MAX_HEAD_LINES
    # libcurl has ended it, which may pass, or we have, and the same would come again.
    expected = (NetworkFault, "retry") if len(line) > 1000 else (BadResponse, "failed")
    assert (type(answer), explain(answer).kind) == expected
