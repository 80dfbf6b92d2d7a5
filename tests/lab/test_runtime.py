"""The laboratory: up in one call, again in a second, down without a trace."""

import itertools
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pushlab import PushOptions, settings
from pushlab.appserver import app
from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.errors import (
    BadArgument,
    BadCertificate,
    BadDatabaseUrl,
    BadHost,
    BadPort,
    BadSubject,
    BrowserFailed,
    BrowserNotFound,
    KeyFileError,
    LabError,
    LabStopped,
    NoSubscriptions,
    PortTaken,
    StoreError,
    TimedOut,
    UnknownFlavour,
)
from pushlab.lab.loop import BackgroundLoop
from pushlab.lab.runtime import LabRuntime
from pushlab.pushservice.app import PushService
from pushlab.server.limits import BoundedHTTPServer
from pushlab.settings import patience
from pushlab.useragent.virtual import VirtualUserAgent

from ..run.ports import free_port


@pytest.fixture
def lab(tmp_path):
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        yield lab


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
    first = LabRuntime(port=port, push_port=push_port, data=tmp_path)
    browser = first.open("virtual")
    browser.subscribe()
    browser.keeps_profile = True  # as an everyday browser does, which nobody closes
    second = LabRuntime(port=port, push_port=push_port, data=tmp_path)
    try:
        assert not first.running and second.running
        assert second.page_url == f"http://127.0.0.1:{port}/"
        assert second.keys.public == first.keys.public
        assert len(second.subscriptions()) == 1
        with pytest.raises(LabStopped):
            first.subscriptions()
    finally:
        second.stop()


def test_a_lab_signs_with_the_keys_of_the_environment_and_makes_no_file(tmp_path, monkeypatch):
    keys = VapidKeys.generate("mailto:me@example.org")
    for line in keys.to_env().splitlines():
        monkeypatch.setenv(*line.split("=", 1))
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        assert lab.keys == keys and lab.key_source.keys_from == "the environment"
        browser = lab.open("virtual")
        browser.subscribe()
        assert lab.notify_all().accepted == 1
    assert not (tmp_path / "vapid.env").exists()


def test_a_lab_s_own_subject_is_before_that_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("VAPID_SUBJECT", "mailto:environment@site.org")
    with LabRuntime(port=0, push_port=0, data=tmp_path, subject="mailto:me@site.org") as lab:
        assert lab.application_server.keys.subject == "mailto:me@site.org"
        assert lab.key_source.subject_from == "Lab(subject=…)"
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        assert lab.keys.subject == "mailto:environment@site.org"


def test_twenty_starts_and_stops_leave_no_thread(tmp_path):
    port, push_port = free_port(), free_port()
    before = threading.active_count()
    for _ in range(20):
        LabRuntime(port=port, push_port=push_port, data=tmp_path).stop()
    assert threading.active_count() == before


def test_stop_twice_is_harmless(lab):
    lab.stop()
    lab.stop()
    assert not lab.running


@pytest.mark.parametrize("taken", ["port", "push_port", "https_port"])
def test_a_port_that_something_else_holds(tmp_path, leaves_nothing, monkeypatch, taken):
    monkeypatch.setenv("PUSHLAB_PATIENCE", "0.1")  # It never says who it is.
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = {"port": 0, "push_port": 0, taken: other.getsockname()[1]}
        with (
            leaves_nothing(),
            pytest.raises(
                PortTaken, match=f"another program holds port {ports[taken]}|{ports[taken]}"
            ) as raised,
        ):
            LabRuntime(**ports, data=tmp_path)
        assert "Lab(port=…, push_port=…)" in str(raised.value)
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        assert lab.running, "the failure left nothing behind"


def no_database(folder: Path) -> str:
    """Write a file of this name that is no database; return its path."""
    (folder / "no-database").write_bytes(b"this is no database" * 100)
    return str(folder / "no-database")


def blocked(folder: Path, name: str) -> Path:
    """Make a data folder in which this name is taken by a folder."""
    (folder / "blocked" / name).mkdir(parents=True)
    return folder / "blocked"


