"""A request is taken apart; with the receiver's keys it is opened, to the RFC's own values."""

import json

import pytest

from pushlab.doctor.inspection import (
    PRIVATE,
    Receiver,
    in_words,
    inspect_content,
    inspect_request,
    read_receiver,
)
from pushlab.errors import BadArgument
from pushlab.protocol import base64url, encryption, examples, jws, p256, vapid
from pushlab.protocol.delivery import PushRequest
from pushlab.protocol.spelling.captured import Captured

RFC, TOKEN = examples.RFC8291, examples.RFC8292
NOW = 1453500000
HEADERS = (
    ("TTL", "15"),
    ("Content-Encoding", "aes128gcm"),
    ("Authorization", f"vapid t={TOKEN.token}, k={base64url.encode(TOKEN.public)}"),
)
REQUEST = Captured("raw HTTP", "POST", "https://push.example.net/p/JzLQ3raZJfFB", HEADERS, RFC.body)
RECEIVER = Receiver(RFC.ua_private, RFC.auth_secret)
SECRETS = [base64url.encode(one) for one in (RFC.ua_private, RFC.auth_secret)] + ["JzLQ3raZJfFB"]
SECRETS += [TOKEN.token.rpartition(".")[2], RFC.plaintext.decode()]


def test_the_example_of_the_rfc_is_opened_to_its_own_values():
    inspection = inspect_request(REQUEST, NOW, RECEIVER)
    values = {step.name: base64url.encode(step.value) for step in inspection.steps}
    assert inspection.plaintext == RFC.plaintext and not inspection.fault
    assert values["IKM"] == "S4lYMb_L0FxCeq0WhDx813KgSYqU26kOyzWUdsXYyrg"  # Appendix A
    assert values["CEK"] == "oIhVW04MRdy2XN9CiKLxTg"
    assert [span.name for span in inspection.body][:4] == ["salt", "rs", "idlen", "04"]
    assert [span.name for span in inspection.token] == ["header", ".", "claims", ".", "signature"]
    assert inspection.claims == (
        "for https://push.example.net, until 2016-01-23 04:36:08 UTC (6.6 h left), "
        "contact mailto:push@example.com"
    )
    assert inspection.report.good


def test_secrets_are_shown_only_when_they_are_asked_for():
    inspection = inspect_request(REQUEST, NOW, RECEIVER)
    said = f"{inspection} {inspection!r} {json.dumps(inspection.to_json())} {RECEIVER}"
    assert not any(secret in said for secret in SECRETS)
    told = "\n".join(inspection.lines(secrets=True))
    assert RFC.plaintext.decode() in told and "oIhVW04MRdy2XN9CiKLxTg" in told
    assert inspection.to_json(secrets=True)["plaintext"] == RFC.plaintext.decode()
    assert SECRETS[0] not in told, "the private key is never shown"


def test_a_body_that_does_not_open_says_why():
    wrong = inspect_request(REQUEST, NOW, Receiver(RFC.ua_private, bytes(16)))
    assert wrong.plaintext is None and "RFC 8188" in wrong.fault
    assert wrong.steps, "the values are there, to be compared"
    changed = Captured("raw HTTP", "POST", REQUEST.url, HEADERS, RFC.body[:30])
    assert inspect_request(changed, NOW, RECEIVER).fault
    assert not inspect_request(changed, NOW).fault, "nobody asked for it to be opened"
    short = inspect_request(REQUEST, NOW, Receiver(RFC.ua_private, bytes(15)))
    assert "15 bytes" in short.fault


WNS = "https://wns2-par02p.notify.windows.com/w/?token=" + "aB3%2f" * 30


def signed(**changed: object) -> str:
    key = p256.load_private(bytes(range(0x20, 0x40)))
    claims = {"aud": "https://wns2-par02p.notify.windows.com", "exp": NOW + 60, "sub": "mailto:a@b.org"}
    kid = json.dumps({"alg": "ES256", "kid": WNS}).encode()
    return vapid.authorization(
        jws.sign(kid, json.dumps(claims | changed).encode(), key), p256.raw_public(key)
    )


@pytest.mark.parametrize("claim", ["aud", "sub", "other", pytest.param("escaped", id="PHP's JSON")])
def test_no_claim_shows_what_follows_the_origin_of_a_url(claim):
    authorization = signed(**{claim: WNS.replace("/", "\\/") if claim == "escaped" else WNS})
    headers = (("TTL", "5"), ("Authorization", authorization))
    inspection = inspect_request(Captured("raw HTTP", "POST", WNS, headers, b""), NOW)
    for secrets in (False, True):
        said = "\n".join(inspection.lines(secrets)) + json.dumps(inspection.to_json(secrets))
        assert "aB3" not in said and "wns2-par02p.notify.windows.com" in said


