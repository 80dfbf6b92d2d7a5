"""The panel's list of who can get the next message of Notify me."""

from collections.abc import Sequence

from pushlab.appserver.store import StoredSubscription
from pushlab.notebook import markup
from pushlab.notebook.panel.choice import Choice


class Recipient(Choice):
    """The subscription that the next message goes to.

    ``ours_alone``: only those of the lab's own browsers are listed, as in a room, where nobody is to
    send to a participant by mistake.
    """

    def __init__(self, *, ours_alone: bool) -> None:
        super().__init__("recipient", "to", "nobody is subscribed")
        self.widget.layout.flex = "1 1 230px"
        self._ours_alone = ours_alone
        self._endpoints: dict[str, str] = {}
        self._followed = ""

    @property
    def endpoint(self) -> str | None:
        """The endpoint of the chosen subscription, or None if there is none."""
        with self._lock:
            return self._endpoints.get(self.chosen)

    def offer_subscriptions(
        self, ours: Sequence[StoredSubscription], newest: Sequence[StoredSubscription]
    ) -> None:
        """List those of the lab's own browsers, and then the ``newest`` of the others.

        Both are given oldest first, and listed newest first.
        """
        others = [] if self._ours_alone else [one for one in reversed(newest) if one not in ours]
        offered = [(one, True) for one in reversed(ours)] + [(one, False) for one in others]
        entries = [
            (markup.subscriber(one, ours=is_own), one.subscription.label) for one, is_own in offered
        ]
        with self._lock:
            self._endpoints = {one.subscription.label: one.subscription.endpoint for one, _ in offered}
            self.offer(entries)

    def follow(self, label: str) -> None:
        """Choose the subscription of the browser that is chosen, if that is another than before."""
        if label != self._followed:
            self._followed = label
            self.choose(label)
