"""Planned answers: what the next messages get in place of 201, for whoever tests a sender.

What does a sender do at a 429, a 503, or a redirect? Its test plans that answer, sends, and looks. A
planned answer stands for 201 alone: a message that this service would refuse is refused as ever, and
the plan waits for the next one. So a plan never hides a fault of the sender.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pushlab.errors import BadField, TooManyRequests

MAX_PLANS = 1000
"""Plans that wait, for all endpoints together."""

MAX_TIMES = 1_000_000
"""Messages that one plan may be for."""

STATUSES = range(200, 600)
"""Statuses of a final response, RFC 9110 §15."""

BODILESS = (204, 304)
"""Statuses whose response has no body, RFC 9110 §6.4.1."""

ANY = ""
"""Stands for the endpoints of all subscriptions: no token is empty."""

_NAME, _VALUE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"), re.compile(r"[\t -~]*")
_OURS = {"connection", "content-length", "keep-alive", "trailer", "transfer-encoding", "upgrade"}
"""Headers that say how this connection goes on, or where the body ends: the server's own affair."""


@dataclass(frozen=True)
class PlannedAnswer:
    """One answer. ``accepts`` says whether the message is delivered: the status is a success."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Raise BadField for what no server can answer."""
        if type(self.status) is not int or self.status not in STATUSES:
            raise BadField("status is not a whole number from 200 to 599")
        if not isinstance(self.body, bytes):
            raise BadField("body is neither text nor bytes")
        if self.body and self.status in BODILESS:
            raise BadField(f"an answer {self.status} has no body (RFC 9110 §6.4.1)")
        for name, value in _members(self.headers):
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise BadField("headers has a name that is no header's (RFC 9110 §5.1)")
            if not isinstance(value, str) or not _VALUE.fullmatch(value):
                raise BadField(f"the header {name} is not text in one line of ASCII (RFC 9110 §5.5)")
            if name.lower() in _OURS:
                raise BadField(f"the server itself decides about the header {name}")

    @property
    def accepts(self) -> bool:
        return 200 <= self.status < 300


class PlannedAnswers:
    """The answers that are planned, each for a number of messages, in the order of planning.

    Those for one endpoint come before those for any.

    >>> answers = PlannedAnswers()
    >>> answers.plan(429, headers={"Retry-After": "1"}, times=2)
    >>> answers.pending, answers.next_for("token").status
    (2, 429)
    >>> answers.use("token"); answers.use("token")
    >>> answers.pending, answers.next_for("token")
    (0, None)
    """

    def __init__(self) -> None:
        self._plans: dict[str, list[tuple[PlannedAnswer, int]]] = {}

    def plan(
        self,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        body: str | bytes = b"",
        times: int = 1,
        endpoint: str | None = None,
    ) -> None:
        """Plan the answer to the next ``times`` messages to an endpoint, or to any.

        With a status of 2xx the message is delivered all the same; with another it is dropped. Raises
        BadField, TooManyRequests.
        """
        if type(times) is not int or not 1 <= times <= MAX_TIMES:
            raise BadField(f"times is not a whole number from 1 to {MAX_TIMES}")
        body = body.encode() if isinstance(body, str) else body
        answer = PlannedAnswer(status, {} if headers is None else headers, body)
        if sum(map(len, self._plans.values())) >= MAX_PLANS:
            raise TooManyRequests(f"{MAX_PLANS} answers are planned, and wait for messages")
        self._plans.setdefault(_token(endpoint), []).append((answer, times))

    def clear(self, endpoint: str | None = None) -> None:
        """Forget the plans for an endpoint, or all plans."""
        if endpoint is None:
            self._plans.clear()
        else:
            self._plans.pop(_token(endpoint), None)

    @property
    def pending(self) -> int:
        """For how many further messages answers are planned."""
        return sum(times for plans in self._plans.values() for _, times in plans)

    def next_for(self, token: str) -> PlannedAnswer | None:
        """Return the answer that is planned for the next message to this token, or None."""
        plans = self._plans.get(token) or self._plans.get(ANY)
        return plans[0][0] if plans else None

    def use(self, token: str) -> None:
        """Count that answer as given."""
        key = token if token in self._plans else ANY
        plans = self._plans[key]
        answer, times = plans[0]
        if times > 1:
            plans[0] = answer, times - 1
        elif len(plans) > 1:
            del plans[0]
        else:
            del self._plans[key]


def _token(endpoint: str | None) -> str:
    """Return the secret end of an endpoint. The same endpoint has another origin by https."""
    return ANY if endpoint is None else endpoint.rpartition("/")[2]


def _members(headers: object) -> list[tuple[object, object]]:
    if not isinstance(headers, Mapping):
        raise BadField("headers is not an object of names and texts")
    return list(headers.items())
