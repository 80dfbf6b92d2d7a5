"""The panel's two threads: work in its order, painting no oftener than needed, no error lost."""

import queue
import threading

from pushlab.notebook.panel.live import Painter, Worker
from pushlab.settings import patience

LONG = patience(60)


def nothing_fails(error: Exception) -> None:
    raise AssertionError("nothing was to fail here") from error


def test_tasks_run_one_after_the_other_in_a_thread_of_their_own():
    done, end = [], threading.Event()
    worker = Worker(nothing_fails)
    for number in range(50):
        worker.do(lambda number=number: done.append((number, threading.current_thread())))
    worker.do(end.set)
    assert end.wait(LONG)
    worker.close()
    assert [number for number, _ in done] == list(range(50))
    assert {thread is threading.current_thread() for _, thread in done} == {False}


def test_a_task_that_fails_is_told_of_and_the_next_one_runs():
    told, end = [], threading.Event()
    worker = Worker(told.append)
    worker.do(lambda: {}["missing"])
    worker.do(end.set)
    assert end.wait(LONG)
    worker.close()
    assert [type(error) for error in told] == [KeyError]


def test_do_returns_before_the_task_ends():
    go, end = threading.Event(), threading.Event()
    worker = Worker(nothing_fails)
    worker.do(lambda: (go.wait(LONG), end.set()))
    assert not end.is_set()  # or do() would have waited for go, which is not set yet
    go.set()
    assert end.wait(LONG)
    worker.close()


def test_a_closed_worker_finishes_what_it_was_given_and_ends():
    done = []
    worker = Worker(nothing_fails)
    worker.do(lambda: done.append(1))
    worker.close()
    worker._thread.join(LONG)
    assert done == [1] and not worker._thread.is_alive()


def test_many_touches_are_painted_once_and_the_last_one_is_never_lost():
    painted, inside, go = [], threading.Semaphore(0), threading.Semaphore(0)
    events = []

    def paint():
        painted.append(len(events))
        inside.release()
        go.acquire(timeout=LONG)

    painter = Painter(paint, nothing_fails, pause=0)
    painter.touch()
    assert inside.acquire(timeout=LONG)  # the first painting has begun, and does not end yet
    for number in range(1000):
        events.append(number)
        painter.touch()
    go.release()
    assert inside.acquire(timeout=LONG)
    painter.close()
    go.release()
    painter._thread.join(LONG)
    assert painted == [0, 1000]


def test_two_paintings_are_a_pause_apart(monkeypatch):
    painter = Painter(lambda: None, nothing_fails, pause=0.1)
    pauses, seen = [], threading.Semaphore(0)

    def wait(seconds):
        pauses.append(seconds)
        seen.release()

    monkeypatch.setattr(painter._closed, "wait", wait)
    for _ in range(3):
        painter.touch()
        assert seen.acquire(timeout=LONG)
    painter.close()
    painter._thread.join(LONG)
    assert pauses[:3] == [0.1, 0.1, 0.1]


def test_a_painter_paints_again_for_what_comes_late():
    painted = queue.SimpleQueue()
    painter = Painter(lambda: painted.put(1), nothing_fails, pause=0, again=(0.01, 0.02))
    painter.touch()
    for _ in range(3):
        painted.get(timeout=LONG)
    painter.touch()
    for _ in range(3):
        painted.get(timeout=LONG)
    painter.close()
    assert painted.empty(), "each touch is followed by two more calls, and by no third"


def test_what_is_late_is_painted_again_until_it_has_come(monkeypatch):
    painted, waits, late = queue.SimpleQueue(), queue.SimpleQueue(), [True] * 5

    def paint():
        painted.put(1)
        return late.pop() if late else False

    painter = Painter(paint, nothing_fails, pause=0, again=(0.01,))
    real = painter._touched.wait

    def wait(seconds):
        waits.put(seconds)
        return real(seconds)

    monkeypatch.setattr(painter._touched, "wait", wait)
    painter.touch()
    for _ in range(6):
        painted.get(timeout=LONG)
    while (first := waits.get(timeout=LONG)) is None:
        pass  # It waited for the touch.
    assert [first] + [waits.get(timeout=LONG) for _ in range(4)] == [0.01] * 5
    assert waits.get(timeout=LONG) is None, "nothing is late any more"
    assert painted.empty()
    painter.close()


def test_a_painting_that_fails_is_told_of_and_the_next_one_is_tried():
    told, failed, again = [], threading.Event(), threading.Event()

    def paint():
        if not told:
            raise ValueError("no paint")
        again.set()

    def tell(error):
        told.append(str(error))
        failed.set()

    painter = Painter(paint, tell, pause=0)
    painter.touch()
    assert failed.wait(LONG)
    painter.touch()
    assert again.wait(LONG)
    painter.close()
    assert told == ["no paint"]


def test_a_closed_painter_ends():
    painter = Painter(lambda: None, nothing_fails, pause=60)
    painter.touch()
    painter.close()
    painter._thread.join(LONG)
    assert not painter._thread.is_alive()
