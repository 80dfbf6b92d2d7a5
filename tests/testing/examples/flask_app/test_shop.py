"""The shop's messages arrive, and the shop forgets who has left."""

import json

import pytest
from shop import create_app


@pytest.fixture
def client(vapid_keys):
    keys = vapid_keys.application_server_key, vapid_keys.to_base64url()
    return create_app(*keys, vapid_keys.subject).test_client()


def test_a_customer_is_told(client, push_subscription):
    client.post("/subscriptions", json=push_subscription.to_json())
    client.post("/orders/7/ship")
    [message] = push_subscription.received()
    assert json.loads(message.text) == {"title": "Your parcel is on its way", "body": "Order 7"}
    assert message.ttl == 24 * 60 * 60


def test_a_customer_who_has_left_is_forgotten(client, push_service, push_subscription, vapid_keys):
    stays = push_service.subscribe(vapid_keys)
    for subscription in (push_subscription, stays):
        client.post("/subscriptions", json=subscription.to_json())
    push_subscription.expire()
    assert client.post("/orders/8/ship").json == {"subscribed": 1, "reached": 1}
    assert len(stays.received()) == 1


@pytest.mark.parametrize("flavour", ["mozilla", "fcm", "apple", "wns"])
def test_a_push_service_that_is_busy_loses_no_customer(client, push_service, push_subscription, flavour):
    push_service.flavour = flavour
    client.post("/subscriptions", json=push_subscription.to_json())
    push_subscription.answer(503, headers={"Retry-After": "60"})
    assert client.post("/orders/9/ship").json == {"subscribed": 1, "reached": 0}
    assert client.post("/orders/9/ship").json == {"subscribed": 1, "reached": 1}


def test_a_push_service_that_is_down_loses_no_customer(client, push_service, push_subscription):
    client.post("/subscriptions", json=push_subscription.to_json())
    push_service.stop()
    assert client.post("/orders/9/ship").json == {"subscribed": 1, "reached": 0}
