"""What comes back of a request: an answer, or what kept it from coming."""

from collections.abc import Iterable
from dataclasses import dataclass

STOPPED = "the application server stops"
"""What LabStopped says where no answer comes any more: the request was broken off, or not begun."""

@dataclass(frozen=True, repr=False, slots=True)
class PushResponse:
    """What a push service answered.

    ``headers``: (name, value) in the order they came, repeated ones too; ``body``: at most 64 KiB
    of it; ``reason``: the words after the status, which HTTP/2 does not have. Printed, it does not
    show their values: ``Location`` is a URL that only the sender may know.

    >>> PushResponse(201, (("TTL", "60"),)).header("ttl")
    '60'
    >>> PushResponse(201, (("TTL", "60"),), reason="Created")
    <PushResponse 201 Created, headers: TTL, 0 bytes of body>
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    reason: str = ""

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self.headers) or "none"
        status = f"{self.status} {self.reason}".strip()
        return f"<PushResponse {status}, headers: {names}, {len(self.body)} bytes of body>"

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        return next(iter(self.header_list(name)), None)

    def header_list(self, name: str) -> list[str]:
        """Return every value of a header, in the order they came."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(frozen=True)
class NetworkFault:
    """No answer: libcurl's error ``code`` (CURLE_…), and its words for people."""

    code: int
    message: str = ""


Response = PushResponse | NetworkFault


def read_response(head: Iterable[bytes], body: bytes = b"") -> PushResponse | None:
    """Return the answer that these lines begin, or None if its head is not complete.

    ``head``: the lines as they came, each with its end. What follows the empty line are trailers,
    after the body: nobody asked for them.

    >>> read_response([b"HTTP/1.1 201 Created\\r\\n", b"TTL: 60\\r\\n", b"\\r\\n"])
    <PushResponse 201 Created, headers: TTL, 0 bytes of body>
    >>> read_response([b"HTTP/1.1 201 Created\\r\\n", b"TTL: 60\\r\\n"])
    """
    status, reason, headers = 0, "", []
    for line in b"".join(head).decode("latin-1").split("\n")[:-1]:
        line = line.rstrip("\r")
        if line.startswith("HTTP/"):
            # 100 Continue and its like have a head of their own, and only the last head counts.
            _, word, reason = [*line.split(" ", 2), "", ""][:3]
            status, headers = int(word) if word.isdecimal() else 0, []
        elif line:
            name, _, value = line.partition(":")
            headers.append((name.strip(), value.strip()))
        elif status >= 200:
            return PushResponse(status, tuple(headers), body, reason)
    return None
