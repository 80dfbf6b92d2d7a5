"""The number of connections of a process, and the end of a silent one."""

import os
import socket
import subprocess
import sys

import pytest

from pushlab.server import connections
from pushlab.server.connections import MAX_INCOMING, MAX_OUTGOING, ConnectionCounter


def test_enable_keepalive():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            assert connections.enable_keepalive(client)
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                timeout = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert timeout == 1000 * connections.KEEPALIVE_SECONDS
        assert not connections.enable_keepalive(client), "it is closed"


@pytest.mark.parametrize(
    ("files", "incoming", "outgoing"),
    [
        (2, 1, 1),
        (256, 128, 64),
        (1024, 568, 256),
        (10**6, MAX_INCOMING, MAX_OUTGOING),
    ],
)
def test_the_number_of_connections_follows_from_the_open_files(monkeypatch, files, incoming, outgoing):
    monkeypatch.setattr(connections, "open_files", lambda: files)
    assert (connections.max_incoming(), connections.max_outgoing()) == (incoming, outgoing)
    assert connections.max_incoming() + connections.max_outgoing() <= files, (
        "each part has files of its own"
    )


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such limit")
def test_the_limit_of_open_files_is_raised_to_the_hard_limit():
    code = (
        "import resource\n"
        "from pushlab.server import connections\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, min(hard, 900) if hard > 0 else 900))\n"
        "print(connections.open_files())\n"
        "connections.raise_file_limit()\n"
        "print(connections.open_files())\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.stdout.split() == ["256", "900"], finished.stderr


def test_garbage_is_collected_rarely_and_does_not_pile_up():
    code = (
        "import gc\n"
        "from pushlab.server import connections\n"
        "connections.collect_garbage_rarely()\n"
        "before = len(gc.get_objects())\n"
        "most = 0\n"
        "for number in range(10 * connections.GARBAGE):\n"
        "    cycle = []\n"
        "    cycle.append(cycle)\n"
        "    if number % 1000 == 0:\n"
        "        most = max(most, len(gc.get_objects()) - before)\n"
        "print(connections.GARBAGE // 2 < most < 2 * connections.GARBAGE)\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.stdout == "True\n", finished.stderr


def test_a_flood_at_one_server_leaves_room_at_the_other():
    counter = ConnectionCounter(lambda: 100)
    assert sum(counter.acquire("page") for _ in range(200)) == 75
    assert sum(counter.acquire("push service") for _ in range(200)) == 25
    counter.release("page")
    assert counter.acquire("push service") and not counter.acquire("push service")
