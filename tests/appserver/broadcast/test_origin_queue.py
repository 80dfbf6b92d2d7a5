"""What the refusals of a push service mean for those who wait: nothing, a pause, or the end."""

from collections import deque
from itertools import count

import pytest

from pushlab.appserver.broadcast.congestion import CongestionWindow
from pushlab.appserver.broadcast.origin_queue import (
    CLOSE_AFTER,
    CLOSE_AT_LAST,
    FEW,
    MANY,
    PROBE_CLOSED,
    PROBE_PAUSE,
    PROBES_PER_SECOND,
    PROBES_PER_SECOND_SERVED,
    OriginQueue,
)

YEAR = 365 * 24 * 3600.0


class Queue(OriginQueue):
    """A queue whose every request is answered at once, as the test says."""

    def take(self, now=0.0):
        """Begin the next message, and return it."""
        assert self.ready and self.begin(now)
        return (self.waiting or self.again).popleft()

    def refuse(self, about="push service", asked=0.0, now=0.0) -> float | None:
        """Begin the next message, refuse it, and return how long the pause is that begins."""
        self.take(now)
        self.refused(now, about, asked)
        self.under_way -= 1
        return self.pause(now)

    def accept(self, now=0.0) -> None:
        self.take(now)
        self.answered(now)
        self.under_way -= 1


def queue(waiting=1000, start=100) -> Queue:
    return Queue(CongestionWindow(start=start), waiting=deque(range(waiting)))


def test_it_is_ready_while_somebody_waits_and_there_is_room():
    assert not queue(0).ready
    one = queue(3, start=2)
    assert one.ready
    one.under_way = 2
    assert not one.ready
    one = Queue(again=deque(["somebody"]))
    assert one.ready, "who is due again counts"


@pytest.mark.parametrize("about", ["recipient", "message"])
def test_a_refusal_about_one_recipient_changes_nothing_for_others(about):
    one = queue()
    for _ in range(MANY - 1):
        assert one.refuse(about, asked=YEAR) is None
        assert one.ready
    assert (one.window.size, one.state) == (100, "open")


@pytest.mark.parametrize("about", ["sender", "push service"])
def test_one_about_all_halves_what_may_be_under_way(about):
    one = queue()
    assert one.refuse(about) is None
    assert one.window.size == 50 and one.ready


def test_unless_it_is_a_small_part_of_the_answers():
    one = queue()
    for _ in range(200):
        for _ in range(9):
            one.accept()
        one.refuse()
        one.waiting.extend(range(10))
    assert one.window.size >= 100, "one in ten has a reason of their own"
    size = one.window.size
    for _ in range(MANY - 1):
        one.refuse()
    assert one.window.size <= size / 2, "and if it is more, it is the push service"


def test_while_a_push_service_asks_for_a_pause_nobody_begins():
    one = queue(start=2)
    assert one.refuse(asked=3) == 3
    assert not one.ready
    one.resume(1)
    assert one.ready and one.state == "probing"


def test_somebody_who_is_served_meanwhile_ends_it():
    one = queue()
    one.take()
    assert one.refuse(asked=3) == 3
    one.answered(now=1)
    assert one.ready and one.state == "open"
    one.resume(1)
    assert one.state == "open", "a pause that is over by itself changes nothing then"
    assert [one.refuse(asked=3, now=2) for _ in range(FEW - 1)] == [None] * (FEW - 1)
    assert one.refuse(asked=3, now=2) == 3, "the last answers were all refusals"
    one.resume(1)
    assert one.state == "paused", "that was the pause before"


def test_many_refusals_of_any_kind_and_nothing_else_are_followed_by_a_pause_and_probes():
    one = queue()
    assert [one.refuse("recipient", YEAR) for _ in range(MANY - 1)] == [None] * (MANY - 1)
    assert one.refuse("recipient", YEAR) == PROBE_PAUSE
    one.resume(1)
    waits = [one.refuse("recipient", YEAR) for _ in range(PROBES_PER_SECOND)]
    assert waits == [None] * (PROBES_PER_SECOND - 1) + [PROBE_PAUSE]


def test_a_push_service_that_has_served_somebody_gets_more_probes_unless_it_asks_for_a_pause():
    for asked, rate in ((0, PROBES_PER_SECOND_SERVED), (1, PROBES_PER_SECOND)):
        one = queue()
        one.accept()
        pauses = [one.refuse(asked=asked) for _ in range(FEW if asked else MANY)]
        assert pauses[-1] == PROBE_PAUSE
        one.resume(1)
        assert [one.refuse() for _ in range(rate)] == [None] * (rate - 1) + [PROBE_PAUSE]


def test_a_pause_that_is_asked_for_is_kept_as_long_as_the_sender_waits_at_all():
    for asked in (CLOSE_AFTER, 60, YEAR):
        one = queue()
        assert one.refuse(asked=asked) == CLOSE_AFTER
        assert not one.ready, "no probe before"


