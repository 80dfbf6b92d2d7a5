"""Checks of lesson 07b: which ``workers`` wait and are active, and ``my_worker`` with a bell."""

from collections.abc import Callable

from pushlab.errors import NotYet
from pushlab.notebook.checks.core import Right, type_is
from pushlab.notebook.checks.guard import check

Steps = list[tuple]

# What happens, in words; the steps; the version that waits, and the one that is active.
LIVES: list[tuple[str, Steps, tuple]] = [
    ("nothing", [], (None, None)),
    ("a first visit", [("open", "A"), ("file", 1)], (None, 1)),
    ("an update under a page", [("file", 1), ("open", "A"), ("file", 2)], (2, 1)),
    (
        "an update with no page open",
        [("file", 1), ("open", "A"), ("close", "A"), ("file", 2)],
        (None, 2),
    ),
    ("a page from before the first worker", [("open", "A"), ("file", 1), ("file", 2)], (None, 2)),
    (
        "two pages, and one of them is closed",
        [("file", 1), ("open", "A"), ("open", "B"), ("file", 2), ("close", "A")],
        (2, 1),
    ),
    (
        "two pages that are both closed",
        [("file", 1), ("open", "A"), ("open", "B"), ("file", 2), ("close", "A"), ("close", "B")],
        (None, 2),
    ),
    ("two updates", [("file", 1), ("open", "A"), ("file", 2), ("file", 3)], (3, 1)),
    ("skipWaiting", [("file", 1), ("open", "A"), ("file", 2), ("skip", None)], (None, 2)),
    ("skipWaiting when nobody waits", [("file", 1), ("open", "A"), ("skip", None)], (None, 1)),
    (
        "an update after skipWaiting",
        [("file", 1), ("open", "A"), ("file", 2), ("skip", None), ("file", 3)],
        (3, 2),
    ),
]


@check
def workers(yours: Callable[[Steps], tuple]) -> Right:
    """Check ``workers(steps) -> (waiting, active)``. Service Workers, Activate and Skip Waiting."""
    answers = [yours(list(steps)) for _, steps, _ in LIVES]
    for answer in answers:
        type_is("the answer of workers", answer, tuple)
    if any(len(answer) != 2 for answer in answers):
        raise NotYet("workers should return a tuple of two: the version that waits, the active one")
    if answers == [right[::-1] for _, _, right in LIVES]:
        raise NotYet("The two have changed places: the waiting one comes first")
    for (what, steps, right), answer in zip(LIVES, answers, strict=True):
        for name, place in (("active", 1), ("waiting", 0)):
            if answer[place] != right[place]:
                raise NotYet(f"{what}: the {name} worker is not right yet. The steps are {steps}")
    return Right(f"{len(LIVES)} lives end as they do in a browser.")


BELL = "🔔 "
WORKER = """addEventListener("push", (event) => event.waitUntil(receive(event.data)));

function receive(data) {
  const { title, body, tag, url } = read(data);
  return registration.showNotification(title, { body, tag, data: { url } });
}
addEventListener("notificationclick", (event) => event.notification.close());
"""


@check
def my_worker(yours: Callable[[str], str]) -> Right:
    """Check ``my_worker(worker) -> str``, as far as can be seen without running JavaScript."""
    answer = yours(WORKER)
    type_is("the answer of my_worker", answer, str)
    if answer == WORKER:
        raise NotYet(
            "The source is unchanged. replace() changes nothing if it does not find its first text: "
            "is that written as in the file, with the same quotes and spaces?"
        )
    if BELL not in answer:
        raise NotYet("There is no bell with a space after it in the source")
    if "showNotification" not in answer or answer.count("addEventListener(") != 2:
        raise NotYet("Something is gone that the worker needs: a listener, or the call that shows")
    for opening, closing in ("()", "{}"):
        if answer.count(opening) != answer.count(closing):
            raise NotYet(f"The source has more of one of {opening} and {closing} than of the other")
    if "${title}" in answer and "`" not in answer:
        raise NotYet("JavaScript fills ${title} in only between backticks: `🔔 ${title}`")
    if "title" not in answer.partition("showNotification(")[2].partition("{ body")[0]:
        raise NotYet("The message's own title is no longer shown")
    return Right("The source has a bell, and all that it had before.")
