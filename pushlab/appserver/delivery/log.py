"""The journal of the messages that the application server sends.

Each method writes down one thing that happened, and does nothing else. The lab's own push service
records the requests that it gets, so a request is recorded here only if it goes to another one: an
event that both wrote down would be there twice.
"""

import logging
from collections.abc import Collection
from typing import Protocol

from pushlab.appserver.delivery.contact import ContactWarning
from pushlab.appserver.delivery.egress import ConnectOverride
from pushlab.appserver.delivery.response import NetworkFault, Response
from pushlab.appserver.explain.outcome import Outcome
from pushlab.appserver.store import StoredSubscription
from pushlab.journal import Journal, Party
from pushlab.protocol.delivery import PushOptions

outcomes = logging.getLogger("pushlab.outcomes")
"""A record of each message's outcome, at the level INFO: ``pushlab serve`` writes them into its log."""


def tell_outcome(stored: StoredSubscription, outcome: Outcome) -> None:
    """Log what has become of one message."""
    if outcomes.isEnabledFor(logging.INFO):
        name = f"{stored.display_name} {stored.subscription.label}".strip()
        outcomes.info("%s [%s] %s", outcome.kind, name, outcome.text)


class PreparedRequest(Protocol):
    """A message that a PushClient has made ready, and may send any number of times.

    ``size``: bytes of the encrypted body; ``override``: where its connection goes if not to the host
    of its URL.
    """

    @property
    def stored(self) -> StoredSubscription: ...
    @property
    def options(self) -> PushOptions: ...
    @property
    def size(self) -> int: ...
    @property
    def override(self) -> ConnectOverride | None: ...


class DeliveryLog:
    """Record in the journal how messages are sent. Without a journal, record nothing.

    ``lab_origins`` are the push services that record their own requests in the same journal. A
    ConnectOverride leads to one of them too. ``contact`` learns of the requests to all others.

    >>> journal = Journal()
    >>> DeliveryLog(journal).record("sign", aud="https://push.example.net")
    >>> print(journal.events()[0])
      1 application server: sign
    """

    def __init__(
        self,
        journal: Journal | None = None,
        lab_origins: Collection[str] = (),
        contact: ContactWarning | None = None,
    ):
        self._journal = journal
        self._lab_origins = lab_origins
        self._contact = contact

    def record(
        self, what: str, stored: StoredSubscription | None = None, **detail: str | int | float
    ) -> None:
        """Record a step that the application server takes by itself, for ``stored`` if for one."""
        if self._journal:
            server = Party.APPLICATION_SERVER
            name, label = _names(stored)
            self._journal.record(server, server, what, name, label, **detail)

    def request(self, request: PreparedRequest) -> None:
        """Record a request that is about to be sent."""
        self._warn(request)
        if request.override:
            self._override(request.override, request.stored)
        elif self._journal and not self._is_recorded_there(request):
            options = request.options
            detail: dict[str, str | int] = {
                "bytes": request.size,
                "ttl": options.ttl,
                "urgency": str(options.urgency),
            }
            if options.topic is not None:
                detail["topic"] = options.topic
            source, target = Party.APPLICATION_SERVER, Party.PUSH_SERVICE
            name, label = _names(request.stored)
            self._journal.record(source, target, "POST message", name, label, **detail)

    def response(self, request: PreparedRequest, response: Response) -> None:
        """Record what came back."""
        stored = request.stored
        if isinstance(response, NetworkFault):
            # In any case: a push service that was not reached has recorded nothing.
            self.record("no answer", stored, error=response.code)
        elif self._journal and not self._is_recorded_there(request):
            what = f"{response.status} {response.reason}".strip()[:100]
            source, target = Party.PUSH_SERVICE, Party.APPLICATION_SERVER
            self._journal.record(source, target, what, *_names(stored))

    def quiet(self) -> "DeliveryLog":
        """Return the log for the many messages of a notify-all, which would fill the journal."""
        return _QuietLog(self._journal, self._lab_origins, self._contact)

    def _warn(self, request: PreparedRequest) -> None:
        contact = self._contact
        if contact and contact.due and not self._is_recorded_there(request):
            contact.sending_to(request.stored.subscription.origin)

    def _override(self, override: ConnectOverride, stored: StoredSubscription) -> None:
        address = f"{override.address}:{override.port}"
        self.record("route", stored, host=override.host, address=address)

    def _is_recorded_there(self, request: PreparedRequest) -> bool:
        origin = request.stored.subscription.origin
        return request.override is not None or origin in self._lab_origins


def _names(stored: StoredSubscription | None) -> tuple[str, str]:
    """Return the names for an event: of the user agent, and the label."""
    return (stored.display_name, stored.subscription.label) if stored else ("", "")


class _QuietLog(DeliveryLog):
    """Record nothing but each ConnectOverride that is used, once."""

    def __init__(
        self, journal: Journal | None, lab_origins: Collection[str], contact: ContactWarning | None
    ):
        super().__init__(journal, lab_origins, contact)
        self._used: set[ConnectOverride] = set()

    def record(
        self, what: str, stored: StoredSubscription | None = None, **detail: str | int | float
    ) -> None:
        """Record nothing."""

    def request(self, request: PreparedRequest) -> None:
        """Record the request's override, if it is the first to use it."""
        self._warn(request)
        override = request.override
        if override and override not in self._used:
            self._used.add(override)
            DeliveryLog(self._journal)._override(override, request.stored)

    def response(self, request: PreparedRequest, response: Response) -> None:
        """Record nothing."""
