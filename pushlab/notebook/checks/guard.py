"""How a check calls the learner's functions: whatever goes wrong there becomes one sentence.

A check is a function with the decorator ``check``. It gets each function of the learner as a
``Guarded``, which calls it and turns every exception into a ``NotYet`` that names the learner's own
line. Above the learner's cell, no frame of a check is shown in any traceback.

Whoever is in ``listeners`` is told of each attempt: a class that the learner has joined.
"""

import copy
import inspect
import linecache
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from types import CodeType, FrameType
from typing import Any

from pushlab.classroom.attempt import Attempt, Result
from pushlab.classroom.exercises import lesson_of
from pushlab.errors import ExerciseError, NotYet, YourTurn
from pushlab.notebook.checks.core import Right, article, kind
from pushlab.notebook.checks.steps import exception_step, step_of
from pushlab.text import show

MAX_LINES = 1_000_000
"""Lines that a learner's function may run in one call. An exercise needs some thousands at most."""

SHOWN = 24
"""A text, or bytes, up to this length are shown as an argument of a call."""

# What Python says of a slip, and what to do then. Each names a habit, and no exercise's result.
HINTS = {
    r"Incorrect padding|Invalid base64-encoded": (
        "Python's base64 decoders want padding, and base64url in web push has none: put it back first"
    ),
    r"SSL": (
        "https is right in real life, but the lab answers by plain http on this machine: take http or "
        "https from the scheme of the URL"
    ),
    r"refused": "Nobody listens there: take host and port from the URL, the port as well",
    r"InvalidTag": (
        "The tag does not fit: a key, the nonce or a byte of the sealed text is not the sender's"
    ),
    r"[Ii]nvalid keyword|unexpected keyword": "Compare the names of the arguments with the exercise",
    r"'coroutine'|coroutine object": "A coroutine has to be awaited: write await before it",
    r"KeyError": "No such name is in the dict: print its keys",
    r"NoneType": "Something there is None: look at what should have given it a value",
    r"NameError": "If another cell defines that name, run that cell first",
    r"\bstr\b.*\bbytes|\bbytes.*\bstr\b|no attribute '(?:en|de)code'": (
        "Text and bytes do not mix: encode() makes bytes of a text, decode() a text of bytes"
    ),
    r"UnicodeDecodeError": "Not all bytes are UTF-8: say what to do with those that are not",
    r"RecursionError": "The function calls itself, and nothing ends that",
}


listeners: list[Callable[[Attempt], None]] = []
"""Functions that are told of each attempt at an exercise. They return at once, and raise nothing."""


class TooManyLines(BaseException):
    """A learner's function runs on and on. No ``except Exception`` of the learner catches this."""


def check(examine: Callable[..., Right]) -> Callable[..., Right]:
    """Make a check of a function that examines functions of the learner.

    It gets each as a Guarded. What it raises reaches the learner as one sentence, without its frames.
    """

    @wraps(examine)
    def checked(*given: Any) -> Right:
        __tracebackhide__ = True  # IPython and pytest leave this frame out.
        told: ExerciseError
        try:
            right = examine(*map(Guarded, given))
        except ExerciseError as error:
            told = error
        except KeyboardInterrupt:
            told = NotYet("the check was interrupted", step="was interrupted")
        except Exception as error:  # noqa: BLE001 - a value of the learner may do anything
            fault = show(f"{type(error).__name__}: {error}", limit=160)
            said = f"the check can make nothing of what your function returns ({fault})"
            told = NotYet(said, step="what the function returns")
        else:
            _tell(examine, "passed")
            return right
        if isinstance(told, NotYet):
            _tell(examine, "differs", step_of(told))
        else:
            _tell(examine, "stub")
        raise told.with_traceback(None) from None

    # Python shows the source of each frame that it finds in a file, and for this name there is none.
    checked.__code__ = checked.__code__.replace(co_filename="<check>")  # type: ignore[attr-defined]
    return checked


def _tell(examine: Callable[..., Right], result: Result, step: str = "") -> None:
    module, exercise = examine.__module__.rpartition(".")[2], examine.__name__
    if lesson := lesson_of(module, exercise):
        for tell in listeners:
            tell(Attempt(lesson, exercise, result, step))


