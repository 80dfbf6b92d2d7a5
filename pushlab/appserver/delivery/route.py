"""A detour that is told: the lab's own subscriptions at a vendor's host, sent to the lab instead.

A Chromium that uses the lab's push service still makes endpoints at its vendor's host: no switch
changes that. So their messages are carried to the lab, by this one rule and in the open:

    https://jmt17.google.com/fcm/send/pushlab-…   ──▶   127.0.0.1, at the lab's port

Only the address changes. The URL, the Host header, the token's ``aud`` and the name in the checked
certificate stay the vendor's, as they would be outside; the lab's certificate authority is believed
for this alone. An endpoint of the same host without the lab's mark goes to the vendor, as always.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Route:
    """Carry what is for the lab's subscriptions at ``host`` to ``port`` of this machine.

    ``mark``: how the last part of the lab's endpoints begins; ``authority``: the certificates that
    are believed there, PEM; ``address``: where the lab listens.

    >>> route = Route("push.example.net", "pushlab-", 40443, "-----BEGIN CERTIFICATE-----…")
    >>> print(route)
    https://push.example.net/…/pushlab-… → 127.0.0.1:40443
    >>> route.fits("https://push.example.net/wp/pushlab-JzLQ3raZ")
    True
    >>> route.fits("https://push.example.net/wp/JzLQ3raZ")
    False
    """

    host: str
    mark: str
    port: int
    authority: str = field(repr=False)
    address: str = "127.0.0.1"

    def fits(self, url: str) -> bool:
        """Say whether a URL is for the lab."""
        if self.host not in url:
            return False  # Most are not, and a notify-all asks for each.
        parts = urlsplit(url)
        there = (parts.scheme, parts.netloc) in (
            ("https", self.host),
            ("https", f"{self.host}:443"),
        )
        return there and parts.path.rsplit("/", 1)[-1].startswith(self.mark)

    @property
    def connect_to(self) -> str:
        """The rule as libcurl writes it: CURLOPT_CONNECT_TO."""
        return f"{self.host}:443:{self.address}:{self.port}"

    def __str__(self) -> str:
        return f"https://{self.host}/…/{self.mark}… → {self.address}:{self.port}"


def route_of(url: str, routes: Sequence[Route]) -> Route | None:
    """Return the route that a request takes, or None if it goes where its URL says."""
    for route in routes:
        if route.fits(url):
            return route
    return None
