"""Functions that libcurl, the event loop or a thread calls: what they raise ends one message.

Such a function has no caller to raise to. pycurl prints the exception and goes on, the event loop
logs it, and the future that somebody awaits would never be resolved: one answer of one push service
would keep a whole notify-all from ending. So each of them is passed through ``contain()``, which
gives the exception to whoever resolves that future.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pushlab.errors import PushlabError, SendingFailed

Returned = TypeVar("Returned")


def contain(
    callback: Callable[..., Returned], fail: Callable[[Exception], object], otherwise: Returned
) -> Callable[..., Returned]:
    """Return ``callback``, made so that it never raises.

    What it raises is given to ``fail``, and then it returns ``otherwise``.

    >>> faults = []
    >>> first = contain(lambda letters: letters[0], faults.append, "")
    >>> first("abc"), first(""), faults
    ('a', '', [IndexError('string index out of range')])
    """

    def contained(*arguments: object) -> Returned:
        try:
            return callback(*arguments)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is the outcome of one message
            fail(error)
            return otherwise

    return contained


def sending_error(error: Exception) -> PushlabError:
    """Return an error as one of ours, fit to be shown: it names its place, and repeats no value.

    The text of an exception may hold the endpoint, which is a secret.

    >>> sending_error(UnicodeError("https://push.example.net/secret")).detail
    'this program has a fault: UnicodeError'
    """
    if isinstance(error, PushlabError):
        return error
    traceback = error.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    place = ""
    if traceback:
        name = Path(traceback.tb_frame.f_code.co_filename).name
        place = f" in {name}, line {traceback.tb_lineno}"
    failed = SendingFailed(f"this program has a fault: {type(error).__name__}{place}")
    failed.__cause__ = error
    return failed
