"""Where a subscription is, if it is not the object itself."""

import json

import pytest

from pushlab.doctor.subscription import examine_subscription
from pushlab.errors import NoEndpoint, NoKeys, NotASubscription
from pushlab.protocol.examples import RFC8291
from pushlab.protocol.spelling import wrapping
from pushlab.protocol.subscription import PushSubscription

GOOD = RFC8291.subscription.to_json()
P256DH, AUTH, ENDPOINT = GOOD["keys"]["p256dh"], GOOD["keys"]["auth"], GOOD["endpoint"]

WRAPPED = [
    ({"subscription": GOOD}, NoEndpoint, "is in the member subscription"),
    ({"user": 7, "data": {"push": GOOD}}, NoEndpoint, "is in the member push of the member data"),
    ({"subscription": json.dumps(GOOD)}, NoEndpoint, "is in the JSON text of the member subscription"),
    ([GOOD], NotASubscription, "is element 0 of the array"),
    ([GOOD, GOOD], NotASubscription, "is element 0 of the array of 2"),
    ({"subscriptions": [GOOD]}, NoEndpoint, "is in element 0 of the array of the member subscriptions"),
    (json.dumps(GOOD), NotASubscription, "JSON in JSON"),
    ({"<script>": GOOD}, NoEndpoint, "is in a member"),
]


@pytest.mark.parametrize(("value", "error", "words"), WRAPPED)
def test_a_wrapped_subscription_is_found_and_is_no_fault_of_the_browser(value, error, words):
    for source in (json.dumps(value), json.dumps(value).encode()):
        with pytest.raises(error) as caught:
            PushSubscription.from_json(source)
        assert words in caught.value.detail and caught.value.fault == "application server"
        assert ENDPOINT not in str(caught.value) and "<script>" not in str(caught.value)


FLAT = [
    ({"endpoint": ENDPOINT, "p256dh": P256DH, "auth": AUTH}, "p256dh and auth beside endpoint"),
    ({"endpoint": ENDPOINT, "publicKey": P256DH, "authToken": AUTH}, "publicKey and authToken"),
    ({"endpoint": ENDPOINT, "key": P256DH, "authSecret": AUTH}, "key and authSecret"),
    ({"endpoint": ENDPOINT, "keys": json.dumps(GOOD["keys"])}, "JSON in JSON"),
    ({"endpoint": ENDPOINT, "keys": {"publicKey": P256DH, "auth": AUTH}}, "publicKey and auth"),
]


@pytest.mark.parametrize(("value", "words"), FLAT)
def test_keys_elsewhere_or_of_other_names_are_found(value, words):
    with pytest.raises(NoKeys) as caught:
        PushSubscription.from_json(value)
    assert words in caught.value.detail and caught.value.fault == "application server"
    assert P256DH not in str(caught.value) and AUTH not in str(caught.value)


@pytest.mark.parametrize(
    "value", [{}, [], 7, None, "", "hello", {"a": {"b": [1, "{"]}}, {"endpoint": ""}]
)
def test_nothing_is_found_where_there_is_none(value):
    assert wrapping.find(value) is None


def test_the_keys_of_a_good_subscription_are_where_they_should_be():
    assert wrapping.find_keys({"endpoint": ENDPOINT}) is None
    assert wrapping.find_keys({"endpoint": ENDPOINT, "keys": {}}) is None
    assert wrapping.find_keys({"endpoint": ENDPOINT, "keys": [P256DH, AUTH]}) is None


def test_a_name_of_an_object_as_json_is_told_too():
    with pytest.raises(NotASubscription, match=r"JSON\.stringify\(subscription\), and not String"):
        PushSubscription.from_json('"[object PushSubscription]"')


def test_names_in_other_letters_are_found():
    endpoint = "https://push.example.net/x"
    for name in ("Endpoint", "endPoint", "url", "push_url"):
        assert wrapping.find({name: endpoint}).name == "endpoint-named-otherwise"
    assert wrapping.find({"url": "x"}) is None
    for name in ("token_endpoint", "authorization_endpoint"):  # of OAuth
        assert wrapping.find({name: endpoint}) is None
    for members in ({"P256DH": "B", "Auth": "A"}, {"public_key": "B"}, {"AuthToken": "A"}):
        assert wrapping.find_keys({"endpoint": endpoint} | members).name == "flat"
        assert wrapping.find_keys({"endpoint": endpoint, "keys": members}).name == "keys-named-otherwise"
    # A member of such a name may be anything, and keys may lack one of the two.
    assert wrapping.find_keys({"endpoint": endpoint, "key": "x"}) is None
    assert wrapping.find_keys({"endpoint": endpoint, "keys": {"p256dh": "B"}}) is None


KEY_FILES = [
    {"publicKey": P256DH, "privateKey": "secret"},
    {"vapid": {"public_key": P256DH, "private_key": "secret"}},
    {"VAPID_PUBLIC_KEY": P256DH, "VAPID_PRIVATE_KEY": "secret", "subject": "mailto:a@example.com"},
    {"kty": "EC", "crv": "P-256", "x": "A", "y": "B", "d": "secret"},
    {"keys": [{"kty": "EC", "d": "secret"}], "privateKey": "secret"},
]


