"""A workshop: an instructor, a Firefox, a Chromium and 200 virtual ones, each machine its own network.

Everything is real but the distance: addresses, interfaces, cables that are pulled. The instructor runs
``pushlab serve --host 10.77.0.1``; the participants' browsers are those of ``pushlab join``.
"""

import re
import signal
import statistics
import sys
import time
from collections import Counter

import pytest

from ..conftest import missing
from .network import INSTRUCTOR, Network, why_not

CROWD = 200
OUTAGE = 15.0
"""Seconds without a cable."""

BACK = 10.0
"""Seconds after which whoever was cut off has all that was sent meanwhile."""

REAL = {"firefox": "Ada", "chromium": "Grace"}


class Room:
    """The instructor's lab, and who sits where."""

    def __init__(self, network: Network, data):
        self.network = network
        serve = ["-m", "pushlab", "serve", "--host", INSTRUCTOR, "--port", "0", "--push-port", "0"]
        lab = network.start("desk", sys.executable, *serve, "--data", str(data))
        said = ""
        while not (link := re.search(r"instructor +(http://\S+)/#token=(\S+)", said)):
            line = lab.stdout.readline()
            assert line, f"the lab has ended: {said}"
            said += line
        self.said, self.url, self.token = said, link[1], link[2]
        self.desk = network.sit("desk")
        self.desk.do("listen", url=self.url, token=self.token)
        self.seats = {kind: network.sit(kind) for kind in REAL}
        self.crowd = network.sit("crowd")

    def notify_all(self, body: str) -> dict:
        """Send one message to everybody, with the instructor's token; return the counts."""
        told = {"notification": {"title": "Room", "options": {"body": body}}}
        status, answer = self.desk.do(
            "ask", url=f"{self.url}/notify-all", token=self.token, body=told
        )
        assert status == 200, answer
        return answer["data"]

    def participants(self) -> list[dict]:
        status, answer = self.desk.do("ask", url=f"{self.url}/subscriptions", token=self.token)
        assert status == 200, answer
        return answer["data"]["participants"]

    def until(self, holds, timeout: float = 20) -> list[dict]:
        """Ask who is in the room until ``holds(rows)``, and return the rows."""
        deadline = time.monotonic() + timeout
        while not holds(rows := self.participants()):
            assert time.monotonic() < deadline, rows[:3]
        return rows

    def heard(self) -> Counter:
        """Count the messages that workers have received, by who reported them."""
        return Counter(who for what, who in self.desk.do("heard") if what == "push received")


@pytest.fixture(scope="module")
def room(tmp_path_factory, firefox_installed, chromium_installed):
    """A room with nobody in it yet."""
    if reason := why_not():
        missing(reason)
    with Network("desk", *REAL, "crowd") as network:
        room = Room(network, tmp_path_factory.mktemp("data"))
        yield room
        for seat in (*room.seats.values(), room.crowd):
            seat.do("leave")


@pytest.fixture(scope="module")
def full(room):
    """The room with everybody in it."""
    for kind, seat in room.seats.items():
        seat.begin("join", url=room.url, kind=kind, name=REAL[kind])
    names = [f"Virtual {number}" for number in range(1, CROWD + 1)]
    assert room.crowd.do("come", url=room.url, names=names) == CROWD
    for seat in room.seats.values():
        assert seat.end() == "subscribed"
    return room


def test_the_instructor_is_told_how_to_invite(room):
    assert f"pushlab join {room.url}" in room.said
    assert "█▀▀" in room.said or "▀▀█" in room.said, "a QR code"
    assert len(room.token) >= 22, "128 bits"


def test_the_command_joins_and_says_what_it_weakens(room):
    command = ["-m", "pushlab", "join", room.url, "--browser", "firefox", "--headless"]
    # What a shell runs in the background ignores SIGINT, and so would everything that it starts.
    heeding = "env", "--default-signal=INT"
    process = room.network.start("crowd", *heeding, sys.executable, *command)
    said = [process.stdout.readline() for _ in range(3)]
    assert f"treats every page from {INSTRUCTOR} as secure" in said[0]
    assert "thrown away" in said[1] and said[2] == "Close the browser to end this.\n"
    deadline = time.monotonic() + 20
    while ["connect", "Firefox"] not in room.desk.do("heard"):
        assert time.monotonic() < deadline, "it never came to the instructor's push service"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130


