"""What every test may use: a bounded way to run a coroutine, and the browsers that must be there."""

import asyncio
import os
import shutil

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
    from pushlab.errors import BrowserNotFound
    from pushlab.useragent import firefox

    try:
        return str(firefox.find())
    except BrowserNotFound as error:
        missing(str(error))


@pytest.fixture(scope="session")
def chromium_installed() -> str:
    """Give Chromium's path; without it skip, or fail where PUSHLAB_REQUIRE_BROWSERS is set."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    missing("no Chromium is installed")


def missing(what: str):
    if os.environ.get("PUSHLAB_REQUIRE_BROWSERS"):
        pytest.fail(f"{what} PUSHLAB_REQUIRE_BROWSERS is set, so this is a failure.")
    pytest.skip(what)
