"""The senders by workers: which is kept, which is ended, and that none is given out and then ended."""

import asyncio

import pytest

from pushlab.appserver.broadcast.cluster.senders import ClusterSenders
from pushlab.errors import LabStopped


class Sender:
    """A sender with no processes, which takes a while to end."""

    worker_pids = ()

    def __init__(self, workers):
        self.workers, self.busy, self.closed = workers, False, False
        self.may_end = asyncio.Event()

    async def close(self):
        self.closed = True
        await self.may_end.wait()


async def four_while_two_end():
    """Return the senders, the idle one that is ending, and the call for four that waits for it."""
    senders = ClusterSenders(Sender)
    idle = await senders.sender(2)
    four = asyncio.ensure_future(senders.sender(4))
    while not idle.closed:
        await asyncio.sleep(0)
    return senders, idle, four


def test_it_is_kept_and_another_number_ends_it_if_it_is_idle(run):
    async def scenario():
        senders = ClusterSenders(Sender)
        two = await senders.sender(2)
        assert await senders.sender(2) is two
        two.busy = True
        three = await senders.sender(3)
        assert not two.closed
        two.busy = False
        two.may_end.set()
        three.may_end.set()
        await senders.sender(4)
        assert two.closed and three.closed

    run(scenario())


def test_of_two_calls_at_one_time_neither_ends_what_the_other_is_given(run):
    async def scenario():
        senders, idle, four = await four_while_two_end()
        two = await asyncio.wait_for(senders.sender(2), 30)
        two.busy = True
        idle.may_end.set()
        assert (await four).workers == 4 and not (await four).closed and not two.closed
        assert two is not idle

    run(scenario())


def test_after_the_end_none_is_given_out(run):
    async def scenario():
        senders, idle, four = await four_while_two_end()
        await senders.close()
        idle.may_end.set()
        for call in (four, senders.sender(2)):
            with pytest.raises(LabStopped):
                await call

    run(scenario())
