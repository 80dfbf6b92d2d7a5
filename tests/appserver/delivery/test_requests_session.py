"""The session that pywebpush posts with: what can be ended, and when."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from pushlab.appserver.delivery.connections import OpenConnections
from pushlab.appserver.delivery.egress import EgressPolicy
from pushlab.appserver.delivery.requests_session import ORIGINS, connect, make_session
from pushlab.errors import LabStopped
from pushlab.settings import patience


@pytest.mark.parametrize(
    ("end", "error"),
    [(OpenConnections.end_call, TimeoutError), (OpenConnections.end_all, LabStopped)],
    ids=["its time is over", "the sender is closed"],
)
def test_a_call_that_ends_just_before_it_connects_has_no_connection(end, error):
    class EndsNow(OpenConnections):
        def add(self, opened):
            duplicate = super().add(opened)
            end(self)
            return duplicate

    opened = EndsNow()
    opened.begin(patience(60))
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(error):
            connect(url, EgressPolicy([url]), opened)
        opened.call_ended()
        accepted, _ = server.accept()
        with accepted:
            accepted.settimeout(patience(60))
            assert accepted.recv(1) == b""
    assert len(opened) == 0


@pytest.fixture
def ask():
    """Give what sends a request by a session, and returns the server's end of the connection."""
    with ExitStack() as stack:
        thread = stack.enter_context(ThreadPoolExecutor(1))

        def asking(session, server):
            url = url_of(server)
            known, before = session.get_adapter(url).poolmanager.pools, set(held)
            answer = thread.submit(session.post, url, b"Hello", timeout=patience(60))
            accepted = stack.enter_context(server.accept()[0])
            accepted.settimeout(patience(60))
            while b"Hello" not in accepted.recv(65536):
                pass
            accepted.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
            assert answer.result().status_code == 201
            held.update((key, known[key]) for key in known.keys() - before)
            return accepted

        held = {}  # Somebody holds each pool, as an error does that tells which it was.
        yield asking


def url_of(server):
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def is_open(connection):
    """Say whether the other end has left a connection open that has nothing to tell."""
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True


def test_a_session_ends_with_its_connections_whoever_holds_their_pool(ask):
    with socket.create_server(("127.0.0.1", 0)) as server:
        opened = OpenConnections()
        session = make_session(None, EgressPolicy([url_of(server)]), opened)
        connection = ask(session, server)
        assert is_open(connection)
        session.close()
        connection.setblocking(True)
        connection.settimeout(patience(60))
        opened.call_ended()
        assert connection.recv(1) == b""
        assert len(opened) == 0


def test_no_connection_is_kept_to_a_push_service_that_was_not_used_lately(ask):
    with ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(ORIGINS + 1)
        ]
        opened = OpenConnections()
        session = stack.enter_context(make_session(None, EgressPolicy(map(url_of, servers)), opened))
        first, *others = [ask(session, server) for server in servers]
        opened.call_ended()
        assert first.recv(1) == b""
        assert all(map(is_open, others)) and len(opened) == ORIGINS
    opened.close()
