"""What every path of the application server has in common: JSON in and out, and the journal.

How a body is read and how an error leaves is in ``pushlab.server.http``. JSON is read strictly here, so that
what gets in can get out again: into an answer, a message, the journal.
"""

from pushlab.appserver.web.guard import check_json
from pushlab.errors import (
    BadField,
    InstructorOnly,
    MethodNotAllowed,
    PushlabError,
    RequestTooLarge,
)
from pushlab.journal import Party
from pushlab.protocol import strict_json
from pushlab.server.http import StreamedBody, UnknownPathHandler, user_agent_name

MAX_REQUEST = 65536
"""Bytes of a request's body: enough for 3993 bytes of notification, however they are escaped."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
"""What the page may load. Behind a proxy it shares its origin with JupyterLab, where a stray script
could run code in a kernel."""


class Handler(StreamedBody):
    """What every path has in common."""

    body_limit = MAX_REQUEST
    recorded = False
    """Whether the journal holds these requests."""
    instructor_only = False
    """Whether this asks for the instructor's token, where there is one."""

    def initialize(self, server) -> None:
        # The ApplicationServer. It knows its routes, so they do not import it.
        self.server = server
        self._is_recorded = False

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Security-Policy", POLICY)

    def prepare(self) -> None:
        super().prepare()
        self.server.guard.check(self.request.method, self.request.headers)
        if self.instructor_only:
            authorization = self.request.headers.get("Authorization", "")
            self.server.guard.check_instructor(authorization, self.access_token())

    def access_token(self) -> str:
        """Return a token that stands elsewhere than in the header, where that is allowed."""
        return ""

    def json(self) -> dict:
        """Return the body, a JSON object.

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
        """A short name of the user agent that asks."""
        headers = self.request.headers
        return user_agent_name(headers.get("User-Agent", ""), headers.get("Sec-CH-UA", ""))

    @property
    def browser(self) -> str:
        """What kind of user agent asks. A virtual one may have a name of its own."""
        virtual = self.request.headers.get("User-Agent", "").startswith("pushlab-virtual")
        return "Virtual" if virtual else self.display_name

    def record(self, **detail: str | int) -> None:
        """Write this request into the journal, once."""
        if not self._is_recorded:
            self._is_recorded = True
            what = f"{self.request.method} {self.request.path}"
            self.server.journal.record(
                Party.USER_AGENT, Party.APPLICATION_SERVER, what, self.display_name, **detail
            )

    def record_error(self, error: PushlabError) -> None:
        if isinstance(error, InstructorOnly):
            self.set_header("WWW-Authenticate", "Bearer")  # RFC 6750 §3
        if self.recorded and not isinstance(error, MethodNotAllowed):
            self.record(status=self.get_status(), error=error.code)


class UnknownHandler(UnknownPathHandler, Handler):
    """Answer 404 with the headers that every answer of this server has."""
