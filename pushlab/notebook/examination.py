"""``examine(…)``: a push server of the learner's, examined while a cell runs, and the result as a table.

It says in a notebook what ``pushlab conformance`` says in a terminal. The program is started anew for
each examination, and ended with it. Push services of the examination's own receive what it sends.
"""

import asyncio
import queue
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from pushlab.conformance.case import Case, Result, Verdict
from pushlab.conformance.examination import Examination, Timing
from pushlab.conformance.examiner import chosen
from pushlab.conformance.examiner import examine as pose
from pushlab.conformance.report.jsonl import counts
from pushlab.conformance.senders.app import AppSender, Routes
from pushlab.conformance.service import ExaminationService
from pushlab.errors import BadArgument, ProgramFailed
from pushlab.lab.loop import BackgroundLoop
from pushlab.lab.program import Program
from pushlab.reader import in_a_kernel
from pushlab.text import show

ERROR = re.compile(r"^(?:\w+\.)*[A-Z]\w*(?:Error|Exception)\b.*", re.MULTILINE)
"""The last line of a traceback, in Python and in Node."""

SUBSCRIBERS = 60
"""To so many does the largest message go. The command's own examination has 2,000."""

QUIET = 0.5
"""Seconds without a request after which no more is expected."""

MANY = 14
"""From so many cases on, those that pass are listed by their names alone."""

# The colours of JupyterLab's theme, light or dark, and what stands for them in other viewers.
GREEN = "var(--jp-success-color1, #1d7044)"
RED = "var(--jp-error-color1, #b0263f)"
YELLOW = "var(--jp-warn-color0, #86590a)"
FAINT = "var(--jp-ui-font-color2, #5f6772)"

MARKS = {
    Verdict.PASS: ("✓", GREEN),
    Verdict.FAIL: ("✗", RED),
    Verdict.WARN: ("!", YELLOW),
    Verdict.NA: ("–", FAINT),
    Verdict.NOT_REACHED: ("?", FAINT),
}


WORDS = {verdict.value: verdict.value for verdict in Verdict} | {
    Verdict.NA.value: "not applicable",
    Verdict.NOT_REACHED.value: "not reached",
}


class Examined(tuple[Result, ...]):
    """The results of an examination: a table as the last line of a cell, and lines of text elsewhere.

    ``log``: the end of what the program has written meanwhile.
    """

    log = ""

    def _with(self, verdict: Verdict) -> list[str]:
        return [one.case.id for one in self if one.verdict is verdict]

    @property
    def passed(self) -> list[str]:
        """The ids of the cases that passed."""
        return self._with(Verdict.PASS)

    @property
    def failed(self) -> list[str]:
        """The ids of the cases that failed, whether a MUST or a practice."""
        return self._with(Verdict.FAIL)

    @property
    def not_reached(self) -> list[str]:
        """The ids of the cases of which nothing is known, because something else failed first."""
        return self._with(Verdict.NOT_REACHED)

    def __repr__(self) -> str:
        lines = [f"{MARKS[one.verdict][0]} {one.case.id:<26} {_said(one)}" for one in _rows(self)]
        return "\n".join([*lines, _counted(self), *self._last_error()])

    def _last_error(self) -> list[str]:
        """Return the last error in the program's log, if not all is well: it often says why."""
        errors = ERROR.findall(self.log)
        is_well = all(one.verdict in (Verdict.PASS, Verdict.NA) for one in self)
        if is_well or not errors or any(errors[-1] in one.why for one in self):
            return []
        return [f"The program's last error: {show(errors[-1], limit=300)}"]

    def _repr_html_(self) -> str:
        if len(self) >= MANY:
            parts = [_names(group, found) for group, found in groupby(self, lambda one: one.case.group)]
        else:
            parts = []
        shown = (
            list(_rows(self)) if len(self) < MANY else [one for one in _rows(self) if not _is_na(one)]
        )
        return (
            f"{''.join(parts)}{_table(shown)}"
            f'<p style="color:{FAINT};margin:.4em 0">{escape(_counted(self))}</p>'
            + "".join(
                f'<p style="color:{RED};margin:.4em 0">{escape(one)}</p>' for one in self._last_error()
            )
        )


def _is_na(result: Result) -> bool:
    return result.verdict is Verdict.NA


def _rows(results: Iterable[Result]) -> Iterable[Result]:
    """Yield the results of which there is something to say.

    All of a short examination; of a long one those that did not pass. If nothing was reached, the
    reason is the same for all, so the first one says it.
    """
    results = list(results)
    if results and all(one.verdict is Verdict.NOT_REACHED for one in results):
        return results[:1]
    return [one for one in results if len(results) < MANY or one.verdict is not Verdict.PASS]


def _said(result: Result) -> str:
    """Say what was examined, or what was found if that is not as it should be."""
    return result.case.title if result.verdict is Verdict.PASS else result.why


