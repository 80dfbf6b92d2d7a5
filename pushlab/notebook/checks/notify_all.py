"""Checks of lesson 06: tokens_needed, delay and fan_out.

``fan_out`` is measured without a clock. The check's own ``send`` waits until the check sets an event.
The sends that have begun and wait at that moment are those that the learner's code runs at once.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pushlab.errors import NotYet
from pushlab.notebook.checks import core
from pushlab.notebook.checks.guard import Guarded, check
from pushlab.protocol.origin import origin_of

HOSTS = "https://push.example.com", "https://fcm.example.org"
ORIGINS = [*HOSTS, "http://127.0.0.1:8030", "http://127.0.0.1:8031"]
CLASS = [f"{origin}/wpush/v2/gAAAA:{number}" for number, origin in enumerate(ORIGINS * 2)]
WITH_PORTS = [*CLASS[:2], f"{HOSTS[0]}:443/wpush/v2/gAAAA:8", f"{HOSTS[1]}:8443/wpush/v2/gAAAA:9"]
"""The first port is that of https, and so the origin is one that is there already (RFC 6454 §4)."""

TURNS = 500
"""How often the check lets all other tasks run before it counts. A turn has no length in time."""

CALL_TIMEOUT = 10.0
"""Seconds for one call of fan_out. After that a call that waits for ever is stopped."""


@check
def tokens_needed(function: Callable) -> core.Right:
    """Check ``tokens_needed(endpoints: list[str]) -> set[str]``. RFC 8292 §2, §5."""
    for endpoints in (CLASS, [f"https://p.example/{number}" for number in range(40)], WITH_PORTS, []):
        yours, right = function(list(endpoints)), set(map(origin_of, endpoints))
        core.type_is("the result", yours, set)
        for sentence, wrong in _audiences(endpoints):
            if yours == wrong != right:
                raise NotYet(f"aud (RFC 8292 §2) is not right yet. {sentence}")
        if yours != right:
            said = f"yours are for {len(yours)}, {len(yours - right)} of them not among these"
            raise NotYet(f"aud (RFC 8292 §2): {len(right)} origins need a token, and {said}")
    return core.Right("One token a push service, whatever the number of subscriptions.")


def _audiences(endpoints: Iterable[str]) -> Iterator[tuple[str, set[str]]]:
    """Yield a sentence about a typical mistake, and the set that the mistake gives."""
    origins = list(map(origin_of, endpoints))
    as_written = {"/".join(one.split("/")[:3]) for one in endpoints}
    yield "443 is the port of https: an origin leaves it out, or one push service gets two.", as_written
    yield "These are whole endpoints: one token each, and none is for an origin.", set(endpoints)
    yield "An origin has no slash at its end.", {f"{one}/" for one in origins}
    yield "An origin begins with its scheme.", {one.split("//")[1] for one in origins}
    names = {one.split("//")[1].split(":")[0] for one in origins}
    yield "These are host names. An origin is scheme, host and port.", names
    without = {":".join(one.split(":")[:2]) for one in origins}
    yield "The port belongs to the origin: two ports are two push services.", without


# Arguments of delay(), the result that it must return, and what another result has overlooked.
PAUSES: tuple[tuple[tuple[int | None, ...], dict[str, int], float | None, str], ...] = (
    ((201, 1), {}, None, "The message is accepted: once more would ring twice."),
    *(((status, 1), {}, None, "Gone is for good.") for status in (404, 410)),
    ((400, 1), {}, None, "The same bytes will be refused again: mend them."),
    ((403, 1), {}, None, "The same token will be refused again, however often you ask."),
    ((413, 1), {}, None, "It will be just as long at the next attempt."),
    *(((status, 1), {}, 1, "This may pass: try again.") for status in (429, 500, 503, 504)),
    ((None, 1), {}, 1, "No answer at all may pass as well."),
    ((503, 2), {}, 2, "Each pause is twice the one before."),
    ((503, 3), {}, 4, "Each pause is twice the one before, not one base longer."),
    ((503, 3), {"base": 2}, 8, "base is the first pause."),
    ((503, 4), {}, None, "There is an end."),
    ((429, 1, 30), {}, 30, "Retry-After asked for longer."),
    ((503, 3, 2), {}, 4, "Retry-After is the least that they ask for, not the most."),
    ((503, 1, 0), {}, 1, "A Retry-After of 0 is no reason to hurry."),
    ((503, 1, 120), {}, 120, "Two minutes are what Mozilla's service asks for when it is overloaded."),
    ((503, 1, 1200), {}, None, "Over most you give up: coming earlier than asked is no way out."),
    ((503, 1, 1200), {"most": 3600}, 1200, "most is for the caller to say."),
)


@check
def delay(function: Callable) -> core.Right:
    """Check ``delay(status, attempt, retry_after=None, *, base=1, most=600)``. RFC 8030 §8.4."""
    for given, named, right, hint in PAUSES:
        yours = function(*given, **named)
        words = [*map(repr, given), *(f"{name}={value}" for name, value in named.items())]
        mistakes: dict[str, object] = {}
        if right is not None and type(yours) in (int, float):
            yours, right = float(yours), float(right)  # 1 and 1.0 are the same pause.
            mistakes["It counts seconds, and these are milliseconds."] = 1000 * right
            if given[1] == 1:
                mistakes["The first pause is base itself: the doubling comes later."] = 2 * right
        call = f"delay({', '.join(words)})"
        if yours is None and right is not None:  # None is an answer, so it is not asked for a return.
            raise NotYet(f"{call} (RFC 8030 §8.4) should be a number, and yours is None. {hint}")
        core.value_is(call, yours, right, mistakes=mistakes, hint=hint, rfc="RFC 8030 §8.4")
    return core.Right("You wait longer each time, as long as you are asked to, and not for ever.")


@check
def fan_out(function: Guarded) -> core.Right:
    """Check ``async def fan_out(send, subscriptions, workers) -> list``.

    The notebook's event loop is running already, so the check runs a loop of its own in a thread.
    """
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, _measure(function)).result()
    return core.Right("All were sent to, so many at a time; no slow or dead one kept the others.")


async def _measure(function: Guarded) -> None:
    await _workers(function)
    slow = _FanOut(12, 3, shut=[0])
    sent, _ = await slow.run(function)
    if sent < slow.count:
        why = "Whoever sends in portions waits for the slowest of each"
        raise NotYet(f"While one was slow, only {sent} of {slow.count} were sent to. {why}")
    slow.all_sent()
    dead = _FanOut(9, 2, dead=(0, 1, 2, 5))  # More than there are workers, so none may end of it.
    for measured in dead, _FanOut(5, 1), _FanOut(3, 8), _FanOut(0, 3):
        await measured.run(function)
        measured.all_sent()


async def _workers(function: Guarded) -> None:
    """Let no send finish, and count how many have begun."""
    measured = _FanOut(200, 4, shut=range(200))
    _, taken = await measured.run(function)
    if measured.most > measured.workers:
        raise NotYet(f"{measured.most} sends were in flight, and workers was {measured.workers}")
    if not measured.most:
        raise NotYet("No send has begun: is send(…) awaited?")
    if measured.most < measured.workers:
        raise NotYet(f"{measured.most} at a time was the most, and there could be {measured.workers}")
    # Other tasks are the check, the call that it waits for, and any that watch the workers.
    if measured.tasks > measured.workers + 4:
        raise NotYet(f"{measured.tasks} tasks for {measured.count}: memory grows with your success")
    if taken > 3 * measured.workers:
        raise NotYet(f"{taken} were read while {measured.workers} were in flight: who will keep them?")
    measured.all_sent()


class NoAnswer(Exception):
    """The check's ``send`` raises this for an endpoint that does not respond."""


