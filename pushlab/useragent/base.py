"""What every user agent offers, whether it is a real browser or a few hundred lines of Python.

A lesson, a test or the panel calls ``await user_agent.subscribe()`` and need not know which user agent
that is. The methods are the buttons of the client page: in a real browser the mouse clicks them; the
virtual user agent does what the page would do.
"""

from dataclasses import dataclass, field
from typing import Protocol

NOTIFICATION_SECONDS = 60
"""How long to wait for a notification if the caller gives no timeout (times PUSHLAB_PATIENCE)."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification, as the user agent itself reports what it shows (Notifications API §3).

    ``tag`` is empty when none was given; ``data`` is any JSON value.

    >>> Notification("Hello, Notifications!", "ID: 7")
    Notification(title='Hello, Notifications!', body='ID: 7', tag='', data=None)
    """

    title: str
    body: str = ""
    tag: str = ""
    data: object = field(default=None, hash=False)

    def matches(self, body: str | None = None, title: str | None = None) -> bool:
        """Say whether it has this body and this title; None stands for any."""
        return body in (None, self.body) and title in (None, self.title)


class UserAgent(Protocol):
    """A user agent that uses the lab's push service and has the client page open.

    A method that fails raises BrowserFailed, or TimedOut if what it waits for does not come in time.
    """

    name: str
    """The label of this user agent in the journal, such as ``"Firefox"``."""

    async def start(self) -> None:
        """Start, and be ready for a page. A closed user agent may be started again."""

    async def close(self) -> None:
        """End every process and connection, and delete the profile unless one was given."""

    async def open(self, page_url: str) -> None:
        """Open the client page and wait until it shows its state."""

    async def endpoint(self) -> str | None:
        """Return the endpoint of the subscription, or None if there is none."""

    async def state(self) -> str:
        """Return ``unsupported``, ``unregistered``, ``registered``, ``subscribed`` or ``denied``."""

    async def register(self) -> None:
        """Register the service worker."""

    async def unregister(self) -> None:
        """Unregister the service worker; its subscription ends with it."""

    async def subscribe(self) -> None:
        """Subscribe to push and hand the subscription to the application server."""

    async def unsubscribe(self) -> None:
        """Unsubscribe from push and tell the application server."""

    async def notify_me(self) -> None:
        """Ask the application server for one message to this user agent."""

    async def notify_all(self) -> None:
        """Ask the application server for one message to every subscriber."""

    async def notifications(self) -> list[Notification]:
        """Return the notifications that are shown now, in the user agent's order, not always by time.

        Firefox removes a notification after 20 seconds.
        """

    async def wait_for_notification(
        self, body: str | None = None, title: str | None = None, timeout: float | None = None
    ) -> Notification:
        """Wait at most ``timeout`` seconds for a shown notification with this body and title.

        Without ``timeout`` it waits as long as a slow machine may need.
        """

    async def screenshot(self) -> bytes:
        """Return a PNG of the page."""
