"""A function of a notebook, called for each event: whatever it does, the servers go on."""

import threading

import pytest

from pushlab import settings
from pushlab.errors import LabStopped
from pushlab.journal import Journal, Party
from pushlab.lab.listener import Listener
from pushlab.lab.runtime import LabRuntime
from pushlab.settings import patience

UA, PS = Party.USER_AGENT, Party.PUSH_SERVICE


@pytest.fixture
def lab(tmp_path):
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        yield lab


def status_of(lab, path: str) -> int:
    with settings.DIRECT.open(f"{lab.application_server.url}{path}", timeout=patience(10)) as answer:
        return answer.status


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_a_function_that_raises_breaks_no_server_and_is_named_once(lab, capfd, error):
    def draw_it(event):
        calls.append(event)
        if len(calls) == 3:
            called.set()
        raise error("a secret")

    calls, called = [], threading.Event()
    lab.on_event(draw_it)
    assert [status_of(lab, "vapid") for _ in range(3)] == [200] * 3
    assert called.wait(patience(30)), "it is called again"
    lab.subscriptions()
    lab.subscriptions()
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1
    assert f"Your function draw_it raised {error.__name__} in line" in err and "secret" not in err


def test_a_function_that_does_not_return_holds_nobody_up(lab):
    entered, leave, heard = threading.Event(), threading.Event(), threading.Event()

    def slow(event):
        entered.set()
        leave.wait(patience(60))

    lab.on_event(slow)
    lab.on_event(lambda event: heard.set())
    assert status_of(lab, "vapid") == 200
    assert entered.wait(patience(30)) and heard.wait(patience(30))
    assert status_of(lab, "vapid") == 200
    assert not leave.is_set()
    leave.set()


def test_a_function_may_use_the_lab_and_end_itself(lab):
    found, ended = [], threading.Event()

    def ask(event):
        found.append(lab.subscriptions())
        end()
        ended.set()

    end = lab.on_event(ask)
    status_of(lab, "vapid")
    assert ended.wait(patience(30))
    status_of(lab, "vapid")
    lab.subscriptions()
    assert found == [[]]


def test_its_thread_ends_with_the_lab(tmp_path, leaves_nothing, monkeypatch):
    monkeypatch.setattr("pushlab.lab.listener.END_SECONDS", patience(30))
    with leaves_nothing(), LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        lab.on_event(print)
        lab.on_event(lambda event: None)()
    with pytest.raises(LabStopped):
        lab.on_event(print)


def test_each_event_comes_once_and_in_order():
    journal, heard, last = Journal(), [], threading.Event()

    def tell(event):
        heard.append(event.number)
        if event.what == "last":
            last.set()

    journal.record(UA, PS, "before")
    listener = Listener(journal, tell, fault=print)
    for number in range(200):
        journal.record(UA, PS, str(number))
    journal.record(UA, PS, "last")
    assert last.wait(patience(30))
    listener.end()
    listener.end()
    journal.record(UA, PS, "after")
    assert heard == list(range(2, 203))


def test_a_progress_that_raises_stops_no_notify_all(lab, capfd):
    for name in ("Ada", "Bob", "Cy"):
        lab.open("virtual", name=name).subscribe()
    counts = lab.notify_all(progress=lambda counts: counts.no_such_thing)
    assert counts.accepted == 3
    assert capfd.readouterr().err.count("raised AttributeError") == 1
