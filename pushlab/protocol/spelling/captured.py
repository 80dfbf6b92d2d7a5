"""Requests as tools write them down: raw HTTP, curl's texts, a HAR file, an ``.http`` file.

    headers         names and values by themselves, HTTP/2's ``:authority`` and ``:path`` among them
    raw HTTP        a request line, headers, an empty line, and the body as bytes
    .http file      the same with the whole URL; ``###`` parts requests, ``< name`` names a body's file
    curl -v         lines that begin with ``>``; curl leaves the body out
    verbose texts   the same of libcurl, as PHP and Python print it: > stands once before a block
    http.client     Python's lines that begin with ``send: b'``
    curl --trace    every byte in hexadecimal; --trace-ascii leaves the body out
    HAR             JSON, as the developer tools of browsers save it

Nothing here raises an error because of what it reads. A text in none of these forms gives no request.
"""

import ast
import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import dropwhile, islice
from textwrap import dedent

from pushlab.errors import MalformedJson
from pushlab.protocol import strict_json, utf8

MAX_REQUESTS = 20
"""Requests of one file that are read."""

MAX_HEADERS = 100
"""Headers of one request that are read. A push message has about eight."""

LEFT_OUT = "the body is not in it"
"""Why there is no body, if the tool has written none."""


@dataclass(frozen=True, repr=False)
class Captured:
    """One request as some tool wrote it down.

    ``form``: which tool's; ``url``: the endpoint, "" if no header names its host; ``headers``: name
    and value, in order and repeated ones too; ``body``: its bytes, or None if they are not there, and
    ``without`` says why; ``body_file``: the file that an .http file names in its place.
    """

    form: str
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    without: str = ""
    body_file: str = ""

    def values(self, name: str) -> list[str]:
        """Return each value of a header. Names match in any case.

        >>> Captured("HAR", "POST", "", (("ttl", "60"), ("TTL", "0")), None).values("TTL")
        ['60', '0']
        """
        return [value for key, value in self.headers if key.strip().lower() == name.lower()]

    def __repr__(self) -> str:
        size = "no body" if self.body is None else f"{len(self.body)} bytes"
        return f"<Captured {self.method}, {len(self.headers)} headers, {size}, from {self.form}>"


def read(content: bytes) -> list[Captured]:
    r"""Return the requests in a file of any of these forms, at most MAX_REQUESTS.

    >>> read(b"POST /p HTTP/1.1\r\nHost: push.example.net\r\nTTL: 60\r\n\r\nbody")
    [<Captured POST, 2 headers, 4 bytes, from raw HTTP>]
    >>> read(b"* Connected\n> POST /p HTTP/2\n> Host: push.example.net\n> ttl: 60\n>\n< HTTP/2 201")
    [<Captured POST, 2 headers, no body, from curl -v>]
    >>> read(b"Dear all")
    []
    """
    encoding = utf8.encoding_of(content)
    content = _unindented(utf8.in_utf8(content))
    for texts in ([content], _fenced(content), _begun(content)):
        found = list(islice((one for text in texts for one in _requests(text)), MAX_REQUESTS))
        if found:
            return [_without_lost_bytes(one, encoding) for one in found]
    return []


def _requests(text: bytes) -> Iterator[Captured]:
    """Yield the requests of a text, in the first form that it has."""
    for form in (_of_har, _of_trace, _of_verbose, _of_sent, _of_messages):
        if found := list(islice(form(text), MAX_REQUESTS)):
            yield from found
            return


def _fenced(content: bytes) -> Iterator[bytes]:
    """Yield what Markdown has between fences."""
    for found in islice(FENCED.finditer(content), MAX_REQUESTS):
        yield _unindented(found[1])


def _begun(content: bytes) -> Iterator[bytes]:
    """Yield the heads of requests in other text. What follows a head is more text, or the last body."""
    for found in islice(BEGUN.finditer(content), MAX_REQUESTS):
        # Prose may have such a line too. Only a request has one of these headers below it.
        if SURE.search(found[0]):
            is_text = _is_utf8(content[found.end() :])
            yield found[0] if is_text else content[found.start() :]
            if not is_text:
                return


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