class Guarded:
    """A function of the learner. Calling it gives its result, or raises a sentence about the fault.

    Raises YourTurn if it is still the stub, and NotYet if it cannot be called as the exercise says,
    raises anything, runs without an end or is interrupted.

    >>> Guarded(lambda body: body[20])(b"short")
    Traceback (most recent call last):
    pushlab.errors.NotYet: <lambda>(b'short') raises IndexError in line 1...: index out of range. ...
    """

    def __init__(self, function: Any) -> None:
        if not callable(function):
            raise NotYet(
                f"the check needs your function itself, and got {kind(function)}: give it the name of "
                "the function alone, with no parentheses and no quotes",
                step="what the check is given",
            )
        self._function = function
        self.name = getattr(function, "__name__", type(function).__name__)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function and return its result, which is no coroutine."""
        return self._call(_copies(arguments), named)

    def pure(self, *arguments: Any) -> Any:
        """Call the function as above. Raises NotYet if it changes an argument."""
        given = _copies(arguments)
        result = self._call(given, {})
        for one, before in zip(given, arguments, strict=True):
            if one != before:
                raise NotYet(
                    f"{self.name} changes the {type(one).__name__} that it is given, and that belongs "
                    "to its caller: work on a copy"
                )
        return result

    def changing(self, *arguments: Any) -> Any:
        """Call the function with the arguments themselves, because it is to change them."""
        return self._call(arguments, {})

    def _call(self, arguments: tuple, named: dict) -> Any:
        with self._guard(arguments, named) as call:
            result = self._function(*arguments, **named)
        if inspect.iscoroutine(result):
            result.close()
            raise NotYet(f"{call} gives a coroutine, and no value: write def in place of async def")
        return result

    async def awaited(self, *arguments: Any, **named: Any) -> Any:
        """Call the coroutine function and return what its coroutine returns."""
        with self._guard(arguments, named):
            answer = self._function(*arguments, **named)
            if not inspect.isawaitable(answer):
                raise NotYet(f"{self.name} has to be a coroutine function: async def")
            return await answer

    @contextmanager
    def _guard(self, arguments: tuple, named: dict) -> Iterator[str]:
        """Give a text of the call; turn what its block raises into a sentence."""
        call = _text(self.name, arguments, named)
        self._fits(call, arguments, named)
        try:
            with _bounded(_code(self._function)):
                yield call
        except NotYet:
            raise
        except (Exception, KeyboardInterrupt, SystemExit, TooManyLines) as error:
            if isinstance(reason := _innermost(error), NotImplementedError):
                raise YourTurn(f"{self.name} raises NotImplementedError: it is your turn") from None
            where = _line(reason, self._function) or _line(error, self._function)
            said = f"{call} {_said(reason, where, None in arguments)}"
            raise NotYet(said, step=exception_step(reason)) from error

    def _fits(self, call: str, arguments: tuple, named: dict) -> None:
        try:
            signature = inspect.signature(self._function)
        except (ValueError, TypeError):
            return  # A function written in C has none to compare.
        try:
            signature.bind(*arguments, **named)
        except TypeError as reason:
            raise NotYet(
                f"{self.name} cannot be called as {call}: {reason}. Keep the line with def as the "
                "exercise gives it",
                step="its parameters",
            ) from None


def _text(name: str, arguments: tuple, named: dict) -> str:
    """Write a call as the learner could repeat it. What is long, or may be a key, is only named.

    >>> _text("origin", ("https://a.example", bytes(16), None), {"base": 2})
    "origin('https://a.example', 16 bytes, None, base=2)"
    """
    words = [*map(_argument, arguments), *(f"{key}={_argument(one)}" for key, one in named.items())]
    return f"{name}({', '.join(words)})"


def _argument(value: object) -> str:
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, str | bytes) and len(value) <= (SHOWN if isinstance(value, str) else 15):
        return repr(value)
    return kind(value) if isinstance(value, str | bytes | list | dict) else article(type(value).__name__)


def _said(error: BaseException, where: str, given_none: bool) -> str:
    """Say what was raised, where in the learner's cell, and what to do: the end of a sentence."""
    if isinstance(error, KeyboardInterrupt):
        return f"was interrupted{where}. Does its loop come to an end?"
    if isinstance(error, TooManyLines):
        return f"has run {MAX_LINES:,} lines and goes on{where}. What ends its loop?"
    said = show(str(error), limit=160).rstrip(".")
    kind_of = type(error)
    named = f"{kind_of.__module__}.".removeprefix("builtins.") + kind_of.__name__
    whole = f"{named}: {said}"
    hint = next((hint for slip, hint in HINTS.items() if re.search(slip, whole)), "")
    if given_none and "NoneType" in said:
        hint = "An argument is None here: ask for that first"
    said = f": {said}" if said else ""
    return f"raises {named}{where}{said}{'. ' if hint else ''}{hint}"


def _copies(arguments: tuple) -> tuple:
    """Return the arguments, with copies of those that a learner could change for the next case."""
    mutable = list, dict, set, bytearray
    return tuple(copy.deepcopy(one) if isinstance(one, mutable) else one for one in arguments)


def _innermost(error: BaseException) -> BaseException:
    """Return the reason within an exception group: a TaskGroup raises one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _code(function: Any) -> CodeType | None:
    while isinstance(function, partial):
        function = function.func
    return getattr(inspect.unwrap(function), "__code__", None)


def _line(error: BaseException, function: Any) -> str:
    """Return `` in line 3, `…` `` for the last line of the function's own cell that was reached."""
    code = _code(function)
    if code is None:
        return ""
    own = [
        number
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == code.co_filename
    ]
    if not own:
        return _line(error.__cause__, function) if error.__cause__ else ""
    text = show(linecache.getline(code.co_filename, own[-1]).strip(), limit=70)
    return f" in line {own[-1]}" + (f", `{text}`" if text else "")


@contextmanager
def _bounded(code: CodeType | None) -> Iterator[None]:
    """Raise TooManyLines in the function, or in what its cell defines, after MAX_LINES lines.

    It counts lines and not seconds, so it says the same on every machine. A debugger comes first.
    """
    if code is None or sys.gettrace() is not None:
        yield
        return
    left = MAX_LINES

    def enter(frame: FrameType, *_: object) -> Callable | None:
        return count if frame.f_code.co_filename == code.co_filename else None

    def count(_frame: FrameType, event: str, _: object) -> Callable:
        nonlocal left
        if event == "line":
            left -= 1
            if left < 0:
                raise TooManyLines
        return count

    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(None)
