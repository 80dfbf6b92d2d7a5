"""The panel: the lab's buttons, and live views of what the three parties do.

Each widget has one writer:

- Only the learner writes into a form field; Python reads it.
- Only Python writes into a display (list, result, diagram, log, screen), from threads of its own.
- Python writes the entries of a ``Choice``, and the learner chooses one.
- A button's callback starts work and returns. If the work fails, the panel explains the error.

Every widget has a CSS class of its own, ``pushlab-…``, by which style sheets and tests find it.
"""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import ipywidgets as widgets

from pushlab import settings
from pushlab.appserver.broadcast.sender import Counts
from pushlab.errors import BrowserFailed, NoSubscriptions, PushlabError, UnknownSubscription
from pushlab.journal import Party
from pushlab.lab.browser import LabBrowser, installed_browsers
from pushlab.notebook import markup
from pushlab.notebook.panel.answers import Answers
from pushlab.notebook.panel.board import BoardPanel
from pushlab.notebook.panel.choice import Choice
from pushlab.notebook.panel.composer import Composer
from pushlab.notebook.panel.iframe import PageFrame
from pushlab.notebook.panel.live import Painter, Worker
from pushlab.notebook.panel.parts import card, html, named, row
from pushlab.notebook.panel.recipient import Recipient
from pushlab.notebook.panel.room import RoomPanel
from pushlab.notebook.panel.screen import Screen
from pushlab.notebook.pictures import theme
from pushlab.notebook.pictures.sequence import COLOURS, sequence
from pushlab.protocol.subscription import label_of

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
        # A click may come while the worker's thread still enables the buttons one after another.
        self._switching = threading.RLock()
        self._under_way = 0  # clicks whose action has not ended
        # The painter and the worker both offer recipients. An older list never replaces a newer one.
        self._offering = threading.RLock()
        self._answers = Answers(lab.run)
        self._make_displays()
        self.composer = Composer()
        self.browser = Choice("browser", "browser", "none is open")
        self.headless = named(widgets.Checkbox(indent=False), "headless")
        self.headless.description = "without a window"
        self._make_buttons()
        self.recipient = Recipient(ours_alone=self.room is not None)
        self.iframe = PageFrame(self.buttons["show-iframe"])
        self.box = self._arrange()
        self._say(f"Press “{next(iter(self.buttons.values())).description}” to begin.")
        self._worker = Worker(self._explain)
        self._views = [
            Painter(self._paint_events, self._explain),
            # Firefox lists a notification some moments after it has shown it, and tells nobody.
            Painter(self._paint_browsers, self._explain, pause=0.5, again=(1, 4, 15)),
        ]
        self._counts, self._total = Counts(), 0
        self._progress = Painter(self._paint_progress, self._explain)
        self.browser.widget.observe(lambda change: self.refresh(), "value")
        self.recipient.widget.observe(lambda change: self.refresh(), "value")
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
        with self._switching:
            self._stopped = True
            self._switch_buttons()
        self._stop_listening()
        self._worker.close()
        for view in (*self._views, self._progress):
            view.close()
        if self.board:
            self.board.close()
        if why := self.lab.why_stopped:
            self._say(
                f"This lab has stopped: {why}. To take it back: Lab(take_over=True), and then this cell."
            )
        else:
            self._say("This lab has stopped. Run the cell with Lab() again, and then this one.")

    # --- what is on it ---------------------------------------------------------------------------

    def _make_displays(self) -> None:
        self.result = html("result")
        self.keys = html("keys", markup.keys(self.lab.keys))
        self.progress = html("progress")
        self.subscriptions = html("subscriptions")
        self.notifications = html("notifications")
        self.diagram = html("diagram")
        self.log = html("log")
        self.screen = Screen()

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
        self.room = self.board = None
        if self.lab.invitation and self.lab.classroom:
            self.buttons["notify-one"] = self._button("Notify this one", self._notify_one, server)
            self.room = RoomPanel(self.lab.invitation, self.buttons["notify-one"])
            self.buttons |= {
                "nudge-stuck": self._button(
                    "Nudge all who are stuck", lambda: self._class().nudge_stuck(), server
                ),
                "nudge-one": self._button("Nudge this one", lambda: self._class().nudge_one(), server),
            }
            self.board = BoardPanel(
                self.lab.classroom,
                join=self.lab.invitation.class_line,
                nudge_one=self.buttons["nudge-one"],
                nudge_stuck=self.buttons["nudge-stuck"],
                on_hide=self._hide_names,
                failed=self._explain,
            )
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
        buttons = widgets.VBox(
            [
                row(*opening, *([self.headless] if may_choose else [])),
                row(self.browser.widget, subscribe, unsubscribe, close),
                row(html("own-browser", markup.own_browser(self.lab.page_url)), show),
            ],
            layout={"flex": "1 1 300px", "min_width": "0"},
        )
        first = card(
            markup.heading("1 · Open the page and subscribe", ways),
            row(buttons, self.screen.box),
            flex="1 1 100%",
        )
        second = card(
            markup.heading("2 · Send a message", "An empty field sends what it shows in grey."),
            *self.composer.rows,
            row(self.recipient.widget, notify_me),
            row(notify_all, html("everyone", markup.EVERYONE)),
            self.progress,
        )
        known = markup.heading("What the application server knows")
        third = card(known, self.keys, self.subscriptions, flex="0 0 auto")
        fourth = card(markup.heading("What the lab's browsers show"), self.notifications)
        parts = [
            html("head", markup.STYLE + markup.legend()),
            first,
            self.result,
            self.iframe.widget,
            row(second, fourth),
            *([self.board.box] if self.board else []),
            *([self.room.box] if self.room else []),
            third,
            card(markup.heading("Who said what to whom"), self.diagram, flex="0 0 auto"),
            card(markup.heading("Log"), self.log, flex="0 0 auto"),
        ]
        return named(widgets.VBox(parts), "panel")

    # --- from a click to its effect ---------------------------------------------------------------

    def _start(self, label: str, action: Callable[[], str]) -> None:
        with self._switching:
            if self._stopped:
                return  # The click waited until the cell that stopped the lab had ended.
            self._under_way += 1
            self._switch_buttons()
            self._say(f"“{label}” is under way.")
        self._worker.do(lambda: self._finish(action))

    def _finish(self, action: Callable[[], str]) -> None:
        try:
            said = markup.dated(time.time(), action())
            with self._switching:
                if not self._stopped:  # If it has, the panel says what to run next.
                    self.result.value = said
        finally:
            with self._switching:
                self._under_way -= 1
                self._switch_buttons()
            self.refresh()

    def _switch_buttons(self) -> None:
        """Enable the buttons if nothing is under way, and the lab runs; else disable them."""
        for button in self.buttons.values():
            button.disabled = self._stopped or self._under_way > 0

    def _say(self, said: str) -> None:
        self.result.value = markup.verdict(said, markup.BUSY)

    def _explain(self, error: Exception) -> None:
        # A lab that is stopping cancels its work. The errors of that are not shown.
        if not self._stopped:
            self.result.value = markup.dated(time.time(), markup.fault(error))

    def _without_window(self) -> bool:
        return self.headless.value or not settings.has_screen()

    def _browser(self) -> LabBrowser | None:
        """Return the browser that is chosen: Subscribe, Unsubscribe and Close it are for that one."""
        self._offer_browsers()
        return self.browser.chosen

    def _open_browser(self, kind: str) -> LabBrowser:
        browser = self.lab.open(kind, headless=self._without_window())
        self._offer_browsers()
        self.browser.choose(browser)
        return browser

    def _open(self, kind: str) -> str:
        browser = self._open_browser(kind)
        return markup.verdict(f"{browser.name} opened the client page.", markup.DONE, markup.NEXT)

    def _subscribe(self) -> str:
        browser = self._browser() or self._open_browser(self.kinds[0])
        if browser.state == "subscribed":
            return markup.verdict(f"{browser.name} was subscribed already.", markup.DONE)
        browser.subscribe()
        return markup.verdict(f"{browser.name} subscribed.", markup.DONE, markup.SUBSCRIBED)

    def _unsubscribe(self) -> str:
        browser = self._browser()
        if browser is None:
            raise PushlabError(markup.NOT_OPEN)
        if browser.state != "subscribed":
            return markup.verdict(f"{browser.name} was not subscribed.", markup.DONE)
        browser.unsubscribe()
        return markup.verdict(f"{browser.name} unsubscribed.", markup.DONE, markup.UNSUBSCRIBED)

    def _close(self) -> str:
        browser = self._browser()
        if browser is None:
            raise PushlabError(markup.NOT_OPEN)
        more = markup.CLOSED if self._answers.endpoint(browser) else ""
        browser.close()
        return markup.verdict(f"{browser.name} was closed.", markup.DONE, more)

    def _show_iframe(self) -> str:
        return self.iframe.toggle(self.lab.application_server.url, self.lab.jupyter_entry)

    def _notify_me(self) -> str:
        with self._offering:
            self._offer_recipients()
            endpoint, name = self.recipient.endpoint, self.recipient.widget.label
        if endpoint is None:
            raise PushlabError(markup.NONE_OF_OURS) if self.room else NoSubscriptions
        return markup.outcome(self.lab.notify(endpoint, *self.composer.message()), name)

    def _notify_one(self) -> str:
        assert self.room is not None  # Only a room has this button.
        label = self.room.chosen()
        stored = {one.subscription.label: one for one in self.lab.subscriptions()}
        if label not in stored:
            raise UnknownSubscription
        one = stored[label]
        result = self.lab.notify(one.subscription.endpoint, *self.composer.message())
        return markup.outcome(result, markup.subscriber(one))

    def _class(self) -> BoardPanel:
        assert self.board is not None  # Only a room has these buttons.
        return self.board

    def _hide_names(self, hidden: bool) -> None:
        assert self.room is not None
        self.room.hides_names = hidden
        self.refresh()

    def _notify_all(self) -> str:
        message = self.composer.message()
        self._counts, self._total = Counts(), self.lab.newest_subscriptions(0)[0]
        self._progress.touch()
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
        self.diagram.value = theme.inline(sequence(events, rows=DIAGRAM_ROWS))
        self.log.value = markup.log(events)
        if self.room:
            self.room.paint(self.lab.room())

    def _paint_progress(self) -> None:
        self.progress.value = markup.progress(self._counts.done, self._total)

    def _paint_browsers(self) -> bool:
        """Show what each browser shows. Return whether one of them did not answer in time."""
        self._offer_recipients()
        browser = self._browser()
        picture, late = None, False
        shown = []
        for one in self.lab.browsers:
            seen = one is browser and one.kind != "virtual" and self._without_window()
            try:
                look = self._answers.look(one, picture=seen)
            except BrowserFailed as error:
                shown.append(markup.fault(error))
                continue
            if look.notifications is not None:
                shown.append(markup.notifications(look.notifications, one.name, time.time()))
            if look.late:
                late = True
                shown.append(markup.fault(look.late))
            if seen:
                picture = look.picture
        self.notifications.value = "".join(shown) or markup.NO_BROWSER
        self.screen.show(picture, browser.name if browser else "")
        return late

    def _offer_browsers(self) -> None:
        self.browser.offer([(_title(one), one) for one in self.lab.browsers])

    def _offer_recipients(self) -> None:
        """List who can get the next message. The browser that is chosen is chosen here, too."""
        with self._offering:
            count, newest = self.lab.newest_subscriptions(LISTED)
            ours = {
                endpoint: one for one in self.lab.browsers if (endpoint := self._answers.endpoint(one))
            }
            # They may be older than those that are listed.
            own = [one for one in map(self.lab.application_server.store.get, ours) if one]
            self.recipient.offer_subscriptions(own, newest)
            browser = self._browser()
            self.recipient.follow(
                next((label_of(found) for found, one in ours.items() if one is browser), "")
            )
            self.subscriptions.value = markup.subscriptions(count, newest, self.recipient.chosen)


def _browser_label(kind: str) -> str:
    return "virtual browser" if kind == "virtual" else f"lab {kind.capitalize()}"


def _title(browser: LabBrowser) -> str:
    named = browser.label and browser.label != browser.name
    return f"{browser.name} ({browser.label})" if named else browser.name
