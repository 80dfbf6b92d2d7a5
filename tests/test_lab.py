"""The laboratory: up in one call, again in a second, down without a trace."""

import socket
import subprocess
import sys
import threading

import pytest

from pushlab import PushOptions
from pushlab.errors import (
    BadHost,
    BrowserFailed,
    BrowserNotFound,
    LabError,
    LabStopped,
    NoSubscriptions,
    PortTaken,
    TimedOut,
    UnknownFlavour,
)
from pushlab.lab import Lab
from pushlab.settings import patience


@pytest.fixture
def lab(tmp_path):
    with Lab(port=0, push_port=0, data=tmp_path) as lab:
        yield lab


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_whole_loop(lab):
    browser = lab.open("virtual")
    assert browser.state in ("unregistered", "registered")
    browser.subscribe()
    assert browser.state == "subscribed"
    assert len(lab.subscriptions()) == 1
    browser.notify_me()
    assert browser.wait_for_notification().title == "Hello, Notifications!"
    lab.wait_for("acknowledge")
    browser.unsubscribe()
    assert browser.state == "registered"
    assert lab.subscriptions() == []


def test_sending_from_the_notebook(lab):
    browser = lab.open("virtual")
    browser.subscribe()
    stored = lab.subscriptions()[0]
    outcome = lab.notify(stored.subscription.endpoint, "Hi", "you", PushOptions(ttl=60))
    assert (outcome.kind, outcome.status) == ("accepted", 201)
    assert browser.wait_for_notification(title="Hi", body="you")
    counts = lab.notify_all("Hi", "all")
    assert (counts.accepted, counts.gone, counts.failed) == (1, 0, 0)
    assert browser.wait_for_notification(body="all")
    assert lab.notify_all("Hi", "all", resume=counts.run).done == 0, "it was accepted"
    assert [run.outcomes for run in lab.runs()] == [{"accepted": 1}]


def test_notify_all_with_nobody_there(lab):
    with pytest.raises(NoSubscriptions):
        lab.notify_all()


def test_running_the_cell_again_stops_the_old_lab_and_keeps_keys_and_subscriptions(tmp_path):
    port, push_port = free_port(), free_port()
    first = Lab(port, push_port, tmp_path)
    browser = first.open("virtual")
    browser.subscribe()
    browser.keeps_profile = True  # as an everyday browser does, which nobody closes
    second = Lab(port, push_port, tmp_path)
    try:
        assert not first.running and second.running
        assert second.page_url == f"http://127.0.0.1:{port}/"
        assert second.keys.public == first.keys.public
        assert len(second.subscriptions()) == 1
        with pytest.raises(LabStopped):
            first.subscriptions()
    finally:
        second.stop()


def test_twenty_starts_and_stops_leave_no_thread(tmp_path):
    port, push_port = free_port(), free_port()
    before = threading.active_count()
    for _ in range(20):
        Lab(port, push_port, tmp_path).stop()
    assert threading.active_count() == before


def test_stop_twice_is_harmless(lab):
    lab.stop()
    lab.stop()
    assert not lab.running


@pytest.mark.parametrize("taken", ["port", "push_port"])
def test_a_port_that_something_else_holds(tmp_path, taken):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = {"port": 0, "push_port": 0, taken: other.getsockname()[1]}
        before = threading.active_count()
        with pytest.raises(PortTaken, match=str(ports[taken])) as told:
            Lab(**ports, data=tmp_path)
        assert "Kernel" in str(told.value)
        assert threading.active_count() == before
    with Lab(port=0, push_port=0, data=tmp_path) as lab:
        assert lab.running, "the failure left nothing behind"


def test_environment_decides_what_is_not_given(tmp_path, monkeypatch):
    port = free_port()
    monkeypatch.setenv("PUSHLAB_PORT", str(port))
    monkeypatch.setenv("PUSHLAB_PUSH_PORT", "0")
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path / "data"))
    with Lab() as lab:
        assert lab.page_url == f"http://127.0.0.1:{port}/"
        assert (tmp_path / "data" / "vapid.env").is_file()


def test_open_twice_is_one_browser_and_names_make_more(lab):
    one = lab.open("virtual")
    assert lab.open("virtual") is one
    two = lab.open("virtual", name="Ada")
    assert two is not one and two.name == "Ada"
    one.subscribe()
    two.subscribe()
    assert lab.notify_all(body="both").accepted == 2
    assert one.wait_for_notification(body="both") and two.wait_for_notification(body="both")


def test_closing_a_throw_away_browser_leaves_no_dead_subscription(lab):
    browser = lab.open("virtual")
    browser.subscribe()
    browser.close()
    assert lab.subscriptions() == []
    assert lab.open("virtual") is not browser


def test_a_browser_that_does_not_exist(lab):
    with pytest.raises(BrowserNotFound, match="netscape"):
        lab.open("netscape")


def test_what_takes_too_long_is_said_so(lab):
    with pytest.raises(TimedOut):
        lab.wait_for("an event that never comes", timeout=0)
    with pytest.raises(TimedOut):
        lab.open("virtual").wait_for_notification(timeout=0.1)


