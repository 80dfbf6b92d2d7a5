"""What both servers share: names for people, and a port that is taken."""

import asyncio
import socket

import pytest

from pushlab.errors import PortTaken
from pushlab.server import http
from pushlab.server.http import listen, user_agent_name
from pushlab.settings import patience

from ..run.ports import free_port

CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/156.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize(
    ("header", "brands", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", "", "Firefox"),
        (CHROME, "", "Chrome"),
        (CHROME, '"Chromium";v="156", "Google Chrome";v="156", "Not?A_Brand";v="99"', "Chrome"),
        (CHROME, '"Chromium";v="156", "Not?A_Brand";v="99"', "Chromium"),
        (CHROME.replace("Chrome/", "HeadlessChrome/"), "", "Chromium"),
        (CHROME + " Edg/156.0.0.0", '"Chromium";v="156", "Microsoft Edge";v="156"', "Edge"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/18.4 Safari/605.1.15", "", "Safari"),
        ("pushlab-virtual", "", "Virtual"),
        ("pushlab-virtual (Ada)", "", "Ada"),
        ("pushlab-virtual (\x1b[31mA\x9bda\x85)", "", "[31mA da"),
        (f"pushlab-virtual ({'x' * 40})", "", "…"),
        ("pushlab-virtual (\x85)", "", "Virtual"),
        ("curl/8.0", "", "Browser"),
        ("", "", "Browser"),
    ],
)
def test_user_agents_by_name(header, brands, name):
    assert user_agent_name(header, brands) == name


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open():
    with listen(0, "127.0.0.1") as first:
        port = first.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} of 127.0.0.1"):
            listen(port, "127.0.0.1")


def test_a_free_port_is_one_that_no_connection_is_given():
    """So a server that is restarted finds its port free."""
    with listen(0, "127.0.0.1") as one, listen(0, "127.0.0.1") as other:
        ports = {one.getsockname()[1], other.getsockname()[1]}
    assert len(ports) == 2 and ports <= set(http.FREE_PORTS)


def test_a_port_that_a_process_has_had_it_gets_last_of_all():
    """A browser that was at the first server has its worker and its subscription at that origin."""
    ports = range(10_100, 10_100 + http.TRIES + 3)
    given = [next(http.some_ports(ports)) for _ in range(2 * len(ports))]
    assert set(given[: len(ports)]) == set(ports) and given[len(ports) :] == given[: len(ports)]
    assert len(list(http.some_ports(ports))) == http.TRIES


def test_as_many_servers_as_a_file_of_tests_starts_have_as_many_origins():
    origins = set()
    for _ in range(400):
        with listen(0, "127.0.0.1") as listener:
            origins.add(listener.getsockname())
    assert len(origins) == 400


def test_a_port_that_is_held_is_passed_over_and_in_the_end_the_system_chooses(monkeypatch):
    free = free_port()
    with listen(0, "127.0.0.1") as first:
        held = first.getsockname()[1]
        monkeypatch.setattr(http, "some_ports", lambda: [held, free])
        with listen(0, "127.0.0.1") as second, listen(0, "127.0.0.1") as third:
            assert second.getsockname()[1] == free
            assert third.getsockname()[1] not in (held, free)


def test_an_address_that_is_not_of_this_machine_is_told_as_it_is():
    with pytest.raises(PortTaken, match="port 0 of 192.0.2.1: .*assign"):
        listen(0, "192.0.2.1")


def test_a_free_port_takes_connections():
    async def scenario():
        with listen(0, "127.0.0.1") as listener:
            server = await asyncio.start_server(lambda reader, writer: writer.close(), sock=listener)
            async with server:
                with socket.create_connection(listener.getsockname(), timeout=patience(60)) as client:
                    client.setblocking(False)
                    assert await asyncio.get_running_loop().sock_recv(client, 1) == b""

    asyncio.run(scenario())
