"""A request at hand: each fault has its finding, and one that is right has none."""

import base64

import pytest

from pushlab.doctor.findings import Level
from pushlab.doctor.request import examine_request
from pushlab.protocol import base64url, encryption, examples, jws, p256, vapid
from pushlab.protocol.spelling.captured import LEFT_OUT, Captured

NOW = 1453500000
KEY = p256.load_private(bytes(range(0x20, 0x40)))
PUBLIC = p256.raw_public(KEY)
ORIGIN = "https://updates.push.services.mozilla.com"
URL = f"{ORIGIN}/wpush/v2/" + "gAAAAA" + "x" * 177
CLAIMS = {"aud": ORIGIN, "exp": NOW + 3600, "sub": "mailto:push@pushlab.org"}
BODY = examples.RFC8291.body


def token(k: bytes = PUBLIC, **changed: object) -> str:
    return vapid.authorization(vapid.sign(vapid.Claims(**CLAIMS | changed), KEY), k)


def request(body: bytes | None = BODY, method: str = "POST", url: str = URL, **changed) -> Captured:
    """Describe a request that is right, with some headers changed; None leaves one out."""
    headers = {
        "TTL": "60",
        "Content_Encoding": "aes128gcm",
        "Content_Length": str(len(body or b"")),
        "Authorization": token(),
    } | changed
    listed = [
        (name.replace("_", "-"), value)
        for name, values in headers.items()
        if values is not None
        for value in (values if isinstance(values, list) else [values])
    ]
    return Captured("raw HTTP", method, url, tuple(listed), body, "" if body is not None else LEFT_OUT)


def found(captured: Captured, now: float = NOW) -> dict[str, Level]:
    return {one.code: one.level for one in examine_request(captured, now) if one.level is not Level.OK}


def test_a_request_that_is_right_has_no_fault():
    assert found(request()) == {}
    assert found(request(b"", Content_Encoding=None, Content_Length="0")) == {}
    assert found(request(Urgency="high", Topic="news")) == {}


HEADER, _ = encryption.read_header(BODY)
FAULTS = {
    "a path, and no host": (request(url=""), "host-missing"),
    "another method": (request(method="GET"), "request-method"),
    "no TTL": (request(TTL=None), "missing-ttl"),
    "a TTL that is text": (request(TTL="an hour"), "bad-ttl"),
    "two TTLs": (request(TTL=["60", "60"]), "bad-ttl"),
    "a topic with a space": (request(Topic="two words"), "bad-topic"),
    "an urgency that is none": (request(Urgency="urgent"), "bad-urgency"),
    "two tokens": (request(Authorization=[token(), token()]), "header-repeated"),
    "two lengths": (request(Content_Length=["144", "144"]), "header-repeated"),
    "another length": (request(Content_Length="145"), "body-length"),
    "no coding": (request(Content_Encoding=None), "coding"),
    "another coding": (request(Content_Encoding="gzip"), "coding"),
    "the old coding": (
        request(bytes(40), Content_Encoding="aesgcm", Encryption="salt=a", Crypto_Key="dh=a"),
        "coding-aesgcm",
    ),
    "a body without a header": (request(bytes(5)), "body-header"),
    "a body that was never encrypted": (request(b'{"title": "hello"}'), "body-is-text"),
    "a text beyond ASCII": (request('{"title": "Grüße"}'.encode()), "body-is-text"),
    "a body in base64": (request(base64.b64encode(BODY)), "body-is-text"),
    "text, and the old coding": (request(b"hello", Content_Encoding="aesgcm"), "body-is-text"),
    "a salt in a header too": (request(Encryption="salt=AAAA"), "coding-mixed"),
    "a key in a header too": (request(Crypto_Key="p256ecdsa=BA; dh = BA"), "coding-mixed"),
    "a key in capitals": (request(Crypto_Key="DH=BA"), "coding-mixed"),
    "half a body, and a salt": (request(BODY[:30], Encryption="salt=AAAA"), "body-header"),
    "half a body, and the old VAPID": (request(BODY[:30], Crypto_Key="p256ecdsa=BA"), "body-header"),
    "a body that is too large": (request(BODY[:86] + bytes(4011)), "body-too-large"),
    "no token": (request(Authorization=None), "authorization-missing"),
    "the old scheme": (request(Authorization="WebPush eyJ0"), "authorization-old"),
    "another scheme": (request(Authorization="Basic YTpi"), "missing-authorization"),
    "no k": (request(Authorization=token().partition(",")[0]), "bad-authorization"),
    "half a token": (request(Authorization=f"vapid t=eyJ0, k={base64url.encode(PUBLIC)}"), "bad-token"),
    "another key": (request(Authorization=token(HEADER.keyid)), "signature"),
    "k off the curve": (request(Authorization=token(b"\4" * 65)), "authorization-k"),
    "exp in the past": (request(Authorization=token(exp=NOW - 60)), "exp-past"),
    "exp too far ahead": (request(Authorization=token(exp=NOW + 90_000)), "exp-too-far"),
    "another aud": (request(Authorization=token(aud="https://x.example")), "aud-another-origin"),
    "a space before a colon": (request(TTL=None, **{"TTL ": "60"}), "header-space"),
    "an endpoint by http": (request(url=URL.replace("https", "http")), "endpoint-http"),
}  # fmt: skip


