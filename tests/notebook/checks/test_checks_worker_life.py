"""The checks of lesson 07b: right code passes, and typical mistakes are named."""

import pytest

from pushlab.errors import NotYet
from pushlab.notebook.checks import worker_life
from pushlab.notebook.starter import starter_file


def workers(steps, *, waits=True, counts_all=False, keeps_closed=False, first_waits=False, skips=True):
    """The right answer, with an argument for each mistake."""
    waiting, active, held = None, None, set()
    for what, which in steps:
        if what == "file" and not (first_waits and waiting):
            waiting = which
        if what == "open" and (active or counts_all):
            held.add(which)
        if what == "close" and not keeps_closed:
            held.discard(which)
        if waiting and ((what == "skip" and skips) or not held or not waits):
            waiting, active = None, waiting
    return waiting, active


def my_worker(worker):
    return worker.replace("showNotification(title,", "showNotification(`🔔 ${title}`,")


def test_right_code_passes():
    assert "11 lives" in repr(worker_life.workers(workers))
    assert "all that it had before" in repr(worker_life.my_worker(my_worker))
    other = worker_life.my_worker(lambda worker: worker.replace("(title,", "('🔔 ' + title,"))
    assert repr(other).startswith("✓")


def test_the_starter_has_the_text_that_the_exercise_replaces():
    assert my_worker(str(starter_file("sw.js"))).count("🔔 ${title}") == 1
    assert my_worker(worker_life.WORKER) != worker_life.WORKER


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ({"waits": False}, "an update under a page: the active worker is not right yet"),
        ({"counts_all": True}, "a first visit: the active worker"),
        ({"keeps_closed": True}, "an update with no page open: the active worker"),
        ({"first_waits": True}, "two updates: the waiting worker"),
        ({"skips": False}, "skipWaiting: the active worker"),
    ],
)
def test_a_mistake_in_the_life_is_named(mistake, said):
    with pytest.raises(NotYet, match=said):
        worker_life.workers(lambda steps: workers(steps, **mistake))


@pytest.mark.parametrize(
    ("yours", "said"),
    [
        (lambda steps: workers(steps)[::-1], "changed places"),
        (lambda steps: None, "a tuple, and yours is None"),
        (lambda steps: list(workers(steps)), "a tuple, and yours is a list"),
    ],
)
def test_another_form_of_the_answer_is_named(yours, said):
    with pytest.raises(NotYet, match=said):
        worker_life.workers(yours)


@pytest.mark.parametrize(
    ("yours", "said"),
    [
        (lambda worker: None, "does your function return something"),
        (lambda worker: worker.replace("no such text", "🔔 "), "The source is unchanged"),
        (lambda worker: worker.replace("title,", "`🔔${title}`,", 1), "no bell with a space"),
        (lambda worker: my_worker(worker).replace("addEventListener", "", 1), "Something is gone"),
        (lambda worker: my_worker(worker).replace("}`,", "`,"), r"more of one of \{ and \}"),
        (lambda worker: worker.replace("(title,", '("🔔 ${title}",'), "only between backticks"),
        (lambda worker: worker.replace("(title,", '("🔔 ",'), "own title is no longer shown"),
    ],
)
def test_a_mistake_in_the_worker_is_named(yours, said):
    with pytest.raises(NotYet, match=said):
        worker_life.my_worker(yours)


@pytest.mark.parametrize("check", [worker_life.workers, worker_life.my_worker])
def test_a_stub_comes_through(check):
    def stub(*arguments):
        raise NotImplementedError("your turn")

    with pytest.raises(NotImplementedError, match="your turn"):
        check(stub)
