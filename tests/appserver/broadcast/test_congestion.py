"""The window grows where that brings more messages a second, and shrinks when it is told to."""

import heapq

import pytest

from pushlab.appserver.broadcast.congestion import (
    HOLD_ROUNDS,
    INITIAL_WINDOW,
    MAX_IN_FLIGHT,
    CongestionWindow,
)


def simulate(
    window: CongestionWindow, messages: int, seconds: float, most_a_second: float = 1e9
) -> float:
    """Send through a window to a push service on a clock of its own; return how long it took.

    It answers after ``seconds``, and later if it is asked for more than ``most_a_second``.
    """
    now, free_at, under_way = 0.0, 0.0, []
    while messages or under_way:
        while messages and len(under_way) < window.size:
            free_at = max(now, free_at) + 1 / most_a_second
            heapq.heappush(under_way, max(now + seconds, free_at))
            messages -= 1
        now = heapq.heappop(under_way)
        window.answered(now, full=messages > 0)
    return now


def test_it_starts_moderate():
    assert CongestionWindow().size == INITIAL_WINDOW and 50 <= INITIAL_WINDOW <= 100


def test_it_grows_when_answers_are_slow():
    window = CongestionWindow()
    seconds = simulate(window, 5000, seconds=0.1)
    assert window.size == MAX_IN_FLIGHT >= 200
    assert seconds < 0.4 * 5000 / INITIAL_WINDOW * 0.1, "and that is worth it"


@pytest.mark.parametrize("most_a_second", [300, 3000])
def test_it_does_not_grow_where_that_brings_nothing(most_a_second):
    window, largest = CongestionWindow(), 0

    class Watched:
        def answered(self, now, full):
            nonlocal largest
            window.answered(now, full)
            largest = max(largest, window.size)

        @property
        def size(self):
            return window.size

    simulate(Watched(), 20 * INITIAL_WINDOW, seconds=0.001, most_a_second=most_a_second)
    assert largest == 4 * INITIAL_WINDOW, "it has tried"
    assert window.size == 2 * INITIAL_WINDOW


def test_it_does_not_grow_where_a_response_takes_seconds_already():
    window, sizes = CongestionWindow(), [INITIAL_WINDOW]

    class Noted:
        size = property(lambda self: sizes.append(window.size) or window.size)
        answered = window.answered

    # 400 under way would take 33 s, and a request is given up after 30.
    simulate(Noted(), 3000, seconds=0.1, most_a_second=12)
    # The first round has no rate, so the window grows once before anything is known.
    assert max(sizes) == 2 * INITIAL_WINDOW


def test_it_tries_again_later():
    window = CongestionWindow(start=10)
    simulate(window, 100, seconds=0.001, most_a_second=1000)
    assert window.size == 20
    tries = 0
    for number in range(20 * 2 * (HOLD_ROUNDS + 3)):
        before = window.size
        window.answered(100 + number / 1000, full=True)
        tries += window.size > before
    assert tries == 2


def test_a_window_that_is_not_used_up_stays():
    window = CongestionWindow(start=4)
    for number in range(1000):
        window.answered(number / 10, full=False)
    assert window.size == 4


def test_answers_at_the_same_moment_are_no_rate():
    window = CongestionWindow(start=2)
    for _ in range(100):
        window.answered(1.0, full=True)
    assert window.size == 4, "only the first round is believed"


def test_refusals_of_one_burst_halve_it_once():
    window = CongestionWindow(start=64)
    for _ in range(64):
        window.refused()
    assert window.size == 32
    window.refused()
    assert window.size == 16


def test_good_answers_of_that_burst_count_as_heard():
    window = CongestionWindow(start=4)
    window.refused()
    for now in (1, 1, 1):
        window.answered(now, full=True)
    window.refused()
    assert window.size == 1


def test_it_is_never_zero():
    window = CongestionWindow(start=4)
    for _ in range(100):
        window.refused()
    assert window.size == 1


def test_after_a_refusal_it_grows_by_adding():
    window = CongestionWindow(start=64)
    window.refused()
    sizes = [window.size]
    for number in range(2000):
        window.answered(number / 1000, full=True)
        if window.size != sizes[-1]:
            sizes.append(window.size)
    assert sizes[:4] == [32, 35, 38, 41] and sizes == sorted(sizes)
    assert window.size <= MAX_IN_FLIGHT


@pytest.mark.parametrize("most", [1, 7, 64])
def test_it_never_exceeds_its_most(most):
    window = CongestionWindow(most=most)
    simulate(window, 2000, seconds=0.1)
    assert window.size == min(INITIAL_WINDOW, most) if most <= INITIAL_WINDOW else window.size <= most