FENCED = re.compile(rb"^[ \t]*```[^\r\n`]*\r?\n(.*?)(?:\r?\n[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
"""What Markdown has between two fences."""

BEGUN = re.compile(
    rb"^[ \t]*(?:POST|PUT|GET|PATCH)[ \t]+(?:https?://|/)[^\s]*+(?:[ \t]+HTTP/[\d.]+)?[ \t]*+\r?$"
    rb"(?:\n[ \t]*[!#$%&'*+.^`|~\w-]+[ \t]*+:[^\n]*+){1,100}",
    re.MULTILINE,
)
"""A request line, and the headers after it."""

SURE = re.compile(rb"(?i)\n[ \t]*(?:TTL|Authorization|Content-Encoding)[ \t]*:")
"""Headers of a push message by which a request can be told from other text."""


def _unindented(content: bytes) -> bytes:
    """Take off what the first line begins with from each line: a text in Python is often indented."""
    first = INDENTATION.match(content)
    return re.sub(rb"(?m)^" + re.escape(first[1]), b"", content) if first else content


INDENTATION = re.compile(rb"\s*^([ \t]+)(?=\S)", re.MULTILINE)
"""White space before the first line that has anything else."""


def _without_lost_bytes(captured: Captured, encoding: str) -> Captured:
    """Leave out a body whose bytes were taken for text and written in another encoding."""
    body = captured.body
    as_bytes = captured.form in ("HAR", "curl --trace")
    if not encoding.startswith("UTF") or as_bytes or body is None or body.isascii():
        return captured
    return replace(captured, body=None, without=f"the body was saved as text in {encoding}, and is lost")


# --- a request line, headers, a body --------------------------------------------------------------

REQUEST_LINE = re.compile(r"(?:([A-Za-z]+)[ \t]+)?((?:https?://\S|/)\S*)(?:[ \t]+(HTTP/[\d.]+))?")
HEADER = re.compile(r"(:?[!#$%&'*+.^`|~\w-]+[ \t]*):(.*)")
"""A header. RFC 9112 §5.1 refuses a space before the colon. It stays with the name, to be told."""

PART = re.compile(rb"^[ \t]*###.*$", re.MULTILINE)
EMPTY_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")
COMMENT = re.compile(rb"\s*(?:$|#|//|@[\w.-]+\s*=)")
"""A line of an .http file before its request line: empty, a remark, or a variable."""


def _of_messages(content: bytes) -> Iterator[Captured]:
    for part in PART.split(content):
        head, *rest = EMPTY_LINE.split(_without_comments(part), maxsplit=1)
        lines = head.decode("latin-1").splitlines()
        found = REQUEST_LINE.fullmatch(lines[0].strip()) if lines else None
        # A URL by itself would be a GET. It is the endpoint, in place of the request.
        if found and (found[1] or (found[2].startswith("http") and len(lines) > 1)):
            form = ".http file" if found[2].startswith("http") else "raw HTTP"
            yield _with_body(_of_head(form, lines), rest[0] if rest else None)
        elif lines and all(HEADER.match(line) for line in lines):
            captured = _of_headers(_headers(lines))
            if any(map(captured.values, ("TTL", "Authorization", "Content-Encoding"))):
                yield _with_body(captured, rest[0] if rest else None)


def _without_comments(part: bytes) -> bytes:
    lines = part.splitlines(keepends=True)
    return b"".join(dropwhile(COMMENT.match, lines))


def _of_head(form: str, lines: list[str]) -> Captured:
    """Read a request line and the headers after it, as HTTP/1.1 writes them."""
    found = REQUEST_LINE.fullmatch(lines[0].strip())
    assert found, "its callers have looked"
    method, target = found[1], found[2]
    headers = _headers(lines[1:])
    captured = Captured(form, (method or "GET").upper(), target, headers, None, LEFT_OUT)
    if not target.startswith("/"):
        return captured
    host = (captured.values("Host") or [""])[0]
    return replace(captured, url=_url(host, target) if host else "")


def _of_headers(headers: tuple[tuple[str, str], ...]) -> Captured:
    """Return the request of headers alone: a POST, unless HTTP/2's own names say otherwise."""
    own = {name: value for name, value in headers if name.startswith(":")}
    others = tuple((name, value) for name, value in headers if not name.startswith(":"))
    host = own.get(":authority") or dict(others).get("Host", "")
    url = _url(host, own[":path"]) if host and ":path" in own else ""
    return Captured("headers", own.get(":method", "POST"), url, others, None, LEFT_OUT)


def _url(host: str, target: str) -> str:
    scheme = "http" if re.match(r"localhost|127\.|\[::1\]", host) else "https"
    return f"{scheme}://{host}{target}"


def _headers(lines: list[str]) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    # Where the request line has no indentation, and the others have one, these are no continuations.
    for line in dedent("\n".join(lines[:MAX_HEADERS])).split("\n"):
        if found := HEADER.fullmatch(line):
            headers.append((found[1], found[2].strip()))
        elif line[:1] in (" ", "\t") and headers:  # RFC 9112 §5.2: more of the value before
            headers[-1] = (headers[-1][0], f"{headers[-1][1]} {line.strip()}")
    return tuple(headers)


def _with_body(captured: Captured, rest: bytes | None) -> Captured:
    """Cut what follows the head to the body, as its headers frame it. ``rest``: None without an end.

    Many tools copy the head alone. So there is no body only where the request says so: by its length,
    or by an empty line after a head that names no coding.
    """
    length = (captured.values("Content-Length") or [""])[0]
    if rest is None or not rest.strip():
        named_coding = any(map(captured.values, ("Content-Encoding", "Transfer-Encoding")))
        has_none = not length and not named_coding and rest is not None
        empty = has_none or (length.isdecimal() and not length.strip("0"))
        return replace(captured, body=b"", without="") if empty else captured
    if named := re.fullmatch(rb"[ \t]*<@?[ \t]++([^\r\n\0]*[^\s\0])\s*+", rest):
        return replace(captured, body_file=named[1].decode("utf-8", "replace"))
    if "chunked" in " ".join(captured.values("Transfer-Encoding")).lower():
        return replace(captured, body=_unchunked(rest), without="")
    if length.isdecimal() and len(length) < 10:
        if not rest[int(length) :].strip():  # An editor's line break after it is none of it.
            rest = rest[: int(length)]
    return replace(captured, body=rest, without="")


def _unchunked(rest: bytes) -> bytes:
    """Return the bytes of a chunked body, as many as are there. RFC 9112 §7.1."""
    body, position = bytearray(), 0
    chunk = re.compile(rb"(?:\r?\n)?([0-9A-Fa-f]{1,8})[^\r\n]*\r?\n")
    while (found := chunk.match(rest, position)) and (size := int(found[1], 16)):
        body += rest[found.end() : found.end() + size]
        position = found.end() + size
    return bytes(body)


# --- curl -----------------------------------------------------------------------------------------

TIME = r"^[ \t]*(?:[\d:.]+ )?"  # of curl --trace-time
SENT_LINE = re.compile(rf"{TIME}> ?(.*)")
NOT_SENT = re.compile(rf"{TIME}[*<{{}}](?: |$)")
SENT_BYTES = re.compile(TIME + r"=> Send (header|data)\b.*\n((?:[0-9a-f]{4}: .*\n?)+)", re.MULTILINE)
OFFSET = re.compile(r"^[0-9a-f]{4}: ", re.MULTILINE)
HEXADECIMAL = re.compile(r"^[0-9a-f]{4}: ((?:[0-9a-f]{2} ){1,16})", re.MULTILINE)


def _of_verbose(content: bytes) -> Iterator[Captured]:
    request: list[str] = []
    in_block = False
    for line in content.decode("latin-1").replace("\r\n", "\n").split("\n"):
        sent = SENT_LINE.fullmatch(line)
        if request and sent:
            in_block = False
        elif request and not sent and (not in_block or NOT_SENT.match(line)):
            continue
        text = sent[1] if sent else line
        if request and not text.strip():  # The empty line ends the head.
            yield _of_head("curl -v", request)
            request = []
        elif request:
            request.append(text)
        elif sent and _is_request_line(text):
            # The curl command marks each line. libcurl marks a block, and PHP and Python print it so.
            request, in_block = [text], True
    if request:
        yield _of_head("curl -v", request)


def _is_request_line(line: str) -> bool:
    found = REQUEST_LINE.fullmatch(line)
    return bool(found and found[1] and found[3])


def _of_trace(content: bytes) -> Iterator[Captured]:
    pending: Captured | None = None
    for what, dump in SENT_BYTES.findall(content.decode("latin-1")):
        in_hex = HEXADECIMAL.match(dump) is not None
        sent = b"".join(map(bytes.fromhex, HEXADECIMAL.findall(dump))) if in_hex else b""
        if what == "data":
            if pending and in_hex:
                pending = replace(pending, body=(pending.body or b"") + sent, without="")
            continue
        if pending:
            yield pending
        text = sent.decode("latin-1") if in_hex else OFFSET.sub("", dump)
        lines = [line for line in text.splitlines() if line.strip()]
        pending = _of_head("curl --trace", lines) if lines and _is_request_line(lines[0]) else None
    if pending:
        yield pending


# --- Python's http.client -------------------------------------------------------------------------

ESCAPE = rb"""\\(?:[\\'"nrt]|x[0-9a-f]{2})"""
SENT = re.compile(
    rb"""(?m)^send: (b'(?:[ -&(-\[\]-~]|%s)*+'|b"(?:[ !#-\[\]-~]|%s)*+")""" % (ESCAPE, ESCAPE)
)
"""What it prints with ``debuglevel = 1``: first the head, and then the body."""

MAX_SENT = 65536
"""Characters of one of its lines that are read."""


def _of_sent(content: bytes) -> Iterator[Captured]:
    sent = b""
    for found in islice(SENT.finditer(content), 2 * MAX_REQUESTS):
        if len(found[1]) > MAX_SENT:
            continue
        piece = ast.literal_eval(found[1].decode("latin-1"))
        if _is_request_line(piece.partition(b"\r\n")[0].decode("latin-1")) and sent:
            yield from _of_one_sent(sent)
            sent = b""
        sent += piece
    yield from _of_one_sent(sent)


def _of_one_sent(sent: bytes) -> Iterator[Captured]:
    head, _, rest = sent.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if _is_request_line(lines[0]):
        yield _with_body(_of_head("http.client", lines), rest)


# --- HAR ------------------------------------------------------------------------------------------


def _of_har(content: bytes) -> Iterator[Captured]:
    if content.lstrip()[:1] not in (b"{", b"["):
        return
    try:
        value = strict_json.parse(content)
    except MalformedJson:
        return
    for entry in _entries(value):
        request = entry.get("request", entry)
        if isinstance(request, Mapping) and isinstance(request.get("url"), str):
            captured = _of_request(request)
            if captured.values("TTL") or captured.values("Authorization"):
                yield captured


METHOD = re.compile(r"[A-Z]{1,16}")
"""A method as HTTP has them. Anything longer may be an endpoint."""


def _entries(value: object) -> Iterator[Mapping[str, object]]:
    log = value.get("log", value) if isinstance(value, Mapping) else value
    entries = log.get("entries", [log]) if isinstance(log, Mapping) else log
    if isinstance(entries, list):
        yield from (entry for entry in entries if isinstance(entry, Mapping))


def _of_request(request: Mapping[str, object]) -> Captured:
    listed, posted = request.get("headers"), request.get("postData")
    headers = tuple(
        (str(header.get("name", "")), str(header.get("value", "")))
        for header in (listed if isinstance(listed, list) else [])[:MAX_HEADERS]
        if isinstance(header, Mapping)
    )
    body, without = _of_post_data(posted if isinstance(posted, Mapping) else {})
    method = str(request.get("method", "GET")).upper()
    method = method if METHOD.fullmatch(method) else "?"
    return Captured("HAR", method, str(request["url"]), headers, body, without)


def _of_post_data(posted: Mapping[str, object]) -> tuple[bytes | None, str]:
    """Return the body, or why there is none. A HAR file is text, and an encrypted body is not."""
    text = posted.get("text")
    if not isinstance(text, str) or not text:
        return None, LEFT_OUT
    if posted.get("encoding") == "base64":
        try:
            return base64.b64decode(text, validate=True), ""
        except (binascii.Error, ValueError):
            return None, "the body is marked as base64, and it is something else"
    try:
        return text.encode("latin-1"), ""
    except UnicodeEncodeError:
        return None, "the body was saved as text, and some of its bytes were lost"
