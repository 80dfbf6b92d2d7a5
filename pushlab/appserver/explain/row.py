"""What one line of an explanation holds. The tables are ``outcome``, ``no_answer``, ``vendors``."""

from typing import Literal, NamedTuple

Kind = Literal["accepted", "gone", "retry", "refused", "failed"]

APPLICATION_SERVER, PUSH_SERVICE, USER_AGENT = "application server", "push service", "user agent"
NETWORK, MACHINE = "network", "this machine"


class Row(NamedTuple):
    """What happened, whose fault it is, where it is written, and what to do next."""

    kind: Kind
    what: str
    fault: str
    rfc: str
    next: str
