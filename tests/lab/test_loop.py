"""The lab's loop in its thread: how somebody waits for it, and how that ends."""

import _thread
import asyncio
import concurrent.futures
import inspect
import threading

import pytest

from pushlab.errors import LabStopped, TimedOut
from pushlab.lab.loop import BackgroundLoop
from pushlab.settings import patience


@pytest.fixture
def loop():
    loop = BackgroundLoop()
    yield loop
    loop.stop()


class Endless:
    """A coroutine that never ends by itself, and tells that it was started and cancelled."""

    def __init__(self):
        self.started, self.cancelled = threading.Event(), threading.Event()

    async def __call__(self):
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def test_a_result_and_an_exception_come_back(loop):
    assert loop.run(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ZeroDivisionError):
        loop.run(_divide())


async def _divide():
    return 1 / 0


def test_a_time_out_of_the_coroutine_s_own_stays_what_it_is(loop):
    async def impatient():
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError) as caught:
        loop.run(impatient())
    assert not isinstance(caught.value, TimedOut)


def test_a_given_time_out_cancels_what_was_waited_for(loop):
    begun = False
    while not begun:  # What has not begun when the time is over never begins.
        endless = Endless()
        with pytest.raises(TimedOut, match="within 0.05 s"):
            loop.run(endless(), timeout=0.05)
        loop.run(asyncio.sleep(0))
        begun = endless.started.is_set()
    assert endless.cancelled.wait(30)


def test_what_takes_long_is_said_and_goes_on(loop, monkeypatch, capsys):
    monkeypatch.setenv("PUSHLAB_PATIENCE", "0.001")  # the first notice after 10 ms
    enough = threading.Event()

    async def work():
        await asyncio.to_thread(enough.wait)
        return "done"

    def say(text, **_):
        said.append(text)
        enough.set()

    said = []
    monkeypatch.setattr("builtins.print", say)
    assert loop.run(work(), doing="Firefox is starting") == "done"
    assert said[0] == "Firefox is starting: 0.01 s so far. To stop waiting, press Ctrl-C."


def test_another_thread_than_the_main_one_says_nothing(loop, monkeypatch, capsys):
    monkeypatch.setenv("PUSHLAB_PATIENCE", "0.001")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert pool.submit(loop.run, asyncio.sleep(0.6, "done")).result() == "done"
    assert capsys.readouterr() == ("", "")


def test_what_is_quick_says_nothing(loop, capsys):
    assert loop.run(asyncio.sleep(0, "done"), doing="Firefox is starting") == "done"
    assert capsys.readouterr() == ("", "")


def test_the_kernel_s_interrupt_ends_the_wait_and_the_work(loop):
    endless = Endless()

    def interrupt():
        endless.started.wait(30)
        _thread.interrupt_main()

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        loop.run(endless())
    interrupter.join()
    assert endless.cancelled.wait(30)
    assert loop.run(asyncio.sleep(0, "still here")) == "still here"


def test_stopping_the_lab_ends_every_wait(loop):
    endless = Endless()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(loop.run, endless())
        assert endless.started.wait(30)
        loop.stop()
        with pytest.raises(LabStopped):
            waiting.result(30)
    with pytest.raises(LabStopped):
        loop.run(endless())


def test_who_asks_while_the_thread_is_ending_is_told_that_the_lab_has_stopped(loop, monkeypatch):
    closed, go, close = threading.Event(), threading.Event(), loop._loop.close

    def close_and_wait():
        close()
        closed.set()
        go.wait(patience(30))

    monkeypatch.setattr(loop._loop, "close", close_and_wait)
    stopper = threading.Thread(target=loop.stop)
    stopper.start()
    try:
        assert closed.wait(patience(30))
        for ask in (loop.submit, loop.run):
            coroutine = asyncio.sleep(0)
            with pytest.raises(LabStopped):
                ask(coroutine)
            assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    finally:
        go.set()
        stopper.join()


async def _raise(error):
    raise error


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_no_callback_and_no_task_ends_the_loop(loop, caplog, error):
    def callback():
        raise error

    loop._loop.call_soon_threadsafe(callback)
    with pytest.raises(error):
        loop.run(_raise(error))
    assert loop.run(asyncio.sleep(0, "still here")) == "still here"
    assert [record.name for record in caplog.records] == ["pushlab"] * 2


def test_what_asyncio_reports_goes_to_the_log_and_not_to_a_cell(loop, caplog, capfd):
    def callback():
        raise ZeroDivisionError

    loop._loop.call_soon_threadsafe(callback)
    assert loop.run(asyncio.sleep(0, "still here")) == "still here"
    (record,) = caplog.records
    assert record.name == "pushlab" and record.exc_info[0] is ZeroDivisionError
    assert capfd.readouterr() == ("", "")