def spoiled(folder: Path, name: str) -> Path:
    """Make a data folder in which this file is not what it should be."""
    (folder / "spoiled").mkdir()
    (folder / "spoiled" / name).write_bytes(b"this is neither a key nor a database" * 100)
    return folder / "spoiled"


# What cannot be started, by what is wrong: the error, and the arguments in a folder.
CANNOT_START = {
    "database in no folder": (StoreError, lambda _: {"database": "sqlite:////nowhere/at/all.sqlite3"}),
    "database that is none": (StoreError, lambda at: {"database": f"sqlite:///{no_database(at)}"}),
    "database URL that is none": (StoreError, lambda _: {"database": "no URL"}),
    "database without a driver": (StoreError, lambda _: {"database": "sqlite+nosuch:///x"}),
    "database of a wrong type": (BadDatabaseUrl, lambda _: {"database": 7}),
    "database with an option that is none": (
        BadDatabaseUrl,
        lambda _: {"database": "sqlite:///x?timeout=soon"},
    ),
    "the push service's database": (StoreError, lambda at: {"data": spoiled(at, "pushservice.sqlite3")}),
    "the application server's database": (
        StoreError,
        lambda at: {"data": spoiled(at, "appserver.sqlite3")},
    ),
    "a folder for the push service's database": (
        StoreError,
        lambda at: {"data": blocked(at, "pushservice.sqlite3")},
    ),
    "a folder for the application server's database": (
        StoreError,
        lambda at: {"data": blocked(at, "appserver.sqlite3")},
    ),
    "key file": (KeyFileError, lambda at: {"data": spoiled(at, "vapid.env")}),
    "a folder for the key file": (KeyFileError, lambda at: {"data": blocked(at, "vapid.env")}),
    "data in a file": (LabError, lambda at: {"data": Path(no_database(at)) / "data"}),
    "data is a file": (LabError, lambda at: {"data": no_database(at)}),
    "data of a wrong type": (BadArgument, lambda _: {"data": 7}),
    "data that is bytes": (BadArgument, lambda _: {"data": b"folder"}),
    "data with a NUL": (BadArgument, lambda _: {"data": "a\0b"}),
    "port over 65535": (LabError, lambda _: {"port": 70000}),
    "push port over 65535": (LabError, lambda _: {"push_port": 70000}),
    "https port over 65535": (BadPort, lambda _: {"https_port": 65536}),
    "https port of a wrong type": (BadPort, lambda _: {"https_port": "8446"}),
    "control in a room": (BadArgument, lambda _: {"host": "192.0.2.77", "control": True}),
    "port of a wrong type": (LabError, lambda _: {"port": "8292"}),
    "push port of a wrong type": (LabError, lambda _: {"push_port": 80.5}),
    "half a certificate": (BadCertificate, lambda _: {"certfile": "lab.pem"}),
    "certificate that is none": (
        BadCertificate,
        lambda at: {"certfile": no_database(at), "keyfile": no_database(at)},
    ),
    "certificate of a wrong type": (BadCertificate, lambda _: {"certfile": 7, "keyfile": 7}),
    "sender": (BadArgument, lambda _: {"sender": "pigeon"}),
    "sender of a wrong type": (BadArgument, lambda _: {"sender": 7}),
    "sender that cannot be looked up": (BadArgument, lambda _: {"sender": []}),
    "allow_endpoints of a wrong type": (BadArgument, lambda _: {"allow_endpoints": 7}),
    "allow_endpoints in place of one": (BadArgument, lambda _: {"allow_endpoints": "http://[::1]:9"}),
    "allow_endpoints that are none": (BadArgument, lambda _: {"allow_endpoints": [7]}),
    "allow_endpoints elsewhere": (BadArgument, lambda _: {"allow_endpoints": ["http://192.0.2.7"]}),
    "allow_endpoints with a port that is none": (
        BadArgument,
        lambda _: {"allow_endpoints": ["http://127.0.0.1:70000"]},
    ),
    "subject": (BadSubject, lambda _: {"subject": "me@site.org"}),
    "subject of a wrong type": (BadSubject, lambda _: {"subject": 7}),
    "empty subject": (BadSubject, lambda _: {"subject": ""}),
    "database that is the push service's": (
        BadDatabaseUrl,
        lambda folder: {"database": f"sqlite:///{folder}/data/../data/pushservice.sqlite3"},
    ),
    "flavour": (UnknownFlavour, lambda _: {"flavour": "vanilla"}),
    "flavour of a wrong type": (UnknownFlavour, lambda _: {"flavour": 7}),
    "flavour that cannot be looked up": (UnknownFlavour, lambda _: {"flavour": []}),
    "message_limit": (LabError, lambda _: {"message_limit": 0}),
    "message_limit of a wrong type": (LabError, lambda _: {"message_limit": "x"}),
    "host": (BadHost, lambda _: {"host": "192.0.2.77"}),
    "host of a wrong type": (BadHost, lambda _: {"host": None}),
    "host as a number": (BadHost, lambda _: {"host": 0x7F000001}),
    "host as bytes": (BadHost, lambda _: {"host": b"\x7f\0\0\1"}),
    "port that is true": (BadPort, lambda _: {"port": True}),
    "negative port": (BadPort, lambda _: {"push_port": -1}),
}


