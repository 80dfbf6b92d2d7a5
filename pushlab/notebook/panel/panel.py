"""The panel: the lab's buttons, and live views of what the three parties do.

Each widget has one writer:

- Only the learner writes into a form field; Python reads it.
- Only Python writes into a display (list, result, diagram, log, screen), from threads of its own.
- A button's callback starts work and returns. If the work fails, the panel explains the error.

Every widget has a CSS class of its own, ``pushlab-…``, by which style sheets and tests find it.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import ipywidgets as widgets

from pushlab import settings
from pushlab.appserver.broadcast.sender import Counts
from pushlab.errors import BrowserFailed, NoSubscriptions, UnknownSubscription
from pushlab.journal import Party
from pushlab.lab import jupyter
from pushlab.lab.browser import LabBrowser, installed_browsers
from pushlab.notebook import markup
from pushlab.notebook.panel import iframe
from pushlab.notebook.panel.composer import Composer
from pushlab.notebook.panel.live import Painter, Worker
from pushlab.notebook.panel.parts import card, html, named, row
from pushlab.notebook.panel.room import RoomPanel
from pushlab.notebook.pictures.sequence import COLOURS, sequence

if TYPE_CHECKING:
    from pushlab.notebook import Lab

DIAGRAM_ROWS = 18

LISTED = 10
"""How many subscriptions are shown: the newest ones."""


class Panel:
    """Show a lab and its buttons. ``lab.panel()`` makes the panel, and ``stop()`` ends it."""

    def __init__(self, lab: "Lab") -> None:
        self.lab = lab
        self.kinds = installed_browsers()
        self._stopped = False
        self._make_displays()
        self.composer = Composer()
        self.headless = named(widgets.Checkbox(indent=False), "headless")
        self.headless.description = "without a window"
        self._make_buttons()
        self.box = self._arrange()
        self._say(f"Press “{next(iter(self.buttons.values())).description}” to begin.")
        self._worker = Worker(self._explain)
        self._views = [
            Painter(self._paint_events, self._explain),
            Painter(self._paint_screen, self._explain, pause=0.5),
        ]
        self._counts, self._progress = Counts(), Painter(self._paint_progress, self._explain)
        # A refresh returns at once, so it needs no thread of its own.
        self._stop_listening = lab.journal.subscribe(lambda event: self.refresh())
        self.refresh()

    def __repr__(self) -> str:
        return "Run this cell, and the panel appears here."

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        return self.box._repr_mimebundle_() | {"text/plain": repr(self)}

    def refresh(self) -> None:
        """Show the present state soon. Any thread may call this, as often as it likes."""
        for view in self._views:
            view.touch()

    def stop(self) -> None:
        """End the threads, disable the buttons, and say that the lab has stopped.

        A second call does nothing.
        """
        if self._stopped:
            return
        self._stopped = True
        self._stop_listening()
        self._worker.close()
        for view in (*self._views, self._progress):
            view.close()
        self._enable_buttons(False)
        self._say("This lab has stopped. Run the cell with Lab() again, and then this one.")

    # --- what is on it ---------------------------------------------------------------------------

    def _make_displays(self) -> None:
        self.result = html("result")
        self.keys = html("keys", markup.keys(self.lab.keys))
        self.progress = named(widgets.IntProgress(layout={"width": "100%"}), "progress")
        self.progress.layout.display = "none"
        self.subscriptions = html("subscriptions")
        self.notifications = html("notifications")
        self.diagram = html("diagram")
        self.log = html("log")
        self.screen = named(widgets.Image(format="png"), "screen")
        head = markup.heading("The page in the lab's browser")
        self.view = card(head, self.screen, flex="0 0 auto")
        self.view.layout.display = "none"
        self.iframe = named(widgets.HTML(layout={"width": "100%"}), "iframe")
        self.iframe.layout.display = "none"

    def _make_buttons(self) -> None:
        agent, server = COLOURS[Party.USER_AGENT], COLOURS[Party.APPLICATION_SERVER]
        self.buttons = {
            f"open-{kind}": self._button(
                f"Open a {_browser_label(kind)}", partial(self._open, kind), agent
            )
            for kind in self.kinds
        }
        self.buttons |= {
            "subscribe": self._button("Subscribe", self._subscribe, agent),
            "unsubscribe": self._button("Unsubscribe", self._unsubscribe),
            "close-browser": self._button("Close it", self._close),
            "show-iframe": self._button("Show it here", self._show_iframe),
            "notify-me": self._button("Notify me", self._notify_me, server),
            "notify-all": self._button("Notify all", self._notify_all, server),
        }
        self.room = None
        if self.lab.invitation:
            self.buttons["notify-one"] = self._button("Notify this one", self._notify_one, server)
            self.room = RoomPanel(self.lab.invitation, self.buttons["notify-one"])
        for key, button in self.buttons.items():
            named(button, key)

    def _button(self, label: str, action: Callable[[], str], colour: str = "") -> widgets.Button:
        button = widgets.Button(description=label)
        if colour:
            button.style.button_color, button.style.text_color = colour, "#ffffff"
        button.on_click(lambda _: self._start(label, action))
        return button

    def _arrange(self) -> widgets.VBox:
        names = ("subscribe", "unsubscribe", "close-browser", "show-iframe", "notify-me", "notify-all")
        subscribe, unsubscribe, close, show, notify_me, notify_all = map(self.buttons.get, names)
        opening = [self.buttons[f"open-{kind}"] for kind in self.kinds]
        may_choose = self.kinds != ["virtual"] and settings.has_screen()
        ways = markup.ways(self.kinds, settings.has_screen())
        first = card(
            markup.heading("1 · Open the page", ways),
            row(*opening, *([self.headless] if may_choose else []), close),
            row(subscribe, unsubscribe),
            row(html("own-browser", markup.own_browser(self.lab.page_url)), show),
        )
        second = card(
            markup.heading("2 · Send a message", "An empty field sends what it shows in grey."),
            *self.composer.rows,
            row(notify_me, notify_all),
            self.progress,
        )
        third = card(markup.heading("What the application server knows"), self.keys, self.subscriptions)
        fourth = card(markup.heading("Shown"), self.notifications)
        parts = [
            html("head", markup.STYLE + markup.legend()),
            row(first, second),
            self.result,
            self.iframe,
            *([self.room.box] if self.room else []),
            row(third, fourth),
            card(markup.heading("Who said what to whom"), self.diagram, flex="0 0 auto"),
            self.view,
            card(markup.heading("Log"), self.log, flex="0 0 auto"),
        ]
        return named(widgets.VBox(parts), "panel")

    # --- from a click to its effect ---------------------------------------------------------------

    def _start(self, label: str, action: Callable[[], str]) -> None:
        self._enable_buttons(False)
        self._say(f"{label} …")
        self._worker.do(lambda: self._finish(action))

    def _finish(self, action: Callable[[], str]) -> None:
        try:
            self.result.value = action()
        finally:
            self._enable_buttons(not self._stopped)
            self.refresh()

    def _enable_buttons(self, on: bool) -> None:
        for button in self.buttons.values():
            button.disabled = not on

    def _say(self, said: str) -> None:
        self.result.value = markup.verdict(said, markup.BUSY)

    def _explain(self, error: Exception) -> None:
        # A lab that is stopping cancels its work. The errors of that are not shown.
        if not self._stopped:
            self.result.value = markup.fault(error)

    def _without_window(self) -> bool:
        return self.headless.value or not settings.has_screen()

    def _browser(self) -> LabBrowser:
        if not self.lab.browsers:
            raise BrowserFailed("the lab has no browser open")
        return self.lab.browsers[-1]

    def _open_browser(self, kind: str) -> LabBrowser:
        return self.lab.open(kind, headless=self._without_window())

    def _open(self, kind: str) -> str:
        browser = self._open_browser(kind)
        return markup.verdict(f"{browser.name} has the client page open.", markup.DONE, markup.NEXT)

    def _subscribe(self) -> str:
        browser = self.lab.browsers[-1] if self.lab.browsers else self._open_browser(self.kinds[0])
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

    def _show_iframe(self) -> str:
        server, app = jupyter.here(), self.lab.application_server
        button = self.buttons["show-iframe"]
        if self.iframe.value:
            self.iframe.value, self.iframe.layout.display = "", "none"
            button.description = "Show it here"
            return markup.verdict("The page is put away. Its subscription stays.", markup.DONE)
        if (reason := iframe.why_not(app.url, server, app.port)) or server is None:
            said = "Only a tab of its own will do: follow the link."
            return markup.verdict(said, markup.LOST, reason)
        self.iframe.value = iframe.markup(server.proxied(app.port))
        self.iframe.layout.display, button.description = None, "Put it away"
        return markup.verdict("The page is here, in your own browser.", markup.DONE, markup.KEEP_IN_VIEW)

    def _notify_me(self) -> str:
        _, newest = self.lab.newest_subscriptions(1)
        if not newest:
            raise NoSubscriptions
        endpoint = newest[0].subscription.endpoint
        return markup.outcome(self.lab.notify(endpoint, *self.composer.message()))

    def _notify_one(self) -> str:
        assert self.room is not None  # Only a room has this button.
        label = self.room.chosen()
        stored = {one.subscription.label: one.subscription for one in self.lab.subscriptions()}
        if label not in stored:
            raise UnknownSubscription
        return markup.outcome(self.lab.notify(stored[label].endpoint, *self.composer.message()))

    def _notify_all(self) -> str:
        message = self.composer.message()
        self.progress.max = max(self.lab.newest_subscriptions(0)[0], 1)
        self._counts = Counts()
        self._progress.touch()
        self.progress.layout.display = None
        try:
            return markup.counts(self.lab.notify_all(*message, progress=self._note_progress))
        finally:
            self._progress.touch()

    def _note_progress(self, counts: Counts) -> None:
        self._counts = counts
        self._progress.touch()

    # --- the live views ---------------------------------------------------------------------------

    def _paint_events(self) -> None:
        events = self.lab.journal.events()
        self.diagram.value = sequence(events, rows=DIAGRAM_ROWS)
        self.log.value = markup.log(events)
        self.subscriptions.value = markup.subscriptions(*self.lab.newest_subscriptions(LISTED))
        if self.room:
            self.room.paint(self.lab.room())

    def _paint_progress(self) -> None:
        self.progress.value = self._counts.done

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


def _browser_label(kind: str) -> str:
    return "virtual browser" if kind == "virtual" else f"lab {kind.capitalize()}"
