"""The panel's form for a message and its options. It counts the message's bytes as you type.

Only the learner writes into the fields. The counter is updated by the events of the fields.
"""

import ipywidgets as widgets

from pushlab.appserver.notification import DEFAULT_TITLE, Notification
from pushlab.errors import PushlabError
from pushlab.notebook import markup
from pushlab.notebook.panel.parts import html, named, row
from pushlab.protocol.delivery import PushOptions, Urgency

MAX_TTL = 4 * 7 * 24 * 3600  # Four weeks: no push service keeps a message longer.


class Composer:
    """Title, body, TTL, Urgency and Topic of the next message."""

    def __init__(self) -> None:
        self.title = _field(widgets.Text, "title", placeholder=DEFAULT_TITLE)
        self.body = _field(widgets.Text, "body", placeholder="ID: <n>")
        self.ttl = _field(widgets.BoundedIntText, "ttl", value=10000, min=0, max=MAX_TTL)
        levels = [str(level) for level in Urgency]
        self.urgency = _field(widgets.Dropdown, "urgency", options=levels, value="normal")
        self.topic = _field(widgets.Text, "topic", placeholder="none")
        self.counter = html("counter")
        for field in (self.title, self.body):
            field.observe(lambda change: self._count(), "value")
        self._count()
        self.rows = [self.title, self.body, self.counter, row(self.ttl, self.urgency, self.topic)]

    def message(self) -> tuple[str | None, str | None, PushOptions]:
        """Return title and body, each None if it is empty, and the options.

        Raises BadTtl, BadUrgency, BadTopic.
        """
        options = PushOptions(self.ttl.value, Urgency(self.urgency.value), self.topic.value or None)
        return self.title.value or None, self.body.value or None, options

    def _count(self) -> None:
        try:
            said = Notification.numbered(1, self.title.value or None, self.body.value or None)
            self.counter.value = markup.bytes_left(len(said.payload()))
        except PushlabError as error:
            self.counter.value = markup.unsendable(error)


def _field(kind: type[widgets.Widget], name: str, **facts: object) -> widgets.Widget:
    facts = {"description": name, "layout": {"width": "auto"}} | facts
    return named(kind(**facts), name)
