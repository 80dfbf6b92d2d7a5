"""The checks of lesson 06: what they accept, what they name, and what they never reveal."""

import asyncio
from urllib.parse import urlsplit

import pytest

from pushlab.errors import NotYet, YourTurn
from pushlab.notebook.checks import notify_all as checks


def said(check, answer) -> str:
    """Return the error of a check for wrong code."""
    with pytest.raises(NotYet) as caught:
        check(answer)
    return caught.value.detail


def stub(*arguments, **named):
    raise NotImplementedError("your turn")


async def async_stub(*arguments):
    raise NotImplementedError("your turn")


@pytest.mark.parametrize(
    "check, answer",
    [
        (checks.tokens_needed, stub),
        (checks.delay, stub),
        (checks.fan_out, stub),
        (checks.fan_out, async_stub),
    ],
)
def test_a_stub_passes_through_untouched(check, answer):
    with pytest.raises(NotImplementedError, match="your turn"):
        check(answer)


# --- tokens_needed -------------------------------------------------------------------------------


def tokens_needed(endpoints):
    return {"/".join(endpoint.replace(":443/", "/").split("/")[:3]) for endpoint in endpoints}


def test_tokens_needed_is_right():
    assert repr(checks.tokens_needed(tokens_needed)).startswith("✓ One token a push service")


WRONG_TOKENS = [
    (lambda endpoints: None, "does your function return something?"),
    (lambda endpoints: list(tokens_needed(endpoints)), "should be a set, and yours is a list"),
    (lambda endpoints: len(tokens_needed(endpoints)), "should be a set, and yours is an int"),
    (set, "These are whole endpoints"),
    (lambda endpoints: {"/".join(one.split("/")[:3]) for one in endpoints}, "443 is the port of https"),
    (lambda endpoints: {f"{one}/" for one in tokens_needed(endpoints)}, "no slash at its end"),
    (lambda endpoints: {urlsplit(one).netloc for one in endpoints}, "begins with its scheme"),
    (lambda endpoints: {urlsplit(one).hostname for one in endpoints}, "scheme, host and port"),
    (
        lambda endpoints: {f"{urlsplit(one).scheme}://{urlsplit(one).hostname}" for one in endpoints},
        "The port belongs to the origin",
    ),
    (lambda endpoints: tokens_needed(checks.CLASS), "yours are for 4, 4 of them not among these"),
    (lambda endpoints: set(), "4 origins need a token, and yours are for 0"),
]


@pytest.mark.parametrize("answer, telling", WRONG_TOKENS)
def test_tokens_needed_names_what_departs(answer, telling):
    assert telling in said(checks.tokens_needed, answer)


# --- delay ---------------------------------------------------------------------------------------


def delay(status, attempt, retry_after=None, *, base=1, most=600):
    may_pass = status is None or status == 429 or status >= 500
    pause = max(base * 2 ** (attempt - 1), retry_after or 0)
    return pause if may_pass and attempt < 4 and pause <= most else None


def test_delay_is_right_in_whole_numbers_and_in_others():
    assert repr(checks.delay(delay)).startswith("✓ You wait longer each time")

    def in_floats(*given, **named):
        seconds = delay(*given, **named)
        return seconds if seconds is None else float(seconds)

    checks.delay(in_floats)


def changed(statuses=(), attempt=None, value=None):
    """Return delay() with one fault: another ``value`` at these statuses, or at this attempt."""

    def wrong(status, number, retry_after=None, *, base=1, most=600):
        if status in statuses or number == attempt:
            return value
        return delay(status, number, retry_after, base=base, most=most)

    return wrong


def in_even_steps(status, attempt, retry_after=None, *, base=1, most=600):
    seconds = delay(status, attempt, retry_after, base=base, most=most)
    return seconds and base * attempt


def deaf(status, attempt, retry_after=None, *, base=1, most=600):
    return delay(status, attempt, base=base, most=most)


def hasty(status, attempt, retry_after=None, *, base=1, most=600):
    return delay(status, attempt, min(retry_after or 0, most), base=base, most=most)


def obedient(status, attempt, retry_after=None, *, base=1, most=600):
    seconds = delay(status, attempt, retry_after, base=base, most=most)
    return seconds if seconds is None or retry_after is None else retry_after