def test_nothing_is_printed_from_the_thread(tmp_path, capfd):
    with Lab(port=0, push_port=0, data=tmp_path) as lab:
        browser = lab.open("virtual")
        browser.subscribe()
        browser.notify_me()
        browser.wait_for_notification()
    assert capfd.readouterr() == ("", "")


def test_the_labs_thread_does_not_wait_for_itself(lab):
    seen = []

    async def on_the_loop():
        try:
            lab.subscriptions()
        except RuntimeError as error:
            seen.append(str(error))

    lab.run(on_the_loop())
    assert "await" in seen[0]


def test_pywebpush_as_the_sender(tmp_path):
    with Lab(port=0, push_port=0, data=tmp_path, sender="pywebpush") as lab:
        browser = lab.open("virtual")
        browser.subscribe()
        browser.notify_me()
        assert browser.wait_for_notification().title == "Hello, Notifications!"


def test_a_browser_that_is_cut_off_leaves_without_a_goodbye(lab):
    browser = lab.open("virtual")
    browser.subscribe()
    lab.run(browser.agent.disconnect())
    browser.close()
    assert lab.open("virtual") is not browser
    assert len(lab.subscriptions()) == 1  # As in life: nobody has told the server.


def test_a_lab_in_a_vendors_flavour_and_the_sender_that_understands_it(tmp_path):
    with Lab(port=0, push_port=0, data=tmp_path, flavour="wns", message_limit=1) as lab:
        browser = lab.open("virtual")
        browser.subscribe()
        endpoint = lab.subscriptions()[0].subscription.endpoint
        never = lab.notify(endpoint, options=PushOptions(ttl=0))
        assert (never.kind, never.status) == ("refused", 400)
        assert "TTL is 0 or missing" in never.text
        assert lab.wait_for("400").detail == {"error": "bad-ttl"}
        assert lab.notify(endpoint).kind == "accepted"
        browser.wait_for_notification()
        lab.wait_for("acknowledge")
        lab.run(browser.agent.disconnect())
        assert lab.notify(endpoint).kind == "accepted"  # It waits, and there is room for one.
        dropped = lab.notify(endpoint)
        assert (dropped.kind, dropped.status, dropped.attempts) == ("refused", 406, 1)
        assert "too many messages and dropped this one" in dropped.text
        assert len(lab.subscriptions()) == 1


def test_a_flavour_that_nobody_has_stops_no_lab(lab, tmp_path):
    with pytest.raises(UnknownFlavour, match="strict, mozilla, fcm, apple, wns"):
        Lab(port=0, push_port=0, data=tmp_path / "another", flavour="vanilla")
    assert lab.running


def test_a_lab_of_this_machine_alone_is_no_room(lab):
    assert lab.invitation is None
    browser = lab.open("virtual", name="Ada")
    browser.subscribe()
    browser.notify_all()  # Nobody is asked for a token.
    browser.wait_for_notification()
    (row,) = lab.room()
    assert (row.name, row.browser, row.connected) == ("Ada", "Virtual", True)
    lab.run(browser.agent.disconnect())
    lab.wait_for("disconnect")
    lab.notify_all()
    (row,) = lab.room()
    assert (row.connected, row.waiting, row.reached) == (False, 1, False)


def test_a_room_has_a_token_that_is_nowhere_but_in_the_instructor_s_link(tmp_path, monkeypatch):
    # This machine's own address, taken for one of a network.
    monkeypatch.setattr("pushlab.localnet.is_loopback", lambda host: False)
    tokens = []
    for _ in range(2):
        with Lab(port=0, push_port=0, data=tmp_path, host="127.0.0.1") as lab:
            tokens.append(lab.invitation.token)
            browser = lab.open("virtual")
            browser.subscribe()
            with pytest.raises(BrowserFailed, match="for the instructor"):
                browser.notify_all()
            assert lab.notify_all().accepted == 1, "the notebook is the instructor's"
            told = repr([event.to_json() for event in lab.journal.events()])
            assert tokens[-1] not in told + repr(lab) + repr(lab.invitation)
    assert tokens[0] != tokens[1] and all(len(token) == 32 for token in tokens)
    monkeypatch.setenv("PUSHLAB_TOKEN", "my-own-token")
    with Lab(port=0, push_port=0, data=tmp_path) as lab:
        assert lab.invitation.token == "my-own-token"
    monkeypatch.setenv("PUSHLAB_TOKEN", "two words")
    with pytest.raises(LabError, match="letters, digits"):
        Lab(port=0, push_port=0, data=tmp_path)


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost", "192.0.2.77"])
def test_a_lab_listens_at_one_address_of_this_machine(lab, tmp_path, host):
    with pytest.raises(BadHost):
        Lab(port=0, push_port=0, data=tmp_path / "another", host=host)
    assert lab.running


def test_a_program_that_ends_with_an_open_lab_ends_quietly(tmp_path):
    program = (
        "from pushlab import Lab\n"
        f"lab = Lab(port=0, push_port=0, data={str(tmp_path)!r})\n"
        "lab.open('virtual').subscribe()\n"
        "print('end')"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience(120))
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")
