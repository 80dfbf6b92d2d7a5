"""Every user agent offers the same methods, so that the caller need not know which it has."""

import inspect

import pytest

from pushlab.useragent.base import Notification, UserAgent
from pushlab.useragent.firefox.browser import Firefox
from pushlab.useragent.virtual import VirtualUserAgent

OFFERED = [name for name in vars(UserAgent) if not name.startswith("_")]


@pytest.mark.parametrize("name", OFFERED)
@pytest.mark.parametrize("kind", [Firefox, VirtualUserAgent])
def test_each_user_agent_has_the_method_with_its_arguments(kind, name):
    assert inspect.iscoroutinefunction(getattr(kind, name))
    assert inspect.signature(getattr(kind, name)) == inspect.signature(getattr(UserAgent, name))


def test_the_interface_is_not_empty():
    assert {"start", "open", "subscribe", "wait_for_notification", "close"} <= set(OFFERED)


@pytest.mark.parametrize("kind", [Firefox, VirtualUserAgent])
def test_each_user_agent_has_a_name_and_shows_no_address(kind):
    agent = kind("ws://127.0.0.1:8030/")
    assert agent.name
    assert "8030" not in repr(agent)


def test_a_notification_matches_what_is_asked_and_none_is_any():
    notification = Notification("title", "body")
    assert notification.matches()
    assert notification.matches("body") and notification.matches(title="title")
    assert notification.matches("body", "title")
    assert not notification.matches("other") and not notification.matches("body", "other")
    assert not Notification("title", "").matches("body")
