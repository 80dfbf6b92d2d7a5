"""The journal: bounded, subscribable, written from any thread."""

import asyncio
import threading

import pytest

from pushlab.journal import Event, Journal, Party
from pushlab.settings import patience

UA, PS, AS = Party.USER_AGENT, Party.PUSH_SERVICE, Party.APPLICATION_SERVER


def test_an_event_prints_who_to_whom():
    journal = Journal(clock=lambda: 1.5)
    event = journal.record(PS, UA, "push message", who="Firefox", bytes=152)
    assert event == Event(1, 1.5, PS, UA, "push message", "Firefox", {"bytes": 152})
    assert str(event) == "  1 push service → user agent [Firefox]: push message"
    assert str(journal.record(AS, AS, "encrypt")) == "  2 application server: encrypt"


def test_an_event_is_plain_json():
    import json

    event = Journal(clock=lambda: 1.5).record(AS, PS, "POST message", bytes=152, topic=None)
    assert json.loads(json.dumps(event.to_json())) == {
        "number": 1, "at": 1.5, "source": "application server", "target": "push service",
        "what": "POST message", "who": "", "detail": {"bytes": 152, "topic": None},
    }  # fmt: skip


def test_a_label_tells_two_browsers_of_one_name_apart():
    event = Journal().record(UA, AS, "POST /notify-me", "Firefox", label="0d385654", status=200)
    assert event.to_json()["label"] == "0d385654" and event.detail == {"status": 200}
    assert event.named == "[Firefox 0d385654]"
    assert [Journal().record(UA, AS, "x", who).named for who in ("Ada", "")] == ["[Ada]", ""]
    assert "0d385654" not in str(event), "the lessons count on this form"


def test_only_the_last_events_are_kept_and_numbers_go_on():
    journal = Journal(size=3)
    for n in range(5):
        journal.record(UA, UA, str(n))
    assert [event.number for event in journal.events()] == [3, 4, 5]
    assert [event.what for event in journal.events(after=4)] == ["4"]


def test_a_subscriber_hears_all_until_it_leaves():
    journal, heard = Journal(), []
    leave = journal.subscribe(heard.append)
    first = journal.record(UA, UA, "one")
    leave()
    journal.record(UA, UA, "two")
    leave()
    assert heard == [first]


def test_many_threads_write_and_no_number_is_given_twice():
    journal = Journal(size=10_000)

    def write():
        for _ in range(500):
            journal.record(UA, PS, "hello")

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.number for event in journal.events()] == list(range(1, 4001))


def test_wait_for_sees_the_past_and_the_future():
    journal = Journal()
    journal.record(UA, PS, "subscribe")
    assert journal.wait_for("subscr", timeout=0).number == 1
    writer = threading.Timer(0.05, journal.record, (PS, UA, "endpoint"))
    writer.start()
    assert journal.wait_for("endpoint", after=1, timeout=patience(60)).number == 2
    writer.join()
    with pytest.raises(TimeoutError, match="no event 'subscribe'"):
        journal.wait_for("subscribe", after=1, timeout=0)


def fails(event):
    raise ZeroDivisionError("a secret")


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError, SystemExit, asyncio.CancelledError, GeneratorExit, pytest.fail.Exception],
)
def test_what_one_subscriber_raises_reaches_neither_the_writer_nor_the_other_subscribers(error):
    def raising(event):
        calls.append(event.number)
        raise error

    calls, heard = [], []
    journal = Journal()
    journal.subscribe(raising)
    journal.subscribe(heard.append)
    events = [journal.record(UA, PS, "subscribe"), journal.record(PS, UA, "endpoint")]
    assert heard == journal.events() == events
    assert calls == [1, 2], "it is called for the next event all the same"


def test_the_first_error_of_a_subscriber_is_logged_and_said_without_its_text(caplog):
    said = []
    journal = Journal(fault=said.append)
    journal.subscribe(fails)
    for _ in range(3):
        journal.record(UA, PS, "subscribe")
    (sentence,) = said
    line = fails.__code__.co_firstlineno + 1
    assert f"Your function fails raised ZeroDivisionError in line {line}" in sentence
    assert "secret" not in sentence
    (logged,) = caplog.records
    assert logged.name == "pushlab" and logged.exc_info[0] is ZeroDivisionError


def test_the_interrupt_of_a_person_passes():
    def interrupted(event):
        raise KeyboardInterrupt

    journal = Journal()
    journal.subscribe(interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.record(UA, PS, "subscribe")
    writer = threading.Thread(target=journal.record, args=(UA, PS, "in another thread"))
    writer.start()
    writer.join()
    assert journal.last == 2


async def waits(event):
    """Stand for a function that somebody would have to await."""


@pytest.mark.parametrize("wrong", [None, 7, "print", waits])
def test_what_cannot_be_called_is_no_subscriber(wrong):
    with pytest.raises(TypeError, match="must be a function"):
        Journal().subscribe(wrong)


def test_a_function_that_is_subscribed_twice_leaves_once():
    journal, heard = Journal(), []
    tell = heard.append
    leave = journal.subscribe(tell)
    journal.subscribe(tell)
    leave()
    leave()
    event = journal.record(UA, PS, "subscribe")
    assert heard == [event]