@pytest.mark.parametrize(
    ("url", "where"),
    [
        (WNS, "https://wns2-par02p.notify.windows.com/…"),
        ("https://push.example.net?token=s3cret", "https://push.example.net/…"),
        ("https://push.example.net#s3cret", "https://push.example.net/…"),
        ("https://me:s3cret@push.example.net:8443/p", "https://push.example.net:8443/…"),
        ("https://push.example.net", "https://push.example.net/…"),
        ("s3cret", "(no URL)"),
        ("", "(no URL)"),
    ],
)
def test_of_an_endpoint_only_its_origin_is_shown(url, where):
    inspection = inspect_request(Captured("HAR", "POST", url, (("TTL", "5"),), b""), NOW)
    assert inspection.where == where
    assert "s3cret" not in str(inspection) + json.dumps(inspection.to_json())


def test_a_message_cannot_steer_the_terminal():
    text = "\x1b[31mred\u202e".encode()
    body = encryption.encrypt(
        text, RFC.subscription, as_private=p256.load_private(RFC.as_private), salt=RFC.salt
    )
    inspection = inspect_request(Captured("HAR", "PO\x1bST", "", HEADERS, body), NOW, RECEIVER)
    assert inspection.plaintext == text
    assert all(line.replace("\n", "").isprintable() for line in inspection.lines(secrets=True))


def test_a_request_without_token_and_body():
    inspection = inspect_request(Captured("headers", "POST", "", (), None, "it is gone"), NOW, RECEIVER)
    assert (inspection.token, inspection.body, inspection.steps) == ((), (), ())
    assert "it is gone" in str(inspection)


@pytest.mark.parametrize("name", PRIVATE)
def test_a_receiver_s_keys_have_many_names(name):
    members = {name: base64url.encode(RFC.ua_private), "auth": base64url.encode(RFC.auth_secret)}
    read = read_receiver(json.dumps(members).encode())
    assert (read.ua_private, read.auth_secret) == (RFC.ua_private, RFC.auth_secret)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"3", b"\xff", b'{"private": "AA"}', b'{"private": "AA", "auth": "AA"}',
     b'{"private": 3, "auth": "AA"}', b'{"private": "=", "auth": "AA"}'],
)  # fmt: skip
def test_keys_that_cannot_be_read_are_refused_in_a_sentence(content):
    with pytest.raises(BadArgument) as refused:
        read_receiver(content)
    assert "receiver" in str(refused.value)


def test_a_command_in_place_of_a_request_is_named_with_the_next_step():
    with pytest.raises(
        BadArgument, match=r"this holds no request: it is a curl command.*Run the command with --trace -"
    ):
        inspect_content(b"curl -X POST \\\n -H 'TTL: 60' https://push.example.net/p", NOW)
    with pytest.raises(BadArgument, match="no request that can be read"):
        inspect_content(b"Dear all", NOW)


def test_a_request_without_host_is_the_fault_of_nobody_s_browser():
    (inspection,) = inspect_content(b"POST /p HTTP/1.1\nTTL: 5\n\n", NOW)
    (about,) = [one for one in inspection.report if "9112" in one.source]
    assert about.code == "host-missing" and about.fault == "application server"
    assert not any(one.code.startswith("endpoint") for one in inspection.report)
    (inspection,) = inspect_content(b"TTL: 5\n\n", NOW)
    assert not any(one.code == "host-missing" for one in inspection.report)


def test_what_python_s_code_gives_is_inspected_whatever_its_types():
    given = PushRequest(REQUEST.url, {"TTL": 60, "Authorization": b"vapid"}, "hello")
    said = str(inspect_request(Captured("PushRequest", "POST", given.url, tuple(given.headers.items()),
                                        given.body), NOW, RECEIVER))  # fmt: skip
    assert "TTL is a number, not text" in said and "Authorization is bytes, not text" in said
    assert "the body is text: it was not encrypted" in said


def test_a_receiver_s_file_may_have_a_mark_and_another_encoding_is_named():
    keys = {"private": base64url.encode(RFC.ua_private), "auth": base64url.encode(RFC.auth_secret)}
    text = json.dumps(keys)
    assert read_receiver(text.encode("utf-8-sig")).ua_private == RFC.ua_private
    for encoding in ("utf-16", "utf-16-le"):
        with pytest.raises(BadArgument, match="UTF-16") as refused:
            read_receiver(text.encode(encoding))
        assert "Save it as UTF-8" in str(refused.value)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({}, "for None, until an exp that is not a number, no contact"),
        ({"aud": "a", "exp": "1", "sub": 3}, "for a, until an exp that is not a number, contact 3"),
        ({"aud": "a", "exp": 10**30}, "for a, until an exp that is not a number, no contact"),
        ({"aud": "a", "exp": 10**12}, "for a, until an exp that is not a number, no contact"),
        ({"aud": "a", "exp": 0}, "for a, until 1970-01-01 00:00:00 UTC (1.0 h ago), no contact"),
    ],
)
def test_claims_in_words(claims, said):
    assert in_words(claims, now=3600) == said
