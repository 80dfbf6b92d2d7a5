"""The report as a page: in a real Chromium nothing is loaded or cut, and axe finds nothing."""

import random
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from pushlab.cli.conformance_page import linked, page
from pushlab.conformance.arrived import Arrived
from pushlab.conformance.case import Result, Verdict
from pushlab.conformance.exchange import Exchange, Message, SenderReport
from pushlab.conformance.recipients import Recipient
from pushlab.conformance.table import CASES
from pushlab.protocol import base64url
from pushlab.protocol.spelling.captured import Captured

from ..axe import everywhere
from ..run.chromium import SWITCHES

FACTS = {"examined": "node <send.mjs> '{subscription}'", "seed": "7"}
RECIPIENT = Recipient("https://localhost:8188", random.Random(0))
TOKEN = ".".join(map(base64url.encode, (b'{"alg":"ES256"}', b'{"exp":1}', b"s3cret" * 10)))
SECRET = ("X-Api-Key", "AIzaSyA-0123456789abcdefghijklmnopqrstu")
BODIES = {
    "one record": bytes(16) + (4096).to_bytes(4, "big") + b"\x41\x04" + bytes(64) + bytes(40),
    "two records": bytes(16) + (30).to_bytes(4, "big") + b"\x01\x04" + bytes(45),
    "no header": b"short",
    "none": b"",
}


def exchange(body: bytes, authorization: str = f"vapid t={TOKEN}, k=BAAA") -> Exchange:
    recipient = Recipient(RECIPIENT.origin, random.Random(1))
    headers = (("Authorization", authorization), ("TTL", "60"), ("ttl", "<b>"), ("X", "y" * 300), SECRET)
    url = recipient.subscription.endpoint
    for number in range(3):
        captured = Captured("raw HTTP", "POST", url, headers, body)
        recipient.arrived.append(Arrived(captured, 1000.0 + number, 1, "429 Too Many Requests", 429))
    return Exchange(Message(recipient, b"Hello"), SenderReport())


def results() -> list[Result]:
    """Return a result for each case, of every verdict, with every kind of body."""
    exchanges = [exchange(body) for body in BODIES.values()] + [exchange(b"", "Bearer no token"), None]
    return [
        Result(case, list(Verdict)[number % 5], f"why <i> {number} " * 9, exchanges[number % 6])
        for number, case in enumerate(CASES)
    ]


def test_the_page_holds_no_secret_and_no_script():
    shown = page(results(), FACTS)
    assert shown.count("<details") == len(CASES) and shown.count("<svg ") > 20
    assert "<i>" not in shown and "<send.mjs>" not in shown and "<script" not in shown
    assert RECIPIENT.path not in shown and "/wpush/" not in shown
    assert TOKEN.rpartition(".")[2] not in shown, "who reads the page could use the token"
    assert SECRET[0] in shown and SECRET[1] not in shown
    assert "record 0" in shown and "record 1" in shown and "ends 16 bytes" not in shown


def test_each_rfc_is_a_link():
    assert linked("RFC 9110 §15.4: a & b").endswith('#section-15.4">RFC 9110 §15.4</a>: a &amp; b')
    assert linked("why") == "why"
    assert all("rfc-editor" in linked(case.rule) for case in CASES if case.level != "practice")


@pytest.mark.usefixtures("artifacts")
def test_axe_finds_nothing_and_nothing_is_loaded(tmp_path: Path, chromium_installed):
    path = tmp_path / "report.html"
    path.write_text(page(results(), FACTS), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_installed, args=SWITCHES)
        tab = browser.new_page()
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        assert everywhere(tab) == {}
        assert asked == [path.as_uri()]
        browser.close()
