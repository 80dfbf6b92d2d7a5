"""What the application server takes a task's end for."""

import asyncio

import pytest

from pushlab.appserver.broadcast.cluster.sender import error_of


class Task:
    """A future of Dask's, without its client: what happens to its state is up to the test."""

    def __init__(self):
        from distributed.client import FutureState

        self.state = FutureState("range")

    @property
    def status(self):
        return self.state.status

    async def exception(self):
        await self.state.wait()
        return self.state.exception if self.status == "error" else None


def test_a_result_that_is_lost_in_the_moment_in_which_it_came_is_waited_for(run):
    async def scenario():
        task = Task()
        waiting = asyncio.create_task(error_of(task))
        await asyncio.sleep(0)
        task.state.finish()
        task.state.lose()  # Its worker has died, and another one is given the task.
        await asyncio.sleep(0.01)
        assert not waiting.done()
        task.state.finish()
        return await waiting, task.status

    assert run(scenario()) == (None, "finished")


@pytest.mark.parametrize("end", ["error", "cancelled"])
def test_an_error_and_a_scheduler_that_has_gone_are_ends(run, end):
    async def scenario():
        task = Task()
        if end == "error":
            task.state.set_error(ValueError("x"), None)
        else:
            task.state.cancel()
        return await error_of(task), task.status

    error, status = run(scenario())
    assert status == end and (str(error) == "x" if end == "error" else error is None)
