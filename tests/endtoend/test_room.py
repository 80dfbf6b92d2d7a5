"""A workshop: an instructor, a Firefox, a Chromium and 200 virtual ones, each machine its own network.

Everything is real but the distance: addresses, interfaces, cables that are pulled. The instructor runs
``pushlab serve --host 10.77.0.1``; the participants' browsers are those of ``pushlab join``.
"""

import json
import signal
import statistics
import sys
import time
from collections import Counter

import pytest

from pushlab.settings import patience

from ..run.artifacts import lines
from .network import INSTRUCTOR, Network
from .room import REAL, Room, received

CROWD = 200


@pytest.fixture(scope="module")
def room(tmp_path_factory, firefox_installed, chromium_installed, namespaces, artifacts):
    """A room with nobody in it yet."""
    with Network("desk", *REAL, "crowd") as network:
        room = Room(network, tmp_path_factory.mktemp("data"))
        with artifacts.offer("story.txt", lambda: lines(room.desk.do("heard"))):
            yield room
        room.leave()


@pytest.fixture(scope="module")
def full(room):
    """The room with everybody in it."""
    names = [f"Virtual {number}" for number in range(1, CROWD + 1)]
    room.fill(names)
    return room


def test_the_instructor_is_told_how_to_invite(room):
    assert f"./lab join {room.url}" in room.said
    assert f'lab.join_class("{room.url}/", name="…")' in room.said
    assert "█" not in room.said, "a QR code is for phones, and they need https"
    assert len(room.token) >= 22, "128 bits"


def examined(room, seat: str, *options: str) -> dict[str, dict]:
    """Run ``pushlab doctor`` on a machine; return what it says of the room, by code."""
    command = [sys.executable, "-m", "pushlab", "doctor", "--json", "--host", INSTRUCTOR, *options]
    process = room.network.start(seat, *command)
    found = [json.loads(line) for line in process.stdout]
    assert process.wait(patience(60)) in (0, 1)
    return {one["code"]: one for one in found if one["code"].startswith("room-")}


def test_the_doctor_tells_what_a_room_s_address_lacks_and_what_only_another_machine_can_tell(room):
    port = room.url.rpartition(":")[2]
    found = examined(room, "desk", "--port", port)
    assert list(found) == [
        "room-address-ok", "room-plain-http", "room-push-service-ok", "room-from-elsewhere",
    ]  # fmt: skip
    assert "at its interface switch, network 10.77.0.0/24" in found["room-address-ok"]["seen"]
    assert found["room-from-elsewhere"]["fix"].endswith(f'curl --noproxy "*" {room.url}/health')
    assert room.crowd.do("ask", url=f"{room.url}/health")[0] == 200, "what that command would show"
    assert list(examined(room, "desk", "--port", "9")) == ["room-address-ok", "room-closed"]
    assert list(examined(room, "crowd", "--port", port)) == ["room-address"], "it is another machine's"


IN_A_NOTEBOOK = f"""
import json, sys
from pushlab import Lab
with Lab(host="{INSTRUCTOR}", port=0, push_port=0, data=sys.argv[1]) as lab:
    print(json.dumps({{one.code: one.level for one in lab.doctor()}}))
"""


def test_a_lab_of_a_room_examines_its_address_in_place_of_its_page(room, tmp_path):
    process = room.network.start("desk", sys.executable, "-c", IN_A_NOTEBOOK, str(tmp_path))
    found = json.loads(process.stdout.readline())
    assert process.wait(patience(60)) == 0
    assert found["room-from-elsewhere"] == "hint" and "page-insecure" not in found


A_PARTICIPANT = """
import sys
from pushlab import Lab, checks
from pushlab.classroom.membership import MEMBERSHIP
from pushlab.errors import NotYet
with Lab(port=0, push_port=0, data=sys.argv[2]) as lab:
    browser = lab.open("virtual")
    browser.subscribe()
    lab.join_class(sys.argv[1], name="Ada")
    for _ in range(3):
        try:
            checks.encrypt.derive(lambda *given: {"PRK_key": b"x"})
        except NotYet:
            pass
    print(MEMBERSHIP.flush(60), flush=True)
    print(browser.wait_for_notification(body="look at the first byte").title, flush=True)
    lab.leave_class()
"""


