"""Checks of lesson 06b: ranges of subscribers, shares of one window, outcomes that count once."""

from collections import Counter
from collections.abc import Callable

from pushlab.errors import NotYet
from pushlab.notebook.checks.core import Right, type_is
from pushlab.notebook.checks.guard import check

Ranges = list[tuple[int, int]]

# Numbers of subscribers as a table has them, some of which are gone, and how many a range may have.
TABLES: list[tuple[list[int], int]] = [
    ([], 3),
    ([1, 2, 900, 901, 902, 5000, 70_000], 3),
    (list(range(1, 10)), 3),
    (list(range(1, 12)), 4),
    ([7], 1000),
    ([5, 6, 7, 8, 9], 1),
]


@check
def ranges(yours: Callable[[list[int], int], Ranges]) -> Right:
    """Check ``ranges(numbers, size) -> list[tuple[int, int]]``."""
    for numbers, size in TABLES:
        answer = yours(list(numbers), size)
        type_is("the answer of ranges", answer, list)
        if not all(
            type(one) is tuple and len(one) == 2 and set(map(type, one)) == {int} for one in answer
        ):
            raise NotYet("Each range should be a tuple of two numbers: the first, and the last")
        case = f"With {len(numbers)} subscribers and {size} in a range"
        if answer != (right := _ranges(numbers, size)):
            what = _what_is_wrong(numbers, size, answer, right)
            raise NotYet(f"{case}: {what}", step=what)
    return Right("Each subscriber is in one range, and the gaps make none longer or shorter.")


def _ranges(numbers: list[int], size: int) -> Ranges:
    some = [numbers[at : at + size] for at in range(0, len(numbers), size)]
    return [(one[0], one[-1]) for one in some]


def _what_is_wrong(numbers: list[int], size: int, answer: Ranges, right: Ranges) -> str:
    inside = [[one for one in numbers if first <= one <= last] for first, last in answer]
    in_how_many = Counter(one for some in inside for one in some)
    if any(count > 1 for count in in_how_many.values()):
        return "somebody is in two ranges, and is sent to twice. The last number is in its range too"
    if set(numbers) - set(in_how_many):
        return "somebody is in no range, and is never sent to"
    if any(len(some) > size for some in inside):
        return "one range has too many. Does it end before the next one begins?"
    if not all(inside):
        return "one range has nobody in it. Count subscribers, and not numbers: many are gone"
    if len(answer) > len(right):
        return "there are more ranges than needed. Count subscribers, and not numbers: many are gone"
    if sorted(answer) == right:
        return "the ranges are right, and not in their order"
    return "a range should begin and end with the number of a subscriber"


# A window, and how many messages wait in each worker.
NEEDS: list[tuple[int, dict[str, int]]] = [
    (100, {"a": 1000}),
    (100, {"a": 1000, "b": 1000}),
    (100, {"a": 1000, "b": 1}),
    (100, {"a": 30, "b": 20, "c": 10}),
    (100, {"a": 5000, "b": 0, "c": 5000}),
    (100, {"a": 700, "b": 200, "c": 100}),
    (2, {"a": 10, "b": 10, "c": 10}),
    (100, {}),
]


@check
def shares(yours: Callable[[int, dict[str, int]], dict[str, int]]) -> Right:
    """Check ``shares(window, waiting) -> dict[str, int]``."""
    for window, waiting in NEEDS:
        given = yours(window, dict(waiting))
        type_is("the answer of shares", given, dict)
        if given.keys() != waiting.keys():
            raise NotYet(f"The workers are {sorted(waiting)}, and each has a share, if only 0")
        if any(type(share) is not int or share < 0 for share in given.values()):
            raise NotYet("Each share should be a whole number, and not below 0")
        case = f"shares({window}, {waiting})"
        if sum(given.values()) > window:
            why = "The push service sees all of your processes as one sender"
            raise NotYet(f"{case} gives {sum(given.values())} together, over {window}. {why}")
        for name, share in given.items():
            if share > waiting[name]:
                raise NotYet(f"{case}: {name} has {share}, and only {waiting[name]} wait there")
        needy = [name for name, count in waiting.items() if count]
        if window >= len(needy) and not all(given[name] for name in needy):
            raise NotYet(f"{case}: somebody has 0, though a message waits there. It would wait for ever")
        if (left := min(window, sum(waiting.values())) - sum(given.values())) > 0:
            raise NotYet(f"{case}: {left} of the window are used by nobody, while messages wait")
    return Right("Together they never have more in flight than one process would.")


# What workers have written, in the order of the database.
RECORDS: list[list[tuple[int, str]]] = [
    [],
    [(1, "accepted"), (2, "gone"), (3, "accepted")],
    [(1, "accepted"), (2, "accepted"), (1, "accepted")],
    [(4, "failed"), (4, "retried"), (5, "accepted"), (5, "accepted"), (5, "failed")],
    [(1, "retried"), (2, "accepted"), (1, "accepted")],
    [(1, "accepted"), (2, "failed"), (1, "retried")],
]


@check
def outcomes(yours: Callable[[list[tuple[int, str]]], dict[str, int]]) -> Right:
    """Check ``outcomes(records) -> dict[str, int]``."""
    for records in RECORDS:
        answer = yours(list(records))
        if not isinstance(answer, dict):
            type_is("the answer of outcomes", answer, dict)
        right = _outcomes(records)
        if dict(answer) == right:
            continue
        if dict(answer) == Counter(outcome for _, outcome in records):
            raise NotYet("These are rows. Where a range was done again, a subscriber has two of them")
        if dict(answer) == Counter(outcome for _, outcome in set(records)):
            raise NotYet("A subscriber with two different outcomes is counted twice")
        if dict(answer) == Counter(dict(records).values()):
            raise NotYet("Whatever is written later, a subscriber that has accepted the message has it")
        if dict(answer) == Counter(dict(reversed(records)).values()):
            raise NotYet("The later outcome counts, unless the message had been accepted before")
        raise NotYet(f"outcomes({records}) is not right yet: each subscriber counts once")
    return Right("Each subscriber counts once, however often a range was done.")


def _outcomes(records: list[tuple[int, str]]) -> dict[str, int]:
    last: dict[int, str] = {}
    for number, outcome in records:
        if last.get(number) != "accepted":
            last[number] = outcome
    return dict(Counter(last.values()))