class _FanOut:
    """One call of the learner's fan_out. Its ``send`` waits for events, and counts those waiting.

    ``count``: subscriptions; ``workers``: the argument of fan_out; ``shut``: the numbers of
    subscriptions whose sends wait; ``dead``: those whose sends raise NoAnswer.
    """

    def __init__(
        self, count: int, workers: int, shut: Iterable[int] = (), dead: Iterable[int] = ()
    ) -> None:
        self.count, self.workers, self.dead = count, workers, frozenset(dead)
        self.gates = {number: asyncio.Event() for number in shut}
        self.sent: list[int] = []
        self.taken = self.inside = self.most = self.tasks = 0
        self.results: Any = None

    def rows(self) -> Iterator[int]:
        for number in range(self.count):
            self.taken = number + 1
            yield number

    async def send(self, number: int) -> str:
        self.sent.append(number)
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.tasks = max(self.tasks, len(asyncio.all_tasks()))
        await asyncio.sleep(0)
        if number in self.gates:
            await self.gates[number].wait()
        self.inside -= 1
        if number in self.dead:
            raise NoAnswer
        return f"201 for {number}"

    async def run(self, function: Guarded) -> tuple[int, int]:
        """Call it, and return how many sends began, and how many rows were read, before any ended."""
        call = asyncio.ensure_future(self._call(function))
        for _ in range(TURNS):
            await asyncio.sleep(0)
        held = len(self.sent), self.taken
        for gate in self.gates.values():
            gate.set()
        self.results = await call
        if isinstance(self.results, list) and any(map(inspect.iscoroutine, self.results)):
            said = [core.kind(result) for result in self.results]  # kind() closes each coroutine.
            raise NotYet(f"The first in the list is {said[0]}")
        return held

    async def _call(self, function: Guarded) -> object:
        try:
            async with asyncio.timeout(CALL_TIMEOUT):
                return await function.awaited(self.send, self.rows(), self.workers)
        except TimeoutError:
            raise NotYet(f"{len(self.sent)} of {self.count} were sent to, and no end") from None
        except NotYet as told:
            error = told.__cause__
            group = isinstance(error, BaseExceptionGroup) and error.subgroup(NoAnswer)
            if not (group or isinstance(error, NoAnswer)):
                raise
            done = f"send raised, and so did fan_out, after {len(self.sent)} of {self.count}"
            raise NotYet(f"{done}. An exception belongs into the list; send to the rest") from None

    def all_sent(self) -> None:
        """Check that every message was sent once, and that the results are in order."""
        once = len(set(self.sent))
        if once != self.count or len(self.sent) != once:
            missing, more = self.count - once, len(self.sent) - once
            raise NotYet(f"Of {self.count}, {missing} were not sent to, and {more} more than once")
        core.type_is("the result", self.results, list)
        if len(self.results) != self.count:
            raise NotYet(f"{len(self.results)} results for {self.count}: a failure is one too")
        for number, result in enumerate(self.results):
            if number in self.dead and not isinstance(result, NoAnswer):
                raise NotYet("Where send raised, the exception itself should stand in the list")
            if number not in self.dead and result != f"201 for {number}":
                raise NotYet(f"Result {number} is not subscription {number}'s: keep their order")
