"""PushSubscription: every byte from a page is checked, and none is printed."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushlab.doctor.subscription import examine_subscription
from pushlab.errors import (
    BadAuth,
    BadEndpoint,
    BadExpirationTime,
    BadP256dh,
    NoEndpoint,
    NoKeys,
    NotASubscription,
    SubscriptionError,
)
from pushlab.protocol import base64url, p256
from pushlab.protocol.spelling.encodings import ENCODINGS
from pushlab.protocol.spelling.recognize import FOR_ANY_KEY
from pushlab.protocol.spelling.shapes import SHAPES
from pushlab.protocol.spelling.things import THINGS
from pushlab.protocol.subscription import PushSubscription, stands_for_null

ENDPOINT = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"
P256DH = p256.raw_public(p256.load_private(bytes(31) + b"\x01"))
AUTH = bytes(range(32, 48))


def members(**changes) -> dict:
    """Return a good subscription as a browser gives it, with members changed or, with ..., gone."""
    keys = {"p256dh": base64url.encode(P256DH), "auth": base64url.encode(AUTH)}
    result = {"endpoint": ENDPOINT, "expirationTime": None, "keys": keys}
    for name, value in changes.items():
        place = keys if name in keys else result
        if value is ...:
            del place[name]
        else:
            place[name] = value
    return result


def subscription(endpoint=ENDPOINT, p256dh=P256DH, auth=AUTH, time=None) -> PushSubscription:
    return PushSubscription(endpoint, p256dh, auth, time)


@pytest.mark.parametrize("write", [dict, json.dumps, lambda m: json.dumps(m).encode()])
def test_it_comes_back(write):
    parsed = PushSubscription.from_json(write(members(expirationTime=1700000000000)))
    assert parsed == subscription(time=1700000000000)
    assert parsed.to_json() == members(expirationTime=1700000000000)
    assert list(parsed.to_json()) == ["endpoint", "expirationTime", "keys"]
    assert hash(parsed) == hash(subscription(time=1700000000000))


def test_what_is_computed_is_computed_once():
    parsed = subscription()
    assert parsed.ua_public is parsed.ua_public
    assert p256.raw_public(parsed.ua_public) == P256DH


def test_members_that_are_not_known_are_ignored():
    assert PushSubscription.from_json(members(more=[1], expirationTime=...)) == subscription()


@pytest.mark.parametrize(
    "endpoint, origin",
    [
        ("https://push.example.net/p", "https://push.example.net"),
        ("https://push.example.net", "https://push.example.net"),
        ("https://push.example.net?p", "https://push.example.net"),
        ("HTTPS://Push.Example.NET:443/P", "https://push.example.net"),
        ("https://push.example.net:/p", "https://push.example.net"),
        ("https://push.example.net:8443/p", "https://push.example.net:8443"),
        ("http://push.example.net:80/p", "http://push.example.net"),
        ("http://push.example.net:443/p", "http://push.example.net:443"),
        ("http://127.0.0.1:8030/wpush/v2/abc", "http://127.0.0.1:8030"),
        ("http://[::1]:8030/p", "http://[::1]:8030"),
        ("https://[0:0::1]/p", "https://[::1]"),
        ("https://push_1.example/p:q@r", "https://push_1.example"),
        ("https://localhost./p", "https://localhost."),
        (f"https://{'a' * 63}.example/p", f"https://{'a' * 63}.example"),
        (f"https://{'a.' * 126}b/p", f"https://{'a.' * 126}b"),
    ],
)
def test_the_origin_is_where_aud_has_to_point(endpoint, origin):
    assert subscription(endpoint).origin == origin


@pytest.mark.parametrize("source", ["", "[", "NaN", b"\xff", "[" * 100_000, "1" * 10_000])
def test_what_is_not_json(source):
    with pytest.raises(NotASubscription):
        PushSubscription.from_json(source)


@pytest.mark.parametrize("source", [None, True, 1, 1.5, "null", "[]", '"{}"', "1", [], [{}]])
def test_what_is_not_an_object(source):
    with pytest.raises(NotASubscription):
        PushSubscription.from_json(source)


@pytest.mark.parametrize("endpoint", [..., None, ""])
def test_no_endpoint(endpoint):
    with pytest.raises(NoEndpoint):
        PushSubscription.from_json(members(endpoint=endpoint))


BAD_ENDPOINTS = [
    True,
    1,
    [],
    {},
    [ENDPOINT],
    "push.example.net/p",
    "//push.example.net/p",
    "/p",
    "ftp://push.example.net/p",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "https:",
    "https:/push.example.net",
    "https://",
    "https:///p",
    "https://:443/p",
    "https://user@push.example.net/p",
    "https://user:password@push.example.net/p",
    "https://@push.example.net/p",
    "https://evil.example\\@push.example.net/p",
    "https://push.example.net\\.evil.example/p",
    "https://push.example.net/p#fragment",
    "https://push.example.net/p#",
    "https://push.example.net:65536/p",
    "https://push.example.net:-1/p",
    "https://push.example.net:1:2/p",
    "https://push.example.net:port/p",
    "https://push.example.net:²/p",
    "https://push.example.net:١/p",
    "https://.example.net/p",
    "https://%70ush.example.net/p",
    "https://[::1/p",
    "https://::1/p",
    "https://[::g]/p",
    "https://[:::]/p",
    "https://[::1].evil.example/p",
    "https://[::1%25eth0]/p",
    "https://[127.0.0.1]/p",
    "https://[v1.a]/p",
    " https://push.example.net/p",
    "https://push.example.net/p ",
    "https://push.example.net/p\n",
    "https://push.example.net/a b",
    "https://push.example.net/\tp",
    "https://push.example.net/\0",
    "https://push.example.net/\x7f",
    "https://push.example.net/ü",
    "https://püsh.example.net/p",
    "https://push.example.net/\ud800",
    "https://push.example。net/p",
    "https://a..b/x",
    "https://push.example.net../p",
    "https://push.example..net:8443/p",
    f"https://{'a' * 64}.example.net/p",
    f"https://push.example.{'a' * 64}/p",
    f"https://xn--{'a' * 60}/p",
    f"https://{'a.' * 127}b/p",
    "https://push.example.net:0/p",
    "https://push.example.net/" + "p" * 2024,
    "https://push.example.net/" + "p" * 10_000_000,
]


@pytest.mark.parametrize("endpoint", BAD_ENDPOINTS, ids=lambda endpoint: ascii(endpoint)[:50])
def test_a_bad_endpoint(endpoint):
    with pytest.raises(BadEndpoint) as caught:
        PushSubscription.from_json(members(endpoint=endpoint))
    assert str(endpoint) not in str(caught.value)


@pytest.mark.parametrize(
    "changes, detail",
    [
        ({"endpoint": "/p"}, "endpoint begins with neither https:// nor http://"),
        ({"endpoint": "https://a:b@push.example.net"}, "endpoint has a user name or a password"),
        ({"endpoint": "https://push.example/#"}, "endpoint has a fragment, which is never sent"),
        ({"endpoint": 1}, "endpoint is a number, not text"),
        ({"p256dh": "AA="}, "p256dh is not base64url: padding at character 3 of 3"),
        ({"p256dh": "AAAA"}, "p256dh: the public key is 3 bytes long, not 65"),
        ({"auth": []}, "auth is not base64url: this is an array, not text"),
        ({"auth": "AAAA"}, "auth is 3 bytes long, not 16 bytes"),
        ({"expirationTime": "1"}, "expirationTime is text of 1 characters, not a number"),
    ],
)
def test_an_error_says_what_was_seen(changes, detail):
    with pytest.raises(SubscriptionError) as caught:
        PushSubscription.from_json(members(**changes))
    assert caught.value.detail == detail


def test_an_endpoint_has_at_most_2048_characters():
    longest = "https://push.example.net/" + "p" * 2023
    assert len(subscription(longest).endpoint) == 2048


@pytest.mark.parametrize("keys", [..., None, True, 1, "p256dh", [], [["p256dh", "A"]]])
def test_no_keys(keys):
    with pytest.raises(NoKeys):
        PushSubscription.from_json(members(keys=keys))


@pytest.mark.parametrize("keys", [..., None, {}, {"p256dh": None}, {"p256dh": None, "auth": None}])
def test_without_keys_where_they_are_not_required(keys):
    parsed = PushSubscription.from_json(members(keys=keys), keys_required=False)
    assert parsed == PushSubscription(ENDPOINT) and not parsed.has_keys
    assert (parsed.p256dh, parsed.auth, parsed.ua_public) == (None, None, None)
    assert parsed.to_json() == {"endpoint": ENDPOINT, "expirationTime": None}
    assert parsed.origin == "https://push.example.net" and ENDPOINT not in repr(parsed)


@pytest.mark.parametrize(
    "given",
    [
        members(p256dh=...),
        members(auth=None),
        members(p256dh=""),
        members(p256dh="", auth=""),
        members(keys=[]),
        members(keys=""),
        members(keys=False),
        members(keys={"key": "x"}),
        {"endpoint": ENDPOINT, "p256dh": "B"},
        {"endpoint": ENDPOINT, "auth": None},
        {"endpoint": ENDPOINT, "publicKey": "B", "authToken": "A"},
        members(auth=base64url.encode(AUTH[:15])),
        members(p256dh=base64url.encode(P256DH[1:])),
    ],
    ids=str,
)
def test_keys_that_are_there_must_be_right_even_where_they_are_not_required(given):
    with pytest.raises((NoKeys, BadP256dh, BadAuth)):
        PushSubscription.from_json(given, keys_required=False)


@pytest.mark.parametrize("keys", [(P256DH, None), (None, AUTH), (b"", b""), (P256DH, b""), (b"", AUTH)])
def test_both_keys_or_neither(keys):
    with pytest.raises((BadP256dh, BadAuth)):
        PushSubscription(ENDPOINT, *keys)


def test_without_keys_the_endpoint_and_the_time_are_checked_all_the_same():
    for error, wrong in ((BadEndpoint, {"endpoint": "/p"}), (BadExpirationTime, {"expirationTime": -1})):
        with pytest.raises(error):
            PushSubscription.from_json(members(keys=..., **wrong), keys_required=False)


@pytest.mark.parametrize(
    "changes, detail",
    [
        ({"p256dh": ...}, "keys has no p256dh"),
        ({"auth": None}, "keys has no auth"),
        ({"p256dh": None, "auth": ...}, "keys has no p256dh and no auth"),
    ],
)
def test_half_of_the_keys(changes, detail):
    with pytest.raises(NoKeys) as caught:
        PushSubscription.from_json(members(**changes))
    assert caught.value.detail == detail


@pytest.mark.parametrize(
    "p256dh",
    [
        "",
        True,
        1,
        [],
        {},
        base64url.encode(P256DH) + "=",
        base64url.encode(P256DH)[:-1],
        base64url.encode(P256DH[1:]),
        base64url.encode(b"\x02" + P256DH[1:33]),
        base64url.encode(P256DH[:64] + b"\x00"),
        base64url.encode(AUTH),
        "\ud800",
        "A" * 1_000_000,
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_bad_p256dh(p256dh):
    with pytest.raises(BadP256dh):
        PushSubscription.from_json(members(p256dh=p256dh))


@pytest.mark.parametrize(
    "auth",
    [
        "",
        False,
        0,
        [],
        {},
        base64url.encode(AUTH) + "==",
        base64url.encode(AUTH[:15]),
        base64url.encode(AUTH + b"\x00"),
        base64url.encode(P256DH),
        base64url.encode(AUTH)[:-1] + "x",
        "\0",
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_bad_auth(auth):
    with pytest.raises(BadAuth):
        PushSubscription.from_json(members(auth=auth))


@pytest.mark.parametrize(
    "time",
    [True, "1700000000000", [], {}, -1, 8.64e15 + 1, pytest.param(10**5000, id="5001 digits")],
)
def test_a_bad_expiration_time(time):
    with pytest.raises(BadExpirationTime):
        PushSubscription.from_json(members(expirationTime=time))


@pytest.mark.parametrize("time", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_no_time(time):
    with pytest.raises(BadExpirationTime):
        PushSubscription.from_json(members(expirationTime=time))
    with pytest.raises(NotASubscription):
        PushSubscription.from_json(json.dumps(members(expirationTime=time)))
    with pytest.raises(NotASubscription):
        PushSubscription.from_json(json.dumps(members(expirationTime=0)).replace(" 0", " 1e999"))


@pytest.mark.parametrize("time", [None, 0, 1700000000000, 1700000000000.5, 8.64e15])
def test_an_expiration_time(time):
    assert PushSubscription.from_json(members(expirationTime=time)).expiration_time == time


@pytest.mark.parametrize(
    "make, error",
    [
        (lambda: subscription(p256dh=base64url.encode(P256DH)), BadP256dh),
        (lambda: subscription(p256dh="A" * 65), BadP256dh),
        (lambda: subscription(auth="0123456789abcdef"), BadAuth),
        (lambda: subscription(auth=None), BadAuth),
        (lambda: subscription(endpoint=None), BadEndpoint),
        (lambda: subscription(time=True), BadExpirationTime),
    ],
)
def test_the_constructor_checks_too(make, error):
    with pytest.raises(error):
        make()


def test_the_first_fault_is_the_one_reported(outcome):
    wrong = members(endpoint="x", p256dh="x", auth="x", expirationTime="x")
    for error, good in [
        (BadEndpoint, {"endpoint": ENDPOINT}),
        (BadP256dh, {"p256dh": base64url.encode(P256DH)}),
        (BadAuth, {"auth": base64url.encode(AUTH)}),
        (BadExpirationTime, {"expirationTime": None}),
    ]:
        assert outcome(PushSubscription.from_json, wrong) is error
        wrong |= {name: value for name, value in good.items() if name in wrong}
        wrong["keys"] |= {name: value for name, value in good.items() if name in wrong["keys"]}
    assert isinstance(outcome(PushSubscription.from_json, wrong), PushSubscription)


def test_it_prints_itself_without_its_secrets():
    printed = f"{subscription()} {subscription()!r} {[subscription()]}"
    assert "https://push.example.net" in printed
    assert subscription().label in printed
    for secret in ("JzLQ3raZ", base64url.encode(AUTH), repr(AUTH), AUTH.hex()):
        assert secret not in printed


def test_the_label_tells_endpoints_apart():
    assert subscription().label == subscription(auth=bytes(16)).label
    assert subscription().label != subscription(ENDPOINT + "x").label
    assert len(subscription().label) == 8


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", "\0", ENDPOINT, base64url.encode(P256DH), base64url.encode(AUTH)]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "endpoint": json_values | st.just(ENDPOINT),
            "expirationTime": json_values,
            "keys": json_values
            | st.fixed_dictionaries({}, optional={"p256dh": json_values, "auth": json_values}),
        },
    )
    | json_values
)
def test_any_json_value_is_a_subscription_or_our_error(outcome, value):
    for source in (value, json.dumps(value)):
        if isinstance(source, dict | str):
            result = outcome(PushSubscription.from_json, source)
            assert isinstance(result, PushSubscription) or issubclass(result, SubscriptionError)


@given(st.text() | st.text("https:/[]@#?%\\.0a\0\ud800").map("https://".__add__))
def test_any_text_is_an_endpoint_or_our_error(outcome, text):
    result = outcome(subscription, text)
    assert isinstance(result, PushSubscription) or result in (NoEndpoint, BadEndpoint)


VAPID_KEY = base64url.encode(p256.raw_public(p256.load_private(bytes(31) + b"\x02")))
TOKEN = "eyJ0eXAiOiJKV1QifQ.eyJhdWQiOiJodHRwczovL2EifQ.c2ln"
NO_KEYS_OF_A_BROWSER = [
    "...", "xxxxx", "YOUR_P256DH_KEY", "your auth key", "changeme", "", "keys/private.pem",
    "123456789012", "ssh-rsa AAAAB3Nza", TOKEN, f"WebPush {TOKEN}", f"vapid t={TOKEN}, k={VAPID_KEY}",
    f"p256ecdsa={VAPID_KEY}", f"dh={VAPID_KEY}", f"Crypto-Key: p256ecdsa={VAPID_KEY}",
    f"VAPID_PUBLIC_KEY={VAPID_KEY}", f'applicationServerKey: "{VAPID_KEY}"', "mailto:me@example.com",
    "AIza" + 35 * "x", "00000000-0000-0000-0000-000000000000", "https://push.example.net/",
    "-----BEGIN PUBLIC KEY-----\nMFkw", "-----BEGIN PGP PUBLIC KEY BLOCK-----", "[User auth]",
    '{"kty": "EC"}',
]  # fmt: skip


@pytest.mark.parametrize("text", NO_KEYS_OF_A_BROWSER)
def test_no_advice_about_a_vapid_key_is_given_for_a_key_of_a_subscription(text):
    for name, error in (("p256dh", BadP256dh), ("auth", BadAuth)):
        with pytest.raises(error) as caught:
            PushSubscription.from_json(members(**{name: text}))
        assert caught.value.hint == "Send it just as subscription.toJSON() gives it"
        assert caught.value.fault == "application server"
        found = [one for one in examine_subscription(members(**{name: text}), 0) if one.level == "bad"]
        assert [(one.fix, one.fault) for one in found] == [
            (f"{caught.value.hint}.", "application server")
        ]


def test_advice_that_is_kept_for_a_subscription_speaks_of_no_vapid_key():
    rows = [(row.name, row.turn) for table in (THINGS, ENCODINGS, SHAPES) for row in table]
    kept = [turn for name, turn in rows if name in FOR_ANY_KEY and (name, turn) != (name, "")]
    kept = [turn for turn in kept if turn != "Take the number out of it: 32 bytes."]  # of a private key
    assert len(kept) > 20
    assert not [turn for turn in kept if re.search(r"(?i)vapid|\bpair\b|lab keys|\bPEM\b|the key", turn)]


@pytest.mark.parametrize("text", [f"p256dh={VAPID_KEY}", f"keys.p256dh: {VAPID_KEY}"])
def test_the_own_name_of_a_key_is_left_out(text):
    with pytest.raises(BadP256dh) as caught:
        PushSubscription.from_json(members(p256dh=text))
    assert "Keep what stands after the =" in caught.value.hint


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        (f"[{ENDPOINT}]({ENDPOINT})", "a link of Markdown"),
        (f"![a link]({ENDPOINT})", "a link of Markdown"),
        (ENDPOINT.replace("://", "%3A//"), "%3A"),
        (ENDPOINT.replace("/", "\\/"), "a backslash"),
        (ENDPOINT.removeprefix("https://"), "lacks the https://"),
    ],
)
def test_an_endpoint_that_was_packed_into_something_is_told(endpoint, words):
    with pytest.raises(BadEndpoint) as caught:
        PushSubscription.from_json(members(endpoint=endpoint))
    assert words in caught.value.detail and caught.value.fault == "application server"
    assert "JzLQ3raZ" not in str(caught.value)


LONG_TIMES = [" " * 60_000 + "x", "1970-01-01" + " " * 60_000 + "\nx", "1/1/1970" * 8000]


@pytest.mark.parametrize("time", LONG_TIMES)
def test_a_long_text_in_place_of_a_time_is_refused_at_once(time):
    assert not stands_for_null(time)


@pytest.mark.parametrize(("name", "cut"), [("auth", -1), ("p256dh", -2), ("p256dh", None)])
def test_a_length_that_is_wrong_is_said_alone(name, cut):
    text = members()["keys"][name][:cut] + ("kk" if cut is None else "")
    with pytest.raises((BadAuth, BadP256dh)) as caught:
        PushSubscription.from_json(members(**{name: text}))
    wanted = 22 if name == "auth" else 87
    assert caught.value.detail == f"{name} is {len(text)} characters long, and {wanted} are wanted"


HOSTILE = {
    "no character": "&#" + "1" * 5000,
    "no value of Python's": "b'',{[]:0},b''",
    "a set of lists": "{'a', []}",
    "nested": "[" * 989 + "]" * 989,
    "PEM and PEM again": "-----BEGIN A-----" * 470 + " \\/\\_&amp;amp; %252541",
    "marks upon marks": "\u0f81" * 8192,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_stranger_s_text_is_refused_and_no_more(what):
    text = HOSTILE[what]
    given = [text, members(auth=text), members(p256dh=text), {"subscription": text}]
    given += [{f"a{at}subscription": text for at in range(8)}]
    nested: list = []
    for depth in range(1, 1100):  # Some are as deep as a parser gets, and deeper than a writer does.
        nested = [nested]
        given += [members(auth=nested)] if depth > 850 else []
    for one in given:
        with pytest.raises(SubscriptionError):
            PushSubscription.from_json(one)
        examine_subscription(one, 0)
