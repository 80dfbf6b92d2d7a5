"""The benchmarks are a program in a folder: its modules find one another as when it runs."""

from importlib import import_module
from pathlib import Path

import pytest


@pytest.fixture
def bench(monkeypatch):
    """Give the function that imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return import_module