def fixed(status, attempt, retry_after=None, *, base=1, most=600):
    return delay(status, attempt, retry_after, most=most)


WRONG_DELAYS = [
    (lambda *given, **named: None, "delay(429, 1) (RFC 8030 §8.4) should be a number"),
    (lambda *given, **named: 1, "delay(201, 1) (RFC 8030 §8.4) should be None"),
    (changed(statuses=(410,), value=1), "Gone is for good"),
    (changed(statuses=(404,), value=1), "Gone is for good"),
    (changed(statuses=(400,), value=1), "The same bytes will be refused again"),
    (changed(statuses=(403,), value=1), "The same token will be refused again"),
    (changed(statuses=(413,), value=1), "just as long at the next attempt"),
    (changed(statuses=(None,), value=None), "No answer at all may pass"),
    (changed(statuses=(504,), value="1"), "should be an int, and yours is a str of 1"),
    (changed(attempt=4, value=8), "delay(503, 4)"),
    (in_even_steps, "delay(503, 3)"),
    (fixed, "base is the first pause"),
    (deaf, "Retry-After asked for longer"),
    (obedient, "Retry-After is the least"),
    (hasty, "coming earlier than asked"),
]


@pytest.mark.parametrize("answer, telling", WRONG_DELAYS)
def test_delay_names_the_call_that_departs(answer, telling):
    assert telling in said(checks.delay, answer)


def test_a_limit_that_cannot_be_raised_is_found():
    def stubborn(status, attempt, retry_after=None, *, base=1, most=600):
        return delay(status, attempt, retry_after, base=base)

    assert "most is for the caller to say" in said(checks.delay, stubborn)


# --- fan_out -------------------------------------------------------------------------------------


async def fan_out(send, subscriptions, workers):
    results, rows = {}, enumerate(subscriptions)

    async def work():
        for number, subscription in rows:
            results[number] = await caught(send, subscription)

    await asyncio.gather(*(work() for _ in range(workers)))
    return [results[number] for number in sorted(results)]


async def caught(send, subscription):
    try:
        return await send(subscription)
    except Exception as error:  # noqa: BLE001  the caller looks at what it is
        return error


def test_fan_out_is_right():
    assert repr(checks.fan_out(fan_out)).startswith("✓ All were sent to")


def test_fan_out_is_checked_while_a_loop_runs_as_in_a_notebook():
    async def cell():
        return checks.fan_out(fan_out)

    assert repr(asyncio.run(cell())).startswith("✓")


def test_workers_in_a_task_group_with_a_time_limit_of_their_own_are_right_too():
    async def grouped(send, subscriptions, workers):
        results, rows = {}, enumerate(subscriptions)

        async def work():
            for number, subscription in rows:
                async with asyncio.timeout(5):
                    results[number] = await caught(send, subscription)

        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
        return [results[number] for number in range(len(results))]

    checks.fan_out(grouped)


async def one_by_one(send, subscriptions, workers):
    return [await caught(send, one) for one in subscriptions]


async def all_at_once(send, subscriptions, workers):
    return await asyncio.gather(*(caught(send, one) for one in subscriptions))


async def behind_a_semaphore(send, subscriptions, workers):
    room = asyncio.Semaphore(workers)

    async def one_of(subscription):
        async with room:
            return await caught(send, subscription)

    return await asyncio.gather(*map(one_of, subscriptions))


async def in_portions(send, subscriptions, workers):
    results, portion = [], []
    for subscription in subscriptions:
        portion.append(caught(send, subscription))
        if len(portion) == workers:
            results += await asyncio.gather(*portion)
            portion = []
    return results + await asyncio.gather(*portion)


async def all_read_first(send, subscriptions, workers):
    return await fan_out(send, list(subscriptions), workers)


async def as_they_come(send, subscriptions, workers):
    results, rows = [], iter(subscriptions)

    async def work():
        for subscription in rows:
            results.append(await caught(send, subscription))

    await asyncio.gather(*(work() for _ in range(workers)))
    return results


async def stopped_by_one(send, subscriptions, workers):
    results, rows = {}, enumerate(subscriptions)

    async def work():
        for number, subscription in rows:
            results[number] = await send(subscription)

    await asyncio.gather(*(work() for _ in range(workers)))
    return [results[number] for number in sorted(results)]


