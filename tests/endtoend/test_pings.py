"""A real Firefox answers the push service's pings, so who does not is gone (RFC 6455 §5.5.2)."""

import threading

from pushlab.lab import Lab
from pushlab.pushservice import app


def test_firefox_answers_pings_and_stays_connected(firefox_installed, monkeypatch, tmp_path):
    monkeypatch.setattr(app, "PING_SECONDS", 0.5)
    pongs, three = [], threading.Event()

    def on_pong(data: bytes) -> None:
        pongs.append(data)
        if len(pongs) == 3:
            three.set()

    with Lab(port=0, push_port=0, data=tmp_path) as lab:
        browser = lab.open("firefox", headless=True)
        browser.subscribe()
        before = lab.journal.last
        [connection] = lab.push_service._connections
        connection.on_pong = on_pong
        assert three.wait(20), f"{len(pongs)} pongs"
        assert lab.notify_all().accepted == 1
        browser.wait_for_notification()
        assert "disconnect" not in [event.what for event in lab.journal.events(before)]
