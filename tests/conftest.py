"""What every test may use: a bounded way to run a coroutine, and the browsers that must be there."""

import asyncio
import os

import pytest


@pytest.fixture
def run():
    """Run a coroutine to its end in a fresh loop, and fail if it takes longer than ``timeout`` s."""

    def run_bounded(coroutine, timeout: float = 30):
        async def bounded():
            async with asyncio.timeout(timeout):
                return await coroutine

        return asyncio.run(bounded())

    return run_bounded


@pytest.fixture(scope="session")
def firefox_installed() -> str:
    """Give Firefox's path; without Firefox skip, or fail where PUSHLAB_REQUIRE_BROWSERS is set."""
    return found_or_missing("pushlab.useragent.firefox")


@pytest.fixture(scope="session")
def chromium_installed() -> str:
    """Give Chromium's path; without it skip, or fail where PUSHLAB_REQUIRE_BROWSERS is set."""
    return found_or_missing("pushlab.useragent.chromium")


def found_or_missing(module: str) -> str:
    from importlib import import_module

    from pushlab.errors import BrowserNotFound

    try:
        return str(import_module(module).find())
    except BrowserNotFound as error:
        missing(str(error))


def missing(what: str):
    if os.environ.get("PUSHLAB_REQUIRE_BROWSERS"):
        pytest.fail(f"{what} PUSHLAB_REQUIRE_BROWSERS is set, so this is a failure.")
    pytest.skip(what)
