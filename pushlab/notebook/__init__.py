"""The lab for a notebook: the same lab, with a panel of buttons and with pictures."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription
from pushlab.classroom.membership import MEMBERSHIP, Joined
from pushlab.doctor import Report, Source, examine
from pushlab.lab.browser import LabBrowser
from pushlab.lab.runtime import LabRuntime
from pushlab.notebook.checks import guard
from pushlab.notebook.pictures.sequence import narrate, sequence
from pushlab.notebook.pictures.svg import Svg
from pushlab.protocol.subscription import PushSubscription
from pushlab.reader import advice

if TYPE_CHECKING:
    from pushlab.notebook.panel.panel import Panel

guard.listeners.append(MEMBERSHIP.attempted)


class Lab(LabRuntime):
    """Start the three parties, and show what they do. ``LabRuntime`` explains the arguments.

    >>> with Lab(port=0, push_port=0, data="/tmp/lab") as lab:     # doctest: +SKIP
    ...     lab
    The lab runs: a push service, an application server, and a journal of what happens.
    """

    _panel: "Panel | None" = None

    def __repr__(self) -> str:
        # No port and no address: a notebook's output must be the same on every machine.
        if not self.running:
            why = f": {self.why_stopped}" if self.why_stopped else ""
            return f"The lab has stopped{why}. {advice(self.stopped().hint)}."
        runs = "The lab runs: a push service, an application server, and a journal of what happens."
        return f"{runs} {self.my_class or ''}".strip()

    def _start(self, undo: ExitStack) -> None:
        super()._start(undo)
        undo.callback(MEMBERSHIP.follow(self, self.data))

    def join_class(self, url: str, *, name: str, cafile: str | Path | None = None) -> Joined:
        """Join the class at the page of an instructor's room, so that the instructor can help.

        From then on each check that you run, in every lesson, sends your name, the lesson and the
        exercise, whether it passed or the step at which it differs, the number of attempts and the
        time. It never sends your code or your output, and no check waits for it. The instructor may
        send push messages to your lab's browsers. ``leave_class()`` ends this. ``cafile`` is a file with
        the certificate of an https page that this machine does not trust, or with its issuer's.

        Raises BadArgument, UnusableFolder, and FetchFailed if there is no class.
        """
        return MEMBERSHIP.join(url, name, cafile)

    @property
    def my_class(self) -> Joined | None:
        """The class that you have joined, or None. ``my_class.rows()`` is all that is kept of you."""
        return MEMBERSHIP.joined

    def leave_class(self) -> None:
        """Leave the class: send nothing any more, and delete what the instructor's machine has of you.

        Raises FetchFailed if that machine cannot be reached. Nothing is sent all the same.
        """
        MEMBERSHIP.leave()

    @property
    def browsers(self) -> list[LabBrowser]:
        """The browsers that are open, the newest last."""
        return self._browsers.all()

    def panel(self) -> "Panel":
        """Return the lab's panel. Shown twice, it is the same panel in two places."""
        if self._panel is None:
            from pushlab.notebook.panel.panel import Panel  # ipywidgets costs a quarter of a second.

            self._panel = Panel(self)
        return self._panel

    def diagram(self, after: int = 0, title: str | None = None) -> Svg:
        """Draw what happened after event number ``after``: which party sent what to which."""
        events = self.journal.events(after)
        return Svg(sequence(events, title), narrate(events))

    def doctor(
        self,
        subscription: StoredSubscription | PushSubscription | Source = None,
        *,
        keys: VapidKeys | str | Path | None = None,
        claims: Source = None,
        options: Source = None,
    ) -> Report:
        """Examine this lab, its environment and the arguments; return every fault, with its fix.

        ``keys`` are this lab's if none are given. Of a room it examines the address, and not the page.
        Raises OSError if a file cannot be read.
        """
        in_room = self.invitation is not None
        if isinstance(subscription, StoredSubscription):
            made_for = {"applicationServerKey": subscription.application_server_key}
            subscription = subscription.subscription.to_json() | made_for
        elif isinstance(subscription, PushSubscription):
            subscription = subscription.to_json()
        return examine(
            subscription=subscription,
            keys=Path(keys) if isinstance(keys, str) else keys,
            claims=claims,
            options=options,
            page="" if in_room else self.application_server.url,
            host=self._host if in_room else "",
            data=self.data,
            port=self.application_server.port,
            stored=[one.application_server_key for one in self.subscriptions()] if self.running else (),
        )

    def stop(self) -> None:
        """Close the browsers and the servers, and tell the panel."""
        try:
            if self._panel is not None:
                self._panel.stop()
        finally:
            super().stop()
