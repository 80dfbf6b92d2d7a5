"""What every HTTP answer of the push service has in common: bodies read as streams, errors as JSON.

Tornado reads a form before a handler sees it, and answers 400 when a form is content-coded. A push
message is content-coded, and a client that names no type is taken to send a form: so every body is
read here as a stream of bytes, which nobody parses.
"""

import logging

from tornado.httputil import responses
from tornado.web import HTTPError, RequestHandler, stream_request_body

from pushlab.errors import (
    InternalError,
    MethodNotAllowed,
    PushlabError,
    RequestError,
    RequestTooLarge,
    UnknownPath,
)

logger = logging.getLogger("pushlab.pushservice")
# Whoever wants to read the log says where to. Without that nothing is printed: in a notebook the
# text would land in whichever cell happens to run.
logger.addHandler(logging.NullHandler())

DRAIN_LIMIT = 16 * 1024 * 1024
"""Bytes of a body that are read before the connection is cut. Whoever sends too much still hears
why: an answer that overtakes the body is lost when the connection is reset under it."""

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class JsonErrors(RequestHandler):
    """Answer every error as ``{"error": {"id", "message"}}``, Tornado's own included."""

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def write_error(self, status_code: int, **kwargs) -> None:
        cause = kwargs.get("exc_info", (None, None, None))[1]
        error = cause if isinstance(cause, PushlabError) else self._error_of(status_code)
        status = error.status if isinstance(cause, PushlabError) else status_code
        self.set_status(status)
        if status == 405:
            self.set_header("Allow", ", ".join(self._allowed()))
        self.finish(error.to_json())

    def _error_of(self, status: int) -> PushlabError:
        """Return our own error for a status that Tornado chose."""
        method = self.request.method
        if status == 404:
            return UnknownPath("nothing is served at this path")
        if status == 405:
            return MethodNotAllowed(f"this path takes {', '.join(self._allowed())}, not {method}")
        if status == 413:
            return RequestTooLarge(f"the body is longer than {DRAIN_LIMIT} bytes")
        if status >= 500:
            return InternalError()
        return RequestError(responses.get(status, "the request cannot be served"))

    def _allowed(self) -> list[str]:
        mine, none = type(self), RequestHandler
        return [m for m in _METHODS if getattr(mine, m.lower()) is not getattr(none, m.lower())]

    def log_exception(self, typ, value, tb) -> None:
        # Tornado's own line holds the URL, and an endpoint is a secret.
        if not isinstance(value, HTTPError | PushlabError):
            logger.error("%s failed", type(self).__name__, exc_info=(typ, value, tb))


@stream_request_body
class Handler(JsonErrors):
    """Read at most ``body_limit`` bytes of the body into ``body``, and count all in ``length``."""

    body_limit = 0

    def prepare(self) -> None:
        self.body, self.length = bytearray(), 0
        # Tornado's own limit closes the connection with no word; the limit here can explain itself.
        self.request.connection.set_max_body_size(2**63)

    def data_received(self, chunk: bytes) -> None:
        self.length += len(chunk)
        self.body += chunk[: max(0, self.body_limit - len(self.body))]
        if self.length > DRAIN_LIMIT:
            self.send_error(413)


class UnknownPathHandler(Handler):
    """Answer 404, whatever the method."""

    def get(self) -> None:
        raise HTTPError(404)

    head = post = put = patch = delete = options = get
