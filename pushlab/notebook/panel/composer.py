"""The panel's form for a message and its options. It judges what is typed, beside each field.

Only the learner writes into the fields. The texts beside them are updated by the events of the fields.
"""

import re
from collections.abc import Callable

import ipywidgets as widgets

from pushlab.appserver.notification import DEFAULT_TITLE, Notification
from pushlab.errors import BadTtl, PushlabError
from pushlab.notebook import markup
from pushlab.notebook.panel.parts import html, named, row
from pushlab.protocol.delivery import DEFAULT_TTL, PushOptions, Urgency
from pushlab.text import show


class Composer:
    """Title, body, TTL, Urgency and Topic of the next message."""

    def __init__(self) -> None:
        self.title = _field("title", placeholder=DEFAULT_TITLE)
        self.body = _field("body", placeholder="ID: <n>")
        self.ttl = _field("ttl", description="TTL, seconds", value=str(DEFAULT_TTL))
        self.ttl.placeholder = str(DEFAULT_TTL)
        self.urgency = named(widgets.Dropdown(options=[str(level) for level in Urgency]), "urgency")
        self.urgency.description, self.urgency.value = "urgency", str(Urgency.NORMAL)
        self.urgency.layout.width = "auto"
        self.topic = _field("topic", placeholder="none")
        self.counter, self.ttl_fault, self.topic_fault = map(
            html, ("counter", "ttl-fault", "topic-fault")
        )
        for field in (self.title, self.body):
            field.observe(lambda change: self._count(), "value")
        _judge(self.ttl, self.ttl_fault, self._ttl)
        _judge(self.topic, self.topic_fault, lambda: PushOptions(topic=self.topic.value or None))
        self._count()
        self.rows = [
            self.title,
            self.body,
            self.counter,
            row(self.ttl, self.ttl_fault),
            self.urgency,
            row(self.topic, self.topic_fault),
        ]

    def message(self) -> tuple[str | None, str | None, PushOptions]:
        """Return title and body, each None if it is empty, and the options.

        Raises BadTtl, BadUrgency, BadTopic.
        """
        options = PushOptions(self._ttl(), Urgency(self.urgency.value), self.topic.value or None)
        return self.title.value or None, self.body.value or None, options

    def _ttl(self) -> int:
        """Return the TTL in the field, in seconds. Raises BadTtl."""
        typed = self.ttl.value.strip() or str(DEFAULT_TTL)
        if not re.fullmatch("-?[0-9]{1,20}", typed):
            raise BadTtl(f"ttl is {show(typed, limit=20)!r}, not a whole number")
        return PushOptions(int(typed)).ttl

    def _count(self) -> None:
        try:
            said = Notification.numbered(1, self.title.value or None, self.body.value or None)
            self.counter.value = markup.bytes_left(len(said.payload()))
        except PushlabError as error:
            self.counter.value = markup.invalid(error)


def _field(name: str, **facts: str) -> widgets.Text:
    facts = {"description": name} | facts
    return named(widgets.Text(**facts, layout={"width": "auto"}), name)


def _judge(field: widgets.Text, beside: widgets.HTML, read: Callable[[], object]) -> None:
    """Say beside a field, at each change, why ``read`` refuses what is typed into it."""

    def judge(change: object) -> None:
        try:
            read()
            beside.value = ""
        except PushlabError as error:
            beside.value = markup.invalid(error)

    field.observe(judge, "value")