async def stopped_in_a_group(send, subscriptions, workers):
    results, rows = {}, enumerate(subscriptions)

    async def work():
        for number, subscription in rows:
            results[number] = await send(subscription)

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return [results[number] for number in sorted(results)]


async def workers_that_die(send, subscriptions, workers):
    results, rows = {}, enumerate(subscriptions)

    async def work():
        for number, subscription in rows:
            results[number] = await send(subscription)

    await asyncio.gather(*(work() for _ in range(workers)), return_exceptions=True)
    return [results[number] for number in sorted(results)]


async def failures_left_out(send, subscriptions, workers):
    results = await fan_out(send, subscriptions, workers)
    return [result for result in results if not isinstance(result, Exception)]


async def none_for_failures(send, subscriptions, workers):
    results = await fan_out(send, subscriptions, workers)
    return [None if isinstance(result, Exception) else result for result in results]


async def every_one_twice(send, subscriptions, workers):
    async def twice(subscription):
        await caught(send, subscription)
        return await send(subscription)

    return await fan_out(twice, subscriptions, workers)


async def nothing_returned(send, subscriptions, workers):
    await fan_out(send, subscriptions, workers)


async def one_worker_more(send, subscriptions, workers):
    return await fan_out(send, subscriptions, workers + 1)


WRONG_FAN_OUTS = [
    (lambda send, subscriptions, workers: [], "has to be a coroutine function: async def"),
    (one_by_one, "1 at a time was the most, and there could be 4"),
    (all_at_once, "200 sends were in flight, and workers was 4"),
    (one_worker_more, "5 sends were in flight, and workers was 4"),
    (behind_a_semaphore, "tasks for 200: memory grows with your success"),
    (all_read_first, "200 were read while 4 were in flight"),
    (in_portions, "While one was slow, only 3 of 12 were sent to"),
    (as_they_come, "Result 0 is not subscription 0's: keep their order"),
    (stopped_by_one, "send raised, and so did fan_out"),
    (stopped_in_a_group, "send raised, and so did fan_out"),
    (workers_that_die, "were not sent to, and 0 more than once"),
    (failures_left_out, "5 results for 9: a failure is one too"),
    (none_for_failures, "the exception itself should stand in the list"),
    (every_one_twice, "0 were not sent to, and 200 more than once"),
    (nothing_returned, "the result should be a list, and yours is None"),
]


@pytest.mark.parametrize("answer, telling", WRONG_FAN_OUTS)
def test_fan_out_names_what_was_measured(answer, telling):
    assert telling in said(checks.fan_out, answer)


def test_a_fan_out_that_never_ends_is_told_so(monkeypatch):
    monkeypatch.setattr(checks, "CALL_TIMEOUT", 0.05)

    async def for_ever(send, subscriptions, workers):
        await asyncio.Event().wait()

    assert said(checks.fan_out, for_ever) == "0 of 200 were sent to, and no end"


def test_the_learner_s_own_error_comes_through_a_task_group():
    async def mistaken(send, subscriptions, workers):
        async with asyncio.TaskGroup() as group:
            group.create_task(async_stub())

    with pytest.raises(YourTurn, match="async_stub|mistaken"):
        checks.fan_out(mistaken)


# --- none of them gives the answer away ------------------------------------------------------------

ALL_WRONG = (
    [(checks.tokens_needed, answer) for answer, _ in WRONG_TOKENS]
    + [(checks.delay, answer) for answer, _ in WRONG_DELAYS]
    + [(checks.fan_out, answer) for answer, _ in WRONG_FAN_OUTS]
)


@pytest.mark.parametrize("check, answer", ALL_WRONG)
def test_no_message_contains_the_right_answer(check, answer):
    message = said(check, answer)
    assert not [origin for origin in checks.ORIGINS if origin in message]
    if check is checks.delay:
        given, right = next(
            (given, right)
            for given, named, right, _ in checks.PAUSES
            if answer(*given, **named) != right
        )
        after = message.split("RFC 8030 §8.4")[1].split("yours")[0]
        assert right is None or str(right) not in after, (given, message)