def _counted(results: Sequence[Result]) -> str:
    return ", ".join(f"{number} {WORDS[name]}" for name, number in counts(results).items() if number)


def _mark(verdict: Verdict) -> str:
    sign, colour = MARKS[verdict]
    return f'<b style="color:{colour}" title="{verdict}">{sign}</b>'


def _names(group: str, found: Iterable[Result]) -> str:
    names = " ".join(
        f'<span style="white-space:nowrap">{_mark(one.verdict)} {_name(one.case)}</span>&ensp;'
        for one in found
    )
    return f'<p style="margin:.3em 0;line-height:1.7"><b>{group}</b>&ensp;{names}</p>'


def _name(case: Case) -> str:
    return case.id.partition(".")[2]


def _table(results: Sequence[Result]) -> str:
    if not results:
        return ""
    rows = (
        (
            _mark(one.verdict),
            f'<code style="white-space:nowrap">{one.case.id}</code>',
            escape(_said(one)) + _fix(one),
        )
        for one in results
    )
    cell = '<td style="text-align:left;vertical-align:top">'
    lines = (f"<tr>{''.join(f'{cell}{one}</td>' for one in row)}</tr>" for row in rows)
    return f"<table>{''.join(lines)}</table>"


def _fix(result: Result) -> str:
    if result.verdict not in (Verdict.FAIL, Verdict.WARN):
        return ""
    return f'<br><span style="color:{FAINT}">{result.case.level}: {escape(result.case.fix)}</span>'


def examine(
    server: str | Path | Sequence[str],
    *cases: str,
    subscribers: int = SUBSCRIBERS,
    quiet: float = QUIET,
) -> Examined:
    """Start a push server, examine it, end it, and return what was found.

    ``server``: the path of a Python file, or a list of arguments that starts it in any language.
    ``Program`` has the variables that it is told things by; its routes are those of the lab.
    ``cases``: ids such as ``"bytes.ascii"``, or groups; without any, the whole table. ``subscribers``:
    to how many the largest message goes; ``quiet``: seconds without a request after which no more is
    expected. A server that does not start is a result too. Raises BadArgument for an unknown case.

    >>> examine(["no such program"], "bytes.ascii", "bytes.utf8")
    ? bytes.ascii                no such program cannot be run: No such file or directory
    2 not reached
    """
    wanted = chosen(cases, _unknown)
    progress = _Progress(len(wanted))
    results: queue.SimpleQueue[Result] = queue.SimpleQueue()
    timing = Timing(quiet=quiet, messages=50, subscribers=subscribers)
    loop = BackgroundLoop()
    try:
        future = loop.submit(_examine(server, wanted, timing, results.put))
        found: list[Result] = []
        while not future.done() or not results.empty():
            try:
                found.append(results.get(timeout=0.1))
            except queue.Empty:
                continue
            progress.show(found)
        log = future.result()
    finally:
        loop.stop()  # It cancels what is under way, and that ends the program.
        progress.close()
    examined = Examined(found)
    examined.log = log
    return examined


def _unknown(id: str) -> BadArgument:
    hint = "./lab conformance --list, in a terminal, has all of them"
    return BadArgument(f"there is no case {show(id, limit=60)}", hint=hint)


async def _examine(
    server: str | Path | Sequence[str],
    cases: Sequence[Case],
    timing: Timing,
    tell: Callable[[Result], None],
) -> str:
    """Pose the cases, tell each result, and return the end of the program's log."""
    service = ExaminationService(None, patience=timing.patience)
    await service.start()
    program = Program(server, service.origins)
    sender: AppSender | None = None
    exam: Examination | None = None
    try:
        await program.start()
        sender = AppSender(Routes.of(program.url))
        await sender.open()
        exam = Examination(sender, service, timing=timing)
        async for result in pose(exam, cases):
            tell(result)
    except ProgramFailed as error:
        for case in cases:
            tell(Result(case, Verdict.NOT_REACHED, error.detail))
    finally:
        if exam is not None:
            await exam.close()
        if sender is not None:
            await sender.close()
        await asyncio.to_thread(program.stop)
        await service.stop()
    return program.log


class _Progress:
    """A line below the running cell that says how far the examination is, and is gone at its end.

    It is a widget, because a notebook keeps no widget: the saved output has the table alone.
    """

    def __init__(self, of: int) -> None:
        self._of, self._line = of, None
        if in_a_kernel():
            from ipywidgets import HTML  # A quarter of a second, where no panel was shown before.

            self._line = HTML()
            bundle = self._line._repr_mimebundle_()
            bundle.pop("text/plain", None)
            sys.modules["IPython"].display.display(bundle, raw=True)

    def show(self, found: Sequence[Result]) -> None:
        """Show how many cases have been judged, and how."""
        if self._line is not None:
            self._line.value = f"{len(found)} of {self._of} cases: {_counted(found)}"

    def close(self) -> None:
        """Take the line away."""
        if self._line is not None:
            self._line.layout.display = "none"
