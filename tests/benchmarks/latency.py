"""From the sender's call to the ``push`` event: how long a message takes into each real browser.

Four parts, each between two moments of one clock, this machine's:

    sender          from the call until the push service has the whole POST
    push service    until it has handed the message to the browser's connection
    browser         until the ``push`` handler begins, by the browser's own clock
    report          until the worker's report of it has arrived, which a person does not wait for

The page is the lab's own, and its worker has a few lines more: they note when the handler begins.
The acknowledgement is shown beside the parts. It may come after the browser has decrypted.

A browser is left alone for a moment before each message. Firefox is still busy with the window of
the last notification when its worker has reported that it is shown: a message that comes then takes
twice as long.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from unittest.mock import patch

from report import Row

from pushlab.appserver.web.static import static_folder
from pushlab.errors import BrowserNotFound
from pushlab.lab.runtime import LabRuntime
from pushlab.useragent import chromium, firefox

BROWSERS = {"firefox": firefox, "chromium": chromium}
WARM_UP = 3
"""Messages that are sent first and not counted: the first one starts the worker."""

PAUSE = 0.5
"""Seconds between two messages."""

NOTE_THE_BEGIN = """
let began;
addEventListener("push", () => { began = performance.timeOrigin + performance.now(); });
const send = fetch;
self.fetch = (url, options) => {
  if (!options?.body?.includes('"push received"')) return send(url, options);
  const report = JSON.parse(options.body);
  report.detail.began = began;
  return send(url, { ...options, body: JSON.stringify(report) });
};
"""


@contextmanager
def page_that_notes_the_begin(folder: Path) -> Iterator[None]:
    """Serve a copy of the page whose worker notes, in its report, when the handler began (in ms)."""
    copy = folder / "static"
    shutil.copytree(static_folder(), copy)
    worker = copy / "sw.js"
    worker.write_text(NOTE_THE_BEGIN + worker.read_text("utf-8"), "utf-8")
    with patch("pushlab.appserver.web.application.static_folder", lambda: copy):
        yield


def milliseconds(lab: LabRuntime, endpoint: str) -> dict[str, float]:
    """Send one message, and return how long each part took, in ms."""
    time.sleep(PAUSE)
    before = lab.journal.last
    called = time.time()
    outcome = lab.notify(endpoint)
    assert outcome.kind == "accepted", str(outcome)
    # The message's last event is waited for, so that no message overlaps the next.
    lab.wait_for("notification shown", before)
    lab.wait_for("acknowledge", before)
    told = {event.what: event for event in lab.journal.events(before)}
    posted, pushed = told["POST message"].at, told["push message"].at
    received = told["push received"]
    began = received.detail["began"] / 1000
    taken = {
        "sender": posted - called,
        "push service": pushed - posted,
        "browser": began - pushed,
        "POST to event": began - posted,
        "acknowledged": told["acknowledge"].at - posted,
        "report": received.at - began,
    }
    return {f"{part} ms": seconds * 1000 for part, seconds in taken.items()}


def measure(kind: str, messages: int) -> Row:
    """Open a browser of this kind, subscribe, and send to it one message after the other."""
    with tempfile.TemporaryDirectory(prefix="pushlab-bench-") as data:
        folder = Path(data)
        with (
            page_that_notes_the_begin(folder),
            LabRuntime(port=0, push_port=0, data=folder / "lab") as lab,
        ):
            browser = lab.open(kind, headless=True)
            browser.subscribe()
            [stored] = lab.subscriptions()
            endpoint = stored.subscription.endpoint
            for _ in range(WARM_UP):
                milliseconds(lab, endpoint)
            taken = [milliseconds(lab, endpoint) for _ in range(messages)]
    figures = {part: median(one[part] for one in taken) for part in taken[0]}
    events = [one["POST to event ms"] for one in taken]
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
