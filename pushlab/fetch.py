"""A request to another program of which nothing is trusted: bounded, timed, typed.

What answers at an address may be a lab, another program, or somebody's trap. So the head and the body
are read up to a limit, and the whole exchange has one deadline: a time limit of a socket begins anew
with each byte that drips in. No redirect is followed, no file is opened, and nothing is decompressed.
Every fault is a FetchFailed that says in one line what came in place of an answer.

The exchange runs in a thread of its own. At the deadline its connection is shut down, and the thread
ends. Only the system's look-up of a name cannot be ended; then the thread ends after it.

Senders do not use this: a request to a push service follows rules of its own (``delivery``).
"""

import http.client
import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from functools import partial
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

from pushlab.errors import BadArgument, FetchFailed, MalformedJson
from pushlab.protocol import strict_json

MAX_BODY = 64 * 1024
"""Bytes of a body. A lab's answers have a few hundred."""

ABORT_SECONDS = 1.0
"""How long the thread may take to end once its connection is shut down."""


UNKNOWN_ISSUER = {2, 18, 19, 20, 21}
"""OpenSSL's numbers for a certificate whose issuer nobody vouches for (x509_vfy.h)."""


@dataclass(frozen=True)
class Reply:
    """An answer: its status, its headers, its body of at most MAX_BODY bytes.

    ``certificate``: the server's, in DER, if the answer came by https.
    """

    status: int
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)
    certificate: bytes = field(default=b"", repr=False)


def fetch(
    url: str,
    *,
    seconds: float,
    direct: bool = True,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    tls: ssl.SSLContext | None = None,
) -> Reply:
    """GET an http(s) URL, or POST a body there, and return whatever answer comes.

    ``seconds``: for the whole exchange; ``direct``: whether to pass by the environment's proxy;
    ``tls``: which certificates to trust, by default those that this machine trusts. A redirect is an
    answer like others. Raises FetchFailed.
    """
    exchange = _Exchange(url, headers or {}, body, seconds=seconds, direct=direct, tls=tls)
    thread = threading.Thread(target=exchange.run, name="pushlab-fetch", daemon=True)
    thread.start()
    try:
        thread.join(seconds)
        if not thread.is_alive():
            return exchange.result()
    finally:
        exchange.abort()  # It does nothing to an exchange that has ended.
    thread.join(ABORT_SECONDS)
    raise FetchFailed(f"no complete answer came within {seconds:g} s")


