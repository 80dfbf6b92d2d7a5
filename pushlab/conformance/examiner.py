"""Run the cases of an examination, and collect what was found."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

from pushlab.conformance.case import Case, Judgement, Result, Verdict, not_reached
from pushlab.conformance.cases import (
    answers,
    content_coding,
    freshness,
    headers,
    many,
    payload,
    safety,
    token,
)
from pushlab.conformance.cases.registry import POSES
from pushlab.conformance.examination import Examination, Unreached
from pushlab.conformance.table import CASES

log = logging.getLogger("pushlab")

PACKAGE = Path(__file__).parents[1]

MODULES = (payload, content_coding, freshness, token, headers, answers, many, safety)
"""The modules whose functions pose the cases."""

SLOW = ("answers.time-out", "answers.slow-drip", "answers.500", "answers.body-50mb")
"""The cases that wait longest. They begin first, and the others are posed meanwhile."""

ALONE = ("many", "safety")
"""The groups whose messages reach the subscriptions of other cases too."""


async def examine(exam: Examination, cases: Sequence[Case] = CASES) -> AsyncIterator[Result]:
    """Pose the cases, and yield each result in the order of the cases.

    The examination's sender and service must have been started; whoever has started them ends them.
    """
    if (fault := await _opening(exam)) is not None:
        exam.unopened = fault.why
        for case in cases:
            yield Result(case, Verdict.NOT_REACHED, fault.why, fault.exchange)
        return
    end = exam.clock() + exam.timing.total
    together = [case for case in cases if exam.sender.at_once > 1 and case.group not in ALONE]
    tasks = {
        case.id: asyncio.create_task(_judged(exam, case, end))
        for case in sorted(together, key=lambda case: case.id not in SLOW)
    }
    try:
        for case in together:
            yield await tasks[case.id]
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    for case in cases:
        if case.id not in tasks:
            if exam.keeper is not None:
                await exam.forget()
            yield await _judged(exam, case, end)


async def _opening(exam: Examination) -> Unreached | None:
    """Let the sender send its first message, from which its key is learned; return why it cannot."""
    try:
        await exam.learn()
    except Unreached as fault:
        return fault
    except Exception as error:  # noqa: BLE001 — as in _judged()
        return Unreached(_fault_of_ours(error, "the first message"))
    return None


async def _judged(exam: Examination, case: Case, end: float) -> Result:
    began = exam.clock()
    seconds = min(exam.timing.case, end - began)
    try:
        async with asyncio.timeout(max(seconds, 0)):
            judgement = await POSES[case.id](exam)
    except Unreached as fault:
        judgement = not_reached(fault.why, fault.exchange)
    except TimeoutError:
        judgement = Judgement(
            Verdict.NOT_REACHED,
            f"the case took longer than {exam.timing.case:g} s"
            if seconds == exam.timing.case
            else f"the {exam.timing.total:g} s of the examination were over",
        )
    except Exception as error:  # noqa: BLE001 — our fault in one case, and the others are still judged
        judgement = not_reached(_fault_of_ours(error, case.id))
    return Result(case, judgement.verdict, judgement.why, judgement.exchange, exam.clock() - began)


def _fault_of_ours(error: Exception, what: str) -> str:
    """Say that the examination itself failed, and where. Of the sender nothing is known then."""
    log.error("the examination failed at %s", what, exc_info=error)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(PACKAGE)
    ]
    # Its own words stay out: a report is passed on, and they may hold a token or an endpoint. Those
    # of the system hold neither.
    why = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
    where = Path(frames[-1].filename).relative_to(PACKAGE.parent).as_posix()
    return (
        "the examination itself failed, and your sender is not to blame: "
        f"{type(error).__name__}{why} in {where}, line {frames[-1].lineno}"
    )


def chosen(ids: Iterable[str], unknown: Callable[[str], Exception]) -> tuple[Case, ...]:
    """Return the cases with these ids, or of these groups, in the table's order; all for none.

    Raises what ``unknown`` makes for an id that no case has.
    """
    wanted = tuple(ids)
    for id in wanted:
        if not any(id in (case.id, case.group) for case in CASES):
            raise unknown(id)
    return tuple(case for case in CASES if not wanted or case.id in wanted or case.group in wanted)


def exit_status(results: Sequence[Result]) -> int:
    """Return 0, or 1 if a MUST fails, or 2 if nothing could be judged."""
    if results and all(result.verdict is Verdict.NOT_REACHED for result in results):
        return 2
    return 1 if any(result.breaks_a_must for result in results) else 0
