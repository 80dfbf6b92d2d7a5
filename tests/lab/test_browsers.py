"""A lab's browsers while it starts and stops: none is left open, and none keeps the lab from stopping.

Virtual user agents play the browsers that are slow, that hang, and that fail.
"""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pushlab.errors import BrowserFailed, LabStopped, TimedOut
from pushlab.lab import browser, browsers
from pushlab.lab.runtime import LabRuntime
from pushlab.settings import patience
from pushlab.useragent.virtual import VirtualUserAgent

WAIT = 30  # seconds, times PUSHLAB_PATIENCE


@pytest.fixture
def lab(tmp_path, leaves_nothing):
    with leaves_nothing(), LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        yield lab


@pytest.fixture
def beside():
    """Give a function that makes a call in another thread and returns its future."""
    with ThreadPoolExecutor(8) as pool:
        yield pool.submit


def connected(agent):
    """Say whether the push service can reach a virtual user agent."""
    return agent._push.connected


class Slow:
    """A step of every virtual user agent that begins, and then goes on when the test lets it."""

    def __init__(self, monkeypatch, step):
        real, self.agents = getattr(VirtualUserAgent, step), []
        self._begun, self._go_on = threading.Semaphore(0), threading.Event()

        async def slow(agent, *arguments):
            self.agents.append(agent)
            self._begun.release()
            await asyncio.to_thread(self._go_on.wait, patience(WAIT))
            return await real(agent, *arguments)

        monkeypatch.setattr(VirtualUserAgent, step, slow)

    def begun(self):
        assert self._begun.acquire(timeout=patience(WAIT))

    def go_on(self):
        self._go_on.set()


def wait_until_it_stops(lab):
    """Wait until the lab has begun to stop: a thread that was told to may not have run yet."""
    ends = time.monotonic() + patience(WAIT)
    while not lab._browsers._stopping:
        assert time.monotonic() < ends
        time.sleep(0.005)


# --- a start and a stop at one time ------------------------------------------------------------------


@pytest.mark.parametrize("step", ["start", "open"])
def test_a_browser_that_is_being_opened_when_the_lab_stops_is_closed(lab, beside, monkeypatch, step):
    slow = Slow(monkeypatch, step)
    opened = beside(lab.open, "virtual")
    slow.begun()
    stopped = beside(lab.stop)
    wait_until_it_stops(lab)
    slow.go_on()
    stopped.result(patience(WAIT))
    with pytest.raises(LabStopped):
        opened.result(patience(WAIT))
    (agent,) = slow.agents
    assert not connected(agent)
    assert lab._browsers.all() == []


def test_a_browser_whose_start_ends_after_the_stop_has_begun_is_closed(lab, beside, monkeypatch):
    """A start may be at a place where it cannot be cancelled any more."""
    real, begun, agents = VirtualUserAgent.start, threading.Event(), []

    async def start(agent):
        agents.append(agent)
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await real(agent)
            assert connected(agent)

    monkeypatch.setattr(VirtualUserAgent, "start", start)
    opened = beside(lab.open, "virtual")
    assert begun.wait(patience(WAIT))
    lab.stop()
    with pytest.raises(LabStopped):
        opened.result(patience(WAIT))
    assert not connected(agents[0])


def test_no_browser_is_opened_while_the_lab_stops(lab, beside, monkeypatch):
    lab.open("virtual", name="Ada")
    slow = Slow(monkeypatch, "close")
    stopped = beside(lab.stop)
    slow.begun()
    with pytest.raises(LabStopped):
        lab.open("virtual", name="Bob")
    with pytest.raises(LabStopped):
        lab.open("virtual", name="Ada")
    slow.go_on()
    stopped.result(patience(WAIT))
    assert [agent.name for agent in slow.agents] == ["Ada"]


def test_a_browser_that_a_cell_is_closing_is_waited_for(lab, beside, monkeypatch):
    ada = lab.open("virtual", name="Ada")
    slow = Slow(monkeypatch, "close")
    closed = beside(ada.close)
    slow.begun()
    stopped = beside(lab.stop)
    slow.go_on()
    stopped.result(patience(WAIT))
    closed.result(patience(WAIT))
    assert len(slow.agents) == 1, "it is closed once"


