"""Checks, a module a lesson and a function an exercise: ``checks.encrypt.derive(derive)``.

``core`` says what a check is. Lessons reach these modules as ``from pushlab import checks``; each is
loaded when it is first asked for.
"""

from importlib import import_module

LESSONS = ["start_here", "keys", "subscribe", "encrypt", "sign", "send", "notify_all", "receive", "error_clinic"]
__all__ = LESSONS


def __getattr__(name: str):
    if name not in LESSONS:
        raise AttributeError(f"there are no checks named {name!r}")
    return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted(LESSONS)