@pytest.mark.parametrize("what", FAULTS)
def test_each_fault_has_its_finding(what):
    captured, code = FAULTS[what]
    assert found(captured).get(code) is Level.BAD, found(captured)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"hello", "the body is text: it was not encrypted"),
        (b"notification_id_123456789abc", "the body is text: it was not encrypted"),
        (base64.b64encode(BODY), "the body is written as base64, not the bytes themselves"),
        (BODY.hex().encode(), "the body is written as hexadecimal, not the bytes themselves"),
        (repr(BODY).encode(), "the body is written as Python's b'…', not the bytes themselves"),
    ],
)
def test_a_body_that_is_text_is_told_what_it_is(body, said):
    (finding,) = [one for one in examine_request(request(body), NOW) if one.level is Level.BAD]
    assert finding.seen == said and "send the bytes" in finding.fix


@pytest.mark.parametrize("codec", ["latin-1", "utf-8"])
def test_a_body_that_went_through_text_is_told_as_that(codec):
    body = BODY.decode(codec, "replace").encode("utf-8")
    (finding,) = [one for one in examine_request(request(body), NOW) if one.level is Level.BAD]
    assert finding.code == "body-through-text" and "valid UTF-8" in finding.seen
    assert "as bytes" in finding.fix


@pytest.mark.parametrize("length", [22, 28, 43])
def test_what_stands_in_a_header_and_is_long_is_not_shown(length):
    secret = ("aB3_%-xY" * 6)[:length]
    names = ("Content_Encoding", "Content_Length", "Urgency", "TTL", "Topic")
    for changed in [*({name: f"{secret}%"} for name in names), {f"{secret} ": "1"}]:
        report = examine_request(request(**changed), NOW)
        said = " ".join(map(str, report)).lower()
        assert "characters" in said and secret[:12].lower() not in said, changed
    assert secret[:12] not in str(examine_request(request(method=secret), NOW)[0])


def test_a_short_word_is_shown():
    said = " ".join(map(str, examine_request(request(Content_Encoding="gzip", Urgency="urgent"), NOW)))
    assert "is gzip" in said and "'urgent'" in said


def test_a_request_to_firebase_s_own_api_is_told_as_that_and_nothing_else():
    url = "https://fcm.googleapis.com/v1/projects/mine/messages:send"
    (finding,) = examine_request(request(b"{}", url=url, Authorization="Bearer ya29.abc"), NOW)
    assert finding.code == "firebase" and "not web push" in finding.seen
    assert "endpoint of the subscription" in finding.fix


def test_a_header_that_is_no_text_is_told_and_read():
    assert found(request(TTL=60)) == {"header-not-text": Level.BAD}
    assert found(request(Authorization=token().encode())) == {"header-not-text": Level.BAD}
    assert found(request(TTL=None, Authorization=7)).get("header-not-text") is Level.BAD


def test_the_old_coding_is_not_read_as_the_new_one():
    for changed in ({"Content_Encoding": "aesgcm"}, {"Content_Encoding": None, "Encryption": "salt=A"}):
        assert "body-header" not in found(request(bytes(40), **changed))


def test_one_key_for_both_purposes():
    subscription = examples.RFC8291.subscription
    body = encryption.encrypt(b"x", subscription, as_private=KEY, salt=bytes(16))
    assert found(request(body)) == {"key-reused": Level.BAD}


def test_hints():
    assert found(request(None)) == {"body-missing": Level.HINT}
    assert found(request(Crypto_Key="p256ecdsa=BA")) == {"coding-mixed": Level.HINT}


def test_nothing_is_said_of_an_endpoint_that_is_not_known():
    codes = found(request(url=""))
    assert not any(code.startswith("endpoint") for code in codes)


def test_no_finding_shows_a_secret():
    secret = token().partition("t=")[2][:40]
    for captured, _ in FAULTS.values():
        said = " ".join(map(str, examine_request(captured, NOW)))
        assert secret not in said and "x" * 20 not in said


def test_a_token_is_read_whatever_its_header_says():
    signed = jws.sign(b'{"alg":"ES256"}', vapid.Claims(**CLAIMS).to_json(), KEY)
    assert found(request(Authorization=vapid.authorization(signed, PUBLIC))) == {}
