"""A data folder for this run, which ``./lab test`` asks for: no test touches that of a lab in use.

Whoever runs pytest by hand names a folder in PUSHLAB_DATA, or uses the lab's own.
"""

import os

import pytest

from pushlab.throwaway import ThrowAwayFolder


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # The processes of a run inherit it.
        folder = ThrowAwayFolder("test")
        config.add_cleanup(folder.delete)
        os.environ["PUSHLAB_DATA"] = str(folder.path)
