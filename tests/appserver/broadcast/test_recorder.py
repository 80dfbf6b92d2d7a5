"""Outcomes are written in batches, and none is lost."""

import asyncio

import pytest

from pushlab.appserver.broadcast import recorder as recorder_module
from pushlab.appserver.broadcast.recorder import Recorder
from pushlab.appserver.explain.outcome import Outcome
from pushlab.errors import UnableToWriteDatabase

ACCEPTED = Outcome("accepted", 201, "201")


class Memory:
    """Runs that remember what they are told, and refuse while ``broken``."""

    fault: Exception = UnableToWriteDatabase("the disk is full")

    def __init__(self):
        self.batches, self.broken = [], False
        self.written = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def record(self, run, outcomes):
        self.loop.call_soon_threadsafe(self.written.set)
        if self.broken:
            raise self.fault
        self.batches.append([(run, *outcome) for outcome in outcomes])

    @property
    def numbers(self):
        return [delivery[1] for batch in self.batches for delivery in batch]


def test_what_comes_within_a_while_is_written_together(run, monkeypatch):
    monkeypatch.setattr(recorder_module, "INTERVAL", 0.01)

    async def scenario():
        memory = Memory()
        recorder = Recorder(memory, 7)
        for number in range(3000):
            recorder.note(number, ACCEPTED)
        await memory.written.wait()
        recorder.note(3000, ACCEPTED)
        await recorder.close()
        assert [len(batch) for batch in memory.batches] == [3000, 1]
        assert memory.numbers == list(range(3001))
        assert memory.batches[0][0] == (7, 0, "accepted", 201, 1)

    run(scenario())


def test_a_few_are_written_after_a_while(run, monkeypatch):
    monkeypatch.setattr(recorder_module, "INTERVAL", 0.01)

    async def scenario():
        memory = Memory()
        recorder = Recorder(memory, 7)
        recorder.note(1, ACCEPTED)
        await memory.written.wait()
        await recorder._writing
        assert memory.batches == [[(7, 1, "accepted", 201, 1)]]
        await recorder.close()

    run(scenario())


def test_close_writes_the_rest_and_leaves_no_timer(run, monkeypatch):
    async def scenario():
        memory = Memory()
        recorder = Recorder(memory, 7)
        recorder.note(1, ACCEPTED)
        await recorder.close()
        assert memory.numbers == [1] and recorder._timer is None
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario())


def test_close_waits_for_a_write_that_begins_when_another_one_ends(run):
    async def scenario():
        memory = Memory()
        recorder = Recorder(memory, 7)
        recorder.note(1, ACCEPTED)
        first = recorder._begin_writing()
        await asyncio.sleep(0)  # It has taken what there was.
        recorder.note(2, ACCEPTED)
        first.add_done_callback(lambda _: recorder._begin_writing())  # as the timer would
        await recorder.close()
        assert memory.numbers == [1, 2]

    run(scenario())


def test_what_could_not_be_written_is_written_later(run, monkeypatch):
    monkeypatch.setattr(recorder_module, "INTERVAL", 0.01)

    async def scenario():
        memory = Memory()
        memory.broken = True
        recorder = Recorder(memory, 7)
        recorder.note(1, ACCEPTED)
        await memory.written.wait()
        await recorder._writing
        memory.broken = False
        recorder.note(2, ACCEPTED)
        await recorder.close()
        assert memory.numbers == [1, 2]

    run(scenario())


def test_what_is_never_written_is_said(run):
    async def scenario():
        memory = Memory()
        memory.broken = True
        recorder = Recorder(memory, 7)
        recorder.note(1, ACCEPTED)
        with pytest.raises(UnableToWriteDatabase, match="1 outcomes could not be .*disk is full"):
            await recorder.close()

    run(scenario())


def test_what_a_fault_of_another_kind_has_kept_from_the_record_is_written_later(run, monkeypatch):
    monkeypatch.setattr(recorder_module, "INTERVAL", 0.01)

    async def scenario():
        memory = Memory()
        memory.broken, memory.fault = True, OverflowError("too large")
        recorder = Recorder(memory, 7)
        recorder.note(1, ACCEPTED)
        await memory.written.wait()
        with pytest.raises(OverflowError, match="too large"):  # The timer's: nobody waited for it.
            await recorder._writing
        memory.broken = False
        recorder.note(2, ACCEPTED)
        await recorder.catch_up()
        assert memory.numbers == [1, 2]
        await recorder.close()

    run(scenario())


def test_a_fault_of_another_kind_that_stays_ends_a_notify_all(run):
    async def scenario():
        memory = Memory()
        memory.broken, memory.fault = True, OverflowError("too large")
        recorder = Recorder(memory, 7)
        recorder.note(1, ACCEPTED)
        for end in (recorder.finish, recorder.finish, recorder.close):
            with pytest.raises(OverflowError, match="too large"):
                await end()
        assert asyncio.all_tasks() == {asyncio.current_task()} and recorder._timer is None

    run(scenario())
