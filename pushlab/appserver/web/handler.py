"""What all routes of the application server share: JSON requests and answers, and the journal.

``pushlab.server.http`` reads bodies and answers errors. JSON is read strictly, so that every value
in a request can be written again: into an answer, a message, the journal.
"""

from collections.abc import Mapping
from typing import Any

from pushlab.appserver.web.guard import check_json
from pushlab.errors import (
    BadField,
    MethodNotAllowed,
    PushlabError,
    RequestTooLarge,
    UnknownMethod,
)
from pushlab.journal import Party
from pushlab.protocol import strict_json
from pushlab.server.http import StreamedBody, UnknownPathHandler, user_agent_name

MAX_REQUEST = 65536
"""Bytes of a request's body: enough for a notification of 3993 bytes in any form of escaping."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
"""What the page may load. Behind a proxy the page shares its origin with JupyterLab, where an injected
script could run code in a kernel."""


class Handler(StreamedBody):
    """The base of every handler of this server."""

    body_limit = MAX_REQUEST
    default_headers: Mapping[str, str] = {
        **StreamedBody.default_headers,
        "Content-Security-Policy": POLICY,
    }
    recorded = False
    """Whether these requests are written into the journal."""
    instructor_only = False
    """Whether a request needs the instructor's token, if the server has one."""

    def initialize(self, server: Any) -> None:
        # The ApplicationServer. It imports the routes, so they cannot import it.
        self.server = server
        self.label = ""
        self._is_recorded = False

    def prepare(self) -> None:
        self.server.guard.check(self.request.method, self.request.headers)
        super().prepare()
        if self.instructor_only:
            authorization = self.request.headers.get("Authorization", "")
            address = self.request.remote_ip or ""
            self.server.guard.check_instructor(authorization, self.access_token(), address)

    def access_token(self) -> str:
        """Return a token that is not in the header. A handler that allows one overrides this."""
        return ""

    def json(self) -> dict[str, Any]:
        """Return the members of the body, a JSON object.

        Raises NotJson, RequestTooLarge, MalformedJson, BadField.
        """
        check_json(self.request.headers.get("Content-Type", ""))
        if self.length > MAX_REQUEST:
            raise RequestTooLarge(f"the body is longer than {MAX_REQUEST} bytes")
        value = strict_json.parse(bytes(self.body))
        if not isinstance(value, dict):
            raise BadField("the body is JSON, but not an object")
        return value

    def succeed(self, **data: object) -> None:
        """Answer ``{"data": {"success": true, …}}``."""
        self.finish({"data": {"success": True} | data})

    @property
    def display_name(self) -> str:
        """The name for people of the user agent that sent the request."""
        headers = self.request.headers
        return user_agent_name(headers.get("User-Agent", ""), headers.get("Sec-CH-UA", ""))

    @property
    def browser(self) -> str:
        """The kind of the user agent. A virtual one may have a display name of its own."""
        virtual = self.request.headers.get("User-Agent", "").startswith("pushlab-virtual")
        return "Virtual" if virtual else self.display_name

    def record(self, **detail: str | int) -> None:
        """Write this request into the journal, unless that is done already."""
        if not self._is_recorded:
            self._is_recorded = True
            what = f"{self.request.method} {self.request.path}"
            source, target = Party.USER_AGENT, Party.APPLICATION_SERVER
            names = self.display_name, self.label
            self.server.journal.record(source, target, what, *names, **detail)

    def record_error(self, error: PushlabError) -> None:
        """Write a refused request into the journal."""
        if self.recorded and not isinstance(error, MethodNotAllowed | UnknownMethod):
            self.record(status=self.get_status(), error=error.code)


class UnknownHandler(UnknownPathHandler, Handler):
    """Answer 404 with the headers of this server."""
