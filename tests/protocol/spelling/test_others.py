"""What is given in place of a request is named, with what to give instead."""

import base64

import pytest

from pushlab.protocol.examples import RFC8291
from pushlab.protocol.spelling.captured import read
from pushlab.protocol.spelling.others import named
from tests.protocol.spelling.test_captured import STRANGE

BODY = RFC8291.body

OTHERS = {
    "curl -X POST https://push.example.net/secret": "a curl command",
    "$ curl -X POST \\\n  -H 'TTL: 60' \\\n https://push.example.net/secret": "a curl command",
    '/usr/bin/curl.exe -H "TTL: 60" ^\n https://push.example.net/secret': "a curl command",
    "await fetch('https://push.example.net/secret', {\n  method: 'POST' })": "fetch()",
    "const answer = await fetch(endpoint)": "fetch()",
    "requests.post('https://push.example.net/secret', headers={'TTL': '60'})": "code that sends",
    "webpush(subscription, 'hello')": "code that sends",
    "Invoke-WebRequest -Uri https://push.example.net/secret": "a command of PowerShell",
    "webPush.sendNotification(subscription, 'secret')": "code that sends",
    "HTTP/2 201\nlocation: https://push.example.net/secret": "an answer",
    "vapid t=eyJ0, k=BA": "Authorization header alone",
    "eyJ0eXAi.eyJhdWQi.secret": "a token alone",
    '{"endpoint": "https://push.example.net/secret"}': "a subscription",
    "": "empty",
    "me@host:~$ curl -v https://push.example.net/secret": "a curl command",
    "sudo curl -v https://push.example.net/secret": "a curl command",
    "http POST https://push.example.net/secret TTL:60": "a command",
    "wget --method=POST https://push.example.net/secret": "a command",
    "axios({ method: 'post', url: 'https://push.example.net/secret' })": "code that sends",
    "WebPushError: Received unexpected response code {\n  statusCode: 403 }": "an error of a library",
    "WebPushException: Push failed: 401 Unauthorized": "an error of a library",
    'Traceback (most recent call last):\n  File "a.py"\n    webpush(secret)\nx': "a traceback",
    '{"reason":"BadJwtToken"}': "the answer",
    '{"code": 401, "errno": 109, "error": "Unauthorized", "message": "secret"}': "the answer",
    "push subscription has unsubscribed or expired.\n": "an answer",
    "<!DOCTYPE html>\n<html lang=en><title>Error 404 (Not Found)!!1</title>": "an answer",
    "DOMException: Registration failed - push service error": "an error of a browser",
    '1.2.3.4 - - [x] "POST /secret HTTP/1.1" 201 0': "a line of a log",
    "{\n  method: 'POST',\n  headers: {\n    TTL: 60 },\n  endpoint: 'secret' }": "a request as code",
    '{"method": "POST", "headers": {"TTL": 60}, "endpoint": "https://x/secret"}': "a request as code",
    '{"Authorization": "vapid t=eyJ0, k=BA", "TTL": "60"}': "headers",
    "{'TTL': '60', 'Authorization': 'vapid t=eyJ0, k=BA'}": "headers",
    "Array\n(\n    [TTL] => 60\n    [Authorization] => vapid t=eyJ0, k=BA\n)": "headers",
    "map[Authorization:[vapid t=eyJ0, k=BA] Ttl:[60]]": "headers",
    ":authority\npush.example.net\n:path\n/secret": "headers",
    '"eyJ0eXAi.eyJhdWQi.secret"': "a token alone",
    "Bearer eyJ0eXAi.eyJhdWQi.secret": "a part of an Authorization header",
    "WebPush eyJ0eXAi.eyJhdWQi.secret": "a part of an Authorization header",
    "t=eyJ0eXAi.eyJhdWQi.secret, k=BA": "a part of an Authorization header",
    "https://push.example.net/secret": "a URL alone",
    '{"expirationTime": null, "endpoint": "https://push.example.net/secret"}': "a subscription",
    "{'endpoint': 'https://push.example.net/secret', 'keys': {}}": "a subscription",
    "VAPID_PUBLIC_KEY=secret\nVAPID_PRIVATE_KEY=secret": "a file of keys",
    "-----BEGIN PUBLIC KEY-----\nsecret\n-----END PUBLIC KEY-----": "a file of keys",
    '{"kty": "EC", "d": "secret"}': "a file of keys",
    "s" * 43: "a private key",
    "B" + "s" * 86: "a public key",
    '{"aud": "https://push.example.net", "exp": 1}': "the claims",
    '{"title": "secret"}': "a payload",
    '{"message": "secret"}': "a payload",
    '{"message": {"token": "secret"}}': "Firebase",
    "< HTTP/1.1 403 Forbidden": "an answer",
    "~/secret % curl -v https://push.example.net/secret": "a curl command",
    '{"registration_ids": ["secret"]}': "Firebase",
    bytes(BODY).hex(): "the body of a request alone, in hexadecimal",
    base64.b64encode(BODY).decode(): "the body of a request alone, in base64",
}  # fmt: skip


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_given_in_place_of_a_request_is_named(text):
    for content in (text.encode(), text.encode("utf-8-sig"), text.encode("utf-16") if text else b""):
        assert read(content) == []
        what, turn = named(content)
        assert OTHERS[text] in what and turn and "secret" not in what + turn


def test_what_is_not_known_has_no_name():
    assert [named(content) for content in STRANGE[1:]] == [("", "")] * len(STRANGE[1:])


@pytest.mark.parametrize("text", ["k = 5", "t: hello", '{"message": "no", "level": 3}'])
def test_a_letter_or_a_message_of_anything_has_no_name(text):
    assert named(text.encode()) == ("", "")


def test_the_bytes_of_a_body_are_named():
    assert named(BODY)[0] == "the body of a request alone"
    assert named(BODY[:80]) == ("", "")


@pytest.mark.parametrize(
    ("text", "turn"),
    [
        ('{"endpoint": "https://push.example.net/p"}', "doctor --subscription FILE"),
        ('{"publicKey": "B", "privateKey": "x"}', "doctor --keys FILE"),
        ('{"aud": "https://push.example.net"}', "doctor --claims FILE"),
        ('{"reason":"BadJwtToken"}', "explain()"),
    ],
)
def test_what_another_part_of_the_lab_reads_is_sent_there(text, turn):
    assert turn in named(text.encode())[1]


def test_many_options_of_a_command_take_no_time():
    assert named(b"http" + b" --a" * 4000 + b" x") == ("", "")
