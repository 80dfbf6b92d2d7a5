"""Where a check has stopped, in the check's own words: for whoever keeps count of attempts.

The sentence for the learner may quote values and code of the learner's. What is returned here does not:
it is the name that the check has for the value that differs (``PRK``), the class of an exception, or
the sentence as the source of the check has it, with … in place of each value.
"""

import ast
import sys
import traceback
from functools import lru_cache
from pathlib import Path

from pushlab.errors import NotYet

FOLDER = Path(__file__).parent

KNOWN = sys.stdlib_module_names | {"cryptography"}
"""Libraries whose exceptions are named. A learner's own class may have any name."""


def step_of(error: NotYet) -> str:
    """Return where the check that raises this has stopped."""
    return error.step or _sentence(error)


def exception_step(error: BaseException) -> str:
    """Return the step at which a function raises an exception.

    >>> exception_step(KeyError("a value of the learner's"))
    'raises KeyError'
    """
    kind = type(error)
    known = kind.__module__.partition(".")[0] in KNOWN
    return f"raises {kind.__name__}" if known else "raises an exception"


def _sentence(error: NotYet) -> str:
    """Return the words of the statement that has raised an error, without its values."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if Path(one[0]).parent == FOLDER]
    for frame in reversed(frames):
        if words := _raised(frame.filename).get(frame.lineno or 0):
            return words
    return ""


@lru_cache(maxsize=32)  # There are fewer modules of checks.
def _raised(path: str) -> dict[int, str]:
    """Return the words of each ``raise NotYet(…)`` of a file, by the lines that it has."""
    tree = ast.parse(Path(path).read_text("utf-8"))
    return {
        line: _words(node.exc.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def _words(text: ast.expr) -> str:
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in parts)
