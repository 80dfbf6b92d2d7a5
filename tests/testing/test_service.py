"""A push service for the tests of others: what arrives, what is refused, and what is planned."""

import asyncio

import pytest
import requests
from pywebpush import WebPushException, webpush

from pushlab import VapidKeys
from pushlab.errors import BadField, EncryptionError, TimedOut, UnknownFlavour


def send(subscription, keys, text="Hello", **options):
    """Send as anybody does who has pywebpush."""
    private, claims = keys.to_base64url(), {"sub": keys.subject}
    given = {"ttl": 60, "timeout": 30} | options
    return webpush(subscription.to_json(), text, vapid_private_key=private, vapid_claims=claims, **given)


def refusal(subscription, keys):
    with pytest.raises(WebPushException) as refused:
        send(subscription, keys)
    return refused.value.response


def test_what_arrives_is_decrypted_with_its_options(push_subscription, vapid_keys):
    send(push_subscription, vapid_keys, "é", ttl=7, headers={"Urgency": "high", "Topic": "t"})
    send(push_subscription, vapid_keys, "two")
    first, second = push_subscription.received(2)
    assert (first.text, first.plaintext, first.ttl) == ("é", "é".encode(), 7)
    assert (first.urgency, first.topic, second.text) == ("high", "t", "two")
    assert push_subscription.messages == [first, second]


def test_what_a_sender_knows_the_test_knows(push_service, push_subscription, vapid_keys):
    """The push service answers first and then takes its notes, and the sender may be faster."""
    for number in range(1, 30):
        send(push_subscription, vapid_keys)
        assert (len(push_subscription.messages), len(push_service.answers())) == (number, number)


def test_it_waits_for_a_message_that_is_still_on_its_way(push_service, push_subscription, vapid_keys):
    async def scenario():
        waiting = asyncio.create_task(push_subscription.areceived())
        await asyncio.to_thread(send, push_subscription, vapid_keys)
        return await waiting

    assert asyncio.run(scenario())[0].text == "Hello"


def test_a_coroutine_may_block_and_is_told_so_if_nothing_comes(push_subscription, vapid_keys):
    async def scenario():
        await asyncio.to_thread(send, push_subscription, vapid_keys)
        assert push_subscription.received()[0].text == "Hello"
        push_subscription.received(2, timeout=0)

    with pytest.raises(TimedOut, match=r"await areceived\(\)"):
        asyncio.run(scenario())


def test_nothing_that_comes_is_told_with_what_was_answered(push_service, push_subscription, vapid_keys):
    with pytest.raises(TimedOut, match="0 of 1 messages came .* Nobody has sent anything"):
        push_subscription.received(timeout=0)
    assert refusal(push_subscription, VapidKeys.generate()).status_code == 403
    with pytest.raises(TimedOut, match=r"answered: 403 Forbidden \(k is not the key") as failed:
        push_subscription.received(timeout=0)
    assert failed.value.hint.startswith("Sign with the key that was applicationServerKey")
    assert [entry.name for entry in failed.traceback if not entry.ishidden(failed)] == [
        "test_nothing_that_comes_is_told_with_what_was_answered"
    ], "pytest shows the line of the test alone"
    send(push_subscription, vapid_keys)
    with pytest.raises(TimedOut, match="1 of 2 messages came"):
        asyncio.run(push_subscription.areceived(2, timeout=0))


def test_a_message_that_cannot_be_decrypted_is_an_error(push_subscription, vapid_keys):
    wrong = push_subscription.to_json()
    wrong["keys"]["auth"] = "A" * 22
    claims = {"sub": vapid_keys.subject}
    webpush(wrong, "Hello", vapid_private_key=vapid_keys.to_base64url(), vapid_claims=claims, timeout=30)
    with pytest.raises(EncryptionError):
        push_subscription.received()


def test_a_subscription_belongs_to_one_key_or_to_nobody(push_service, vapid_keys):
    for key in (vapid_keys, vapid_keys.public, vapid_keys.application_server_key):
        subscription = push_service.subscribe(key)
        assert refusal(subscription, VapidKeys.generate()).status_code == 403
        send(subscription, vapid_keys)
    send(push_service.subscribe(), VapidKeys.generate())


def test_a_subscription_that_has_ended_is_gone(push_subscription, vapid_keys):
    push_subscription.expire()
    assert refusal(push_subscription, vapid_keys).status_code == 410


def test_answers_are_planned_for_one_subscription_or_for_all(
    push_service, push_subscription, vapid_keys
):
    other = push_service.subscribe(vapid_keys)
    push_subscription.answer(429, headers={"Retry-After": "3"}, body="slowly", times=2)
    for _ in range(2):
        refused = refusal(push_subscription, vapid_keys)
        assert (refused.status_code, refused.headers["Retry-After"], refused.text) == (
            429,
            "3",
            "slowly",
        )
    send(push_subscription, vapid_keys)
    push_service.answer(500)
    assert refusal(other, vapid_keys).status_code == 500
    send(other, vapid_keys)
    assert len(other.received()) == len(push_subscription.received()) == 1
    assert [one.what for one in push_service.answers()][:2] == ["429 Too Many Requests"] * 2
    with pytest.raises(BadField):
        push_service.answer(42)


def test_a_push_service_can_be_down(push_service, push_subscription, vapid_keys):
    send(push_subscription, vapid_keys)
    push_service.stop()
    with pytest.raises(requests.ConnectionError):
        send(push_subscription, vapid_keys)
    assert len(push_subscription.received()) == 1


def test_the_flavour_is_a_vendor_s(push_service, push_subscription, vapid_keys):
    assert push_service.flavour == "strict"
    push_service.flavour = "mozilla"
    push_subscription.expire()
    assert refusal(push_subscription, vapid_keys).json()["errno"] == 106
    with pytest.raises(UnknownFlavour):
        push_service.flavour = "vanilla"


def test_a_sender_may_use_https(push_service, vapid_keys, monkeypatch):
    subscription = push_service.subscribe(vapid_keys, https=True)
    assert subscription.endpoint.startswith(push_service.https_origin)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(push_service.ca_file))
    send(subscription, vapid_keys)
    assert subscription.received()[0].text == "Hello"


def test_no_object_shows_an_endpoint(push_service, push_subscription):
    token = push_subscription.endpoint.rpartition("/")[2]
    assert token not in repr(push_subscription) + repr(push_service)
