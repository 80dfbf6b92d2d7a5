"""``pushlab demo``: the whole loop in a terminal, a line for each step.

Nothing here is made up: a line is printed when a server writes an event into the journal, and the last
line is the notification that the browser itself says it shows.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TextIO

from pushlab.errors import PushlabError, TimedOut
from pushlab.journal import Event, Party
from pushlab.lab.browser import installed_browsers
from pushlab.lab.runtime import EVENT_SECONDS, LabRuntime
from pushlab.settings import patience
from pushlab.text import json_line
from pushlab.throwaway import ThrowAwayFolder, sweep

UA, PS, AS = Party.USER_AGENT, Party.PUSH_SERVICE, Party.APPLICATION_SERVER

# A colour for each party, as on the page: blue, orange, green.
COLOURS = {UA: "\033[34m", PS: "\033[33m", AS: "\033[32m"}
PLAIN = "\033[0m"

# (source, target, the beginning of the event's text): the step's name, and the text for the learner.
# {…} is replaced by the event's details.
STEPS = {
    (UA, PS, "connect"): ("connect", "connects and stays connected: pushes come this way"),
    (UA, UA, "permission granted"): ("permission", "may show notifications"),
    (UA, UA, "registered"): (
        "register",
        "has a service worker: code that runs even when no page is open",
    ),
    (UA, AS, "GET /vapid"): ("vapid", "asks for the public key: the applicationServerKey"),
    (UA, PS, "subscribe"): ("subscribe", "asks for an endpoint that only this key may send to"),
    (PS, UA, "endpoint"): ("endpoint", "answers with an endpoint: a URL that nobody can guess"),
    (UA, AS, "POST /add-subscription"): (
        "store",
        "sends the endpoint and two keys, p256dh and auth, to be stored",
    ),
    (UA, AS, "POST /notify-me"): ("notify-me", "presses Notify me"),
    (UA, AS, "POST /notify-all"): ("notify-all", "presses Notify all"),
    (AS, AS, "encrypt"): ("encrypt", "encrypts {plaintext} bytes into {body}   RFC 8291"),
    (AS, AS, "sign"): ("sign", "signs a token for {aud}   RFC 8292"),
    (AS, AS, "route"): (
        "route",
        "finds {host} at {address}: the lab's Chromium uses the lab's push service",
    ),
    (AS, PS, "POST message"): ("post", "sends {bytes} bytes, TTL {ttl} s, urgency {urgency}   RFC 8030"),
    (PS, AS, "201"): ("accepted", "answers 201 Created: it has the message, and nobody has seen it yet"),
    (PS, PS, "keep message"): ("keep", "keeps the message, because the user agent is away"),
    (PS, UA, "push message"): ("push", "pushes the {bytes} bytes, which it cannot read"),
    (UA, UA, "push received"): (
        "received",
        "decrypts the message and wakes the service worker: push event",
    ),
    (UA, PS, "acknowledge"): ("acknowledge", "acknowledges: the push service deletes the message"),
}


class Reporter:
    """Write the lines of several threads one after the other, and wait for a step's line."""

    def __init__(self, write: Callable[[dict], None]):
        self._write = write
        self._reported: list[str] = []
        self._news = threading.Condition()

    def report(self, step: str, party: str, text: str, **more: object) -> None:
        """Write one line: the step's name, the party that acts, the text for the learner."""
        with self._news:
            self._write({"step": step, "party": str(party)} | more | {"text": text})
            self._reported.append(step)
            self._news.notify_all()

    def on_event(self, event: Event) -> None:
        """Write the line of a journal's event, if the event is a step of the demo."""
        if line := line_of(event):
            self.report(**line)

    def wait_for(self, *steps: str, timeout: float | None = None) -> None:
        """Wait until each of these steps has been reported, as often as it is named here.

        Raises TimedOut after ``timeout`` seconds; without it, after as many as a slow machine needs.
        """
        timeout = patience(EVENT_SECONDS) if timeout is None else timeout
        with self._news:
            if not self._news.wait_for(lambda: Counter(steps) <= Counter(self._reported), timeout):
                missing = ", ".join(Counter(steps) - Counter(self._reported))
                raise TimedOut(f"the demo did not reach the step {missing}")


def demo(kinds: Sequence[str] = (), *, as_json: bool = False, out: TextIO = sys.stdout) -> int:
    """Run the loop once with user agents of these kinds; return 0 if each showed the notification.

    Without ``kinds``, the first installed browser is used. A single user agent presses Notify me; of
    several, the first presses Notify all.
    """
    reporter = Reporter(_json_writer(out) if as_json else _text_writer(out, named=len(kinds) > 1))
    sweep()
    with ThrowAwayFolder("demo") as data:
        try:
            with LabRuntime(port=0, push_port=0, data=data) as lab:
                _run(lab, list(kinds) or installed_browsers()[:1], reporter)
        except PushlabError as error:
            reporter.report("failed", error.fault or "this machine", str(error))
            return 1
    return 0


def _run(lab: LabRuntime, kinds: Sequence[str], reporter: Reporter) -> None:
    key = lab.keys.application_server_key
    text = f"makes a P-256 key pair; the public half is {len(lab.keys.public)} bytes: {key[:8]}…"
    reporter.report("keys", AS, text, public_key=key)
    end_reports = lab.on_event(reporter.on_event)
    browsers = []
    for kind in kinds:
        name = "a virtual user agent" if kind == "virtual" else f"a real {kind.capitalize()}"
        reporter.report("open", UA, f"{name} starts and opens the page")
        browsers.append(lab.open(kind, headless=True))
        browsers[-1].subscribe()
    if len(browsers) == 1:
        browsers[0].notify_me()
    else:
        browsers[0].notify_all()
    shown = [browser.wait_for_notification() for browser in browsers]
    # A browser shows the notification before its reports have all arrived.
    reporter.wait_for(*["received", "acknowledge"] * len(browsers))
    end_reports()
    for browser, note in zip(browsers, shown, strict=True):
        text = f"{browser.name} shows the notification: {note.title} {note.body}"
        reporter.report("shown", UA, text, user_agent=browser.kind, title=note.title, body=note.body)


def line_of(event: Event) -> dict | None:
    """Return the line for this event, or None if the event is not a step of the demo."""
    for (source, target, begin), (step, text) in STEPS.items():
        if (event.source, event.target) == (source, target) and event.what.startswith(begin):
            more = {} if target == source else {"to": str(target)}
            more |= {"who": event.who} if event.who else {}
            text = text.format_map(event.detail)
            return {**event.detail, "step": step, "party": source, "text": text, **more}
    return None


def _json_writer(out: TextIO) -> Callable[[dict], None]:
    return lambda line: print(json_line(line), file=out, flush=True)


def _text_writer(out: TextIO, named: bool) -> Callable[[dict], None]:
    """Return a function that writes lines for people. With ``named`` a line names its user agent."""
    colours = COLOURS if out.isatty() else {}

    def write(line: dict) -> None:
        party = line["party"]
        parties = f"{party} → {line['to']}" if "to" in line else party
        if named and "who" in line:
            parties = parties.replace(str(UA), line["who"])
        colour = colours.get(party, "")
        print(f"{colour}{parties:<36}{PLAIN if colour else ''}  {line['text']}", file=out, flush=True)

    return write
