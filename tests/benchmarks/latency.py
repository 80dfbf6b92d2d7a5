"""From the POST to the ``push`` event: how long a message takes into each real browser.

The journal's own times, from the moment the push service has the whole POST: until it has handed
the message to the browser's connection (our part), until the browser acknowledges it (which may be
after it has decrypted it), and until the report with which the service worker begins its ``push``
handler. The way of that report, one request on this machine, is part of the last figure.

A browser is left alone for a moment before each message. Firefox is still busy with the window of
the last notification when its worker has reported that it is shown: a message that comes then takes
twice as long.
"""

import tempfile
import time
from statistics import median

from report import Row

from pushlab.errors import BrowserNotFound
from pushlab.lab.runtime import LabRuntime
from pushlab.useragent import chromium, firefox

BROWSERS = {"firefox": firefox, "chromium": chromium}
STEPS = {"pushed": "push message", "acknowledged": "acknowledge", "push event": "push received"}
WARM_UP = 3
"""Messages that are sent first and not counted: the first one starts the worker."""

PAUSE = 0.5
"""Seconds between two messages."""


def milliseconds(lab: LabRuntime, endpoint: str) -> dict[str, float]:
    """Send one message and return the times from its POST to each step, in ms."""
    time.sleep(PAUSE)
    before = lab.journal.last
    outcome = lab.notify(endpoint)
    assert outcome.kind == "accepted", str(outcome)
    # The message's last event is waited for, so that no message overlaps the next.
    lab.wait_for("notification shown", before)
    lab.wait_for("acknowledge", before)
    told = {event.what: event.at for event in lab.journal.events(before)}
    return {name: (told[what] - told["POST message"]) * 1000 for name, what in STEPS.items()}


def measure(kind: str, messages: int) -> Row:
    """Open a browser of this kind, subscribe, and send to it one message after the other."""
    with tempfile.TemporaryDirectory(prefix="pushlab-bench-") as data:
        with LabRuntime(port=0, push_port=0, data=data) as lab:
            browser = lab.open(kind, headless=True)
            browser.subscribe()
            [stored] = lab.subscriptions()
            endpoint = stored.subscription.endpoint
            for _ in range(WARM_UP):
                milliseconds(lab, endpoint)
            taken = [milliseconds(lab, endpoint) for _ in range(messages)]
    figures = {f"{name} ms": median(one[name] for one in taken) for name in STEPS}
    events = [one["push event"] for one in taken]
    figures |= {"fastest ms": min(events), "slowest ms": max(events)}
    return Row("POST to push event", browser.name, figures, rounds=messages)


def main(quick: bool) -> list[list[Row]]:
    """Measure every real browser of this machine."""
    rows = []
    for kind, module in BROWSERS.items():
        try:
            module.find()
        except BrowserNotFound:
            rows.append(Row("POST to push event", kind, note="not installed"))
        else:
            rows.append(measure(kind, 5 if quick else 20))
    return [rows]