def tls_trusting(certificates: bytes) -> ssl.SSLContext:
    """Return what trusts these certificates, PEM or DER, and no other. Raises BadArgument."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The page's own certificate may be among them, and a self-made one may lack what RFC 5280 asks for.
    tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        is_pem = b"-----BEGIN " in certificates
        tls.load_verify_locations(cadata=certificates.decode("ascii") if is_pem else certificates)
    except (ssl.SSLError, ValueError):
        raise BadArgument("it holds no certificate") from None
    return tls


def fetch_data(
    url: str,
    *,
    seconds: float,
    **members: Callable[[object], bool],
) -> dict[str, Any]:
    """GET JSON of a lab's server, ``{"data": {…}}``, and return these members of its data.

    ``members``: for each name, a function that says whether a value is of the right type; a member
    that is missing has the value None. Raises FetchFailed.
    """
    return data_of(fetch(url, seconds=seconds), **members)


def data_of(reply: Reply, **members: Callable[[object], bool]) -> dict[str, Any]:
    """Return the members of the data in a lab's answer. Raises FetchFailed.

    >>> reply = Reply(200, Message(), b'{"data": {"name": "pushlab", "more": 1}}')
    >>> data_of(reply, name=is_text)
    {'name': 'pushlab'}
    >>> data_of(reply, more=is_text)
    Traceback (most recent call last):
    pushlab.errors.FetchFailed: more is a number. ...
    """
    if 300 <= reply.status < 400:
        raise FetchFailed(f"it answers with a redirect ({reply.status}), which is not followed")
    if reply.status != 200:
        raise FetchFailed(f"it answers with status {reply.status}")
    if reply.headers.get("Content-Encoding", "identity") != "identity":
        raise FetchFailed("its answer is compressed, although the request did not ask for that")
    try:
        answer = strict_json.parse(reply.body)
    except MalformedJson as reason:
        raise FetchFailed(f"its answer cannot be read: {reason.detail}") from None
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        raise FetchFailed("its answer has no data")
    found = {name: data.get(name) for name in members}
    for name, fits in members.items():
        if not fits(found[name]):
            raise FetchFailed(f"{name} is {strict_json.kind(found[name])}")
    return found


def is_text(value: object) -> bool:
    """Say whether a value is text in one line that can be shown."""
    return isinstance(value, str) and value.isprintable()


def is_texts(value: object) -> bool:
    """Say whether a value is an array of such texts."""
    return isinstance(value, list) and all(map(is_text, value))


def or_null(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    """Return a function that says whether a value fits, or is null."""
    return lambda value: value is None or fits(value)


class _Exchange:
    """One request and its answer. ``run`` is called in the thread, the rest by who waits."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        seconds: float,
        direct: bool,
        tls: ssl.SSLContext | None,
    ):
        self._url, self._headers, self._body = url, headers, body
        self._seconds, self._direct, self.tls = seconds, direct, tls
        self._sockets: list[socket.socket] = []
        self._certificate = b""
        self._aborted = False
        self._reply: Reply | None = None
        self._fault = FetchFailed("")

    def run(self) -> None:
        try:
            self._reply = self._read()
        except FetchFailed as error:
            self._fault = error
        except URLError as error:
            self._fault = _fault(error.reason)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._fault = _fault(error)

    def abort(self) -> None:
        self._aborted = True
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def result(self) -> Reply:
        if self._reply is None:
            raise self._fault
        return self._reply

    def connected(self, one: socket.socket) -> None:
        """Note a connection. It is of no use any more if the deadline has passed meanwhile."""
        self._sockets.append(one)
        if isinstance(one, ssl.SSLSocket):
            self._certificate = one.getpeercert(binary_form=True) or b""
        if self._aborted:
            self.abort()

    def _read(self) -> Reply:
        if urlsplit(self._url).scheme not in ("http", "https"):
            raise FetchFailed("this is not an http URL")
        # Not urlopen(): it would follow redirects, and open file: and ftp: URLs.
        opener = urllib.request.OpenerDirector()
        opener.add_handler(urllib.request.ProxyHandler({} if self._direct else None))
        opener.add_handler(_Handler(self))
        opener.add_handler(_SecureHandler(self))
        request = urllib.request.Request(
            self._url, self._body, headers={**self._headers, "Accept": "application/json"}
        )
        with opener.open(request, timeout=self._seconds) as answer:
            body = answer.read(MAX_BODY + 1)
            if len(body) > MAX_BODY:
                self.abort()  # Closing reads no more of it either.
                raise FetchFailed(f"its answer is longer than {MAX_BODY} bytes")
            return Reply(answer.status, answer.headers, body, self._certificate)


class _Connection(http.client.HTTPConnection):
    def __init__(self, host: str, exchange: _Exchange, **options: Any):
        super().__init__(host, **options)
        self._exchange = exchange

    def connect(self) -> None:
        super().connect()
        self._exchange.connected(self.sock)


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    pass


class _Handler(urllib.request.HTTPHandler):
    def __init__(self, exchange: _Exchange):
        super().__init__()
        self._exchange = exchange

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_Connection, exchange=self._exchange), request)


class _SecureHandler(urllib.request.HTTPSHandler):
    def __init__(self, exchange: _Exchange):
        super().__init__()
        self._exchange = exchange

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        connection = partial(_SecureConnection, exchange=self._exchange, context=self._exchange.tls)
        return self.do_open(connection, request)


def _fault(error: object) -> FetchFailed:
    """Return a fault in words. What a program has sent is not repeated."""
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = FetchFailed(error.verify_message.rstrip("."))
        fault.untrusted, fault.unknown_issuer = True, error.verify_code in UNKNOWN_ISSUER
        return fault
    if isinstance(error, http.client.HTTPException):
        return FetchFailed(f"the answer is not HTTP ({type(error).__name__})")
    if isinstance(error, OSError) and error.strerror:
        return FetchFailed(error.strerror)
    return FetchFailed(str(error))
