"""RFC 8030: TTL, Urgency and Topic from both sides, and the request that carries them."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders

from pushlab.errors import BadField, BadTopic, BadTtl, BadUrgency, DeliveryError, MissingTtl
from pushlab.protocol import p256
from pushlab.protocol.delivery import PushOptions, PushRequest, Urgency, build_request
from pushlab.protocol.subscription import PushSubscription

SUBSCRIPTION = PushSubscription(
    "https://push.example.net:8443/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
    p256.raw_public(p256.load_private(bytes(31) + b"\x01")),
    bytes(16),
)
AUTHORIZATION = "vapid t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl, k=BA1Hxzyi1RUM1b5w"


def received(*pairs: tuple[str, str]) -> HTTPHeaders:
    """Return headers as the push service gets them from Tornado, repeated ones included."""
    headers = HTTPHeaders()
    for name, value in pairs:
        headers.add(name, value)
    return headers


# R6
@pytest.mark.parametrize(
    "text, ttl",
    [
        ("0", 0),
        ("60", 60),
        ("007", 7),
        (" 60\t", 60),
        ("2147483647", 2**31 - 1),
        ("2147483648", 2**31),
        ("2147483649", 2**31),
        ("9999999999", 2**31),
        ("99999999999", 2**31),
        ("0" * 10_000 + "1", 1),
        ("0" * 10_000, 0),
        ("9" * 10_000, 2**31),
    ],
    ids=lambda value: str(value)[:14],
)
def test_ttl(text, ttl):
    assert PushOptions.from_headers({"TTL": text}).ttl == ttl
    assert PushOptions.from_headers(received(("ttl", text.strip()))).ttl == ttl


@pytest.mark.parametrize(
    "text",
    ["", " ", "-1", "+1", "1.0", "1e3", "0x10", "1_0", "1 0", "1,2", "60s", "²", "١", "NaN", "1\0"],
)
def test_a_bad_ttl(text):
    with pytest.raises(BadTtl):
        PushOptions.from_headers({"TTL": text})


def test_a_ttl_is_required_and_there_once():
    with pytest.raises(MissingTtl):
        PushOptions.from_headers({})
    with pytest.raises(MissingTtl):
        PushOptions.from_headers(received(("Urgency", "high")))
    with pytest.raises(BadTtl):
        PushOptions.from_headers(received(("TTL", "1"), ("TTL", "1")))
    with pytest.raises(BadTtl):
        PushOptions.from_headers({"TTL": "1", "ttl": "2"})


@pytest.mark.parametrize("ttl", [-1, 2**31 + 1, 10**100, True, False, 1.0, "60", None, [], {}])
def test_a_bad_ttl_of_a_sender(ttl):
    with pytest.raises(BadTtl):
        PushOptions(ttl=ttl)
    with pytest.raises(BadTtl):
        PushOptions.from_json({"ttl": ttl})


@pytest.mark.parametrize(
    "options, detail",
    [
        ({"ttl": -1}, "ttl is negative"),
        ({"ttl": 2**31 + 1}, "ttl is over 2^31 seconds"),
        ({"ttl": "60"}, "ttl is text of 2 characters, not a whole number"),
        ({"urgency": "urgent"}, "urgency is 'urgent'"),
        ({"topic": "a b"}, "topic is 'a b'"),
    ],
)
def test_an_error_says_what_was_seen(options, detail):
    with pytest.raises(DeliveryError) as caught:
        PushOptions.from_json(options)
    assert caught.value.detail == detail


# R9
@pytest.mark.parametrize("text", ["very-low", "low", "normal", "high", "HIGH", "Very-Low", " low "])
def test_urgency(text):
    options = PushOptions.from_headers({"TTL": "0", "Urgency": text})
    assert options.urgency is Urgency(text.strip().lower())


def test_urgency_is_normal_unless_said():
    assert PushOptions.from_headers({"TTL": "0"}).urgency is Urgency.NORMAL
    assert PushOptions().urgency is Urgency.NORMAL


@pytest.mark.parametrize(
    "text", ["", "urgent", "very_low", "very low", "low,high", "low, low", "high;q=1", "high\0"]
)
def test_a_bad_urgency(text):
    with pytest.raises(BadUrgency):
        PushOptions.from_headers({"TTL": "0", "Urgency": text})


def test_urgency_is_there_once():
    for second in ("low", "high"):
        headers = received(("TTL", "0"), ("Urgency", "low"), ("Urgency", second))
        with pytest.raises(BadUrgency):
            PushOptions.from_headers(headers)


@pytest.mark.parametrize("urgency", ["", "HIGH", "urgent", True, 1, None, [], ["low"], {}])
def test_a_bad_urgency_of_a_sender(urgency):
    with pytest.raises(BadUrgency):
        PushOptions(urgency=urgency)
    with pytest.raises(BadUrgency):
        PushOptions.from_json({"urgency": urgency})


# R10
@pytest.mark.parametrize("topic", ["a", "upd", "A-Z_a-z0-9", "x" * 32])
def test_topic(topic):
    assert PushOptions.from_headers({"TTL": "0", "Topic": topic}).topic == topic
    assert PushOptions.from_json({"topic": topic}).topic == topic


@pytest.mark.parametrize(
    "topic",
    ["", "x" * 33, "a b", "a,b", "a=", "a+b", "a/b", "a.b", "ü", "²", "a\0", "a\nb", "\ud800"],
)
def test_a_bad_topic(topic):
    with pytest.raises(BadTopic):
        PushOptions(topic=topic)
    with pytest.raises(BadTopic):
        PushOptions.from_headers({"TTL": "0", "Topic": topic})


@pytest.mark.parametrize("topic", [True, 1, 1.5, [], ["a"], {}])
def test_a_topic_is_text(topic):
    with pytest.raises(BadTopic):
        PushOptions.from_json({"topic": topic})


def test_topic_is_there_once():
    with pytest.raises(BadTopic):
        PushOptions.from_headers(received(("TTL", "0"), ("Topic", "a"), ("Topic", "b")))


# options of POST /notify-me
def test_options_of_a_page():
    assert PushOptions.from_json({}) == PushOptions() == PushOptions(10000, Urgency.NORMAL, None)
    everything = {"ttl": 0, "urgency": "high", "topic": "upd", "more": [1]}
    assert PushOptions.from_json(everything) == PushOptions(0, Urgency.HIGH, "upd")
    assert PushOptions.from_json({"topic": None}) == PushOptions()


@pytest.mark.parametrize("options", [None, True, 1, "ttl", [], [["ttl", 1]]])
def test_options_are_an_object(options):
    with pytest.raises(BadField):
        PushOptions.from_json(options)


options = st.builds(
    PushOptions,
    ttl=st.integers(0, 2**31),
    urgency=st.sampled_from(Urgency),
    topic=st.none() | st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True),
)


@given(options)
def test_options_come_back(sent):
    headers = sent.to_headers()
    assert PushOptions.from_headers(headers) == sent
    assert PushOptions.from_headers(received(*headers.items())) == sent
    assert PushOptions.from_json(json.loads(json.dumps(dataclasses.asdict(sent)))) == sent
    assert str(sent.ttl) in str(sent) and (", topic " in str(sent)) == (sent.topic is not None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
members = {"ttl": json_values, "urgency": json_values, "topic": json_values}


@given(json_values | st.fixed_dictionaries({}, optional=members))
def test_any_json_value_is_options_or_our_error(outcome, value):
    result = outcome(PushOptions.from_json, value)
    assert isinstance(result, PushOptions) or issubclass(result, (DeliveryError, BadField))


texts = st.text(st.characters(max_codepoint=255)) | st.sampled_from(["60", "low", "upd"])


@given(st.fixed_dictionaries({}, optional={"TTL": texts, "Urgency": texts, "Topic": texts}))
def test_any_headers_are_options_or_our_error(outcome, headers):
    result = outcome(PushOptions.from_headers, headers)
    assert isinstance(result, PushOptions) or issubclass(result, DeliveryError)


# the request
def test_a_request():
    options = PushOptions(60, Urgency.HIGH, "upd")
    request = build_request(SUBSCRIPTION, bytes(144), AUTHORIZATION, options)
    assert request == PushRequest(
        SUBSCRIPTION.endpoint,
        {
            "Authorization": AUTHORIZATION,
            "TTL": "60",
            "Urgency": "high",
            "Topic": "upd",
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
        },
        bytes(144),
    )
    assert request.method == "POST"


@pytest.mark.parametrize("body", [None, b""])
def test_a_request_without_a_body(body):
    request = build_request(SUBSCRIPTION, body, AUTHORIZATION, PushOptions())
    assert request.body == b""
    assert list(request.headers) == ["Authorization", "TTL", "Urgency"]


def test_a_request_prints_itself_without_its_secrets():
    request = build_request(SUBSCRIPTION, b"body" * 36, AUTHORIZATION, PushOptions())
    assert str(request) == (
        "POST https://push.example.net:8443/…\n"
        "Authorization: vapid t=eyJ0eXAi…, k=BA1Hxzyi…\n"
        "TTL: 10000\n"
        "Urgency: normal\n"
        "Content-Encoding: aes128gcm\n"
        "Content-Type: application/octet-stream\n"
        "\n"
        "(144 bytes)"
    )
    assert repr(request) == "<PushRequest POST https://push.example.net:8443/… 144 bytes>"


@pytest.mark.parametrize("value", ["WebPush eyJ0eXAiOiJKV1Qi.e30.AA", "eyJ0eXAiOiJKV1Qi.e30.AAAA"])
def test_no_token_is_printed_whatever_the_scheme(value):
    request = build_request(SUBSCRIPTION, None, value, PushOptions())
    assert "eyJ0eXAi…" in str(request) and "OiJKV1Qi" not in str(request)


@pytest.mark.parametrize(
    ("headers", "error", "said"),
    [
        ({"TTL": 60}, BadTtl, "TTL is a number"),
        ({"TTL": None}, BadTtl, "TTL is null"),
        ({"TTL": "60", "Urgency": b"high"}, BadUrgency, "Urgency is 4 bytes long"),
        ({"TTL": "60", "topic": ["upd"]}, BadTopic, "Topic is an array"),
    ],
)
def test_a_header_that_is_no_text_is_told(headers, error, said):
    with pytest.raises(error, match=f"{said}, and a header is text") as caught:
        PushOptions.from_headers(headers)
    assert "quotes" in caught.value.hint
    assert PushOptions.from_headers({7: 7, "TTL": "60"}).ttl == 60


def test_a_request_shows_no_more_of_a_url_than_its_origin():
    shown = {
        "https://push.example.net?token=SECRET": "https://push.example.net",
        "https://SECRET@push.example.net:8443/SECRET#SECRET": "https://push.example.net:8443",
        "SECRET": "",
        "https://[SECRET": "",
    }
    for url, origin in shown.items():
        request = PushRequest(url, {}, b"")
        assert request.origin == origin
        assert "SECRET" not in f"{request} {request!r}"
