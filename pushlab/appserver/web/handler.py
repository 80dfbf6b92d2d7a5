"""What every path of the application server has in common: JSON in and out, and the journal.

How a body is read and how an error leaves is in ``pushlab.server.http``. JSON is read strictly here, so that
what gets in can get out again: into an answer, a message, the journal.
"""

import json
import math

from pushlab.appserver.web.guard import check_json
from pushlab.errors import (
    BadField,
    InstructorOnly,
    MalformedJson,
    MethodNotAllowed,
    PushlabError,
    RequestTooLarge,
)
from pushlab.journal import Party
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
        return parse_object(bytes(self.body))

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


def parse_object(body: bytes) -> dict:
    """Read a JSON object, strictly.

    Raises MalformedJson for what is no JSON, and for what JSON's authors advise against because
    readers differ on it: a name twice, a number out of range, half a surrogate pair. Raises
    BadField for JSON that is not an object. Source: RFC 8259 §4, §6, §8.

    >>> parse_object(b'{"ttl": 60}')
    {'ttl': 60}
    >>> parse_object(b'{"ttl": 60, "ttl": 0}')
    Traceback (most recent call last):
    pushlab.errors.MalformedJson: a name is there twice (RFC 8259). Fault: client. Send UTF-8 JSON text, made with JSON.stringify or json.dumps.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_finite,
        )
        # What was read must be fit to be written: into an answer, a message, the journal.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise MalformedJson("the body is not UTF-8, or has half a surrogate pair") from None
    except json.JSONDecodeError as reason:
        raise MalformedJson(f"{reason.msg.lower()} at character {reason.pos + 1}") from None
    except ValueError as reason:
        raise MalformedJson(str(reason)) from None
    except RecursionError:
        raise MalformedJson("the body is nested too deeply") from None
    if not isinstance(value, dict):
        raise BadField("the body is JSON, but not an object")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name is there twice")
    return members


def _whole(text: str) -> int:
    # Python refuses thousands of digits in its own words, and JavaScript keeps 17 of them.
    if len(text) > 100:
        raise ValueError("a number is out of range")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number