@pytest.mark.parametrize("wrong", CANNOT_START)
def test_a_lab_that_cannot_be_started_leaves_nothing(tmp_path, monkeypatch, leaves_nothing, wrong):
    """No thread and no port; the next Lab() used to report that another kernel held them."""
    error, arguments = CANNOT_START[wrong]
    monkeypatch.setenv("PUSHLAB_PORT", str(free_port()))
    monkeypatch.setenv("PUSHLAB_PUSH_PORT", str(free_port()))
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path / "data"))
    with leaves_nothing():
        with pytest.raises(error):
            LabRuntime(**arguments(tmp_path))
        assert LabRuntime._running is None
        LabRuntime().stop()


def test_a_lab_works_after_one_that_could_not_be_started(tmp_path, monkeypatch):
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path / "data"))
    for error, arguments in (CANNOT_START[name] for name in ("key file", "flavour", "host")):
        with pytest.raises(error):
            LabRuntime(**arguments(tmp_path))
    with LabRuntime() as lab:
        browser = lab.open("virtual")
        browser.subscribe()
        browser.notify_me()
        browser.wait_for_notification()


STEPS = [
    (BackgroundLoop, "__init__"),
    (PushService, "start"),
    (LabRuntime, "_connect_overrides"),
    (ApplicationServer, "__init__"),
    (ApplicationServer, "start"),
    (app, "application"),
    (BoundedHTTPServer, "add_socket"),
]


@pytest.mark.parametrize(("owner", "step"), STEPS, ids=lambda value: getattr(value, "__name__", value))
def test_whatever_fails_half_way_is_undone(tmp_path, monkeypatch, leaves_nothing, owner, step):
    def broken(*_, **__):
        raise RuntimeError("half-way")

    with leaves_nothing():
        with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="half-way"):
            patch.setattr(owner, step, broken)
            LabRuntime(port=0, push_port=0, data=tmp_path)
        LabRuntime(port=0, push_port=0, data=tmp_path).stop()


@pytest.mark.parametrize("waits", [0, 1])
@pytest.mark.parametrize("started", [False, True], ids=["before it has begun", "when it has ended"])
def test_a_start_that_is_interrupted_is_undone(tmp_path, monkeypatch, leaves_nothing, waits, started):
    """The kernel's interrupt comes while Lab() waits for its first server, or for its second."""
    real, left = LabRuntime.run, itertools.count(waits, -1)

    def interrupted(self, coroutine, *how):
        if next(left):
            return real(self, coroutine, *how)
        real(self, coroutine, *how) if started else self.submit(coroutine)
        raise KeyboardInterrupt

    with leaves_nothing():
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(LabRuntime, "run", interrupted)
            LabRuntime(port=0, push_port=0, data=tmp_path)
        LabRuntime(port=0, push_port=0, data=tmp_path).stop()


