"""The participant's requests to the instructor's server, of which nothing is trusted (see ``fetch``)."""

import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pushlab import files, settings
from pushlab.classroom.records import MAX_BODY, MAX_TITLE, NewParticipant, Nudge
from pushlab.errors import BadArgument, FetchFailed, MalformedJson
from pushlab.fetch import Reply, fetch, tls_trusting
from pushlab.lab import network
from pushlab.protocol import strict_json
from pushlab.text import one_line, show

SECONDS = 10
"""How long the instructor's machine may take to answer (times PUSHLAB_PATIENCE)."""

WAIT_SECONDS = 35
"""The same for a request that waits for a nudge: longer than the server waits."""


class Refused(FetchFailed):
    """The instructor's server has answered with an error. ``status``: of the answer."""

    def __init__(self, detail: str, status: int) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True)
class ClassClient:
    """The class at the page of a room. ``url``: of the page; ``secret``: of one participant.

    ``cafile``: a file with the only certificates that are trusted, or "" for those of this machine.

    >>> ClassClient("http://192.168.1.20:8292/")
    ClassClient(url='http://192.168.1.20:8292/')
    """

    url: str
    secret: str = field(default="", repr=False)
    cafile: str = field(default="", repr=False)

    def join(self, name: str) -> NewParticipant:
        """Become a participant. Raises FetchFailed, Refused."""
        data = self._ask("join", {"name": name})
        number, shown, secret = (data.get(key) for key in ("number", "name", "secret"))
        if type(number) is not int or not isinstance(shown, str) or not isinstance(secret, str):
            raise FetchFailed("it is no class that answers there")
        return NewParticipant(number, one_line(shown), secret)

    def send(self, attempts: list[dict[str, Any]]) -> None:
        """Report attempts. Raises FetchFailed, Refused."""
        self._ask("attempts", {"attempts": attempts})

    def mine(self) -> dict[str, Any]:
        """Return all that the instructor's machine keeps of this participant."""
        return self._ask("mine")

    def leave(self) -> None:
        """Delete all that the instructor's machine keeps of this participant."""
        self._ask("leave", {})

    def next_nudge(self, after: int) -> Nudge | None:
        """Wait for a nudge with a higher number, up to half a minute; None if none comes.

        Raises FetchFailed, also for an answer that is no nudge.
        """
        nudge = self._ask(f"nudges?after={after}", seconds=WAIT_SECONDS).get("nudge")
        if nudge is None:
            return None
        if not isinstance(nudge, dict):
            raise FetchFailed("a nudge is not an object")
        number, title, body = (nudge.get(key) for key in Nudge._fields)
        if type(number) is not int or not isinstance(title, str) or not isinstance(body, str):
            raise FetchFailed("a nudge has members of another type")
        return Nudge(number, one_line(title)[:MAX_TITLE], one_line(body)[:MAX_BODY])

    def tell_outcome(self, nudge: Nudge, outcome: str) -> None:
        """Say what became of a nudge."""
        self._ask("nudges", {"number": nudge.number, "outcome": outcome})

    def _ask(self, route: str, value: object = None, seconds: float = SECONDS) -> dict[str, Any]:
        """GET a route of the class, or POST JSON there; return the data of the answer."""
        headers = {"Content-Type": "application/json"} if value is not None else {}
        if self.secret:
            headers["Authorization"] = f"Bearer {self.secret}"
        reply = fetch(
            f"{self.url.rstrip('/')}/class/{route}",
            seconds=settings.patience(seconds),
            direct=network.is_near(network.host_of(self.url) or ""),
            headers=headers,
            body=None if value is None else json.dumps(value).encode(),
            tls=self._trusted(),
        )
        return _data(reply)

    def _trusted(self) -> ssl.SSLContext | None:
        if not self.cafile:
            return None
        try:
            return tls_trusting(files.read(Path(self.cafile)))
        except (OSError, BadArgument) as reason:
            said = reason.detail if isinstance(reason, BadArgument) else reason.strerror
            raise FetchFailed(f"cafile cannot be used: {said}") from None


def _data(reply: Reply) -> dict[str, Any]:
    try:
        answer = strict_json.parse(reply.body)
    except MalformedJson as reason:
        answer = None
        if reply.status in (200, 201):
            raise FetchFailed(f"its answer cannot be read: {reason.detail}") from None
    found = answer if isinstance(answer, dict) else {}
    if reply.status not in (200, 201):
        error = found.get("error")
        said = error.get("message") if isinstance(error, dict) else None
        words = show(said) if isinstance(said, str) else "it has no words for that"
        raise Refused(f"it answers with status {reply.status}: {words}", reply.status)
    data = found.get("data")
    if not isinstance(data, dict):
        raise FetchFailed("its answer has no data")
    return data
