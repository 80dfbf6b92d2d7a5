"""A pytest plugin for whoever tests a push server of their own: ``tests/testing/README.md`` shows how.

pytest loads this module in every run. So what a fixture needs is imported when a test asks for it.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from pushlab.appserver.keys import VapidKeys
    from pushlab.lab.loop import BackgroundLoop
    from pushlab.testing.browsers import RealBrowser, VirtualBrowser
    from pushlab.testing.service import ReceivingSubscription, RunningPushService


@pytest.fixture(scope="session")
def _pushlab_loop() -> Iterator["BackgroundLoop"]:
    """Run an event loop in a thread, so that a test may block, or have a loop of its own."""
    from pushlab.lab.loop import BackgroundLoop

    loop = BackgroundLoop()
    yield loop
    loop.stop()


@pytest.fixture
def push_service(
    _pushlab_loop: "BackgroundLoop", tmp_path_factory: pytest.TempPathFactory
) -> Iterator["RunningPushService"]:
    """Run a push service at a free port. It refuses what the RFCs forbid, and says why."""
    from pushlab.testing.service import RunningPushService

    with RunningPushService(_pushlab_loop, lambda: tmp_path_factory.mktemp("push_service")) as service:
        yield service


@pytest.fixture
def vapid_keys() -> "VapidKeys":
    """Make a VAPID key pair. If your server has its own, return that from a fixture of this name."""
    from pushlab.appserver.keys import VapidKeys

    return VapidKeys.generate("mailto:tests@example.com")


@pytest.fixture
def push_subscription(
    push_service: "RunningPushService", vapid_keys: "VapidKeys"
) -> "ReceivingSubscription":
    """Make a subscription to which only ``vapid_keys`` may send; ``received()`` tells what arrives."""
    return push_service.subscribe(vapid_keys)


@pytest.fixture
def virtual_browser(push_service: "RunningPushService") -> Iterator["VirtualBrowser"]:
    """Connect a browser without page and screen: it subscribes, goes offline, and decrypts."""
    from pushlab.testing.browsers import VirtualBrowser

    with VirtualBrowser(push_service) as browser:
        yield browser


@pytest.fixture
def firefox(push_service: "RunningPushService") -> Iterator["RealBrowser"]:
    """Start a real Firefox that uses ``push_service``. Without Firefox the test is skipped."""
    yield from _real_browser("firefox", push_service)


@pytest.fixture
def chromium(push_service: "RunningPushService") -> Iterator["RealBrowser"]:
    """Start a real Chromium that uses ``push_service``. Without Chromium the test is skipped."""
    yield from _real_browser("chromium", push_service)


def _real_browser(kind: str, push_service: "RunningPushService") -> Iterator["RealBrowser"]:
    from pushlab.errors import BrowserNotFound
    from pushlab.testing.browsers import RealBrowser

    browser = RealBrowser(kind, push_service)
    try:
        browser.start()
    except BrowserNotFound as error:
        missing(str(error))
    try:
        yield browser
    finally:
        browser.close()


def missing(what: str) -> NoReturn:
    """Skip this test, or fail it where PUSHLAB_REQUIRE_BROWSERS says that nothing may be missing."""
    if os.environ.get("PUSHLAB_REQUIRE_BROWSERS"):
        pytest.fail(f"{what} PUSHLAB_REQUIRE_BROWSERS is set, so this is a failure.", pytrace=False)
    pytest.skip(what)
