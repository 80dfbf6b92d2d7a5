"""The target of a request, in the form that Tornado routes by.

A client writes its target as a path, and for a proxy as a whole URL. A server has to take both, and of
a URL the host counts, not the header Host. Tornado knows the path alone. Source: RFC 9112 §3.2.
"""

from collections.abc import Awaitable
from typing import cast
from urllib.parse import urlsplit

from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)


# https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
def origin_form(target: str, scheme: str) -> tuple[str, str | None]:
    """Return path and query of a request's target, and the host that it names, or None.

    ``scheme``: what the connection speaks. A URL of another scheme is not for this server, and stays
    as it is: no path is like it. Raises HTTPInputError if it cannot be read.

    >>> origin_form("http://127.0.0.1:8292/vapid?a=b", "http")
    ('/vapid?a=b', '127.0.0.1:8292')
    >>> origin_form("/vapid", "http"), origin_form("https://127.0.0.1:8292/", "http")
    (('/vapid', None), ('https://127.0.0.1:8292/', None))
    """
    if target.startswith("/"):
        return target, None
    try:
        parts = urlsplit(target)
    except ValueError:
        raise HTTPInputError("the target is not a URL") from None
    if parts.scheme != scheme or not parts.netloc:
        return target, None
    rest = target[len(f"{scheme}://{parts.netloc}") :]
    return rest if rest.startswith("/") else f"/{rest}", parts.netloc


class OriginForm(HTTPMessageDelegate):
    """Pass a request on with its target as a path, and with the Host that the target names.

    ``scheme`` is what the connection speaks.
    """

    def __init__(self, delegate: HTTPMessageDelegate, scheme: str):
        self._delegate, self._scheme = delegate, scheme

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        request = cast(RequestStartLine, start_line)
        path, host = origin_form(request.path, self._scheme)
        if host is not None:
            headers["Host"] = host
        return self._delegate.headers_received(request._replace(path=path), headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        self._delegate.finish()

    def on_connection_close(self) -> None:
        self._delegate.on_connection_close()
