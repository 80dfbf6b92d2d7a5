"""HTTP/1.1 as the examination needs it: each request byte for byte, and answers that may be wrong.

A library for servers would join repeated headers and forget the order, and no library gives half an
answer. Source: RFC 9112.
"""

import asyncio
from urllib.parse import urlsplit

from pushlab.conformance.answer import phrase
from pushlab.protocol.spelling.captured import Captured

MAX_HEAD = 2**16
"""Bytes of a request line and its headers: asyncio's own limit of a line."""

MAX_BODY = 2**20
"""Bytes of a body that are kept. Push services take 4096."""

MAX_TRAILERS = 100
"""Lines that may follow the last chunk of a body."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class NotHttp(Exception):
    """What came is not a request that can be read."""


HANDSHAKE = b"\x16"
"""The first byte of a TLS connection. Source: RFC 8446 §5.1."""


async def read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, origin: str
) -> Captured | None:
    """Read one request; return None at the end of the connection.

    Raises NotHttp, IncompleteReadError, and what sockets raise.
    """
    first = await reader.read(1)
    if first == HANDSHAKE:  # It waits for an answer, and would do so until its time is over.
        raise NotHttp("the sender spoke https to the port of http")
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if partial := (first + end.partial).strip():
            raise NotHttp(f"the connection ended after {len(partial)} bytes of a request") from None
        return None
    except asyncio.LimitOverrunError:
        raise NotHttp(f"the headers are longer than {MAX_HEAD} bytes") from None
    line, *rest = head.decode("latin-1").split("\r\n")[:-2]
    parts = line.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise NotHttp(f"the first line has {len(line)} characters and is not a request line of HTTP/1.1")
    method, target, _ = parts
    headers = tuple(
        (name, value.strip(" \t"))
        for name, colon, value in (one.partition(":") for one in rest)
        if colon
    )
    try:
        url = target if urlsplit(target).scheme else origin + target
    except ValueError:
        raise NotHttp("the target is not a URL") from None
    request = Captured("raw HTTP", method, url, headers, None)
    if any(value.lower() == "100-continue" for value in request.values("Expect")):
        writer.write(CONTINUE)
    body = await _read_body(reader, request)
    return Captured("raw HTTP", method, url, headers, body)


async def _read_body(reader: asyncio.StreamReader, request: Captured) -> bytes:
    if "chunked" in " ".join(request.values("Transfer-Encoding")).lower():
        return await _read_chunks(reader)
    length = (request.values("Content-Length") or ["0"])[0]
    if not length.isascii() or not length.isdecimal():
        raise NotHttp(f"Content-Length has {len(length)} characters and is not a number")
    if len(length) > 9 or int(length) > MAX_BODY:
        raise NotHttp(f"the body is longer than {MAX_BODY} bytes")
    return await reader.readexactly(int(length))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """Read a chunked body. Source: RFC 9112 §7.1."""
    body = bytearray()
    while True:
        line = (await _line(reader)).partition(b";")[0]
        try:
            size = int(line, 16)
        except ValueError:
            raise NotHttp("the size of a chunk is not a number") from None
        if size < 0 or len(body) + size > MAX_BODY:
            raise NotHttp(f"the body is longer than {MAX_BODY} bytes")
        if size == 0:
            for _ in range(MAX_TRAILERS):
                if not await _line(reader):
                    return bytes(body)
            raise NotHttp(f"more than {MAX_TRAILERS} trailers follow the body")
        body += await reader.readexactly(size)
        await _line(reader)


async def _line(reader: asyncio.StreamReader) -> bytes:
    """Read a line of a chunked body, without the spaces around it. Raises NotHttp."""
    try:
        return (await reader.readline()).strip()
    except ValueError:  # asyncio's word for a line over its limit.
        raise NotHttp(f"a line in the body is longer than {MAX_HEAD} bytes") from None


def head_of(status: int, fields: dict[str, str], length: int | None) -> bytes:
    """Write the status line and the headers of an answer. ``length``: of its body."""
    lines = [f"HTTP/1.1 {status} {phrase(status)}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
