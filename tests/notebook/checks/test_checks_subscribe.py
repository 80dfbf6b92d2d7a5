"""The checks of lesson 02: right code passes, and typical mistakes are named."""

import base64
import json
from urllib.parse import urlsplit

import pytest

from pushlab.errors import NotYet
from pushlab.notebook.checks import subscribe
from pushlab.protocol import base64url
from pushlab.protocol.examples import RFC8291
from pushlab.protocol.subscription import PushSubscription


def unpack(text):
    """The right answer."""
    subscription = PushSubscription.from_json(text)
    return subscription.endpoint, subscription.p256dh, subscription.auth


def origin(endpoint):
    """The right answer."""
    return PushSubscription(endpoint, RFC8291.ua_public, RFC8291.auth_secret).origin


def faults(subscription):
    """The right answer."""
    endpoint, keys = subscription.get("endpoint", ""), subscription.get("keys", {})
    p256dh, auth = (base64url.decode(keys.get(name, "")) for name in ("p256dh", "auth"))
    wrong = {
        "no-endpoint": not endpoint,
        "endpoint-not-allowed": endpoint and not endpoint.startswith("https://"),
        "no-keys": not (p256dh and auth),
        "bad-p256dh": p256dh and (len(p256dh), p256dh[0]) != (65, 4),
        "bad-auth": auth and len(auth) != 16,
    }
    return [name for name in wrong if wrong[name]]


def respond(kept, user, route, body, *, owner=True, keys=True, upsert=True, own=True, empty=409):
    """The right answer, with an argument for each mistake."""
    if user is None:
        return 401
    endpoint = body.get("endpoint")
    known, mine = kept.get(endpoint), [one for one in kept if kept[one]["user"] == user]
    if route == "add-subscription":
        if keys and known and known["keys"] != body["keys"]:
            return 409
        if owner or not known:
            kept[endpoint] = {"user": user, "keys": body["keys"]}
        return 200 if known and upsert else 201
    if route == "remove-subscription":
        if endpoint not in (mine if own else kept):
            return 404
        del kept[endpoint]
        return 200
    return 202 if mine else empty


def mistaken(**mistake):
    return lambda *request: respond(*request, **mistake)


def undecoded(text):
    keys = json.loads(text)["keys"]
    return json.loads(text)["endpoint"], keys["p256dh"], keys["auth"]


def plus_and_slash(text):
    """Take - for / and _ for +: the other way round."""
    keys = json.loads(text)["keys"]
    decoded = [base64.b64decode(keys[name] + "==", altchars="_-") for name in ("p256dh", "auth")]
    return json.loads(text)["endpoint"], *decoded


def two_ports(endpoint):
    """Leave out every port of 80 and 443, whatever the scheme."""
    url = urlsplit(endpoint)
    port = "" if url.port in (None, 80, 443) else f":{url.port}"
    return f"{url.scheme}://{url.hostname}{port}"


def of(function, change):
    """Return ``function`` with its answer changed."""
    return lambda argument: change(function(argument))


def lengths_alone(subscription):
    """Check the length of p256dh and not how it begins."""
    keys = subscription.get("keys", {})
    if len(keys.get("p256dh", "")) == 87:
        keys["p256dh"] = base64url.encode(RFC8291.ua_public)
    return faults(subscription)


