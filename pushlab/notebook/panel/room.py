"""The panel's part for a room: how to join, the participants, and a message to one of them.

It exists when the lab listens on a network: ``Lab(host="192.168.1.20")``. The instructor's link is
hidden until a button is pressed, because a projector may show the panel.
"""

from collections.abc import Sequence

import ipywidgets as widgets

from pushlab.appserver.participants import Participant
from pushlab.errors import PushlabError
from pushlab.lab.invitation import Invitation
from pushlab.notebook import markup
from pushlab.notebook.panel.parts import card, html, named, row

SHOW, HIDE = "Show the instructor's link", "Hide the link"


class RoomPanel:
    """The widgets of a room. ``notify`` is the button that sends to ``chosen()``."""

    def __init__(self, invitation: Invitation, notify: widgets.Button) -> None:
        self._invitation = invitation
        self._labels: dict[str, str] = {}
        self.hides_names = False
        self._link = html("instructor-link")
        self._reveal = named(widgets.Button(description=SHOW), "reveal")
        self._reveal.on_click(lambda _: self._toggle())
        self._table = html("room", markup.room([]))
        # The learner alone writes its value, and Python alone its suggestions.
        self._name = named(widgets.Combobox(placeholder="a name", continuous_update=True), "room-name")
        self._name.description = "participant"
        ways = "Each participant types this line in a terminal."
        self.box = widgets.HBox(
            [
                card(
                    markup.heading("How participants join", ways),
                    html("invitation", markup.invitation(invitation)),
                    row(self._reveal),
                    self._link,
                    flex="0 1 350px",
                ),
                card(
                    markup.heading("The room"),
                    self._table,
                    row(self._name, notify),
                    flex="1 1 420px",
                ),
            ],
            layout={"flex_flow": "row wrap"},
        )

    def paint(self, participants: Sequence[Participant]) -> None:
        """Show the participants as they are now."""
        self._table.value = markup.room(participants, hidden=self.hides_names)
        self._labels = {f"{one.name} · {one.browser or 'browser'} · {one.label}": one.label
                        for one in participants}  # fmt: skip
        # A name that is typed works all the same. A list of names would be seen on the projector.
        if self._name.options != (options := () if self.hides_names else tuple(self._labels)):
            self._name.options = options

    def chosen(self) -> str:
        """Return the label of the subscription whose participant is named in the field.

        Raises PushlabError if no participant, or more than one, has this name.
        """
        typed = self._name.value.strip()
        if not typed:
            raise PushlabError("Type a name first, or choose one")
        # A chosen suggestion is unique. A typed text is a name, which two participants may share.
        found = [label for said, label in self._labels.items() if typed == said]
        found = found or [one for said, one in self._labels.items() if typed == said.split(" · ")[0]]
        if len(found) != 1:
            many = f"{len(found)} participants are" if found else "Nobody here is"
            raise PushlabError(f"{many} called {typed!r}. Choose a suggestion")
        return found[0]

    def _toggle(self) -> None:
        hidden = not self._link.value
        self._link.value = markup.instructor_link(self._invitation) if hidden else ""
        self._reveal.description = HIDE if hidden else SHOW
