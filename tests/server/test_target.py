"""The target of a request may be a URL: RFC 9112 §3.2.2."""

import json

import pytest

from .bounded import Client, Echo, opened


class Named(Echo):
    """Answer with the host and the path of the request."""

    def get(self) -> None:
        self.finish({"host": self.request.host, "path": self.request.path, "query": self.request.query})


@pytest.mark.parametrize(
    ("target", "host", "path", "query"),
    [
        ("/named?a=b", "x", "/named", "a=b"),
        ("http://127.0.0.1:8292/named?a=b", "127.0.0.1:8292", "/named", "a=b"),
        ("HTTP://Y/named", "Y", "/named", ""),
        ("http://y", "y", "/", ""),
        ("http://y?a=/b", "y", "/", "a=/b"),
        ("https://y/named", None, None, None),
        ("ftp://y/named", None, None, None),
        ("y:80", None, None, None),
        ("*", None, None, None),
    ],
)
def test_a_target_that_is_a_url(run, target, host, path, query):
    """RFC 9112 §3.2.2: accepted, and its host counts in place of the header's."""

    async def scenario():
        async with opened(handlers=[("/named|/", Named)]) as bounded:
            bounded.server.request_callback.wildcard_router.rules.pop(0)  # Echo, at the root
            head = f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            client = await Client.connect(bounded, head)
            first = (await client.reader.readuntil(b"\r\n")).split()[1]
            if host is None:
                assert first == b"404"
                return
            rest = (await client.reader.readuntil(b"}")).partition(b"\r\n\r\n")[2]
            assert json.loads(rest) == {"host": host, "path": path, "query": query}

    run(scenario())


@pytest.mark.parametrize("target", ["http://[::1", "http://a b/", "http:// /", "http://me@[/"])
def test_a_target_that_cannot_be_read(run, target):
    async def scenario():
        async with opened() as bounded:
            client = await Client.connect(bounded, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert await client.error() == (400, "request-error")

    run(scenario())