@pytest.mark.parametrize(
    ("owner", "step"),
    [(VirtualUserAgent, "close"), (ApplicationServer, "stop"), (PushService, "stop")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_fails_while_it_stops_keeps_nothing_else_from_stopping(
    tmp_path, monkeypatch, leaves_nothing, owner, step
):
    async def fail_at_the_end(self):
        await real(self)
        raise RuntimeError("this step fails")

    real = getattr(owner, step)
    with leaves_nothing(), monkeypatch.context() as patch:
        patch.setattr(owner, step, fail_at_the_end)
        lab = LabRuntime(port=0, push_port=0, data=tmp_path)
        lab.open("virtual")
        with pytest.raises(RuntimeError, match="this step fails"):
            lab.stop()
        lab.stop()
        assert not lab.running


def together(calls: list) -> list:
    """Make all calls at one time, each in a thread of its own; return what each gives or raises."""
    begin, given = threading.Barrier(len(calls)), [None] * len(calls)

    def make(number: int) -> None:
        begin.wait()
        try:
            given[number] = calls[number]()
        except Exception as error:  # noqa: BLE001  # the test looks at it
            given[number] = error

    threads = [threading.Thread(target=make, args=[number]) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience(60))
    return given


def test_labs_that_start_at_one_time_are_one_lab_at_the_end(tmp_path, leaves_nothing):
    with leaves_nothing():
        labs = together([lambda: LabRuntime(port=0, push_port=0, data=tmp_path)] * 6)
        assert all(isinstance(lab, LabRuntime) for lab in labs), labs
        (runs,) = [lab for lab in labs if lab.running]
        assert LabRuntime._running is runs
        assert [lab._thread.alive for lab in labs].count(True) == 1
        assert runs.subscriptions() == []
        runs.stop()


def test_a_lab_that_is_stopped_from_several_threads_is_stopped_once(tmp_path, leaves_nothing):
    for _ in range(5):
        with leaves_nothing():
            lab = LabRuntime(port=0, push_port=0, data=tmp_path)
            lab.open("virtual").subscribe()
            assert together([lab.stop] * 6) == [None] * 6
            assert not lab.running and not lab._thread.alive


def test_starts_and_stops_at_one_time_leave_one_lab_or_none_and_none_by_half(tmp_path, leaves_nothing):
    with leaves_nothing():
        first = LabRuntime(port=0, push_port=0, data=tmp_path)
        start = lambda: LabRuntime(port=0, push_port=0, data=tmp_path)
        given = together([first.stop, start, first.stop, start, first.stop])
        assert [type(one) for one in given if one] == [LabRuntime, LabRuntime], given
        assert not first.running
        (runs,) = [one for one in given if one and one.running]
        runs.stop()


def test_environment_decides_what_is_not_given(tmp_path, monkeypatch):
    port = free_port()
    monkeypatch.setenv("PUSHLAB_PORT", str(port))
    monkeypatch.setenv("PUSHLAB_PUSH_PORT", "0")
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path / "data"))
    with LabRuntime() as lab:
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
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
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
    with LabRuntime(port=0, push_port=0, data=tmp_path, sender="pywebpush") as lab:
        browser = lab.open("virtual")
        browser.subscribe()
        browser.notify_me()
        assert browser.wait_for_notification().title == "Hello, Notifications!"


def test_a_browser_that_is_cut_off_is_closed_without_unsubscribing(lab):
    browser = lab.open("virtual")
    browser.subscribe()
    lab.run(browser.agent.disconnect())
    browser.close()
    assert lab.open("virtual") is not browser
    assert len(lab.subscriptions()) == 1  # As in life, the server does not know.


