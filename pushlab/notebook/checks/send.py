"""Checks of lesson 05: the headers of a message, what to do after a response, and a send."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.error import HTTPError

from pushlab.errors import NotYet
from pushlab.notebook.checks import core
from pushlab.notebook.checks.guard import check

TOKENS = ("vapid t=bGVz.c29u.LjA1, k=BAcD", "vapid t=b25l.bW9y.ZQ, k=BEfG")
"""Values of an Authorization header. A sender passes them on and does not look inside."""

ANSWERS = {
    ("done", None): (201, 200, 202),
    ("remove", None): (404, 410),
    ("retry", "120"): (429, 503),
    ("retry", None): (429, 500, 502, 504),
    ("fix", None): (400, 401, 403, 413, 302, 405),
}
HINTS = {
    "done": "From 200 to 299 the push service has the message; 201 is only the usual one",
    "remove": "This endpoint never works again: who keeps it posts to nobody for years",
    "retry": "Retry-After says how long to wait; whether to try again the status says",
    "fix": "The same request gets the same answer the next time, and the subscription is alive",
}
KEEP = (
    "The fault is the sender's, and every subscriber gets the same answer: "
    "whoever removes upon it removes them all"
)

QUERY = "?token=BQYA%2fw%3d"
"""Windows' endpoints end in a query. Without it, the URL is another endpoint."""


@check
def headers(yours: Callable[[int, str, str | None, str], dict[str, str]]) -> core.Right:
    """Check ``headers(ttl, urgency, topic, authorization) -> dict[str, str]``. RFC 8030 §5."""
    for ttl, urgency, topic, token in (
        (60, "high", None, TOKENS[0]),
        (0, "very-low", "lunch-today", TOKENS[1]),
    ):
        given = yours(ttl, urgency, topic, token)
        core.type_is("headers()", given, dict)
        found = {str(name).lower(): value for name, value in given.items()}
        _header(found, "TTL", str(ttl), "RFC 8030 §5.2")
        _header(found, "Urgency", urgency, "RFC 8030 §5.3")
        if topic is not None:
            _header(found, "Topic", topic, "RFC 8030 §5.4")
        elif "topic" in found:
            raise NotYet("Topic (RFC 8030 §5.4) is there, and none was asked for: leave it out")
        _header(found, "Authorization", token, "RFC 8292 §3", {
            "WebPush was the scheme of an old draft.": f"WebPush {token}",
            "WebPush was the scheme of an old draft, and t and k had no names then.":
                f"WebPush {token.removeprefix('vapid t=').split(',')[0]}",
            "The scheme is there twice: the argument is the whole value.": f"vapid {token}",
        })  # fmt: skip
        _header(found, "Content-Encoding", "aes128gcm", "RFC 8291 §4", {
            "That is the coding of an old draft, which had two more headers.": "aesgcm",
        })  # fmt: skip
        _header(found, "Content-Type", "application/octet-stream", "RFC 9110 §8.3", {
            "That is what some clients write when they are told nothing; this is not a form.":
                "application/x-www-form-urlencoded",
        })  # fmt: skip
        if len(found) > 5 + (topic is not None):
            raise NotYet(f"There are {len(found)} headers, and only those of the table are wanted")
    return core.Right("The headers are right, with a topic and without one.")


@check
def what_next(yours: Callable[[int, str | None], str]) -> core.Right:
    """Check ``what_next(status, retry_after) -> str``. RFC 8030 §5, §7.3, §8.4."""
    cases = [
        (f"what_next({status}, {retry_after!r})", (status, retry_after), right)
        for (right, retry_after), statuses in ANSWERS.items()
        for status in statuses
    ]

    def hint(number: int, word: str) -> str:
        right = cases[number][2]
        return KEEP if (right, word) == ("fix", "remove") else HINTS[right]

    core.words_are(yours, cases, HINTS, hint)
    return core.Right(f"All {len(cases)} answers lead where they should.")


@check
def send(yours: Callable[[str, dict[str, str], bytes], int]) -> core.Right:
    """Check ``send(url, headers, body) -> int`` against a small server. RFC 8030 §5, §8."""
    with _server() as (origin, arrived):
        for status in (201, 410, 403, 302, 307):
            body = bytes(range(256)) + status.to_bytes(2, "big")
            wanted = {"Authorization": TOKENS[0], "TTL": str(status)}
            wanted |= {"Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}
            arrived.clear()
            try:
                given = yours(f"{origin}/{status}/lesson{QUERY}", dict(wanted), body)
            except NotYet as told:
                if not isinstance(answer := told.__cause__, HTTPError):
                    raise
                answer.close()
                raise NotYet(
                    f"The server answered {status}, and send() raised HTTPError {answer.code}: "
                    "urllib raises it, and it is an answer all the same"
                ) from None
            _arrived(arrived, status, wanted, body)
            core.value_is(f"The result for an answer {status}", given, status)
    return core.Right("Five answers came back as they were, and no redirect was followed.")


# --- helpers -------------------------------------------------------------------------------------


def _header(
    found: dict, name: str, right: str, rfc: str, mistakes: dict[str, str] | None = None
) -> None:
    if name.lower() not in found:
        raise NotYet(f"{name} ({rfc}) is missing")
    core.text_is(name, found[name.lower()], right, mistakes=mistakes, rfc=rfc)


class Arrived(NamedTuple):
    """A request as the server got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        # The path is the end of an endpoint, and a header holds a token.
        return f"<Arrived {self.method} /… {len(self.body)} bytes>"


def _arrived(arrived: list[Arrived], status: int, wanted: dict[str, str], body: bytes) -> None:
    """Compare the request that arrived with the arguments of send()."""
    if not arrived:
        raise NotYet("No request has arrived at the server")
    first = arrived[0]
    if first.method != "POST":
        raise NotYet(f"The method (RFC 8030 §5) should be POST, and {first.method} arrived")
    if first.path + QUERY == f"/{status}/lesson{QUERY}":
        raise NotYet("The URL has lost its query, which is part of the endpoint")
    core.text_is("The path", first.path, f"/{status}/lesson{QUERY}")
    core.bytes_are("The body", first.body, body)
    for name, value in wanted.items():
        if name.lower() not in first.headers:
            raise NotYet(f"The header {name} has not arrived")
        core.text_is(f"The header {name}", first.headers[name.lower()], value)
    if len(arrived) > 1 and 300 <= status < 400:
        raise NotYet(
            f"The server answered {status}, and a second request, a {arrived[1].method}, went "
            "where Location points. An endpoint comes from a stranger: do not follow"
        )
    if len(arrived) > 1:
        raise NotYet(f"One message was asked for, and {len(arrived)} requests have arrived")


@contextmanager
def _server() -> Iterator[tuple[str, list[Arrived]]]:
    """Run a server on this machine that responds with the status in the path and keeps requests."""
    arrived: list[Arrived] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            arrived.append(Arrived(self.command, self.path, headers, body))
            status = int(self.path.split("/")[1])
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/201/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_PUT = do_POST  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Write no log: it would appear in the notebook."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", arrived
        finally:
            server.shutdown()
