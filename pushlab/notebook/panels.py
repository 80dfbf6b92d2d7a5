"""The panel: the lab's buttons, and live views of what the three parties do.

Who touches which widget, and from where:

- A form field is written by the learner alone; Python only reads it.
- A display (list, result, diagram, log, screen) is written by Python alone, from threads of ours.
- A button's callback starts work and returns. What goes wrong is said in the panel, in words.

Every widget has a CSS class of its own, ``pushlab-…``: style sheets and tests find it by that.
"""

from collections.abc import Callable
from functools import partial

import ipywidgets as widgets

from pushlab import settings
from pushlab.errors import BrowserFailed, NoSubscriptions
from pushlab.journal import Party
from pushlab.labbrowser import LabBrowser, installed_browsers
from pushlab.notebook import markup
from pushlab.notebook.live import Painter, Worker
from pushlab.notebook.render import COLOURS, sequence
from pushlab.protocol.delivery import PushOptions, Urgency

DIAGRAM_ROWS = 18
MAX_TTL = 4 * 7 * 24 * 3600  # Four weeks: no push service keeps a message longer.


class Panel:
    """Show the lab ``lab`` with its buttons. ``lab.panel()`` makes it; ``stop()`` ends it."""

    def __init__(self, lab):
        self.lab = lab
        self.kinds = installed_browsers()
        self._stopped = False
        self._make_displays()
        self._make_form()
        self._make_buttons()
        self.box = self._arrange()
        self._say(f"Press “{next(iter(self.buttons.values())).description}” to begin.")
        self._worker = Worker(self._explain)
        self._views = [
            Painter(self._paint_story, self._explain),
            Painter(self._paint_screen, self._explain, pause=0.5),
        ]
        self._forget = lab.on_event(lambda event: self.refresh())
        self.refresh()

    def __repr__(self) -> str:
        return "Run this cell, and the panel appears here."

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return self.box._repr_mimebundle_() | {"text/plain": repr(self)}

    def refresh(self) -> None:
        """Show the present state soon. Any thread may ask, as often as it likes."""
        for view in self._views:
            view.touch()

    def stop(self) -> None:
        """End the threads, switch the buttons off and say so. Calling it twice is harmless."""
        if self._stopped:
            return
        self._stopped = True
        self._forget()
        self._worker.close()
        for view in self._views:
            view.close()
        self._switch(False)
        self._say("This lab has stopped. Run the cell with Lab() again, and then this one.")

    # --- what is on it ---------------------------------------------------------------------------

    def _make_displays(self) -> None:
        self.result = _html("result")
        self.subscriptions = _html("subscriptions")
        self.notifications = _html("notifications")
        self.diagram = _html("diagram")
        self.log = _html("log")
        self.screen = _named(widgets.Image(format="png"), "screen")
        head = markup.heading("The page in the lab's browser")
        self.view = _card(head, self.screen, flex="0 0 auto")
        self.view.layout.display = "none"

    def _make_form(self) -> None:
        def field(kind: type[widgets.Widget], name: str, **facts) -> widgets.Widget:
            facts = {"description": name, "layout": {"width": "auto"}} | facts
            return _named(kind(**facts), name)

        self.title = field(widgets.Text, "title", placeholder="Hello, Notifications!")
        self.body = field(widgets.Text, "body", placeholder="ID: <n>")
        self.ttl = field(widgets.BoundedIntText, "ttl", value=10000, min=0, max=MAX_TTL)
        levels = [str(level) for level in Urgency]
        self.urgency = field(widgets.Dropdown, "urgency", options=levels, value="normal")
        self.topic = field(widgets.Text, "topic", placeholder="none")
        self.headless = field(widgets.Checkbox, "headless", indent=False)
        self.headless.description = "without a window"

    def _make_buttons(self) -> None:
        agent, server = COLOURS[Party.USER_AGENT], COLOURS[Party.APPLICATION_SERVER]
        self.buttons = {
            f"open-{kind}": self._button(f"Open a {_called(kind)}", partial(self._open, kind), agent)
            for kind in self.kinds
        }
        self.buttons |= {
            "subscribe": self._button("Subscribe", self._subscribe, agent),
            "unsubscribe": self._button("Unsubscribe", self._unsubscribe),
            "close-browser": self._button("Close it", self._close),
            "notify-me": self._button("Notify me", self._notify_me, server),
            "notify-all": self._button("Notify all", self._notify_all, server),
        }
        for key, button in self.buttons.items():
            _named(button, key)

    def _button(self, label: str, action: Callable[[], str], colour: str = "") -> widgets.Button:
        button = widgets.Button(description=label)
        if colour:
            button.style.button_color, button.style.text_color = colour, "#ffffff"
        button.on_click(lambda _: self._start(label, action))
        return button

    def _arrange(self) -> widgets.VBox:
        *opening, subscribing, leaving, closing, me, everyone = self.buttons.values()
        may_choose = self.kinds != ["virtual"] and settings.has_screen()
        ways = markup.ways(self.kinds, settings.has_screen())
        first = _card(
            markup.heading("1 · Open the page", ways),
            _row(*opening, *([self.headless] if may_choose else []), closing),
            _row(subscribing, leaving),
            _html("own-browser", markup.own_browser(self.lab.page_url)),
        )
        second = _card(
            markup.heading("2 · Send a message", "An empty field sends what it shows in grey."),
            self.title,
            self.body,
            _row(self.ttl, self.urgency, self.topic),
            _row(me, everyone),
        )
        third = _card(markup.heading("Subscribed"), self.subscriptions)
        fourth = _card(markup.heading("Shown"), self.notifications)
        parts = [
            _html("head", markup.STYLE + markup.parties()),
            _row(first, second),
            self.result,
            _row(third, fourth),
            _card(markup.heading("Who said what to whom"), self.diagram, flex="0 0 auto"),
            self.view,
            _card(markup.heading("Log"), self.log, flex="0 0 auto"),
        ]
        return _named(widgets.VBox(parts), "panel")

    # --- from a click to its effect ---------------------------------------------------------------

    def _start(self, label: str, action: Callable[[], str]) -> None:
        self._switch(False)
        self._say(f"{label} …")
        self._worker.do(lambda: self._finish(action))

    def _finish(self, action: Callable[[], str]) -> None:
        try:
            self.result.value = action()
        finally:
            self._switch(not self._stopped)
            self.refresh()

    def _switch(self, on: bool) -> None:
        for button in self.buttons.values():
            button.disabled = not on

    def _say(self, said: str) -> None:
        self.result.value = markup.verdict(said, markup.BUSY)

    def _explain(self, error: Exception) -> None:
        # A lab that is stopped breaks off what it was doing: that is no news.
        if not self._stopped:
            self.result.value = markup.fault(error)

    def _without_window(self) -> bool:
        return self.headless.value or not settings.has_screen()

    def _browser(self) -> LabBrowser:
        if not self.lab.browsers:
            raise BrowserFailed("the lab has no browser open")
        return self.lab.browsers[-1]

    def _opened(self, kind: str) -> LabBrowser:
        return self.lab.open(kind, headless=self._without_window())

    def _open(self, kind: str) -> str:
        browser = self._opened(kind)
        return markup.verdict(f"{browser.name} has the client page open.", markup.DONE, markup.NEXT)

    def _subscribe(self) -> str:
        browser = self.lab.browsers[-1] if self.lab.browsers else self._opened(self.kinds[0])
        if browser.state != "subscribed":
            browser.subscribe()
        return markup.verdict(f"{browser.name} is subscribed.", markup.DONE, markup.SUBSCRIBED)

    def _unsubscribe(self) -> str:
        browser = self._browser()
        if browser.state == "subscribed":
            browser.unsubscribe()
        said = f"{browser.name} is not subscribed."
        return markup.verdict(said, markup.DONE, markup.UNSUBSCRIBED)

    def _close(self) -> str:
        browser = self._browser()
        browser.close()
        return markup.verdict(f"{browser.name} is closed.", markup.DONE)

    def _notify_me(self) -> str:
        stored = self.lab.subscriptions()
        if not stored:
            raise NoSubscriptions()
        endpoint = stored[-1].subscription.endpoint
        return markup.outcome(self.lab.notify(endpoint, *self._message()))

    def _notify_all(self) -> str:
        return markup.counts(self.lab.notify_all(*self._message()))

    def _message(self) -> tuple[str | None, str | None, PushOptions]:
        options = PushOptions(self.ttl.value, Urgency(self.urgency.value), self.topic.value or None)
        return self.title.value or None, self.body.value or None, options

    # --- the live views ---------------------------------------------------------------------------

    def _paint_story(self) -> None:
        events = self.lab.journal.events()
        self.diagram.value = sequence(events, rows=DIAGRAM_ROWS)
        self.log.value = markup.log(events)
        self.subscriptions.value = markup.subscriptions(self.lab.subscriptions())

    def _paint_screen(self) -> None:
        browser = self.lab.browsers[-1] if self.lab.browsers else None
        picture = None
        if browser is None:
            self.notifications.value = markup.NO_BROWSER
        else:
            try:
                self.notifications.value = "".join(
                    markup.notifications(one.notifications(), one.name) for one in self.lab.browsers
                )
                picture = browser.screenshot() if self._without_window() else None
            except BrowserFailed as error:
                self.notifications.value = markup.fault(error)
        if picture:
            self.screen.value = picture
        self.view.layout.display = None if picture else "none"


def _called(kind: str) -> str:
    return "virtual browser" if kind == "virtual" else f"lab {kind.capitalize()}"


def _named(widget: widgets.Widget, name: str) -> widgets.Widget:
    widget.add_class(f"pushlab-{name}")
    return widget


def _html(name: str, value: str = "") -> widgets.HTML:
    return _named(widgets.HTML(value), name)


def _row(*children: widgets.Widget) -> widgets.HBox:
    return widgets.HBox(children, layout={"flex_flow": "row wrap"})


def _card(head: str, *children: widgets.Widget, flex: str = "1 1 340px") -> widgets.VBox:
    layout = {"flex": flex, "margin": "4px"}
    return _named(widgets.VBox([widgets.HTML(head), *children], layout=layout), "card")
