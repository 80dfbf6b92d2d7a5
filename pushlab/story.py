"""``pushlab demo``: the whole loop in a terminal, told as a story, a line a step.

Nothing here is made up: a line is printed when a server writes an event into the journal, and the
last one holds what the browser itself says it shows.
"""

import json
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import TextIO

from pushlab.errors import PushlabError, TimedOut
from pushlab.journal import Event, Party
from pushlab.lab import Lab, installed_browser

UA, PS, AS = Party.USER_AGENT, Party.PUSH_SERVICE, Party.APPLICATION_SERVER

# One colour per party, as on the page: blue, orange, green.
COLOURS = {UA: "\033[34m", PS: "\033[33m", AS: "\033[32m"}
PLAIN = "\033[0m"

# (source, target, how the event's text begins): the step's name, and what the learner reads.
# {…} is filled from the event's details.
STEPS = {
    (UA, PS, "connect"): ("connect", "opens a WebSocket and keeps it open: pushes come this way"),
    (UA, UA, "permission granted"): ("permission", "may show notifications"),
    (UA, UA, "registered"): ("register", "has a service worker: code that runs with no page open"),
    (UA, AS, "GET /vapid"): ("vapid", "asks for the public key: the applicationServerKey"),
    (UA, PS, "subscribe"): ("subscribe", "asks for an endpoint, restricted to that key"),
    (PS, UA, "endpoint"): ("endpoint", "makes an endpoint: a URL that nobody can guess"),
    (UA, AS, "POST /add-subscription"): ("store", "sends endpoint, p256dh and auth to be stored"),
    (UA, AS, "POST /notify-me"): ("notify-me", "presses Notify me"),
    (UA, AS, "POST /notify-all"): ("notify-all", "presses Notify all"),
    (AS, AS, "encrypt"): ("encrypt", "encrypts {plaintext} bytes into {body}   RFC 8291"),
    (AS, AS, "sign"): ("sign", "signs a token for {aud}   RFC 8292"),
    (AS, PS, "POST message"): ("post", "sends {bytes} bytes, TTL {ttl} s, urgency {urgency}   RFC 8030"),
    (PS, AS, "201"): ("accepted", "answers 201 Created: it has the message; nobody has seen it yet"),
    (PS, PS, "keep message"): ("keep", "keeps the message: the user agent is away"),
    (PS, UA, "push message"): ("push", "pushes the {bytes} bytes, which it cannot read"),
    (UA, UA, "push received"): ("received", "has decrypted it and wakes the service worker: push event"),
    (UA, PS, "acknowledge"): ("acknowledge", "acknowledges, code {code}; the message is deleted"),
}


class Teller:
    """Tell lines one by one, whichever thread they come from, and wait for one to be told."""

    def __init__(self, write: Callable[[dict], None]):
        self._write = write
        self._told: list[str] = []
        self._news = threading.Condition()

    def tell(self, step: str, party: str, text: str, **more: object) -> None:
        """Tell one line: the step's name, the party that acts, what a learner reads."""
        with self._news:
            self._write({"step": step, "party": str(party)} | more | {"text": text})
            self._told.append(step)
            self._news.notify_all()

    def on_event(self, event: Event) -> None:
        """Tell an event of the journal if it is a step of the story."""
        if line := line_of(event):
            self.tell(**line)

    def wait_for(self, *steps: str, timeout: float = 15) -> None:
        """Wait until each of these steps has been told. Raise TimedOut."""
        with self._news:
            if not self._news.wait_for(lambda: {*steps} <= {*self._told}, timeout):
                missing = ", ".join({*steps} - {*self._told})
                raise TimedOut(f"the story came to its end without {missing}")


def demo(kind: str = "auto", as_json: bool = False, out: TextIO = sys.stdout) -> int:
    """Run the loop once with a user agent of this kind; return 0 if the notification was shown."""
    teller = Teller(_json_writer(out) if as_json else _text_writer(out))
    with tempfile.TemporaryDirectory(prefix="pushlab-demo-") as data:
        try:
            with Lab(port=0, push_port=0, data=data) as lab:
                _run(lab, installed_browser() if kind == "auto" else kind, teller)
        except PushlabError as error:
            teller.tell("failed", error.fault or "this machine", str(error))
            return 1
    return 0


def _run(lab: Lab, kind: str, teller: Teller) -> None:
    key = lab.keys.application_server_key
    text = f"makes a P-256 key pair; the public half is {len(lab.keys.public)} bytes: {key[:8]}…"
    teller.tell("keys", AS, text, public_key=key)
    name = "a virtual user agent" if kind == "virtual" else f"a real {kind.capitalize()}"
    teller.tell("open", UA, f"{name} starts and opens the page")
    silence = lab.on_event(teller.on_event)
    browser = lab.open(kind, headless=True)
    browser.subscribe()
    browser.notify_me()
    shown = browser.wait_for_notification()
    # The browser shows the notification before its reports have all arrived.
    teller.wait_for("received", "acknowledge")
    silence()
    text = f"shows the notification: {shown.title} {shown.body}"
    teller.tell("shown", UA, text, user_agent=kind, title=shown.title, body=shown.body)


def line_of(event: Event) -> dict | None:
    """Return the line that tells this event, or None if it is no step of the story."""
    for (source, target, begin), (step, text) in STEPS.items():
        if (event.source, event.target) == (source, target) and event.what.startswith(begin):
            to = {} if target == source else {"to": str(target)}
            text = text.format_map(event.detail)
            return {**event.detail, "step": step, "party": source, "text": text, **to}
    return None


def _json_writer(out: TextIO) -> Callable[[dict], None]:
    return lambda line: print(json.dumps(line, ensure_ascii=False), file=out, flush=True)


def _text_writer(out: TextIO) -> Callable[[dict], None]:
    colours = COLOURS if out.isatty() else {}

    def write(line: dict) -> None:
        party = line["party"]
        who = f"{party} → {line['to']}" if "to" in line else party
        colour = colours.get(party, "")
        print(f"{colour}{who:<36}{PLAIN if colour else ''}  {line['text']}", file=out, flush=True)

    return write