def test_a_lab_in_a_vendors_flavour_and_the_sender_that_understands_it(tmp_path):
    with LabRuntime(port=0, push_port=0, data=tmp_path, flavour="wns", message_limit=1) as lab:
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
        LabRuntime(port=0, push_port=0, data=tmp_path / "another", flavour="vanilla")
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
    monkeypatch.setattr("pushlab.lab.network.is_loopback", lambda host: False)
    tokens = []
    for _ in range(2):
        with LabRuntime(port=0, push_port=0, data=tmp_path, host="127.0.0.1") as lab:
            tokens.append(lab.invitation.token)
            browser = lab.open("virtual")
            browser.subscribe()
            with pytest.raises(BrowserFailed, match="for the instructor"):
                browser.notify_all()
            assert lab.notify_all().accepted == 1, "the notebook is the instructor's"
            shown = repr([event.to_json() for event in lab.journal.events()])
            assert tokens[-1] not in shown + repr(lab) + repr(lab.invitation)
    assert tokens[0] != tokens[1] and all(len(token) == 32 for token in tokens)
    monkeypatch.setenv("PUSHLAB_TOKEN", "my-own-token")
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        assert lab.invitation.token == "my-own-token"
    monkeypatch.setenv("PUSHLAB_TOKEN", "two words")
    with pytest.raises(LabError, match="letters, digits"):
        LabRuntime(port=0, push_port=0, data=tmp_path)
    for short in ("a", "my-own-toke"):
        monkeypatch.setenv("PUSHLAB_TOKEN", short)
        with pytest.raises(LabError, match="PUSHLAB_TOKEN has 1?1 characters, and needs 12") as told:
            LabRuntime(port=0, push_port=0, data=tmp_path)
        assert "my-own" not in str(told.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost", "192.0.2.77"])
def test_a_lab_listens_at_one_address_of_this_machine(lab, tmp_path, host):
    with pytest.raises(BadHost):
        LabRuntime(port=0, push_port=0, data=tmp_path / "another", host=host)
    assert lab.running


@pytest.mark.usefixtures("programs")
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


READERS = {
    "subscriptions": lambda lab: lab.subscriptions(),
    "the newest subscriptions": lambda lab: lab.newest_subscriptions(10),
    "runs": lambda lab: lab.runs(),
    "room": lambda lab: lab.room(),
}


@pytest.mark.parametrize("name", READERS)
def test_both_servers_answer_while_the_database_is_read(lab, name):
    """The event loop must not wait for the database: it serves both parties."""
    read, answers = threading.Event(), []

    def ask() -> None:
        answers.append(READERS[name](lab))
        read.set()

    asking = threading.Thread(target=ask)
    with lab.application_server.store._engine.begin():
        asking.start()
        for url in (lab.application_server.url, f"{lab.push_service.origin}/"):
            with settings.DIRECT.open(url, timeout=10) as answer:
                assert answer.status == 200
        assert not read.is_set(), "it does wait for the database"
    assert read.wait(20)
    asking.join()
    assert answers == [(0, [])] if "newest" in name else answers == [[]]


def test_the_newest_subscriptions_and_how_many_there_are(lab):
    for name in ("Ada", "Bob", "Cy"):
        lab.open("virtual", name=name).subscribe()
    count, newest = lab.newest_subscriptions(2)
    assert count == 3 and newest == lab.subscriptions()[-2:]
    assert lab.newest_subscriptions(0) == (3, [])
    assert lab.newest_subscriptions(10) == (3, lab.subscriptions())


@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
def test_the_port_that_a_scheme_has_anyway(tmp_path, sender):
    """An origin is written without it, in the token too (RFC 6454 §6.2)."""
    try:
        socket.create_server(("127.0.0.80", 80)).close()
    except OSError:
        pytest.skip("this user may not listen at port 80, or somebody does")
    with LabRuntime(host="127.0.0.80", port=0, push_port=80, data=tmp_path, sender=sender) as lab:
        assert lab.push_service.origin == "http://127.0.0.80"
        assert lab.push_service.ws_url == "ws://127.0.0.80/"
        browser = lab.open("virtual")
        browser.subscribe()
        browser.notify_me()
        browser.wait_for_notification()
        assert lab.notify_all().accepted == 1
    with LabRuntime(host="127.0.0.80", port=80, push_port=0, data=tmp_path, sender=sender) as lab:
        assert lab.page_url == "http://127.0.0.80/"
        browser = lab.open("virtual")
        browser.subscribe()
        browser.notify_me()
        browser.wait_for_notification()