def test_everybody_is_in_the_room_by_name_and_connected(full):
    rows = {row["name"]: row for row in full.participants()}
    assert len(rows) == CROWD + 2
    assert (rows["Ada"]["browser"], rows["Grace"]["browser"]) == ("Firefox", "Chromium")
    assert all(row["connected"] and row["waiting"] == 0 for row in rows.values())
    assert all(row["reached"] is None and row["sent_at"] is None for row in rows.values())
    assert not any("endpoint" in row for row in rows.values())
    for seat in full.seats.values():
        assert seat.do("page", function="() => isSecureContext")
        assert seat.do("page", function="() => location.hash") == "", "nothing for the projector"


def test_who_has_no_token_notifies_nobody_and_is_told_why(full):
    for path, body in (("notify-all", {}), ("subscriptions", None), ("events", None)):
        for token in ("", "not-the-token"):
            told = {"url": f"{full.url}/{path}", "token": token, "body": body}
            status, answer = full.crowd.do("ask", **told)
            assert (status, answer["error"]["id"]) == (401, "instructor-only")
    for seat in full.seats.values():
        assert seat.do("page", function="() => document.getElementById('notify-all').disabled")
        said = seat.do("page", function="() => document.body.innerText")
        assert "Notify all is the instructor" in said and "on the instructor’s screen" in said
    assert full.heard() == {}, "the next test begins with its own message"


def test_notify_all_reaches_each_exactly_once(full):
    begun = time.monotonic()
    counts = full.notify_all("everybody")
    answered = time.monotonic() - begun
    assert (counts["accepted"], counts["gone"], counts["failed"]) == (CROWD + 2, 0, 0)
    rows = full.until(lambda rows: all(row["reached"] for row in rows))
    assert full.crowd.do("received", body="everybody", within=20) == [["everybody"]] * CROWD
    for seat in full.seats.values():
        shown = seat.do("shown", bodies=["everybody"], within=20)["all"]
        assert [one["body"] for one in shown] == ["everybody"]
    # The story comes by a stream of its own, and its last lines a moment later than the table.
    deadline = time.monotonic() + 20
    while len(heard := full.heard()) < CROWD + 2:
        assert time.monotonic() < deadline, f"{len(heard)} were heard of"
    assert set(heard.values()) == {1} and len(heard) == CROWD + 2
    late = sorted(row["latency"] for row in rows)
    real = {row["browser"]: round(row["latency"]) for row in rows if row["browser"] != "Virtual"}
    print(f"\nnotify-all to {len(rows)}: answered in {answered:.2f} s; from the send to the worker's "
          f"report: median {statistics.median(late):.0f} ms, last {late[-1]:.0f} ms, {real} ms")  # fmt: skip


def test_a_pulled_cable_loses_nobody_a_message(full):
    before = full.heard()
    for kind in REAL:
        full.network.pull(kind)
    sent = ["away 1", "away 2", "away 3"]
    for body in sent:
        assert full.notify_all(body)["accepted"] == CROWD + 2
        time.sleep(OUTAGE / len(sent))  # The outage itself, and not a wait for something.
    rows = {row["name"]: row for row in full.participants()}
    for name in REAL.values():
        away = (rows[name]["connected"], rows[name]["waiting"], rows[name]["reached"])
        assert away == (False, len(sent), False), "control: it is away, and the lab has noticed"
    back = time.monotonic()
    for kind in REAL:
        full.network.plug_in(kind)
    for seat in full.seats.values():
        seat.begin("shown", bodies=sent, within=60)
    took = {}
    for kind, seat in full.seats.items():
        shown = seat.end(70)
        took[kind] = shown["at"] - back
        assert Counter(one["body"] for one in shown["all"])["away 3"] == 1
        assert set(sent) <= {one["body"] for one in shown["all"]}
    print(f"\n{OUTAGE:.0f} s without a cable, then everything shown after "
          + ", ".join(f"{seconds:.1f} s ({kind})" for kind, seconds in took.items()))  # fmt: skip
    assert max(took.values()) < BACK, took
    full.notify_all("after")
    full.until(lambda rows: all(row["reached"] and row["waiting"] == 0 for row in rows))
    for seat in full.seats.values():
        shown = Counter(one["body"] for one in seat.do("shown", bodies=["after"], within=20)["all"])
        assert {shown[body] for body in sent} <= {0, 1} and shown["after"] == 1
    # Each of the four has woken each worker once, and no message twice.
    assert full.heard() - before == Counter({who: 4 for who in before})
    assert (
        full.crowd.do("received", body="after", within=20)
        == [["everybody", *sent, "after"]] * CROWD
    )
