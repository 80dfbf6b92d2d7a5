"""``inspect(…)``: whatever a cell has at hand, taken apart to the byte, as a picture and as text."""

import json

import pytest

import pushlab
from pushlab import inspect
from pushlab.doctor.inspection import Receiver
from pushlab.errors import BadArgument
from pushlab.notebook import rich
from pushlab.protocol import base64url, p256, vapid
from pushlab.protocol.delivery import PushRequest
from pushlab.protocol.examples import RFC8291, RFC8292
from tests.notebook.drawn import check, in_html, texts

AT = 1453500000
TOKEN = f"vapid t={RFC8292.token}, k={base64url.encode(RFC8292.public)}"
HEADERS = {"TTL": "15", "Content-Encoding": "aes128gcm", "Authorization": TOKEN, "X-Mine": "s3cret"}
URL = "https://push.example.net/p/JzLQ3raZJfFB"
HEAD = "\r\n".join(
    ["POST /p/JzLQ3raZJfFB HTTP/1.1", "Host: push.example.net", *map(": ".join, HEADERS.items()), "", ""]
)
CONTENT = HEAD.encode() + RFC8291.body
KEYS = {"private": base64url.encode(RFC8291.ua_private), "auth": base64url.encode(RFC8291.auth_secret)}


def picture(inspected) -> list[str]:
    drawn = in_html(rich.html(inspected))
    check(drawn)
    return texts(drawn)


def test_it_is_a_public_name():
    assert pushlab.inspect is inspect and "inspect" in pushlab.__all__


def test_the_picture_says_what_the_text_says_and_the_values_up_to_the_plaintext():
    inspected = inspect(CONTENT, receiver=KEYS, at=AT)
    said = picture(inspected)
    assert {"https://push.example.net/…", "15", "Its token", "Its body: 144 bytes"} <= set(said)
    assert "until 2016-01-23 04:36:08 UTC (6.6 h left)" in " ".join(said)
    assert [one for one in said if one in ("ecdh_secret", "PRK_key", "IKM", "PRK", "CEK", "NONCE")] == [
        "ecdh_secret", "PRK_key", "IKM", "PRK", "CEK", "NONCE",
    ]  # fmt: skip
    assert {"plaintext", "41 bytes", "Findings: 4 ok, 1 hint, nothing bad"} <= set(said)
    assert "the signature of the token fits k" in said
    for line in ("plaintext, 41 bytes", "4 ok, 1 hint, nothing bad", "(6.6 h left)"):
        assert line in repr(inspected)


def test_secrets_are_there_only_when_they_are_asked_for():
    signature = RFC8292.token.rpartition(".")[2]
    shown = ("watermelon", signature[:20], "a088555b 4e0c45dc")  # the CEK
    hidden = inspect(CONTENT, receiver=KEYS, at=AT)
    told = inspect(CONTENT, receiver=KEYS, at=AT, secrets=True)
    for secret in shown:
        assert secret not in "".join(picture(hidden)) + repr(hidden)
        assert secret in "".join(picture(told))
    assert "watermelon" in repr(told)
    for never in (KEYS["private"], "JzLQ3raZJfFB", "s3cret"):
        assert never not in "".join(picture(told)) + repr(told)


def test_it_takes_text_bytes_paths_and_a_request_of_ours(tmp_path):
    path, body = tmp_path / "request.http", tmp_path / "body.bin"
    path.write_bytes(CONTENT)
    body.write_bytes(RFC8291.body)
    expected = repr(inspect(CONTENT, at=AT))
    assert repr(inspect(path, at=AT)) == repr(inspect(str(path), at=AT)) == expected
    for alone in (RFC8291.body, RFC8291.body.hex(" "), base64url.encode(RFC8291.body), body):
        assert "Body: 144 bytes" in repr(inspect(HEAD, body=alone, at=AT))
    ours = inspect(PushRequest(URL, HEADERS, RFC8291.body), at=AT)
    assert repr(ours) == expected.replace("raw HTTP", "PushRequest")
    named = f"POST {URL}\nTTL: 15\nAuthorization: {TOKEN}\nContent-Encoding: aes128gcm\n\n< ./body.bin\n"
    path.write_text(f"{named}###\n{named}")
    assert (
        len(inspect(path, at=AT)) == 2
        and picture(inspect(path, at=AT)).count("Its body: 144 bytes") == 2
    )
    assert inspect(f"Authorization: {TOKEN}")[0].token, "one line may be a request, too"