def test_a_notebook_on_another_machine_is_on_the_board_and_gets_a_nudge(room, tmp_path):
    def ask(path: str, body: dict | None = None) -> dict:
        told = {"url": f"{room.url}/{path}", "token": room.token, "body": body}
        status, answer = room.desk.do("ask", **told)
        assert status == 200, answer
        return answer["data"]

    command = [sys.executable, "-c", A_PARTICIPANT, room.url, str(tmp_path)]
    process = room.network.start("crowd", *command)
    assert process.stdout.readline() == "True\n"
    [line] = ask("class")["board"]["lines"]
    assert (line["name"], line["state"], line["step"]) == ("Ada", "stuck", "PRK_key")
    nudge = {"stuck": True, "body": "look at the first byte"}
    assert ask("class/nudge", nudge)["participants"] == 1
    assert process.stdout.readline() == "From your instructor\n"
    assert process.wait(patience(60)) == 0
    assert ask("class")["board"]["lines"] == []


def test_the_command_joins_and_says_what_it_weakens(room):
    command = ["-m", "pushlab", "join", room.url, "--browser", "firefox", "--headless"]
    # What a shell runs in the background ignores SIGINT, and so would everything that it starts.
    heeding = "env", "--default-signal=INT"
    process = room.network.start("crowd", *heeding, sys.executable, *command)
    said = [process.stdout.readline() for _ in range(3)]
    assert f"treats every page from {INSTRUCTOR} as secure" in said[0]
    assert "thrown away" in said[1] and said[2] == "Close the browser to end this.\n"
    room.until_told(lambda story: ["connect", "Firefox"] in story)
    process.send_signal(signal.SIGINT)
    assert process.wait(patience(120)) == 130


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
        assert "Only the instructor can use Notify all" in said and "on the instructor’s screen" in said
    assert full.heard() == {}, "the next test begins with its own message"


def test_notify_all_reaches_each_exactly_once(full):
    begun = time.monotonic()
    counts = full.notify_all("everybody")
    answered = time.monotonic() - begun
    assert (counts["accepted"], counts["gone"], counts["failed"]) == (CROWD + 2, 0, 0)
    rows = full.until(lambda rows: all(row["reached"] for row in rows))
    assert full.crowd.do("received", body="everybody") == [["everybody"]] * CROWD
    for seat in full.seats.values():
        shown = seat.do("shown", bodies=["everybody"])["all"]
        assert [one["body"] for one in shown] == ["everybody"]
    # The story comes by a stream of its own, and its last lines a moment later than the table.
    heard = received(full.until_told(lambda story: len(received(story)) == CROWD + 2))
    assert set(heard.values()) == {1} and len(heard) == CROWD + 2
    late = sorted(row["latency"] for row in rows)
    real = {row["browser"]: round(row["latency"]) for row in rows if row["browser"] != "Virtual"}
    middle = statistics.median(late)
    print(f"\nnotify-all to {len(rows)}: answered in {answered:.2f} s; from the send to the worker's "
          f"report: median {middle:.0f} ms, last {late[-1]:.0f} ms, {real} ms")  # fmt: skip


def test_a_pulled_cable_loses_nobody_a_message(full):
    before, old = full.heard(), full.crowd.do("bodies")
    full.pull_cables()
    first, *later = sent = ["away 1", "away 2", "away 3"]
    # The first is sent while the lab takes both for connected, the others when it knows better.
    assert full.notify_all(first)["accepted"] == CROWD + 2
    full.until(lambda rows: not any(row["connected"] for row in rows if row["name"] in REAL.values()))
    for body in later:
        assert full.notify_all(body)["accepted"] == CROWD + 2
    rows = {row["name"]: row for row in full.participants()}
    for name in REAL.values():
        away = (rows[name]["connected"], rows[name]["waiting"], rows[name]["reached"])
        assert away == (False, len(sent), False), "control: it is away, and the lab has noticed"
    for seconds, shown in full.cables_back(sent).values():
        bodies = Counter(one["body"] for one in shown)
        assert [bodies[body] for body in sent] == [1, 1, 1], f"after {seconds:.1f} s"
    full.notify_all("after")
    full.until(lambda rows: all(row["reached"] and row["waiting"] == 0 for row in rows))
    for seat in full.seats.values():
        shown = Counter(one["body"] for one in seat.do("shown", bodies=["after"])["all"])
        assert {shown[body] for body in sent} <= {0, 1} and shown["after"] == 1
    assert full.crowd.do("received", body="after") == [[*bodies, *sent, "after"] for bodies in old]
    # Each of the four has woken each worker once, and no message twice.
    all_told = before.total() + 4 * (CROWD + 2)
    told = received(full.until_told(lambda story: received(story).total() >= all_told)) - before
    assert set(told.values()) == {4} and len(told) == CROWD + 2 and set(before) <= set(told)