def test_probes_are_picked_at_random():
    one = queue()
    one.refuse(asked=1)
    before = list(one.waiting)
    one.resume(1)
    assert list(one.waiting) != before and sorted(one.waiting) == before


def test_the_next_pause_begins_when_all_probes_are_refused():
    one = queue(start=50)
    one.refuse(asked=1)
    one.resume(1)
    for _ in range(PROBES_PER_SECOND):
        one.take()
    assert not one.ready
    for number in range(PROBES_PER_SECOND):
        one.refused(2, "push service", 4)
        one.under_way -= 1
        last = number == PROBES_PER_SECOND - 1
        assert one.pause(2) == (4 if last else None)


def test_one_probe_that_is_served_opens_it():
    one = queue()
    one.refuse(asked=1)
    one.resume(1)
    one.accept()
    assert one.state == "open"
    assert one.refuse(asked=1) is None, "what was before is forgotten"


def closed(about="push service", asked=YEAR) -> tuple[Queue, float]:
    """Return a queue that is closed, and the time."""
    one, now = queue(), 100.0
    for number in count(1):
        while (pause := one.refuse(about, asked, now)) is None:
            if one.state == "closed":
                return one, now
        now += pause
        one.resume(number)
    raise AssertionError


@pytest.mark.parametrize("about", ["push service", "recipient"])
@pytest.mark.parametrize("asked", [0, 4.0, YEAR])
def test_it_is_closed_when_nobody_was_served_for_long(about, asked):
    one, now = closed(about, asked)
    assert now - 100 >= CLOSE_AFTER
    assert now - 100 < CLOSE_AFTER + max(4, PROBE_PAUSE), "and not much later"
    begun = 1000 - len(one.waiting)
    assert begun <= MANY + (now - 100) * PROBES_PER_SECOND, "it does not go on asking"


def test_few_refusals_that_take_long_make_it_pause_and_close_it_later():
    one = queue()
    assert one.refuse(now=0) is None
    assert one.refuse(now=CLOSE_AFTER - 1) is None
    assert one.refuse(now=CLOSE_AFTER) == PROBE_PAUSE
    for number, now in enumerate((CLOSE_AFTER, CLOSE_AT_LAST - 1, CLOSE_AT_LAST), 1):
        one.resume(number)
        for _ in range(PROBES_PER_SECOND):
            one.refuse(now=now)
        assert one.state == ("closed" if now == CLOSE_AT_LAST else "paused")


def test_it_is_not_closed_before_many_were_picked_at_random():
    one = queue()
    for _ in range(MANY):  # in their order, in which those may be first who are refused for themselves
        one.refuse("recipient")
    one.resume(1)
    for _ in range(PROBES_PER_SECOND):  # The last one has taken its time.
        one.refuse("recipient", now=CLOSE_AFTER + 30)
    assert one.state == "paused"


def test_in_doubt_those_who_were_refused_are_probes_like_the_others():
    one = queue(500)
    one.again.extend(range(500))
    assert one.prefers_again(), "usually they are first, since they have waited"
    one.refuse(asked=1)
    one.resume(1)
    picked = [one.prefers_again() for _ in range(200)]
    assert 20 < picked.count(True) < 180
    one.again.clear()
    assert not one.prefers_again()


def test_a_closed_one_gives_up_who_waits_but_tries_one_now_and_then():
    one, now = closed()
    assert one.ready and not one.begin(now) and not one.begin(now + PROBE_CLOSED / 2)
    assert one.begin(now + PROBE_CLOSED)
    assert not one.begin(now + PROBE_CLOSED), "one at a time"
    one.refused(now + PROBE_CLOSED, "push service", 0)
    one.under_way -= 1
    assert one.pause(now + PROBE_CLOSED) is None and one.state == "closed"
    assert one.begin(now + 2 * PROBE_CLOSED)
    one.answered(now + 2 * PROBE_CLOSED)
    one.under_way -= 1
    assert one.state == "open" and one.begin(now + 2 * PROBE_CLOSED)


def test_a_closed_one_gives_up_at_once_even_if_there_is_no_room():
    one, _ = closed()
    one.under_way = one.window.size
    assert one.ready and not one.begin(YEAR)


def test_where_everybody_has_been_asked_each_tries_again_at_a_time_of_their_own():
    one = queue(MANY + 1)
    for _ in range(MANY):
        one.refuse("recipient")
    one.resume(1)
    assert one.refuse("recipient") is None and not one.waiting
    one.again.extend(range(PROBES_PER_SECOND - 1))
    waits = [one.refuse("recipient", now=CLOSE_AFTER) for _ in range(PROBES_PER_SECOND - 1)]
    assert set(waits) == {None} and one.state == "open"
