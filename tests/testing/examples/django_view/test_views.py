"""A reader is welcomed; a subscription to which nothing can be sent is not stored."""

import pytest
from django.core.cache import cache
from django.test import Client, override_settings

from pushlab import VapidKeys


@pytest.fixture
def client(vapid_keys):
    cache.clear()
    with override_settings(VAPID_PRIVATE_KEY=vapid_keys.to_base64url(), ALLOWED_HOSTS=["testserver"]):
        yield Client()


def subscribe(client, subscription):
    return client.post("/subscriptions", subscription.to_json(), content_type="application/json")


def test_a_reader_is_welcomed(client, push_subscription):
    assert subscribe(client, push_subscription).status_code == 201
    [message] = push_subscription.received()
    assert (message.text, message.urgency, message.topic) == ("Welcome!", "low", "welcome")
    assert cache.get("subscriptions") == [push_subscription.to_json()]


def test_the_welcome_waits_while_the_reader_is_offline(client, virtual_browser, vapid_keys):
    subscription = virtual_browser.subscribe(vapid_keys)
    virtual_browser.disconnect()
    assert subscribe(client, subscription).status_code == 201
    virtual_browser.connect()
    assert virtual_browser.received() == [b"Welcome!"]


def test_a_subscription_for_another_key_is_refused_with_the_reason(client, push_service):
    subscription = push_service.subscribe(VapidKeys.generate())
    answer = subscribe(client, subscription)
    assert answer.status_code == 400 and "key" in answer.json()["error"]
    assert subscription.messages == [] and cache.get("subscriptions") is None