# --- browsers that hang, and that fail --------------------------------------------------------------


def test_neither_a_browser_that_hangs_nor_one_that_fails_keeps_anything_from_stopping(lab, monkeypatch):
    monkeypatch.setattr(browsers, "CLOSE_SECONDS", 4)
    hangs, fails, well = (lab.open("virtual", name=name) for name in ("Ada", "Bob", "Cy"))

    async def hang():
        try:
            await asyncio.Event().wait()
        finally:
            await real_hangs()

    async def fail():
        await real_fails()
        raise RuntimeError("this browser fails")

    real_hangs, real_fails = hangs.agent.close, fails.agent.close
    hangs.agent.close, fails.agent.close = hang, fail
    for one in hangs, fails, well:
        one.keeps_profile = True
    with pytest.raises(ExceptionGroup) as raised:
        lab.stop()
    assert {type(error): str(error) for error in raised.value.exceptions} == {
        TimedOut: f"Ada has not closed within {patience(4):g} s. Fault: this machine.",
        RuntimeError: "this browser fails",
    }
    assert not connected(well.agent)
    assert not lab.running and not lab._thread.alive
    lab.stop()


def test_all_browsers_are_closed_side_by_side(lab, monkeypatch):
    everybody, real = asyncio.Barrier(3), VirtualUserAgent.close

    async def close_together(agent):
        await everybody.wait()
        await real(agent)

    monkeypatch.setattr(VirtualUserAgent, "close", close_together)
    monkeypatch.setattr(browsers, "CLOSE_SECONDS", WAIT)
    for name in ("Ada", "Bob", "Cy"):
        lab.open("virtual", name=name)
    lab.stop()


def test_a_browser_that_hangs_is_closed_without_unsubscribing(lab, monkeypatch):
    ada, bob = lab.open("virtual", name="Ada"), lab.open("virtual", name="Bob")
    ada.subscribe()
    bob.subscribe()
    bob.close()
    monkeypatch.setattr(browser, "UNSUBSCRIBE_SECONDS", 0.1)
    ada.agent.unsubscribe = asyncio.Event().wait
    ada.close()
    assert not connected(ada.agent) and not connected(bob.agent)
    (left,) = lab.room()
    assert left.name == "Ada", "Bob has unsubscribed"


def test_a_browser_may_be_closed_without_unsubscribing(lab):
    ada = lab.open("virtual", name="Ada")
    ada.subscribe()
    ada.close(unsubscribe=False)
    assert len(lab.subscriptions()) == 1


# --- which browser is meant ----------------------------------------------------------------------


def test_one_browser_that_is_asked_for_twice_at_one_time_is_one(lab, beside, monkeypatch):
    slow = Slow(monkeypatch, "start")
    first, second = beside(lab.open, "virtual"), beside(lab.open, "virtual")
    slow.begun()
    slow.go_on()
    assert first.result(patience(WAIT)) is second.result(patience(WAIT))
    assert len(slow.agents) == 1


def test_another_browser_that_is_asked_for_twice_at_one_time_is_two(lab, beside, monkeypatch):
    monkeypatch.setenv("PUSHLAB_BROWSER", "virtual")
    slow = Slow(monkeypatch, "start")
    both = [beside(lab.open, "another") for _ in range(2)]
    slow.begun()
    slow.begun()
    slow.go_on()
    assert len({one.result(patience(WAIT)) for one in both}) == 2


def test_another_browser_is_never_one_that_is_open(lab, monkeypatch):
    monkeypatch.setenv("PUSHLAB_BROWSER", "virtual")
    opened = [lab.open("another") for _ in range(3)]
    assert [one.name for one in opened] == ["Virtual", "Virtual 2", "Virtual 3"]
    opened[1].close()
    assert lab.open("another").name == "Virtual 4"
    assert len(lab._browsers.all()) == 3


def test_a_browser_whose_window_was_closed_makes_room_for_a_new_one(lab):
    old = lab.open("virtual")

    async def gone(url):
        raise BrowserFailed("The browser has ended")

    old.agent.open = gone
    new = lab.open("virtual")
    assert new is not old
    assert not connected(old.agent) and connected(new.agent)
    old.close()
    assert lab.open("virtual") is new, "the old one has no claim to the new one's place"
