"""Origins are compared as text, so each has one spelling: RFC 6454 §4 and §6.2."""

import pytest

from pushlab.protocol.origin import origin_of, serialize


@pytest.mark.parametrize(
    ("scheme", "host", "port", "origin"),
    [
        ("http", "127.0.0.1", 8030, "http://127.0.0.1:8030"),
        ("http", "127.0.0.1", 80, "http://127.0.0.1"),
        ("https", "127.0.0.1", 443, "https://127.0.0.1"),
        ("http", "127.0.0.1", 443, "http://127.0.0.1:443"),
        ("https", "127.0.0.1", 80, "https://127.0.0.1:80"),
        ("ws", "127.0.0.1", 80, "ws://127.0.0.1"),
        ("wss", "push.example.net", None, "wss://push.example.net"),
        ("http", "0:0::1", 80, "http://[::1]"),
    ],
)
def test_the_port_of_the_scheme_is_left_out(scheme, host, port, origin):
    assert serialize(scheme, host, port) == origin
    assert origin_of(f"{origin}/a?b") == origin, "and it stays as it is"


@pytest.mark.parametrize(
    "url",
    ["HTTP://LOCALHOST:80/x", "http://localhost", "http://localhost:80", "http://me:pw@localhost/#f"],
)
def test_spellings_of_one_origin(url):
    assert origin_of(url) == "http://localhost"


@pytest.mark.parametrize(
    "url", ["", "localhost:80", "ftp://localhost/", "http:///x", "http://h:x/", "data:,x", "http://[::"]
)
def test_what_has_no_such_origin(url):
    with pytest.raises(ValueError):  # noqa: PT011  # urlsplit has sentences of its own
        origin_of(url)
