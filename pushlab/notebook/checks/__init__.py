"""Checks: a module for each lesson, a function for each exercise: ``checks.encrypt.derive(derive)``.

``core`` explains what a check is. A lesson writes ``from pushlab import checks``; each module is
loaded when it is first used.
"""

from importlib import import_module
from types import ModuleType

LESSONS = [
    "start_here", "keys", "subscribe", "encrypt", "sign", "send", "notify_all", "processes",
    "receive", "worker_life", "error_clinic", "operate", "your_server",
]  # fmt: skip
__all__ = [*LESSONS]  # noqa: PLE0604 - the names are LESSONS, which ruff does not look into


def __getattr__(name: str) -> ModuleType:
    if name not in LESSONS:
        raise AttributeError(f"there are no checks named {name!r}")
    return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted(LESSONS)