def test_the_receiver_s_keys_have_many_forms(tmp_path):
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(KEYS))
    receiver = Receiver(RFC8291.ua_private, RFC8291.auth_secret)
    raw = {"private": RFC8291.ua_private, "auth": RFC8291.auth_secret}
    for keys in (KEYS, raw, json.dumps(KEYS), json.dumps(KEYS).encode(), file, str(file), receiver):
        assert inspect(CONTENT, receiver=keys)[0].plaintext == RFC8291.plaintext


def test_what_cannot_be_read_is_said_in_a_sentence(tmp_path):
    for nothing in ("Dear all\nhello", b"", "\ud800\n"):
        with pytest.raises(BadArgument, match="holds no request"):
            inspect(nothing)
    for wrong in ({"private": 3, "auth": "AA"}, {}, "{"):
        with pytest.raises(BadArgument, match="receiver"):
            inspect(CONTENT, receiver=wrong)
    with pytest.raises(FileNotFoundError):
        inspect("request.http")


@pytest.mark.parametrize(
    "line",
    [
        f"curl -X POST {URL} -H 'TTL: 15' -H 'Authorization: {TOKEN}'",
        f"fetch('{URL}')",
        TOKEN,
        "",
        "  ",
        json.dumps({"endpoint": URL}),
        base64url.encode(RFC8291.body),
        "a\0b",
        "\ud800",
        "x y" * 200,
    ],
)
def test_one_line_that_is_no_request_is_told_as_several_lines_are(line):
    with pytest.raises(BadArgument, match="holds no request") as caught:
        inspect(line)
    assert caught.value.__cause__ is caught.value.__context__ is None, "the line would be in it"
    assert "JzLQ3raZJfFB" not in str(caught.value)


def test_a_key_in_place_of_the_receiver_s_file_is_not_repeated():
    with pytest.raises(BadArgument, match="the private key itself") as caught:
        inspect(CONTENT, receiver=KEYS["private"])
    assert KEYS["private"] not in str(caught.value) and caught.value.__suppress_context__
    with pytest.raises(FileNotFoundError):
        inspect(CONTENT, receiver="nosuch.json")


def test_an_indented_request_is_the_same_request():
    text = f"POST {URL}\nTTL: 15\nAuthorization: {TOKEN}\n\n"
    told = repr(inspect(text, at=AT))
    assert "no TTL" not in told
    assert repr(inspect("\n" + text.replace("\n", "\n    ").join(["    ", ""]), at=AT)) == told
    assert repr(inspect(text.replace("\n", "\n    ", 2), at=AT)) == told


@pytest.mark.parametrize(
    "content",
    [
        b"POST / HTTP/1.1\nTTL: <script>\x1b[31m\nX: \xff\n\n" + bytes(5000),
        f"POST https://push.example.net/p\nAuthorization: vapid t={'A' * 7000}.e30.AA, k=AA\n\n",
        f"POST /p HTTP/1.1\nHost: \u202e</text>\nAuthorization: {TOKEN}\nTopic: {'t' * 900}\n\nx",
        b"TTL: 1\n",
    ],
)
def test_a_stranger_s_request_can_be_drawn(content):
    for secrets in (False, True):
        inspected = inspect(content, receiver=KEYS, secrets=secrets)
        picture(inspected)
        assert repr(inspected).replace("\n", "").isprintable()


def test_an_endpoint_in_the_token_is_in_no_picture():
    endpoint = "https://push.example.net/p/" + "s3cret/" * 8
    key = p256.load_private((1).to_bytes(32, "big"))
    signed = vapid.sign(vapid.Claims(endpoint, AT + 60), key)
    authorization = vapid.authorization(signed, p256.raw_public(key))
    for url in (endpoint, "https://push.example.net?s3cret", "https://me:s3cret@push.example.net/"):
        given = inspect(PushRequest(url, {"TTL": "5", "Authorization": authorization}, b""), at=AT)
        said = "".join(picture(given))
        assert "s3cret" not in said + rich.html(given) and "https://push.example.net/…" in said
        assert signed.split(".")[1][50:80] not in said, "the claims as they stand in the token"