@pytest.mark.parametrize("value", KEY_FILES)
def test_a_file_of_keys_is_no_subscription_and_no_browser_s_fault(value):
    with pytest.raises(NoEndpoint) as caught:
        PushSubscription.from_json(value)
    assert (
        "a file with a private key" in caught.value.detail and caught.value.fault == "application server"
    )
    assert "secret" not in str(caught.value)
    found = examine_subscription(value, 0)
    assert [one.code for one in found] == ["subscription-is-a-key-file"] and "p256dh" not in str(found)


def test_a_public_jwk_has_no_private_key():
    assert wrapping.find({"kty": "EC", "crv": "P-256", "x": "A", "y": "B"}) is None


def test_a_public_key_alone_is_not_taken_for_a_subscription_s():
    codes = [one.code for one in examine_subscription({"publicKey": P256DH}, 0)]
    assert codes == ["no-endpoint", "no-keys"]


def test_values_with_their_types_are_told():
    item = {"endpoint": {"S": "https://push.example.net/x"}}
    document = {"fields": {"endpoint": {"stringValue": "https://push.example.net/x"}}}
    assert [wrapping.find(value).name for value in (item, document)] == 2 * ["typed-values"]


NOTHING = [
    (None, "is-nobody"),
    (False, "is-nobody"),
    ({}, "is-an-empty-object"),
    ({"subscription": None}, "is-nobody"),
    ({"user": 7, "push_subscription": False}, "is-nobody"),
    ({"sub": "somebody", "subscription": "undefined"}, "is-nobody"),
    ({"subscription": {}}, "is-an-empty-object"),
    ({"subscription": "[object Object]"}, "is-an-object-s-name"),
    ({"token": "cTZ1oXk1Yw8:APA91bHqz"}, "is-a-firebase-token"),
    ({"registration_ids": ["cTZ1oXk1Yw8:APA91bHqz"], "data": {}}, "is-a-firebase-token"),
]


@pytest.mark.parametrize(("value", "name"), NOTHING)
def test_what_stands_in_place_of_a_subscription_is_told(value, name):
    found = examine_subscription(json.dumps(value), 0)
    assert [(one.code, one.fault) for one in found] == [(f"subscription-{name}", "application server")]
    with pytest.raises((NotASubscription, NoEndpoint)) as caught:
        PushSubscription.from_json(json.dumps(value))
    assert found[0].seen in caught.value.detail and "APA91b" not in str(caught.value)
    if name == "is-nobody":
        assert "nobody is subscribed" in found[0].seen and "subscribe() first" in found[0].fix


@pytest.mark.parametrize(
    "value", [{"success": True}, {"app_id": "a"}, {"endpoint": None}, {"endpoint": ""}]
)
def test_without_an_endpoint_nothing_is_said_of_messages_without_a_payload(value):
    assert [one.code for one in examine_subscription(value, 0)] == ["no-endpoint"]


SLIPS = [
    ({"p265dh": P256DH, "auth": AUTH}, "p265dh", "p256dh"),
    ({"p256h": P256DH, "auth": AUTH}, "p256h", "p256dh"),
    ({"p256dh ": P256DH, "atuh": AUTH}, "atuh", "auth"),
    ({"P265DH": P256DH, "auth": AUTH}, "P265DH", "p256dh"),
    ({"p25dh": P256DH, "auht": AUTH}, "p25dh and auht", "p256dh and auth"),
]


@pytest.mark.parametrize(("keys", "seen", "words"), SLIPS)
def test_a_misspelled_name_of_a_key_is_told_with_the_right_one(keys, seen, words):
    place = wrapping.find_keys({"endpoint": ENDPOINT, "keys": keys})
    assert place == ("keys-misspelled", f"keys has {seen}", f"Write {words}, letter for letter.")
    with pytest.raises(NoKeys) as caught:
        PushSubscription.from_json({"endpoint": ENDPOINT, "keys": keys}, keys_required=False)
    assert caught.value.fault == "application server"
    found = [one for one in examine_subscription({"endpoint": ENDPOINT, "keys": keys}, 0)
             if one.code == "keys-misspelled"]  # fmt: skip
    assert [one.fault for one in found] == ["application server"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"p265dh": P256DH, "auth": AUTH}, "p265dh and auth"),
        ({"pushP256DH": P256DH, "pushAuth": AUTH}, "pushP256DH and pushAuth"),
        ({"subscription_p256dh": P256DH, "subscription_auth": AUTH}, "subscription_p256dh"),
    ],
)
def test_names_beside_the_endpoint_may_be_misspelled_or_have_a_prefix(members, words):
    place = wrapping.find_keys({"endpoint": ENDPOINT} | members)
    assert place.name == "flat" and words in place.what


@pytest.mark.parametrize("members", [{"oauth": "x"}, {"auto": "x"}, {"paths": "x"}, {"p25": "x"}])
def test_a_member_of_a_similar_name_is_no_key(members):
    assert wrapping.find_keys({"endpoint": ENDPOINT} | members) is None


@pytest.mark.parametrize("name", ["notificationEndPoint", "subscription_endpoint", "endpont", "enpoint"])
def test_an_endpoint_of_a_similar_name_is_found(name):
    assert wrapping.find({name: ENDPOINT, "p256dh": "B"}).name == "endpoint-named-otherwise"
    assert wrapping.find({name: "x"}) is None
