"""The journal: bounded, subscribable, written from any thread."""

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
