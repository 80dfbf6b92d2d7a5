"""Host names that no push service on the internet can have: those that are reserved.

Such an endpoint is no trouble that passes. Chromium writes ``permanently-removed.invalid`` where a
registration is gone, and the others come from examples and tests that were copied.
"""

from typing import NamedTuple

REMOVED = "invalid"
"""The end of names that never resolve, by definition (RFC 6761 §6.4)."""


class Reserved(NamedTuple):
    """Why a name leads nowhere: ``what`` it is for, and the RFC that reserves it."""

    what: str
    rfc: str


RESERVED: dict[str, Reserved] = {
    REMOVED: Reserved("a name that never resolves", "RFC 6761 §6.4"),
    "test": Reserved("a name for tests", "RFC 6761 §6.2"),
    "example": Reserved("a name for examples", "RFC 6761 §6.5"),
    "example.com": Reserved("a name for examples", "RFC 2606 §3"),
    "example.net": Reserved("a name for examples", "RFC 2606 §3"),
    "example.org": Reserved("a name for examples", "RFC 2606 §3"),
    "alt": Reserved("a name outside the DNS", "RFC 9476 §2"),
    "onion": Reserved("a name of the Tor network", "RFC 7686 §2"),
}
"""Reserved names, by how they end. Those of local networks are not here: they may resolve."""


def reserved(host: str) -> Reserved | None:
    """Return why a host can be no push service's, or None if it may be one's.

    >>> reserved("permanently-removed.invalid").rfc
    'RFC 6761 §6.4'
    >>> reserved("updates.push.services.mozilla.com"), reserved("invalid.net")
    (None, None)
    """
    labels = host.rstrip(".").lower().split(".")
    return RESERVED.get(labels[-1]) or RESERVED.get(".".join(labels[-2:]))


LOCAL = (
    "local", "localhost", "internal", "home.arpa",
    "corp", "home", "lan", "localdomain", "mail",
)  # fmt: skip
"""Ends of names in local networks: RFC 6761, 6762, 8375, and what ICANN gives to nobody."""

SPECIAL_USE = frozenset(LOCAL) | {end for end in RESERVED if "." not in end}
"""Ends of names that lead nowhere on the internet."""


def is_local(host: str) -> bool:
    """Say whether a name can only lead to a machine of a local network (RFC 6762, RFC 8375).

    >>> is_local("raspberrypi.local"), is_local("push.example.net")
    (True, False)
    """
    name = host.rstrip(".").lower()
    return ":" not in name and ("." not in name or name.endswith(tuple(f".{end}" for end in LOCAL)))


def is_removed(host: str) -> bool:
    """Say whether a browser has put this name in place of an endpoint that is gone.

    >>> is_removed("permanently-removed.invalid"), is_removed("push.example.net")
    (True, False)
    """
    return host.rstrip(".").lower().split(".")[-1] == REMOVED
