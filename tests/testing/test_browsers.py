"""The browsers of the plugin: the virtual one, and one that is missing.

(``test_examples`` has the real ones.)
"""

import asyncio

import pytest

from pushlab.errors import TimedOut
from pushlab.useragent.base import Notification

from .test_service import refusal, send


def test_a_message_waits_while_it_is_offline(virtual_browser, vapid_keys):
    subscription = virtual_browser.subscribe(vapid_keys)
    send(subscription, vapid_keys, '{"title": "Hello", "body": "one"}')
    assert virtual_browser.received() == [b'{"title": "Hello", "body": "one"}']
    assert virtual_browser.notifications() == [Notification("Hello", "one")]
    virtual_browser.disconnect()
    send(subscription, vapid_keys, "two")
    with pytest.raises(
        TimedOut, match=r"1 of 2 messages came within 0 s. The push service has answered: 201 Created"
    ):
        virtual_browser.received(2, timeout=0)
    virtual_browser.connect()
    assert asyncio.run(virtual_browser.areceived(2))[1] == b"two"


def test_it_can_unsubscribe(virtual_browser, vapid_keys):
    subscription = virtual_browser.subscribe(vapid_keys.application_server_key)
    virtual_browser.unsubscribe()
    assert refusal(subscription, vapid_keys).status_code == 410


def test_a_browser_that_is_missing_is_a_skip_with_its_reason(request, monkeypatch):
    monkeypatch.delenv("PUSHLAB_REQUIRE_BROWSERS", raising=False)
    monkeypatch.setenv("PUSHLAB_FIREFOX", "/nowhere/firefox")
    with pytest.raises(pytest.skip.Exception, match="/nowhere/firefox"):
        request.getfixturevalue("firefox")


def test_or_a_failure_where_none_may_be_missing(request, monkeypatch):
    monkeypatch.setenv("PUSHLAB_REQUIRE_BROWSERS", "1")
    monkeypatch.setenv("PUSHLAB_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(pytest.fail.Exception, match="/nowhere/chromium"):
        request.getfixturevalue("chromium")