WRONG = [
    ("unpack", of(unpack, lambda answer: (answer[0], answer[2], answer[1])), "changed places"),
    ("unpack", undecoded, "p256dh (RFC 8291 §3.1) should be bytes, and yours is a str of 87"),
    ("unpack", of(undecoded, lambda a: (a[0], a[1].encode(), a[2])), "Decode them"),
    ("unpack", plus_and_slash, "p256dh (RFC 8291 §3.1) has 65 bytes, as it should, and differs at"),
    ("unpack", of(unpack, lambda a: (a[0], a[1][1:], a[2])), "The first byte is missing"),
    ("unpack", of(unpack, lambda a: (a[0], a[1], a[2][:15])), "auth (RFC 8291 §3.2) should have"),
    ("unpack", of(unpack, lambda a: (origin(a[0]), *a[1:])), "That is its origin"),
    ("unpack", lambda text: unpack(json.dumps(RFC8291.subscription.to_json())), "endpoint (W3C"),
    ("unpack", of(unpack, list), "a tuple of three, and yours is a list of 3"),
    ("unpack", lambda text: None, "does your function return something?"),
    ("origin", lambda endpoint: endpoint, "no port (RFC 6454 §6.2) has 33 characters. That is the"),
    ("origin", of(origin, "{}/".format), "There is a slash at the end"),
    ("origin", lambda endpoint: urlsplit(endpoint).netloc, "The scheme is missing"),
    ("origin", lambda endpoint: "https://push.example.net", "with port 8443 and https"),
    (
        "origin",
        lambda endpoint: f"{urlsplit(endpoint).scheme}://{urlsplit(endpoint).netloc}",
        "with port 443 and https (RFC 6454 §6.2) has 28 characters. The port that the scheme has",
    ),
    (
        "origin",
        lambda endpoint: f"{urlsplit(endpoint).scheme}://{urlsplit(endpoint).hostname}",
        "with port 8443 and https (RFC 6454 §6.2) has 24 characters. A port that is not",
    ),
    ("origin", two_ports, "port 80 and https (RFC 6454 §6.2) has 24 characters. A port that is"),
    (
        "origin",
        lambda e: (
            origin(e).replace("push", "Push").replace("example.net", "Example.NET")
            if "Push" in e
            else origin(e)
        ),
        "with capital letters (RFC 6454 §6.2) has 24 characters. A host is written in lower case",
    ),
    ("origin", of(origin, str.encode), "should be a str, and yours is 24 bytes"),
    ("origin", lambda endpoint: None, "does your function return something?"),
    ("faults", of(faults, lambda names: names[:1]), "there should be 2, and you name 1. Go on"),
    ("faults", lambda subscription: [], "no endpoint: there should be 1, and you name 0"),
    ("faults", lambda subscription: ["bad-auth"], "which is good: you name bad-auth, and that"),
    ("faults", of(faults, lambda names: [*names, *names]), "a name is there twice"),
    ("faults", of(faults, lambda names: names[::-1]), "in another order than the table's"),
    ("faults", lengths_alone, "begins with 02: there should be 1, and you name 0"),
    ("faults", of(faults, lambda names: ["BadAuth"]), "'BadAuth' is not a name of the table"),
    ("faults", of(faults, set), "should be a list, and yours is a set"),
    ("faults", lambda subscription: None, "does your function return something?"),
    ("respond", mistaken(owner=False), "which sends its subscription: kept has the right number"),
    ("respond", mistaken(keys=False), "with other keys: the status is not 200"),
    ("respond", mistaken(upsert=False), "at the next visit: the status is not 201"),
    ("respond", mistaken(own=False), "Bob removes Alice's phone: the status is not 200"),
    ("respond", mistaken(empty=202), "who has none, asks for a notification: the status is not 202"),
    ("respond", lambda kept, *rest: respond({}, *rest), "Alice's phone: afterwards kept should have 1"),
    (
        "respond",
        lambda *request: str(respond(*request)),
        "the status should be an int, and yours is a str of 3",
    ),
    ("respond", lambda *request: None, "does your function return something?"),
]


@pytest.mark.parametrize(
    "name, answer, said",
    [
        ("unpack", unpack, "unpack is right: endpoint, 65 and 16 bytes, of two subscriptions."),
        ("origin", origin, "origin is right for 7 endpoints."),
        ("faults", faults, "faults is right for 15 subscriptions, two of them good."),
        ("respond", respond, "16 requests of a day are answered, and nobody gets what is another's."),
    ],
)
def test_the_right_answer_passes(name, answer, said):
    assert repr(getattr(subscribe, name)(answer)) == f"✓ {said}"


@pytest.mark.parametrize("name, answer, said", WRONG)
def test_a_typical_mistake_is_named(name, answer, said):
    with pytest.raises(NotYet) as caught:
        getattr(subscribe, name)(answer)
    assert said in str(caught.value)


@pytest.mark.parametrize("name, answer, said", WRONG)
def test_no_message_holds_the_right_answer(name, answer, said):
    with pytest.raises(NotYet) as caught:
        getattr(subscribe, name)(answer)
    message = str(caught.value)
    for subscription in (RFC8291.subscription, subscribe.LESSON):
        for value in (subscription.p256dh, subscription.auth):
            assert value.hex() not in message and base64url.encode(value) not in message
        assert subscription.endpoint not in message
    assert not any(origin(endpoint) in message for endpoint in subscribe.ENDPOINTS.values())
    # A message names only those faults that the learner has named.
    told = [fault for fault in subscribe.NAMES if fault in message]
    assert told == (["bad-auth"] if "you name bad-auth" in message else [])


def stub(*_):
    raise NotImplementedError("your turn")


@pytest.mark.parametrize("name", ["unpack", "origin", "faults", "respond"])
def test_a_stub_comes_through(name):
    with pytest.raises(NotImplementedError, match="your turn"):
        getattr(subscribe, name)(stub)


def test_a_learner_who_changes_the_argument_spoils_no_other_case():
    def greedy(subscription):
        answer = faults(subscription)
        subscription.clear()
        return answer

    assert subscribe.faults(greedy)
